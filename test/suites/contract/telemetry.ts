import * as Telemetry from "../../../src/telemetry/Telemetry.ts"
import { contract } from "../contract.ts"

export const contracts = [
  contract<Telemetry.Options>({
    name: "Telemetry",
    file: "src/telemetry/internal/TelemetryOptions.ts",
    interfaces: { "": "Options" },
    defaults: Telemetry.defaults,
    resolve: Telemetry.resolve,
    config: Telemetry.Config,
    describe: Telemetry.describe,
    examples: [
      { latency: false, keys: { payments: 10 } },
      { buckets: [0.1, 1], spans: false, maxValues: 5 }
    ],
    refused: [
      [{ latency: "yes" }, "latency", "true or false"],
      [{ spans: 1 }, "spans", "true or false"],
      [{ maxValues: 0 }, "maxValues", "an integer >= 1"],
      [{ keys: { payments: 0.5 } }, "keys.payments", "an integer >= 1"],
      [{ keys: ["payments"] }, "keys", "an object"],
      [{ keys: "payments" }, "keys", "an object"],
      [{ buckets: [] }, "buckets", "at least one number"],
      [{ buckets: 5 }, "buckets", "at least one number"],
      [{ buckets: [0] }, "buckets.0", "a finite number > 0"],
      [{ buckets: [1, 1] }, "buckets.1", "a finite number > 1"]
    ]
  })
]
