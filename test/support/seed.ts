/**
 * Draws the same numbers in each run of a test file, so that a change that passes
 * once passes again. `TEST_SEED` draws others.
 */
import { Effect, Random } from "effect"
import { expect } from "vitest"

const file = expect.getState().testPath?.split("/test/").at(-1) ?? ""
const random = Effect.runSync(
  Random.withSeed(Effect.service(Random.Random), `${process.env["TEST_SEED"] ?? "effect-resilience"} ${file}`)
)
// What Effect's own source of random numbers, and nothing else, is made of.
Math.random = () => random.nextDoubleUnsafe()
