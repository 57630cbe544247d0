import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { jsonSafe } from "../../src/core/internal/Json.ts"

describe("jsonSafe", () => {
  class Money {
    readonly cents = 5
    get amount(): number {
      throw new Error("no")
    }
    toJSON() {
      return { money: this.cents }
    }
  }
  const circular: Record<string, unknown> = { name: "a" }
  circular["self"] = circular
  circular["list"] = [circular]
  const shared = { n: 1 }
  const throwing = Object.defineProperty({ ok: 1 }, "bad", {
    enumerable: true,
    get: () => {
      throw new Error("no")
    }
  })
  const itself = {
    a: 1,
    toJSON() {
      return this
    }
  }
  const table: ReadonlyArray<[string, unknown, Schema.Json]> = [
    ["null", null, null],
    ["undefined", undefined, null],
    ["false", false, false],
    ["zero", 0, 0],
    ["an empty string", "", ""],
    ["an empty list", [], []],
    ["NaN", Number.NaN, "NaN"],
    ["Infinity", { x: Number.POSITIVE_INFINITY }, { x: "Infinity" }],
    ["a bigint", { n: 12345678901234567890n }, { n: "12345678901234567890" }],
    ["a symbol", Symbol("x"), null],
    ["a function in an object", { f: () => 1, a: 1 }, { a: 1 }],
    ["an undefined property", { a: undefined, b: null }, { b: null }],
    ["undefined in a list", [undefined, () => 1, 2], [null, null, 2]],
    ["a date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["an invalid date", { at: new Date(Number.NaN) }, { at: null }],
    ["an error", { error: new TypeError("boom") }, { error: { name: "TypeError", message: "boom" } }],
    ["a redacted value", { password: Redacted.make("secret") }, { password: "<redacted>" }],
    ["an object with toJSON", new Money(), { money: 5 }],
    ["a toJSON that returns its object", itself, { a: 1 }],
    ["a circular object", circular, { name: "a", self: "[circular]", list: ["[circular]"] }],
    ["one object twice", { a: shared, b: shared }, { a: { n: 1 }, b: { n: 1 } }],
    ["a property that throws", throwing, { ok: 1, bad: "[unreadable]" }],
    [
      "a toJSON that throws",
      {
        x: {
          toJSON() {
            throw new Error("no")
          }
        }
      },
      { x: "[unreadable]" }
    ],
    ["a revoked proxy", { p: revoked() }, { p: "[unreadable]" }]
  ]
  for (const [name, value, expected] of table) {
    it(`keeps ${name} safe for JSON`, () => {
      assert.deepStrictEqual(jsonSafe(value), expected)
    })
  }

  it("keeps a key named __proto__ a plain key", () => {
    const safe = jsonSafe(JSON.parse(`{"__proto__": {"admin": true}}`))
    assert.strictEqual(JSON.stringify(safe), `{"__proto__":{"admin":true}}`)
    assert.strictEqual(Object.getPrototypeOf(safe), Object.prototype)
  })

  it("cuts what comes after many characters, so that no texts take long", () => {
    const texts = Array.from({ length: 9000 }, () => "//a".repeat(10_000))
    const began = performance.now()
    const safe = jsonSafe({ texts, small: "value" })
    // It takes 0.3 seconds.
    assert.isBelow(performance.now() - began, 5000)
    assert.isBelow(JSON.stringify(safe).length, 500_000)
    assert.include(JSON.stringify(safe), "[truncated]")
  })

  it("cuts what is nested deeper than 32 levels", () => {
    let deep: unknown = "bottom"
    for (let i = 0; i < 100_000; i++) deep = { deep }
    const text = JSON.stringify(jsonSafe(deep))
    assert.include(text, "[truncated]")
    assert.strictEqual(text.match(/deep/g)?.length, 32)
  })

  it("cuts what comes after 10 000 values, also where objects are shared", () => {
    const list = jsonSafe(Array.from({ length: 20_000 }, (_, i) => i)) as ReadonlyArray<Schema.Json>
    assert.strictEqual(list.length, 10_001)
    assert.strictEqual(list.at(-1), "[truncated]")
    let doubling: unknown = 1
    for (let i = 0; i < 30; i++) doubling = { a: doubling, b: doubling }
    assert.isBelow(JSON.stringify(jsonSafe(doubling)).length, 1_000_000)
    const wide = jsonSafe(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i])))
    assert.strictEqual(Object.keys(wide as object).length, 10_001)
  })

  it.effect.prop("leaves JSON as it is", [Schema.Json], ([json]) =>
    Effect.sync(() => assert.strictEqual(JSON.stringify(jsonSafe(json)), JSON.stringify(json)))
  )
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
