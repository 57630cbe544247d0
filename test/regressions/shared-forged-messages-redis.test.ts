/**
 * A user of Redis who may only PUBLISH held the circuits of a whole fleet open or
 * closed, as messages were taken for rows. Whatever was written next put the
 * forgery into the table.
 */
import { NodeRedis } from "@effect/platform-node"
import { it } from "@effect/vitest"
import { Context, Effect, Layer, Queue } from "effect"
import { Redis } from "effect/persistence"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreRedis from "../../src/store/CircuitStoreRedis.ts"
import * as CircuitTableRedis from "../../src/store/CircuitTableRedis.ts"
import { cli } from "../cli/process.ts"
import { attack } from "../suites/ForgedMessagesSuite.ts"
import * as RedisServer from "../support/redis.ts"

RedisServer.describeServer("who may only publish in Redis", () => {
  it.live("steers no circuit, writes no row, and fills no log", () =>
    attack(
      Effect.gen(function* () {
        const { url } = yield* RedisServer.serve
        const client = Effect.map(Layer.build(Layer.fresh(NodeRedis.layer({ url }))), (services) =>
          Context.get(services, Redis.Redis)
        )
        const app = yield* client
        const rules = ["on", ">secret", "resetkeys", "resetchannels", "&*", "-@all", "+publish"]
        yield* app.send("ACL", "SETUSER", "mallory", ...rules)
        const { use } = Context.get(
          yield* Layer.build(
            Layer.fresh(NodeRedis.layer({ url, username: "mallory", password: "secret", disableClientInfo: true }))
          ),
          NodeRedis.NodeRedis
        )
        const send = (text: string) =>
          Effect.asVoid(use((mallory) => mallory.publish("{resilience:default}:changes", text)))
        return {
          store: Effect.gen(function* () {
            const store = CircuitStoreRedis.layer({ pollEvery: "2 seconds" })
            const services = yield* Layer.build(Layer.fresh(Layer.provide(store, NodeRedis.layer({ url }))))
            return Context.get(services, CircuitStore.CircuitStore)
          }),
          table: yield* Effect.provideService(CircuitTableRedis.make(), Redis.Redis, app),
          listen: Effect.gen(function* () {
            const heard: Array<string> = []
            const messages = yield* app.subscribe("{resilience:default}:changes")
            yield* Effect.forkScoped(
              Effect.forever(Effect.map(Queue.take(messages), ({ message }) => void heard.push(message)))
            )
            return heard
          }),
          send,
          forge: (row) => send(JSON.stringify(row)),
          cli: (...args) => Effect.promise(() => cli(args, { env: { RESILIENCE_DATABASE_URL: url } }))
        }
      })
    )
  )
})
