/**
 * Health reports: what a health check found, and what all checks together say.
 *
 * **Details**
 *
 * - A report is healthy when every check is. It is unhealthy when a critical
 *   check is unhealthy, and degraded otherwise. A report without checks is
 *   healthy.
 * - `Report` and `CheckReport` are schemas. They encode to JSON, with durations
 *   as milliseconds and times as ISO strings, and decode back.
 * - Details of a check are made safe for JSON when the check ends, so that no
 *   value in them can make a report fail.
 *
 * **Gotchas**
 *
 * `Health` exports all of this module. Import from there.
 *
 * **Example** (Encoding a report to JSON)
 *
 * ```ts
 * import { DateTime, Duration, Schema } from "effect"
 * import { Health } from "effect-resilience"
 *
 * const report: Health.Report = {
 *   status: "degraded",
 *   version: "1.4.0",
 *   uptime: Duration.seconds(90),
 *   timestamp: DateTime.makeUnsafe("2026-11-20T12:00:00Z"),
 *   checks: [
 *     {
 *       name: "cache",
 *       status: "unhealthy",
 *       critical: false,
 *       message: "connection refused",
 *       latency: Duration.millis(1.5),
 *       checkedAt: DateTime.makeUnsafe("2026-11-20T11:59:59Z")
 *     }
 *   ]
 * }
 * const json = Schema.encodeSync(Health.Report)(report)
 *
 * json.uptime // => 90000
 * json.timestamp // => "2026-11-20T12:00:00.000Z"
 * json.checks[0]?.latency // => 1.5
 * ```
 */
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * Verdict of a check or of a report.
 *
 * **Details**
 *
 * `degraded` means that the service answers with less than it should have.
 */
export type Status = "healthy" | "degraded" | "unhealthy"

export const Status: Schema.Codec<Status> = /* @__PURE__ */ (() =>
  Schema.Literals(["healthy", "degraded", "unhealthy"]))()

/**
 * Question that a check helps to answer.
 *
 * **Details**
 *
 * - `liveness`: must the process be restarted?
 * - `readiness`: should it get traffic?
 * - `startup`: has it finished starting?
 */
export type Kind = "liveness" | "readiness" | "startup"

export const Kind: Schema.Codec<Kind> = /* @__PURE__ */ (() => Schema.Literals(["liveness", "readiness", "startup"]))()

// JSON has no word for an infinite duration.
const Elapsed: Schema.Codec<Duration.Duration, number> = /* @__PURE__ */ (() =>
  Schema.Finite.pipe(
    Schema.decodeTo(
      Schema.Duration.check(
        Schema.makeFilter((elapsed) => Duration.toMillis(elapsed) >= 0, { expected: "a duration >= 0" })
      ),
      SchemaTransformation.durationFromMillis
    )
  ))()

/**
 * Result of one check in a report.
 */
export interface CheckReport {
  /** Name under which the check is registered. */
  readonly name: string
  readonly status: Status
  /** Whether the report is unhealthy when this check is. */
  readonly critical: boolean
  /** Why the check is not healthy. */
  readonly message?: string
  /** How long the check took to answer. */
  readonly latency: Duration.Duration
  /** Further facts that the check gave. */
  readonly details?: Schema.Json
  /** When the check answered. */
  readonly checkedAt: DateTime.Utc
}

/**
 * Result of one check in JSON.
 */
export interface CheckReportJson {
  readonly name: string
  readonly status: Status
  readonly critical: boolean
  readonly message?: string
  /** Milliseconds. */
  readonly latency: number
  readonly details?: Schema.Json
  /** ISO 8601, UTC. */
  readonly checkedAt: string
}

export const CheckReport: Schema.Codec<CheckReport, CheckReportJson> = /* @__PURE__ */ (() =>
  Schema.Struct({
    name: Schema.String,
    status: Status,
    critical: Schema.Boolean,
    message: Schema.optionalKey(Schema.String),
    latency: Elapsed,
    details: Schema.optionalKey(Schema.Json),
    checkedAt: Schema.DateTimeUtcFromString
  }))()

/**
 * Report on all checks.
 */
export interface Report {
  readonly status: Status
  /** Why the report is unhealthy apart from its checks: `"draining"`. */
  readonly message?: string
  /** Version of the service. */
  readonly version?: string
  /** How long the health layer has been up. */
  readonly uptime: Duration.Duration
  /** When the report was made. */
  readonly timestamp: DateTime.Utc
  /** Results of the checks, in the order of registration. */
  readonly checks: ReadonlyArray<CheckReport>
}

/**
 * Report in JSON.
 */
export interface ReportJson {
  readonly status: Status
  readonly message?: string
  readonly version?: string
  /** Milliseconds. */
  readonly uptime: number
  /** ISO 8601, UTC. */
  readonly timestamp: string
  readonly checks: ReadonlyArray<CheckReportJson>
}

export const Report: Schema.Codec<Report, ReportJson> = /* @__PURE__ */ (() =>
  Schema.Struct({
    status: Status,
    message: Schema.optionalKey(Schema.String),
    version: Schema.optionalKey(Schema.String),
    uptime: Elapsed,
    timestamp: Schema.DateTimeUtcFromString,
    checks: Schema.Array(CheckReport)
  }))()

/**
 * Returns the status of several checks together.
 */
export const statusOf = (checks: Iterable<Pick<CheckReport, "status" | "critical">>): Status => {
  let status: Status = "healthy"
  for (const check of checks) {
    if (check.status === "healthy") continue
    if (check.status === "unhealthy" && check.critical) return "unhealthy"
    status = "degraded"
  }
  return status
}
