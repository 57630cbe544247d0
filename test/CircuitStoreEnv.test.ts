import { NodeRedis } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Logger } from "effect"
import * as CircuitState from "../src/CircuitState.ts"
import * as CircuitStore from "../src/CircuitStore.ts"
import * as CircuitStoreEnv from "../src/CircuitStoreEnv.ts"
import * as Postgres from "./support/postgres.ts"
import { describeServer, serve } from "./support/redis.ts"

const environment = (variables: Record<string, string>) =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables }))

/** Opens a store of an environment, holds a circuit in it, and says what a second one reads. */
const share = (variables: Record<string, string>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const open = Effect.map(
      Layer.build(
        Layer.fresh(CircuitStoreEnv.layer({ postgres: PgClient.layer, redis: NodeRedis.layer })).pipe(
          Layer.provide([environment(variables), Logger.layer([logger])])
        )
      ),
      (context) => context.mapUnsafe.get(CircuitStore.CircuitStore.key) as CircuitStore.CircuitStore["Service"]
    )
    const [one, other] = [yield* open, yield* open]
    const cell = (): CircuitStore.Cell => ({
      name: "payments",
      key: undefined,
      current: CircuitState.initial,
      changed: () => Effect.void
    })
    const held: CircuitState.CircuitState = { _tag: "HeldOpen", generation: 1, since: 1 }
    yield* one.update(cell(), 0, () => [held, undefined])
    const { before } = yield* other.update(cell(), 0, (state) => [state, undefined])
    return { lines, read: before._tag }
  })

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""))

describe("CircuitStoreEnv", () => {
  it.live("P4 in-memory when PostgreSQL is not configured: nothing is shared, and the log says so", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.scoped(share({})), {
        lines: [
          "Circuits are not shared: RESILIENCE_DATABASE_URL is not set",
          "Circuits are not shared: RESILIENCE_DATABASE_URL is not set"
        ],
        read: "Closed"
      })
    })
  )

  it.live("a database for which there is no driver fails the layer", () =>
    Effect.gen(function* () {
      for (const [url, driver] of [
        ["postgres://localhost/app", "postgres"],
        ["redis://localhost", "redis"]
      ] as const) {
        const built = Layer.build(
          CircuitStoreEnv.layer({}).pipe(Layer.provide(environment({ RESILIENCE_DATABASE_URL: url })))
        )
        assert.match(
          yield* failure(Effect.scoped(built)),
          new RegExp(`MissingDriverError.*the environment says ${driver}, and the layer has no option`)
        )
      }
    })
  )

  it.live("a variable that breaks a rule fails the layer, with its name and without its value", () =>
    Effect.gen(function* () {
      const text = yield* failure(Effect.scoped(share({ RESILIENCE_DATABASE_URL: "http://user:secret@host/" })))
      assert.include(text, "RESILIENCE_DATABASE_URL")
      assert.notInclude(text, "secret")
    })
  )

  layer(Postgres.layer, { excludeTestServices: true, timeout: "1 minute" })("PostgreSQL", (it) => {
    it.effect("P4 PostgreSQL storage configured from the environment: circuits are shared", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const { lines, read } = yield* Effect.scoped(share({ DATABASE_URL: server.url }))
        assert.strictEqual(read, "HeldOpen")
        assert.match(lines[0] ?? "", /^Circuits are shared through PostgreSQL at 127.0.0.1:\d+, database postgres/)
        assert.notInclude(lines.join("\n"), new URL(server.url).password)
      })
    )
  })

  describeServer("Redis", () => {
    it.live("circuits are shared", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { url } = yield* serve
          const { read } = yield* Effect.scoped(share({ RESILIENCE_DATABASE_URL: url, RESILIENCE_NAMESPACE: "a" }))
          assert.strictEqual(read, "HeldOpen")
        })
      )
    )
  })
})
