import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitQuorum from "../../src/store/internal/CircuitQuorum.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as Cells from "../support/cells.ts"
import * as MemoryTable from "../support/memory-table.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 500, paceMillis: 50 }
const openMillis = 10_000

/** One process of a fleet, with one circuit. */
class Process extends Cells.Cell {
  readonly store: CircuitStore.CircuitStore["Service"]

  constructor(store: CircuitStore.CircuitStore["Service"], key?: string) {
    super("payments", key)
    this.store = store
    store.attach(this)
  }

  override changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState) {
    return before.generation === after.generation ? Effect.void : super.changed(before, after)
  }

  apply(event: CircuitState.Event) {
    const eager = event._tag === "Trip"
    return Effect.tap(Cells.apply(this.store, this, event, config, { eager }), () => TestClock.adjust(5))
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
          CircuitStoreTable.make(memory.table, { log: false, instance: `process ${i}`, quorum: votes, spread: 0 }),
          (store) => new Process(store)
        )
      )
    )
    yield* TestClock.adjust(5)
    return { memory, processes: processes as unknown as readonly [Process, Process, Process] }
  })

/** A store whose other clients are the test. */
class Others {
  /** What the store knows the one cell as. */
  cell: CircuitStore.Cell | undefined
  /** Steps that the store was asked to apply. */
  asked = 0
  /** Whether the store answers. */
  readonly answers = Latch.makeUnsafe(true)

  readonly store: CircuitStore.CircuitStore["Service"] = {
    ...CircuitStore.local,
    attach: (cell) => {
      this.cell = cell
    },
    detach: (cell) => {
      if (this.cell === cell) this.cell = undefined
    },
    update: (cell, now, step) => {
      this.asked++
      return Effect.andThen(
        this.answers.await,
        Effect.suspend(() => CircuitStore.local.update(cell, now, step))
      )
    }
  }

  /** State that the fleet shares. */
  get state(): CircuitState.CircuitState {
    return (this.cell as CircuitStore.Cell).current // attached by then
  }

  /** Moves the times of what the store knows the cell as. */
  shift(state: CircuitState.CircuitState): void {
    const cell = this.cell as CircuitStore.Cell // attached by then
    cell.current = state
  }

  /** Brings what somebody else wrote. */
  write(after: CircuitState.CircuitState) {
    return Effect.suspend(() => {
      const cell = this.cell as CircuitStore.Cell // attached by then
      const before = cell.current
      cell.current = after
      return cell.changed(before, after)
    })
  }
}

const among = (votes: number) => {
  const others = new Others()
  const store = CircuitQuorum.make(others.store, { votes, windowMillis: 60_000, voter: "me" })
  return { others, store, process: new Process(store) }
}

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
      assert.deepStrictEqual(processes[0].told, ["HalfOpen > Open"])
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

  it.effect("the process whose vote makes the quorum knows that it was not the only one", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* processes[1].trip
      assert.deepStrictEqual(processes[1].current, processes[2].current)
    })
  )

  it.effect("the vote of a process counts while it tries its own circuit", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(openMillis)
      yield* processes[0].admit
      yield* processes[1].trip
      assert.deepStrictEqual(tags(processes), ["Open", "Open", "Open"])
    })
  )

  it.effect("a voter that recovers counts its openings on, whoever else votes", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(3, 3)
      yield* processes[0].trip
      yield* TestClock.adjust(openMillis)
      yield* processes[0].settle(yield* processes[0].admit, "Success")
      yield* processes[1].trip
      yield* processes[0].trip
      const openings = processes.map(({ current }) => "openings" in current && current.openings)
      assert.deepStrictEqual(openings, [2, 1, 0])
    })
  )

  it.effect("calls that change nothing ask the table nothing", () =>
    Effect.gen(function* () {
      const { memory, processes } = yield* fleet(2, 3)
      yield* processes[0].trip
      const before = memory.operations.length
      assert.strictEqual((yield* processes[0].admit)._tag, "Refused")
      assert.strictEqual((yield* processes[1].admit)._tag, "Admitted")
      assert.strictEqual(memory.operations.length, before)
    })
  )

  it.effect("circuits of two keys have votes of their own", () =>
    Effect.gen(function* () {
      const { processes } = yield* fleet(2, 2)
      const [eu, us] = [new Process(processes[0].store, "eu"), new Process(processes[1].store, "us")]
      yield* TestClock.adjust(5)
      yield* eu.trip
      yield* us.trip
      yield* processes[0].trip
      assert.deepStrictEqual(tags([processes[0], processes[1], eu, us]), ["Open", "Closed", "Open", "Open"])
      yield* new Process(processes[0].store, "us").trip
      assert.match((us.current as CircuitState.Open).reason, /2 processes/) // it is open
    })
  )
})

