import { Effect } from "effect"
import * as Policy from "../../../src/compose/Policy.ts"
import * as Backoff from "../../../src/policies/Backoff.ts"
import * as Fallback from "../../../src/policies/Fallback.ts"
import * as Retry from "../../../src/policies/Retry.ts"
import * as Timeout from "../../../src/policies/Timeout.ts"
import { contract } from "../contract.ts"

const duration = "a finite duration > 0"

const backoff = {
  module: "Backoff",
  file: "src/policies/Backoff.ts",
  config: Backoff.Config,
  // Rows with `required` always give options.
  resolve: (options?: Backoff.Input) => Backoff.resolve(options!),
  describe: (options?: Backoff.Input) => Backoff.describe(options!)
}
const jitters = `"none", "full", "equal" or a ratio ("decorrelated" grows from the delay before it, so it is for exponential only)`
const { name: _, ...fallbackDefaults } = Fallback.defaults

export const contracts = [
  contract<Backoff.Input>({
    ...backoff,
    name: "Backoff.exponential",
    interfaces: { "": "ExponentialOptions" },
    defaults: Backoff.defaults.exponential,
    required: { type: "exponential" },
    examples: [
      { type: "exponential", initial: "1 second", max: "1 hour", factor: 1.5, jitter: Backoff.ratio(0.1) },
      { type: "exponential", jitter: "decorrelated" }
    ],
    refused: [
      [{ initial: 0 } as {}, "initial", duration],
      [{ factor: 0.5 } as {}, "factor", "a finite number >= 1"],
      [{ increment: 1 } as {}, "increment", "absent (the keys are initial, factor, max, jitter)"]
    ]
  }),
  contract<Backoff.Input>({
    ...backoff,
    name: "Backoff.linear",
    interfaces: { "": "LinearOptions" },
    defaults: Backoff.defaults.linear,
    required: { type: "linear" },
    examples: [{ type: "linear", initial: 0, increment: "1 second" }],
    refused: [
      [{ increment: 0 } as {}, "increment", duration],
      [{ jitter: "decorrelated" }, "jitter", jitters]
    ]
  }),
  contract<Backoff.Input>({
    ...backoff,
    name: "Backoff.fibonacci",
    interfaces: { "": "FibonacciOptions" },
    defaults: Backoff.defaults.fibonacci,
    required: { type: "fibonacci" },
    examples: [{ type: "fibonacci", jitter: "equal" }],
    refused: [[{ max: "soon" } as {}, "max", duration]]
  }),
  contract<Backoff.Input>({
    ...backoff,
    name: "Backoff.constant",
    interfaces: { "": "ConstantOptions" },
    defaults: Backoff.defaults.constant,
    required: { type: "constant", delay: "1 second" },
    examples: [{ type: "constant", delay: 0, jitter: "full" }],
    refused: [[{ delay: -1 } as {}, "delay", "a finite duration >= 0"]]
  }),
  contract<Retry.Options>({
    name: "Retry",
    file: "src/policies/internal/RetryOptions.ts",
    interfaces: { "": "Shared" },
    defaults: Retry.defaults,
    resolve: Retry.resolve,
    config: Retry.Config,
    describe: Retry.describe,
    examples: [
      { maxAttempts: 5, backoff: Backoff.constant("1 second"), while: ["A", "B"], retryRefusals: true },
      { maxAttempts: Infinity, maxElapsed: "1 minute", while: Retry.tags("A"), maxRetryAfter: 5 }
    ],
    refused: [
      [{ maxAttempts: 0 }, "maxAttempts", "an integer >= 1"],
      [{ backoff: 5 }, "backoff", "a Schedule"],
      [{ maxElapsed: 0 }, "maxElapsed", duration],
      [{ while: [] }, "while", "a predicate, a tag or a list of at least one tag"],
      [{ retryRefusals: "yes" }, "retryRefusals", "true or false"],
      [{ maxRetryAfter: "soon" }, "maxRetryAfter", duration],
      [{ retryAfter: 1 }, "retryAfter", "a function"],
      [{ onRetry: {} }, "onRetry", "a function"]
    ]
  }),
  contract<Timeout.Options>({
    name: "Timeout",
    file: "src/policies/Timeout.ts",
    interfaces: { "": "Options" },
    defaults: Timeout.defaults,
    required: { after: "1 second" },
    resolve: (options) => Timeout.resolve(options!),
    config: Timeout.Config,
    describe: (options) => Timeout.describe(options!),
    examples: [{ after: 5, operation: "charge" }],
    refused: [
      [{ after: 0 }, "after", duration],
      [{ operation: "" }, "operation", "a non-empty string"]
    ]
  }),
  contract<Fallback.Options | Fallback.IfOptions<string | ReadonlyArray<string>>>({
    name: "Fallback",
    file: "src/policies/internal/FallbackOptions.ts",
    interfaces: { "": "Options" },
    defaults: fallbackDefaults,
    resolve: Fallback.resolve,
    config: Fallback.Config,
    describe: Fallback.describe,
    examples: [{ if: ["A", "B"], source: "cache" }, { if: "A" }],
    refused: [
      [{ if: [] }, "if", "a predicate, a tag or a list of at least one tag"],
      [{ defects: "yes" }, "defects", "true or false"],
      [{ source: " " }, "source", "a non-empty string"]
    ]
  }),
  contract<Fallback.ChainOptions<never, unknown>>({
    name: "Fallback.chain",
    module: "Fallback",
    file: "src/policies/internal/FallbackOptions.ts",
    interfaces: { "": "ChainOptions" },
    defaults: { defects: Fallback.defaults.defects },
    resolve: (options) => Fallback.resolveChain([Fallback.source("primary", Effect.void)], options),
    describe: (options) => Fallback.describeChain([Fallback.source("primary", Effect.void)], options),
    examples: [{ if: "A" }, { defects: true }],
    refused: [
      [{ if: 1 }, "if", "a predicate, a tag or a list of at least one tag"],
      [{ defects: 0 }, "defects", "true or false"],
      [{ onFallback: "log" }, "onFallback", "a function"],
      [{ default: null }, "default", "a function"]
    ]
  }),
  // A policy is described by its layers, which `compose` puts in any order.
  contract<Policy.Config>({
    name: "Policy",
    file: "src/compose/Policy.ts",
    interfaces: { "": "Slots" },
    defaults: {},
    resolve: ({ breaker: _, ...slots } = {}) => Policy.make(slots),
    config: Policy.Config,
    examples: [],
    refused: [
      [{ deadline: 0 }, "deadline", duration],
      [{ retry: { maxAttempts: 0 } }, "retry.maxAttempts", "an integer >= 1"],
      [{ attemptTimeout: { after: -1 } }, "attemptTimeout.after", duration]
    ]
  })
]
