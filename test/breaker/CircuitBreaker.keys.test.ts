import { assert, describe } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, both, caller, due, make, opened, quick, refused } from "../support/circuits.ts"

describe("circuits of keys", () => {
  both("are apart from each other and from the breaker's own", () =>
    Effect.gen(function* () {
      const { breaker, state } = yield* make(quick)
      const [a, b] = [caller(breaker, { key: "a" }), caller(breaker, { key: "b" })]
      yield* a.fail
      const error = refused(yield* a.succeed)
      assert.deepStrictEqual([error.breaker, error.key], ["api", "a"])
      assert.match(error.message, /^Circuit "api" \(a\) has been open since /)
      assert.deepStrictEqual(yield* b.succeed, Exit.succeed("value"))
      assert.deepStrictEqual([yield* a.state, yield* b.state, yield* state], ["Open", "Closed", "Closed"])
    })
  )

  both("an empty key is a key", () =>
    Effect.gen(function* () {
      const { breaker, state } = yield* make(quick)
      yield* caller(breaker, { key: "" }).fail
      assert.deepStrictEqual([yield* caller(breaker, { key: "" }).state, yield* state], ["Open", "Closed"])
    })
  )

  both("a hold on one key is for that key", () =>
    Effect.gen(function* () {
      const { breaker, state } = yield* make(quick)
      const [a, b] = [caller(breaker, { key: "a" }), caller(breaker, { key: "b" })]
      yield* CircuitBreaker.holdOpen(breaker, { key: "a", reason: "abuse", by: "ada" })
      assert.strictEqual(
        refused(yield* a.succeed).message,
        `Circuit "api" (a) has been held open by ada since 1970-01-01T00:00:00.000Z: abuse`
      )
      assert.deepStrictEqual(yield* b.succeed, Exit.succeed("value"))
      assert.strictEqual(yield* state, "Closed")
      yield* CircuitBreaker.release(breaker, { key: "b" })
      assert.strictEqual(yield* a.state, "HeldOpen")
      yield* CircuitBreaker.release(breaker, { key: "a" })
      assert.strictEqual(yield* a.state, "Closed")
    })
  )

  both("a hold on the breaker is on all its keys, those that come later included, and its status says so", () =>
    Effect.gen(function* () {
      const { breaker, state } = yield* make(quick)
      const [a, b] = [caller(breaker, { key: "a" }), caller(breaker, { key: "b" })]
      yield* a.fail
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute" })
      assertRefused(yield* a.succeed)
      assertRefused(yield* b.succeed)
      const { retryAfter, state: held } = yield* b.status
      assert.deepStrictEqual([held._tag, retryAfter], ["HeldOpen", Duration.minutes(1)])
      yield* CircuitBreaker.holdClosed(breaker)
      assert.deepStrictEqual(yield* a.succeed, Exit.succeed("value"))
      assert.strictEqual(yield* a.state, "HeldClosed")
      yield* CircuitBreaker.release(breaker)
      // What a key was, it is again.
      assert.deepStrictEqual([yield* state, yield* a.state, yield* b.state], ["Closed", "Open", "Closed"])
    })
  )

  both("a call with a key that goes through the breaker's own circuit, because that is held, moves nothing there", () =>
    Effect.gen(function* () {
      const { breaker, state, status } = yield* make(quick)
      const a = caller(breaker, { key: "a" })
      for (const call of [
        a.fail,
        Effect.scoped(Effect.flatMap(CircuitBreaker.permit(breaker, { key: "a" }), (permit) => permit.fail()))
      ]) {
        yield* CircuitBreaker.holdClosed(breaker, { for: "1 minute" })
        yield* call
        yield* TestClock.adjust("1 minute")
        // The first call after the hold ends it.
        yield* call
        assert.strictEqual(yield* state, "Closed")
      }
      assert.deepStrictEqual([(yield* status).counts.failures, (yield* status).inFlight], [4, 0])
      yield* a.fail
      assert.deepStrictEqual([yield* state, yield* a.state], ["Closed", "Open"])
    })
  )

  both("reset without a key is for all circuits, release for the hold on all of them", () =>
    Effect.gen(function* () {
      const { breaker, fail, state } = yield* make(quick)
      const [a, b] = [caller(breaker, { key: "a" }), caller(breaker, { key: "b" })]
      yield* fail
      yield* a.fail
      yield* CircuitBreaker.holdOpen(breaker, { key: "b" })
      yield* CircuitBreaker.release(breaker)
      assert.deepStrictEqual([yield* state, yield* a.state, yield* b.state], ["Open", "Open", "HeldOpen"])
      yield* CircuitBreaker.reset(breaker)
      assert.deepStrictEqual([yield* state, yield* a.state, yield* b.state], ["Closed", "Closed", "Closed"])
    })
  )

  both("reset with a key is for that key", () =>
    Effect.gen(function* () {
      const { breaker, fail, state } = yield* make(quick)
      const a = caller(breaker, { key: "a" })
      yield* fail
      yield* a.fail
      yield* CircuitBreaker.reset(breaker, { key: "a" })
      assert.deepStrictEqual([yield* state, yield* a.state], ["Open", "Closed"])
    })
  )

  const keysOf = (breaker: CircuitBreaker.CircuitBreaker) =>
    Effect.map(CircuitBreaker.statuses(breaker), (all) => all.slice(1).map(({ key }) => key))

  both("beyond `max` the least recently used are forgotten", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 3 } })
      const use = (key: string) => caller(breaker, { key }).succeed
      for (const key of ["a", "b", "c", "a"]) yield* use(key)
      assert.deepStrictEqual(yield* keysOf(breaker), ["a", "b", "c"])
      yield* use("d")
      assert.deepStrictEqual(yield* keysOf(breaker), ["a", "c", "d"])
      yield* use("e")
      assert.deepStrictEqual(yield* keysOf(breaker), ["a", "d", "e"])
    })
  )

  both("a tenth of the places is freed at a time", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 20 } })
      for (let i = 0; i < 1_000; i++) {
        yield* caller(breaker, { key: `k${i}` }).succeed
        const kept = yield* keysOf(breaker)
        assert.isAtMost(kept.length, 20)
        assert.isAtLeast(kept.length, Math.min(i + 1, 18))
        assert.strictEqual(kept.at(-1), `k${i}`)
      }
    })
  )

  both("one that is open, half-open, held or in use is not forgotten, whatever the bound", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ ...quick, keys: { max: 1 } })
      const key = (key: string) => caller(breaker, { key })
      yield* key("half-open").fail
      yield* TestClock.adjust("10 seconds")
      yield* (yield* key("half-open").begin).interrupt
      yield* key("open").fail
      yield* CircuitBreaker.holdOpen(breaker, { key: "held open" })
      yield* CircuitBreaker.holdClosed(breaker, { key: "held closed" })
      const call = yield* key("in use").begin
      for (let i = 0; i < 50; i++) yield* key(`other ${i}`).succeed
      const kept = yield* keysOf(breaker)
      assert.deepStrictEqual(kept.slice(0, 5), ["half-open", "open", "held open", "held closed", "in use"])
      assert.isAtMost(kept.length, 7)
      assert.deepStrictEqual(
        [yield* key("open").state, yield* key("half-open").state, yield* key("held open").state],
        ["Open", "HalfOpen", "HeldOpen"]
      )
      yield* call.end(Exit.succeed(1))
      yield* CircuitBreaker.reset(breaker)
      for (let i = 0; i < 10; i++) yield* key(`more ${i}`).succeed
      assert.deepStrictEqual(yield* keysOf(breaker), ["more 9"])
    })
  )

  both("one whose permit is held is in use", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 1 } })
      yield* CircuitBreaker.permit(breaker, { key: "socket" })
      for (let i = 0; i < 5; i++) yield* caller(breaker, { key: `k${i}` }).succeed
      assert.strictEqual((yield* keysOf(breaker))[0], "socket")
    })
  )

  both("one that is not used for `idleFor` is forgotten when another comes", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { idleFor: "1 minute" } })
      const use = (key: string) => caller(breaker, { key }).succeed
      yield* use("a")
      yield* TestClock.adjust("1 minute")
      yield* use("b")
      yield* TestClock.adjust("1 minute")
      yield* use("c")
      assert.deepStrictEqual(yield* keysOf(breaker), ["b", "c"])
      yield* TestClock.adjust("59 seconds")
      yield* use("d")
      assert.deepStrictEqual(yield* keysOf(breaker), ["b", "c", "d"])
    })
  )

  both("one that nobody tried for `idleFor` after it might have closed is forgotten too", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({
        ...quick,
        halfOpen: { pace: "1 second" },
        keys: { max: 1, idleFor: "1 minute" }
      })
      const key = (key: string) => caller(breaker, { key })
      yield* key("half-open").fail
      yield* TestClock.adjust("10 seconds")
      yield* (yield* key("half-open").begin).interrupt
      yield* key("open").fail
      yield* CircuitBreaker.holdOpen(breaker, { key: "held", for: "5 seconds" })
      // The pace, the open time and the hold are over after 1, 10 and 5 seconds.
      const seen: Array<ReadonlyArray<string | undefined>> = []
      for (const [i, wait] of [60_999, 1, 3_999, 1, 4_999, 1].entries()) {
        yield* TestClock.adjust(wait)
        yield* key(`k${i}`).succeed
        seen.push((yield* keysOf(breaker)).slice(0, -1))
      }
      assert.deepStrictEqual(seen, [
        ["half-open", "open", "held"],
        ["open", "held"],
        ["open", "held"],
        ["open"],
        ["open"],
        []
      ])
    })
  )

  both("a forgotten key begins anew", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ trip: TripPolicy.consecutive(2), keys: { max: 1 }, log: false })
      const a = caller(breaker, { key: "a" })
      yield* a.fail
      yield* caller(breaker, { key: "b" }).succeed
      yield* a.fail
      const { counts, state } = yield* a.status
      assert.deepStrictEqual([state._tag, counts.failures], ["Closed", 1])
    })
  )
})

