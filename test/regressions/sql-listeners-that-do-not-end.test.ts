// A connection that listened says UNLISTEN as it ends, and waits for the answer. On a line that is dead there is none, and
// each outage would leave one more connection of the pool behind, until the pool is empty.
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope } from "effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import * as Postgres from "../support/postgres.ts"

layer(Postgres.layer, { excludeTestServices: true, timeout: 60_000 })("listeners that do not end", (it) => {
  it.effect(
    "are two at most: a table waits for their end before it listens again",
    () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const client = yield* server.client(yield* server.database)
        const withClient = Effect.provideService(SqlClient.SqlClient, client)
        yield* withClient(CircuitMigration.apply())
        const { listen: begin = () => Effect.die("no feed") } = yield* withClient(CircuitTableSql.make())
        const listen = begin(() => {})
        const scopes = yield* Effect.forEach([1, 2], () => Scope.make())
        for (const scope of scopes) yield* Scope.provide(listen, scope)

        yield* server.freeze
        for (const scope of scopes) yield* Scope.close(scope, Exit.void)
        const { message } = yield* Effect.flip(Effect.scoped(listen)).pipe(Effect.ensuring(server.thaw))
        assert.strictEqual(message, "connections that listened earlier have not ended yet")

        yield* Effect.retry(Effect.scoped(listen), Schedule.upTo(Schedule.spaced(50), { duration: "10 seconds" }))
      }).pipe(Effect.scoped),
    60_000
  )
})
