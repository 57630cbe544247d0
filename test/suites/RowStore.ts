/**
 * The least store that several processes can share: rows with a version, a
 * compare-and-set, and a feed that says which row changed. It shows that the
 * laws are those of a table in a database, with nothing but memory.
 */
import { Clock, Effect, Queue, Schema } from "effect"
import type { Scope } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"

type Store = CircuitStore.CircuitStore["Service"]

interface Row {
  readonly version: number
  readonly state: string
}

interface Table {
  readonly rows: Map<string, Row>
  readonly feeds: Set<Queue.Queue<string>>
}

/** What a store can do wrong. */
export type Flaw =
  | "loses updates"
  | "steps from its view"
  | "goes back"
  | "tells nobody"
  | "tells twice"
  | "tells first"
  | "reports another state"

const idOf = (cell: CircuitStore.Cell): string =>
  JSON.stringify(cell.key === undefined ? [cell.name] : [cell.name, cell.key])

const encode = Schema.encodeSync(Schema.fromJsonString(CircuitState.CircuitState))
const decode = Schema.decodeSync(Schema.fromJsonString(CircuitState.CircuitState))

/** Opens a client, every operation of which takes so long. */
const openClient = (table: Table, takes: number, flaw: Flaw | undefined): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const trip = takes === 0 ? Effect.void : Effect.sleep(takes)
    const attached = new Map<string, Set<CircuitStore.Cell>>()
    const versions = new WeakMap<CircuitStore.Cell, number>()
    const feed = yield* Queue.unbounded<string>()
    table.feeds.add(feed)

    /** Brings a row into a cell that knows an older one, and says so. */
    const bring = (cell: CircuitStore.Cell, row: Row, state: CircuitState.CircuitState) =>
      Effect.suspend(() => {
        if (row.version <= (versions.get(cell) ?? 0) && flaw !== "goes back") return Effect.void
        const before = cell.current
        versions.set(cell, row.version)
        const write = Effect.sync(() => {
          cell.current = state
        })
        if (flaw === "tells nobody") return write
        const tell = cell.changed(before, state)
        if (flaw === "tells twice") return Effect.all([write, tell, tell])
        return flaw === "tells first" ? Effect.andThen(tell, write) : Effect.andThen(write, tell)
      })

    // All that changed meanwhile is read at one time.
    const refresh = Effect.flatMap(Queue.takeAll(feed), (ids) =>
      Effect.gen(function* () {
        const early = flaw === "goes back" ? new Map(table.rows) : table.rows
        yield* trip
        for (const id of new Set(ids)) {
          const row = early.get(id)
          if (row === undefined) continue
          for (const cell of attached.get(id) ?? []) yield* bring(cell, row, decode(row.state))
        }
      })
    )

    yield* Effect.forkScoped(Effect.forever(refresh))

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
            if (flaw !== "steps from its view" && row !== undefined && row.version > known)
              yield* bring(cell, row, decode(row.state))
            const before = cell.current
            const version = versions.get(cell) ?? 0
            const now = yield* Clock.currentTimeMillis
            const [after, answer] = step(before, now)
            if (after === before) return { before, after, answer }
            yield* trip
            if ((table.rows.get(id)?.version ?? 0) !== version && flaw !== "loses updates") continue
            const state = encode(after)
            table.rows.set(id, { version: version + 1, state })
            versions.set(cell, version + 1)
            cell.current = after
            for (const each of table.feeds) if (each !== feed) Queue.offerUnsafe(each, id)
            if (flaw === "reports another state") return { before: CircuitState.initial, after, answer }
            return { before, after, answer }
          }
        })
    }
  })

/** Opens a table and its clients, on the TestClock. */
export const openFleet = (
  clients: number,
  takes: number,
  flaw?: Flaw
): Effect.Effect<CircuitStoreLaws.Fleet, never, Scope.Scope> =>
  Effect.gen(function* () {
    const table: Table = { rows: new Map(), feeds: new Set() }
    const stores = yield* Effect.all(Array.from({ length: clients }, () => openClient(table, takes, flaw)))
    return CircuitStoreLaws.testFleet(stores, { settle: takes * 100 + 1 })
  })
