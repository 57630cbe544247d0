/**
 * A table of circuits in memory that can be slow, hang, fail, lose replies after
 * it wrote, lose its rows, and have a clock of its own.
 */
import { Clock, Effect, Queue } from "effect"
import * as CircuitTable from "../../src/CircuitTable.ts"

/** What is wrong with the table, for all of its clients. */
export interface Faults {
  /** How long each operation takes. */
  takes: number
  /** Every operation fails. */
  down: boolean
  /** No operation ends. */
  frozen: boolean
  /** Writes are done, and their replies do not arrive. */
  losesReplies: boolean
  /** What the table's clock is ahead of the processes'. */
  ahead: number
  /** Nobody hears of writes. */
  deaf: boolean
}

export interface MemoryTable {
  readonly faults: Faults
  readonly rows: Map<string, CircuitTable.Row>
  /** Operations that were asked for. */
  readonly operations: Array<"read" | "changes" | "write" | "listen" | "sweep">
  /** Ends the feeds of all clients. */
  readonly cutFeeds: Effect.Effect<void>
  /** A client's table. */
  readonly table: CircuitTable.CircuitTable
}

export const make = (faults: Partial<Faults> = {}): MemoryTable => {
  const state: Faults = {
    takes: 0,
    down: false,
    frozen: false,
    losesReplies: false,
    ahead: 0,
    deaf: false,
    ...faults
  }
  const rows = new Map<string, CircuitTable.Row>()
  const used = new Map<string, number>()
  const feeds = new Set<Queue.Queue<CircuitTable.Row, CircuitTable.TableError>>()
  const operations: MemoryTable["operations"] = []
  const down = Effect.fail(new CircuitTable.TableError({ message: "connection refused" }))

  const half = Effect.suspend(() =>
    state.frozen ? Effect.never : state.down ? down : state.takes > 0 ? Effect.sleep(state.takes / 2) : Effect.void
  )
  const now = Effect.map(Clock.currentTimeMillis, (millis) => millis + state.ahead)
  const operation = <A>(
    name: (typeof operations)[number],
    body: (now: number) => Effect.Effect<A>
  ): Effect.Effect<A, CircuitTable.TableError> =>
    Effect.suspend(() => {
      operations.push(name)
      return half.pipe(
        Effect.andThen(Effect.flatMap(now, body)),
        Effect.tap(() => (state.losesReplies && name === "write" ? down : half))
      )
    })

  const table: CircuitTable.CircuitTable = {
    read: (keys) =>
      operation("read", (at) => Effect.sync(() => ({ now: at, rows: keys.flatMap((key) => rows.get(key) ?? []) }))),
    changes: (since = Number.NEGATIVE_INFINITY) =>
      operation("changes", (at) =>
        Effect.sync(() => ({ now: at, rows: [...rows.values()].filter((row) => row.updatedAt >= since) }))
      ),
    write: (draft, expected) =>
      operation("write", (at) =>
        Effect.sync(() => {
          const before = rows.get(draft.resourceKey)
          if ((before?.version ?? 0) !== expected) return undefined
          const version = before === undefined ? at * 1000 + 1 : before.version + 1
          const { data, resourceKey, updatedBy } = draft
          const row = { resourceKey, data, updatedBy, version, updatedAt: at }
          rows.set(resourceKey, row)
          used.set(resourceKey, at)
          if (!state.deaf) for (const feed of feeds) Queue.offerUnsafe(feed, row)
          return version
        })
      ),
    listen: Effect.acquireRelease(
      operation("listen", () =>
        Effect.tap(Queue.unbounded<CircuitTable.Row, CircuitTable.TableError>(), (feed) =>
          Effect.sync(() => feeds.add(feed))
        )
      ),
      (feed) => Effect.sync(() => feeds.delete(feed))
    ),
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
  return {
    faults: state,
    rows,
    operations,
    cutFeeds: Effect.suspend(() =>
      Effect.forEach([...feeds], (feed) =>
        Queue.fail(feed, new CircuitTable.TableError({ message: "connection closed" }))
      )
    ),
    table
  }
}
