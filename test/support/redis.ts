/**
 * Redis servers for tests: the `redis-server` that is on the PATH, or the server
 * at `REDIS_URL`.
 *
 * **Details**
 *
 * - `layer` provides a client of one or the other. On the server at
 *   `REDIS_URL`, keys are left behind.
 * - `serve` starts a server of its own, without persistence, that can be
 *   stopped, started again and frozen. It ends with the scope, and with the
 *   process that runs the tests, however that ends.
 * - `describeRedis` and `describeServer` skip, and say why, where there is no
 *   server, or none to be started.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import { NodeRedis } from "@effect/platform-node"
import { Data, Effect, Layer } from "effect"
import type { Scope } from "effect"
import type { Redis } from "effect/persistence"
import { freePort } from "./port.ts"
import { orSkip } from "./skip.ts"

const externalUrl = process.env["REDIS_URL"]
const hasBinary = spawnSync("redis-server", ["--version"]).status === 0

/** Describes tests that need a client of any server, or skips them. */
export const describeRedis = orSkip(
  hasBinary || externalUrl !== undefined,
  "no redis-server on the PATH, and no REDIS_URL"
)

/** Describes tests that need a server of their own, or skips them. */
export const describeServer = orSkip(hasBinary, "no redis-server on the PATH")

export class RedisServerError extends Data.TaggedError("RedisServerError")<{ readonly message: string }> {}

/** A server that is the test's own. */
export interface RedisServer {
  /** Stays the same when the server is started again. */
  readonly url: string
  /** Process of the server, 0 while it is stopped. */
  readonly pid: Effect.Effect<number>
  /** Kills the server, with all that it holds. */
  readonly stop: Effect.Effect<void>
  /** Starts the server again, empty. Ends once it answers. */
  readonly start: Effect.Effect<void, RedisServerError>
  /** Lets the server do nothing, with its connections open, until `thaw`. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
}

// The shell outlives the tests where they are killed: its input ends with them.
const script = `
trap "" INT
dir=$(mktemp -d)
redis-server "$@" --dir "$dir" </dev/null >/dev/null 2>&1 &
echo $!
cat >/dev/null
kill -9 $!
wait
rm -rf "$dir"
`

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once("data", (data) => end(data.toString().startsWith("+PONG")))
    socket.once("error", () => end(false))
    socket.setTimeout(500, () => end(false))
  })

const launch = async (port: number) => {
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const shell = spawn("sh", ["-c", script, "sh", ...args], { stdio: ["pipe", "pipe", "ignore"] })
  const [line] = (await once(shell.stdout, "data")) as [Buffer]
  const end = async () => {
    if (shell.exitCode !== null) return
    const closed = once(shell, "close")
    shell.stdin.end()
    await closed
  }
  const until = Date.now() + 30_000
  while (!(await answers(port))) {
    if (Date.now() > until) {
      await end()
      throw new RedisServerError({ message: `redis-server does not answer at port ${port}` })
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { pid: Number(line.toString()), end }
}

/** Starts a server, until the scope closes. */
export const serve: Effect.Effect<RedisServer, RedisServerError, Scope.Scope> = Effect.gen(function* () {
  const port = yield* Effect.promise(freePort)
  let running: Awaited<ReturnType<typeof launch>> | undefined
  const signal = (name: NodeJS.Signals) =>
    Effect.sync(() => {
      if (running !== undefined) process.kill(running.pid, name)
    })
  const stop = Effect.promise(async () => {
    const { end } = running ?? {}
    running = undefined
    await end?.()
  })
  const start = Effect.tryPromise({
    try: async () => {
      running ??= await launch(port)
    },
    catch: (error) => (error instanceof RedisServerError ? error : new RedisServerError({ message: String(error) }))
  })
  yield* Effect.acquireRelease(start, () => stop)
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: Effect.sync(() => running?.pid ?? 0),
    stop,
    start,
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT")
  }
})

/** Provides a client of the server at `REDIS_URL`, or of one that is started for it. */
export const layer: Layer.Layer<Redis.Redis | NodeRedis.NodeRedis, RedisServerError | Redis.RedisError> = Layer.unwrap(
  Effect.map(externalUrl === undefined ? Effect.map(serve, ({ url }) => url) : Effect.succeed(externalUrl), (url) =>
    NodeRedis.layer({ url })
  )
)
