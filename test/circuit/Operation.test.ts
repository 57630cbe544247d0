import { assert, describe, it } from "@effect/vitest"
import * as Operation from "../../src/circuit/internal/Operation.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"

const now = 1000

const open: CircuitState.CircuitState = {
  _tag: "Open",
  generation: 1,
  since: 0,
  openings: 1,
  openMillis: 5000,
  reason: "5 consecutive failures"
}

const said = { forMillis: 500, reason: "maintenance", by: "ops" }

const held = (_tag: CircuitState.Held["_tag"]): CircuitState.CircuitState => ({
  _tag,
  generation: 2,
  since: now,
  until: 1500,
  reason: "maintenance",
  by: "ops"
})

const closed: CircuitState.CircuitState = { _tag: "Closed", generation: 3, since: 2000, openings: 0, openMillis: 0 }

describe("Operation", () => {
  it("names the actions once, for every surface", () => {
    assert.deepStrictEqual(Operation.actions, ["hold-open", "hold-closed", "release", "reset"])
  })

  it("holds a circuit open or closed, with end, reason and author", () => {
    assert.deepStrictEqual(Operation.apply({ action: "hold-open", ...said }, open, now), held("HeldOpen"))
    assert.deepStrictEqual(Operation.apply({ action: "hold-closed", ...said }, open, now), held("HeldClosed"))
  })

  it("holds a circuit until it is released where no time is given", () => {
    const { until } = Operation.apply({ action: "hold-open" }, open, now) as CircuitState.Held // a hold holds
    assert.strictEqual(until, undefined)
  })

  it("releases what is held, and returns the identical state of what is not", () => {
    assert.deepStrictEqual(Operation.apply({ action: "release" }, held("HeldOpen"), 2000), closed)
    assert.strictEqual(Operation.apply({ action: "release" }, open, now), open)
  })

  it("resets a circuit whatever its state", () => {
    assert.deepStrictEqual(Operation.apply({ action: "reset" }, held("HeldClosed"), 2000), closed)
    assert.deepStrictEqual(Operation.apply({ action: "reset" }, open, 2000), { ...closed, generation: 2 })
  })
})
