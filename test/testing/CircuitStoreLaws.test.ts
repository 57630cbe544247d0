import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"
import { openFleet } from "../suites/RowStore.ts"
import type { Flaw } from "../suites/RowStore.ts"

const atOneTime = "any events at one time come to what the machine says of them in some order"

/** What a law says of a store, where it says anything. */
const errorOf = (name: string, flaw?: Flaw) => {
  const law = CircuitStoreLaws.laws({
    open: openFleet(3, 2, flaw),
    clients: 3,
    runs: 200,
    seed: 7,
    patience: 200
  }).find((each) => each.name === name)
  assert.isDefined(law)
  return Effect.flip(law.check)
}

// What a flaw is told apart by.
const flaws: Readonly<Record<Flaw, RegExp>> = {
  "loses updates": /a state is changed by one update: expected one of them to see the other/,
  "steps from its view": /sees what update \d+ left before it began/,
  "goes back": /only moves forward/,
  "tells nobody": /is told/,
  "tells twice": /is told each change once/,
  "tells first": /is written before it is told/,
  "reports another state": /reports what its step did/
}

describe("CircuitStoreLaws", () => {
  for (const [flaw, message] of Object.entries(flaws)) {
    it.effect(`random events find a store that ${flaw}`, () =>
      Effect.gen(function* () {
        // The keys are flaws.
        const error = yield* errorOf(atOneTime, flaw as Flaw)
        assert.match(error.message, message)
        assert.isDefined(error.history)
      })
    )
  }
})
