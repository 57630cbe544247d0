import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Fiber, Logger, Schedule, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Circuit from "../../src/breaker/internal/Circuit.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, caller, due, make, opened, quick } from "../support/circuits.ts"
import { slowStore } from "../support/slow-store.ts"

/** A clock that stands still where it is put. */
const stillClock = () => {
  const at = { millis: 0 }
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => at.millis,
    currentTimeMillis: Effect.sync(() => at.millis),
    currentTimeNanosUnsafe: () => BigInt(at.millis) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(at.millis) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(at.millis) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(at.millis) * 1_000_000n),
    sleep: () => Effect.never
  }
  return { at, clock }
}

/** A way to run a fiber turn by turn: `scheduler` puts what is to be run next into `turns`. */
interface Stepper {
  readonly scheduler: Scheduler.Scheduler
  readonly turns: Array<() => void>
}

const mixed = (): Stepper => {
  const turns: Array<() => void> = []
  const scheduler = new Scheduler.MixedScheduler("async", (turn) => {
    turns.push(turn)
    return () => void turns.splice(turns.indexOf(turn), 1)
  })
  return { scheduler, turns }
}

/** As the scheduler of the TestClock: it asks another one. */
const wrapped = (): Stepper => {
  const { scheduler, turns } = mixed()
  return {
    turns,
    scheduler: {
      executionMode: scheduler.executionMode,
      shouldYield: (fiber) => scheduler.shouldYield(fiber),
      makeDispatcher: () => scheduler.makeDispatcher()
    }
  }
}

/** Lets the fiber yield before its n-th operation, and at no other time. */
const before = (operation: number) => (): Stepper => {
  const { scheduler, turns } = mixed()
  let operations = 0
  return {
    turns,
    scheduler: {
      executionMode: scheduler.executionMode,
      shouldYield: () => ++operations === operation,
      makeDispatcher: () => scheduler.makeDispatcher()
    }
  }
}

/** Puts operations before an effect. */
const shift = (effect: Effect.Effect<unknown, unknown>, operations: number) =>
  Array.from({ length: operations }).reduce<Effect.Effect<unknown, unknown>>(
    (inner) =>
      Effect.flatMap(
        Effect.sync(() => 0),
        () => inner
      ),
    effect
  )

const work = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

interface Scenario {
  readonly name: string
  readonly options: CircuitBreaker.Options
  /** Whether the circuit's open time is over when the call begins. */
  readonly probe: boolean
  /** Whether the circuit is in a store that answers late. */
  readonly shared?: boolean
  readonly run: (breaker: CircuitBreaker.CircuitBreaker) => Effect.Effect<unknown, unknown>
}

const slow = TripPolicy.slowCalls({ after: "1 hour" })

const scenarios: ReadonlyArray<Scenario> = [
  ...[false, true].flatMap((probe): ReadonlyArray<Scenario> => {
    const kind = probe ? "a probe" : "a call through a closed circuit"
    return [
      {
        name: `${kind} that succeeds`,
        options: quick,
        probe,
        run: (breaker) => CircuitBreaker.protect(work, breaker)
      },
      {
        name: `${kind} that fails`,
        options: quick,
        probe,
        run: (breaker) => CircuitBreaker.protect(Effect.andThen(work, Effect.fail("boom")), breaker)
      },
      {
        name: `${kind} that does nothing`,
        options: quick,
        probe,
        run: (breaker) => CircuitBreaker.protect(Effect.void, breaker)
      },
      {
        name: `${kind} with a classification of its own`,
        options: quick,
        probe,
        run: (breaker) => CircuitBreaker.protect(work, breaker, { classify: () => Outcome.success })
      },
      {
        name: `${kind} whose time is taken`,
        options: { ...quick, trip: TripPolicy.any(TripPolicy.consecutive(1), slow) },
        probe,
        run: (breaker) => CircuitBreaker.protect(work, breaker)
      },
      {
        name: `${kind} that fails, where a schedule says for how long`,
        options: { ...quick, openFor: Schedule.spaced("10 seconds") },
        probe,
        run: (breaker) => CircuitBreaker.protect(Effect.andThen(work, Effect.fail("boom")), breaker)
      },
      {
        name: `${kind} that is logged`,
        options: { ...quick, log: true },
        probe,
        run: (breaker) => CircuitBreaker.protect(Effect.andThen(work, Effect.fail("boom")), breaker)
      },
      {
        name: `${kind} with a scope`,
        options: quick,
        probe,
        run: (breaker) => Effect.scoped(Effect.andThen(CircuitBreaker.permit(breaker), work))
      },
      {
        name: `${kind} with a permit that fails, where a schedule says for how long`,
        options: { ...quick, openFor: Schedule.spaced("10 seconds") },
        probe,
        run: (breaker) => Effect.scoped(Effect.flatMap(CircuitBreaker.permit(breaker), (permit) => permit.fail()))
      },
      {
        name: `${kind} inside another breaker`,
        options: quick,
        probe,
        run: (breaker) =>
          CircuitBreaker.protect(CircuitBreaker.protect(work, breaker), CircuitBreaker.makeUnsafe("outer"))
      }
    ]
  }),
  ...[Effect.void, Effect.fail("boom"), work].map((call, i): Scenario => ({
    name: `a probe that the store admits late, and that ${["succeeds", "fails", "takes long"][i] ?? ""}`,
    options: quick,
    probe: true,
    shared: true,
    run: (breaker) => CircuitBreaker.protect(call, breaker)
  })),
  {
    name: "a permit that the store grants late",
    options: quick,
    probe: true,
    shared: true,
    run: (breaker) => Effect.scoped(Effect.andThen(CircuitBreaker.permit(breaker), work))
  },
  {
    name: "a call with a key",
    options: quick,
    probe: false,
    run: (breaker) => CircuitBreaker.protect(work, breaker, { key: "a" })
  },
  {
    name: "a dry run",
    options: { ...quick, dryRun: true },
    probe: false,
    run: (breaker) => Effect.andThen(CircuitBreaker.holdOpen(breaker), CircuitBreaker.protect(work, breaker))
  },
  {
    name: "a call through a circuit that is held closed",
    options: quick,
    probe: false,
    run: (breaker) => Effect.andThen(CircuitBreaker.holdClosed(breaker), CircuitBreaker.protect(work, breaker))
  }
]

