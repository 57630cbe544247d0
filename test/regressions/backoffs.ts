/**
 * Each kind of backoff, with a cap.
 */
import * as Backoff from "../../src/policies/Backoff.ts"

/** The cap of each backoff in milliseconds. */
export const max = 1000

/** Returns the backoffs with each of these jitters, by name. */
export const capped = (
  jitters: ReadonlyArray<Backoff.Jitter>
): ReadonlyArray<readonly [name: string, backoff: Backoff.Backoff]> => [
  ...jitters.flatMap((jitter): ReadonlyArray<readonly [string, Backoff.Backoff]> => {
    const name = typeof jitter === "string" ? jitter : `ratio(${jitter.ratio})`
    return [
      [`exponential, ${name}`, Backoff.exponential({ max, jitter })],
      [`linear, ${name}`, Backoff.linear({ max, jitter })],
      [`fibonacci, ${name}`, Backoff.fibonacci({ max, jitter })]
    ]
  }),
  ["exponential, decorrelated", Backoff.exponential({ max, jitter: "decorrelated" })]
]
