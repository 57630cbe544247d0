/**
 * A store that several instances share and that answers late.
 */
import { Effect } from "effect"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"

/**
 * Creates a store that applies a step after `wait`, to a row that the cells of
 * one name and key share. It writes copies, as a store does that reads rows.
 */
export const slowStore = (wait: Effect.Effect<unknown>, initial: CircuitState.CircuitState) => {
  const rows = new Map<string, CircuitState.CircuitState>()
  const cells = new Set<CircuitStore.Cell>()
  /** Names of the circuits that the store was asked about. */
  const asked: Array<string> = []
  const id = (cell: CircuitStore.Cell) => (cell.key === undefined ? cell.name : `${cell.name}/${cell.key}`)
  const tellOthers = (cell: CircuitStore.Cell, state: CircuitState.CircuitState) =>
    Effect.forEach(
      [...cells].filter((other) => other !== cell && id(other) === id(cell)),
      (other) => {
        const before = other.current
        other.current = structuredClone(state)
        return other.changed(before, other.current)
      },
      { discard: true }
    )
  const store: CircuitStore.CircuitStore["Service"] = {
    attach: (cell) => void cells.add(cell),
    detach: (cell) => void cells.delete(cell),
    status: CircuitStore.local.status,
    update: (cell, now, step) =>
      Effect.suspend(() => {
        asked.push(id(cell))
        return Effect.andThen(
          wait,
          Effect.suspend(() => {
            const before = rows.get(id(cell)) ?? initial
            const [after, answer] = step(before, now)
            rows.set(id(cell), after)
            cell.current = structuredClone(after)
            return Effect.as(tellOthers(cell, after), { before, after, answer })
          })
        )
      })
  }
  return {
    store,
    asked,
    attached: () => [...cells].map(id),
    /** Writes a state as somebody else would. */
    write: (name: string, state: CircuitState.CircuitState) =>
      Effect.suspend(() => {
        rows.set(name, state)
        return Effect.forEach(
          [...cells].filter((cell) => id(cell) === name),
          (cell) => {
            const before = cell.current
            cell.current = structuredClone(state)
            return cell.changed(before, cell.current)
          },
          { discard: true }
        )
      })
  }
}
