import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Layer, Logger, Queue, Schedule, Scope } from "effect"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as LazyRedis from "../../src/store/LazyRedis.ts"
import { describeServer, serve } from "../support/redis.ts"

/** A client that connects as `connect` says, and answers each command with its name. */
const client = (connect: Effect.Effect<void, unknown> = Effect.void) => {
  const told: Array<string> = []
  const note = (what: string) => Effect.sync(() => void told.push(what))
  const layer = Layer.effect(
    Redis.Redis,
    Effect.acquireRelease(
      Effect.gen(function* () {
        yield* note("connects")
        yield* connect
        yield* note("connected")
        return yield* Redis.make({
          // A reply is whatever the server says.
          send: <A>(command: string) => Effect.succeed(command as A),
          subscribe: () => Effect.succeed(Effect.never),
          connect: Effect.never
        })
      }),
      () => note("closed")
    )
  )
  return { layer, told }
}

const open = <E>(layer: Layer.Layer<Redis.Redis, E>) =>
  Effect.map(Layer.build(LazyRedis.layer(layer)), Context.get(Redis.Redis))

const refused = new Redis.RedisError({ cause: new Error("connection refused") })

describe("LazyRedis", () => {
  it.effect("connects with the first operation and no more, and closes with the layer", () =>
    Effect.gen(function* () {
      const { layer, told } = client()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const redis = yield* open(layer)
          assert.deepStrictEqual(told, [])
          assert.strictEqual(yield* redis.send("PING"), "PING")
          assert.strictEqual(yield* redis.send("TIME"), "TIME")
          assert.deepStrictEqual(told, ["connects", "connected"])
        })
      )
      assert.deepStrictEqual(told, ["connects", "connected", "closed"])
    })
  )

  it.effect("operations that come while it connects wait for the same attempt", () =>
    Effect.gen(function* () {
      const there = Latch.makeUnsafe()
      const { layer, told } = client(there.await)
      const redis = yield* open(layer)
      const asking = yield* Effect.forkChild(
        Effect.all([redis.send("PING"), redis.send("TIME")], { concurrency: "unbounded" }),
        { startImmediately: true }
      )
      yield* there.open
      assert.deepStrictEqual(yield* Fiber.join(asking), ["PING", "TIME"])
      assert.deepStrictEqual(told, ["connects", "connected"])
    })
  )

  it.effect("operations fail with the attempt, and the next one makes another", () =>
    Effect.gen(function* () {
      let isAway = true
      const { layer, told } = client(Effect.suspend(() => (isAway ? Effect.fail(refused) : Effect.void)))
      const redis = yield* open(layer)
      assert.strictEqual(yield* Effect.flip(redis.send("PING")), refused)
      assert.strictEqual(yield* Effect.flip(redis.send("PING")), refused)
      isAway = false
      assert.strictEqual(yield* redis.send("PING"), "PING")
      assert.deepStrictEqual(told, ["connects", "connects", "connects", "connected"])
    })
  )

  it.effect("an attempt that fails leaves nothing open", () =>
    Effect.gen(function* () {
      const half = client()
      const layer = Layer.provide(Layer.effect(Redis.Redis, Effect.fail(refused)), half.layer)
      const redis = yield* open(layer)
      yield* Effect.flip(redis.send("PING"))
      assert.deepStrictEqual(half.told, ["connects", "connected", "closed"])
    })
  )

  it.effect("a client that cannot be built, and one that dies, fail the operations", () =>
    Effect.gen(function* () {
      const other = yield* open(client(Effect.fail("no")).layer)
      assert.strictEqual((yield* Effect.flip(other.send("PING"))).cause, "no")
      const dying = yield* open(client(Effect.die("wrong options")).layer)
      assert.strictEqual((yield* Effect.flip(dying.send("PING"))).cause, "wrong options")
    })
  )

  it.effect("an operation that is given up leaves the attempt to those that come after it", () =>
    Effect.gen(function* () {
      const there = Latch.makeUnsafe()
      const { layer, told } = client(there.await)
      const redis = yield* open(layer)
      const first = yield* Effect.forkChild(redis.send("PING"), { startImmediately: true })
      yield* Fiber.interrupt(first)
      const next = yield* Effect.forkChild(redis.send("TIME"), { startImmediately: true })
      yield* there.open
      assert.strictEqual(yield* Fiber.join(next), "TIME")
      assert.deepStrictEqual(told, ["connects", "connected"])
    })
  )

  it.effect("a subscription that cannot be made is a queue that failed", () =>
    Effect.gen(function* () {
      const redis = yield* open(client(Effect.fail(refused)).layer)
      const exit = yield* Effect.exit(Queue.take(yield* redis.subscribe("changes")))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === refused)
    })
  )

  it.effect("closes within a second while it connects uninterruptibly, and then closes the client that is there", () =>
    Effect.gen(function* () {
      const there = Latch.makeUnsafe()
      const { layer, told } = client(Effect.uninterruptible(there.await))
      const scope = yield* Scope.make()
      const redis = yield* Scope.provide(open(layer), scope)
      const asking = yield* Effect.forkChild(Effect.exit(redis.send("PING")), { startImmediately: true })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isDefined(closing.pollUnsafe())
      yield* there.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(told, ["connects", "connected", "closed"])
      assert.isTrue(Exit.isFailure(yield* Fiber.join(asking)))
    })
  )

  it.effect("shares no client with other uses of its layer", () =>
    Effect.gen(function* () {
      const { layer, told } = client()
      const both = Layer.provideMerge(
        LazyRedis.layer(layer),
        Layer.effectDiscard(Effect.flatMap(Redis.Redis, () => Effect.void)).pipe(Layer.provide(layer))
      )
      const redis = Context.get(yield* Layer.build(both), Redis.Redis)
      yield* redis.send("PING")
      assert.deepStrictEqual(told, ["connects", "connected", "connects", "connected"])
    })
  )
})

describeServer("LazyRedis on a server that is away at first", () => {
  for (const [name, socket] of [
    ["that fails then", {}],
    ["that tries again by itself", { reconnectStrategy: (retries: number) => Math.min(2 ** retries * 50, 200) }]
  ] as const) {
    it.live(`a client ${name} is there once the server is, and is closed with the layer`, () =>
      Effect.gen(function* () {
        const { start, stop, url } = yield* serve
        yield* stop
        const scope = yield* Scope.make()
        const client = NodeRedis.layer({ url, disableOfflineQueue: true, socket })
        const redis = yield* Scope.provide(open(client), scope)
        const ask = Effect.timeout(redis.send("PING"), "300 millis")
        assert.isTrue(Exit.isFailure(yield* Effect.exit(ask)))
        yield* start
        assert.strictEqual(yield* Effect.retry(ask, { schedule: Schedule.spaced("20 millis"), times: 200 }), "PONG")
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(ask)))
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
    )
  }

  it.live("a client that tries again by itself stops that when the layer closes", () =>
    Effect.gen(function* () {
      const { stop, url } = yield* serve
      yield* stop
      let attempts = 0
      const reconnectStrategy = () => {
        attempts++
        return 20
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const redis = yield* open(NodeRedis.layer({ url, socket: { reconnectStrategy } }))
          yield* Effect.exit(Effect.timeout(redis.send("PING"), "200 millis"))
        })
      )
      const made = attempts
      assert.isAbove(made, 1)
      yield* Effect.sleep("200 millis")
      assert.isAtMost(attempts, made + 1)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
