import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import type * as Breaker from "../../src/breaker/internal/Breaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import { quick } from "../support/circuits.ts"
import "../support/seed.ts"
import { slowStore } from "../support/slow-store.ts"

/** Asserts that the circuits of keys are in two parts, by whether they are closed. */
const assertSorted = (breaker: Breaker.Breaker): void => {
  const [notClosed, closed] = [[...breaker.notClosed()], [...breaker.closed()]]
  const all = breaker.circuits().slice(1)
  assert.strictEqual(breaker.size, all.length + 1)
  const parts = new Set([...notClosed, ...closed])
  assert.isTrue(all.every((circuit) => parts.has(circuit)))
  assert.strictEqual(notClosed.length + closed.length, all.length)
  for (const circuit of notClosed) assert.notStrictEqual(circuit.current._tag, "Closed")
  for (const circuit of closed) assert.strictEqual(circuit.current._tag, "Closed")
}

describe("the circuits of keys are told apart by whether they are closed", () => {
  const options: CircuitBreaker.Options = { ...quick, log: false, keys: { max: 20, idleFor: "1 minute" } }

  const stir = (breaker: CircuitBreaker.CircuitBreaker) =>
    Effect.gen(function* () {
      const pick = (count: number) => Random.nextIntBetween(0, count)
      for (let i = 0; i < 2000; i++) {
        const key = `key-${yield* pick(40)}`
        const call = (effect: Effect.Effect<unknown, string>) =>
          Effect.exit(CircuitBreaker.protect(effect, breaker, { key }))
        const steps: ReadonlyArray<Effect.Effect<unknown>> = [
          call(Effect.void),
          call(Effect.void),
          call(Effect.fail("boom")),
          CircuitBreaker.holdOpen(breaker, { key, for: "30 seconds" }),
          CircuitBreaker.holdClosed(breaker, { key }),
          CircuitBreaker.release(breaker, { key }),
          CircuitBreaker.reset(breaker, { key }),
          i % 20 === 0 ? CircuitBreaker.reset(breaker) : Effect.void,
          TestClock.adjust("7 seconds")
        ]
        yield* steps[yield* pick(steps.length)] ?? Effect.void
        assertSorted(breaker)
      }
    })

  it.effect("whatever calls, operators and time do, also where keys are forgotten", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("api", options)
      yield* stir(breaker)
      assert.isAbove([...breaker.notClosed()].length, 0)
    })
  )

  it.effect("also where a store shares them, and one is open before its first call", () =>
    Effect.gen(function* () {
      const { store, write } = slowStore(Effect.void, CircuitState.initial)
      // A store that knows the state answers at once.
      const attach = (cell: CircuitStore.Cell) => {
        store.attach(cell)
        if (cell.key === "known") cell.current = { ...CircuitState.initial, _tag: "HeldOpen", generation: 1 }
      }
      const breaker = yield* CircuitBreaker.makeShared("api", options).pipe(
        Effect.provideService(CircuitStore.CircuitStore, { ...store, attach })
      )
      yield* Effect.exit(CircuitBreaker.protect(Effect.void, breaker, { key: "known" }))
      assertSorted(breaker)
      assert.deepStrictEqual(
        [...breaker.notClosed()].map(({ key }) => key),
        ["known"]
      )
      yield* stir(breaker)
      yield* CircuitBreaker.reset(breaker)
      yield* Effect.exit(CircuitBreaker.protect(Effect.void, breaker, { key: "told" }))
      yield* write("api/told", { _tag: "HeldOpen", generation: 9, since: 0 })
      assertSorted(breaker)
    })
  )
})
