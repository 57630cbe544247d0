/**
 * Circuits that the argument of a command selects.
 */
import * as Argument from "effect/cli/Argument"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Failure from "../output/Failure.ts"
import * as Print from "../output/Print.ts"
import * as Place from "../places/Place.ts"
import * as NamePattern from "./NamePattern.ts"

export const name = Argument.String("NAME").pipe(
  Argument.withMetavar("name"),
  Argument.withDescription("Circuit, or a pattern with *")
)

/**
 * Lists the circuits that match a pattern, and fails if there are none.
 */
export const select = Effect.fnUntraced(function* (
  place: Place.Place,
  pattern: string
): Effect.fn.Return<Place.Listing, Failure.Failure> {
  const listing = yield* place.list(pattern.includes("*") ? undefined : pattern)
  const found = selected(listing, pattern)
  if (pattern.includes("*")) yield* warn(listing)
  if (found.circuits.length > 0) return found
  const none = `no circuit in ${place.label}`
  if (pattern.includes("*")) return yield* Failure.unknown(`${none} matches ${Print.name(pattern)}`)
  const names = listing.circuits.map(({ circuit }) => circuit.circuit)
  const near = NamePattern.near(pattern, names, 5).map(Print.name)
  const hint = near.length === 0 ? "" : `: did you mean ${near.join(", ")}?`
  return yield* Failure.unknown(`${none} is named ${Print.name(pattern)}${hint}`)
})

/**
 * Returns a listing of only the circuits that match a pattern.
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
 * Prints a warning if a listing lacks circuits.
 */
export const warn = (listing: Place.Listing): Effect.Effect<void> => {
  const text = Place.incomplete(listing)
  return text === undefined ? Effect.void : Console.error(`resilience: ${text}`)
}
