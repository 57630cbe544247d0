/**
 * Policies from configuration: from JSON, and from the environment through
 * Effect's `Config`. A mistake is found when the configuration is read, and its
 * error has the path.
 */
import { CircuitBreaker, Health, Options, Policy, Retry, TripPolicy } from "effect-resilience"
import { Config, ConfigProvider, Effect, Schema } from "effect"
import assert from "node:assert/strict"

const json = `{
  "deadline": "10 seconds",
  "retry": {
    "maxAttempts": 4,
    "while": ["Unavailable", "TimeoutExceededError"],
    "backoff": { "type": "exponential", "initial": "50 millis", "max": "2 seconds", "jitter": "equal" }
  },
  "breaker": {
    "name": "payments",
    "options": {
      "trip": { "type": "failures", "count": 3, "of": 10 },
      "openFor": "20 seconds",
      "halfOpen": { "probes": 2, "successes": { "count": 2, "of": 3 } },
      "ignore": "NotFound"
    }
  },
  "attemptTimeout": "2 seconds"
}`

const fromJson = Effect.gen(function* () {
  const config = yield* Schema.decodeEffect(Schema.fromJsonString(Policy.Config))(json)
  const policy = yield* Policy.fromConfig(config)
  console.log(Policy.describe(policy))
  assert.deepEqual(
    policy.layers.map(({ kind }) => kind),
    ["deadline", "retry", "circuit breaker", "attempt timeout"]
  )
  assert.deepEqual(Policy.describe(policy, "json").warnings, [])
  return yield* Effect.succeed("charged").pipe(policy)
})
assert.equal(await Effect.runPromise(Effect.scoped(fromJson)), "charged")

// The error of a mistake has its path and the rule.
const mistakes = [
  `{ "retry": { "maxAttempts": 0 } }`,
  `{ "breaker": { "name": "payments", "options": { "halfOpen": { "successes": { "count": 4, "of": 3 } } } } }`,
  `{ "breaker": { "name": "payments", "options": { "openFor": "soon" } } }`,
  `{ "timeout": "2 seconds" }`
]
for (const mistake of mistakes) {
  const error = await Effect.runPromise(Effect.flip(Schema.decodeEffect(Schema.fromJsonString(Policy.Config))(mistake)))
  console.log(`\n${mistake}\n  ${error.message.replaceAll("\n", "\n  ")}`)
  assert.ok(error.message.includes("at ["))
}

// The environment: one variable for each option, or JSON in one variable.
const environment = ConfigProvider.layer(
  Options.constantCase(
    ConfigProvider.fromEnv({
      env: {
        PAYMENTS_DEADLINE: "10 seconds",
        PAYMENTS_RETRY_MAX_ATTEMPTS: "2",
        PAYMENTS_RETRY_BACKOFF_TYPE: "exponential",
        PAYMENTS_RETRY_BACKOFF_INITIAL: "50 millis",
        PAYMENTS_RETRY_WHILE_0: "Unavailable",
        PAYMENTS_RETRY_WHILE_1: "TimeoutExceededError",
        PAYMENTS_BREAKER_NAME: "payments",
        PAYMENTS_BREAKER_OPTIONS_OPEN_FOR: "20 seconds",
        PAYMENTS_BREAKER_OPTIONS_HALF_OPEN_SUCCESSES_COUNT: "2",
        PAYMENTS_BREAKER_OPTIONS_HALF_OPEN_SUCCESSES_OF: "3",
        PAYMENTS_ATTEMPT_TIMEOUT: "750 millis",
        SEARCH_BREAKER_TRIP_TYPE: "any",
        SEARCH_BREAKER_TRIP_POLICIES_0_TYPE: "consecutive",
        SEARCH_BREAKER_TRIP_POLICIES_1_TYPE: "slowCalls",
        SEARCH_BREAKER_TRIP_POLICIES_1_AFTER: "2 seconds",
        SEARCH_RETRY: `{ "maxAttempts": 5, "maxElapsed": "3 seconds" }`,
        HEALTH_VERSION: "1.4.0",
        HEALTH_TTL: "1 second",
        MISTAKE_BREAKER_HALF_OPEN_PROBES: "none"
      }
    })
  )
)

const fromEnvironment = Effect.gen(function* () {
  const policy = yield* Policy.fromConfig(yield* Config.schema(Policy.Config, "PAYMENTS"))
  console.log(`\n${Policy.describe(policy)}`)
  assert.deepEqual(
    policy.layers.map(({ kind, parameters }) => [kind, parameters["after"] ?? parameters["maxAttempts"]]),
    [
      ["deadline", 10_000],
      ["retry", 2],
      ["circuit breaker", undefined],
      ["attempt timeout", 750]
    ]
  )

  // Each module has a schema, which decodes the options that its constructors take.
  const breaker = yield* Config.schema(CircuitBreaker.Config, "SEARCH_BREAKER")
  assert.deepEqual(breaker.trip, TripPolicy.any(TripPolicy.consecutive(), TripPolicy.slowCalls({ after: "2 seconds" })))
  const retry = yield* Config.schema(Schema.fromJsonString(Retry.Config), "SEARCH_RETRY")
  assert.equal(Retry.describe(retry).maxElapsed, 3_000)
  const health = yield* Config.schema(Health.Config, "HEALTH")
  assert.equal(health.version, "1.4.0")
  const absent = yield* Config.schema(Retry.Config, "HEALTH_RETRY").pipe(Config.withDefault({}))
  assert.equal(Retry.describe(absent).maxAttempts, 3)

  const mistake = yield* Effect.flip(Config.schema(CircuitBreaker.Config, "MISTAKE_BREAKER"))
  console.log(`\nMISTAKE_BREAKER_HALF_OPEN_PROBES=none\n  ${mistake.cause.message.replaceAll("\n", "\n  ")}`)
  assert.equal(mistake.cause.message, `Expected number\n  at ["MISTAKE_BREAKER"]["halfOpen"]["probes"]`)
})
await Effect.runPromise(fromEnvironment.pipe(Effect.scoped, Effect.provide(environment)))
