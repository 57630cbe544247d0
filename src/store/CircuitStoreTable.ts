/**
 * Stores that share circuits through a table, whatever the database.
 *
 * **Details**
 *
 * - Each cell is a view of a row. Calls read the view; the store keeps it in
 *   step by listening to the table, and by asking it from time to time in case
 *   a message was lost. A view only moves forward.
 * - A message is a hint to read a row, and never a fact: a view follows what was
 *   read. Many messages are one read, and messages that are not true cost few.
 * - An update reads the row, applies the step at the table's time and writes
 *   the row where its version is still the same, else it begins again, up to 20
 *   times. After that the circuit continues alone until the next poll. An eager
 *   update changes the view at once and the row after that.
 * - No operation takes longer than `timeout`, and neither does an update with all
 *   of its operations. After one that failed, or took longer, the process decides
 *   for itself: steps change its views without asking, and one operation every
 *   `pollEvery` finds out whether the table is back. Then every view that was
 *   changed meanwhile and its row are reconciled: a hold wins, then an open circuit
 *   whose time is not over, then the later state.
 * - A row that cannot be read counts as closed, is reported, and healed by the
 *   next write.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as CircuitStore from "./CircuitStore.ts"
import type * as CircuitTable from "./CircuitTable.ts"
import * as CircuitQuorum from "./internal/CircuitQuorum.ts"
import * as CircuitReplica from "./internal/CircuitReplica.ts"
import { Replicas } from "./internal/Replicas.ts"
import { StoreLog } from "./internal/StoreLog.ts"
import * as StoreOptions from "./internal/StoreOptions.ts"
import { TableLink } from "./internal/TableLink.ts"
import { Updates } from "./internal/Updates.ts"
import { Upkeep } from "./internal/Upkeep.ts"

export { Config, defaults, describe, resolve } from "./internal/StoreOptions.ts"
export type { ConfigJson, Options, Resolved } from "./internal/StoreOptions.ts"

/**
 * Creates a store that shares circuits through a table, until the scope closes.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` as a defect for an option that breaks a rule.
 */
export const make = (
  table: CircuitTable.CircuitTable,
  options?: StoreOptions.Options
): Effect.Effect<CircuitStore.CircuitStore["Service"], never, Scope.Scope> =>
  Effect.map(begin(table, options), ({ store }) => store)

/**
 * Provides a store that shares circuits through a table.
 *
 * **Details**
 *
 * It is built once the rows were read, so that no circuit of a fleet begins
 * closed, or once `timeout` is over.
 */
export const layer = <E, R>(
  table: Effect.Effect<CircuitTable.CircuitTable, E, R>,
  options?: StoreOptions.Options
): Layer.Layer<CircuitStore.CircuitStore, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    CircuitStore.CircuitStore,
    Effect.flatMap(table, (made) => Effect.flatMap(begin(made, options), ({ ready, store }) => Effect.as(ready, store)))
  )

const drawn = /* @__PURE__ */ Random.nextIntBetween(0, 2 ** 32)

// `ready` ends with the first answer of the table, or without one after `timeout`.
const begin = (
  table: CircuitTable.CircuitTable,
  options?: StoreOptions.Options
): Effect.Effect<
  { readonly store: CircuitStore.CircuitStore["Service"]; readonly ready: Effect.Effect<void> },
  never,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const resolved = StoreOptions.resolve(options)
    const instance = resolved.instance ?? (yield* drawn).toString(16).padStart(8, "0")
    // Where two processes have the same name, their writes still differ.
    const session = (yield* drawn).toString(36)
    const now = yield* Clock.currentTimeMillis
    const log = new StoreLog(instance, resolved.log)
    const link = new TableLink(resolved.timeout, now, log, {
      onLost: () => upkeep.lost(),
      onBack: () => upkeep.pullAll(),
      onShift: (millis) => {
        for (const replica of replicas.all) CircuitReplica.shift(replica, millis)
      }
    })
    const replicas = new Replicas(link, log, session, yield* Queue.sliding<void>(1))
    const updates = new Updates(table, link, replicas, { ...resolved, instance })
    const upkeep = new Upkeep({ table, link, replicas, updates, log }, resolved, now)
    yield* upkeep.start
    const store = serviceOf({ link, replicas, updates, upkeep })
    const { quorum: votes, voteWindow: windowMillis } = resolved
    const voter = `${instance}-${session}`
    return {
      store: votes === 1 ? store : CircuitQuorum.make(store, { votes, windowMillis, voter }),
      ready: upkeep.ready.await
    }
  })

const serviceOf = ({
  link,
  replicas,
  updates,
  upkeep
}: {
  readonly link: TableLink
  readonly replicas: Replicas
  readonly updates: Updates
  readonly upkeep: Upkeep
}): CircuitStore.CircuitStore["Service"] => ({
  attach: (cell) => {
    const replica = replicas.of(cell)
    if (CircuitReplica.isShared(replica)) replicas.attach(replica, upkeep.rowFound(replica.resourceKey))
  },
  detach: (cell) => replicas.detach(replicas.of(cell)),
  update: (cell, now, step, { eager = false } = {}) => {
    const replica = replicas.of(cell)
    return eager || link.isAway || !CircuitReplica.isShared(replica)
      ? Exit.succeed(replicas.locally(replica, now, step))
      : link.orAway(updates.update(replica, step), replicas.locallyNow(replica, step))
  },
  status: Effect.sync(() => ({
    shared: true,
    pending: replicas.all.filter(({ dirty }) => dirty).length,
    ...link.reachability.status
  }))
})
