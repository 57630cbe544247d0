import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Duration, Effect, Exit, Fiber, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, caller, collectLogs, due, make, opened, quick, refused } from "../support/circuits.ts"

class NotFound extends Data.TaggedError("NotFound")<{ readonly id: number }> {}
class Unavailable extends Data.TaggedError("Unavailable") {}

describe("status", () => {
  both("of a circuit that was never used", () =>
    Effect.gen(function* () {
      const { status } = yield* make()
      assert.deepStrictEqual(yield* status, {
        name: "api",
        key: undefined,
        state: { _tag: "Closed", generation: 0, since: 0, openings: 0, openMillis: 0 },
        dryRun: false,
        counts: { calls: 0, successes: 0, failures: 0, ignored: 0, slow: 0, refused: 0, changes: 0 },
        inFlight: 0,
        windows: [{ policy: "Consecutive", hits: 0, calls: 0 }],
        recent: [],
        lastFailure: undefined,
        retryAfter: Duration.zero
      })
    })
  )

  both("counts all, successful, failed, ignored and refused calls, and changes of state", () =>
    Effect.gen(function* () {
      const { begin, fails, interrupt, status, succeeds, succeed } = yield* make({ openFor: "10 seconds", log: false })
      yield* succeeds(3)
      yield* interrupt
      yield* fails(5)
      yield* fails(4)
      yield* TestClock.adjust("10 seconds")
      const probe = yield* begin
      const during = yield* status
      assert.strictEqual(during.inFlight, 1)
      yield* probe.end(Exit.succeed(1))
      yield* succeed
      assert.deepStrictEqual((yield* status).counts, {
        calls: 11,
        successes: 5,
        failures: 5,
        ignored: 1,
        slow: 0,
        refused: 4,
        changes: 3
      })
    })
  )

  both("holds the failures so far, and the time until the next call", () =>
    Effect.gen(function* () {
      const { fails, status } = yield* make({ openFor: "10 seconds", log: false })
      yield* fails(3)
      const closed = yield* status
      assert.deepStrictEqual(
        [closed.state._tag, closed.windows, closed.retryAfter],
        ["Closed", [{ policy: "Consecutive", hits: 3, calls: 3 }], Duration.zero]
      )
      yield* fails(2)
      yield* TestClock.adjust("4 seconds")
      const open = yield* status
      assert.deepStrictEqual([open.state._tag, open.windows, open.retryAfter], ["Open", [], Duration.seconds(6)])
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual((yield* status).retryAfter, Duration.zero)
    })
  )

  both("windows: one for each policy, of the closed circuit that there is", () =>
    Effect.gen(function* () {
      const { breaker, fail, status, succeed } = yield* make({
        trip: TripPolicy.any(
          TripPolicy.consecutive(9),
          TripPolicy.failures({ count: 9, of: 9 }),
          TripPolicy.rate({ within: "10 seconds" }),
          TripPolicy.slowCalls({ after: "1 second", within: "10 seconds" })
        ),
        log: false
      })
      yield* fail
      yield* succeed
      yield* fail
      assert.deepStrictEqual((yield* status).windows, [
        { policy: "Consecutive", hits: 1, calls: 1 },
        { policy: "Failures", hits: 2, calls: 3 },
        { policy: "Rate", hits: 2, calls: 3 },
        { policy: "SlowCalls", hits: 0, calls: 3 }
      ])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* status).windows.slice(2), [
        { policy: "Rate", hits: 0, calls: 0 },
        { policy: "SlowCalls", hits: 0, calls: 0 }
      ])
      yield* CircuitBreaker.reset(breaker)
      assert.deepStrictEqual(
        (yield* status).windows.map(({ calls, hits }) => hits + calls),
        [0, 0, 0, 0]
      )
      yield* CircuitBreaker.holdClosed(breaker)
      assert.deepStrictEqual((yield* status).windows, [])
    })
  )

  both("holds recent outcomes, the newest last, at most 16", () =>
    Effect.gen(function* () {
      const { breaker, fail, fails, interrupt, succeed, succeeds } = yield* make({ trip: TripPolicy.consecutive(99) })
      yield* fail
      yield* succeed
      yield* interrupt
      assert.deepStrictEqual((yield* breaker.status).recent, ["Failure", "Success", "Ignored"])
      yield* succeeds(15)
      yield* fails(2)
      const { recent } = yield* breaker.status
      assert.strictEqual(recent.join(), `${"Success,".repeat(14)}Failure,Failure`)
    })
  )

  both("recent: successes before the first that was none", () =>
    Effect.gen(function* () {
      for (const successes of [0, 1, 2, 3, 15, 16, 17, 40]) {
        const { fail, status, succeeds } = yield* make({ log: false })
        yield* succeeds(successes)
        assert.strictEqual((yield* status).recent.join(), "Success,".repeat(Math.min(16, successes)).slice(0, -1))
        yield* fail
        assert.strictEqual((yield* status).recent.join(), `${"Success,".repeat(Math.min(15, successes))}Failure`)
      }
    })
  )

  both("lastFailure: when it was and its whole cause, kept after successes", () =>
    Effect.gen(function* () {
      const { exit, interrupt, status, succeed } = yield* make()
      yield* TestClock.adjust(7)
      const error = new Unavailable()
      yield* exit(Effect.fail(error))
      yield* TestClock.adjust(1)
      yield* succeed
      yield* interrupt
      assert.deepStrictEqual((yield* status).lastFailure, { at: 7, cause: Cause.fail(error) })
      yield* exit(Effect.die("defect"))
      assert.deepStrictEqual((yield* status).lastFailure, { at: 8, cause: Cause.die("defect") })
    })
  )

  both("retryAfter: absent where nobody can know", () =>
    Effect.gen(function* () {
      const { begin, breaker, status } = yield* due()
      yield* begin
      assert.isUndefined((yield* status).retryAfter)
      yield* CircuitBreaker.holdOpen(breaker)
      assert.isUndefined((yield* status).retryAfter)
      yield* CircuitBreaker.holdOpen(breaker, { for: "3 seconds" })
      assert.deepStrictEqual((yield* status).retryAfter, Duration.seconds(3))
      yield* CircuitBreaker.holdClosed(breaker)
      assert.deepStrictEqual((yield* status).retryAfter, Duration.zero)
    })
  )

  both("can be read of a breaker, of its class, and of a key that was never used, which makes none", () =>
    Effect.gen(function* () {
      class Api extends CircuitBreaker.Service<Api>()("api") {}
      yield* Effect.gen(function* () {
        const breaker = yield* Api
        assert.deepStrictEqual(yield* CircuitBreaker.status(Api), yield* breaker.status)
        const { key, state } = yield* CircuitBreaker.status(Api, { key: "new" })
        assert.deepStrictEqual([key, state._tag], ["new", "Closed"])
        assert.strictEqual((yield* CircuitBreaker.statuses(Api)).length, 1)
        yield* Effect.void.pipe(CircuitBreaker.protect(Api, { key: "new" }))
        assert.deepStrictEqual(
          (yield* CircuitBreaker.statuses(Api)).map((status) => [status.key, status.counts.successes]),
          [
            [undefined, 0],
            ["new", 1]
          ]
        )
      }).pipe(Effect.provide(Api.layer))
    })
  )
})

