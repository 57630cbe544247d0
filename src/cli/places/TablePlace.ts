/**
 * Place of circuits that is the table of a store.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Operation from "../../circuit/internal/Operation.ts"
import * as Redact from "../../core/internal/Redact.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as Output from "../output/Output.ts"
import type * as Place from "./Place.ts"
import * as Print from "../output/Print.ts"
import type * as Stores from "./Stores.ts"

/** How often the table is read if it reports no change. */
const every = 1000
/** How long to gather reported changes at least. Anybody may report one, so what is not true is gathered longer. */
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
      const first = yield* read
      yield* viewer.seen(first)
      const heard = yield* Queue.sliding<void>(1)
      yield* Effect.forkScoped(hear(table, heard))
      let gather = pause
      let last = versions(first)
      const seen = (listing: Place.Listing) => {
        const now = versions(listing)
        gather = now === last ? Math.min(every / 2, gather * 2) : pause
        last = now
        return viewer.seen(listing)
      }
      return yield* Effect.forever(
        Queue.take(heard).pipe(
          Effect.andThen(Effect.suspend(() => Effect.sleep(gather))),
          Effect.timeoutOption(every),
          Effect.tap((told) => {
            if (Option.isNone(told)) gather = pause
            return Effect.void
          }),
          Effect.andThen(read),
          Effect.flatMap(seen),
          Effect.catch(({ message }) => viewer.away(`${message}; trying again every second`))
        )
      )
    }),
    change: (order) => {
      const { action, reason } = order
      const by = Redact.credentials(order.by)
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

const versions = ({ circuits }: Place.Listing): string =>
  JSON.stringify(circuits.map(({ circuit, version }) => [circuit.circuit, version]))

/** Offers to `heard` whenever the table reports a change. */
const hear = (table: CircuitTable.CircuitTable, heard: Queue.Queue<void>): Effect.Effect<never> =>
  (table.listen === undefined
    ? Effect.never
    : Effect.scoped(
        Effect.flatten(
          table.listen(({ resourceKey }) => {
            if (resourceKey !== undefined) Queue.offerUnsafe(heard, undefined)
          })
        )
      )
  ).pipe(
    Effect.ignoreCause,
    // The reads on a timer continue meanwhile.
    Effect.andThen(Effect.sleep(every)),
    Effect.forever
  )
