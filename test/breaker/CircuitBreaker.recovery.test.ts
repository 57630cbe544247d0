import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Duration, Effect, Exit, Schedule } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, due, make, quick, refused } from "../support/circuits.ts"

class Busy extends Data.TaggedError("Busy")<{ readonly retryAfter: unknown }> {}

describe("how long a circuit stays open", () => {
  const openMillis = (status: CircuitBreaker.Status) =>
    status.state._tag === "Open" ? status.state.openMillis : assert.fail(`it is ${status.state._tag}`)

  /** Opens a circuit again and again by failed probes, and returns for how long each time. */
  const openings = (options: CircuitBreaker.Options, times: number) =>
    Effect.gen(function* () {
      const { fail, status } = yield* make({ ...quick, ...options })
      const millis: Array<number> = []
      for (let i = 0; i < times; i++) {
        yield* fail
        millis.push(openMillis(yield* status))
        yield* TestClock.adjust(millis[i]!) // just pushed
      }
      return millis
    })

  both("a duration: always the same", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* openings({ openFor: "3 seconds" }, 4), [3_000, 3_000, 3_000, 3_000])
    })
  )

  it.effect("the default is 30 seconds", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* openings({ openFor: undefined }, 1), [30_000])
    })
  )

  both("a backoff: its n-th delay for the n-th opening", () =>
    Effect.gen(function* () {
      const openFor = Backoff.exponential({ initial: "1 second", max: "5 seconds", jitter: "none" })
      assert.deepStrictEqual(yield* openings({ openFor }, 5), [1_000, 2_000, 4_000, 5_000, 5_000])
    })
  )

  both("a schedule that ends: its last delay continues", () =>
    Effect.gen(function* () {
      const openFor = Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
      assert.deepStrictEqual(yield* openings({ openFor }, 5), [1_000, 2_000, 4_000, 4_000, 4_000])
    })
  )

  both("a schedule that looks at elapsed time sees the time spent open", () =>
    Effect.gen(function* () {
      const openFor = Schedule.spaced("4 seconds").pipe(
        Schedule.modifyDelay(({ duration, elapsed }) =>
          Effect.succeed(Duration.millis(Duration.toMillis(duration) + elapsed))
        )
      )
      assert.deepStrictEqual(yield* openings({ openFor }, 3), [4_000, 8_000, 16_000])
    })
  )

  both("maxOpenFor bounds a schedule, also one without end", () =>
    Effect.gen(function* () {
      const openFor = Schedule.exponential("1 second")
      assert.deepStrictEqual(yield* openings({ openFor, maxOpenFor: "3 seconds" }, 4), [1_000, 2_000, 3_000, 3_000])
      const forever = Schedule.spaced(Duration.infinity)
      assert.deepStrictEqual(yield* openings({ openFor: forever, maxOpenFor: "3 seconds" }, 2), [3_000, 3_000])
      assert.deepStrictEqual(yield* openings({ openFor: Schedule.spaced("2 hours") }, 1), [3_600_000])
    })
  )

  both("the count begins again once it stayed closed as long as it was last open", () =>
    Effect.gen(function* () {
      for (const [closedFor, next] of [
        [1_999, 4_000],
        [2_000, 1_000]
      ] as const) {
        const { fail, status, succeed } = yield* make({
          ...quick,
          openFor: Backoff.exponential({ initial: "1 second", jitter: "none" })
        })
        yield* fail
        yield* TestClock.adjust("1 second")
        yield* fail
        assert.strictEqual(openMillis(yield* status), 2_000)
        yield* TestClock.adjust("2 seconds")
        yield* succeed
        yield* TestClock.adjust(closedFor)
        yield* fail
        assert.strictEqual(openMillis(yield* status), next)
      }
    })
  )

  both("release and reset begin the count again", () =>
    Effect.gen(function* () {
      const { breaker, fail, status } = yield* make({
        ...quick,
        openFor: Backoff.exponential({ initial: "1 second", jitter: "none" })
      })
      yield* fail
      yield* TestClock.adjust("1 second")
      yield* fail
      assert.strictEqual(openMillis(yield* status), 2_000)
      yield* CircuitBreaker.reset(breaker)
      yield* fail
      assert.strictEqual(openMillis(yield* status), 1_000)
      yield* TestClock.adjust("1 second")
      yield* fail
      yield* CircuitBreaker.holdOpen(breaker)
      yield* CircuitBreaker.release(breaker)
      yield* fail
      assert.strictEqual(openMillis(yield* status), 1_000)
    })
  )

  const hints: ReadonlyArray<[string, CircuitBreaker.Options, unknown, number]> = [
    ["lengthens it", {}, Duration.seconds(25), 25_000],
    ["cannot shorten it", {}, Duration.seconds(1), 10_000],
    ["of zero is none", {}, Duration.zero, 10_000],
    ["that is negative is none", {}, Duration.seconds(-5), 10_000],
    ["that is infinite is none", {}, Duration.infinity, 10_000],
    ["as text lengthens it", {}, "25 seconds", 25_000],
    ["in milliseconds lengthens it", {}, 25_000, 25_000],
    ["that is no duration is none", {}, "soon", 10_000],
    ["that the options read replaces the property", { retryAfter: () => "15 seconds" }, "25 seconds", 15_000],
    ["that the options read and find none", { retryAfter: () => undefined }, "25 seconds", 10_000],
    ["is bounded by maxOpenFor", { maxOpenFor: "20 seconds" }, Duration.seconds(25), 20_000],
    ["is bounded by an hour", {}, Duration.hours(5), 3_600_000],
    ["is bounded by openFor where that is longer than an hour", { openFor: "2 hours" }, Duration.hours(5), 7_200_000],
    ["lengthens the delay of a schedule", { openFor: Schedule.spaced("1 second") }, Duration.seconds(25), 25_000]
  ]
  for (const [name, options, retryAfter, millis] of hints) {
    both(`a retryAfter hint ${name}`, () =>
      Effect.gen(function* () {
        const { exit, status } = yield* make({ ...quick, ...options })
        yield* exit(Effect.fail(new Busy({ retryAfter })))
        assert.strictEqual(openMillis(yield* status), millis)
        // A probe that fails may give a hint as well.
        yield* TestClock.adjust(millis)
        yield* exit(Effect.fail(new Busy({ retryAfter })))
        assert.strictEqual(openMillis(yield* status), millis)
      })
    )
  }

  both("a hint may be read by a function, of the breaker or of one call", () =>
    Effect.gen(function* () {
      const wait = (seconds: number) => () => Duration.seconds(seconds)
      const { breaker, fail, status } = yield* make({ ...quick, retryAfter: wait(25) })
      yield* fail
      assert.strictEqual(openMillis(yield* status), 25_000)
      yield* CircuitBreaker.reset(breaker)
      yield* caller(breaker, { retryAfter: wait(40) }).fail
      assert.strictEqual(openMillis(yield* status), 40_000)
    })
  )

  both("a predicate or a reader of hints that throws is the caller's defect, and leaks nothing", () =>
    Effect.gen(function* () {
      const bug = () => {
        throw new Error("bug")
      }
      for (const options of [{ ignore: bug }, { failureIf: bug }, { retryAfter: bug }]) {
        const { breaker, fail, status } = yield* make({ ...quick, ...options })
        assert.isTrue(Exit.hasDies(yield* fail))
        yield* caller(breaker, options).fail
        const { counts, inFlight, state } = yield* status
        assert.deepStrictEqual([counts.ignored, inFlight, state._tag], [2, 0, "Closed"])
      }
    })
  )

  both("a hint of a failure that opens nothing is forgotten", () =>
    Effect.gen(function* () {
      const { exit, fail, status } = yield* make({ ...quick, trip: TripPolicy.consecutive(2) })
      yield* exit(Effect.fail(new Busy({ retryAfter: Duration.seconds(25) })))
      yield* fail
      assert.strictEqual(openMillis(yield* status), 10_000)
    })
  )

  both("a hint that the options of a call read", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      const call = Effect.fail({ seconds: 25, retryAfter: "40 seconds" })
      const retryAfter = ({ seconds }: { readonly seconds: number }) => Duration.seconds(seconds)
      yield* Effect.exit(CircuitBreaker.protect(call, breaker, { retryAfter }))
      assert.strictEqual(openMillis(yield* status), 25_000)
    })
  )

  both("a retryAfter that throws is the caller's defect, and the call counts as ignored", () =>
    Effect.gen(function* () {
      const retryAfter = () => {
        throw new Error("a mistake")
      }
      const { breaker, exit } = yield* make({ ...quick, retryAfter })
      const ended = yield* exit(Effect.fail("unavailable"))
      assert.isTrue(Exit.isFailure(ended) && Cause.hasDies(ended.cause))
      const { counts, inFlight, state } = yield* breaker.status
      assert.deepStrictEqual([state._tag, counts.ignored, inFlight], ["Closed", 1, 0])
    })
  )

  both("a hint of classify, in any form of a duration", () =>
    Effect.gen(function* () {
      const { succeed, status } = yield* make({
        ...quick,
        classify: () => Outcome.failure({ retryAfter: "25 seconds" })
      })
      yield* succeed
      assert.strictEqual(openMillis(yield* status), 25_000)
    })
  )

  both("a hint of classify that is none leaves the call's own error, and opens for openFor", () =>
    Effect.gen(function* () {
      for (const retryAfter of [-1, Infinity, Number.NaN]) {
        const { fail, status } = yield* make({ ...quick, classify: () => Outcome.failure({ retryAfter }) })
        assert.deepStrictEqual(yield* fail, Exit.fail("boom"))
        assert.strictEqual(openMillis(yield* status), 10_000)
      }
    })
  )

  both("an open circuit tells how many failures opened it", () =>
    Effect.gen(function* () {
      const { fail, fails, status, succeed } = yield* make({
        trip: TripPolicy.failures({ count: 2, of: 10 }),
        openFor: "10 seconds",
        log: false
      })
      yield* fail
      yield* succeed
      yield* fail
      const { state } = yield* status
      assert.strictEqual(state._tag === "Open" && state.failures, 2)
      yield* TestClock.adjust("10 seconds")
      yield* fails(1)
      const { state: again } = yield* status
      assert.strictEqual(again._tag === "Open" && again.failures, 1)
    })
  )
})

