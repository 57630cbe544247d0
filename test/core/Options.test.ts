import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Exit, Schema } from "effect"
import * as ConfigSchema from "../../src/core/internal/ConfigSchema.ts"
import * as Rules from "../../src/core/internal/Rules.ts"
import { invalid, issues } from "../suites/rules.ts"

/** A wrong value of any type, as a caller without types may give it. */
const wrong = (value: unknown) => value as never

describe("InvalidOptionError", () => {
  it("names the module, the field, the value and the rule", () => {
    const error = new Rules.InvalidOptionError("Retry", "maxAttempts", 0, "an integer >= 1")
    assert.strictEqual(error.module, "Retry")
    assert.strictEqual(error.field, "maxAttempts")
    assert.strictEqual(error.value, 0)
    assert.strictEqual(error.rule, "an integer >= 1")
    assert.strictEqual(error.message, "Retry: maxAttempts must be an integer >= 1, got 0")
    assert.strictEqual(error.name, "InvalidOptionError")
    assert.strictEqual(error._tag, "InvalidOptionError")
    assert.instanceOf(error, Error)
  })

  const circular: Record<string, unknown> = {}
  circular["self"] = circular

  const shown: ReadonlyArray<readonly [value: unknown, text: string]> = [
    ["", '""'],
    ['a "b"', '"a \\"b\\""'],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [-0.5, "-0.5"],
    [12n, "12n"],
    [null, "null"],
    [undefined, "undefined"],
    [true, "true"],
    [Symbol("x"), "Symbol(x)"],
    [(x: number) => x + 1, "a function"],
    [[1, "a"], '[1,"a"]'],
    [{ count: 3, of: 2 }, '{"count":3,"of":2}'],
    [{ big: 1n }, "[object Object]"],
    [circular, "[object Object]"],
    [Duration.seconds(2), String(Duration.seconds(2))]
  ]
  for (const [value, text] of shown) {
    it(`shows ${text}`, () => {
      assert.strictEqual(new Rules.InvalidOptionError("M", "f", value, "r").message, `M: f must be r, got ${text}`)
    })
  }
})

describe("reject", () => {
  it("throws what it is given", () => {
    assert.deepStrictEqual(
      invalid(() => Rules.reject("M", "a.b", "v", "other")),
      { module: "M", field: "a.b", value: "v", rule: "other" }
    )
  })
})

describe("object", () => {
  it("takes an object with options", () => {
    const options = { a: 1 }
    assert.strictEqual(Rules.object("M", "f", options), options)
  })

  for (const value of [null, [], "x", 5, true, () => ({}), undefined]) {
    it(`refuses ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.object("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "an object" }
      )
    })
  }
})

describe("count", () => {
  for (const value of [1, 2, Number.MAX_SAFE_INTEGER]) {
    it(`takes ${value}`, () => assert.strictEqual(Rules.count("M", "f", value), value))
  }

  for (const value of [0, -1, 0.5, 1.5, Number.NaN, Infinity, -Infinity, 2 ** 53, "1", null, undefined, 1n, [1]]) {
    it(`refuses ${typeof value} ${String(value)}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.count("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "an integer >= 1" }
      )
    })
  }

  it("takes a minimum, and refuses what is below", () => {
    assert.strictEqual(Rules.count("M", "f", 0, 0), 0)
    assert.strictEqual(Rules.count("M", "f", 3, 3), 3)
    assert.deepStrictEqual(
      invalid(() => Rules.count("M", "f", 2, 3)),
      { module: "M", field: "f", value: 2, rule: "an integer >= 3" }
    )
    assert.strictEqual(invalid(() => Rules.count("M", "f", -1, 0)).rule, "an integer >= 0")
  })
})

describe("ratio", () => {
  for (const value of [Number.MIN_VALUE, 0.5, 1]) {
    it(`takes ${value}`, () => assert.strictEqual(Rules.ratio("M", "f", value), value))
  }

  for (const value of [0, -0.1, 1.0000001, 50, Number.NaN, Infinity, -Infinity, "0.5", null, undefined]) {
    it(`refuses ${typeof value} ${String(value)}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.ratio("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "a ratio in (0, 1]" }
      )
    })
  }
})

describe("above", () => {
  for (const [value, min] of [
    [0.001, 0],
    [1.001, 1],
    [Number.MAX_VALUE, 0],
    [0, -1]
  ] as const) {
    it(`takes ${value} above ${min}`, () => assert.strictEqual(Rules.above("M", "f", value, min), value))
  }

  for (const [value, min] of [
    [0, 0],
    [1, 1],
    [0.999, 1],
    [-1, 0],
    [Number.NaN, 0],
    [Infinity, 0],
    [-Infinity, 0],
    ["2", 0],
    [null, -1],
    [undefined, 0]
  ] as const) {
    it(`refuses ${typeof value} ${String(value)} above ${min}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.above("M", "f", wrong(value), min)),
        { module: "M", field: "f", value, rule: `a finite number > ${min}` }
      )
    })
  }
})