describe("permit", () => {
  both("is settled by success, failure or nothing, in a scope", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ log: false })
      const take = Effect.scoped(
        Effect.gen(function* () {
          yield* (yield* CircuitBreaker.permit(breaker)).succeed
          yield* (yield* CircuitBreaker.permit(breaker)).fail()
          yield* (yield* CircuitBreaker.permit(breaker)).ignore
          const { inFlight } = yield* breaker.status
          assert.strictEqual(inFlight, 0)
        })
      )
      yield* take
      const { counts, lastFailure, recent } = yield* breaker.status
      assert.deepStrictEqual(recent, ["Success", "Failure", "Ignored"])
      assert.strictEqual(counts.calls, 3)
      assert.deepStrictEqual(lastFailure, { at: 0, cause: Cause.empty })
    })
  )

  both("is refused as a call is, and then nothing is held", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* opened()
      const exit = yield* Effect.exit(Effect.scoped(CircuitBreaker.permit(breaker)))
      assert.strictEqual(refused(exit).retryAfterMillis, 10_000)
      const { counts, inFlight } = yield* status
      assert.deepStrictEqual([counts.calls, counts.refused, inFlight], [1, 1, 0])
    })
  )

  both("settles once: what comes later changes nothing", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(quick)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const permit = yield* CircuitBreaker.permit(breaker)
          yield* permit.succeed
          yield* permit.fail()
          yield* permit.ignore
          yield* permit.succeed
          return yield* Effect.fail("boom")
        })
      ).pipe(Effect.ignore)
      const { counts, state } = yield* breaker.status
      assert.deepStrictEqual(
        [counts.calls, counts.successes, counts.failures, counts.ignored, state._tag],
        [1, 1, 0, 0, "Closed"]
      )
    })
  )

  const closings: ReadonlyArray<[string, Effect.Effect<unknown, unknown>, Outcome.Outcome["_tag"]]> = [
    ["by success: a success", Effect.void, "Success"],
    ["by failure: a failure", Effect.fail("boom"), "Failure"],
    ["by defect: a failure", Effect.die("defect"), "Failure"],
    ["by interruption: ignored", Effect.interrupt, "Ignored"],
    ["by an error that the breaker ignores: ignored", Effect.fail("not found"), "Ignored"]
  ]
  for (const [name, end, expected] of closings) {
    both(`not settled, and the scope closes ${name}`, () =>
      Effect.gen(function* () {
        const { breaker } = yield* make({ ignore: (error) => error === "not found", log: false })
        yield* Effect.exit(Effect.scoped(Effect.andThen(CircuitBreaker.permit(breaker), end)))
        const { inFlight, recent } = yield* breaker.status
        assert.deepStrictEqual([recent, inFlight], [[expected], 0])
      })
    )
  }

  both("a probe's permit closes the circuit, opens it again, or is given back", () =>
    Effect.gen(function* () {
      for (const [settle, state] of [
        ["succeed", "Closed"],
        ["fail", "Open"],
        ["ignore", "HalfOpen"]
      ] as const) {
        const probe = yield* due()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const permit = yield* CircuitBreaker.permit(probe.breaker)
            assertRefused(yield* probe.succeed)
            yield* settle === "fail" ? permit.fail() : permit[settle]
          })
        )
        const { inFlight, state: after } = yield* probe.status
        assert.deepStrictEqual([after._tag, inFlight], [state, 0])
        if (after._tag === "HalfOpen") assert.deepStrictEqual(after.leases, [])
      }
    })
  )

  both("fail takes a cause and a hint", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(quick)
      const cause = Cause.fail("reset by peer")
      yield* Effect.scoped(
        Effect.flatMap(CircuitBreaker.permit(breaker), (permit) => permit.fail({ cause, retryAfter: "25 seconds" }))
      )
      const { lastFailure, retryAfter, state } = yield* breaker.status
      assert.deepStrictEqual([lastFailure?.cause, retryAfter], [cause, Duration.seconds(25)])
      assert.strictEqual(state._tag === "Open" ? state.cause : undefined, "reset by peer")
    })
  )

  both("of a key, and of a class", () =>
    Effect.gen(function* () {
      class Feed extends CircuitBreaker.Service<Feed>()("feed") {}
      yield* Effect.gen(function* () {
        yield* Effect.scoped(CircuitBreaker.permit(Feed, { key: "a" }))
        assert.strictEqual((yield* CircuitBreaker.status(Feed, { key: "a" })).counts.successes, 1)
      }).pipe(Effect.provide(Feed.layer))
    })
  )

  both("can be settled by another fiber than the one that took it", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make(quick)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const permit = yield* CircuitBreaker.permit(breaker)
          yield* Fiber.join(yield* Effect.forkChild(permit.fail()))
        })
      )
      assert.strictEqual((yield* breaker.status).state._tag, "Open")
    })
  )

  both("in a scope that is closed already is settled at once", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ log: false })
      const scope = yield* Scope.make()
      yield* Scope.close(scope, Exit.fail("gone"))
      yield* Effect.exit(Effect.provideService(CircuitBreaker.permit(breaker), Scope.Scope, scope))
      const { counts, inFlight } = yield* breaker.status
      assert.deepStrictEqual([counts.failures, inFlight], [1, 0])
    })
  )

  both("a stream: held while it runs, settled by its end", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make({ log: false })
      const guarded = <A, E>(stream: Stream.Stream<A, E>) =>
        Stream.unwrap(Effect.as(CircuitBreaker.permit(breaker), stream))
      const during: Array<number> = []
      const watch = Stream.tap(() => Effect.map(status, ({ inFlight }) => during.push(inFlight)))
      yield* Stream.runDrain(guarded(Stream.make(1, 2)).pipe(watch))
      yield* Effect.exit(Stream.runDrain(guarded(Stream.concat(Stream.make(1), Stream.fail("boom"))).pipe(watch)))
      const fiber = yield* Effect.forkChild(Stream.runDrain(guarded(Stream.never)), { startImmediately: true })
      assert.strictEqual((yield* status).inFlight, 1)
      yield* Fiber.interrupt(fiber)
      const { inFlight, recent } = yield* status
      assert.deepStrictEqual([during, recent, inFlight], [[1, 1, 1], ["Success", "Failure", "Ignored"], 0])
    })
  )

  both("a stream that works from its first element on", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make({ log: false })
      const stream = Stream.unwrap(
        Effect.map(CircuitBreaker.permit(breaker), (permit) =>
          Stream.concat(Stream.make(1), Stream.fail("boom")).pipe(Stream.tap(() => permit.succeed))
        )
      )
      yield* Effect.exit(Stream.runDrain(stream))
      assert.deepStrictEqual((yield* status).recent, ["Success"])
    })
  )
})
