import { assert, describe, it } from "@effect/vitest"
import * as PollTime from "../../src/store/internal/PollTime.ts"

describe("PollTime", () => {
  it("the next poll is three to five quarters of the time between two away", () => {
    assert.deepStrictEqual(
      [0, 0.5, 1].map((random) => PollTime.next(1000, 400, random)),
      [1300, 1400, 1500]
    )
  })

  it("waits until the poll, not at all for one that is over, and no longer than any poll is away", () => {
    assert.deepStrictEqual(
      [1300, 1000, 900, 1501, 9000].map((at) => PollTime.wait(1000, at, 400)),
      [300, 0, 0, 500, 500]
    )
  })

  it("is due from its time on, and where the clock was set back", () => {
    assert.deepStrictEqual(
      [1000, 1001, 1500, 1501].map((at) => PollTime.isDue(1000, at, 400)),
      [true, false, false, true]
    )
  })
})
