import { assert, describe, it, vi } from "@effect/vitest"
import { Clock, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { Listing } from "../../src/control/internal/Listing.ts"
import * as Refusals from "../../src/control/internal/Refusals.ts"
import { answer, secret, serve } from "../support/control.ts"

const token = Redacted.make(secret)
const plane = (options?: ControlPlane.Options) => serve(ControlPlane.layer({ token, ...options }))

/** Counts the walks over all circuits, and the circuits that are encoded. */
const count = Effect.suspend(() => {
  const choose = vi.spyOn(Listing.prototype, "choose")
  const show = vi.spyOn(Listing.prototype, "show")
  return Effect.as(
    Effect.addFinalizer(() =>
      Effect.sync(() => {
        choose.mockRestore()
        show.mockRestore()
      })
    ),
    () => ({ walks: choose.mock.calls.length, encoded: show.mock.calls.length })
  )
})

describe("lists", () => {
  it.live("are of one walk over 100 000 keys for all readers, and encode each circuit once", () =>
    Effect.gen(function* () {
      const { breaker, request } = yield* plane({ updates: "1 hour", limits: { readsPerSecond: 1000 } })
      const search = yield* breaker("search", { log: false, keys: { max: 200_000 } })
      const clock = yield* Clock.Clock
      for (let i = 0; i < 100_000; i++) search.keyedCircuit(`key-${i}`, clock)
      yield* CircuitBreaker.holdOpen(search, { key: "key-99999" })
      const counted = yield* count
      const list = (limit: number) => Effect.flatMap(request(`/circuits?limit=${limit}`), answer)
      const [status, body] = yield* list(2)
      assert.deepStrictEqual(
        [status, body?.total, body?.circuits?.map(({ key }) => key)],
        [200, 100_001, [undefined, "key-99999"]]
      )
      assert.deepStrictEqual(counted(), { walks: 1, encoded: 2 })
      for (let i = 0; i < 20; i++) yield* list(1 + (i % 3))
      assert.deepStrictEqual(counted(), { walks: 1, encoded: 3 })
      const [, all] = yield* list(2000)
      assert.strictEqual(all?.circuits?.length, 2000)
      yield* list(2000)
      assert.deepStrictEqual(counted(), { walks: 1, encoded: 2000 })
    })
  )
})

describe("refusals", () => {
  it.live("are held back, and say when to ask again", () =>
    Effect.gen(function* () {
      const { request } = yield* plane({ limits: { readsPerSecond: 1 } })
      const began = performance.now()
      const responses = yield* Effect.replicateEffect(request("/changes"), 5, { concurrency: "unbounded" })
      const refused = responses.filter(({ status }) => status === 429)
      assert.isAbove(refused.length, 0)
      for (const { headers } of refused) assert.strictEqual(headers.get("retry-after"), "1")
      assert.isAbove(performance.now() - began, 200)
    })
  )

  it.live("are waited for by the client, which reads then, and not for a long time", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane({ limits: { circuitsPerSecond: 4 } })
      for (const name of "abc") yield* breaker(name)
      const { circuits } = yield* client
      const totals = yield* Effect.replicateEffect(circuits.list({ query: {} }), 2)
      assert.deepStrictEqual(
        totals.map(({ total }) => total),
        [3, 3]
      )
      const much = yield* plane({ limits: { changesPerMinute: 1 } })
      yield* much.breaker("a")
      const { operations } = yield* much.client
      const payload = { name: "a", reason: "maintenance", by: "ada" }
      yield* operations.reset({ payload })
      assert.strictEqual((yield* Effect.flip(operations.reset({ payload })))._tag, "TooManyRequests")
    })
  )

  it.effect("wait as long as there are not too many of them", () =>
    Effect.gen(function* () {
      const wait = yield* Refusals.makeWait
      const fibers = yield* Effect.replicateEffect(Effect.forkChild(wait, { startImmediately: true }), 10_001)
      const done = () => fibers.filter((fiber) => fiber.pollUnsafe() !== undefined).length
      assert.strictEqual(done(), 1)
      // One that leaves makes place.
      yield* Fiber.interrupt(fibers[0] ?? assert.fail())
      fibers.push(yield* Effect.forkChild(wait, { startImmediately: true }))
      assert.strictEqual(done(), 2)
      yield* TestClock.adjust("249 millis")
      assert.strictEqual(done(), 2)
      yield* TestClock.adjust("7251 millis")
      assert.strictEqual(done(), 10_002)
    })
  )

  it.effect("wait longer the more of them wait, so that more connections get no more of them", () =>
    Effect.gen(function* () {
      const perSecond = (connections: number) =>
        Effect.gen(function* () {
          const wait = yield* Refusals.makeWait
          let refused = 0
          const client = Effect.forever(
            Effect.andThen(
              wait,
              Effect.sync(() => refused++)
            )
          )
          const fibers = yield* Effect.replicateEffect(
            Effect.forkChild(client, { startImmediately: true }),
            connections
          )
          yield* TestClock.adjust("5 seconds")
          yield* Fiber.interruptAll(fibers)
          return refused / 5
        })
      assert.isBelow(yield* perSecond(50), 110)
      assert.isBelow(yield* perSecond(3000), 1500)
    })
  )

  it.live("are held back where a token is missing or wrong, and cost others nothing", () =>
    Effect.gen(function* () {
      const { request } = yield* plane({ limits: { readsPerSecond: 2, wrongTokensPerMinute: 1 } })
      for (const headers of [{}, { authorization: "Bearer a-guess-of-the-token" }]) {
        const began = performance.now()
        const responses = yield* Effect.replicateEffect(request("/changes", { headers }), 6, {
          concurrency: "unbounded"
        })
        assert.isTrue(responses.every(({ status }) => status === 401 || status === 429))
        assert.isAbove(performance.now() - began, 200)
        const free = performance.now()
        assert.strictEqual((yield* request("/changes")).status, 200)
        assert.isBelow(performance.now() - free, 200)
      }
    })
  )
})
