// connor4312/cockatiel#86: after many attempts the growth of the delay overflows, and Infinity / Infinity is NaN.
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"

const max = Number.MAX_VALUE
const ratio = Backoff.ratio(1)

const million: ReadonlyArray<readonly [string, Backoff.Backoff, max: number]> = [
  ["exponential", Backoff.exponential(), 60_000],
  ["exponential, decorrelated", Backoff.exponential({ jitter: "decorrelated" }), 60_000],
  ["linear", Backoff.linear({ jitter: "equal" }), 60_000],
  ["fibonacci", Backoff.fibonacci({ jitter: ratio }), 60_000]
]

const extreme: ReadonlyArray<readonly [string, Backoff.Backoff, max: number]> = [
  ["exponential with the largest factor and max", Backoff.exponential({ factor: max, max }), max],
  ["exponential with the largest initial", Backoff.exponential({ initial: max, max, jitter: ratio }), max],
  [
    "decorrelated with the largest factor and max",
    Backoff.exponential({ factor: max, max, jitter: "decorrelated" }),
    max
  ],
  ["linear with the largest increment and max", Backoff.linear({ increment: max, max, jitter: ratio }), max],
  ["fibonacci with the largest initial", Backoff.fibonacci({ initial: max, max, jitter: ratio }), max],
  ["constant with the largest delay", Backoff.constant({ delay: max, jitter: ratio }), max]
]

/** Returns the delays that are not finite or not in `[0, max]` among the first `attempts`. */
const wrong = Effect.fnUntraced(function* (backoff: Backoff.Backoff, attempts: number, max: number) {
  const step = yield* Schedule.toStep(backoff)
  const wrong: Array<number> = []
  let attempt = 0
  yield* Effect.whileLoop({
    while: () => attempt++ < attempts,
    body: () => step(0, undefined),
    step: ([delay]) => {
      const millis = Duration.toMillis(delay)
      if (!(Number.isFinite(millis) && millis >= 0 && millis <= max)) wrong.push(millis)
    }
  })
  return wrong
})

describe("cockatiel#86: every delay is finite and at most max", () => {
  for (const [name, backoff, max] of million) {
    it.effect(`${name}, a million attempts`, () =>
      Effect.map(wrong(backoff, 1_000_000, max), (wrong) => assert.deepStrictEqual(wrong, []))
    )
  }
  for (const [name, backoff, max] of extreme) {
    it.effect(`${name}, 1000 attempts`, () =>
      Effect.map(wrong(backoff, 1000, max), (wrong) => assert.deepStrictEqual(wrong, []))
    )
  }
})
