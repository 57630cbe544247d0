import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Cells from "../support/cells.ts"
import * as MemoryTable from "../support/memory-table.ts"

type Store = CircuitStore.CircuitStore["Service"]

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 50 }

const apply = (
  store: Store,
  cell: CircuitStore.Cell,
  event: CircuitState.Event,
  options?: CircuitStore.UpdateOptions
) => Cells.apply(store, cell, event, config, options)

const hold: CircuitState.Event = { _tag: "Hold", as: "HeldOpen", reason: "maintenance", by: "ops" }
const trip = (generation: number, openMillis = 10_000): CircuitState.Event => ({
  _tag: "Trip",
  generation,
  openMillis,
  reason: "5 consecutive failures",
  failures: 5
})

const open = (memory: MemoryTable.MemoryTable, options: CircuitStoreTable.Options = {}) =>
  CircuitStoreTable.make(memory.table, { log: false, instance: "me", pollEvery: "4 seconds", spread: 0, ...options })

/** Attaches a circuit and lets the store become idle. */
const attach = (store: Store, name?: string, key?: string) =>
  Effect.gen(function* () {
    const cell = new Cells.Cell(name, key)
    store.attach(cell)
    yield* TestClock.adjust(1)
    return { cell, told: cell.told }
  })

const entryOf = (memory: MemoryTable.MemoryTable, resourceKey = "payments") =>
  CircuitTable.decode(memory.rows.get(resourceKey)?.data ?? "")?.state

