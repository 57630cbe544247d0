/**
 * Place where circuits are: what the commands need of it, whatever it is.
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Operation from "../../circuit/internal/Operation.ts"
import type * as Failure from "../output/Failure.ts"
import type * as Output from "../output/Output.ts"

/**
 * Circuit of a listing.
 */
export interface Listed {
  /** Differs from that of another listing where the circuit does. */
  readonly version: number | string
  readonly circuit: Output.Circuit
}

/**
 * Circuits at a moment.
 */
export interface Listing {
  /** Time of the place, in milliseconds since the epoch. */
  readonly now: number
  /** Circuits, by name. */
  readonly circuits: ReadonlyArray<Listed>
  /** Circuits that there are. */
  readonly total: number
  /** Circuits that nobody looked at, as there are too many. */
  readonly unlisted: number
}

/**
 * Operation that an operator asks for, with who does it.
 */
export interface Order extends Operation.Operation {
  readonly by: string
}

/**
 * Who is told what a place looks like.
 */
export interface Viewer {
  /** Is told of each change soon, and of the time each second. */
  readonly seen: (listing: Listing) => Effect.Effect<void>
  /** Is told why nothing can be seen, each time that it was tried. */
  readonly away: (message: string) => Effect.Effect<void>
}

/**
 * Place where circuits are.
 */
export interface Place {
  /** Where it is, in words and without secrets. */
  readonly label: string
  /** What it is, in words. */
  readonly kind: string
  /** Fields of JSON that say where it is. */
  readonly fields: Pick<typeof Output.Status.Type, "namespace" | "controlPlane">
  /** Lists the circuits, and in any case one that has the name. */
  readonly list: (name: string | undefined) => Effect.Effect<Listing, Failure.Failure>
  /** Looks on. Fails where nothing is seen at first, or never will be again. */
  readonly watch: (viewer: Viewer) => Effect.Effect<never, Failure.Failure, Scope.Scope>
  /**
   * Checks an order before anything is read or changed, and returns how it is
   * done to a circuit.
   */
  readonly change: (
    order: Order
  ) => Effect.Effect<(circuit: Output.Circuit) => Effect.Effect<Output.Change, Failure.Failure>, Failure.Failure>
}

/**
 * Returns what to say of a listing that lacks circuits.
 */
export const incomplete = ({ total, unlisted }: Listing): string | undefined =>
  unlisted === 0 ? undefined : `only ${total - unlisted} of ${total} circuits are looked at`
