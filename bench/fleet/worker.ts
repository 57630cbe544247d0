/**
 * One of the processes between which messages are timed: it shares a circuit,
 * and listens to a bare channel with the same client.
 */
import { NodeRedis, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { CircuitBreaker, CircuitStore, CircuitStoreRedis, CircuitStoreSql, TripPolicy } from "effect-resilience"
import { Effect, Layer, Queue, Redacted } from "effect"
import type { Scope } from "effect"
import { Redis } from "effect/persistence"

/** What the parent tells a worker. */
export type Order =
  { readonly do: "trip" } | { readonly do: "reset" } | { readonly do: "send"; readonly payload: string }

/** What a worker tells its parent, with the time in milliseconds. */
export type Note = {
  readonly what: "ready" | "Open" | "Closed" | "sent" | "received"
  readonly at: number
}

const url = process.env["BENCH_URL"] ?? ""
const channel = "bare_channel"
const note = (what: Note["what"], at = performance.timeOrigin + performance.now()): void =>
  void process.send?.({ what, at } satisfies Note)

/** A bare channel: `send` publishes, and what arrives is noted. */
interface Channel {
  readonly send: (payload: string) => Effect.Effect<unknown, unknown>
  readonly heard: Queue.Dequeue<unknown, unknown>
}

const work = (channel: Effect.Effect<Channel, unknown, Scope.Scope>) =>
  Effect.gen(function* () {
    const { heard, send } = yield* channel
    yield* Effect.forkScoped(
      Effect.forever(Effect.map(Queue.takeAll(heard), (all) => all.forEach(() => note("received"))))
    )
    const store = yield* CircuitStore.CircuitStore
    const breaker = yield* CircuitBreaker.makeShared("bench", {
      trip: TripPolicy.consecutive(1),
      openFor: "1 hour",
      log: false
    })
    breaker.listeners.add(({ to }) => note(to._tag === "Open" ? "Open" : "Closed"))
    const orders = yield* Queue.unbounded<Order>()
    process.on("message", (order: Order) => void Queue.offerUnsafe(orders, order))
    // The row is there once the store has nothing to say any more.
    while ((yield* store.status).operations < 3) yield* Effect.sleep(20)
    yield* Effect.sleep(200)
    note("ready")
    for (;;) {
      const order = yield* Queue.take(orders)
      if (order.do === "trip") yield* Effect.ignore(CircuitBreaker.protect(Effect.fail("down"), breaker))
      else if (order.do === "reset") yield* CircuitBreaker.reset(breaker)
      else {
        note("sent")
        yield* send(order.payload)
      }
    }
  })

const options = { instance: process.env["BENCH_INSTANCE"] ?? "", log: false, namespace: "timing" }

const postgres = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* work(Effect.map(sql.listen(channel), (heard) => ({ heard, send: (payload) => sql.notify(channel, payload) })))
}).pipe(
  Effect.provide(
    Layer.provideMerge(CircuitStoreSql.layer(options), PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
  )
)

const redis = Effect.gen(function* () {
  const client = yield* Redis.Redis
  yield* work(
    Effect.map(client.subscribe(channel), (heard) => ({
      heard,
      send: (payload) => client.send("PUBLISH", channel, payload)
    }))
  )
}).pipe(Effect.provide(Layer.provideMerge(CircuitStoreRedis.layer(options), NodeRedis.layer({ url }))))

process.on("disconnect", () => process.exit())
NodeRuntime.runMain(Effect.scoped<void, unknown, Scope.Scope>(url.startsWith("redis") ? redis : postgres))
