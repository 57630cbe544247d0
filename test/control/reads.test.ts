import { assert, describe, it, vi } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { Listing } from "../../src/control/internal/Listing.ts"
import { answer, secret, serve } from "../support/control.ts"

const token = Redacted.make(secret)
const plane = (options?: ControlPlane.Options) => serve(ControlPlane.layer({ token, ...options }))

/** Counts the circuits of a breaker that are looked at, and those that are encoded. */
const count = (breaker: CircuitBreaker.CircuitBreaker) => {
  const counted = { walked: 0, encoded: 0 }
  const walk = (circuits: typeof breaker.closed) =>
    function* () {
      for (const circuit of circuits.call(breaker)) {
        counted.walked++
        yield circuit
      }
    }
  breaker.closed = walk(breaker.closed)
  breaker.notClosed = walk(breaker.notClosed)
  const circuits = breaker.circuits.bind(breaker)
  breaker.circuits = () => {
    const all = circuits()
    counted.walked += all.length
    return all
  }
  const show = vi.spyOn(Listing.prototype, "show")
  return Effect.as(
    Effect.addFinalizer(() => Effect.sync(() => show.mockRestore())),
    Object.defineProperty(counted, "encoded", { get: () => show.mock.calls.length })
  )
}

describe("lists", () => {
  it.live("of one among 100 000 keys look at few of them, and many lists encode each circuit once", () =>
    Effect.gen(function* () {
      const { breaker, request } = yield* plane({ updates: "1 hour", limits: { readsPerSecond: 1000 } })
      const search = yield* breaker("search", { log: false, keys: { max: 200_000 } })
      const clock = yield* Clock.Clock
      for (let i = 0; i < 100_000; i++) search.keyedCircuit(`key-${i}`, clock)
      yield* CircuitBreaker.holdOpen(search, { key: "key-99999" })
      const counted = yield* count(search)
      const list = (limit: number) => Effect.flatMap(request(`/circuits?limit=${limit}`), answer)
      const [status, body] = yield* list(2)
      assert.deepStrictEqual(
        [status, body?.total, body?.circuits?.map(({ key }) => key)],
        [200, 100_001, [undefined, "key-99999"]]
      )
      assert.deepStrictEqual(counted, { walked: 1999, encoded: 2 })
      for (let i = 0; i < 20; i++) yield* list(1 + (i % 3))
      assert.deepStrictEqual(counted, { walked: 1999, encoded: 3 })
      const [, all] = yield* list(2000)
      assert.strictEqual(all?.circuits?.length, 2000)
      yield* list(2000)
      assert.deepStrictEqual(counted, { walked: 1999, encoded: 2000 })
    })
  )
})
