/**
 * Circuit stores: how the state of a circuit is kept in step with others.
 *
 * **Details**
 *
 * - A `Cell` holds a circuit's state. Its process reads it without asking
 *   anybody. A store changes the cell, and applies the changes of others to it.
 * - A store applies pure steps and does not know what they mean. Over a
 *   database it reads a row with its version, applies the step at the
 *   database's time, writes the row where the version still is the same, and
 *   begins again where it is not.
 * - `local` shares with nobody: a step is applied to the cell at once, and the
 *   effect that `update` returns is an `Exit` already.
 *
 * **Example** (Applying a step to a cell)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitState, CircuitStore } from "effect-resilience"
 *
 * const cell: CircuitStore.Cell = { name: "payments", key: undefined, current: CircuitState.initial, changed: () => Effect.void }
 * const hold = CircuitStore.local.update(cell, 1_000, (state, now) =>
 *   CircuitState.transition(state, { _tag: "Hold", as: "HeldOpen" }, now, { probes: 1, needed: 1, of: 1, leaseMillis: 1, paceMillis: 1 })
 * )
 *
 * const { before, after } = await Effect.runPromise(hold)
 * const tags = [before._tag, after._tag, cell.current._tag]
 * tags // => ["Closed", "HeldOpen", "HeldOpen"]
 * ```
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as CircuitState from "../circuit/CircuitState.ts"

/**
 * Place where one process keeps the state of one circuit.
 */
export interface Cell {
  /** Name of the breaker. */
  readonly name: string
  /** Key of the circuit, absent for the breaker's own. */
  readonly key: string | undefined
  /** State as this process knows it. Only the store writes it. */
  current: CircuitState.CircuitState
  /**
   * Called by the store, after it wrote `current`, for a change that somebody
   * else made. The effect reports the change.
   */
  readonly changed: (before: CircuitState.CircuitState, after: CircuitState.CircuitState) => Effect.Effect<void>
}

/**
 * Pure step from a state to the next one, with an answer.
 */
export type Step<A> = (
  state: CircuitState.CircuitState,
  now: number
) => readonly [state: CircuitState.CircuitState, answer: A]

/**
 * Result of a step.
 */
export interface Applied<A> {
  readonly before: CircuitState.CircuitState
  readonly after: CircuitState.CircuitState
  readonly answer: A
}

/**
 * Options of an update.
 */
export interface UpdateOptions {
  /**
   * Whether the step is applied to the cell at once and to the store after that,
   * so that a process is protected without waiting. Default: false.
   */
  readonly eager?: boolean | undefined
}

/**
 * Status of a store.
 */
export interface Status {
  /** Whether the store keeps circuits in step with other processes. */
  readonly shared: boolean
  /** Whether the store answers. While it does not, each process decides for itself. */
  readonly reachable: boolean
  /** When `reachable` last changed, in milliseconds since the epoch. */
  readonly since: number
  /** Circuits with a change that is not in the store yet. */
  readonly pending: number
  /** Operations on the database since the store was made. */
  readonly operations: number
  /** Operations that failed or took too long. */
  readonly errors: number
  /** Message of the last of these errors. */
  readonly lastError: string | undefined
}

/**
 * Service that keeps the state of circuits in step with others.
 *
 * **Details**
 *
 * - `attach` begins to apply the changes of others to the cell, `detach` ends
 *   that. Neither waits.
 * - `update` applies a step to the latest state and writes the cell before it
 *   succeeds. `now` is the caller's clock, in milliseconds; a store with a clock
 *   of its own does not use it. A step may be applied several times, so it must
 *   have no effects. `update` does not fail: a store that cannot be reached
 *   applies the step to the cell only, and reconciles both later.
 * - `status` returns the status of the store without asking the database.
 */
export class CircuitStore extends Context.Service<
  CircuitStore,
  {
    readonly attach: (cell: Cell) => void
    readonly detach: (cell: Cell) => void
    readonly update: <A>(cell: Cell, now: number, step: Step<A>, options?: UpdateOptions) => Effect.Effect<Applied<A>>
    readonly status: Effect.Effect<Status>
  }
>()("effect-resilience/CircuitStore") {}

/**
 * Store that shares with nobody.
 */
export const local: CircuitStore["Service"] = {
  attach: () => {},
  detach: () => {},
  update: (cell, now, step) => {
    const before = cell.current
    const [after, answer] = step(before, now)
    cell.current = after
    return Exit.succeed({ before, after, answer })
  },
  status: /* @__PURE__ */ (() =>
    Exit.succeed({
      shared: false,
      reachable: true,
      since: 0,
      pending: 0,
      operations: 0,
      errors: 0,
      lastError: undefined
    }))()
}

/**
 * Provides the store that shares with nobody.
 */
export const layerLocal: Layer.Layer<CircuitStore> = /* @__PURE__ */ (() => Layer.succeed(CircuitStore, local))()
