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
import * as Text from "../../core/internal/Text.ts"
import * as OpenPlace from "../places/OpenPlace.ts"
import * as Output from "../output/Output.ts"
import * as Print from "../output/Print.ts"
import * as Flags from "../Flags.ts"
import * as TimeSpan from "./TimeSpan.ts"
import * as Selection from "./Selection.ts"
import * as Stores from "../places/Stores.ts"

// What an operator writes is read in logs, tables and terminals by others.
const isText = (text: string): boolean => text.trim() !== "" && Text.isSeen(text)
const textRule = "one line that is not blank, whose every character is seen"

const by = Flag.String("by").pipe(
  Flag.withMetavar("WHO"),
  Flag.withDescription("Who makes the change (default: the system user)"),
  Flag.filter(isText, () => textRule),
  Flag.optional
)

const reason = (description: string) =>
  Flag.String("reason").pipe(
    Flag.withMetavar("TEXT"),
    Flag.withDescription(description),
    Flag.filter(isText, () => textRule),
    Flag.optional
  )

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
      // A failure does not hide the changes before it.
      yield* Effect.ensuring(
        all,
        Effect.suspend(() => (changes.length === 0 ? Effect.void : print({ ...place.fields, action, changes })))
      )
    })
  )

const print = Effect.fnUntraced(function* (
  done: typeof Output.Changes.Type
): Effect.fn.Return<void, never, typeof Flags.Json.Identifier> {
  if (yield* Flags.Json) return yield* Print.json(Output.Changes, done, "lines")
  for (const { after, before, changed } of done.changes) {
    const states = [before.state, after.state].map((state) => state.replace("_", " "))
    const name = Print.name(after.circuit)
    const step =
      states[0] === states[1] && done.action === "reset" ? `${states[1] ?? ""}, counts reset` : states.join(" -> ")
    yield* Console.log(
      changed
        ? `${name}: ${step}${details(after)}`
        : `${name}: ${states[1] ?? ""}, ${isHeld(after) ? "held with its breaker" : "not held"}, nothing changed`
    )
  }
})

const isHeld = ({ state }: Output.Circuit): boolean => state === "HELD_OPEN" || state === "HELD_CLOSED"

const details = (circuit: Output.Circuit): string => {
  if (!isHeld(circuit)) return ""
  const { heldBy, heldUntil, reason, since } = circuit
  const span = heldUntil === null ? 0 : Print.millis(heldUntil) - (since === null ? 0 : Print.millis(since))
  const end = heldUntil === null ? " until released" : ` for ${Print.span(span)}, until ${heldUntil}`
  return `${end}${heldBy === null ? "" : `, by ${Print.name(heldBy)}`}${reason === null ? "" : `: ${Print.safe(reason)}`}`
}

const hold = (action: "hold-open" | "hold-closed", description: string) =>
  Command.make(
    action,
    {
      name: Selection.name,
      forMillis,
      reason: reason("Reason for the hold (required for a control plane)"),
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
      reason: reason("Reason (required for a control plane, not kept by a store)"),
      by
    },
    (asked) => change(action, { ...asked, forMillis: Option.none() })
  ).pipe(Command.withDescription(description), Command.withExamples([example]))

export const commands = [
  hold("hold-open", "Refuse all calls of a circuit in the whole fleet"),
  hold("hold-closed", "Admit all calls of a circuit in the whole fleet, failing or not"),
  end("release", "End the hold on a circuit, which closes it", {
    command: "resilience release payments",
    description: "One circuit"
  }),
  end("reset", "Close a circuit, whatever its state", {
    command: "resilience reset 'search:*'",
    description: "All keys of a breaker"
  })
] as const
