import * as TripPolicy from "../../../src/circuit/TripPolicy.ts"
import * as CircuitBreaker from "../../../src/breaker/CircuitBreaker.ts"
import * as Backoff from "../../../src/policies/Backoff.ts"
import { contract } from "../contract.ts"

const { failures: _, ...shareDefaults } = TripPolicy.defaults

export const contracts = [
  contract<CircuitBreaker.Options>({
    name: "CircuitBreaker",
    file: "src/breaker/internal/BreakerOptions.ts",
    interfaces: { "": "Options", halfOpen: "HalfOpenOptions", keys: "KeysOptions" },
    defaults: CircuitBreaker.defaults,
    resolve: CircuitBreaker.resolve,
    config: CircuitBreaker.Config,
    describe: CircuitBreaker.describe,
    examples: [
      { trip: TripPolicy.any(TripPolicy.rate(), TripPolicy.consecutive(3)), openFor: "2 hours", dryRun: true },
      { openFor: Backoff.exponential({ initial: "1 second", max: "1 minute" }), log: false, ignore: "NotFound" },
      { halfOpen: { probes: 2, successes: { ratio: 0.5, of: 3 }, pace: "2 seconds" }, failureIf: ["A", "B"] },
      { keys: { max: 5, idleFor: "1 minute" }, maxOpenFor: "1 minute" }
    ],
    refused: [
      [{ openFor: 0 }, "openFor", "a finite duration > 0"],
      [{ openFor: "2 seconds", maxOpenFor: "1 second" }, "openFor", "at most maxOpenFor (1000 ms)"],
      [{ halfOpen: { probes: 0 } }, "halfOpen.probes", "an integer >= 1"],
      [{ halfOpen: { successes: { ratio: 2, of: 3 } } }, "halfOpen.successes.ratio", "a ratio in (0, 1]"],
      [{ halfOpen: { leaseFor: Number.NaN } }, "halfOpen.leaseFor", "a finite duration > 0"],
      [{ dryRun: "yes" }, "dryRun", "true or false"],
      [{ log: 1 }, "log", "true or false"],
      [{ halfOpen: 2 }, "halfOpen", "an object"],
      [{ halfOpen: null }, "halfOpen", "an object"],
      [{ keys: [] }, "keys", "an object"],
      [{ keys: { max: 0 } }, "keys.max", "an integer >= 1"],
      [{ keys: { idleFor: 0 } }, "keys.idleFor", "a finite duration > 0"]
    ]
  }),
  contract<TripPolicy.ShareOptions>({
    name: "TripPolicy.rate",
    module: "TripPolicy",
    file: "src/circuit/TripPolicy.ts",
    interfaces: { "": "ShareOptions" },
    defaults: shareDefaults,
    resolve: TripPolicy.rate,
    describe: (options) => TripPolicy.describe(TripPolicy.rate(options)),
    examples: [{ ratio: 0.2, within: "10 seconds", minimumCalls: 3 }],
    refused: [
      [{ ratio: 0 }, "ratio", "a ratio in (0, 1]"],
      [{ within: 0 }, "within", "a finite duration > 0"],
      [{ minimumCalls: 0 }, "minimumCalls", "an integer >= 1"]
    ]
  }),
  contract<Parameters<typeof TripPolicy.slowCalls>[0]>({
    name: "TripPolicy.slowCalls",
    module: "TripPolicy",
    file: "src/circuit/TripPolicy.ts",
    interfaces: { "": "ShareOptions" },
    defaults: shareDefaults,
    required: { after: "1 second" },
    resolve: (options) => TripPolicy.slowCalls(options!),
    describe: (options) => TripPolicy.describe(TripPolicy.slowCalls(options!)),
    examples: [{ after: 5, ratio: 1, within: "1 hour", minimumCalls: 1 }],
    refused: [
      [{ after: 0 }, "after", "a finite duration > 0"],
      [{ ratio: "half" }, "ratio", "a ratio in (0, 1]"],
      [{ minimumCalls: null }, "minimumCalls", "an integer >= 1"]
    ]
  })
]
