/**
 * Policies from configuration: from JSON, and from the environment through
 * Effect's `Config`. What is wrong is found when it is read, with its path.
 */
import { CircuitBreaker, Health, Policy, Retry } from "effect-resilience"
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

// A mistake says where it is and what is allowed.
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

// The environment: a policy as JSON in one variable, and single values beside it.
const environment = ConfigProvider.layer(
  ConfigProvider.fromEnv({
    env: {
      PAYMENTS_POLICY: `{ "deadline": "10 seconds", "retry": { "maxAttempts": 2 } }`,
      PAYMENTS_TIMEOUT: "750 millis",
      HEALTH: `{ "version": "1.4.0", "ttl": "1 second" }`
    }
  })
)

const fromEnvironment = Effect.gen(function* () {
  const config = yield* Config.schema(Schema.fromJsonString(Policy.Config), "PAYMENTS_POLICY")
  const after = yield* Config.Duration("PAYMENTS_TIMEOUT")
  // The first is outermost, so each attempt has this timeout.
  const policy = Policy.compose(yield* Policy.fromConfig(config), Policy.timeout(after))
  assert.deepEqual(
    policy.layers.map(({ kind, parameters }) => [kind, parameters["after"] ?? parameters["maxAttempts"]]),
    [
      ["deadline", 10_000],
      ["retry", 2],
      ["timeout", 750]
    ]
  )

  // One policy has a schema too, and its options are those that the constructor takes.
  const options = yield* Schema.decodeUnknownEffect(Retry.Config)({ maxAttempts: 5, maxElapsed: "3 seconds" })
  assert.equal(Retry.describe(options).maxElapsed, 3_000)
  const breaker = yield* Schema.decodeUnknownEffect(CircuitBreaker.Config)({ openFor: 5_000, dryRun: true })
  assert.equal(CircuitBreaker.resolve(breaker).dryRun, true)
  const health = yield* Config.schema(Schema.fromJsonString(Health.Config), "HEALTH")
  assert.equal(health.version, "1.4.0")
})
await Effect.runPromise(fromEnvironment.pipe(Effect.scoped, Effect.provide(environment)))
