/**
 * A table of circuits in memory that can be slow, hang, fail, lose replies after
 * it wrote, write late, lose its rows, and have a clock of its own.
 */
import { Clock, Effect, Fiber, Queue, Random } from "effect"
import * as CircuitTable from "../../src/store/CircuitTable.ts"

/** What is wrong with the table, for all of its clients or for one. */
export interface Faults {
  /** How long each operation takes. */
  takes: number
  /** Whether an operation takes any time up to twice as long. */
  varies: boolean
  /** Every operation fails. */
  down: boolean
  /** No operation ends. */
  frozen: boolean
  /** Writes are done, and their replies do not arrive. */
  losesReplies: boolean
  /** Writes are done, and nothing says so. */
  hangsReplies: boolean
  /** Writes that were given up are done all the same. */
  late: boolean
  /** What the table's clock is ahead of the processes'. */
  ahead: number
  /** No write finds the version that it expects. */
  conflicts: boolean
  /** Nobody hears of writes. */
  deaf: boolean
}

export interface MemoryTable {
  readonly faults: Faults
  readonly rows: Map<string, CircuitTable.Row>
  /** Operations that were asked for. */
  readonly operations: Array<"read" | "changes" | "write" | "listen" | "sweep">
  /** Writes that were done. */
  readonly writes: Array<{
    readonly at: number
    /** What the table's clock was ahead by. */
    readonly ahead: number
    readonly before: CircuitTable.Row | undefined
    readonly after: CircuitTable.Row
  }>
  /** Operations that have not ended. */
  readonly running: () => number
  /** Clients that listen. */
  readonly listeners: () => number
  /** Tells all who listen, as somebody who may not write. */
  readonly tell: (hint: CircuitTable.Hint) => void
  /** Ends the feeds of all clients. */
  readonly cutFeeds: Effect.Effect<void>
  /** Does what a restart from a backup does: the rows are these, and nobody listens. */
  readonly restart: (rows: ReadonlyMap<string, CircuitTable.Row>) => Effect.Effect<void>
  /** A client's table. */
  readonly table: CircuitTable.CircuitTable
  /** A table of a client that has faults of its own. All clients have one clock, that of the table. */
  readonly client: () => { readonly faults: Faults; readonly table: CircuitTable.CircuitTable }
}

const none: Faults = {
  takes: 0,
  varies: false,
  down: false,
  frozen: false,
  losesReplies: false,
  hangsReplies: false,
  late: false,
  ahead: 0,
  conflicts: false,
  deaf: false
}

// What somebody spoilt is not seen.
const seen = (row: CircuitTable.Row): CircuitTable.Row => ({
  ...row,
  version: Number.isSafeInteger(row.version) && row.version > 0 ? row.version : 0,
  data: Buffer.byteLength(row.data) <= CircuitTable.maxData ? row.data : ""
})

