/**
 * Circuits that a command is given by name.
 */
import * as Argument from "effect/cli/Argument"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Failure from "../output/Failure.ts"
import * as Print from "../output/Print.ts"
import * as Place from "../places/Place.ts"
import * as NamePattern from "./NamePattern.ts"

/**
 * Argument that names circuits.
 */
export const name = Argument.String("NAME").pipe(
  Argument.withMetavar("name"),
  Argument.withDescription("Circuit, or a pattern with *")
)

/**
 * Lists the circuits that a name stands for, and fails where there are none.
 */
export const select = Effect.fnUntraced(function* (
  place: Place.Place,
  pattern: string
): Effect.fn.Return<Place.Listing, Failure.Failure> {
  const listing = yield* place.list(pattern.includes("*") ? undefined : pattern)
  const found = selected(listing, pattern)
  if (pattern.includes("*")) yield* warn(listing)
  if (found.circuits.length > 0) return found
  const named = `no circuit in ${place.label} is named`
  if (pattern.includes("*")) return yield* Failure.unknown(`${named} like ${Print.safe(pattern)}`)
  const names = listing.circuits.map(({ circuit }) => circuit.circuit)
  const near = NamePattern.near(pattern, names, 5).map(Print.safe)
  const hint = near.length === 0 ? "" : `: there is ${near.join(", ")}`
  return yield* Failure.unknown(`${named} ${Print.safe(pattern)}${hint}`)
})

/**
 * Returns a listing of only the circuits that a name stands for.
 */
export const selected = (listing: Place.Listing, pattern: string): Place.Listing => {
  const names = new Set(
    NamePattern.select(
      pattern,
      listing.circuits.map(({ circuit }) => circuit.circuit)
    )
  )
  return { ...listing, circuits: listing.circuits.filter(({ circuit }) => names.has(circuit.circuit)) }
}

/**
 * Says to the operator where a listing lacks circuits.
 */
export const warn = (listing: Place.Listing): Effect.Effect<void> => {
  const text = Place.incomplete(listing)
  return text === undefined ? Effect.void : Console.error(`resilience: ${text}`)
}