describe("changes", () => {
  const names = (changes: Iterable<CircuitBreaker.Change>) =>
    [...changes].map(({ from, key, name, to }) => [name, key, from._tag, to._tag])

  both("every edge, in order, to every subscriber", () =>
    Effect.gen(function* () {
      const { breaker, fail, interrupt, succeed } = yield* make(quick)
      const collect = Effect.forkChild(Stream.runCollect(Stream.take(CircuitBreaker.changes(breaker), 9)), {
        startImmediately: true
      })
      const [one, two] = [yield* collect, yield* collect]
      yield* fail
      yield* TestClock.adjust("10 seconds")
      yield* fail
      yield* TestClock.adjust("10 seconds")
      yield* interrupt
      yield* TestClock.adjust("1 second")
      yield* succeed
      yield* CircuitBreaker.holdOpen(breaker)
      yield* CircuitBreaker.holdClosed(breaker)
      yield* CircuitBreaker.release(breaker)
      yield* CircuitBreaker.holdOpen(breaker, { key: "a" })
      const expected = [
        ["api", undefined, "Closed", "Open"],
        ["api", undefined, "Open", "HalfOpen"],
        ["api", undefined, "HalfOpen", "Open"],
        ["api", undefined, "Open", "HalfOpen"],
        ["api", undefined, "HalfOpen", "Closed"],
        ["api", undefined, "Closed", "HeldOpen"],
        ["api", undefined, "HeldOpen", "HeldClosed"],
        ["api", undefined, "HeldClosed", "Closed"],
        ["api", "a", "Closed", "HeldOpen"]
      ]
      assert.deepStrictEqual(names(yield* Fiber.join(one)), expected)
      assert.deepStrictEqual(names(yield* Fiber.join(two)), expected)
    })
  )

  both("a reset of a closed circuit is none", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      const seen: Array<CircuitBreaker.Change> = []
      breaker.listeners.add((change) => seen.push(change))
      yield* CircuitBreaker.reset(breaker)
      yield* CircuitBreaker.release(breaker)
      assert.deepStrictEqual([seen, (yield* status).counts.changes], [[], 0])
    })
  )

  both("a listener that throws fails no call, keeps no other from hearing, and is logged", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { breaker, fail, status, succeed } = yield* make(quick)
      const seen: Array<string> = []
      const bug = () => {
        throw new Error("bug")
      }
      for (const listener of [bug, ({ to }: CircuitBreaker.Change) => void seen.push(to._tag)]) {
        breaker.listeners.add(listener)
      }
      assert.deepStrictEqual(yield* fail, Exit.fail("boom"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(seen, ["Open", "HalfOpen", "Closed", "HeldOpen"])
      assert.deepStrictEqual([(yield* status).inFlight, (yield* status).counts.changes], [0, 4])
      assert.deepStrictEqual([log.lines.length, log.lines[0]?.level], [4, "Error"])
      assert.include(log.lines[0]?.message, "A listener of changes threw")
    }).pipe(Effect.provide(log.layer))
  })

  both("a listener that throws keeps no change out of the log", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { breaker, fail } = yield* make({ ...quick, log: true })
      breaker.listeners.add(() => {
        throw new Error("bug")
      })
      yield* fail
      assert.deepStrictEqual(
        log.lines.map(({ level }) => level),
        ["Warn", "Error"]
      )
    }).pipe(Effect.provide(log.layer))
  })

  both("a subscriber that ends leaves nothing behind", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make(quick)
      const ended = yield* Effect.forkChild(Stream.runDrain(Stream.take(CircuitBreaker.changes(breaker), 1)), {
        startImmediately: true
      })
      const interrupted = yield* Effect.forkChild(Stream.runDrain(CircuitBreaker.changes(breaker)), {
        startImmediately: true
      })
      assert.strictEqual(breaker.listeners.size, 2)
      yield* fail
      yield* Fiber.join(ended)
      assert.strictEqual(breaker.listeners.size, 1)
      yield* Fiber.interrupt(interrupted)
      assert.strictEqual(breaker.listeners.size, 0)
    })
  )

  both("a subscriber that does not keep up loses the oldest and delays nobody", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ log: false })
      const gate = yield* Deferred.make<void>()
      let first = true
      const fiber = yield* Effect.forkChild(
        CircuitBreaker.changes(breaker).pipe(
          Stream.tap(() => {
            const wait = first
            first = false
            return wait ? Deferred.await(gate) : Effect.void
          }),
          Stream.take(1_025),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      yield* CircuitBreaker.holdOpen(breaker, { reason: "first" })
      yield* Effect.yieldNow
      for (let i = 0; i < 3_000; i++) yield* CircuitBreaker.holdOpen(breaker, { reason: String(i) })
      yield* Deferred.succeed(gate, undefined)
      const changes = yield* Fiber.join(fiber)
      const last = changes.at(-1)?.to
      assert.strictEqual(last?._tag === "HeldOpen" && last.reason, "2999")
    })
  )

  both("of a class", () =>
    Effect.gen(function* () {
      class Api extends CircuitBreaker.Service<Api>()("api", { log: false }) {}
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Stream.runHead(CircuitBreaker.changes(Api)), { startImmediately: true })
        yield* CircuitBreaker.holdOpen(Api)
        assert.strictEqual(Option.getOrThrow(yield* Fiber.join(fiber)).to._tag, "HeldOpen")
      }).pipe(Effect.provide(Api.layer))
    })
  )
})

