/**
 * The servers that chaos breaks: PostgreSQL and Redis, each real and its own.
 */
import { CircuitMigration } from "effect-resilience/store"
import { Effect } from "effect"
import type { Scope } from "effect"
import { SqlClient } from "effect/sql"
import { execFileSync } from "node:child_process"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import * as Postgres from "../test/support/postgres.ts"
import * as Redis from "../test/support/redis.ts"

/**
 * A server, and what can be done to it. What fails here is a defect.
 */
export interface Server {
  readonly name: "postgres" | "redis"
  readonly port: number
  /** Address for a process that comes through a proxy. */
  readonly urlVia: (port: number) => string
  /** Whether it keeps rows when it ends. */
  readonly keeps: boolean
  /** Ends it in good order. */
  readonly stop: Effect.Effect<void>
  /** Ends it by SIGKILL. */
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Removes all rows. */
  readonly empty: Effect.Effect<void>
  /** How many rows there are. */
  readonly rows: Effect.Effect<number>
  /** How many connections processes have. */
  readonly connections: Effect.Effect<number>
}

/**
 * PostgreSQL, with what only it has.
 */
export interface PostgresServer extends Server {
  /** Removes the table. */
  readonly dropTable: Effect.Effect<void>
  /** Makes the table, as `resilience setup` does. */
  readonly makeTable: Effect.Effect<void>
  /** Ends all connections, and lets nobody in with the password that processes have. */
  readonly changePassword: Effect.Effect<void>
  /** Makes the old password the password again. */
  readonly restorePassword: Effect.Effect<void>
}

const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(10)
}

const isGone = (pid: number) => () => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/**
 * Starts PostgreSQL, until the scope closes. Processes come in with a role and a
 * database that are theirs.
 */
export const postgres: Effect.Effect<PostgresServer, never, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Postgres.start
  const password = "first"
  const query = <A>(url: string, run: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>) =>
    server
      .client(url, { maxConnections: 1, applicationName: "chaos" })
      .pipe(Effect.flatMap(run), Effect.scoped, Effect.orDie)
  const admin = <A>(run: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>) => query(server.url, run)
  const rowsUrl = server.url.replace(/\/postgres$/, "/circuits")
  const inside = <A>(run: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>) => query(rowsUrl, run)
  const asApp = (port: number) => `postgres://app:${password}@127.0.0.1:${port}/circuits`
  const setPassword = (text: string) => admin((sql) => sql.unsafe(`ALTER ROLE app PASSWORD '${text}'`))
  const endAll = admin((sql) => sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'`)

  yield* admin((sql) => sql.unsafe(`CREATE ROLE app LOGIN PASSWORD '${password}'`))
  yield* admin((sql) => sql`CREATE DATABASE circuits OWNER app`)

  return {
    name: "postgres",
    port: server.port,
    urlVia: asApp,
    keeps: true,
    stop: server.stop,
    kill: Effect.flatMap(server.pid, (pid) =>
      Effect.promise(async () => {
        const children = execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
          .trim()
          .split("\n")
          .map(Number)
        for (const each of [pid, ...children]) {
          if (!isGone(each)()) process.kill(each, "SIGKILL")
        }
        for (const each of [pid, ...children]) await until(isGone(each))
      })
    ),
    start: server.start,
    freeze: server.freeze,
    thaw: server.thaw,
    empty: Effect.asVoid(inside((sql) => sql`DELETE FROM resilience_circuits`)),
    rows: inside((sql) => sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM resilience_circuits`).pipe(
      Effect.map(([row]) => row?.n ?? 0)
    ),
    connections: admin(
      (sql) => sql<{ readonly n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'`
    ).pipe(Effect.map(([row]) => row?.n ?? 0)),
    dropTable: inside((sql) =>
      Effect.andThen(sql`DROP TABLE resilience_circuits`, sql`DROP TABLE resilience_circuits_migrations`)
    ),
    makeTable: Effect.gen(function* () {
      const sql = yield* server.client(asApp(server.port), { maxConnections: 2, applicationName: "chaos" })
      yield* Effect.provideService(CircuitMigration.apply(), SqlClient.SqlClient, sql)
    }).pipe(Effect.scoped, Effect.orDie),
    changePassword: Effect.andThen(setPassword("second"), endAll),
    restorePassword: Effect.asVoid(setPassword(password))
  }
})

/** Sends commands on a connection of its own, and returns all that the server says. */
const say = (port: number, ...commands: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let said = ""
    const socket = connect(port, "127.0.0.1", () => socket.write([...commands, "QUIT", ""].join("\r\n")))
    const end = () => resume(Effect.succeed(said))
    socket
      .on("data", (text) => (said += text.toString()))
      .on("close", end)
      .on("error", end)
  })

/**
 * Starts Redis, until the scope closes. It keeps nothing when it ends.
 */
export const redis: Effect.Effect<Server, never, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Redis.serve
  const port = Number(new URL(server.url).port)
  return {
    name: "redis" as const,
    port,
    urlVia: (via: number) => `redis://127.0.0.1:${via}`,
    keeps: false,
    stop: Effect.andThen(say(port, "SHUTDOWN NOSAVE"), server.stop),
    kill: server.stop,
    start: Effect.orDie(server.start),
    freeze: server.freeze,
    thaw: server.thaw,
    empty: Effect.asVoid(say(port, "FLUSHALL")),
    rows: Effect.map(say(port, "KEYS *:circuit:*"), (said) => Number(/^\*(\d+)/.exec(said)?.[1] ?? 0)),
    // Its own connection is no process's.
    connections: Effect.map(say(port, "CLIENT LIST"), (said) => (said.match(/\baddr=/g)?.length ?? 1) - 1)
  }
}).pipe(Effect.orDie)
