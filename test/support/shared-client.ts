/**
 * Clients of shared circuits: a store over a table, a circuit, and what happens to
 * it by a machine.
 */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Cells from "./cells.ts"

type Store = CircuitStore.CircuitStore["Service"]

export type Client = Effect.Success<ReturnType<typeof join>>

/** Attaches a circuit to a store, and lets the store become idle. */
export const join = (store: Store, machine: CircuitState.Config, name?: string) =>
  Effect.gen(function* () {
    const cell = new CircuitHistory.Cell(name)
    store.attach(cell)
    yield* TestClock.adjust(10)
    const apply = (event: CircuitState.Event, options?: CircuitStore.UpdateOptions) =>
      Cells.apply(store, cell, event, machine, options)
    return { store, cell, apply }
  })

/** Opens a store over a table, for one circuit. */
export const open = (
  table: CircuitTable.CircuitTable,
  machine: CircuitState.Config,
  options?: CircuitStoreTable.Options
) =>
  Effect.flatMap(
    CircuitStoreTable.make(table, { timeout: 100, pollEvery: 1000, spread: 0, log: false, ...options }),
    (store) => join(store, machine)
  )

/** Returns the state that stands in the row of a circuit. */
export const stateOf = (rows: ReadonlyMap<string, CircuitTable.Row>, resourceKey = "payments") =>
  CircuitTable.decode(rows.get(resourceKey)?.data ?? "")?.state
