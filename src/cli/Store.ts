/**
 * What the CLI needs of a store of circuits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as CircuitTable from "../CircuitTable.ts"
import * as CircuitTableSql from "../CircuitTableSql.ts"
import type * as StoreConfig from "../StoreConfig.ts"
import type * as Failure from "./Failure.ts"
import * as Settings from "./Settings.ts"

/**
 * Store of circuits that is somewhere.
 */
export interface Target extends StoreConfig.StoreConfig {
  readonly where: Exclude<StoreConfig.Where, StoreConfig.None>
}

/**
 * Table of circuits that is open, and the error of an operation in words.
 */
export interface Opened {
  readonly table: CircuitTable.CircuitTable
  readonly explain: (error: CircuitTable.TableError) => Failure.Failure
}

/**
 * What the CLI needs of a store of circuits.
 */
export class Store extends Context.Service<
  Store,
  {
    /** Opens the table. */
    readonly open: (target: Target) => Effect.Effect<Opened, Failure.Failure, Scope.Scope>
    /** Makes the table, or brings it up to date. */
    readonly setup: (target: Target) => Effect.Effect<"created" | "updated" | "current", Failure.Failure>
    /** Name of the person at the terminal. */
    readonly operator: string
  }
>()("effect-resilience/cli/Store") {}

/**
 * Opens the table that the flags and the environment name.
 */
export const open = Effect.gen(function* () {
  const { open } = yield* Store
  const config = yield* Settings.config
  if (config.where._tag === "None") return yield* Settings.nowhere
  const opened = yield* open({ ...config, where: config.where })
  return { ...opened, namespace: config.namespace ?? CircuitTableSql.defaults.namespace }
})
