import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Equal, Schema } from "effect"
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
    it(`a report of [${checks.map((c) => `${c.critical ? "critical " : ""}${c.status}`).join(", ")}] is ${expected}`, () => {
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

  it("a report encodes to JSON for an HTTP endpoint, durations as milliseconds and times as ISO strings", () => {
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
