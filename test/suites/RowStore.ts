/**
 * The least store that several processes can share: rows with a version, a
 * compare-and-set, and a feed that says which row changed. It shows that the
 * laws are those of a table in a database, with nothing but memory.
 */
import { Clock, Effect, Fiber, Queue, Schema } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitState from "../../src/CircuitState.ts"
import * as CircuitStore from "../../src/CircuitStore.ts"
import type { Fleet } from "./CircuitStoreSuite.ts"

type Store = CircuitStore.CircuitStore["Service"]

interface Row {
  readonly version: number
  readonly state: string
}

interface Table {
  readonly rows: Map<string, Row>
  readonly feeds: Set<Queue.Queue<string>>
}

const idOf = (cell: CircuitStore.Cell): string =>
  JSON.stringify(cell.key === undefined ? [cell.name] : [cell.name, cell.key])

const encode = Schema.encodeSync(Schema.fromJsonString(CircuitState.CircuitState))
const decode = Schema.decodeSync(Schema.fromJsonString(CircuitState.CircuitState))

/** Opens a client, every operation of which takes so long. */
const openClient = (table: Table, takes: number): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const trip = takes === 0 ? Effect.void : Effect.sleep(takes)
    const attached = new Map<string, Set<CircuitStore.Cell>>()
    const versions = new WeakMap<CircuitStore.Cell, number>()
    const feed = yield* Queue.unbounded<string>()
    table.feeds.add(feed)

    /** Brings a row into a cell that knows an older one, and says so. */
    const bring = (cell: CircuitStore.Cell, row: Row, state: CircuitState.CircuitState) =>
      Effect.suspend(() => {
        if (row.version <= (versions.get(cell) ?? 0)) return Effect.void
        const before = cell.current
        versions.set(cell, row.version)
        cell.current = state
        return cell.changed(before, state)
      })

    const refresh = (id: string) =>
      Effect.gen(function* () {
        yield* trip
        const row = table.rows.get(id)
        if (row === undefined) return
        for (const cell of attached.get(id) ?? []) yield* bring(cell, row, decode(row.state))
      })

    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(feed), refresh)))

    return {
      attach: (cell) => {
        const id = idOf(cell)
        attached.set(id, (attached.get(id) ?? new Set()).add(cell))
        Queue.offerUnsafe(feed, id)
      },
      detach: (cell) => {
        attached.get(idOf(cell))?.delete(cell)
      },
      status: CircuitStore.local.status,
      update: (cell, _now, step) =>
        Effect.gen(function* () {
          const id = idOf(cell)
          for (;;) {
            yield* trip
            const row = table.rows.get(id)
            const known = versions.get(cell) ?? 0
            // The cell holds the row of the version that it knows.
            if (row !== undefined && row.version > known) yield* bring(cell, row, decode(row.state))
            const before = cell.current
            const version = versions.get(cell) ?? 0
            const now = yield* Clock.currentTimeMillis
            const [after, answer] = step(before, now)
            if (after === before) return { before, after, answer }
            yield* trip
            if ((table.rows.get(id)?.version ?? 0) !== version) continue
            const state = encode(after)
            table.rows.set(id, { version: version + 1, state })
            versions.set(cell, version + 1)
            cell.current = after
            for (const each of table.feeds) if (each !== feed) Queue.offerUnsafe(each, id)
            return { before, after, answer }
          }
        })
    }
  })

/** Opens a table and its clients, on the TestClock. */
export const openFleet = (clients: number, takes: number): Effect.Effect<Fleet, never, Scope.Scope> =>
  Effect.gen(function* () {
    const table: Table = { rows: new Map(), feeds: new Set() }
    return {
      clients: yield* Effect.all(Array.from({ length: clients }, () => openClient(table, takes))),
      drive: (effect) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
          while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(takes)
          return yield* Fiber.join(fiber)
        }),
      sleep: (millis) => TestClock.adjust(millis),
      settle: TestClock.adjust(takes * 100 + 1)
    }
  })
