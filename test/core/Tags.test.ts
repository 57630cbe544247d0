import { assert, describe, it } from "@effect/vitest"
import * as Tags from "../../src/core/internal/Tags.ts"
import { invalid } from "../suites/rules.ts"

const predicate = () => true

describe("check", () => {
  it("returns tags as a list, and a predicate as it is", () => {
    assert.deepStrictEqual(Tags.check("M", "f", "A"), ["A"])
    assert.deepStrictEqual(Tags.check("M", "f", ["A", "B"]), ["A", "B"])
    assert.strictEqual(Tags.check("M", "f", predicate), predicate)
  })

  const rule = "a predicate, a tag or a list of at least one tag"
  const bad: ReadonlyArray<readonly [match: unknown, field: string, value: unknown, rule: string]> = [
    ...[[], 1, null, true, {}].map((match) => [match, "f", match, rule] as const),
    ...["", " "].map((match) => [match, "f", match, "a non-empty string"] as const),
    ...["", 1, predicate].map((tag) => [["A", tag], "f.1", tag, "a non-empty string"] as const)
  ]
  it.each(bad)("refuses %o", (match, field, value, rule) => {
    assert.deepStrictEqual(
      invalid(() => Tags.check("M", "f", match as string)),
      { module: "M", field, value, rule }
    )
  })
})

describe("checkList", () => {
  it("takes nothing but a list", () => {
    assert.deepStrictEqual(Tags.checkList("M", "f", ["A"]), ["A"])
    for (const tags of ["A", predicate, []]) {
      assert.include(
        invalid(() => Tags.checkList("M", "f", tags as never)),
        { field: "f", value: tags }
      )
    }
  })
})

describe("describe", () => {
  it("is the list of tags, or a word for a function", () => {
    assert.deepStrictEqual(Tags.describe(["A"]), ["A"])
    assert.deepStrictEqual(Tags.describe(predicate), "a function")
  })
})
