/**
 * The laws of a table of circuits as tests.
 *
 * `open` is run for each test. What it opens may be shared by all tests of a
 * file (a server, a layer that was built once): each test asks for the tables of
 * namespaces that nobody has used.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitTableLaws from "../../src/testing/CircuitTableLaws.ts"

export { open as listen } from "../../src/testing/internal/Feed.ts"
export { draft, force, oddTexts, readOne } from "../../src/testing/CircuitTableLaws.ts"

/** The tables of one database. */
export interface Tables {
  /**
   * Opens a client of the table in a namespace. Without one, in a namespace that
   * nobody has used, another each time. Two clients of one namespace share its rows.
   */
  readonly table: (namespace?: string) => Effect.Effect<CircuitTableLaws.Opened, unknown, Scope.Scope>
}

export interface SuiteOptions {
  /** Whether the table needs real time, and not the TestClock. Default: false. */
  readonly live?: boolean | undefined
}

let spaces = 0
/** Returns a namespace that no other test of this file uses. */
export const fresh = (name = "space"): string => `${name}-${process.pid}-${++spaces}`

/** Defines the tests of the laws for a table. `open` opens the tables for each test. */
export const suite = (
  name: string,
  open: Effect.Effect<Tables, never, Scope.Scope>,
  { live = false }: SuiteOptions = {}
): void => {
  const laws = CircuitTableLaws.laws({
    open: Effect.map(open, ({ table }) => table),
    sleep: live ? undefined : TestClock.adjust
  })
  describe(`laws of a table of circuits: ${name}`, () => {
    for (const law of laws) (live ? it.live : it.effect)(law.name, () => law.check)
  })
}
