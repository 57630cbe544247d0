/**
 * The program `resilience` against a real PostgreSQL server.
 */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import * as Output from "../../src/cli/output/Output.ts"
import * as Postgres from "../support/postgres.ts"
import { cli, interruptAt } from "./process.ts"
import type { Options, Ran } from "./process.ts"
import { open } from "./support.ts"

const decode = <T, E>(schema: Schema.Codec<T, E>, text: string): T =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(text)

const secretOf = (url: string): string => decodeURIComponent(new URL(url).password)

/** Runs the program, and looks for the password in all that it prints. */
const run = (url: string, args: ReadonlyArray<string>, options: Options = {}): Effect.Effect<Ran> =>
  Effect.promise(async () => {
    const ran = await cli(args, { env: { RESILIENCE_DATABASE_URL: url }, ...options })
    assert.notInclude(ran.out + ran.err, secretOf(url))
    return ran
  })

const put = (url: string, resourceKey: string, table?: string) =>
  Effect.gen(function* () {
    const server = yield* Postgres.Server
    const sql = yield* server.client(url)
    yield* Effect.gen(function* () {
      const circuits = yield* CircuitTableSql.make({ table })
      yield* CircuitTable.update(circuits, resourceKey, "web-1", (_, now) => [
        { ...open, since: now, openMillis: 3_600_000 },
        undefined
      ])
    }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
  }).pipe(Effect.scoped, Effect.orDie)

const with_ = (url: string, change: (url: URL) => void): string => {
  const changed = new URL(url)
  change(changed)
  return changed.href
}

layer(Postgres.layer, { excludeTestServices: true, timeout: "2 minutes" })("resilience, on PostgreSQL", (it) => {
  describe("setup", () => {
    it.effect("says created, then current", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Postgres.Server).database
        const first = yield* run(url, ["setup", "--yes"])
        assert.deepStrictEqual([first.code, first.err], [0, ""])
        assert.include(first.out, "Host      127.0.0.1")
        assert.include(first.out, 'CREATE TABLE "resilience_circuits" (')
        assert.match(first.out, /\nCreated the table\.$/)
        const second = yield* run(url, ["setup", "--yes", "--json"])
        assert.strictEqual(decode(Output.Setup, second.out).outcome, "current")
      })
    )

    it.effect("says updated for a table of an older version", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const url = yield* server.database
        const sql = yield* server.client(url)
        for (const statement of CircuitMigration.steps("pg")[0]!.statements) yield* sql.unsafe(statement)
        assert.match((yield* run(url, ["setup", "--yes"])).out, /\nUpdated the table [^\n]*$/)
      })
    )

    it.effect("makes the table once where 10 processes begin at the same time", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Postgres.Server).database
        const all = yield* Effect.forEach(Array.from({ length: 10 }), () => run(url, ["setup", "--yes", "--json"]), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(
          all.map(({ code, err }) => [code, err]),
          all.map(() => [0, ""])
        )
        const outcomes = all.map(({ out }) => decode(Output.Setup, out).outcome).sort()
        assert.deepStrictEqual(outcomes, [
          ...Array.from({ length: 1 }, () => "created" as const),
          ...Array.from({ length: 9 }, () => "current" as const)
        ])
      })
    )

    it.effect("leaves the table of another tool as it is, and says what to do", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const url = yield* server.database
        const sql = yield* server.client(url)
        yield* sql`CREATE TABLE knex_migrations (id integer, name text)`
        yield* sql`INSERT INTO knex_migrations VALUES (1, '2024_users.js')`
        const { code, err } = yield* run(url, ["setup", "--table", "knex", "--yes"])
        assert.strictEqual(code, 1)
        assert.match(
          err,
          /^resilience: table public.knex_migrations exists and was not made by this library \(it has no step, applied_at\): rename it, or choose another name with the option `table` \(.*\)$/
        )
        assert.lengthOf(yield* sql`SELECT * FROM knex_migrations`, 1)
        assert.lengthOf(yield* sql`SELECT * FROM pg_tables WHERE schemaname = 'public'`, 1)
      })
    )

    it.effect("opens no socket with --dry-run, also with --yes", () =>
      Effect.gen(function* () {
        const preload = pathToFileURL(join(import.meta.dirname, "no-sockets.mjs")).href
        const url = (yield* Postgres.Server).url
        for (const target of [url, "postgres://u:hunter2@no.such.host/db"]) {
          const { code, err, out } = yield* run(target, ["setup", "--dry-run", "--yes"], {
            preload,
            env: { RESILIENCE_DATABASE_URL: target }
          })
          assert.deepStrictEqual([code, err], [0, ""])
          assert.include(out, "CREATE TABLE")
        }
        const { code, err } = yield* run(url, ["status"], { preload, env: { RESILIENCE_DATABASE_URL: url } })
        assert.deepStrictEqual([code, err], [99, "wants to connect"])
      })
    )

    it.effect("fails without a terminal and without --yes, and makes nothing", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Postgres.Server).database
        const { code, err } = yield* run(url, ["setup"])
        assert.strictEqual(code, 1)
        assert.match(err, /^resilience: there is no terminal for a confirmation: [^\n]*$/)
        assert.include((yield* run(url, ["status"])).err, "there is no table resilience_circuits")
      })
    )
  })

  it.effect("shows, holds, releases and resets circuits in the table and namespace that are asked for", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Postgres.Server).database
      const env = { env: { DATABASE_URL: url, RESILIENCE_TABLE: "mine" } }
      assert.strictEqual((yield* run(url, ["setup", "--yes"], env)).code, 0)
      assert.strictEqual((yield* run(url, ["status"], env)).out, "No circuits in namespace default.")
      yield* put(url, "payments", "mine")
      yield* put(url, "search:eu", "mine")

      const shown = yield* run(url, ["status"], env)
      assert.match(shown.out, /^payments +OPEN +[\dms ]+ ago +5 +in [\dhms ]+ +web-1$/m)
      assert.deepStrictEqual(
        decode(Output.Status, (yield* run(url, ["status", "--json"], env)).out).circuits.map(({ circuit }) => circuit),
        ["payments", "search:eu"]
      )
      assert.deepStrictEqual(
        decode(Output.Status, (yield* run(url, ["status", "--json", "--namespace", "b"], env)).out).circuits,
        []
      )

      const held = yield* run(url, ["hold-open", "*", "--for", "10m", "--reason", "a'b", "--json"], env)
      assert.deepStrictEqual(
        decode(Output.Changes, held.out).changes.map(({ after, changed }) => [changed, after.state, after.reason]),
        [
          [true, "HELD_OPEN", "a'b"],
          [true, "HELD_OPEN", "a'b"]
        ]
      )
      const unseen = yield* run(url, ["hold-open", "payments", "--reason", "a\u001b[31mb"], env)
      assert.deepStrictEqual([unseen.code, unseen.out], [2, ""])
      const by = decode(Output.Changes, held.out).changes[0]!.after.heldBy!
      assert.match((yield* run(url, ["status", "payments"], env)).out, new RegExp(`held by ${by}, ends in \\d+m`))
      assert.strictEqual((yield* run(url, ["release", "payments"], env)).out, "payments: HELD OPEN -> CLOSED")
      assert.strictEqual((yield* run(url, ["hold-closed", "payments"], env)).code, 0)
      assert.strictEqual((yield* run(url, ["reset", "payments"], env)).out, "payments: HELD CLOSED -> CLOSED")

      const unknown = yield* run(url, ["hold-open", "payment"], env)
      assert.deepStrictEqual([unknown.code, unknown.out], [3, ""])
      assert.lengthOf(decode(Output.Status, (yield* run(url, ["status", "--json"], env)).out).circuits, 2)
    })
  )

  it.effect("watches until Ctrl-C, line by line", () =>
    Effect.gen(function* () {
      const url = yield* (yield* Postgres.Server).database
      yield* run(url, ["setup", "--yes"])
      yield* put(url, "payments")
      const ran = yield* run(url, ["watch"], {
        env: { RESILIENCE_DATABASE_URL: url },
        onStart: interruptAt(
          "HELD CLOSED",
          () => void cli(["hold-closed", "payments", "--by", "ada"], { env: { RESILIENCE_DATABASE_URL: url } })
        )
      })
      const [first, second, ...rest] = ran.out.split("\n")
      assert.match(first!, /^\d{4}-\S+Z payments OPEN, 5 failures, next probe in [\dhms ]+, .*changed by web-1$/)
      assert.match(second!, /^\d{4}-\S+Z payments HELD CLOSED, held by ada, until released, changed by ada$/)
      assert.deepStrictEqual([rest, ran.code, ran.err], [[], 130, ""])
    })
  )

  describe("fails in one line", () => {
    const cases: ReadonlyArray<readonly [name: string, change: (url: URL) => void, line: RegExp]> = [
      [
        "for an unreachable port",
        (url) => (url.port = "1"),
        /^resilience: cannot reach PostgreSQL at 127\.0\.0\.1:1, .*: connection refused$/
      ],
      [
        "for a host that is none",
        (url) => Object.assign(url, { search: "sslmode=require", hostname: "no.such.host.invalid" }),
        /^resilience: cannot reach PostgreSQL at no\.such\.host\.invalid.*: (no such host|the host's name cannot be looked up)$/
      ],
      [
        "for a refused login",
        (url) => (url.password = "hunter2"),
        /^resilience: login refused for user postgres: PostgreSQL at /
      ],
      [
        "for a user that is none",
        (url) => (url.username = "nobody"),
        /^resilience: login refused for user nobody: PostgreSQL at /
      ],
      [
        "for a missing database",
        (url) => (url.pathname = "/missing"),
        /^resilience: there is no database missing: PostgreSQL at /
      ],
      [
        "where TLS is required and absent",
        (url) => (url.search = "sslmode=require"),
        /^resilience: .*TLS.*PostgreSQL at |^resilience: .*SSL/i
      ]
    ]
    for (const [name, change, line] of cases) {
      for (const args of [["setup", "--yes", "--json"], ["status"]]) {
        it.effect(`${name}: ${args.join(" ")}`, () =>
          Effect.gen(function* () {
            const url = with_((yield* Postgres.Server).url, change)
            const { code, err, out } = yield* run(url, args)
            assert.deepStrictEqual([code, out], [1, ""])
            const text = args.includes("--json") ? `resilience: ${decode(Output.Failed, err).error.message}` : err
            assert.match(text, line)
            assert.notInclude(err, "\n")
          })
        )
      }
    }

    it.effect("for a table that is not there", () =>
      Effect.gen(function* () {
        const url = yield* (yield* Postgres.Server).database
        for (const args of [["status"], ["watch"], ["hold-open", "payments"]]) {
          const { code, err, out } = yield* run(url, args)
          assert.deepStrictEqual([code, out], [1, ""])
          assert.match(err, /^resilience: there is no table resilience_circuits: run "resilience setup" [^\n]*$/)
        }
      })
    )

    it.effect("for a table that is another's, and a user that may not make one", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const url = yield* server.database
        const sql = yield* server.client(url)
        yield* sql`CREATE TABLE resilience_circuits (a int)`
        const other = yield* run(url, ["setup", "--yes"])
        assert.strictEqual(other.code, 1)
        assert.match(other.err, /^resilience: table public.resilience_circuits exists and was not made by [^\n]*$/)
        yield* sql`CREATE ROLE reader LOGIN PASSWORD 'reading'`
        const reader = with_(url, (url) => {
          url.username = "reader"
          url.password = "reading"
        })
        const refused = yield* run(reader, ["setup", "--yes", "--table", "mine"])
        assert.strictEqual(refused.code, 1)
        assert.match(
          refused.err,
          /^resilience: the role reader lacks CREATE on schema public: GRANT CREATE ON SCHEMA public TO reader, or let another role run `resilience setup` [^\n]*$/
        )
      })
    )

    for (const url of [
      "mysql://u:hunter2@h/d",
      "postgres://u:hunter2@h:99999/d",
      "hunter2",
      "redis://:hunter2@h/orders"
    ]) {
      it.effect(`for the bad URL ${url}, with exit code 2`, () =>
        Effect.gen(function* () {
          for (const ran of [
            yield* Effect.promise(() => cli(["status"], { env: { RESILIENCE_DATABASE_URL: url } })),
            yield* Effect.promise(() => cli(["status", "--url", url]))
          ]) {
            assert.deepStrictEqual([ran.code, ran.out], [2, ""])
            assert.match(ran.err, /^resilience: (RESILIENCE_DATABASE_URL|--url) [^\n]*$/)
            assert.notInclude(ran.err, "hunter2")
          }
        })
      )
    }

    it.effect("for a bad span of time, with exit code 2", () =>
      Effect.gen(function* () {
        const { code, err, out } = yield* run((yield* Postgres.Server).url, ["hold-open", "payments", "--for", "soon"])
        assert.deepStrictEqual([code, out], [2, ""])
        assert.include(err, "a span of time such as 90s")
      })
    )

    // The last test: the server does not answer after it for a while.
    it.effect("for a server that hangs, in bounded time", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        yield* Effect.acquireRelease(server.freeze, () => server.thaw)
        const { code, err, out } = yield* run(server.url, ["status"])
        assert.deepStrictEqual([code, out], [1, ""])
        assert.match(err, /^resilience: no answer in time: PostgreSQL at [^\n]*$/)
      }).pipe(Effect.scoped)
    )
  })
})
