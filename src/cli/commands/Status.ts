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
import * as OpenPlace from "../places/OpenPlace.ts"
import * as Selection from "./Selection.ts"
import * as Output from "../output/Output.ts"
import * as Print from "../output/Print.ts"
import * as Flags from "../Flags.ts"

/** Columns of the terminal, or 80 without one. */
const columns = Effect.gen(function* () {
  const { stdoutIsTerminal } = yield* Stdio.Stdio
  if (!(yield* stdoutIsTerminal)) return 80
  const terminal = yield* Terminal.Terminal
  return Math.max(40, (yield* terminal.columns) || 80)
})

export const command = Command.make(
  "status",
  { name: Selection.name.pipe(Argument.optional) },
  Effect.fnUntraced(function* ({ name }) {
    const place = yield* OpenPlace.open
    const listing = Option.isSome(name)
      ? yield* Selection.select(place, name.value)
      : yield* Effect.tap(place.list(undefined), Selection.warn)
    const { now, total } = listing
    const circuits = listing.circuits.map(({ circuit }) => circuit)
    if (yield* Flags.Json) {
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
    { command: "resilience status 'search:*' --json", description: "All keys of one breaker, as JSON" },
    {
      command: "resilience status --url https://orders.internal/resilience",
      description: "The circuits of a running application, from its control plane"
    }
  ])
)
