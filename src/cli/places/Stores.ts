/**
 * Access of the CLI to stores of circuits.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as CircuitTable from "../../store/CircuitTable.ts"
import type * as EnvVariables from "../../store/internal/EnvVariables.ts"
import type * as Failure from "../output/Failure.ts"

/**
 * Store that has an address.
 */
export interface Target extends EnvVariables.StoreConfig {
  readonly where: Exclude<EnvVariables.Where, EnvVariables.None>
}

/**
 * Open table of circuits, with the messages of its errors.
 */
export interface Opened {
  readonly table: CircuitTable.CircuitTable
  readonly explain: (error: CircuitTable.TableError) => Failure.Failure
}

export class Stores extends Context.Service<
  Stores,
  {
    readonly open: (target: Target) => Effect.Effect<Opened, Failure.Failure, Scope.Scope>
    /** Creates the table, or brings it up to date. */
    readonly setup: (target: Target) => Effect.Effect<"created" | "updated" | "current", Failure.Failure>
    /** Name of the person at the terminal. */
    readonly operator: string
  }
>()("effect-resilience/cli/Stores") {}
