import { assert, describe, it } from "@effect/vitest"
import * as StateNames from "../../src/circuit/internal/StateNames.ts"

describe("StateNames", () => {
  it("derives the names of metrics, and those of rows", () => {
    assert.deepStrictEqual(StateNames.lower, {
      Closed: "closed",
      Open: "open",
      HalfOpen: "half_open",
      HeldOpen: "held_open",
      HeldClosed: "held_closed"
    })
    const upper = StateNames.tags.map((tag) => StateNames.upper(tag))
    assert.deepStrictEqual(upper, ["CLOSED", "OPEN", "HALF_OPEN", "HELD_OPEN", "HELD_CLOSED"])
  })
})
