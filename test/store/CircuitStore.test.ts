import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"
import { suite } from "../suites/CircuitStoreSuite.ts"
import { openFleet } from "../suites/RowStore.ts"

suite("local", Effect.succeed(CircuitStoreLaws.testFleet([CircuitStore.local], { settle: 0 })))

// A table in memory, to see that the laws hold of what is shared, and hold it to them.
suite("one client of a table", openFleet(1, 0), { runs: 100 })
suite("two clients of a table", openFleet(2, 0), { clients: 2, runs: 100 })
suite("two clients of a slow table", openFleet(2, 10), { clients: 2, runs: 100 })
suite("three clients of a table", openFleet(3, 0), { clients: 3, runs: 100 })
suite("three clients of a slow table", openFleet(3, 10), { clients: 3 })

const cell = (changed: CircuitStore.Cell["changed"] = () => Effect.void): CircuitStore.Cell => ({
  name: "payments",
  key: undefined,
  current: CircuitState.initial,
  changed
})

const reset: CircuitStore.Step<string> = (state, now) => [
  { ...CircuitState.initial, generation: state.generation + 1, since: now },
  "reset"
]

describe("local", () => {
  it("applies the step at once, at the caller's time, and returns an Exit", () => {
    const one = cell()
    const applied = CircuitStore.local.update(one, 1234, reset)
    assert.deepStrictEqual(one.current, { ...CircuitState.initial, generation: 1, since: 1234 })
    assert.deepStrictEqual(applied, Exit.succeed({ before: CircuitState.initial, after: one.current, answer: "reset" }))
  })

  it("applies the step once for each update, also where its effect is run several times", () => {
    const one = cell()
    const applied = CircuitStore.local.update(one, 0, reset)
    Effect.runSync(Effect.andThen(applied, applied))
    assert.strictEqual(one.current.generation, 1)
  })

  it("puts the identical state that a step returns into the cell", () => {
    const one = cell()
    const state: CircuitState.CircuitState = { ...CircuitState.initial, generation: 9 }
    Effect.runSync(CircuitStore.local.update(one, 0, () => [state, undefined]))
    assert.strictEqual(one.current, state)
  })

  it("shares with nobody: two cells of one name are two circuits, and neither hears of the other", () => {
    const heard: Array<string> = []
    const [one, other] = [1, 2].map(() => cell(() => Effect.sync(() => heard.push("changed")))) as [
      CircuitStore.Cell,
      CircuitStore.Cell
    ]
    CircuitStore.local.attach(one)
    CircuitStore.local.attach(other)
    Effect.runSync(CircuitStore.local.update(one, 0, reset))
    CircuitStore.local.detach(one)
    Effect.runSync(CircuitStore.local.update(one, 0, reset))
    assert.strictEqual(one.current.generation, 2)
    assert.strictEqual(other.current, CircuitState.initial)
    assert.deepStrictEqual(heard, [])
  })
})

describe("layerLocal", () => {
  it.effect("provides the local store", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* CircuitStore.CircuitStore, CircuitStore.local)
    }).pipe(Effect.provide(CircuitStore.layerLocal))
  )

  it("is a service that may be made of anything of its shape", () => {
    const context = Context.make(CircuitStore.CircuitStore, CircuitStore.local)
    assert.strictEqual(Context.get(context, CircuitStore.CircuitStore), CircuitStore.local)
  })
})
