import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Equal, Exit } from "effect"
import { inspect } from "node:util"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitOpenError from "../../src/breaker/internal/CircuitOpenError.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as Refusal from "../../src/core/Refusal.ts"
import { due, make, opened, quick, refused } from "../support/circuits.ts"

const details: CircuitOpenError.CircuitOpenDetails = {
  breaker: "api",
  key: undefined,
  state: "Open",
  since: 1_795_262_671_005,
  reason: "5 consecutive failures",
  by: undefined,
  retryAfterMillis: 250
}

describe("CircuitOpenError", () => {
  const at = "2026-11-21T12:04:31.005Z"
  const messages: ReadonlyArray<readonly [Partial<CircuitOpenError.CircuitOpenDetails>, string]> = [
    [{}, `Circuit "api" has been open since ${at}: 5 consecutive failures (next call in 250 ms)`],
    [
      { key: "tenant" },
      `Circuit "api" (tenant) has been open since ${at}: 5 consecutive failures (next call in 250 ms)`
    ],
    [{ key: "" }, `Circuit "api" ("") has been open since ${at}: 5 consecutive failures (next call in 250 ms)`],
    [{ reason: undefined, retryAfterMillis: undefined }, `Circuit "api" has been open since ${at}`],
    [{ retryAfterMillis: 0 }, `Circuit "api" has been open since ${at}: 5 consecutive failures (next call in 0 ms)`],
    [
      { state: "HalfOpen", retryAfterMillis: undefined },
      `Circuit "api" has been half-open since ${at} and its probes are taken: 5 consecutive failures`
    ],
    [
      { state: "HalfOpen" },
      `Circuit "api" has been half-open since ${at} and waits before the next probe: 5 consecutive failures (next call in 250 ms)`
    ],
    [
      { state: "HeldOpen", reason: undefined, retryAfterMillis: undefined },
      `Circuit "api" has been held open since ${at}`
    ],
    [
      { state: "HeldOpen", by: "ada", reason: "maintenance" },
      `Circuit "api" has been held open by ada since ${at}: maintenance (next call in 250 ms)`
    ],
    [
      { since: 0 },
      `Circuit "api" has been open since 1970-01-01T00:00:00.000Z: 5 consecutive failures (next call in 250 ms)`
    ],
    ...[Number.NaN, Infinity, -Infinity, 8.64e15 + 1].map(
      (since) => [{ since }, `Circuit "api" is open: 5 consecutive failures (next call in 250 ms)`] as const
    ),
    [
      { state: "HalfOpen", since: Infinity, retryAfterMillis: undefined },
      `Circuit "api" is half-open and its probes are taken: 5 consecutive failures`
    ],
    [
      { state: "HeldOpen", since: Infinity, by: "ada", reason: "maintenance" },
      `Circuit "api" is held open by ada: maintenance (next call in 250 ms)`
    ]
  ]
  for (const [partial, message] of messages) {
    it(`${message} [since ${partial.since ?? at}]`, () => {
      assert.strictEqual(new CircuitOpenError.CircuitOpenError({ ...details, ...partial }).message, message)
    })
  }

  it("is one line of text, whatever a key, an author and a reason hold", () => {
    const { message } = new CircuitOpenError.CircuitOpenError({
      ...details,
      key: "a\nb",
      by: "ada\u2028",
      reason: "\u001b[31m\r\nlevel=ERROR é \u{1f600} \u202e\u{e0041}\ud800",
      retryAfterMillis: undefined
    })
    assert.strictEqual(
      message,
      `Circuit "api" ("a\\u000ab") has been open by "ada\\u2028" since ${at}: ` +
        String.raw`\u001b[31m\u000d\u000alevel=ERROR é 😀 \u202e\udb40\udc41\ud800`
    )
  })

  it("derives when it opened and how long to wait", () => {
    const error = (partial: Partial<CircuitOpenError.CircuitOpenDetails>) =>
      new CircuitOpenError.CircuitOpenError({ ...details, ...partial })
    assert.deepStrictEqual([error({}).openedAt, error({}).retryAfter], [details.since, Duration.millis(250)])
    assert.deepStrictEqual(error({ retryAfterMillis: 0 }).retryAfter, Duration.zero)
    assert.isUndefined(error({ retryAfterMillis: undefined }).retryAfter)
    assert.strictEqual(error({ state: "HeldOpen" }).openedAt, details.since)
    assert.isUndefined(error({ state: "HalfOpen" }).openedAt)
  })

  it.effect("as a circuit makes it is as a constructor makes it, but for its stack", () =>
    Effect.gen(function* () {
      const { succeed } = yield* opened()
      const made = refused(yield* succeed)
      const constructed = new CircuitOpenError.CircuitOpenError({
        ...details,
        since: 0,
        reason: "1 consecutive failure",
        retryAfterMillis: 10_000
      })
      assert.deepStrictEqual({ ...made }, { ...constructed })
      assert.instanceOf(made, CircuitOpenError.CircuitOpenError)
      assert.instanceOf(made, CircuitBreaker.CircuitOpenError)
      assert.instanceOf(made, Error)
      assert.strictEqual(made.name, "CircuitOpenError")
      assert.strictEqual(made.message, constructed.message)
      assert.strictEqual(String(made), String(constructed))
      assert.isTrue(Refusal.isRefusal(made) && Refusal.isRefusal(constructed))
      assert.strictEqual(made[Refusal.TypeId], Refusal.TypeId)
      assert.isTrue(Equal.equals(made, made))
      assert.isUndefined(made.stack)
    })
  )

  it.effect("can be printed, logged, written as JSON and thrown", () =>
    Effect.gen(function* () {
      const { exit, succeed } = yield* opened()
      const error = refused(yield* succeed)
      assert.include(inspect(error), "CircuitOpenError")
      assert.include(Cause.pretty(Cause.fail(error)), error.message)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(error)), {
        _tag: "CircuitOpenError",
        breaker: "api",
        state: "Open",
        since: 0,
        reason: "1 consecutive failure",
        retryAfterMillis: 10_000
      })
      const thrown = yield* Effect.promise(() =>
        Effect.runPromise(Effect.fail(error)).then(
          () => assert.fail("it did not reject"),
          (rejected: unknown) => rejected
        )
      )
      assert.include(String(thrown), error.message)
      // An error of this kind is an effect that fails with itself.
      assert.deepStrictEqual(yield* Effect.exit(error), Exit.fail(error))
      // And what another call fails with may be one.
      assert.strictEqual(refused(yield* exit(Effect.void)).breaker, "api")
    })
  )
})