describe("a store with a quorum", () => {
  const closed = (generation: number, votes?: ReadonlyArray<CircuitState.Vote>): CircuitState.Closed => ({
    ...CircuitState.initial,
    generation,
    votes
  })
  const theirs: CircuitState.Open = {
    _tag: "Open",
    generation: 5,
    since: 0,
    openings: 1,
    openMillis,
    reason: "theirs"
  }
  const vote = [{ by: "b", at: 0 }]

  it.effect("brings what others wrote into a cell that is not open alone", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      assert.strictEqual(process.current, CircuitState.initial)
      yield* others.write(theirs)
      assert.deepStrictEqual(process.current, theirs)
      yield* process.apply({ _tag: "Admit" })
      yield* TestClock.adjust(openMillis)
      yield* process.admit
      const halfOpen = others.state as CircuitState.HalfOpen // it is by now
      const settled = { ...halfOpen, leases: [] }
      yield* others.write(settled)
      assert.deepStrictEqual(process.current, settled)
      yield* others.write(closed(7))
      assert.deepStrictEqual(process.current, closed(7))
      assert.deepStrictEqual(process.told, ["Closed > Open", "HalfOpen > Closed"])
    })
  )

  it.effect("goes by the times of a clock that was learnt anew, and tells nobody", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* others.write(theirs)
      const { told } = process
      const before = told.length
      others.shift({ ...theirs, since: -50 })
      assert.deepStrictEqual(process.current, { ...theirs, since: -50 })
      assert.strictEqual(told.length, before)
    })
  )

  it.effect("leaves a cell that is open alone its own times", () =>
    Effect.gen(function* () {
      const { others, process } = among(3)
      yield* others.write({ ...closed(5), since: 10 })
      yield* process.trip
      const alone = process.current
      others.shift({ ...closed(5), since: 20 })
      assert.strictEqual(process.current, alone)
    })
  )

  it.effect("continues with the generation of a cell that was half-open before it was attached", () =>
    Effect.gen(function* () {
      const { others, store } = among(2)
      const [current] = CircuitState.admit(theirs, openMillis, config)
      const cell: CircuitStore.Cell = { name: "payments", key: undefined, current, changed: () => Effect.void }
      store.attach(cell)
      const settled = { ...(current as CircuitState.HalfOpen), leases: [] } // its time was over
      yield* others.write(settled)
      assert.deepStrictEqual(cell.current, settled)
    })
  )

  it.effect("takes no vote of others for a change of the circuit", () =>
    Effect.gen(function* () {
      const { others, process } = among(3)
      yield* others.write(closed(0, vote))
      assert.strictEqual(process.current, CircuitState.initial)
      yield* process.trip
      const alone = process.current
      yield* others.write(closed(0, [...vote, { by: "c", at: 0 }]))
      assert.strictEqual(process.current, alone)
    })
  )

  it.effect("opens a voter for all, whatever the generation that others open it with", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* others.write(closed(5))
      yield* process.trip
      yield* others.write(theirs)
      assert.deepStrictEqual(process.current, { ...theirs, generation: 6 })
    })
  )

  it.effect("gives no generation of a cell twice, and no other to the fleet", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* others.write(closed(5))
      yield* process.trip
      yield* TestClock.adjust(openMillis)
      yield* process.settle(yield* process.admit, "Success")
      assert.strictEqual(process.current.generation, 8)
      yield* others.write({ ...theirs, generation: 6, since: 20_000 })
      assert.strictEqual(process.current.generation, 9)
      yield* TestClock.adjust(openMillis * 2)
      const probe = yield* process.admit
      assert.deepStrictEqual([others.state.generation, process.current.generation], [7, 10])
      yield* others.write({ ...(others.state as CircuitState.HalfOpen), ignoredAt: 1 }) // it is by now
      assert.strictEqual(process.current.generation, 10)
      yield* process.settle(probe, "Success")
      assert.deepStrictEqual([others.state.generation, process.current.generation], [8, 11])
      assert.deepStrictEqual([others.state._tag, process.current._tag], ["Closed", "Closed"])
    })
  )

  it.effect("counts as no change that what was open alone is open for all", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* others.write(closed(0, vote))
      yield* process.trip
      assert.strictEqual(others.state._tag, "Open")
      assert.deepStrictEqual(process.current, others.state)
      assert.deepStrictEqual(process.told, [])
    })
  )

  it.effect("opens a voter that recovered before its late vote made the quorum", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* others.write(closed(0, vote))
      others.answers.closeUnsafe()
      yield* process.trip
      yield* TestClock.adjust(openMillis)
      yield* process.settle(yield* process.admit, "Success")
      assert.strictEqual(process.current._tag, "Closed")
      others.answers.openUnsafe()
      yield* TestClock.adjust(5)
      assert.strictEqual(others.state._tag, "Open")
      assert.strictEqual(process.current._tag, "Open")
      assert.deepStrictEqual(process.told, ["Closed > Open"])
    })
  )

  it.effect("asks once a trip, and once a recovery", () =>
    Effect.gen(function* () {
      const { others, process } = among(2)
      yield* process.admit
      assert.strictEqual(others.asked, 0)
      yield* process.trip
      yield* process.admit
      yield* TestClock.adjust(openMillis)
      const probe = yield* process.admit
      assert.strictEqual(others.asked, 1)
      yield* process.settle(probe, "Success")
      assert.strictEqual(others.asked, 2)
    })
  )

  it("brings no changes into a cell that was detached", () => {
    const { others, process, store } = among(2)
    assert.isDefined(others.cell)
    store.detach(process)
    assert.isUndefined(others.cell)
  })
})

