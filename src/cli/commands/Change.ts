/**
 * Operator actions on circuits: `resilience hold-open`, `hold-closed`, `release`
 * and `reset`.
 */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Operation from "../../circuit/internal/Operation.ts"
import * as OpenPlace from "../places/OpenPlace.ts"
import * as Output from "../output/Output.ts"
import * as Print from "../output/Print.ts"
import * as Flags from "../Flags.ts"
import * as TimeSpan from "./TimeSpan.ts"
import * as Selection from "./Selection.ts"
import * as Stores from "../places/Stores.ts"

const by = Flag.String("by").pipe(
  Flag.withMetavar("WHO"),
  Flag.withDescription("Who does it (default: the system's user)"),
  Flag.filter(
    (text) => text.trim() !== "",
    () => "must hold a character"
  ),
  Flag.optional
)

const reason = (description: string) =>
  Flag.String("reason").pipe(Flag.withMetavar("TEXT"), Flag.withDescription(description), Flag.optional)

const forMillis = Flag.String("for").pipe(
  Flag.withMetavar("SPAN"),
  Flag.withDescription("How long, such as 10m or 1h30m (default: until released)"),
  Flag.mapEffect((text) => {
    const millis = TimeSpan.parse(text)
    return millis === undefined
      ? Effect.fail(new CliError.InvalidValue({ option: "for", value: text, expected: TimeSpan.rule, kind: "flag" }))
      : Effect.succeed(millis)
  }),
  Flag.optional
)

interface Asked {
  readonly name: string
  readonly by: Option.Option<string>
  readonly reason: Option.Option<string>
  readonly forMillis: Option.Option<number>
}

const change = (action: Operation.Action, asked: Asked) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { operator } = yield* Stores.Stores
      const place = yield* OpenPlace.open
      const apply = yield* place.change({
        action,
        by: Option.getOrElse(asked.by, () => operator),
        reason: Option.getOrUndefined(asked.reason),
        forMillis: Option.getOrUndefined(asked.forMillis)
      })
      const { circuits } = yield* Selection.select(place, asked.name)
      const changes: Array<Output.Change> = []
      const all = Effect.forEach(
        circuits,
        ({ circuit }) => Effect.map(apply(circuit), (change) => changes.push(change)),
        { discard: true }
      )
      // What was changed before a failure is said too.
      yield* Effect.ensuring(
        all,
        Effect.suspend(() => (changes.length === 0 ? Effect.void : say({ ...place.fields, action, changes })))
      )
    })
  )

const say = Effect.fnUntraced(function* (
  said: typeof Output.Changes.Type
): Effect.fn.Return<void, never, typeof Flags.Json.Identifier> {
  if (yield* Flags.Json) return yield* Print.json(Output.Changes, said, "lines")
  for (const { after, before, changed } of said.changes) {
    const states = [before.state, after.state].map((state) => state.replace("_", " "))
    const name = Print.safe(after.circuit)
    const done =
      states[0] === states[1] && said.action === "reset"
        ? `${states[1] ?? ""}, counts begin again`
        : states.join(" -> ")
    yield* Console.log(
      changed
        ? `${name}: ${done}${details(after)}`
        : `${name}: ${states[1] ?? ""}, ${isHeld(after) ? "is held with its breaker" : "is not held"}, nothing changed`
    )
  }
})

const isHeld = ({ state }: Output.Circuit): boolean => state === "HELD_OPEN" || state === "HELD_CLOSED"

const details = (circuit: Output.Circuit): string => {
  if (!isHeld(circuit)) return ""
  const { heldBy, heldUntil, reason, since } = circuit
  const span = heldUntil === null ? 0 : Print.millis(heldUntil) - (since === null ? 0 : Print.millis(since))
  const end = heldUntil === null ? " until released" : ` for ${Print.span(span)}, until ${heldUntil}`
  return `${end}${heldBy === null ? "" : `, by ${Print.safe(heldBy)}`}${reason === null ? "" : `: ${Print.safe(reason)}`}`
}

const hold = (action: "hold-open" | "hold-closed", description: string) =>
  Command.make(
    action,
    {
      name: Selection.name,
      forMillis,
      reason: reason("Why, for those who look at it (needed for a control plane)"),
      by
    },
    (asked) => change(action, asked)
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([
      {
        command: `resilience ${action} payments --for 10m --reason "provider maintenance"`,
        description: "One circuit, for a while"
      },
      { command: `resilience ${action} 'search:*' --by ops`, description: "All keys of a breaker, until released" }
    ])
  )

const end = (
  action: "release" | "reset",
  description: string,
  example: { readonly command: string; readonly description: string }
) =>
  Command.make(
    action,
    {
      name: Selection.name,
      reason: reason("Why (needed for a control plane, a store keeps none)"),
      by
    },
    (asked) => change(action, { ...asked, forMillis: Option.none() })
  ).pipe(Command.withDescription(description), Command.withExamples([example]))

/**
 * Commands that change circuits.
 */
export const commands = [
  hold("hold-open", "Refuse all calls of a circuit, in the whole fleet"),
  hold("hold-closed", "Admit all calls of a circuit, in the whole fleet, whatever their outcome"),
  end("release", "End the hold of a circuit, which closes it", {
    command: "resilience release payments",
    description: "One circuit"
  }),
  end("reset", "Close a circuit, whatever its state", {
    command: "resilience reset 'search:*'",
    description: "All keys of a breaker"
  })
] as const
