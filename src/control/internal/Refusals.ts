/**
 * Refusals of requests beyond a limit, which are held back for a while.
 *
 * **Details**
 *
 * A refusal costs little, and without a wait a client that asks again at once
 * gets thousands of them a second: more than the process can answer beside its
 * own work.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** Refusals that wait at one time. Beyond them one is sent at once. */
const maxWaiting = 10_000

/** How long a refusal waits, in milliseconds. It varies, so that those who were refused together do not return together. */
const wait = { min: 250, max: 750 } as const

/** Refusals that wait before all of them wait longer: a client with more connections does not get more refusals a second. */
const manyWaiting = 500

/** Times that a refusal waits longer at most: who reads honestly gets an answer before it stops to wait. */
const maxTimes = 10

/**
 * Creates an effect that waits before a refusal is sent.
 */
export const makeWait = /* @__PURE__ */ (() =>
  Effect.sync(() => {
    let waiting = 0
    return Effect.suspend(() => {
      if (waiting >= maxWaiting) return Effect.void
      const times = Math.min(maxTimes, Math.max(1, ++waiting / manyWaiting))
      return Effect.ensuring(
        Effect.flatMap(Random.nextIntBetween(wait.min, wait.max), (millis) => Effect.sleep(millis * times)),
        Effect.sync(() => waiting--)
      )
    })
  }))()
