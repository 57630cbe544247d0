import { describe } from "@effect/vitest"

/** Returns a `describe` that skips its tests, and says what is missing, unless what they need is there. */
export const orSkip = (there: boolean, missing: string) => (name: string, tests: () => void) =>
  // eslint-disable-next-line local/no-skipped-test -- the name says what is missing
  describe.skipIf(!there)(there ? name : `${name} (skipped: ${missing})`, tests)
