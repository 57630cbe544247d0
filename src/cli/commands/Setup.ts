/**
 * `resilience setup`: creates or updates the table of circuits.
 */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as CircuitMigration from "../../store/CircuitMigration.ts"
import * as EnvVariables from "../../store/internal/EnvVariables.ts"
import * as Failure from "../output/Failure.ts"
import * as Output from "../output/Output.ts"
import * as Print from "../output/Print.ts"
import * as Flags from "../Flags.ts"
import * as Location from "../places/Location.ts"
import * as Stores from "../places/Stores.ts"

const outcomes = {
  created: "Created the table.",
  updated: "Updated the table from an older version.",
  current: "The table is already up to date: nothing changed."
} as const

export const command = Command.make(
  "setup",
  {
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Show what would run, without connecting"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withAlias("y"),
      Flag.withDescription("Do not ask for confirmation"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ dryRun, yes }) {
    const { setup } = yield* Stores.Stores
    const json = yield* Flags.Json
    const config = yield* Location.config
    const { where } = config
    const table = config.table ?? CircuitMigration.defaults.table
    const steps =
      where._tag === "Redis" ? [] : yield* Location.checked(Effect.sync(() => CircuitMigration.steps("pg", config)))
    const report = (outcome: (typeof Output.Setup.Type)["outcome"]) =>
      Print.json(
        Output.Setup,
        {
          target: EnvVariables.describe(where),
          type: where._tag === "Postgres" ? "postgres" : where._tag === "Redis" ? "redis" : "none",
          host: where._tag === "None" ? null : where.host,
          port: where._tag === "None" ? null : where.port,
          database: where._tag === "None" || where.database === undefined ? null : String(where.database),
          user: where._tag === "None" ? null : (where.username ?? null),
          table: where._tag === "Redis" ? null : table,
          statements: steps.flatMap(({ statements }) => statements),
          remake: where._tag === "Redis" ? [] : CircuitMigration.remake(config),
          outcome
        },
        "lines"
      )
    if (!json) yield* Console.log(target(where, table).join("\n"))
    if (where._tag === "Redis") {
      return yield* json ? report("nothing") : Console.log("\nNothing to set up: Redis needs no table.")
    }
    if (!json) yield* Console.log(`\n${CircuitMigration.show(steps)}\n\n${remake(config)}\n`)
    if (dryRun) return yield* json ? report("shown") : Console.log("Dry run: connected to nothing, changed nothing.")
    if (where._tag === "None") return yield* Location.nowhere
    if (!yes) yield* ask(json, table)
    yield* Location.warn(EnvVariables.plainText(where))
    const outcome = yield* setup({ ...config, where })
    yield* json ? report(outcome) : Console.log(outcomes[outcome])
  })
).pipe(
  Command.withDescription("Create the table of circuits in PostgreSQL, or update it"),
  Command.withExamples([
    { command: "resilience setup --dry-run", description: "Show the SQL and the target" },
    { command: "resilience setup", description: "Show them, ask, and run the SQL" },
    { command: "resilience setup --yes --json", description: "In a pipeline" }
  ])
)

const target = (where: EnvVariables.Where, table: string): ReadonlyArray<string> => {
  if (where._tag === "None") return ["Store     not configured", `Table     ${Print.safe(table)}`]
  const lines = [
    ["Store", where._tag === "Postgres" ? "PostgreSQL" : "Redis"],
    ["Host", where.host],
    ["Port", String(where.port)],
    ["Database", where.database === undefined ? "the server's default" : String(where.database)],
    ["User", where.username ?? "the driver's default"],
    ["TLS", where.tls],
    ...(where._tag === "Postgres" ? [["Table", table]] : [])
  ]
  return lines.map(([name = "", value = ""]) => `${name.padEnd(10)}${Print.safe(value)}`)
}

/** Shows the other statements that can run as comments, so that nobody runs them with the text by hand. */
const remake = (config: CircuitMigration.Options): string =>
  [
    "-- if only the table was dropped: in place of making the table of steps again",
    ...CircuitMigration.remake(config).map((each) => `-- ${each};`)
  ].join("\n")

const ask = Effect.fnUntraced(function* (json: boolean, table: string) {
  if (json) return yield* Failure.usage("setup --json does not ask: add --yes or --dry-run")
  const { stdinIsTerminal, stdoutIsTerminal } = yield* Stdio.Stdio
  if (!(yield* stdinIsTerminal) || !(yield* stdoutIsTerminal)) {
    return yield* Failure.failed(
      "there is no terminal for a confirmation: add --yes to run it, or --dry-run only to show it"
    )
  }
  const agreed = yield* Prompt.run(Prompt.Confirm({ message: `Run this for table ${Print.safe(table)}?` }))
  if (!agreed) return yield* Failure.failed("not run: nothing changed")
})
