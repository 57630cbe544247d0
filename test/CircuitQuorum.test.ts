import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../src/CircuitState.ts"
import type * as CircuitStore from "../src/CircuitStore.ts"
import * as CircuitStoreShared from "../src/CircuitStoreShared.ts"
import * as MemoryTable from "./support/memory-table.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 500, paceMillis: 50 }
const openMillis = 10_000

/** One process of a fleet, with one circuit. */
class Process implements CircuitStore.Cell {
  readonly name = "payments"
  readonly key = undefined
  current: CircuitState.CircuitState = CircuitState.initial
  readonly told: Array<string> = []
  readonly store: CircuitStore.CircuitStore["Service"]

  constructor(store: CircuitStore.CircuitStore["Service"]) {
    this.store = store
    store.attach(this)
  }

  changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState) {
    return Effect.sync(() => {
      if (before.generation !== after.generation) this.told.push(`${before._tag} > ${after._tag}`)
    })
  }

  apply(event: CircuitState.Event) {
    const eager = event._tag === "Trip"
    return Effect.clockWith((clock) =>
      Effect.suspend(() =>
        this.store.update(
          this,
          clock.currentTimeMillisUnsafe(),
          (state, at) => CircuitState.transition(state, event, at, config),
          { eager }
        )
      )
    ).pipe(Effect.tap(() => TestClock.adjust(1)))
  }

  get trip() {
    return Effect.suspend(() =>
      this.apply({ _tag: "Trip", generation: this.current.generation, openMillis, reason: "5 consecutive failures" })
    )
  }

  get admit() {
    return Effect.map(this.apply({ _tag: "Admit" }), ({ answer }) => answer)
  }

  settle(admission: CircuitState.Decision, outcome: "Success" | "Failure") {
    const { generation, permit } = admission as Extract<CircuitState.Decision, { _tag: "Admitted" }>
    return this.apply({ _tag: "Settle", generation, permit, outcome, openMillis, reason: "a failed probe" })
  }
}

const fleet = (votes: number, size: number) =>
  Effect.gen(function* () {
    const memory = MemoryTable.make()
    const processes = yield* Effect.all(
      Array.from({ length: size }, (_, i) =>
        Effect.map(
          CircuitStoreShared.make(memory.table, { log: false, instance: `process ${i}`, quorum: votes, spread: 0 }),
          (store) => new Process(store)
        )
      )
    )
    yield* TestClock.adjust(1)
    return { memory, processes: processes as unknown as readonly [Process, Process, Process] }
  })

const tags = (processes: ReadonlyArray<Process>) => processes.map(({ current }) => current._tag)

