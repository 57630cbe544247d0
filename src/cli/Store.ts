/**
 * What the CLI needs of a store of circuits.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as CircuitTable from "../store/CircuitTable.ts"
import type * as EnvVariables from "../store/internal/EnvVariables.ts"
import type * as Failure from "./Failure.ts"

/**
 * Store of circuits that is somewhere.
 */
export interface Target extends EnvVariables.StoreConfig {
  readonly where: Exclude<EnvVariables.Where, EnvVariables.None>
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
