// jd/tenacity#703: a delay that is cut off at its cap after the jitter was added is the cap each time, so clients that
// fail together retry together. Here jitter is drawn below the cap.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Random, Schedule } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import { capped, max } from "./backoffs.ts"

const backoffs = capped(["full", "equal", Backoff.ratio(0.1), Backoff.ratio(1)])

describe("tenacity#703: jitter at the cap", () => {
  for (const [name, backoff] of backoffs) {
    it.effect(`${name}: no two of 1000 delays at the cap are the same, and none is the cap`, () =>
      Effect.gen(function* () {
        const step = yield* Schedule.toStep(backoff)
        for (let i = 0; i < 20; i++) yield* step(0, undefined)
        const delays: Array<number> = []
        for (let i = 0; i < 1000; i++) delays.push(Duration.toMillis((yield* step(0, undefined))[0]))
        assert.isBelow(Math.max(...delays), max)
        assert.strictEqual(new Set(delays).size, delays.length)
      }).pipe(Random.withSeed("tenacity"))
    )
  }
})
