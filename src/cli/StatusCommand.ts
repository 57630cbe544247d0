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
import type * as CircuitTable from "../CircuitTable.ts"
import * as Failure from "./Failure.ts"
import * as Fleet from "./Fleet.ts"
import * as Pattern from "./Pattern.ts"
import * as Print from "./Print.ts"
import * as Settings from "./Settings.ts"
import * as Store from "./Store.ts"

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
 * Returns the rows that a name stands for, and fails where there are none.
 */
export const select = (
  pattern: string,
  rows: ReadonlyArray<CircuitTable.Row>,
  namespace: string
): Effect.Effect<ReadonlyArray<CircuitTable.Row>, Failure.Failure> => {
  const keys = rows.map((row) => row.resourceKey)
  const selected = new Set(Pattern.select(pattern, keys))
  if (selected.size > 0) return Effect.succeed(rows.filter((row) => selected.has(row.resourceKey)))
  const where = `in namespace ${Print.safe(namespace)}`
  if (pattern.includes("*"))
    return Effect.fail(Failure.unknown(`no circuit ${where} is named like ${Print.safe(pattern)}`))
  const near = Pattern.near(pattern, keys, 5).map(Print.safe)
  const hint = near.length === 0 ? "" : `: there is ${near.join(", ")}`
  return Effect.fail(Failure.unknown(`no circuit ${where} is named ${Print.safe(pattern)}${hint}`))
}

/**
 * Shows the circuits of the fleet.
 */
export const command = Command.make(
  "status",
  { name: name.pipe(Argument.optional) },
  Effect.fnUntraced(function* ({ name }) {
    const { explain, namespace, table } = yield* Store.open
    const { now, rows } = yield* Effect.mapError(table.changes(undefined), explain)
    const selected = Option.isSome(name) ? yield* select(name.value, rows, namespace) : rows
    const circuits = selected.map((row) => Fleet.circuit(row, now))
    if (yield* Settings.Json) {
      yield* Print.json(Fleet.Status, { namespace, at: Print.iso(now) ?? null, circuits }, "lines")
    } else if (circuits.length === 0) {
      yield* Console.log(`No circuits in namespace ${Print.safe(namespace)}.`)
    } else {
      yield* Console.log(
        [
          ...Fleet.table(circuits, now, yield* columns),
          "",
          `${Fleet.summary(circuits)}, namespace ${Print.safe(namespace)}`
        ].join("\n")
      )
    }
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show the circuits of the fleet"),
  Command.withExamples([
    { command: "resilience status", description: "All circuits of the namespace" },
    { command: "resilience status 'search:*' --json", description: "All keys of one breaker, for a program" }
  ])
)
