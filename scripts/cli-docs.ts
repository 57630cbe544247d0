/**
 * Writes docs/operations/cli.md from the help of the CLI, or checks with `--check` that it
 * is up to date.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { TestConsole } from "effect/testing"
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import * as prettier from "prettier"
import * as ControlApi from "../src/control/ControlApi.ts"
import * as Cli from "../src/cli/Cli.ts"
import * as Drivers from "../src/cli/Drivers.ts"
import * as Failure from "../src/cli/Failure.ts"
import * as Output from "../src/cli/Output.ts"
import * as Settings from "../src/cli/Settings.ts"
import * as Store from "../src/cli/Store.ts"

const root = resolve(import.meta.dirname, "..")
const file = join(root, "docs/operations/cli.md")

const never = Layer.succeed(Store.Store, {
  open: () => Effect.never,
  setup: () => Effect.never,
  operator: ""
})

/** What a command prints for `--help`. */
const help = (...command: ReadonlyArray<string>): Promise<string> =>
  Cli.run([...command, "--help"], "0.0.0").pipe(
    Effect.andThen(TestConsole.logLines),
    Effect.provide([never, Drivers.http, NodeServices.layer, TestConsole.layer]),
    Effect.map((lines) =>
      lines
        .join("\n")
        .split("\n")
        .map((line) => line.trimEnd())
        .join("\n")
    ),
    Effect.runPromise
  )

interface Json {
  readonly type?: string
  readonly enum?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<Json>
  readonly items?: Json
  readonly properties?: { readonly [name: string]: Json }
  readonly description?: string
  readonly $ref?: string
}

const typeOf = (json: Json): string => {
  if (json.enum !== undefined) return json.enum.map((each) => `\`"${each}"\``).join(", ")
  if (json.anyOf !== undefined) return json.anyOf.map(typeOf).join(" or ")
  return json.type === "array"
    ? `array of ${json.items === undefined ? "any" : typeOf(json.items)}`
    : (json.type ?? "any")
}

/** Fields of a schema, as rows of a table. Circuits are described once. */
const fields = (json: Json, path = ""): ReadonlyArray<string> =>
  Object.entries(json.properties ?? {}).flatMap(([name, field]) => {
    const inner = field.type === "array" ? field.items : field
    if (inner?.properties === undefined)
      return [`| \`${path}${name}\` | ${typeOf(field)} | ${field.description ?? ""} |`]
    const here = `${path}${name}${field.type === "array" ? "[]" : ""}`
    if ("heldBy" in inner.properties) {
      return [`| \`${here}\` | [circuit](#a-circuit) | ${field.description ?? ""} |`]
    }
    return fields(inner, `${here}.`)
  })

const table = (schema: Schema.Constraint): string => {
  // What it returns is JSON Schema, of which these are the parts that the schemas use.
  const json = Schema.toJsonSchemaDocument(schema).schema as Json
  return ["| Field | Type | What it says |", "| --- | --- | --- |", ...fields(json)].join("\n")
}

