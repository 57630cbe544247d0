import { assert, describe, it } from "@effect/vitest"
import { Data, Duration } from "effect"
import * as Refusal from "../../src/core/Refusal.ts"

class Turned extends Data.TaggedError("Turned")<{ readonly retryAfter: Duration.Duration | undefined }> {
  readonly [Refusal.TypeId]: Refusal.TypeId = Refusal.TypeId
}

describe("isRefusal", () => {
  it("knows an error by its mark, whatever its class", () => {
    const refusal: Refusal.Refusal = new Turned({ retryAfter: Duration.seconds(1) })
    assert.isTrue(Refusal.isRefusal(refusal))
    assert.isTrue(Refusal.isRefusal({ [Refusal.TypeId]: Refusal.TypeId, retryAfter: undefined }))
  })

  for (const value of [new Error("x"), { retryAfter: Duration.zero }, {}, null, undefined, "refused", 0, [], () => 1]) {
    it(`says no to ${typeof value} ${String(value)}`, () => assert.isFalse(Refusal.isRefusal(value)))
  }

  it("keeps the mark's name, which a second copy of the package looks for", () => {
    assert.strictEqual(Refusal.TypeId, "~effect-resilience/Refusal")
  })
})
