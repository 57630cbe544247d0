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
import * as BoundedFetch from "../src/cli/places/BoundedFetch.ts"
import * as Drivers from "../src/cli/places/Drivers.ts"
import * as Failure from "../src/cli/output/Failure.ts"
import * as Output from "../src/cli/output/Output.ts"
import * as Location from "../src/cli/places/Location.ts"
import * as Stores from "../src/cli/places/Stores.ts"
import * as UrlParameters from "../src/store/internal/UrlParameters.ts"

const root = resolve(import.meta.dirname, "..")
const file = join(root, "docs/operations/cli.md")

const never = Layer.succeed(Stores.Stores, {
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
  return ["| Field | Type | Meaning |", "| --- | --- | --- |", ...fields(json)].join("\n")
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

Operators use it to look at the circuits of a fleet, and to hold, release or reset them. It works on the same table as the
processes, in PostgreSQL or Redis, with the clock of the table. Or it asks a running application, through its
[control plane](#control-planes).

It needs \`@effect/platform-node\`, and the driver of the store: \`@effect/sql-pg\` for PostgreSQL, \`redis\` for Redis, none
for a control plane.

${code(await help())}
## Commands

${(await Promise.all(commands.map(async (name) => `### ${name}\n\n${code(await help(name))}`))).join("\n")}
## Names and patterns

The name of a circuit is that of its breaker, followed by \`:\` and its key if it has one: \`payments\`, \`search:eu\`.
\`status\` prints names in the form that commands take: a name with other characters than letters, digits and a few signs is
printed as JSON, such as \`"a b"\`, and commands take it as it is or as JSON. Characters that are not seen are printed as
\`\\u\` and four hexadecimal digits, and refused in \`--by\` and \`--reason\`. In a pattern \`*\` stands for any text: \`payments*\`, \`search:*\`, \`*\`. Put quotes around it, so that the
shell does not expand it.

For a name that no circuit has, nothing is changed and the exit code is ${Failure.exitCodes.unknown.code}. A circuit has a row as soon as a
process of the fleet has made its breaker, a circuit of a key from its first change of state on.

A hold on the name of a breaker holds all of its keys.

## Where circuits are shared

The first of these that is set is used:  \`--url\`, \`RESILIENCE_CONTROL_URL\`, \`RESILIENCE_DATABASE_URL\`,
\`RESILIENCE_DATABASE_HOST\`, \`DATABASE_URL\`. Apps that use \`CircuitStoreEnv\` read the variables below too. Users who may list
processes see a password in \`--url\`: give it in a variable. The CLI prints no password, not even in errors.

${variables}

For Redis, \`--table\` is the prefix of the keys.

### Parameters and encryption

A URL of PostgreSQL may have the parameters ${UrlParameters.read.Postgres.map((name) => `\`${name}\``).join(", ")}, each once and
with a value; a URL of Redis has none. Others are refused, in particular those by which other clients encrypt, such as
\`ssl=true\`: the error says what to write. Ignored are some of other clients that say nothing about encryption, such as
\`schema\` and \`pgbouncer\`. \`PGSSLMODE\` and its kind are not read.

Without \`sslmode\`, and with \`redis://\`, nothing is encrypted. A password, or the token of a control plane over
\`http\`, that goes to another machine that way is warned of once. \`require\` checks the certificate and its name,
\`no-verify\` encrypts and checks nothing, \`prefer\` encrypts and checks if the server can encrypt, and otherwise does not
encrypt, which is warned of too: who can change what is sent decides that.

## Control planes

An \`http\` or \`https\` URL is the address of the [control plane](control-plane.md) of an application, with its prefix. All
commands but \`setup\` work with it.

\`\`\`sh
export RESILIENCE_CONTROL_URL=https://orders.internal/resilience
export RESILIENCE_CONTROL_TOKEN=...

resilience status
resilience watch 'search:*'
resilience hold-open payments --for 10m --reason "provider maintenance"
\`\`\`

| Variable | Holds |
| --- | --- |
| \`${Location.variables.url}\` | address of the control plane, if \`--url\` is absent; \`setup\` does not read it |
| \`${Location.variables.token}\` | bearer token; it has no flag, since others on the machine could see that |

- A change needs \`--reason\`, which the application logs. For \`release\` and \`reset\` only a control plane takes one: a
  table does not keep it. If the token has an operator's name, that name is used and not \`--by\`.
- Without a shared store, a change applies to the process that answers, which may be any process behind a load balancer: give
  the address of one process. With a shared store it applies to the fleet.
- \`reset\` of a breaker resets its keys too, and the keys of a held breaker are shown as held.
- A circuit of a key exists once a call has used the key. \`changedAt\` and \`changedBy\` are \`null\`: a control plane does
  not provide them.
- At most ${ControlApi.bounds.circuits} circuits are listed, and by \`watch\` as many as the option \`circuits\` of the control plane allows. If
  there are more, a line on the standard error tells that. All commands but \`watch\` still find a circuit by its full name.
- If there are more changes than the control plane allows in a minute, the command waits.
- \`watch\` reads the stream of events, and opens it again when it breaks.
- An answer, or an event, of more than ${BoundedFetch.most / 1024 / 1024} MB is given up, and long texts of a server are cut.
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
plane. Names and reasons are unchanged, except that characters that a terminal does not print are written as \`\\u\` and four
hexadecimal digits.

### A circuit

${table(Output.Circuit)}

### Output of status

${table(Output.Status)}

### Lines of watch

${table(Output.Sighting)}

### Output of hold-open, hold-closed, release and reset

If it fails half-way, the changes made until then are printed, and the error after them.

${table(Output.Changes)}

### Output of setup

With \`--json\` it does not ask: \`--yes\` or \`--dry-run\` is required.

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