describe("CircuitQuorum", () => {
  it.effect("below the quorum only the voters are open", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(3, 3)
      yield* processes[0].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Closed", "Closed"])
      yield* processes[1].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Open", "Closed"])
      assert.strictEqual((yield* processes[0].admit)._tag, "Refused")
      assert.strictEqual((yield* processes[2].admit)._tag, "Admitted")
    })
  )

  it.effect("the vote that makes the quorum opens the circuit for all", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[1].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Open", "Open"])
      assert.deepStrictEqual(processes[2].told, ["Closed > Open"])
      const { current } = processes[2]
      assert.strictEqual(current._tag === "Open" && current.reason, "5 consecutive failures (2 processes)")
      // A voter was open before: it is no change for it.
      assert.deepStrictEqual([processes[0].told, processes[1].told], [[], []])
    })
  )

  it.effect("a process has one vote", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(openMillis)
      const probe = yield* processes[0].admit
      yield* processes[0].settle(probe, "Failure")
      assert.deepStrictEqual(tags(processes), ["Open", "Closed", "Closed"])
    })
  )

  it.effect("a vote counts as long as the window", () =>
    Effect.gen(function* () {
      for (const [wait, expected] of [
        [59_990, "Open"],
        [60_000, "Closed"]
      ] as const) {
        const { processes } = yield* fleet(2, 3)
        yield* processes[0].trip
        yield* TestClock.adjust(wait)
        yield* processes[1].trip
        assert.strictEqual(processes[2].current._tag, expected, `after ${wait} ms`)
      }
    })
  )

  it.effect("a voter that recovers closes and takes its vote back", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(openMillis)
      const probe = yield* processes[0].admit
      assert.strictEqual(processes[0].current._tag, "HalfOpen")
      assert.strictEqual((yield* processes[0].admit)._tag, "Refused")
      yield* processes[0].settle(probe, "Success")
      assert.deepStrictEqual(tags(processes), ["Closed", "Closed", "Closed"])
      yield* processes[1].trip
      assert.deepStrictEqual(tags(processes), ["Closed", "Open", "Closed"])
    })
  )

  it.effect("a voter that fails its own probe votes again", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(55_000)
      yield* processes[0].settle(yield* processes[0].admit, "Failure")
      yield* TestClock.adjust(30_000)
      yield* processes[1].trip
      assert.strictEqual(processes[2].current._tag, "Open")
    })
  )

  it.effect("recovery of a circuit that is open for all is for all", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[1].trip
      yield* TestClock.adjust(openMillis)
      const probe = yield* processes[2].admit
      assert.deepStrictEqual(tags(processes), ["HalfOpen", "HalfOpen", "HalfOpen"])
      assert.strictEqual((yield* processes[0].admit)._tag, "Refused")
      yield* processes[2].settle(probe, "Success")
      assert.deepStrictEqual(tags(processes), ["Closed", "Closed", "Closed"])
      yield* processes[0].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Closed", "Closed"])
    })
  )

  it.effect("a hold reaches a voter that is open alone, and its release closes it", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[1].apply({ _tag: "Hold", as: "HeldClosed" })
      assert.deepStrictEqual(tags(processes), ["HeldClosed", "HeldClosed", "HeldClosed"])
      assert.deepStrictEqual(processes[0].told, ["Open > HeldClosed"])
      yield* processes[2].apply({ _tag: "Release" })
      assert.deepStrictEqual(tags(processes), ["Closed", "Closed", "Closed"])
    })
  )

  it.effect("a voter's own hold and reset are the fleet's", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[0].apply({ _tag: "Hold", as: "HeldOpen" })
      assert.deepStrictEqual(tags(processes), ["HeldOpen", "HeldOpen", "HeldOpen"])
      yield* processes[0].apply({ _tag: "Reset" })
      assert.deepStrictEqual(tags(processes), ["Closed", "Closed", "Closed"])
    })
  )

  it.effect("a reset closes a voter that is open alone", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[1].apply({ _tag: "Reset" })
      assert.deepStrictEqual(tags(processes), ["Closed", "Closed", "Closed"])
    })
  )

  it.effect("a probe of the voter's own is none of the fleet's", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(openMillis)
      const own = yield* processes[0].admit
      yield* processes[1].trip
      yield* processes[2].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Open", "Open"])
      yield* TestClock.adjust(openMillis)
      yield* processes[1].admit
      assert.deepStrictEqual(tags(processes), ["HalfOpen", "HalfOpen", "HalfOpen"])
      yield* processes[0].settle(own, "Success")
      assert.deepStrictEqual(tags(processes), ["HalfOpen", "HalfOpen", "HalfOpen"])
    })
  )

  it.effect("without the table a voter is open alone, and votes when it trips again", () =>
    Effect.gen(function* () {
      const { memory, processes } = yield* fleet(2, 3)
      memory.faults.down = true
      yield* processes[0].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Closed", "Closed"])
      assert.strictEqual((yield* processes[0].admit)._tag, "Refused")
      memory.faults.down = false
      yield* TestClock.adjust("20 seconds")
      yield* processes[0].settle(yield* processes[0].admit, "Failure")
      yield* processes[1].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Open", "Open"])
    })
  )
})
