import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as ClockOffset from "../../src/store/internal/ClockOffset.ts"

describe("ClockOffset", () => {
  it("stays where the answer allows it, to the last millisecond", () => {
    // Answered between 0 and 20: the other clock is 981 - 20 to 982 - 0 ahead.
    const sample = { sent: 0, answer: 981, received: 20 }
    assert.deepStrictEqual(
      [960, 961, 970, 982, 983].map((offset) => ClockOffset.learn(offset, sample)),
      [971, 961, 970, 982, 971]
    )
  })

  it.prop(
    "is no further from the truth than half of the time that the answer took",
    [
      Schema.Int,
      Schema.Int.check(Schema.isBetween({ minimum: -1e9, maximum: 1e9 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500 }))
    ],
    ([before, truth, there, back]) => {
      const sent = 1_000_000
      const sample = { sent, answer: sent + there + truth, received: sent + there + back }
      const offset = ClockOffset.learn(before, sample)
      if (offset !== before) assert.isAtMost(Math.abs(offset - truth), (there + back) / 2 + 1)
      else assert.isAtMost(Math.abs(offset - truth), there + back + 1)
    }
  )
})
