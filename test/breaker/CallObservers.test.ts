import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as Circuit from "../../src/breaker/internal/Circuit.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CallObservers from "../../src/breaker/internal/CallObservers.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"

/** Observer that writes down what it is told. */
const recorder = () => {
  const told: Array<string> = []
  const observer: Circuit.CallObserver = {
    settled: ({ key }, outcome) => void told.push(`${outcome} ${key ?? "-"}`),
    refused: ({ breaker }) => void told.push(`refused ${breaker}`),
    made: ({ key }) => void told.push(`made ${key ?? "-"}`),
    forgot: ({ key }) => void told.push(`forgot ${key ?? "-"}`)
  }
  return { told, observer }
}

const call = (breaker: CircuitBreaker.CircuitBreaker, key?: string) =>
  Effect.fail("down").pipe(CircuitBreaker.protect(breaker, { key }), Effect.ignore)

describe("observe", () => {
  it.effect("all observers are told of a call, a refusal and a key, each until it ends", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments", { trip: TripPolicy.consecutive(1), log: false })
      const [one, two] = [recorder(), recorder()]
      const endOne = CallObservers.observe(breaker, one.observer, false)
      const endTwo = CallObservers.observe(breaker, two.observer, false)
      yield* call(breaker)
      yield* call(breaker)
      yield* call(breaker, "eu")
      const all = ["Failure -", "refused payments", "made eu", "Failure eu"]
      assert.deepStrictEqual([one.told, two.told], [all, all])
      endOne()
      yield* call(breaker)
      assert.deepStrictEqual([one.told.length, two.told.length], [4, 5])
      endTwo()
      endTwo()
      assert.isUndefined(breaker.observer)
    })
  )

  it.effect("an observer of some is told of those, as itself", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments", { trip: TripPolicy.consecutive(1), log: false })
      const refusals = {
        told: Array<string>(),
        refused() {
          this.told.push("refused")
        }
      }
      const ends = [refusals, refusals, { made: recorder().observer.made }].map((part) =>
        CallObservers.observe(breaker, part, false)
      )
      yield* call(breaker)
      yield* call(breaker)
      yield* call(breaker, "eu")
      assert.deepStrictEqual(refusals.told, ["refused", "refused"])
      ends[0]?.()
      yield* call(breaker)
      assert.deepStrictEqual(refusals.told.length, 3)
    })
  )

  it.effect("calls are timed while one observer asks for it, or the trip policy does", () =>
    Effect.gen(function* () {
      const plain = yield* CircuitBreaker.make("plain")
      const slow = yield* CircuitBreaker.make("slow", {
        trip: TripPolicy.slowCalls({ after: "1 second", ratio: 0.5, within: "1 minute", minimumCalls: 2 })
      })
      const timed = () => [plain.timed, slow.timed]
      const ends = [false, true, true].map((each) => CallObservers.observe(plain, recorder().observer, each))
      CallObservers.observe(slow, recorder().observer, false)()
      assert.deepStrictEqual(timed(), [true, true])
      ends[1]?.()
      assert.deepStrictEqual(timed(), [true, true])
      ends[2]?.()
      assert.deepStrictEqual(timed(), [false, true])
    })
  )
})

describe("follow", () => {
  it.effect("begins for each breaker that is there or comes, and ends when it leaves or all ends", () =>
    Effect.gen(function* () {
      const registry = yield* CircuitBreakers.CircuitBreakers
      const told: Array<string> = []
      yield* CircuitBreaker.make("first")
      const end = CallObservers.follow(registry, ({ name }) => {
        told.push(`+${name}`)
        return () => void told.push(`-${name}`)
      })
      yield* Effect.scoped(CircuitBreaker.make("brief"))
      yield* CircuitBreaker.make("last")
      assert.deepStrictEqual(told, ["+first", "+brief", "-brief", "+last"])
      end()
      yield* CircuitBreaker.make("after")
      assert.deepStrictEqual(told.slice(4), ["-first", "-last"])
      assert.strictEqual(registry.watchers.size, 0)
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )
})