describe("a half-open circuit", () => {
  both("closes with the first success, by default", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due()
      const probe = yield* begin
      assert.strictEqual(yield* state, "HalfOpen")
      const error = refused(yield* succeed)
      assert.deepStrictEqual([error.state, error.retryAfter, error.openedAt], ["HalfOpen", undefined, undefined])
      assert.strictEqual(
        error.message,
        `Circuit "api" has been half-open since 1970-01-01T00:00:10.000Z and its probes are taken: 1 consecutive failure`
      )
      assert.deepStrictEqual(yield* probe.end(Exit.succeed(1)), Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("opens again with a failure, and says so", () =>
    Effect.gen(function* () {
      const { fail, status, succeed } = yield* due()
      yield* fail
      const { state } = yield* status
      assert.isTrue(state._tag === "Open" && state.since === 10_000 && state.openings === 2)
      assert.deepInclude(state, { reason: "a failed probe", cause: "boom" })
      assert.strictEqual(refused(yield* succeed).reason, "a failed probe")
    })
  )

  both("opens again with a defect", () =>
    Effect.gen(function* () {
      const { die, state } = yield* due()
      yield* die
      assert.strictEqual(yield* state, "Open")
    })
  )

  both("needs as many successes as it is told, one after the other with one probe", () =>
    Effect.gen(function* () {
      const { state, succeed } = yield* due({ halfOpen: { successes: 3 } })
      for (const expected of ["HalfOpen", "HalfOpen", "Closed"]) {
        assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
        assert.strictEqual(yield* state, expected)
      }
    })
  )

  both("one failure among them opens it again", () =>
    Effect.gen(function* () {
      const { fail, state, succeed, status } = yield* due({ halfOpen: { successes: 3 } })
      yield* succeed
      yield* succeed
      yield* fail
      assert.strictEqual(yield* state, "Open")
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      yield* succeed
      // The successes of before do not count.
      const { state: half } = yield* status
      assert.isTrue(half._tag === "HalfOpen" && half.successes === 2)
    })
  )

  both("admits as many calls at a time as there are probes", () =>
    Effect.gen(function* () {
      const { begin, state, status, succeed } = yield* due({ halfOpen: { probes: 3, successes: 3 } })
      const calls = [yield* begin, yield* begin, yield* begin]
      assert.deepStrictEqual(
        calls.map((call) => call.refused),
        [undefined, undefined, undefined]
      )
      assertRefused(yield* succeed)
      assert.strictEqual((yield* status).inFlight, 3)
      for (const call of calls) yield* call.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("three probes at a time of which two must succeed, 30 seconds after five failures", () =>
    Effect.gen(function* () {
      const { begin, fails, state, succeed } = yield* make({
        trip: TripPolicy.consecutive(5),
        openFor: "30 seconds",
        halfOpen: { probes: 3, successes: 2 },
        log: false
      })
      yield* fails(5)
      yield* TestClock.adjust("30 seconds")
      const calls = [yield* begin, yield* begin, yield* begin]
      assertRefused(yield* succeed)
      yield* calls[2]!.end(Exit.succeed(1)) // there are three
      assert.strictEqual(yield* state, "HalfOpen")
      yield* calls[0]!.end(Exit.succeed(1)) // there are three
      assert.strictEqual(yield* state, "Closed")
      // What the third says comes too late.
      yield* calls[1]!.end(Exit.fail("boom")) // there are three
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("success limit k of n: closes with k successes among n probes, whatever failed between", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 2, of: 4 } } })
      for (const call of [fail, succeed, fail]) {
        yield* call
        assert.strictEqual(yield* state, "HalfOpen")
      }
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("success limit k of n: opens as soon as k can no longer be reached", () =>
    Effect.gen(function* () {
      const { fail, state, succeed } = yield* due({ halfOpen: { successes: { count: 3, of: 4 } } })
      yield* fail
      yield* succeed
      assert.strictEqual(yield* state, "HalfOpen")
      yield* fail
      assert.strictEqual(yield* state, "Open")
    })
  )

  const ratios: ReadonlyArray<[ratio: number, of: number, needed: number]> = [
    [1, 3, 3],
    [0.5, 4, 2],
    [0.5, 5, 3],
    [0.07, 100, 7],
    [0.1, 3, 1],
    [1e-9, 3, 1],
    [0.29, 100, 29],
    [2 / 3, 3, 2],
    [0.6, 5, 3]
  ]
  for (const [ratio, of, needed] of ratios) {
    it.effect(`a success ratio of ${ratio} among ${of} is ${needed} successes`, () =>
      Effect.gen(function* () {
        const { succeed, state, fails } = yield* due({ halfOpen: { successes: { ratio, of } } })
        yield* fails(of - needed)
        for (let i = 1; i < needed; i++) yield* succeed
        assert.strictEqual(yield* state, "HalfOpen")
        yield* succeed
        assert.strictEqual(yield* state, "Closed")
      })
    )
  }

  both("an interrupted probe gives its permit back, and the next waits for the pace", () =>
    Effect.gen(function* () {
      const { begin, status, succeed } = yield* due({ halfOpen: { pace: "2 seconds" } })
      const probe = yield* begin
      yield* TestClock.adjust(500)
      assert.isTrue(Exit.hasInterrupts(yield* probe.interrupt))
      const { inFlight, state, retryAfter } = yield* status
      assert.deepStrictEqual([inFlight, state._tag, retryAfter], [0, "HalfOpen", Duration.seconds(2)])
      yield* TestClock.adjust(1_999)
      assert.strictEqual(refused(yield* succeed).retryAfterMillis, 1)
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )

  both("an ignored probe does the same", () =>
    Effect.gen(function* () {
      const { exit, state, succeed } = yield* due({ ignore: (error) => error === "not found" })
      assert.deepStrictEqual(yield* exit(Effect.fail("not found")), Exit.fail("not found"))
      assert.strictEqual(refused(yield* succeed).retryAfterMillis, 1_000)
      yield* TestClock.adjust("1 second")
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("a probe that does not settle loses its permit at the end of its lease", () =>
    Effect.gen(function* () {
      const { begin, state, succeed } = yield* due({ halfOpen: { leaseFor: "5 seconds" } })
      yield* begin
      yield* TestClock.adjust(4_999)
      assertRefused(yield* succeed)
      yield* TestClock.adjust(1)
      yield* succeed
      assert.strictEqual(yield* state, "Closed")
    })
  )

  both("a slow probe is a failed one", () =>
    Effect.gen(function* () {
      for (const end of ["success", "failure", "interruption"] as const) {
        const { begin, status } = yield* due({
          trip: TripPolicy.any(TripPolicy.consecutive(1), TripPolicy.slowCalls({ after: "1 second", minimumCalls: 99 }))
        })
        const probe = yield* begin
        yield* TestClock.adjust("1 second")
        yield* end === "interruption"
          ? probe.interrupt
          : probe.end(end === "success" ? Exit.succeed(1) : Exit.fail("boom"))
        const { state } = yield* status
        assert.deepStrictEqual(
          state._tag === "Open" && [state.reason, state.cause],
          end === "failure" ? ["a failed probe", "boom"] : ["a slow probe", undefined]
        )
      }
    })
  )

  both("a probe that is not slow closes it, where slow calls count", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* due({
        trip: TripPolicy.any(TripPolicy.consecutive(1), TripPolicy.slowCalls({ after: "1 second", minimumCalls: 99 }))
      })
      const probe = yield* begin
      yield* TestClock.adjust(999)
      yield* probe.end(Exit.succeed(1))
      assert.strictEqual(yield* state, "Closed")
    })
  )
})
