/**
 * The program `resilience` against a real Redis server.
 */
import { NodeRedis } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as net from "node:net"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableRedis from "../../src/store/CircuitTableRedis.ts"
import * as Output from "../../src/cli/output/Output.ts"
import * as RedisServer from "../support/redis.ts"
import { cli, interruptAt } from "./process.ts"
import { open } from "./support.ts"

const decode = <T, E>(schema: Schema.Codec<T, E>, text: string): T =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(text)

const put = (url: string, resourceKey: string) =>
  Effect.gen(function* () {
    const table = yield* CircuitTableRedis.make()
    yield* CircuitTable.update(table, resourceKey, "web-1", (_, now) => [{ ...open, since: now }, undefined])
  }).pipe(Effect.provide(NodeRedis.layer({ url })), Effect.scoped, Effect.orDie)

const serve = Effect.map(RedisServer.serve, ({ url, ...server }) => ({
  ...server,
  url,
  run: (...args: ReadonlyArray<string>) => Effect.promise(() => cli(args, { env: { RESILIENCE_DATABASE_URL: url } }))
}))

RedisServer.describeServer("resilience, on Redis", () => {
  it.live("shows, holds, releases and resets circuits", () =>
    Effect.gen(function* () {
      const { run, url } = yield* serve
      assert.deepStrictEqual(yield* run("status"), { code: 0, out: "No circuits in namespace default.", err: "" })
      yield* put(url, "payments")
      yield* put(url, "search:eu")

      const status = yield* run("status", "--json")
      assert.deepStrictEqual(
        decode(Output.Status, status.out).circuits.map(({ changedBy, circuit, state }) => [circuit, state, changedBy]),
        [
          ["payments", "OPEN", "web-1"],
          ["search:eu", "OPEN", "web-1"]
        ]
      )

      const held = yield* run("hold-closed", "pay*", "--for", "10m", "--reason", "test", "--by", "ada", "--json")
      assert.strictEqual(held.code, 0, held.err)
      const [change] = decode(Output.Changes, held.out).changes
      assert.deepInclude(change?.after, { state: "HELD_CLOSED", heldBy: "ada", reason: "test", changedBy: "ada" })
      assert.include((yield* run("status", "payments")).out, "held by ada, ends in")

      assert.strictEqual((yield* run("release", "payments")).out, "payments: HELD CLOSED -> CLOSED")
      assert.strictEqual((yield* run("reset", "search:eu")).out, "search:eu: OPEN -> CLOSED")
      assert.strictEqual((yield* run("reset", "nobody")).code, 3)
      assert.lengthOf(decode(Output.Status, (yield* run("status", "--json")).out).circuits, 2)
      assert.include((yield* run("setup")).out, "Nothing to set up")
    }).pipe(Effect.scoped)
  )

  it.live("watches until Ctrl-C", () =>
    Effect.gen(function* () {
      const { url } = yield* serve
      yield* put(url, "payments")
      const ran = yield* Effect.promise(() =>
        cli(["watch", "--json"], {
          env: { RESILIENCE_DATABASE_URL: url },
          onStart: interruptAt(
            "HELD_OPEN",
            () => void cli(["hold-open", "payments"], { env: { RESILIENCE_DATABASE_URL: url } })
          )
        })
      )
      assert.deepStrictEqual(
        ran.out.split("\n").map((line) => {
          const { change, circuit } = decode(Output.Sighting, line)
          return [change, circuit.state]
        }),
        [
          ["present", "OPEN"],
          ["changed", "HELD_OPEN"]
        ]
      )
      assert.deepStrictEqual([ran.code, ran.err], [130, ""])
    }).pipe(Effect.scoped)
  )

  it.live("fails in one line where the server is away, hangs, refuses the login or has no such database", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const at = server.url.slice("redis://".length)
      const refused = yield* Effect.promise(() =>
        Promise.all([
          cli(["status", "--url", `redis://ada:hunter2@${at}`]),
          cli(["status", "--url", `redis://${at}/99`]),
          cli(["status", "--url", `rediss://${at}`])
        ])
      )
      assert.deepStrictEqual(
        refused.map(({ code, out }) => [code, out]),
        refused.map(() => [1, ""])
      )
      assert.strictEqual(refused[0].err, `resilience: login refused for user ada: Redis at ${at}, database 0, user ada`)
      assert.strictEqual(refused[1].err, `resilience: there is no database 99: Redis at ${at}, database 99`)
      assert.match(refused[2].err, /^resilience: .*TLS require\)?.*$/)

      yield* server.freeze
      const hanging = yield* server.run("status")
      assert.deepStrictEqual(hanging, {
        code: 1,
        out: "",
        err: `resilience: no answer in time: Redis at ${at}, database 0`
      })
      yield* server.thaw
      yield* server.stop
      assert.deepStrictEqual(yield* server.run("status"), {
        code: 1,
        out: "",
        err: `resilience: cannot reach Redis at ${at}, database 0: connection refused`
      })
    }).pipe(Effect.scoped)
  )

  it.live("does not repeat a password that the server repeats", () =>
    Effect.gen(function* () {
      const server = net.createServer((socket) => {
        socket.on("data", () =>
          socket.write("-ERR unknown command `AUTH`, with args beginning with: `ada`, `hunter2`, \r\n".repeat(4))
        )
        socket.on("error", () => undefined)
      })
      const port = yield* Effect.promise(
        () =>
          new Promise<number>((resolve) =>
            // It listens at an address with a port.
            server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
          )
      )
      const { code, err, out } = yield* Effect.promise(() =>
        cli(["status", "--url", `redis://ada:hunter2@127.0.0.1:${port}`])
      )
      server.close()
      assert.deepStrictEqual([code, out], [1, ""])
      assert.match(err, /^resilience: [^\n]*$/)
      assert.notInclude(err, "hunter2")
    })
  )
})
