/**
 * SQL: each query has a timeout, is retried if the reason of its error is a
 * temporary one, and goes through a breaker. A health check runs `SELECT 1`.
 *
 * A second connection holds the write lock of the database, as a long
 * transaction of another process would.
 */
import { Backoff, CircuitBreaker, Health, Policy, TripPolicy } from "effect-resilience"
import { Effect, Fiber, Layer } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Sqlite from "./support/sqlite.ts"

// A lock that is taken, a deadlock or a lost connection may go away. A query with
// a mistake, or a row that breaks a constraint, is not a failure of the database.
const isTransient = (error: unknown): boolean => SqlError.isSqlError(error) && error.isRetryable

class Database extends CircuitBreaker.Service<Database>()("database", {
  trip: TripPolicy.consecutive(4),
  openFor: "1 second",
  failureIf: isTransient
}) {}

const resilient = Policy.make({
  attemptTimeout: { after: "1 second", operation: "query" },
  breaker: Database,
  retry: { maxAttempts: 3, while: isTransient, backoff: Backoff.constant("20 millis") },
  deadline: "3 seconds"
})

const HealthLive = Health.layer({
  checks: {
    database: Health.check(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1`),
      { timeout: "1 second" }
    ),
    circuit: Health.fromBreaker(Database)
  }
})

const directory = mkdtempSync(join(tmpdir(), "effect-resilience-"))
const path = join(directory, "orders.db")

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const other = yield* Sqlite.make(path, { busyMillis: 0 })
  yield* sql`CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)`

  const insert = (id: number, item: string) => sql`INSERT INTO orders ${sql.insert({ id, item })}`.pipe(resilient)
  const statusOf = Effect.map(Health.report, (report) => report.status)

  const whileLocked = <A, E, R>(use: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.orDie(other.unsafe("BEGIN IMMEDIATE")),
      () => use,
      () => Effect.orDie(other.unsafe("ROLLBACK"))
    )

  yield* insert(1, "book")
  assert.equal(yield* statusOf, "healthy")

  // A mistake is not retried, and does not count against the database.
  const duplicate = yield* Effect.flip(insert(1, "book"))
  assert.ok(duplicate._tag === "SqlError" && duplicate.reason._tag === "ConstraintError")
  assert.equal((yield* CircuitBreaker.status(Database)).counts.failures, 0)

  // A lock that goes away in time: the first attempt finds it, the second does not.
  const waiting = yield* whileLocked(Effect.forkChild(insert(2, "pen"), { startImmediately: true }))
  yield* Fiber.join(waiting)
  assert.equal((yield* CircuitBreaker.status(Database)).counts.failures, 1)

  // A lock that stays: the attempts run out, and then the circuit opens.
  const refused = yield* whileLocked(
    Effect.gen(function* () {
      const locked = yield* Effect.flip(insert(3, "lamp"))
      assert.ok(locked._tag === "SqlError" && locked.reason._tag === "LockTimeoutError")
      yield* Effect.flip(insert(3, "lamp"))
      const refused = yield* Effect.flip(insert(3, "lamp"))
      assert.ok(refused._tag === "CircuitOpenError")
      assert.equal(yield* statusOf, "degraded")
      return refused
    })
  )
  console.log(refused.message)

  // The circuit closes with the first insert after its time.
  yield* Effect.sleep("1200 millis")
  yield* insert(3, "lamp")
  assert.equal(yield* statusOf, "healthy")
  const [count] = yield* sql<{ readonly orders: number }>`SELECT count(*) AS orders FROM orders`
  assert.equal(count?.orders, 3)
  console.log(`the circuit closed again, and there are ${count.orders} orders`)
}).pipe(
  Effect.scoped,
  Effect.provide(
    HealthLive.pipe(Layer.provideMerge(Layer.merge(Database.layer, Sqlite.layer(path, { busyMillis: 0 }))))
  ),
  Effect.ensuring(Effect.sync(() => rmSync(directory, { recursive: true })))
)

await Effect.runPromise(program)
