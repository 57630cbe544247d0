/**
 * Place where circuits are: a store or a control plane, as the commands use it.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Operation from "../../circuit/internal/Operation.ts"
import type * as Failure from "../output/Failure.ts"
import type * as Output from "../output/Output.ts"

export interface Listed {
  /** Differs between two listings if the circuit differs. */
  readonly version: number | string
  readonly circuit: Output.Circuit
}

/**
 * Circuits at a moment.
 */
export interface Listing {
  /** Time of the place, in milliseconds since the epoch. */
  readonly now: number
  /** Sorted by name. */
  readonly circuits: ReadonlyArray<Listed>
  /** Number of all circuits. */
  readonly total: number
  /** Number of circuits that are not listed, because there are too many. */
  readonly unlisted: number
}

/**
 * Operation with the name of its operator, for whom it is required.
 */
export interface Order extends Operation.Operation {
  readonly by: string
}

/**
 * Receiver of the listings of a place.
 */
export interface Viewer {
  /** Called soon after each change, and each second for the time. */
  readonly seen: (listing: Listing) => Effect.Effect<void>
  /** Called with the reason, each time that the place did not answer. */
  readonly away: (message: string) => Effect.Effect<void>
}

export interface Place {
  /** Location in words, without secrets. */
  readonly label: string
  /** Kind in words: `store` or `control plane`. */
  readonly kind: string
  /** Location as fields of JSON. */
  readonly fields: Pick<typeof Output.Status.Type, "namespace" | "controlPlane">
  /** Lists the circuits, and always the one of that name. */
  readonly list: (name: string | undefined) => Effect.Effect<Listing, Failure.Failure>
  /** Watches the circuits. Fails if the first listing fails, or if none can follow. */
  readonly watch: (viewer: Viewer) => Effect.Effect<never, Failure.Failure, Scope.Scope>
  /**
   * Checks an order before anything is read or changed, and returns a function that
   * applies it to a circuit.
   */
  readonly change: (
    order: Order
  ) => Effect.Effect<(circuit: Output.Circuit) => Effect.Effect<Output.Change, Failure.Failure>, Failure.Failure>
}

/**
 * Returns the warning of a listing that lacks circuits.
 */
export const incomplete = ({ total, unlisted }: Listing): string | undefined =>
  unlisted === 0 ? undefined : `only ${total - unlisted} of ${total} circuits are listed`