const loggers = new Set([Logger.make(() => {})])

/** Runs a scenario, interrupts it before its n-th turn, and looks for what is left. Returns whether it came that far. */
const interruptAt = (
  { options, probe, run, shared = false }: Scenario,
  { scheduler, turns }: Stepper,
  maxOps: number,
  shifted: number,
  turn: number
): boolean => {
  const { at, clock } = stillClock()
  const context = Context.make(Clock.Clock, clock).pipe(
    Context.add(Scheduler.Scheduler, scheduler),
    Context.add(Scheduler.MaxOpsBeforeYield, maxOps),
    Context.add(Logger.CurrentLoggers, loggers)
  )
  const store = slowStore(work, CircuitState.initial)
  const breaker = shared
    ? Effect.runSync(
        CircuitBreaker.makeShared("api", options).pipe(
          Effect.provideService(Scope.Scope, Scope.makeUnsafe()),
          Effect.provideService(CircuitStore.CircuitStore, store.store)
        )
      )
    : CircuitBreaker.makeUnsafe("api", options)
  const calm = Context.make(Clock.Clock, clock).pipe(Context.add(Logger.CurrentLoggers, loggers))
  if (probe && shared) {
    const open = { ...CircuitState.initial, _tag: "Open", generation: 1, openMillis: 10_000, reason: "trip" } as const
    Effect.runSyncWith(calm)(store.write("api", open))
    at.millis = 10_000
  } else if (probe) {
    void Effect.runSyncExitWith(calm)(CircuitBreaker.protect(Effect.fail("boom"), breaker))
    at.millis = 10_000
  }
  const fiber = Effect.runForkWith(context)(shift(run(breaker), shifted))
  let turned = 0
  while (turned < turn && turns.length > 0) {
    turned++
    turns.shift()?.()
  }
  const running = fiber.pollUnsafe() === undefined
  fiber.interruptUnsafe()
  for (let left = 0; turns.length > 0 && left < 1_000; left++) turns.shift()?.()
  assert.isDefined(fiber.pollUnsafe(), "the fiber did not end")
  const statuses = Effect.runSyncWith(calm)(CircuitBreaker.statuses(breaker))
  for (const { counts, inFlight, state } of statuses) {
    assert.strictEqual(inFlight, 0)
    assert.strictEqual(counts.calls, counts.successes + counts.failures + counts.ignored)
    if (state._tag === "HalfOpen") assert.deepStrictEqual(state.leases, [])
  }
  // The circuit works on.
  at.millis += 60_000
  if (shared) return running
  Effect.runSyncWith(calm)(CircuitBreaker.reset(breaker))
  assert.deepStrictEqual(
    Effect.runSyncExitWith(calm)(CircuitBreaker.protect(Effect.succeed(1), breaker)),
    Exit.succeed(1)
  )
  return running
}

