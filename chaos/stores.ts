/**
 * The store of a worker, with a client as `docs/shared-state.md` recommends it.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as CircuitStore from "effect-resilience/CircuitStore"
import * as CircuitStoreRedis from "effect-resilience/CircuitStoreRedis"
import * as CircuitStoreSql from "effect-resilience/CircuitStoreSql"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { Setup } from "../fleet/messages.ts"

/** Short, so that what a pool keeps for later is not taken for a leak. */
const idleTimeout = "3 seconds"

/**
 * Provides the store of a process.
 */
export const layer = (
  instance: string,
  { namespace, url, ...store }: Setup["store"]
): Layer.Layer<CircuitStore.CircuitStore, SqlError> => {
  if (url === "local") return CircuitStore.layerLocal
  const options = { instance, namespace, ...store }
  return url.startsWith("redis:")
    ? CircuitStoreRedis.layer(options).pipe(Layer.provide(redis(url, store.pollEvery ?? 5000)))
    : CircuitStoreSql.layer(options).pipe(
        Layer.provide(closesSoon(PgClient.layer({ url: Redacted.make(url), connectTimeout: "1 second", idleTimeout })))
      )
}

/** A client that closes in the background where that takes long: one that listens waits for a server that is frozen. */
const closesSoon = <A, E>(client: Layer.Layer<A, E>): Layer.Layer<A, E> =>
  Layer.effectContext(
    Effect.flatMap(
      Effect.acquireRelease(Scope.make(), (scope, exit) =>
        Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true }).pipe(
          Effect.flatMap((closing) => Effect.timeoutOption(Fiber.await(closing), "1 second"))
        )
      ),
      (scope) => Layer.buildWithScope(client, scope)
    )
  )

/**
 * A client that connects when it can, and that nobody waits for. What the store
 * sends counts as activity of its socket, so the socket's timeout has to be
 * shorter than the time between two polls.
 */
const redis = (url: string, pollEvery: number): Layer.Layer<Redis.Redis> =>
  Layer.effect(
    Redis.Redis,
    Effect.gen(function* () {
      const connected = yield* Deferred.make<Redis.Redis["Service"]>()
      const longest = pollEvery * 0.4
      let ready = false
      const client = NodeRedis.layer({
        url,
        disableOfflineQueue: true,
        pingInterval: pollEvery * 0.1,
        socket: {
          socketTimeout: longest,
          // The first connection fails and is tried again as a whole.
          reconnectStrategy: (retries, cause) => (ready ? Math.min(2 ** retries * 50, longest) : cause)
        }
      })
      // A client that is closed waits for replies that do not come.
      const destroyed = Layer.effectDiscard(
        Effect.acquireRelease(NodeRedis.NodeRedis, ({ client }) =>
          Effect.sync(() => {
            if (client.isOpen) client.destroy()
          })
        )
      )
      const scope = yield* Effect.scope
      const attempt = Effect.flatMap(Scope.fork(scope), (own) =>
        Layer.buildWithScope(Layer.fresh(Layer.provideMerge(destroyed, client)), own).pipe(
          Effect.onError((cause) => Scope.close(own, Exit.failCause(cause)))
        )
      )
      yield* attempt.pipe(
        Effect.retry(Schedule.spaced(longest)),
        Effect.flatMap((context) => {
          ready = true
          return Effect.flatMap(Effect.provideContext(Redis.Redis, context), (redis) =>
            Deferred.succeed(connected, redis)
          )
        }),
        Effect.forkScoped
      )
      const use = Deferred.await(connected)
      return Redis.Redis.of({
        send: (command, ...args) => Effect.flatMap(use, ({ send }) => send(command, ...args)),
        subscribe: (channel) => Effect.flatMap(use, ({ subscribe }) => subscribe(channel)),
        eval:
          (script) =>
          (...params) =>
            Effect.flatMap(use, (redis) => redis.eval(script)(...params)),
        reserve: Effect.flatMap(use, ({ reserve }) => reserve)
      })
    })
  )