describe("vote", () => {
  const window = 60_000
  const now = 100_000
  const mine: CircuitState.Open = {
    _tag: "Open",
    generation: 9,
    since: now - 5,
    openings: 4,
    openMillis,
    reason: "5 consecutive failures",
    failures: 5
  }
  const voted = (...votes: ReadonlyArray<CircuitState.Vote>): CircuitState.Closed => ({
    _tag: "Closed",
    generation: 2,
    since: 50,
    openings: 3,
    openMillis: now,
    votes
  })
  const cast = (state: CircuitState.CircuitState, votes = 2) =>
    CircuitQuorum.vote({ votes, windowMillis: window, voter: "me" }, mine)(state, now)[0]

  it("stands in the fleet's state until there are enough", () => {
    assert.deepStrictEqual(cast(CircuitState.initial), { ...CircuitState.initial, votes: [{ by: "me", at: now }] })
    const others = [
      { by: "b", at: now - 1 },
      { by: "c", at: now - 2 }
    ]
    assert.deepStrictEqual(cast(voted(...others), 4), voted(...others, { by: "me", at: now }))
  })

  it("opens the circuit as the fleet counts, for the reason of the last voter", () => {
    assert.deepStrictEqual(cast(voted({ by: "b", at: now - 1 })), {
      ...mine,
      generation: 3,
      since: now,
      openings: 4,
      reason: "5 consecutive failures (2 processes)"
    })
    assert.deepStrictEqual(cast({ ...voted({ by: "b", at: now }), openMillis: 1 }), {
      ...mine,
      generation: 3,
      since: now,
      openings: 1,
      reason: "5 consecutive failures (2 processes)"
    })
  })

  it("takes the place of the same process's earlier one", () => {
    assert.deepStrictEqual(cast(voted({ by: "me", at: now - 1 })), voted({ by: "me", at: now }))
  })

  const ages: ReadonlyArray<readonly [millis: number, counts: boolean]> = [
    [window - 1, true],
    [window, false],
    [window + 1, false],
    [1 - window, true],
    [-window, false]
  ]
  for (const [age, counts] of ages) {
    it(`${counts ? "counts" : "leaves out"} one that is ${age} ms old`, () => {
      const after = cast(voted({ by: "b", at: now - age }))
      if (counts) assert.strictEqual(after._tag, "Open")
      else assert.deepStrictEqual(after, voted({ by: "me", at: now }))
    })
  }

  it("leaves a circuit that is not closed as it is", () => {
    const held = CircuitState.hold(CircuitState.initial, { as: "HeldClosed" }, now)
    for (const state of [mine, held]) {
      const step = CircuitQuorum.vote({ votes: 2, windowMillis: window, voter: "me" }, { ...mine, openMillis: 1 })
      assert.deepStrictEqual(step(state, now), [state, undefined])
      assert.strictEqual(step(state, now)[0], state)
    }
  })
})

describe("withdraw", () => {
  const voted = (...by: ReadonlyArray<string>): CircuitState.Closed => ({
    ...CircuitState.initial,
    votes: by.map((by) => ({ by, at: 1 }))
  })
  const withdraw = (state: CircuitState.CircuitState) => CircuitQuorum.withdraw("me")(state, 5)

  it("takes back the vote of the process, and no other", () => {
    assert.deepStrictEqual(withdraw(voted("b", "me", "c")), [voted("b", "c"), undefined])
    assert.deepStrictEqual(withdraw(voted("me")), [voted(), undefined])
  })

  it("returns the identical state where there is none", () => {
    const open = CircuitState.trip(CircuitState.initial, { generation: 0, openMillis, reason: "down" }, 5)
    for (const state of [CircuitState.initial, voted(), voted("b"), open]) {
      const after = withdraw(state)
      assert.strictEqual(after[0], state)
      assert.deepStrictEqual(after, [state, undefined])
    }
  })
})