describe("the log", () => {
  both("has a line when it opens, when it becomes half-open and when it closes", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { fails, succeed } = yield* make({ trip: TripPolicy.consecutive(3), openFor: "10 seconds" })
      yield* fails(3)
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      const annotate = (from: string, to: string) => ({ "circuit.name": "api", "circuit.from": from, "circuit.to": to })
      assert.deepStrictEqual(log.lines, [
        {
          level: "Warn",
          message: `Circuit "api" OPEN after 3 consecutive failures, for 10000 ms, the last with boom`,
          annotations: annotate("Closed", "Open")
        },
        {
          level: "Info",
          message: `Circuit "api" transitioning to HALF_OPEN`,
          annotations: annotate("Open", "HalfOpen")
        },
        {
          level: "Info",
          message: `Circuit "api" CLOSED, service recovered`,
          annotations: annotate("HalfOpen", "Closed")
        }
      ])
    }).pipe(Effect.provide(log.layer))
  })

  both("says what an operator did, to which key, why and for whom", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { breaker, fail, succeed } = yield* make({ trip: TripPolicy.consecutive(1), openFor: "10 seconds" })
      yield* CircuitBreaker.holdOpen(breaker, { key: "a", by: "ada", reason: "maintenance" })
      yield* CircuitBreaker.holdClosed(breaker)
      yield* CircuitBreaker.release(breaker)
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 minute" })
      yield* CircuitBreaker.release(breaker)
      yield* CircuitBreaker.holdOpen(breaker, { for: "1 second" })
      yield* TestClock.adjust("1 second")
      yield* succeed
      yield* fail
      yield* CircuitBreaker.reset(breaker)
      yield* fail
      yield* TestClock.adjust("10 seconds")
      const probe = yield* caller(breaker).begin
      yield* CircuitBreaker.reset(breaker)
      yield* probe.interrupt
      assert.deepStrictEqual(
        log.lines.map(({ annotations, level, message }) => [level, message, annotations["circuit.key"]]),
        [
          ["Warn", `Circuit "api" (a) HELD_OPEN by ada: maintenance`, "a"],
          ["Info", `Circuit "api" HELD_CLOSED`, undefined],
          ["Info", `Circuit "api" CLOSED, by hand`, undefined],
          ["Warn", `Circuit "api" HELD_OPEN`, undefined],
          ["Info", `Circuit "api" CLOSED, by hand`, undefined],
          ["Warn", `Circuit "api" HELD_OPEN`, undefined],
          ["Info", `Circuit "api" CLOSED, the hold is over`, undefined],
          ["Warn", `Circuit "api" OPEN after 1 consecutive failure, for 10000 ms, the last with boom`, undefined],
          ["Info", `Circuit "api" CLOSED, by hand`, undefined],
          ["Info", `Circuit "api" (a) CLOSED, by hand`, "a"],
          ["Warn", `Circuit "api" OPEN after 1 consecutive failure, for 10000 ms, the last with boom`, undefined],
          ["Info", `Circuit "api" transitioning to HALF_OPEN`, undefined],
          ["Info", `Circuit "api" CLOSED, by hand`, undefined]
        ]
      )
    }).pipe(Effect.provide(log.layer))
  })

  both("is one line of text for each change, whatever names, keys, authors and reasons hold", () => {
    const log = collectLogs()
    const line = "a\nb\u001b[2K"
    const text = String.raw`a\u000ab\u001b[2K`
    return Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(line, { trip: TripPolicy.consecutive(1) })
      yield* CircuitBreaker.holdOpen(breaker, { by: line, reason: line })
      yield* CircuitBreaker.release(breaker)
      yield* caller(breaker, { key: line }).exit(Effect.fail(line))
      assert.deepStrictEqual(
        log.lines.map(({ annotations, message }) => [message, annotations["circuit.name"], annotations["circuit.key"]]),
        [
          [`Circuit "${text}" HELD_OPEN by "${text}": ${text}`, text, undefined],
          [`Circuit "${text}" CLOSED, by hand`, text, undefined],
          [
            `Circuit "${text}" ("${text}") OPEN after 1 consecutive failure, for 30000 ms, the last with ${text}`,
            text,
            text
          ]
        ]
      )
    }).pipe(Effect.provide(log.layer))
  })

  both("takes a key that is no string, of a caller without types", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { breaker, state } = yield* make({ trip: TripPolicy.consecutive(1) })
      const five = caller(breaker, { key: 5 as unknown as string })
      assert.deepStrictEqual(yield* five.fail, Exit.fail("boom"))
      assert.match(refused(yield* five.succeed).message, /^Circuit "api" \(5\) has been open/)
      assert.deepStrictEqual([yield* five.state, yield* state], ["Open", "Closed"])
      assert.deepStrictEqual(
        log.lines.map(({ annotations }) => annotations["circuit.key"]),
        ["5"]
      )
    }).pipe(Effect.provide(log.layer))
  })

  both("is silent with `log: false`", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { breaker, succeed } = yield* opened({ log: false })
      yield* TestClock.adjust("10 seconds")
      yield* succeed
      yield* CircuitBreaker.holdOpen(breaker)
      assert.deepStrictEqual(log.lines, [])
    }).pipe(Effect.provide(log.layer))
  })

  both("a logger that throws fails no call and loses no permit", () => {
    const log = collectLogs()
    return Effect.gen(function* () {
      const { fail, status, succeed } = yield* make({ ...quick, log: true })
      log.lines.push = () => {
        throw new Error("disk full")
      }
      assert.deepStrictEqual(yield* fail, Exit.fail("boom"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
      const { inFlight, state } = yield* status
      assert.deepStrictEqual([inFlight, state._tag], [0, "Closed"])
    }).pipe(Effect.provide(log.layer))
  })

  const causes: ReadonlyArray<[string, Effect.Effect<never, unknown>, string]> = [
    ["an error", Effect.fail(new TypeError("no route")), "TypeError: no route"],
    ["a tagged error", Effect.fail(new NotFound({ id: 1 })), "NotFound"],
    ["a string", Effect.fail("boom"), "boom"],
    ["an object", Effect.fail({ code: 7 }), `{"code":7}`],
    ["a defect", Effect.die(new Error("bug")), "Error: bug"],
    ["nothing", Effect.fail(undefined), "an error that cannot be shown"],
    ["a bigint, which JSON cannot hold", Effect.fail(1n), "an error that cannot be shown"],
    [
      "an error whose message throws",
      Effect.fail(
        Object.defineProperty(new Error(), "message", {
          get: () => {
            throw new Error("no")
          }
        })
      ),
      "an error that cannot be shown"
    ],
    ["a text of 200", Effect.fail("x".repeat(200)), "x".repeat(200)],
    ["a longer text", Effect.fail("x".repeat(201)), `${"x".repeat(199)}…`]
  ]
  for (const [name, effect, text] of causes) {
    it.effect(`the state names the last failure, and the refusal does not: ${name}`, () =>
      Effect.gen(function* () {
        const { exit, status, succeed } = yield* make(quick)
        yield* exit(effect)
        assert.deepInclude((yield* status).state, { reason: "1 consecutive failure", cause: text })
        const error = refused(yield* succeed)
        assert.strictEqual(error.reason, "1 consecutive failure")
        assert.notInclude(error.message, text)
      })
    )
  }
})