/** The table of variables of src/store/internal/EnvVariables.ts. */
const variables = readFileSync(join(root, "src/store/internal/EnvVariables.ts"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith(" * |"))
  .map((line) => line.slice(3))
  .join("\n")

const code = (text: string): string => `\`\`\`text\n${text.trim()}\n\`\`\`\n`

const commands = Cli.subcommands.map(({ name }) => name)

const text = `# The CLI \`resilience\`

<!-- Written by scripts/cli-docs.ts from the help of the CLI. -->

Operators look at the circuits of a fleet with it, and hold, release or reset them. It works on the same table as the
processes, in PostgreSQL or Redis, and on the same clock: the table's. Or it asks a running application, through its
[control plane](#control-planes).

It needs \`@effect/platform-node\`, and the driver of the store: \`@effect/sql-pg\` for PostgreSQL, \`redis\` for Redis, none
for a control plane.

${code(await help())}
## Commands

${(await Promise.all(commands.map(async (name) => `### ${name}\n\n${code(await help(name))}`))).join("\n")}
## Names and patterns

A circuit is named by its breaker, and by \`:\` and its key where it has one: \`payments\`, \`search:eu\`. \`status\` prints the
names as commands take them. In a pattern \`*\` stands for any text: \`payments*\`, \`search:*\`, \`*\`. Put quotes around it, so
that the shell leaves it alone.

A name that no circuit has changes nothing and is refused with exit code ${Failure.exitCodes.unknown.code}. A circuit has a row once a process of the fleet
made its breaker. A circuit of a key has one from its first change of state on.

A hold on the name of a breaker holds all of its keys.

## Where circuits are shared

The first of these that is there says where: \`--url\`, \`RESILIENCE_CONTROL_URL\`, \`RESILIENCE_DATABASE_URL\`,
\`RESILIENCE_DATABASE_HOST\`, \`DATABASE_URL\`. Apps that use \`CircuitStoreEnv\` read the variables below too. A password in
\`--url\` is seen by who may list processes: give it in a variable. The CLI prints no password, also not in errors.

${variables}

In Redis there is no table: \`--table\` names the prefix of the keys, too.

## Control planes

Where the URL is an \`http\` or \`https\` one, it is the address of the [control plane](control-plane.md) of an application,
with its prefix. All commands but \`setup\` work on it.

\`\`\`sh
export RESILIENCE_CONTROL_URL=https://orders.internal/resilience
export RESILIENCE_CONTROL_TOKEN=...

resilience status
resilience watch 'search:*'
resilience hold-open payments --for 10m --reason "provider maintenance"
\`\`\`

| Variable | Holds |
| --- | --- |
| \`${Settings.variables.url}\` | address of the control plane, where \`--url\` is absent; \`setup\` does not read it |
| \`${Settings.variables.token}\` | bearer token; there is no flag for it, which others on the machine could see |

- A change needs \`--reason\`, which the application logs. For \`release\` and \`reset\` only a control plane takes one: a
  table keeps none. Where the token has an operator's name, that name counts and not \`--by\`.
- Without a store that is shared, a change is one of the process that answers, and behind a load balancer that is any of
  them: give the address of one process. With a shared store it is one of the fleet.
- \`reset\` of a breaker resets its keys too, and the keys of a held breaker are shown as held.
- A circuit of a key is there once a call has used the key. \`changedAt\` and \`changedBy\` are \`null\`: a control plane does
  not tell.
- At most ${ControlApi.bounds.circuits} circuits are looked at, and by \`watch\` as many as the option \`circuits\` of the control plane
  says. Where there are more, the standard error says so. But for \`watch\`, a circuit is found by its full name all the
  same.
- More changes at once than the control plane allows a minute take as long as it makes them wait.
- \`watch\` reads the stream of events, and opens it again when it breaks.
- \`--namespace\` and \`--table\` are refused. Redirects are not followed. A certificate authority of your own is trusted
  with \`NODE_EXTRA_CA_CERTS\`.

## Exit codes

| Code | Meaning |
| --- | --- |
${Object.values(Failure.exitCodes)
  .map(({ code, means }) => `| ${code} | ${means} |`)
  .join("\n")}

## JSON

With \`--json\` a command prints one JSON document, and \`watch\` a line of JSON for each change. Fields may be added, and
none is renamed or removed within a major version. Times are ISO 8601 in UTC, on the clock of the table or of the control
plane. Names and reasons are as they were given; characters that a terminal does not print are written as \`\\u\` and four
hexadecimal digits.

### A circuit

${table(Output.Circuit)}

### Output of status

${table(Output.Status)}

### Lines of watch

${table(Output.Sighting)}

### Output of hold-open, hold-closed, release and reset

Where it fails half-way, what was changed until then is printed, and the error after it.

${table(Output.Changes)}

### Output of setup

It does not ask with \`--json\`: \`--yes\` or \`--dry-run\` has to be there.

${table(Output.Setup)}

### Errors

They are printed to the standard error. Those of the command line itself are text.

${table(Output.Failed)}
`

const options = await prettier.resolveConfig(file)
const formatted = await prettier.format(text, { ...options, filepath: file })

if (process.argv.includes("--check")) {
  let current = ""
  try {
    current = readFileSync(file, "utf8")
  } catch {
    // It was never written.
  }
  if (current !== formatted) {
    console.error("docs/operations/cli.md is not what the CLI says: run node scripts/cli-docs.ts")
    process.exit(1)
  }
} else {
  writeFileSync(file, formatted)
}
