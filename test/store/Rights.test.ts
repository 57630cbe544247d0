/**
 * The rights that docs/fleet/trust.md names are enough, and without each of them the
 * store says which one is missing.
 */
import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { Redis } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import type * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableRedis from "../../src/store/CircuitTableRedis.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import { draft } from "../suites/CircuitTableSuite.ts"
import * as Postgres from "../support/postgres.ts"
import { describeServer, serve } from "../support/redis.ts"

const page = readFileSync(new URL("../../docs/fleet/trust.md", import.meta.url), "utf8")

/** Block of the page that begins with a comment. */
const block = (first: string): string => {
  const found = page.split("```").find((each) => each.includes(`\n${first}\n`))
  return found === undefined ? assert.fail(`the page has no block ${first}`) : found.slice(found.indexOf("\n") + 1)
}

/** All that a store does with a table. */
const all = (table: CircuitTable.CircuitTable, key: string) =>
  Effect.gen(function* () {
    const heard: Array<string> = []
    const listening = yield* table.listen?.((hint) => heard.push(hint?.resourceKey ?? "")) ?? Effect.fail("no listen")
    yield* Effect.forkScoped(listening)
    yield* table.changes(undefined)
    const first = yield* table.write(draft(key), 0)
    const second = yield* table.write(draft(key), first ?? 0)
    assert.isDefined(second)
    assert.strictEqual((yield* table.read([key])).rows[0]?.version, second)
    yield* table.sweep({ used: [key], idleMillis: 60_000, limit: 10 })
    yield* Effect.sleep("20 millis")
    assert.strictEqual(yield* table.sweep({ used: [], idleMillis: 1, limit: 10 }), 1)
    yield* Effect.sync(() => heard.includes(key)).pipe(
      Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("20 millis") }),
      Effect.timeout("5 seconds")
    )
  }).pipe(Effect.scoped)