describe("an interruption at any moment leaves no permit and no call in flight", () => {
  for (const scenario of scenarios) {
    for (const [name, stepper] of [
      ["default scheduler", mixed],
      ["TestClock scheduler", wrapped]
    ] as const) {
      it(`${scenario.name}, with small budgets of operations (${name})`, () => {
        let interrupted = 0
        for (let maxOps = 3; maxOps <= 12; maxOps++) {
          for (let shifted = 0; shifted < 6; shifted++) {
            let turn = 0
            while (interruptAt(scenario, stepper(), maxOps, shifted, turn)) turn++
            interrupted += turn
          }
        }
        assert.isAbove(interrupted, 60)
      })
    }

    it(`${scenario.name}, before each of its operations`, () => {
      let interrupted = 0
      for (let operation = 1; operation < 100; operation++) {
        // The first turn is the yield, unless the work itself yielded before.
        for (let turn = 0; interruptAt(scenario, before(operation)(), 1_000, 0, turn); turn++) interrupted++
      }
      assert.isAbove(interrupted, 5)
    })
  }
})

describe("isFramed", () => {
  const framed = (scheduler: Scheduler.Scheduler, maxOps = 2_048, prevent = false) => {
    let result: boolean | undefined
    const context = Context.make(Scheduler.Scheduler, scheduler).pipe(
      Context.add(Scheduler.MaxOpsBeforeYield, maxOps),
      Context.add(Scheduler.PreventSchedulerYield, prevent)
    )
    Effect.runForkWith(context)(
      Effect.withFiber((fiber) => {
        result = Circuit.isFramed(fiber)
        return Effect.void
      })
    )
    return result
  }

  it("is true for the default scheduler while the fiber's budget lasts", () => {
    // The operation that asks is the first, the second is the one that must not be lost.
    assert.isTrue(framed(new Scheduler.MixedScheduler()))
    assert.isTrue(framed(new Scheduler.MixedScheduler("sync")))
    assert.isTrue(framed(new Scheduler.MixedScheduler(), 3))
    assert.isFalse(framed(new Scheduler.MixedScheduler(), 2))
  })

  it("is false for a scheduler of which nothing is known, unless it is not asked", () => {
    class Other extends Scheduler.MixedScheduler {
      override shouldYield() {
        return false
      }
    }
    assert.isFalse(framed(new Other()))
    assert.isFalse(framed(wrapped().scheduler))
    assert.isTrue(framed(new Other(), 2_048, true))
  })
})

