/**
 * `resilience hold-open`, `hold-closed`, `release` and `reset`: what an operator
 * does to circuits.
 */
import * as Command from "effect/cli/Command"
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CircuitState from "../CircuitState.ts"
import * as CircuitTable from "../CircuitTable.ts"
import * as Fleet from "./Fleet.ts"
import * as Print from "./Print.ts"
import * as Settings from "./Settings.ts"
import * as Span from "./Span.ts"
import * as StatusCommand from "./StatusCommand.ts"
import * as Store from "./Store.ts"

type Action = (typeof Fleet.Changes.Type)["action"]

/** Returns the state that an operator brings about. */
type Step = (state: CircuitState.CircuitState, now: number, by: string) => CircuitState.CircuitState

const by = Flag.String("by").pipe(
  Flag.withMetavar("WHO"),
  Flag.withDescription("Who does it (default: the system's user)"),
  Flag.filter(
    (text) => text.trim() !== "",
    () => "must hold a character"
  ),
  Flag.optional
)

const reason = Flag.String("reason").pipe(
  Flag.withMetavar("TEXT"),
  Flag.withDescription("Why, for those who look at the circuit"),
  Flag.optional
)

const forMillis = Flag.String("for").pipe(
  Flag.withMetavar("SPAN"),
  Flag.withDescription("How long, such as 10m or 1h30m (default: until released)"),
  Flag.mapEffect((text) => {
    const millis = Span.parse(text)
    return millis === undefined
      ? Effect.fail(new CliError.InvalidValue({ option: "for", value: text, expected: Span.rule, kind: "flag" }))
      : Effect.succeed(millis)
  }),
  Flag.optional
)

const change = (action: Action, pattern: string, who: Option.Option<string>, step: Step) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { operator } = yield* Store.Store
      const by = Option.getOrElse(who, () => operator)
      const { explain, namespace, table } = yield* Store.open
      const { rows } = yield* Effect.mapError(table.changes(undefined), explain)
      const selected = yield* StatusCommand.select(pattern, rows, namespace)
      const changes: Array<(typeof Fleet.Changes.Type)["changes"][number]> = []
      const all = Effect.forEach(
        selected,
        (row) =>
          Effect.map(
            CircuitTable.update(table, row.resourceKey, by, (state, now) => [step(state, now, by), now]),
            ({ after, answer: now, before }) => {
              const changed = after !== before
              const written = changed ? { ...row, updatedAt: now, updatedBy: by } : row
              changes.push({
                changed,
                before: Fleet.described(row, before, now),
                after: Fleet.described(written, after, now)
              })
            }
          ),
        { discard: true }
      )
      // What was changed before a failure is said too.
      yield* Effect.ensuring(
        Effect.mapError(all, explain),
        Effect.suspend(() => (changes.length === 0 ? Effect.void : say(action, namespace, changes)))
      )
    })
  )

const say = Effect.fnUntraced(function* (
  action: Action,
  namespace: string,
  changes: (typeof Fleet.Changes.Type)["changes"]
): Effect.fn.Return<void, never, typeof Settings.Json.Identifier> {
  if (yield* Settings.Json) return yield* Print.json(Fleet.Changes, { namespace, action, changes }, "lines")
  for (const { after, before, changed } of changes) {
    const states = [before.state, after.state].map((state) => state.replace("_", " "))
    const name = Print.safe(after.circuit)
    const done =
      states[0] === states[1] && action === "reset" ? `${states[1] ?? ""}, counts begin again` : states.join(" -> ")
    yield* Console.log(
      changed ? `${name}: ${done}${details(after)}` : `${name}: ${states[1] ?? ""}, is not held, nothing changed`
    )
  }
})

const details = ({ changedAt, heldBy, heldUntil, reason, state }: Fleet.Circuit): string => {
  if (state !== "HELD_OPEN" && state !== "HELD_CLOSED") return ""
  const end =
    heldUntil === null || changedAt === null
      ? " until released"
      : ` for ${Print.span(Print.millis(heldUntil) - Print.millis(changedAt))}, until ${heldUntil}`
  return `${end}${heldBy === null ? "" : `, by ${Print.safe(heldBy)}`}${reason === null ? "" : `: ${Print.safe(reason)}`}`
}

const hold = (action: "hold-open" | "hold-closed", as: CircuitState.Held["_tag"], description: string) =>
  Command.make(action, { name: StatusCommand.name, forMillis, reason, by }, ({ by, forMillis, name, reason }) =>
    change(action, name, by, (state, now, by) =>
      CircuitState.hold(
        state,
        { as, by, forMillis: Option.getOrUndefined(forMillis), reason: Option.getOrUndefined(reason) },
        now
      )
    )
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

/**
 * Commands that change circuits.
 */
export const commands = [
  hold("hold-open", "HeldOpen", "Refuse all calls of a circuit, in the whole fleet"),
  hold("hold-closed", "HeldClosed", "Admit all calls of a circuit, in the whole fleet, whatever their outcome"),
  Command.make("release", { name: StatusCommand.name, by }, ({ by, name }) =>
    change("release", name, by, CircuitState.release)
  ).pipe(
    Command.withDescription("End the hold of a circuit, which closes it"),
    Command.withExamples([{ command: "resilience release payments", description: "One circuit" }])
  ),
  Command.make("reset", { name: StatusCommand.name, by }, ({ by, name }) =>
    change("reset", name, by, CircuitState.reset)
  ).pipe(
    Command.withDescription("Close a circuit, whatever its state"),
    Command.withExamples([{ command: "resilience reset 'search:*'", description: "All keys of a breaker" }])
  )
] as const
