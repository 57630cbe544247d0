/**
 * Redis client that connects with its first operation.
 *
 * **Details**
 *
 * - `NodeRedis.layer` connects while it is built, so an application cannot start
 *   while Redis is away. This layer builds it when the first operation needs it,
 *   as `PgClient.layer` does.
 * - Operations that arrive meanwhile wait for the same attempt. If it fails they
 *   fail with it, and the next operation makes another. An attempt ends when the
 *   client gives up.
 * - The client closes with the layer, which waits for that no longer than a
 *   second.
 *
 * **Gotchas**
 *
 * A wrong password or option fails the operations, and not the build of the layer.
 *
 * **Example** (Starting without Redis)
 *
 * ```ts no-run
 * import { NodeRedis } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { CircuitBreaker, CircuitStoreRedis, LazyRedis } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const RedisLive = LazyRedis.layer(NodeRedis.layer({ url: "redis://localhost:6379" }))
 *
 * const PaymentsLive = Payments.layerShared.pipe(Layer.provide(CircuitStoreRedis.layer()), Layer.provide(RedisLive))
 * ```
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Background from "../core/internal/Background.ts"

/**
 * Provides a client that is built by its first operation. It shares nothing with
 * other uses of the same layer.
 */
export const layer = <E, R>(client: Layer.Layer<Redis.Redis, E, R>): Layer.Layer<Redis.Redis, never, R> =>
  Layer.effect(
    Redis.Redis,
    Effect.gen(function* () {
      const connected = yield* connecting(client)
      return Redis.Redis.of({
        send: (command, ...args) => Effect.flatMap(connected, ({ send }) => send(command, ...args)),
        // A subscription that fails is a queue that does.
        subscribe: (channel) =>
          Effect.catch(
            Effect.flatMap(connected, ({ subscribe }) => subscribe(channel)),
            (error) =>
              Effect.tap(Queue.unbounded<Redis.RedisMessage, Redis.RedisError>(), (queue) => Queue.fail(queue, error))
          ),
        eval:
          (script) =>
          (...params) =>
            Effect.flatMap(connected, (redis) => redis.eval(script)(...params)),
        reserve: Effect.flatMap(connected, ({ reserve }) => reserve)
      })
    })
  )

type Client = Redis.Redis["Service"]

/** Returns the client once there is one. One attempt at a time is made, by who asks first. */
const connecting = <E, R>(
  client: Layer.Layer<Redis.Redis, E, R>
): Effect.Effect<Effect.Effect<Client, Redis.RedisError>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    // An attempt has nothing of the operation that made it, such as its span.
    const fork = Effect.runForkWith(yield* Effect.context<R>())
    const attempt = Effect.flatMap(Scope.fork(scope), (own) =>
      Background.acquire(Layer.build(Layer.fresh(client))).pipe(
        Scope.provide(own),
        Effect.onError((cause) => Scope.close(own, Exit.failCause(cause))),
        Effect.mapBoth({ onSuccess: Context.get(Redis.Redis), onFailure: redisError }),
        Effect.catchDefect((defect) => Effect.fail(redisError(defect)))
      )
    )
    let made: Client | undefined
    let running: Fiber.Fiber<Client, Redis.RedisError> | undefined
    return Effect.suspend(() => {
      if (made !== undefined) return Exit.succeed(made)
      if (running !== undefined) return Fiber.join(running)
      const fiber = fork(attempt)
      running = fiber
      fiber.addObserver((exit) => {
        running = undefined
        if (Exit.isSuccess(exit)) made = exit.value
      })
      return Fiber.join(fiber)
    })
  })

const redisError = (cause: unknown): Redis.RedisError =>
  cause instanceof Redis.RedisError ? cause : new Redis.RedisError({ cause })
