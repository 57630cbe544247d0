/**
 * `resilience status`: the circuits of the fleet.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as Failure from "./Failure.ts"
import * as OpenPlace from "./OpenPlace.ts"
import * as Output from "./Output.ts"
import * as Pattern from "./Pattern.ts"
import * as Place from "./Place.ts"
import * as Print from "./Print.ts"
import * as Settings from "./Settings.ts"

/**
 * Argument that names circuits.
 */
export const name = Argument.String("NAME").pipe(
  Argument.withMetavar("name"),
  Argument.withDescription("Circuit, or a pattern with *")
)

/**
 * Returns the columns of the terminal, and 80 where there is none.
 */
export const columns = Effect.gen(function* () {
  const { stdoutIsTerminal } = yield* Stdio.Stdio
  if (!(yield* stdoutIsTerminal)) return 80
  const terminal = yield* Terminal.Terminal
  return Math.max(40, (yield* terminal.columns) || 80)
})

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
  const near = Pattern.near(pattern, names, 5).map(Print.safe)
  const hint = near.length === 0 ? "" : `: there is ${near.join(", ")}`
  return yield* Failure.unknown(`${named} ${Print.safe(pattern)}${hint}`)
})

/**
 * Returns a listing of only the circuits that a name stands for.
 */
export const selected = (listing: Place.Listing, pattern: string): Place.Listing => {
  const names = new Set(
    Pattern.select(
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

/**
 * Shows the circuits of the fleet.
 */
export const command = Command.make(
  "status",
  { name: name.pipe(Argument.optional) },
  Effect.fnUntraced(function* ({ name }) {
    const place = yield* OpenPlace.open
    const listing = Option.isSome(name)
      ? yield* select(place, name.value)
      : yield* Effect.tap(place.list(undefined), warn)
    const { now, total } = listing
    const circuits = listing.circuits.map(({ circuit }) => circuit)
    if (yield* Settings.Json) {
      yield* Print.json(Output.Status, { ...place.fields, at: Print.iso(now) ?? null, total, circuits }, "lines")
    } else if (circuits.length === 0) {
      yield* Console.log(`No circuits in ${place.label}.`)
    } else {
      yield* Console.log(
        [...Output.table(circuits, now, yield* columns), "", `${Output.summary(circuits)}, ${place.label}`].join("\n")
      )
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show the circuits of the fleet"),
  Command.withExamples([
    { command: "resilience status", description: "All circuits of the namespace" },
    { command: "resilience status 'search:*' --json", description: "All keys of one breaker, for a program" },
    {
      command: "resilience status --url https://orders.internal/resilience",
      description: "The circuits of a running application, from its control plane"
    }
  ])
)
