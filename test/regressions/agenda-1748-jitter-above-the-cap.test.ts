// agenda/agenda#1748: jitter that is added after the delay was limited to its cap makes delays above the cap.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Random, Schedule } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import { capped, max } from "./backoffs.ts"

const draws = [0, 0.5, 1 - Number.EPSILON / 2]

const backoffs = capped(["none", "full", "equal", Backoff.ratio(0.1), Backoff.ratio(1)])

describe("agenda#1748: no delay is above the cap", () => {
  for (const [name, backoff] of backoffs) {
    it.effect(name, () =>
      Effect.gen(function* () {
        for (const draw of draws) {
          const delays = yield* Effect.gen(function* () {
            const step = yield* Schedule.toStep(backoff)
            const delays: Array<number> = []
            for (let i = 0; i < 30; i++) delays.push(Duration.toMillis((yield* step(0, undefined))[0]))
            return delays
          }).pipe(Effect.provideService(Random.Random, { nextDoubleUnsafe: () => draw, nextIntUnsafe: () => 0 }))
          assert.isAtMost(Math.max(...delays), max)
          assert.isAtLeast(Math.min(...delays), 0)
        }
      })
    )
  }
})
