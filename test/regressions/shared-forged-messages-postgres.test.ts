/**
 * A role of PostgreSQL with LOGIN and no other right held the circuits of a whole
 * fleet open or closed, as messages were taken for rows: there are no rights for
 * NOTIFY. Whatever was written next put the forgery into the table.
 */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Queue } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreSql from "../../src/store/CircuitStoreSql.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import { cli } from "../cli/process.ts"
import { attack } from "../suites/ForgedMessagesSuite.ts"
import * as Postgres from "../support/postgres.ts"

const space = "resilience_circuits:default"

// FNV-1a, as anybody can read it in the source.
const channel = () => {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(space)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return `effect_resilience_${hash.toString(16).padStart(16, "0")}`
}

layer(Postgres.layer, { excludeTestServices: true, timeout: "2 minutes" })(
  "who may only log in to PostgreSQL",
  (it) => {
    it.effect("steers no circuit, writes no row, and fills no log", () =>
      attack(
        Effect.gen(function* () {
          const server = yield* Postgres.Server
          const url = yield* server.database
          const sql = yield* server.client(url)
          yield* sql`CREATE ROLE mallory LOGIN PASSWORD 'secret'`
          const address = new URL(url)
          address.username = "mallory"
          address.password = "secret"
          const mallory = yield* server.client(address.href)
          const send = (text: string) => Effect.asVoid(mallory`SELECT pg_notify(${channel()}, ${text})`)
          const store = Effect.gen(function* () {
            const own = yield* server.client(url)
            const services = yield* Layer.build(
              Layer.fresh(
                Layer.provide(
                  CircuitStoreSql.layer({ pollEvery: "2 seconds" }),
                  Layer.succeed(SqlClient.SqlClient, own)
                )
              )
            )
            return Context.get(services, CircuitStore.CircuitStore)
          })
          yield* Effect.provideService(CircuitMigration.apply(), SqlClient.SqlClient, sql)
          const refused = yield* Effect.flip(mallory`SELECT * FROM resilience_circuits`)
          assert.include(String(refused.reason.cause), "permission denied")
          return {
            store,
            table: yield* Effect.provideService(CircuitTableSql.make(), SqlClient.SqlClient, sql),
            listen: Effect.gen(function* () {
              const heard: Array<string> = []
              const messages = yield* mallory.listen(channel())
              yield* Effect.forkScoped(
                Effect.forever(Effect.map(Queue.take(messages), ({ payload }) => void heard.push(payload ?? "")))
              )
              return heard
            }),
            send,
            forge: (row) => send(JSON.stringify({ space, ...row })),
            cli: (...args) => Effect.promise(() => cli(args, { env: { RESILIENCE_DATABASE_URL: url } }))
          }
        })
      )
    )
  }
)
