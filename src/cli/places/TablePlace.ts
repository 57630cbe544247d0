/**
 * Place of circuits that is the table of a store.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Operation from "../../circuit/internal/Operation.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as Output from "../output/Output.ts"
import type * as Place from "./Place.ts"
import * as Print from "../output/Print.ts"
import type * as Stores from "./Stores.ts"

/** How often the table is read if it reports no change. */
const every = 1000
/** How long to gather reported changes. */
const pause = 100

export const make = ({ explain, table }: Stores.Opened, namespace: string): Place.Place => {
  const read = Effect.map(Effect.mapError(table.changes(undefined), explain), ({ now, rows }): Place.Listing => ({
    now,
    circuits: rows.map((row) => ({ version: row.version, circuit: Output.circuit(row, now) })),
    total: rows.length,
    unlisted: 0
  }))
  return {
    label: `namespace ${Print.safe(namespace)}`,
    kind: "store",
    fields: { namespace, controlPlane: null },
    list: () => read,
    watch: Effect.fnUntraced(function* (viewer) {
      yield* Effect.flatMap(read, viewer.seen)
      const heard = yield* Queue.sliding<void>(1)
      yield* Effect.forkScoped(hear(table, heard))
      return yield* Effect.forever(
        Queue.take(heard).pipe(
          Effect.andThen(Effect.sleep(pause)),
          Effect.timeoutOption(every),
          Effect.andThen(read),
          Effect.flatMap(viewer.seen),
          Effect.catch(({ message }) => viewer.away(`${message}; trying again every second`))
        )
      )
    }),
    change: (order) => {
      const { action, by, reason } = order
      // The same line of a runbook may also be for a control plane, which requires a reason.
      const isLost = reason !== undefined && (action === "release" || action === "reset")
      const warning = isLost
        ? Console.error(`resilience: a store does not keep the reason of a ${action}`)
        : Effect.void
      return Effect.as(warning, (circuit: Output.Circuit) =>
        CircuitTable.update(table, circuit.circuit, by, (state, now) => [Operation.apply(order, state, now), now]).pipe(
          Effect.map(({ after, answer: now, before }) => {
            const changed = after !== before
            const written = changed
              ? { circuit: circuit.circuit, changedAt: Print.iso(now) ?? null, changedBy: by }
              : circuit
            return {
              changed,
              before: Output.described(circuit, before, now),
              after: Output.described(written, after, now)
            }
          }),
          Effect.mapError(explain)
        )
      )
    }
  }
}

/** Offers to `heard` whenever the table reports a change. */
const hear = (table: CircuitTable.CircuitTable, heard: Queue.Queue<void>): Effect.Effect<never> =>
  (table.listen === undefined
    ? Effect.never
    : Effect.scoped(
        Effect.flatMap(table.listen, (feed) =>
          Effect.forever(
            Effect.andThen(
              Queue.take(feed),
              Effect.sync(() => Queue.offerUnsafe(heard, undefined))
            )
          )
        )
      )
  ).pipe(
    Effect.ignoreCause,
    // The reads on a timer continue meanwhile.
    Effect.andThen(Effect.sleep(every)),
    Effect.forever
  )