describe("CircuitStoreTable", () => {
  it.effect("a store that is idle only polls", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      yield* attach(store)
      memory.operations.length = 0
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual([...new Set(memory.operations)], ["changes"])
      assert.isAtLeast(memory.operations.length, 8)
      assert.isAtMost(memory.operations.length, 13)
    })
  )

  it.effect("a breaker is in the table before anything happens to it, a key only after", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      yield* attach(store)
      const { cell } = yield* attach(store, "payments", "eu")
      assert.deepStrictEqual([...memory.rows.keys()], ["payments"])
      yield* apply(store, cell, hold)
      assert.deepStrictEqual([...memory.rows.keys()], ["payments", "payments:eu"])
    })
  )

  it.effect("an eager step is in the cell at once, whatever the table does, and in the table after that", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      memory.faults.takes = 100
      const applied = store.update(cell, 0, (state, now) => CircuitState.transition(state, trip(0), now, config), {
        eager: true
      })
      assert.isTrue(Exit.isExit(applied))
      assert.strictEqual(cell.current._tag, "Open")
      assert.strictEqual(entryOf(memory)?._tag, "Closed")
      yield* TestClock.adjust(250)
      assert.strictEqual(entryOf(memory)?._tag, "Open")
      assert.strictEqual((yield* store.status).pending, 0)
    })
  )

  it.effect(
    "of many processes that ask when an open time ends, those that hear of the first one's probe read it and ask for none",
    () =>
      Effect.gen(function* () {
        const memory = MemoryTable.make()
        const processes = yield* Effect.forEach(
          Array.from({ length: 50 }, (_, i) => i),
          (i) =>
            Effect.gen(function* () {
              const store = yield* open(memory, { instance: `process ${i}`, pollEvery: "1 hour", spread: "100 millis" })
              return { store, ...(yield* attach(store)) }
            })
        )
        const [first] = processes
        assert.isDefined(first)
        yield* apply(first.store, first.cell, trip(0, 10_000), { eager: true })
        yield* TestClock.adjust("10 seconds")
        memory.operations.length = 0
        const asking = yield* Effect.forkChild(
          Effect.all(
            processes.map(({ cell, store }) => apply(store, cell, { _tag: "Admit" })),
            { concurrency: "unbounded" }
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust(100)
        const answers = (yield* Fiber.join(asking)).map(({ answer }) => answer._tag)
        assert.strictEqual(answers.filter((tag) => tag === "Admitted").length, 1)
        assert.strictEqual(answers.filter((tag) => tag === "Refused").length, 49)
        assert.strictEqual(memory.operations.filter((each) => each === "write").length, 1)
        // Each reads what it heard of. Only some had their turn before they heard.
        assert.isBelow(memory.operations.length, 75)
      })
  )

  it.effect("a breaker that is made while the circuit is open for the fleet admits no call", () =>
    Effect.gen(function* () {
      for (const quorum of [1, 2]) {
        const memory = MemoryTable.make()
        const store = yield* open(memory)
        const { cell } = yield* attach(store)
        yield* apply(store, cell, hold)
        const late = yield* Layer.build(
          CircuitStoreTable.layer(Effect.succeed(memory.table), { log: false, spread: 0, quorum })
        )
        const made = new Cells.Cell()
        Context.get(late, CircuitStore.CircuitStore).attach(made)
        assert.strictEqual(made.current._tag, "HeldOpen")
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(made.told, ["Closed > HeldOpen"])
      }
    })
  )

  it.effect("a layer waits no longer than the timeout for a table that does not answer", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make({ frozen: true })
      const built = yield* Effect.forkChild(
        Layer.build(CircuitStoreTable.layer(Effect.succeed(memory.table), { log: false, timeout: 300 })),
        { startImmediately: true }
      )
      yield* TestClock.adjust(299)
      assert.isUndefined(built.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(built.pollUnsafe())
    })
  )

  it.effect("two processes that trip at one time each open once", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make({ takes: 4 })
      const [one, two] = [yield* open(memory), yield* open(memory, { instance: "other" })]
      yield* TestClock.adjust(100)
      const [a, b] = [yield* attach(one), yield* attach(two)]
      yield* TestClock.adjust(100)
      yield* apply(one, a.cell, trip(0), { eager: true })
      yield* TestClock.adjust(1)
      yield* apply(two, b.cell, trip(0), { eager: true })
      yield* TestClock.adjust(100)
      assert.deepStrictEqual([a.cell.current._tag, b.cell.current._tag], ["Open", "Open"])
      assert.deepStrictEqual([a.cell.current.generation, b.cell.current.generation], [1, 1])
    })
  )

  it.effect("an eager trip gives way to what the fleet had by then", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const [mine, other] = [yield* open(memory), yield* open(memory, { instance: "other" })]
      const { cell, told } = yield* attach(mine)
      const far = yield* attach(other)
      memory.faults.deaf = true
      yield* apply(other, far.cell, { _tag: "Hold", as: "HeldClosed" })
      yield* apply(mine, cell, trip(0), { eager: true })
      assert.strictEqual(cell.current._tag, "Open")
      yield* TestClock.adjust(1)
      assert.strictEqual(cell.current._tag, "HeldClosed")
      assert.deepStrictEqual(told, ["Open > HeldClosed"])
      assert.isAbove(cell.current.generation, 1)
    })
  )

  it.effect("an update takes no longer than the timeout, and is applied alone then", () =>
    Effect.gen(function* () {
      for (const fault of ["frozen", "down"] as const) {
        const memory = MemoryTable.make()
        const store = yield* open(memory, { timeout: "300 millis" })
        const { cell } = yield* attach(store)
        memory.faults[fault] = true
        const fiber = yield* Effect.forkChild(apply(store, cell, hold), { startImmediately: true })
        yield* TestClock.adjust(fault === "frozen" ? 299 : 0)
        if (fault === "frozen") {
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust(1)
        }
        yield* Fiber.join(fiber)
        assert.strictEqual(cell.current._tag, "HeldOpen")
        assert.deepInclude(yield* store.status, {
          reachable: false,
          pending: 1,
          errors: 1,
          lastError: fault === "frozen" ? "no answer within 300 ms" : "connection refused"
        })
      }
    })
  )

  it.effect("an update has one timeout for all that it asks, and its row has what was decided alone then", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory, { timeout: "300 millis" })
      const { cell } = yield* attach(store)
      memory.faults.takes = 200
      const fiber = yield* Effect.forkChild(apply(store, cell, hold), { startImmediately: true })
      yield* TestClock.adjust(299)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(fiber.pollUnsafe())
      assert.strictEqual(cell.current._tag, "HeldOpen")
      assert.deepInclude(yield* store.status, { reachable: false, lastError: "no answer within 300 ms" })
      yield* TestClock.adjust("10 seconds")
      assert.deepInclude(yield* store.status, { reachable: true, pending: 0 })
      assert.strictEqual(entryOf(memory)?._tag, "HeldOpen")
    })
  )

  it.effect("updates that wait for each other do not take the table for away", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory, { timeout: "300 millis" })
      const { cell } = yield* attach(store)
      memory.faults.takes = 100
      const all = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 5 }, () => apply(store, cell, { _tag: "Reset" })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1000)
      yield* Fiber.join(all)
      assert.strictEqual(entryOf(memory)?.generation, 5)
      assert.deepInclude(yield* store.status, { reachable: true, pending: 0, errors: 0 })
    })
  )

  it.effect("of many updates that wait for a table that hangs, none waits for another timeout", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory, { timeout: "300 millis" })
      const { cell } = yield* attach(store)
      memory.faults.frozen = true
      const all = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 10 }, () => apply(store, cell, { _tag: "Reset" })),
          { concurrency: "unbounded" }
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(300)
      assert.isDefined(all.pollUnsafe())
      assert.strictEqual(cell.current.generation, 10)
    })
  )

  it.effect("an update that is interrupted is in the view where it is in the row, whenever that was", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory, { pollEvery: "1 hour" })
      const { cell } = yield* attach(store)
      let interrupted = 0
      for (let turns = 0; turns < 120; turns++) {
        const updating = yield* Effect.forkChild(
          Effect.provideService(apply(store, cell, { _tag: "Reset" }), References.MaxOpsBeforeYield, 3)
        )
        for (let i = 0; i < turns; i++) yield* Effect.yieldNow
        if (updating.pollUnsafe() === undefined) interrupted++
        yield* Fiber.interrupt(updating)
        yield* apply(store, cell, { _tag: "Reset" })
        assert.deepStrictEqual(cell.current, entryOf(memory))
        assert.strictEqual(cell.current.generation, memory.writes.length - 1)
      }
      assert.isAbove(interrupted, 50)
      // Some of them were in the row by then.
      assert.isAbove(memory.writes.length - 120, 120 - interrupted)
      assert.deepInclude(yield* store.status, { reachable: true, pending: 0 })
    })
  )

  it.effect("without the table every update is an Exit, and one operation a poll asks whether it is back", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      memory.faults.down = true
      yield* apply(store, cell, hold)
      memory.operations.length = 0
      for (let i = 0; i < 100; i++) {
        const applied = store.update(cell, 0, (state, now) =>
          CircuitState.transition(state, { _tag: "Reset" }, now, config)
        )
        assert.isTrue(Exit.isExit(applied))
        yield* TestClock.adjust(400)
      }
      assert.isAtLeast(memory.operations.length, 8)
      assert.isAtMost(memory.operations.length, 13)
    })
  )

  it.effect("what a process came to alone is in the table within two polls of its return, and reaches the others", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const [mine, other] = [yield* open(memory), yield* open(memory, { instance: "other" })]
      const { cell } = yield* attach(mine)
      const far = yield* attach(other)
      memory.faults.down = true
      yield* apply(mine, cell, { _tag: "Reset" })
      yield* apply(mine, cell, trip(1, 600_000))
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual([cell.current._tag, far.cell.current._tag], ["Open", "Closed"])
      memory.faults.down = false
      yield* TestClock.adjust("8 seconds")
      assert.deepStrictEqual([cell.current._tag, far.cell.current._tag], ["Open", "Open"])
      assert.deepStrictEqual(far.told, ["Closed > Open"])
      assert.deepInclude(yield* mine.status, { reachable: true, pending: 0 })
    })
  )

  it.effect("what the fleet came to without a process reaches it within two polls", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const mine = yield* open(memory)
      const { cell, told } = yield* attach(mine)
      memory.faults.down = true
      yield* apply(mine, cell, trip(0, 1000))
      memory.faults.down = false
      yield* CircuitTable.update(memory.table, "payments", "ops", (state, now) =>
        CircuitState.transition(state, hold, now, config)
      )
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(cell.current._tag, "HeldOpen")
      assert.deepStrictEqual(told, ["Open > HeldOpen"])
    })
  )

  it.effect("a change that nobody told of is found by the next poll", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const [mine, other] = [yield* open(memory), yield* open(memory, { instance: "other" })]
      const { cell } = yield* attach(mine)
      const far = yield* attach(other)
      yield* TestClock.adjust("30 seconds")
      memory.faults.deaf = true
      yield* apply(mine, cell, hold)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(far.cell.current._tag, "HeldOpen")
    })
  )

  it.effect("a feed that is cut is listened to again, and nothing is missed", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const [mine, other] = [yield* open(memory), yield* open(memory, { instance: "other" })]
      const { cell } = yield* attach(mine)
      const far = yield* attach(other)
      yield* memory.cutFeeds
      yield* apply(mine, cell, hold)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(far.cell.current._tag, "HeldOpen")
      assert.isTrue((yield* other.status).reachable)
      yield* apply(mine, cell, { _tag: "Release" })
      yield* TestClock.adjust(5)
      assert.strictEqual(far.cell.current._tag, "Closed")
    })
  )

  it.effect("an answer that was lost after the write is not counted twice", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      const two = { ...config, probes: 2, needed: 2, of: 3 }
      const step = (event: CircuitState.Event) =>
        Effect.suspend(() => store.update(cell, 0, (state, now) => CircuitState.transition(state, event, now, two)))
      yield* apply(store, cell, trip(0, 1))
      yield* TestClock.adjust(10)
      yield* step({ _tag: "Admit" })
      memory.faults.losesReplies = true
      const settle = {
        _tag: "Settle",
        generation: 2,
        permit: 1,
        outcome: "Success",
        openMillis: 1,
        reason: ""
      } as const
      yield* step(settle)
      memory.faults.losesReplies = false
      yield* TestClock.adjust("8 seconds")
      const state = entryOf(memory)
      assert.strictEqual(state?._tag === "HalfOpen" && state.successes, 1)
      assert.strictEqual(cell.current._tag === "HalfOpen" && cell.current.successes, 1)
    })
  )

  it.effect("times in the table are the table's, and those of a view are the process's", () =>
    Effect.gen(function* () {
      for (const ahead of [3_600_000, -3_600_000]) {
        yield* TestClock.setTime(10_000_000)
        const memory = MemoryTable.make({ ahead })
        const store = yield* open(memory)
        const { cell } = yield* attach(store)
        yield* apply(store, cell, trip(0, 10_000))
        const row = entryOf(memory)
        const now = 10_000_001
        assert.strictEqual(row?.since, now + ahead)
        assert.strictEqual(cell.current.since, now)
        assert.strictEqual((yield* apply(store, cell, { _tag: "Admit" })).answer._tag, "Refused")
        yield* TestClock.adjust(10_000)
        assert.strictEqual((yield* apply(store, cell, { _tag: "Admit" })).answer._tag, "Admitted")
      }
    })
  )

  it.effect("a clock of the process that jumps moves the views with it", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      yield* apply(store, cell, trip(0, 60_000))
      const before = cell.current.since
      // The table's clock says that only four seconds passed.
      memory.faults.ahead = -3_600_000
      yield* TestClock.adjust("1 hour")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(cell.current.since, before + 3_600_000)
      assert.strictEqual((yield* apply(store, cell, { _tag: "Admit" })).answer._tag, "Refused")
    })
  )

  it.effect("a row that cannot be read counts as closed, is reported once, and healed by the next write", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const memory = MemoryTable.make()
      yield* Effect.gen(function* () {
        const store = yield* open(memory, { log: true })
        const { cell } = yield* attach(store)
        yield* apply(store, cell, hold)
        const row = memory.rows.get("payments") as CircuitTable.Row
        memory.rows.set("payments", {
          ...row,
          data: `{"state":{"_tag":"Ajar"}}`,
          version: row.version + 1,
          updatedAt: yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        })
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(cell.current._tag, "Closed")
        yield* apply(store, cell, trip(cell.current.generation))
        assert.strictEqual(entryOf(memory)?._tag, "Open")
        assert.strictEqual(cell.current._tag, "Open")
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, ["Circuit store has a row that cannot be read, it counts as closed: payments"])
    })
  )

  it.effect("a row that is spoilt again and again is reported once, until it could be read", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const memory = MemoryTable.make()
      yield* Effect.gen(function* () {
        const store = yield* open(memory, { log: true })
        const { cell } = yield* attach(store)
        yield* attach(store, "search")
        const spoil = (times: number) =>
          Effect.gen(function* () {
            for (let i = 0; i < times; i++) {
              for (const resourceKey of ["payments", "search"]) {
                const { version } = memory.rows.get(resourceKey)!
                const draft = CircuitTable.draft(resourceKey, { state: CircuitState.initial, operation: "" }, "x")
                yield* memory.table.write({ ...draft, data: `no JSON ${i}` }, version)
              }
              yield* TestClock.adjust(100)
            }
          })
        yield* spoil(200)
        assert.lengthOf(lines, 2)
        yield* apply(store, cell, hold)
        yield* spoil(10)
        assert.lengthOf(lines, 3)
      }).pipe(Effect.provide(Logger.layer([logger])))
      const line = "Circuit store has a row that cannot be read, it counts as closed"
      assert.deepStrictEqual(lines, [`${line}: payments`, `${line}: search`, `${line}: payments`])
    })
  )

  it.effect("says once that the table is away, and once that it is back", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      const memory = MemoryTable.make()
      yield* Effect.gen(function* () {
        yield* attach(yield* open(memory, { log: true }))
        memory.faults.down = true
        yield* TestClock.adjust("60 seconds")
        memory.faults.down = false
        yield* TestClock.adjust("60 seconds")
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(lines.length, 2)
      assert.strictEqual(lines[0], "Warn Circuit store does not answer, circuits continue alone: connection refused")
      assert.match(lines[1] ?? "", /^Info Circuit store answers again, after \d+ ms$/)
    })
  )

  it.effect("a table that lost its rows gets what the processes know", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      yield* apply(store, cell, hold)
      memory.faults.down = true
      yield* TestClock.adjust("10 seconds")
      memory.rows.clear()
      memory.faults.down = false
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(entryOf(memory)?._tag, "HeldOpen")
    })
  )

  it.effect("a table that lost its rows without being away gets them again", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      yield* apply(store, cell, hold)
      memory.rows.clear()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(entryOf(memory)?._tag, "HeldOpen")
    })
  )

  it.effect("a table that was set back to an older version is followed, and not waited for", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store)
      const old = memory.rows.get("payments") as CircuitTable.Row
      yield* apply(store, cell, hold)
      const { generation } = cell.current
      memory.faults.down = true
      yield* TestClock.adjust("10 seconds")
      memory.rows.set("payments", old)
      memory.faults.down = false
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(cell.current._tag, "Closed")
      assert.isAbove(cell.current.generation, generation - 1)
      yield* apply(store, cell, trip(cell.current.generation))
      assert.strictEqual(entryOf(memory)?._tag, "Open")
    })
  )

  it.effect("rows that nobody uses are removed in steps, and not those in use, open or held", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const closed = (name: string) =>
        memory.table.write(
          CircuitTable.draft(name, { state: CircuitState.initial, operation: "" }, "somebody who is gone"),
          0
        )
      for (let i = 0; i < 250; i++) yield* closed(`idle ${i}`)
      yield* closed("held")
      yield* CircuitTable.update(memory.table, "held", "ops", (state, now) =>
        CircuitState.transition(state, hold, now, config)
      )
      const store = yield* open(memory, { keepFor: "1 day", sweepEvery: "6 hours", pollEvery: "10 minutes" })
      yield* attach(store)
      yield* TestClock.adjust("14 hours")
      assert.strictEqual(memory.rows.size, 252)
      memory.operations.length = 0
      yield* TestClock.adjust("24 hours")
      assert.deepStrictEqual([...memory.rows.keys()].sort(), ["held", "payments"])
      assert.isAtLeast(memory.operations.filter((each) => each === "sweep").length, 3)
    })
  )

  it.effect("a circuit with a key that is too long for a row is this process's own", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      const { cell } = yield* attach(store, "payments", "x".repeat(750))
      memory.operations.length = 0
      yield* apply(store, cell, hold)
      assert.strictEqual(cell.current._tag, "HeldOpen")
      assert.deepStrictEqual(memory.operations, [])
    })
  )

  it.effect("many circuits are read by few operations", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const store = yield* open(memory)
      yield* TestClock.adjust(1)
      memory.operations.length = 0
      for (let i = 0; i < 1000; i++) store.attach(new Cells.Cell("search", `tenant ${i}`))
      yield* TestClock.adjust(1)
      assert.strictEqual(memory.operations.length, 5)
    })
  )

  it.effect("a mistake in what hears of changes is logged, and the store continues", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      const memory = MemoryTable.make()
      yield* Effect.gen(function* () {
        const [one, other] = [yield* open(memory), yield* open(memory, { instance: "other" })]
        const { cell } = yield* attach(one)
        const far = yield* attach(other)
        other.attach({
          name: "payments",
          key: undefined,
          current: CircuitState.initial,
          changed: () => Effect.die(new Error("a mistake"))
        })
        yield* apply(one, cell, hold)
        yield* TestClock.adjust("20 seconds")
        yield* apply(one, cell, { _tag: "Release" })
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(far.cell.current._tag, "Closed")
        assert.deepStrictEqual(far.told.length, 2)
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.match(lines[0] ?? "", /^Error Circuit store met a defect and continues/)
    })
  )

  it.effect("a store whose scope closed asks nothing any more", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      yield* Effect.scoped(Effect.flatMap(open(memory), (store) => attach(store)))
      memory.operations.length = 0
      yield* TestClock.adjust("2 days")
      assert.deepStrictEqual(memory.operations, [])
    })
  )

  it.effect("options that cannot work are refused when the store is made", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      for (const [options, message] of [
        [{ timeout: 0 }, /CircuitStore.*timeout/],
        [{ pollEvery: "soon" as never }, /CircuitStore.*pollEvery/],
        [{ keepFor: Number.NaN }, /CircuitStore.*keepFor/],
        [{ sweepEvery: Number.POSITIVE_INFINITY }, /CircuitStore.*sweepEvery/],
        [{ spread: "-1 millis" as never }, /CircuitStore.*spread/],
        [{ quorum: 0 }, /CircuitStore.*quorum/],
        [{ quorum: 1.5 }, /CircuitStore.*quorum/],
        [{ voteWindow: "0 seconds" }, /CircuitStore.*voteWindow/],
        [{ instance: "" }, /CircuitStore.*instance/],
        [{ instance: "i".repeat(201) }, /CircuitStore.*instance must be a non-empty string of up to 200 characters/]
      ] as const) {
        const exit = yield* Effect.exit(CircuitStoreTable.make(memory.table, options))
        assert.isTrue(Exit.hasDies(exit))
        assert.match(JSON.stringify(Exit.isFailure(exit) ? String(exit.cause) : ""), message)
      }
    })
  )
})
