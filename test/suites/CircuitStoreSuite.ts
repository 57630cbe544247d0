/**
 * The laws of a circuit store as tests.
 */
import { describe, it } from "@effect/vitest"
import * as CircuitStoreLaws from "../../src/testing/CircuitStoreLaws.ts"

export interface SuiteOptions extends Omit<CircuitStoreLaws.Options, "open"> {
  /** Whether the store needs real time, and not the TestClock. Default: false. */
  readonly live?: boolean | undefined
}

/** Random sequences that the laws draw. `npm run laws` draws more. */
export const runs = Number(process.env["LAWS_RUNS"] ?? 2000)

/** Defines the tests of the laws for a store. `open` makes a new one for each test. */
export const suite = (
  name: string,
  open: CircuitStoreLaws.Options["open"],
  { live = false, ...options }: SuiteOptions = {}
): void => {
  describe(`laws of a circuit store: ${name}`, () => {
    for (const law of CircuitStoreLaws.laws({ runs, ...options, open })) {
      ;(live ? it.live : it.effect)(law.name, () => law.check, 600_000)
    }
  })
}