export const make = (faults: Partial<Faults> = {}): MemoryTable => {
  const state: Faults = { ...none, ...faults }
  const rows = new Map<string, CircuitTable.Row>()
  const used = new Map<string, number>()
  const feeds = new Map<Queue.Queue<CircuitTable.Hint, CircuitTable.TableError>, Faults>()
  const writes: MemoryTable["writes"] = []
  let running = 0
  const operations: MemoryTable["operations"] = []
  const down = Effect.fail(new CircuitTable.TableError({ message: "connection refused" }))

  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis + state.ahead)

  const tableOf = (own: Faults): CircuitTable.CircuitTable => {
    const half = Effect.flatMap(Random.next, (random) => {
      if (state.frozen || own.frozen) return Effect.never
      if (state.down || own.down) return down
      const takes = Math.max(state.takes, own.takes)
      if (takes === 0) return Effect.void
      return Effect.sleep(state.varies ? Math.round(takes * random) : takes / 2)
    })
    const operation = <A>(
      name: (typeof operations)[number],
      body: (now: number) => Effect.Effect<A>
    ): Effect.Effect<A, CircuitTable.TableError> =>
      Effect.suspend(() => {
        operations.push(name)
        running++
        const work = Effect.andThen(half, Effect.flatMap(now, body))
        const goesOn = name === "write" && (state.late || own.late)
        return (goesOn ? Effect.flatMap(Effect.forkDetach(work, { startImmediately: true }), Fiber.join) : work).pipe(
          Effect.tap(() => {
            if (name === "write" && (state.losesReplies || own.losesReplies)) return down
            if (name === "write" && (state.hangsReplies || own.hangsReplies)) return Effect.never
            return half
          }),
          Effect.ensuring(Effect.sync(() => running--))
        )
      })

    return {
      read: (keys) =>
        operation("read", (at) =>
          Effect.sync(() => ({ now: at, rows: keys.flatMap((key) => rows.get(key) ?? []).map(seen) }))
        ),
      changes: (since = Number.NEGATIVE_INFINITY) =>
        operation("changes", (at) =>
          Effect.sync(() => ({ now: at, rows: [...rows.values()].filter((row) => row.updatedAt >= since).map(seen) }))
        ),
      write: (draft, expected) =>
        operation("write", (at) =>
          Effect.sync(() => {
            const before = rows.get(draft.resourceKey)
            const micros = Math.floor(at * 1000)
            const last = before === undefined ? 0 : seen(before).version
            if (last !== expected || state.conflicts) return undefined
            const version = last < Number.MAX_SAFE_INTEGER - 1 ? Math.max(last + 1, micros) : micros
            const { data, resourceKey, updatedBy } = draft
            const row = { resourceKey, data, updatedBy, version, updatedAt: at }
            rows.set(resourceKey, row)
            used.set(resourceKey, at)
            writes.push({ at, ahead: state.ahead, before, after: row })
            for (const [feed, { deaf }] of feeds)
              if (!state.deaf && !deaf) Queue.offerUnsafe(feed, { resourceKey, version })
            return version
          })
        ),
      listen: (hear) =>
        Effect.andThen(
          operation("listen", () => Effect.void),
          Effect.acquireRelease(
            Effect.tap(Queue.unbounded<CircuitTable.Hint, CircuitTable.TableError>(), (feed) =>
              Effect.sync(() => feeds.set(feed, own))
            ),
            (feed) => Effect.sync(() => feeds.delete(feed))
          )
        ).pipe(Effect.map((feed) => Effect.forever(Effect.map(Queue.takeAll(feed), (hints) => hints.forEach(hear))))),
      sweep: ({ idleMillis, limit, used: keys }) =>
        operation("sweep", (at) =>
          Effect.sync(() => {
            for (const key of keys) if (rows.has(key)) used.set(key, at)
            const idle = [...rows.values()]
              .filter(({ data, resourceKey }) => {
                const entry = CircuitTable.decode(data)
                return entry?.state._tag === "Closed" && (used.get(resourceKey) ?? 0) <= at - idleMillis
              })
              .slice(0, limit)
            for (const { resourceKey } of idle) rows.delete(resourceKey)
            return idle.length
          })
        )
    }
  }
  const cutFeeds = Effect.suspend(() =>
    Effect.forEach([...feeds.keys()], (feed) =>
      Queue.fail(feed, new CircuitTable.TableError({ message: "connection closed" }))
    )
  )
  return {
    faults: state,
    rows,
    operations,
    writes,
    running: () => running,
    listeners: () => feeds.size,
    tell: (hint) => {
      for (const feed of feeds.keys()) Queue.offerUnsafe(feed, hint)
    },
    cutFeeds,
    restart: (from) =>
      Effect.suspend(() => {
        rows.clear()
        for (const [key, row] of from) rows.set(key, row)
        return cutFeeds
      }),
    table: tableOf(none),
    client: () => {
      const own = { ...none }
      return { faults: own, table: tableOf(own) }
    }
  }
}
