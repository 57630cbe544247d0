/**
 * Circuits of a process, as a store sees them, and steps of the machine on them.
 */
import { Effect } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"

/** Cell that remembers what it was told of changes by others, as `Closed > Open`. */
export class Cell implements CircuitStore.Cell {
  readonly name: string
  readonly key: string | undefined
  current: CircuitState.CircuitState = CircuitState.initial
  readonly told: Array<string> = []

  constructor(name = "payments", key?: string) {
    this.name = name
    this.key = key
  }

  changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState): Effect.Effect<void> {
    return Effect.sync(() => void this.told.push(`${before._tag} > ${after._tag}`))
  }
}

/** Applies an event to a cell through its store, at the time that it is when the effect runs. */
export const apply = (
  store: CircuitStore.CircuitStore["Service"],
  cell: CircuitStore.Cell,
  event: CircuitState.Event,
  config: CircuitState.Config,
  options?: CircuitStore.UpdateOptions
) =>
  Effect.clockWith((clock) =>
    Effect.suspend(() =>
      store.update(
        cell,
        clock.currentTimeMillisUnsafe(),
        (state, at) => CircuitState.transition(state, event, at, config),
        options
      )
    )
  )