layer(Postgres.layer, { excludeTestServices: true, timeout: "60 seconds" })("PostgreSQL", (it) => {
  const withClient = (sql: SqlClient.SqlClient) => Effect.provideService(SqlClient.SqlClient, sql)
  const statements = (text: string) =>
    text
      .replaceAll(/--.*$/gm, "")
      .split(";")
      .filter((each) => each.trim() !== "")

  /** A database with the roles of the page, whose setup ran. */
  const open = Effect.gen(function* () {
    const server = yield* Postgres.Server
    const url = yield* server.database
    const sql = yield* server.client(url)
    for (const role of ["resilience_setup", "orders", "stranger"]) {
      yield* Effect.ignore(sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`))
    }
    const as = (role: string) => server.client(url.replace(/\/\/[^@]*@/, `//${role}:p@`))
    const name = new URL(url).pathname.slice(1)
    for (const each of statements(block("-- The role that runs setup"))) yield* sql.unsafe(each)
    const setup = withClient(yield* as("resilience_setup"))
    assert.strictEqual(yield* setup(CircuitMigration.apply()), "created")
    for (const each of statements(block("-- The role of an application"))) yield* sql.unsafe(each)
    return { as, sql, name, app: withClient(yield* as("orders")) }
  })

  it.effect("an application needs what the page says", () =>
    Effect.gen(function* () {
      const { app } = yield* open
      assert.strictEqual(yield* app(CircuitMigration.apply()), "current")
      yield* all(yield* app(CircuitTableSql.make()), "a")
    })
  )

  const failing = (app: ReturnType<typeof withClient>) =>
    Effect.gen(function* () {
      const table = yield* app(CircuitTableSql.make())
      return yield* Effect.flip(
        Effect.andThen(app(CircuitMigration.apply()), all(table, "a")).pipe(
          Effect.catchTag("TableError", (error) => Effect.fail(error.message))
        )
      )
    })

  for (const [revoke, message] of [
    ...["SELECT", "INSERT", "UPDATE", "DELETE"].map(
      (right) =>
        [
          `REVOKE ${right} ON resilience_circuits FROM orders`,
          `the role orders lacks ${right} on resilience_circuits: GRANT ${right} ON resilience_circuits TO orders`
        ] as const
    ),
    [
      "REVOKE SELECT ON resilience_circuits_migrations FROM orders",
      "the role orders lacks SELECT on resilience_circuits_migrations: GRANT SELECT ON resilience_circuits_migrations TO orders, or give the layer the option `migrate: false`"
    ],
    [
      "REVOKE USAGE ON SCHEMA public FROM PUBLIC; REVOKE USAGE ON SCHEMA public FROM orders",
      "the role orders lacks USAGE on schema public: GRANT USAGE ON SCHEMA public TO orders"
    ],
    [
      "REVOKE EXECUTE ON FUNCTION pg_notify FROM PUBLIC",
      "the role orders lacks EXECUTE on pg_notify: GRANT EXECUTE ON FUNCTION pg_notify TO orders"
    ]
  ] as const) {
    it.effect(`one right less is named: ${revoke}`, () =>
      Effect.gen(function* () {
        const { app, sql } = yield* open
        for (const each of statements(revoke)) yield* sql.unsafe(each)
        assert.strictEqual(yield* failing(app), message)
      })
    )
  }

  it.effect("an operator needs less, the less the command does", () =>
    Effect.gen(function* () {
      const { app, as, sql } = yield* open
      const version = yield* (yield* app(CircuitTableSql.make())).write(draft("a"), 0)
      yield* sql`GRANT SELECT ON resilience_circuits TO stranger`
      const table = yield* withClient(yield* as("stranger"))(CircuitTableSql.make())
      assert.lengthOf((yield* table.changes(undefined)).rows, 1)
      assert.match(
        (yield* Effect.flip(table.write(draft("a"), version ?? 0))).message,
        /^the role stranger lacks INSERT, UPDATE, DELETE on resilience_circuits: /
      )
      yield* sql`GRANT INSERT, UPDATE ON resilience_circuits TO stranger`
      assert.isDefined(yield* table.write(draft("a"), version ?? 0))
      assert.isDefined(yield* table.write(draft("b"), 0))
    })
  )

  it.effect("setup needs what the page says, and names what is missing", () =>
    Effect.gen(function* () {
      const { as, sql } = yield* open
      const setup = withClient(yield* as("resilience_setup"))
      yield* sql`REVOKE CREATE ON SCHEMA public FROM resilience_setup`
      assert.strictEqual(
        (yield* Effect.flip(setup(CircuitMigration.apply({ table: "another" })))).message,
        "the role resilience_setup lacks CREATE on schema public: GRANT CREATE ON SCHEMA public TO resilience_setup, or let another role run `resilience setup`"
      )
      // An older table is brought up to date by its owner only.
      yield* sql`DROP INDEX resilience_circuits_updated_at`
      yield* sql`DELETE FROM resilience_circuits_migrations WHERE step = 2`
      yield* sql`GRANT CREATE ON SCHEMA public TO orders`
      assert.strictEqual(
        (yield* Effect.flip(withClient(yield* as("orders"))(CircuitMigration.apply()))).message,
        "the role orders does not own resilience_circuits, which is not up to date: let its owner run `resilience setup`"
      )
    })
  )

  it.effect("row security keeps the namespaces apart, and says so", () =>
    Effect.gen(function* () {
      const { app, sql } = yield* open
      for (const each of statements(block("-- Each role has the namespace of its name"))) yield* sql.unsafe(each)
      yield* all(yield* app(CircuitTableSql.make({ namespace: "orders" })), "a")
      const other = yield* app(CircuitTableSql.make({ namespace: "billing" }))
      assert.lengthOf((yield* other.changes(undefined)).rows, 0)
      assert.strictEqual(
        (yield* Effect.flip(other.write(draft("a"), 0))).message,
        "row security of resilience_circuits refuses the row to the role orders: a policy has to allow its namespace"
      )
    })
  )

  it.effect("who may not connect cannot notify", () =>
    Effect.gen(function* () {
      const { as, app, name, sql } = yield* open
      const stranger = yield* as("stranger")
      yield* stranger`SELECT pg_notify('x', 'y')`
      for (const each of statements(block("-- Only these roles may connect").replaceAll("circuits_db", name))) {
        yield* sql.unsafe(each)
      }
      const late = yield* as("stranger")
      assert.strictEqual((yield* Effect.flip(late`SELECT pg_notify('x', 'y')`))._tag, "SqlError")
      yield* all(yield* app(CircuitTableSql.make()), "a")
    })
  )
})

describeServer("Redis", () => {
  const rules = () => block("# The user of an application").replaceAll(/#.*$/gm, "").trim().split(/\s+/)

  /** A server with a user, and a table that this user opens. */
  const open = (change: (rules: ReadonlyArray<string>) => ReadonlyArray<string> = (rules) => rules) =>
    Effect.gen(function* () {
      const server = yield* serve
      const client = (url: string) => Layer.build(NodeRedis.layer({ url }))
      const admin = yield* Effect.provide(Redis.Redis, yield* client(server.url))
      const [acl = "", setuser = "", user = "", ...given] = rules()
      yield* admin.send(acl, setuser, user, ...change(given.map((rule) => (rule.startsWith(">") ? ">p" : rule))))
      const context = yield* client(server.url.replace("//", `//${user}:p@`))
      return yield* Effect.provide(CircuitTableRedis.make(), context)
    })

  it.live("an application needs what the page says", () =>
    Effect.scoped(Effect.flatMap(open(), (table) => all(table, "a")))
  )

  it.live("a user may have one namespace only", () =>
    Effect.gen(function* () {
      const one = (rule: string) => rule.replace("{resilience:*", "{resilience:default}:*")
      yield* all(yield* open((rules) => rules.map(one)), "a")
      const other = (rule: string) => rule.replace("{resilience:*", "{resilience:checkout}:*")
      const { message } = yield* Effect.flip((yield* open((rules) => rules.map(other))).read(["a"]))
      assert.include(message, "the user lacks the keys")
    }).pipe(Effect.scoped)
  )

  it.live("without publish a store writes, and tells nobody", () =>
    Effect.gen(function* () {
      const table = yield* open((rules) => rules.filter((rule) => rule !== "+publish" && rule !== "+hstrlen"))
      assert.isDefined(yield* table.write(draft("a"), 0))
      assert.lengthOf((yield* table.read(["a"])).rows, 1)
    }).pipe(Effect.scoped)
  )

  for (const [without, message] of [
    ["+hmget", /: the user lacks the command hmget: ACL SETUSER <user> \+hmget$/],
    ["+hget", /: the user lacks the command hget: /],
    ["+hset", /: the user lacks the command hset: /],
    ["+del", /: the user lacks the command del: /],
    ["+zadd", /: the user lacks the command zadd: /],
    ["+zrem", /: the user lacks the command zrem: /],
    ["+zrangebyscore", /: the user lacks the command zrangebyscore: /],
    ["+time", /: the user lacks the command time: /],
    ["+evalsha", /: the user lacks the command evalsha: /],
    ["+script", /: the user lacks the command script\|load: /],
    ["+subscribe", /^Redis could not listen: the user lacks the command subscribe: /],
    ["~{resilience:*", /: the user lacks the keys \{resilience:\*: ACL SETUSER <user> ~\{resilience:\*$/],
    [
      "&{resilience:*",
      /^Redis could not listen: the user lacks the channels \{resilience:\*: ACL SETUSER <user> &\{resilience:\*$/
    ]
  ] as const) {
    it.live(`one right less is named: ${without}`, () =>
      Effect.gen(function* () {
        assert.include(rules(), without)
        const table = yield* open((rules) => rules.filter((rule) => rule !== without))
        const error = yield* Effect.flip(all(table, "a"))
        assert.match(typeof error === "object" && error._tag === "TableError" ? error.message : String(error), message)
      }).pipe(Effect.scoped)
    )
  }
})

describe("the page", () => {
  it("is in the index", () => {
    assert.include(readFileSync(new URL("../../docs/README.md", import.meta.url), "utf8"), "fleet/trust.md")
  })
})
