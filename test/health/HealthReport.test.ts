import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Equal, Redacted, Schema } from "effect"
import * as Health from "../../src/health/Health.ts"

const check = (status: Health.Status, critical: boolean) => ({ status, critical })

describe("statusOf", () => {
  const table: ReadonlyArray<[Health.Status, ReadonlyArray<ReturnType<typeof check>>]> = [
    ["healthy", []],
    ["healthy", [check("healthy", true), check("healthy", false)]],
    ["degraded", [check("degraded", true)]],
    ["degraded", [check("degraded", false)]],
    ["degraded", [check("healthy", true), check("unhealthy", false)]],
    ["unhealthy", [check("unhealthy", true)]],
    ["unhealthy", [check("unhealthy", true), check("healthy", true)]],
    ["unhealthy", [check("unhealthy", false), check("degraded", true), check("unhealthy", true)]]
  ]
  for (const [expected, checks] of table) {
    it(`P0 a report of [${checks.map((c) => `${c.critical ? "critical " : ""}${c.status}`).join(", ")}] is ${expected}`, () => {
      assert.strictEqual(Health.statusOf(checks), expected)
    })
  }

  it.prop(
    "is unhealthy exactly with a critical unhealthy check, and healthy exactly when all are",
    [Schema.Array(Schema.Struct({ status: Health.Status, critical: Schema.Boolean }))],
    ([checks]) => {
      const status = Health.statusOf(checks)
      assert.strictEqual(
        status === "unhealthy",
        checks.some((c) => c.critical && c.status === "unhealthy")
      )
      assert.strictEqual(
        status === "healthy",
        checks.every((c) => c.status === "healthy")
      )
    }
  )
})

describe("Report", () => {
  const report: Health.Report = {
    status: "unhealthy",
    message: "draining",
    version: "1.4.0",
    uptime: Duration.minutes(2),
    timestamp: DateTime.makeUnsafe("2026-11-20T12:00:00.000Z"),
    checks: [
      {
        name: "database",
        status: "healthy",
        critical: true,
        latency: Duration.nanos(1_234_567n),
        details: { connections: 3, hosts: ["a", null], ok: true },
        checkedAt: DateTime.makeUnsafe("2026-11-20T11:59:59.000Z")
      },
      {
        name: "cache",
        status: "degraded",
        critical: false,
        message: "slow",
        latency: Duration.millis(20),
        checkedAt: DateTime.makeUnsafe("2026-11-20T11:59:58.000Z")
      }
    ]
  }
  const json = {
    status: "unhealthy",
    message: "draining",
    version: "1.4.0",
    uptime: 120_000,
    timestamp: "2026-11-20T12:00:00.000Z",
    checks: [
      {
        name: "database",
        status: "healthy",
        critical: true,
        latency: 1.234567,
        details: { connections: 3, hosts: ["a", null], ok: true },
        checkedAt: "2026-11-20T11:59:59.000Z"
      },
      {
        name: "cache",
        status: "degraded",
        critical: false,
        message: "slow",
        latency: 20,
        checkedAt: "2026-11-20T11:59:58.000Z"
      }
    ]
  }

  it("P2 a report encodes to JSON for an HTTP endpoint, durations as milliseconds and times as ISO strings", () => {
    assert.deepStrictEqual(Schema.encodeSync(Health.Report)(report), json as Health.ReportJson)
  })

  it("a report decodes from its JSON", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(Health.Report)(JSON.parse(JSON.stringify(json))), report)
  })

  it("a report without version, message and details has no such keys in JSON", () => {
    const encoded = Schema.encodeSync(Health.Report)({
      status: "healthy",
      uptime: Duration.zero,
      timestamp: report.timestamp,
      checks: []
    })
    assert.deepStrictEqual(Object.keys(encoded), ["status", "uptime", "timestamp", "checks"])
  })

  it("a status outside the three words does not decode", () => {
    assert.throws(() => Schema.decodeUnknownSync(Health.Report)({ ...json, status: "failing" }), /status/)
  })

  const nanos = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e15 }))
  const millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4e12 }))

  it.prop(
    "every report comes back from its JSON",
    [Health.Status, Schema.Json, nanos, millis, Schema.String, Schema.Boolean],
    ([status, details, elapsed, at, text, critical]) => {
      const any: Health.Report = {
        status,
        message: text,
        uptime: Duration.nanos(BigInt(elapsed)),
        timestamp: DateTime.makeUnsafe(at),
        checks: [
          {
            name: text,
            status,
            critical,
            latency: Duration.nanos(BigInt(elapsed)),
            details,
            checkedAt: DateTime.makeUnsafe(at)
          }
        ]
      }
      const json = JSON.stringify(Schema.encodeSync(Health.Report)(any))
      const back = Schema.decodeUnknownSync(Health.Report)(JSON.parse(json))
      assert.isTrue(Equal.equals({ ...back, checks: [] }, { ...any, checks: [] }))
      assert.isTrue(Equal.equals(back.checks[0]?.latency, any.checks[0]?.latency))
      assert.strictEqual(JSON.stringify(Schema.encodeSync(Health.Report)(back)), json)
    }
  )

  for (const uptime of [Duration.infinity, Duration.millis(-1)]) {
    it(`an uptime of ${Duration.format(uptime)} does not encode`, () => {
      assert.throws(() => Schema.encodeSync(Health.Report)({ ...report, uptime }), /uptime/)
    })
  }
  for (const uptime of [-1, Number.NaN, Number.POSITIVE_INFINITY, "5 seconds", null]) {
    it(`an uptime of ${uptime} does not decode`, () => {
      assert.throws(() => Schema.decodeUnknownSync(Health.Report)({ ...json, uptime }), /uptime/)
    })
  }
})

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
      assert.deepStrictEqual(Health.jsonSafe(value), expected)
    })
  }

  it("keeps a key named __proto__ a plain key", () => {
    const safe = Health.jsonSafe(JSON.parse(`{"__proto__": {"admin": true}}`))
    assert.strictEqual(JSON.stringify(safe), `{"__proto__":{"admin":true}}`)
    assert.strictEqual(Object.getPrototypeOf(safe), Object.prototype)
  })

  it("cuts what is nested deeper than 32 levels", () => {
    let deep: unknown = "bottom"
    for (let i = 0; i < 100_000; i++) deep = { deep }
    const text = JSON.stringify(Health.jsonSafe(deep))
    assert.include(text, "[truncated]")
    assert.strictEqual(text.match(/deep/g)?.length, 32)
  })

  it("cuts what comes after 10 000 values, also where objects are shared", () => {
    const list = Health.jsonSafe(Array.from({ length: 20_000 }, (_, i) => i)) as ReadonlyArray<Schema.Json>
    assert.strictEqual(list.length, 10_001)
    assert.strictEqual(list.at(-1), "[truncated]")
    let doubling: unknown = 1
    for (let i = 0; i < 30; i++) doubling = { a: doubling, b: doubling }
    assert.isBelow(JSON.stringify(Health.jsonSafe(doubling)).length, 1_000_000)
    const wide = Health.jsonSafe(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`k${i}`, i])))
    assert.strictEqual(Object.keys(wide as object).length, 10_001)
  })

  it.effect.prop("leaves JSON as it is", [Schema.Json], ([json]) =>
    Effect.sync(() => assert.strictEqual(JSON.stringify(Health.jsonSafe(json)), JSON.stringify(json)))
  )
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