describe("name", () => {
  for (const value of ["a", " a ", "payments/eu"]) {
    it(`takes ${JSON.stringify(value)} as it is`, () => assert.strictEqual(Rules.name("M", "f", value), value))
  }

  for (const value of ["", " ", "\t\n", 5, null, undefined, ["a"]]) {
    it(`refuses ${typeof value} ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.name("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "a non-empty string" }
      )
    })
  }
})

describe("path", () => {
  for (const value of ["/a", "/a/b", "/.well-known/x", "/..a", "/a-b/c_d~e/v1.2"]) {
    it(`takes ${value}`, () => assert.strictEqual(Rules.path("M", "f", value), value))
  }

  for (const value of [
    "",
    "/",
    "a",
    "/a/",
    "//a",
    "/.",
    "/..",
    "/a/../b",
    "/./a",
    "/a b",
    "/:id",
    "/a*",
    "/a%2fb",
    1
  ]) {
    it(`refuses ${JSON.stringify(value)}`, () =>
      assert.deepStrictEqual(
        invalid(() => Rules.path("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: 'a path of plain segments such as "/internal"' }
      ))
  }

  it("may be empty where that is allowed", () => {
    assert.strictEqual(Rules.path<string>("M", "f", "", "empty"), "")
    assert.strictEqual(Rules.path("M", "f", "/a", "empty"), "/a")
    assert.strictEqual(
      invalid(() => Rules.path("M", "f", "/", "empty")).rule,
      'a path of plain segments such as "/internal", or ""'
    )
  })
})

describe("millis", () => {
  const good: ReadonlyArray<readonly [Duration.Input, number]> = [
    ["2 seconds", 2000],
    [1500, 1500],
    [0.5, 0.5],
    [5_000_000n, 5],
    [Duration.minutes(1), 60_000],
    [{ seconds: 1, milliseconds: 500 }, 1500],
    [[1, 500_000_000], 1500]
  ]
  for (const [value, expected] of good) {
    it(`reads ${Duration.isDuration(value) || typeof value === "bigint" ? String(value) : JSON.stringify(value)}`, () => {
      assert.strictEqual(Rules.millis("M", "f", value), expected)
      assert.strictEqual(Rules.millis("M", "f", value, "zero"), expected)
    })
  }

  const bad: ReadonlyArray<unknown> = [
    -1,
    Number.NaN,
    Infinity,
    -Infinity,
    "Infinity",
    "-1 second",
    "soon",
    "",
    "2",
    null,
    undefined,
    true,
    [],
    [Number.NaN, 0],
    { seconds: Number.NaN },
    { seconds: 1, minutes: Number.NaN },
    Duration.infinity,
    Duration.seconds(-1)
  ]
  for (const value of bad) {
    it(`refuses ${typeof value} ${typeof value === "string" ? JSON.stringify(value) : String(value)}`, () => {
      assert.deepStrictEqual(
        invalid(() => Rules.millis("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "a finite duration > 0" }
      )
      assert.deepStrictEqual(
        invalid(() => Rules.millis("M", "f", wrong(value), "zero")),
        { module: "M", field: "f", value, rule: "a finite duration >= 0" }
      )
    })
  }

  for (const value of [0, "0 millis", Duration.zero, { seconds: 0 }]) {
    it(`takes zero only where that is allowed: ${JSON.stringify(value)}`, () => {
      assert.strictEqual(Rules.millis("M", "f", wrong(value), "zero"), 0)
      assert.deepStrictEqual(
        invalid(() => Rules.millis("M", "f", wrong(value))),
        { module: "M", field: "f", value, rule: "a finite duration > 0" }
      )
    })
  }
})

describe("at", () => {
  it("returns what is built", () =>
    assert.strictEqual(
      Rules.at("a", () => 5),
      5
    ))

  it("puts the path before the field of a bad option, and keeps the rest", () => {
    assert.deepStrictEqual(
      invalid(() => Rules.at("policies.1", () => Rules.at("trip", () => Rules.count("M", "count", 0)))),
      { module: "M", field: "policies.1.trip.count", value: 0, rule: "an integer >= 1" }
    )
  })

  it("leaves other errors as they are", () => {
    const error = new Error("other")
    try {
      Rules.at("a", () => {
        throw error
      })
      assert.fail("no error was thrown")
    } catch (thrown) {
      assert.strictEqual(thrown, error)
    }
  })
})

describe("DurationInput", () => {
  const decode = Schema.decodeUnknownSync(ConfigSchema.DurationInput)

  it("reads a string with a unit, and milliseconds", () => {
    assert.deepStrictEqual(decode("2 seconds"), Duration.seconds(2))
    assert.deepStrictEqual(decode(1500), Duration.millis(1500))
    assert.deepStrictEqual(decode(0), Duration.zero)
  })

  for (const json of ["soon", "", "5", true, null, {}, [1, 0], { seconds: 1 }]) {
    it(`refuses ${JSON.stringify(json)}`, () => assert.isNotEmpty(issues(ConfigSchema.DurationInput, json)))
  }

  it("reads what it writes", () => {
    for (const duration of [Duration.millis(1.5), Duration.seconds(2), Duration.days(400), Duration.zero]) {
      const json = Schema.encodeSync(ConfigSchema.DurationInput)(duration)
      assert.strictEqual(Duration.toMillis(decode(JSON.parse(JSON.stringify(json)))), Duration.toMillis(duration))
    }
  })
})

describe("struct", () => {
  const schema = ConfigSchema.struct({
    max: Schema.optionalKey(Schema.Number),
    wait: Schema.optionalKey(ConfigSchema.DurationInput),
    inner: Schema.optionalKey(ConfigSchema.struct({ probes: Schema.Number }))
  })

  it("reads the fields, and leaves out what is absent", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)({}), {})
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)({ max: 3, wait: "1 second", inner: { probes: 2 } }), {
      max: 3,
      wait: Duration.seconds(1),
      inner: { probes: 2 }
    })
  })

  it("writes what it reads", () => {
    const value = { max: 3, wait: Duration.seconds(1), inner: { probes: 2 } }
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(schema)(value)))
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(json), value)
  })

  it("refuses an unknown key with its path, and says which are known", () => {
    assert.deepStrictEqual(issues(schema, { maxx: 3 }), ["maxx: unknown key, expected one of max, wait, inner"])
    assert.deepStrictEqual(issues(schema, { inner: { probes: 1, prob: 2 } }), [
      "inner.prob: unknown key, expected one of probes"
    ])
  })

  it("refuses keys that every object inherits", () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      const json: unknown = JSON.parse(`{"${key}": 1}`)
      assert.deepStrictEqual(issues(schema, json), [`${key}: unknown key, expected one of max, wait, inner`])
    }
  })

  it("refuses a value of the wrong type with its path", () => {
    for (const [json, path] of [
      [{ max: "3" }, "max: "],
      [{ max: null }, "max: "],
      [{ inner: {} }, "inner.probes: "],
      [{ inner: { probes: true } }, "inner.probes: "]
    ] as const) {
      const [issue, ...rest] = issues(schema, json)
      assert.deepStrictEqual(rest, [])
      assert.match(issue ?? "", new RegExp(`^${path}`))
    }
  })

  for (const json of [null, undefined, 5, "x", [1]]) {
    it(`refuses ${JSON.stringify(json)}`, () => assert.isNotEmpty(issues(schema, json)))
  }
})

describe("checked", () => {
  const build = (options: { readonly probes: number }) => Rules.count("M", "halfOpen.probes", options.probes)

  it("turns a bad option into an issue at its path", () => {
    const schema = ConfigSchema.checked(ConfigSchema.struct({ probes: Schema.Number }), build)
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)({ probes: 1 }), { probes: 1 })
    assert.deepStrictEqual(issues(schema, { probes: 0 }), [
      "halfOpen.probes: M: halfOpen.probes must be an integer >= 1, got 0"
    ])
  })

  it("leaves anything else that is thrown a defect", () => {
    const schema = ConfigSchema.checked(Schema.Number, () => {
      throw new RangeError("a mistake of ours")
    })
    const exit = Schema.decodeUnknownExit(schema)(1)
    assert.isTrue(Exit.isFailure(exit) && exit.cause.reasons.every(Cause.isDieReason))
  })
})

describe("keys", () => {
  it("lets the known keys pass", () => {
    Rules.keys("M", {}, ["a"])
    Rules.keys("M", { a: 1, b: undefined }, ["a", "b"])
  })

  it("refuses the first other one", () => {
    assert.deepStrictEqual(
      invalid(() => Rules.keys("M", { a: 1, c: 2, d: 3 }, ["a", "b"])),
      { module: "M", field: "c", value: 2, rule: "absent (the keys are a, b)" }
    )
  })
})

describe("parsed", () => {
  interface Point {
    readonly x: number
  }
  const isPoint = (u: unknown): u is Point => typeof u === "object" && u !== null && "x" in u
  const schema = ConfigSchema.parsed(
    { px: Schema.Number },
    isPoint,
    (json) => ({ x: Rules.count("M", "at.x", wrong(json["px"])) }),
    ({ x }) => ({ px: x })
  )

  it("reads and writes with the functions", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)({ px: 3 }), { x: 3 })
    assert.deepStrictEqual(Schema.encodeSync(schema)({ x: 3 }), { px: 3 })
  })

  it("refuses with the path", () => {
    assert.deepStrictEqual(issues(schema, { px: 0 }), ["at.x: M: at.x must be an integer >= 1, got 0"])
  })

  it("does not write what is no value of its type", () => {
    assert.throws(() => Schema.encodeUnknownSync(schema)({ y: 3 }))
  })
})