describe("an interruption", () => {
  both("of a caller whose call runs is ignored, and interrupts the call", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      let interrupted = false
      const fiber = yield* Effect.forkChild(
        Effect.never.pipe(
          Effect.onInterrupt(() => Effect.sync(() => (interrupted = true))),
          CircuitBreaker.protect(breaker)
        ),
        { startImmediately: true }
      )
      assert.strictEqual((yield* status).inFlight, 1)
      yield* Fiber.interrupt(fiber)
      const { counts, inFlight, state } = yield* status
      assert.deepStrictEqual([interrupted, counts.ignored, inFlight, state._tag], [true, 1, 0, "Closed"])
    })
  )

  both("waits for the finalizers of the call, and only then is the call settled", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      const fiber = yield* Effect.forkChild(
        Effect.sleep("1 hour").pipe(
          Effect.onInterrupt(() => Effect.sleep("3 seconds")),
          CircuitBreaker.protect(breaker)
        ),
        { startImmediately: true }
      )
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* status).inFlight, 1)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(interrupting)
      assert.strictEqual((yield* status).inFlight, 0)
    })
  )

  both("does not reach a call that nobody may interrupt, which counts as what it is", () =>
    Effect.gen(function* () {
      for (const setup of [make, due]) {
        const { breaker, status } = yield* setup(quick)
        const fiber = yield* Effect.forkChild(
          Effect.uninterruptible(CircuitBreaker.protect(Effect.sleep("1 second"), breaker)),
          { startImmediately: true }
        )
        const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(interrupting)
        const { counts, inFlight, state } = yield* status
        assert.deepStrictEqual([counts.successes, inFlight, state._tag], [1, 0, "Closed"])
      }
    })
  )

  both("of a refused caller leaves nothing", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* opened()
      const fiber = yield* Effect.forkChild(
        Effect.forever(Effect.andThen(Effect.ignore(CircuitBreaker.protect(Effect.void, breaker)), Effect.yieldNow)),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const { counts, inFlight } = yield* status
      assert.deepStrictEqual([counts.calls, inFlight], [1, 0])
      assert.isAbove(counts.refused, 0)
    })
  )

  both("by a timeout outside the breaker is ignored; a timeout inside is a failure", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make({ log: false })
      const run = (call: Effect.Effect<unknown, unknown>) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Effect.exit(call), { startImmediately: true })
          yield* TestClock.adjust("1 second")
          return yield* Fiber.join(fiber)
        })
      yield* run(Effect.never.pipe(CircuitBreaker.protect(breaker), Timeout.timeout("1 second")))
      yield* run(Effect.never.pipe(Timeout.timeout("1 second"), CircuitBreaker.protect(breaker)))
      const { inFlight, recent } = yield* status
      assert.deepStrictEqual([recent, inFlight], [["Ignored", "Failure"], 0])
    })
  )

  both("of a retry that waits for its next attempt leaves no permit", () =>
    Effect.gen(function* () {
      for (const probing of [false, true]) {
        const { breaker, status } = yield* make({ ...quick, ignore: (error) => error === "not found" })
        if (probing) {
          yield* caller(breaker).fail
          yield* TestClock.adjust("10 seconds")
        }
        const fiber = yield* Effect.forkChild(
          Effect.fail("not found").pipe(
            CircuitBreaker.protect(breaker),
            Retry.retry({ maxAttempts: 5, backoff: Schedule.spaced("1 minute") })
          ),
          { startImmediately: true }
        )
        yield* Effect.yieldNow
        const waiting = yield* status
        assert.deepStrictEqual([fiber.pollUnsafe(), waiting.inFlight], [undefined, 0])
        yield* Fiber.interrupt(fiber)
        yield* TestClock.adjust("1 hour")
        const { counts, inFlight, state } = yield* status
        assert.deepStrictEqual([counts.calls, inFlight], [waiting.counts.calls, 0])
        if (state._tag === "HalfOpen") assert.deepStrictEqual(state.leases, [])
      }
    })
  )

  both("of one of two probes leaves the other its permit", () =>
    Effect.gen(function* () {
      const { begin, status } = yield* due({ halfOpen: { probes: 2, successes: 2, pace: 1 } })
      const [a, b] = [yield* begin, yield* begin]
      yield* a.interrupt
      const { state } = yield* status
      assert.isTrue(state._tag === "HalfOpen" && state.leases.length === 1 && state.leases[0]?.permit === 2)
      yield* b.end(Exit.succeed(1))
      assert.deepStrictEqual((yield* status).inFlight, 0)
    })
  )

  both("from within the call, of its own fiber", () =>
    Effect.gen(function* () {
      for (const setup of [make, due]) {
        const { breaker, status } = yield* setup(quick)
        const fiber = yield* Effect.forkChild(
          CircuitBreaker.protect(
            Effect.withFiber((self) => Effect.sync(() => self.interruptUnsafe())),
            breaker
          )
        )
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        const { counts, inFlight } = yield* status
        assert.deepStrictEqual([counts.ignored, inFlight], [1, 0])
      }
    })
  )

  both("from within classify, of the fiber that it runs in, keeps what it says", () =>
    Effect.gen(function* () {
      for (const setup of [make, due]) {
        const { breaker, status } = yield* setup(quick)
        const fiber = yield* Effect.forkChild(
          Effect.withFiber((self) =>
            CircuitBreaker.protect(Effect.succeed(1), breaker, {
              classify: () => {
                self.interruptUnsafe()
                return Outcome.success
              }
            })
          )
        )
        yield* Fiber.await(fiber)
        const { counts, inFlight, state } = yield* status
        assert.deepStrictEqual([counts.successes, inFlight, state._tag], [1, 0, "Closed"])
      }
    })
  )

  both("before the call began: nothing runs", () =>
    Effect.gen(function* () {
      const { breaker, status } = yield* make(quick)
      let ran = false
      const fiber = yield* Effect.forkChild(
        CircuitBreaker.protect(
          Effect.sync(() => (ran = true)),
          breaker
        )
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([ran, (yield* status).counts.calls], [false, 0])
    })
  )
})

describe("a race", () => {
  both("the loser's probe is given back, so that a hedge cannot wedge a circuit", () =>
    Effect.gen(function* () {
      const { breaker, status, succeed } = yield* due({ halfOpen: { pace: "1 second" } })
      const fiber = yield* Effect.forkChild(
        Effect.race(CircuitBreaker.protect(Effect.never, breaker), Effect.sleep(Duration.millis(100))),
        { startImmediately: true }
      )
      yield* TestClock.adjust(100)
      yield* Fiber.join(fiber)
      const { inFlight, retryAfter, state } = yield* status
      assert.deepStrictEqual([inFlight, retryAfter, state._tag], [0, Duration.seconds(1), "HalfOpen"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* succeed, Exit.succeed("value"))
    })
  )
})