describe("what a breaker of a fleet of services is asked", () => {
  it.effect("a circuit reports how many calls are under way", () =>
    Effect.gen(function* () {
      const { begin, breaker } = yield* make(quick)
      const calls = [yield* begin, yield* begin, yield* begin]
      assert.strictEqual(breaker.main.inFlight, 3)
      for (const [i, call] of calls.entries()) {
        yield* i === 0 ? call.end(Exit.succeed(1)) : i === 1 ? call.end(Exit.fail("boom")) : call.interrupt
        assert.strictEqual(breaker.main.inFlight, 2 - i)
      }
    })
  )

  it.effect("admit and record are the two steps of a call", () =>
    Effect.gen(function* () {
      const { breaker, state } = yield* due()
      const clock = yield* Clock.Clock
      const admit = Effect.uninterruptibleMask((restore) => breaker.main.admit(clock, restore))
      const admission = yield* admit
      assert.deepStrictEqual<object>(admission, { generation: 2, permit: 1, start: 10_000 })
      const refusal = yield* admit
      assert.isTrue(refusal instanceof CircuitBreaker.CircuitOpenError && refusal.state === "HalfOpen")
      if (admission instanceof CircuitBreaker.CircuitOpenError) return
      yield* breaker.main.record(Outcome.success, Cause.empty, admission) ?? Effect.void
      assert.strictEqual(yield* state, "Closed")
    })
  )
})
