import { assert, describe, it } from "@effect/vitest"
import * as Words from "../../dashboard/words.ts"
import type * as ControlApi from "../../src/control/ControlApi.ts"
import { circuit, closed, halfOpen, held, open } from "./circuits.ts"

const next = (more: Partial<ControlApi.Circuit>, now: number) => Words.next(circuit("api", more), now)
const note = (state: ControlApi.Circuit["state"], now: number) => Words.note(circuit("api", { state }), now)

describe("words", () => {
  it("say nothing of what comes next for a closed circuit", () => {
    assert.isUndefined(next({ state: closed, retryAt: 99_000 }, 2000))
    assert.isUndefined(note(closed, 2000))
  })

  it("count down to the next probe, up to the moment itself", () => {
    const state = open
    assert.strictEqual(next({ state, retryAt: 31_000 }, 1000), "Next probe in 30 s.")
    assert.strictEqual(next({ state, retryAt: 31_000 }, 30_400), "Next probe in 1 s.")
    assert.strictEqual(next({ state, retryAt: 31_000 }, 31_000), "The next call is a probe.")
    assert.strictEqual(next({ state }, 1000), "The next call is a probe.")
  })

  it("count the probes of a half-open circuit, unless all of them have to wait", () => {
    assert.strictEqual(next({ state: halfOpen }, 1000), "1 probe running, 0 succeeded.")
    assert.strictEqual(
      next({ state: { ...halfOpen, leases: [], successes: 2 } }, 1000),
      "0 probes running, 2 succeeded."
    )
    assert.strictEqual(next({ state: halfOpen, retryAt: 2000 }, 1000), "Next probe in 1 s.")
  })

  it("say when a hold ends", () => {
    assert.strictEqual(next({ state: held }, 1000), "Until released.")
    assert.strictEqual(next({ state: { ...held, until: 61_000 } }, 1000), "Ends in 1 min.")
    assert.strictEqual(next({ state: { ...held, until: 61_000 } }, 61_000), "The hold is over.")
  })

  it("say since when and why", () => {
    assert.strictEqual(note(open, 3000), "Open for 2 s: 5 consecutive failures")
    assert.strictEqual(note(halfOpen, 3000), "Half-open for 2 s, opened by 5 consecutive failures")
    assert.strictEqual(note(held, 3000), "Held for 2 s")
    assert.strictEqual(note({ ...held, by: "ada" }, 3000), "Held by ada for 2 s")
    assert.strictEqual(
      note({ ...held, _tag: "HeldClosed", by: "ada", reason: "a test" }, 3000),
      "Held by ada for 2 s: a test"
    )
  })

  it("say nothing below zero where the clock is behind", () => {
    assert.strictEqual(note(open, 0), "Open for 0 s: 5 consecutive failures")
  })
})
