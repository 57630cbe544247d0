import * as Health from "../../../src/health/Health.ts"
import * as HealthRoutes from "../../../src/health/HealthRoutes.ts"
import { resolveWait } from "../../../src/health/internal/Reports.ts"
import { contract } from "../contract.ts"

const notPositive = "a finite duration > 0"
const negative = "a finite duration >= 0"

export const contracts = [
  contract<Health.Options>({
    name: "Health",
    file: "src/health/internal/HealthOptions.ts",
    interfaces: { "": "Options" },
    defaults: Health.defaults,
    resolve: Health.resolve,
    config: Health.Config,
    describe: Health.describe,
    examples: [
      { version: "1.4.0", timeout: "2 seconds", ttl: 0, concurrency: 4, schedule: "30 seconds" },
      { schedule: 500 },
      { ttl: "1 minute" }
    ],
    refused: [
      [{ version: " " }, "version", "a non-empty string"],
      [{ timeout: "0 seconds" }, "timeout", notPositive],
      [{ ttl: -1 }, "ttl", negative],
      [{ concurrency: 0 }, "concurrency", "an integer >= 1"],
      [{ schedule: 0 }, "schedule", notPositive],
      [{ checks: { "": Health.check } }, "checks", "a non-empty string", ""],
      [{ checks: 5 }, "checks", "an object"],
      [{ checks: [] }, "checks", "an object"],
      [{ checks: { database: () => true } }, "checks.database", "a check made by Health.check"]
    ]
  }),
  contract<Health.CheckOptions>({
    name: "Health.check",
    module: "Health",
    file: "src/health/internal/HealthCheck.ts",
    interfaces: { "": "CheckOptions" },
    defaults: Health.checkDefaults,
    resolve: Health.resolveCheck,
    config: Health.CheckConfig,
    describe: Health.describeCheck,
    examples: [{ timeout: "2 seconds", critical: false, kinds: ["liveness"], ttl: 0 }],
    refused: [
      [{ timeout: Number.NaN }, "timeout", notPositive],
      [{ critical: "no" }, "critical", "true or false"],
      [{ kinds: [] }, "kinds", "a list of at least one kind"],
      [{ kinds: ["readiness", "ready"] }, "kinds.1", "one of liveness, readiness, startup"],
      [{ ttl: "-1 second" }, "ttl", negative]
    ]
  }),
  contract<Health.BreakerOptions>({
    name: "Health.fromBreaker",
    module: "Health",
    file: "src/health/internal/CircuitChecks.ts",
    interfaces: { "": "BreakerOptions" },
    defaults: Health.breakerDefaults,
    resolve: Health.resolveBreaker,
    config: Health.BreakerConfig,
    describe: Health.describeBreaker,
    examples: [
      { key: "acme", whenOpen: "unhealthy", ttl: "1 second" },
      { timeout: 100, kinds: ["startup"] }
    ],
    refused: [
      [{ whenOpen: "healthy" }, "whenOpen", "degraded or unhealthy"],
      [{ ttl: -1 }, "ttl", negative],
      [{ critical: 1 }, "critical", "true or false"]
    ]
  }),
  contract<HealthRoutes.Options>({
    name: "HealthRoutes",
    file: "src/health/HealthRoutes.ts",
    interfaces: { "": "Options" },
    defaults: HealthRoutes.defaults,
    resolve: HealthRoutes.resolve,
    config: HealthRoutes.Config,
    describe: HealthRoutes.describe,
    examples: [{ prefix: "/internal/v1", details: true, ttl: 0 }, { ttl: "5 seconds" }],
    refused: [
      [{ prefix: "internal" }, "prefix", 'a path of plain segments such as "/internal", or ""'],
      [{ prefix: 1 }, "prefix", 'a path of plain segments such as "/internal", or ""'],
      [{ details: "yes" }, "details", "true or false, or a function"],
      [{ ttl: -1 }, "ttl", negative]
    ]
  }),
  contract<HealthRoutes.DrainOptions>({
    name: "HealthRoutes.drainBeforeStop",
    module: "HealthRoutes",
    file: "src/health/HealthRoutes.ts",
    interfaces: { "": "DrainOptions" },
    defaults: HealthRoutes.drainDefaults,
    resolve: HealthRoutes.resolveDrain,
    config: HealthRoutes.DrainConfig,
    describe: HealthRoutes.describeDrain,
    examples: [{ drainFor: 0 }, { drainFor: "10 seconds" }],
    refused: [
      [{ drainFor: -1 }, "drainFor", negative],
      [{ drainFor: "soon" }, "drainFor", negative]
    ]
  }),
  contract<Health.WaitOptions>({
    name: "Health.waitUntilHealthy",
    module: "Health",
    file: "src/health/internal/HealthService.ts",
    interfaces: { "": "WaitOptions" },
    defaults: Health.waitDefaults,
    resolve: (options = {}) => resolveWait(options),
    examples: [],
    refused: [
      [{ interval: 0 }, "interval", notPositive],
      [{ timeout: "soon" }, "timeout", notPositive],
      [{ atLeast: "unhealthy" }, "atLeast", "healthy or degraded"]
    ]
  })
]
