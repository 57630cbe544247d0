import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { invalid } from "../suites/rules.ts"
import { everySecond, makeBreaker, hangs, fails, settle, errorOf, now } from "./calls.ts"

describe("compose", () => {
  const kinds = (policy: Policy.Any) => policy.layers.map(({ kind }) => kind)

  it("puts the first outermost", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const policy = Policy.compose(
      Policy.circuitBreaker(breaker),
      Policy.retry(),
      Policy.timeout("1 second"),
      Policy.fallback(() => Effect.void)
    )
    assert.deepStrictEqual(kinds(policy), ["circuit breaker", "retry", "timeout", "fallback"])
  })

  it("of none is identity, and of one does what that does", () => {
    const effect = Effect.succeed(1)
    assert.strictEqual(Policy.compose()(effect), effect)
    const policy = Policy.make({ deadline: "1 second", retry: {} })
    assert.deepStrictEqual(Policy.compose(policy).layers, policy.layers)
    assert.deepStrictEqual(kinds(Policy.compose(Policy.identity, policy, Policy.identity)), ["deadline", "retry"])
  })

  it("is associative", () => {
    const [a, b, c] = [Policy.retry(), Policy.timeout("1 second"), Policy.fallback(() => Effect.void)]
    const expected = ["retry", "timeout", "fallback"]
    assert.deepStrictEqual(kinds(Policy.compose(a, b, c)), expected)
    assert.deepStrictEqual(kinds(Policy.compose(a, Policy.compose(b, c))), expected)
    assert.deepStrictEqual(kinds(Policy.compose(Policy.compose(a, b), c)), expected)
  })

  it.effect("of several policies is one policy to use in many places", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(2), openFor: "1 minute" })
      const safetyNet = Policy.compose(
        Policy.retry({ maxAttempts: 3, backoff: everySecond }),
        Policy.circuitBreaker(breaker)
      )
      const { call, calls } = fails()
      assert.instanceOf(errorOf(yield* settle(call.pipe(safetyNet))), CircuitBreaker.CircuitOpenError)
      assert.deepStrictEqual([calls(), (yield* breaker.status).state._tag], [2, "Open"])
    })
  )

  it.effect("a breaker around a retry sees one outcome for all attempts", () =>
    Effect.gen(function* () {
      const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(2) })
      const policy = Policy.compose(
        Policy.circuitBreaker(breaker),
        Policy.retry({ maxAttempts: 3, backoff: everySecond })
      )
      const { call, calls } = fails()
      yield* settle(call.pipe(policy))
      assert.deepStrictEqual([calls(), (yield* breaker.status).counts.failures], [3, 1])
    })
  )

  it.effect("a timeout around a retry is for all attempts, and one inside is for each", () =>
    Effect.gen(function* () {
      const retry = Policy.retry({ maxAttempts: 2, backoff: everySecond })
      const timeout = Policy.timeout("3 seconds")
      const [total, each] = [hangs(), hangs()]
      yield* settle(total.call.pipe(Policy.compose(timeout, retry)))
      assert.deepStrictEqual([total.calls(), yield* now], [1, 3000])
      yield* settle(each.call.pipe(Policy.compose(retry, timeout)))
      assert.deepStrictEqual([each.calls(), yield* now], [2, 10_000])
    })
  )

  it.effect("adds a layer around a policy of make", () =>
    Effect.gen(function* () {
      const inner = Policy.make({ retry: { maxAttempts: 2, backoff: everySecond } })
      const policy = Policy.compose(
        Policy.fallback(() => Effect.succeed("cached")),
        inner
      )
      const { call, calls } = fails()
      assert.deepStrictEqual(yield* settle(call.pipe(policy)), Exit.succeed("cached"))
      assert.strictEqual(calls(), 2)
    })
  )

  it.effect("an order with the fallback innermost hides every failure, and describe says so", () =>
    Effect.gen(function* () {
      const run = Effect.fnUntraced(function* (
        build: (
          breaker: CircuitBreaker.CircuitBreaker
        ) => Policy.Policy<string, CircuitBreaker.CircuitOpenError | Timeout.TimeoutExceededError, never, unknown, true>
      ) {
        const breaker = yield* makeBreaker({ trip: TripPolicy.consecutive(3), openFor: "1 minute" })
        const policy = build(breaker)
        const { call, calls } = fails()
        for (let i = 0; i < 10; i++) yield* settle(call.pipe(policy))
        const { counts, state } = yield* breaker.status
        return { calls: calls(), failures: counts.failures, state: state._tag, policy }
      })
      const retry = { maxAttempts: 3, backoff: everySecond }
      const cached = () => Effect.succeed("cached")

      const theirs = yield* run((breaker) =>
        Policy.compose(
          Policy.circuitBreaker(breaker),
          Policy.retry(retry),
          Policy.timeout("1 second"),
          Policy.fallback(cached)
        )
      )
      // Ten calls that fail go to the dependency, and nobody notices.
      assert.deepInclude(theirs, { calls: 10, failures: 0, state: "Closed" })
      assert.include(
        Policy.describe(theirs.policy),
        "warning: the fallback inside the retry and the circuit breaker hides every failure from them"
      )

      const ours = yield* run((breaker) =>
        Policy.make({ fallback: cached, retry, breaker, attemptTimeout: "1 second" })
      )
      assert.deepInclude(ours, { calls: 3, failures: 3, state: "Open" })
      assert.notInclude(Policy.describe(ours.policy), "warning")
    })
  )

  describe("refuses the same layer twice", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const other = CircuitBreaker.makeUnsafe("api")
    class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
    const answer = () => Effect.void
    const isA = (error: unknown) => error === "a"
    const spaced = Schedule.spaced(1)
    const timeout = Policy.timeout("1 second")

    const refused: ReadonlyArray<[name: string, kind: string, a: Policy.Any, b: Policy.Any]> = [
      ["a policy", "timeout", timeout, timeout],
      ["equal timeouts", "timeout", timeout, Policy.timeout({ after: 1000 })],
      ["equal deadlines", "deadline", Policy.make({ deadline: 1 }), Policy.make({ deadline: { milliseconds: 1 } })],
      ["retries without options", "retry", Policy.retry(), Policy.retry({})],
      ["equal retries", "retry", Policy.retry({ while: "A" }), Policy.retry({ while: ["A"], maxAttempts: 3 })],
      [
        "retries with equal backoffs",
        "retry",
        Policy.retry({ backoff: Backoff.constant(5) }),
        Policy.retry({ backoff: Backoff.constant(5) })
      ],
      ["retries with one predicate", "retry", Policy.retry({ while: isA }), Policy.retry({ while: isA })],
      ["retries with one schedule", "retry", Policy.retry({ backoff: spaced }), Policy.retry({ backoff: spaced })],
      ["a breaker", "circuit breaker", Policy.circuitBreaker(breaker), Policy.make({ breaker })],
      ["a class", "circuit breaker", Policy.circuitBreaker(Payments), Policy.make({ breaker: { source: Payments } })],
      [
        "a circuit with other options",
        "circuit breaker",
        Policy.circuitBreaker({ source: breaker, key: "a", failureIf: "A" }),
        Policy.circuitBreaker({ source: breaker, key: "a", failureIf: isA })
      ],
      ["a fallback", "fallback", Policy.fallback(answer), Policy.fallback({ orElse: answer, source: "fallback" })]
    ]
    it.each(refused)("%s", (_, kind, a, b) => {
      const compose = () =>
        (Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => unknown)(a, Policy.identity, b)
      assert.deepStrictEqual(invalid(compose), {
        module: "Policy",
        field: "layers.1",
        value: kind,
        rule: "a layer that the policy does not have yet"
      })
    })

    const accepted: ReadonlyArray<[name: string, a: Policy.Any, b: Policy.Any]> = [
      ["two different timeouts", timeout, Policy.timeout("2 seconds")],
      ["timeouts with different operations", timeout, Policy.timeout({ after: "1 second", operation: "b" })],
      ["a timeout and a deadline", timeout, Policy.make({ deadline: "1 second" })],
      ["a deadline and an attempt timeout", Policy.make({ deadline: 1 }), Policy.make({ attemptTimeout: 1 })],
      ["retries with different options", Policy.retry(), Policy.retry({ maxAttempts: 2 })],
      ["retries with different backoffs", Policy.retry(), Policy.retry({ backoff: Backoff.constant(5) })],
      [
        "retries with different predicates",
        Policy.retry({ while: isA }),
        Policy.retry({ while: (error: unknown) => error === "a" })
      ],
      [
        "retries with different schedules",
        Policy.retry({ backoff: spaced }),
        Policy.retry({ backoff: Schedule.spaced(1) })
      ],
      [
        "retries with different functions",
        Policy.retry({ retryAfter: () => undefined }),
        Policy.retry({ retryAfter: () => undefined })
      ],
      [
        "retries with different effects",
        Policy.retry({ onRetry: answer }),
        Policy.retry({ onRetry: () => Effect.void })
      ],
      ["two breakers", Policy.circuitBreaker(breaker), Policy.circuitBreaker(other)],
      [
        "two keys",
        Policy.circuitBreaker({ source: breaker, key: "a" }),
        Policy.circuitBreaker({ source: breaker, key: "b" })
      ],
      [
        "a breaker and a key of it",
        Policy.circuitBreaker(breaker),
        Policy.circuitBreaker({ source: breaker, key: "b" })
      ],
      ["two fallbacks", Policy.fallback(answer), Policy.fallback(() => Effect.void)],
      [
        "a fallback for two tags",
        Policy.fallback({ orElse: answer, if: "A" }),
        Policy.fallback({ orElse: answer, if: "B" })
      ],
      ["identity", Policy.identity, Policy.identity]
    ]
    it.each(accepted)("but not %s", (_, a, b) => {
      const policy = (Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => Policy.Any)(a, b)
      assert.strictEqual(policy.layers.length, a.layers.length + b.layers.length)
    })
  })

  it("refuses what is no policy", () => {
    const compose = Policy.compose as (...policies: ReadonlyArray<unknown>) => unknown
    const rule = { module: "Policy", rule: "a policy" }
    assert.deepStrictEqual(
      invalid(() => compose(undefined)),
      { ...rule, field: "policies.0", value: undefined }
    )
    const plain = (effect: unknown) => effect
    assert.deepStrictEqual(
      invalid(() => compose(Policy.identity, plain)),
      { ...rule, field: "policies.1", value: plain }
    )
  })
})
