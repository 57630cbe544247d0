/**
 * Tries of a write over a row that others write too: how many there are, for how
 * long, and the pause between two.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Tries that there are at most. */
const most = 20
/** Longest pause between two tries, in milliseconds. */
const longestPause = 50

export interface Tries {
  /** Tries so far. */
  readonly count: number
  /** Waits for the time of another try. Returns whether there is one. */
  readonly again: Effect.Effect<boolean>
}

/**
 * Begins to count tries, the first of which is now. There are none after `millis`.
 */
export const start = (millis: number): Effect.Effect<Tries> =>
  Effect.clockWith((clock) => {
    // Nobody sets this clock.
    const began = clock.monotonicTimeNanosUnsafe()
    let count = 1
    const again = Effect.clockWith((later) => {
      if (count >= most || Number(later.monotonicTimeNanosUnsafe() - began) / 1e6 >= millis) {
        return Effect.succeed(false)
      }
      count++
      // Most writes lose once only. Those that go on losing are many, and have to come apart.
      if (count === 2) return Effect.succeed(true)
      return Effect.flatMap(Random.next, (random) =>
        Effect.as(Effect.sleep(random * Math.min(longestPause, 2 ** (count - 1))), true)
      )
    })
    return Effect.succeed({
      again,
      get count() {
        return count
      }
    })
  })
