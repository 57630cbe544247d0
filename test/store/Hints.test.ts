import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Cells from "../support/cells.ts"
import * as MemoryTable from "../support/memory-table.ts"

/** Opens a store of an idle process that polls each minute, with circuits of these keys. */
const open = (memory: MemoryTable.MemoryTable, keys: ReadonlyArray<string> = [], log = false) =>
  Effect.gen(function* () {
    const store = yield* CircuitStoreTable.make(memory.table, { log, pollEvery: "1 minute", spread: 0 })
    const cell = new Cells.Cell()
    store.attach(cell)
    for (const key of keys) store.attach(new Cells.Cell("payments", key))
    yield* TestClock.adjust(10)
    memory.operations.length = 0
    return { store, cell, version: () => memory.rows.get("payments")!.version }
  })

const write = (memory: MemoryTable.MemoryTable, key = "payments") =>
  CircuitTable.update(memory.table, key, "ops", (state, now) => [CircuitState.reset(state, now), undefined])

const logged = () => {
  const lines: Array<string> = []
  return { lines, layer: Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))]) }
}

describe("hints of a table", () => {
  it.effect("are one read for all that came within 5 milliseconds", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const keys = Array.from({ length: 100 }, (_, i) => `${i}`)
      const { cell } = yield* open(memory, keys)
      for (const key of keys) yield* write(memory, `payments:${key}`)
      yield* write(memory)
      yield* write(memory)
      memory.operations.length = 0
      yield* TestClock.adjust(4)
      assert.deepStrictEqual(memory.operations, [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(memory.operations, ["read"])
      assert.strictEqual(cell.current.generation, 2)
      yield* TestClock.adjust("50 seconds")
      assert.deepStrictEqual(memory.operations, ["read"])
    })
  )

  it.effect("of 450 circuits are three reads", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const keys = Array.from({ length: 450 }, (_, i) => `${i}`)
      yield* open(memory, keys)
      for (const key of keys) memory.tell({ resourceKey: `payments:${key}`, version: 5 })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(memory.operations, ["read", "read", "read"])
    })
  )

  it.effect("of a version that is known, of a row that nobody here has, and of an own write are no read", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { cell, store, version } = yield* open(memory)
      memory.tell({ resourceKey: "payments", version: version() })
      memory.tell({ resourceKey: "payments", version: version() - 1 })
      memory.tell({ resourceKey: "search", version: version() + 1 })
      memory.tell({ resourceKey: "search", version: undefined })
      memory.tell({ resourceKey: undefined, version: undefined })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(memory.operations, [])
      yield* store.update(cell, 0, (state, now) => [CircuitState.reset(state, now), undefined])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(memory.operations, ["read", "write"])
    })
  )

  it.effect("that are not true cost ever fewer reads, whatever they say", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const keys = ["a", "b", "c"]
      const { cell, version } = yield* open(memory, keys)
      const current = cell.current
      const perSecond: Array<number> = []
      for (let second = 0; second < 50; second++) {
        memory.operations.length = 0
        for (let i = 0; i < 200; i++) {
          for (let j = 0; j < 5; j++) {
            const said = [version() + i, Number.MAX_SAFE_INTEGER, undefined, 1 / 0][(i + j) % 4]
            memory.tell({ resourceKey: j === 0 ? "payments" : `payments:${keys[j % 3]}`, version: said })
          }
          yield* TestClock.adjust(5)
        }
        perSecond.push(memory.operations.length)
      }
      assert.isAtMost(perSecond[0]!, 8)
      for (const reads of perSecond.slice(1)) assert.isAtMost(reads, 1)
      assert.isAtMost(
        perSecond.slice(10).reduce((sum, each) => sum + each),
        4
      )
      assert.strictEqual(cell.current, current)
      assert.strictEqual(memory.writes.length, 1)
    })
  )

  it.effect("are followed at once again after one that was true, and after a time without any", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { cell } = yield* open(memory)
      const lie = Effect.gen(function* () {
        for (let i = 0; i < 100; i++) {
          memory.tell({ resourceKey: "payments", version: undefined })
          yield* TestClock.adjust(10)
        }
      })
      yield* lie
      // A second of lies is a pause of up to a second.
      yield* write(memory)
      yield* TestClock.adjust(1300)
      assert.strictEqual(cell.current.generation, 1)
      yield* write(memory)
      yield* TestClock.adjust(5)
      assert.strictEqual(cell.current.generation, 2)

      yield* lie
      yield* TestClock.adjust("61 seconds")
      yield* write(memory)
      yield* TestClock.adjust(5)
      assert.strictEqual(cell.current.generation, 3)
    })
  )

  it.effect("that are not true are reported once, until there are none for a while", () => {
    const { layer, lines } = logged()
    return Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { version } = yield* open(memory, [], true)
      memory.tell({ resourceKey: "payments", version: version() + 1 })
      yield* TestClock.adjust("1 second")
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /^Circuit store hears messages that no write sent/)
      for (let i = 0; i < 200; i++) {
        memory.tell({ resourceKey: undefined, version: undefined })
        memory.tell({ resourceKey: "payments", version: Number.MAX_SAFE_INTEGER })
        yield* TestClock.adjust("1 second")
      }
      assert.lengthOf(lines, 1)
      yield* TestClock.adjust("5 minutes")
      memory.tell({ resourceKey: undefined, version: undefined })
      yield* TestClock.adjust("1 second")
      assert.lengthOf(lines, 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("of rows that this process does not have are not reported, nor those without a version", () => {
    const { layer, lines } = logged()
    return Effect.gen(function* () {
      const memory = MemoryTable.make()
      yield* open(memory, [], true)
      memory.tell({ resourceKey: "search", version: Number.MAX_SAFE_INTEGER })
      memory.tell({ resourceKey: "payments", version: undefined })
      yield* write(memory)
      memory.rows.delete("payments")
      memory.tell({ resourceKey: "payments", version: Number.MAX_SAFE_INTEGER })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(lines, [])
    }).pipe(Effect.provide(layer))
  })

  it.effect("of a row that is gone write none", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      yield* open(memory)
      memory.rows.delete("payments")
      memory.operations.length = 0
      memory.tell({ resourceKey: "payments", version: undefined })
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(memory.operations, ["read"])
      assert.strictEqual(memory.rows.size, 0)
    })
  )

  it.effect("that come while the table is away are no reads: all rows are read when it is back", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { cell, store } = yield* open(memory)
      // Heard before, and not read yet.
      memory.tell({ resourceKey: "payments", version: undefined })
      yield* TestClock.adjust(1)
      memory.faults.down = true
      yield* store.update(cell, 0, (state, now) => [CircuitState.reset(state, now), undefined])
      assert.isFalse((yield* store.status).reachable)
      memory.operations.length = 0
      for (let i = 0; i < 100; i++) {
        memory.tell({ resourceKey: "payments", version: undefined })
        yield* TestClock.adjust(50)
      }
      assert.deepStrictEqual(memory.operations, [])
      memory.faults.down = false
      yield* TestClock.adjust("2 minutes")
      yield* write(memory)
      yield* TestClock.adjust(5)
      assert.strictEqual(
        cell.current.generation,
        CircuitTable.decode(memory.rows.get("payments")!.data)?.state.generation
      )
    })
  )

  it.effect("whose read fails are followed when the table is back", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { cell, store } = yield* open(memory)
      yield* write(memory)
      memory.faults.down = true
      yield* TestClock.adjust("5 millis")
      assert.isFalse((yield* store.status).reachable)
      memory.faults.down = false
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(cell.current.generation, 1)
    })
  )

  it.effect("never let a write start from what was only heard", () =>
    Effect.gen(function* () {
      const memory = MemoryTable.make()
      const { cell, store, version } = yield* open(memory)
      for (const said of [version() + 1, Number.MAX_SAFE_INTEGER]) {
        memory.tell({ resourceKey: "payments", version: said })
        yield* write(memory)
        yield* store.update(cell, 0, (state, now) => [CircuitState.reset(state, now), undefined])
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(
        memory.writes.map(({ after }) => CircuitTable.decode(after.data)?.state.generation),
        [0, 1, 2, 3, 4]
      )
      assert.strictEqual(cell.current.generation, 4)
    })
  )
})
