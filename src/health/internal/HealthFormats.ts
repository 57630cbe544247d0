/**
 * Formats in which health is answered: JSON, `application/health+json` and plain
 * text.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Text from "../../core/internal/Text.ts"
import { Report, type CheckReport, type Status } from "./HealthReport.ts"

/**
 * Headers of every response: a report is of the moment, and a message in it is
 * never markup.
 */
export const headers = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff"
}

export type Format = "json" | "health" | "text"

const mediaTypes: Readonly<Record<Format, string>> = {
  json: "application/json",
  health: "application/health+json",
  text: "text/plain"
}
// In the order in which they are preferred where all are accepted alike.
const formats: ReadonlyArray<Format> = ["json", "health", "text"]

/**
 * Returns the format that an `accept` header asks for.
 */
export const negotiate = (accept: string | undefined): Format => {
  if (accept === undefined) return "json"
  const ranges = accept.split(",").map((part) => {
    const [range = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase())
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))
    const q = weight === undefined ? 1 : Number(weight.slice(weight.indexOf("=") + 1))
    return { range, q: Number.isNaN(q) ? 1 : q }
  })
  let best: { readonly format: Format; readonly q: number; readonly index: number } | undefined
  for (const format of formats) {
    const mediaType = mediaTypes[format]
    // The most specific range says how much a type is wanted.
    const index = [mediaType, mediaType.replace(/\/.*/, "/*"), "*/*"]
      .map((wanted) => ranges.findIndex(({ range }) => range === wanted))
      .find((index) => index !== -1)
    const q = index === undefined ? 0 : (ranges[index]?.q ?? 0)
    if (index === undefined || q <= 0) continue
    if (best === undefined || q > best.q || (q === best.q && index < best.index)) best = { format, q, index }
  }
  return best?.format ?? "json"
}

export const reportResponse = (
  report: Report,
  { format, status, verbose }: { readonly format: Format; readonly status: number; readonly verbose: boolean }
): HttpServerResponse.HttpServerResponse => {
  switch (format) {
    case "text":
      return HttpServerResponse.text(asText(report, verbose), { status, headers })
    case "health":
      return HttpServerResponse.jsonUnsafe(asHealthJson(report), { status, headers, contentType: mediaTypes.health })
    case "json":
      return HttpServerResponse.jsonUnsafe(encode(report), { status, headers })
  }
}

const encode = /* @__PURE__ */ (() => Schema.encodeSync(Report))()

/**
 * Returns the response of a check that cannot be reported on.
 */
export const notFoundResponse = (error: string, format: Format): HttpServerResponse.HttpServerResponse =>
  format === "text"
    ? HttpServerResponse.text(`${oneLine(error)}\n`, { status: 404, headers })
    : HttpServerResponse.jsonUnsafe({ error }, { status: 404, headers })

const oneLine = (text: string): string => Text.printable(text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " "))

const asText = (report: Report, verbose: boolean): string => {
  const lines = [
    because(report.status, report.message),
    ...(verbose
      ? report.checks.map((check) => `${Text.quoted(check.name)}: ${because(verdict(check), check.message)}`)
      : [])
  ]
  return lines.map((line) => `${oneLine(line)}\n`).join("")
}

const because = (status: string, message: string | undefined): string =>
  message === undefined ? status : `${status}: ${message}`

const verdict = ({ critical, status }: CheckReport): string =>
  status === "unhealthy" && !critical ? "unhealthy, not critical" : status

const words = { healthy: "pass", degraded: "warn", unhealthy: "fail" } as const satisfies Record<Status, string>

// A report in the terms of the Internet-Draft "Health Check Response Format for HTTP APIs".
const asHealthJson = ({ checks, message, status, timestamp, uptime, version }: Report) => {
  const observations: Record<string, Array<unknown>> = {
    uptime: [
      {
        componentType: "system",
        observedValue: Duration.toSeconds(uptime),
        observedUnit: "s",
        status: "pass",
        time: DateTime.formatIso(timestamp)
      }
    ]
  }
  for (const { checkedAt, details, latency, message, name, status } of checks) {
    // A colon ends the name of a component, and several observations may have one key.
    const key = `${name.replaceAll(":", "_")}:responseTime`
    observations[key] = [
      ...(observations[key] ?? []),
      {
        componentType: "component",
        observedValue: Duration.toMillis(latency),
        observedUnit: "ms",
        status: words[status],
        time: DateTime.formatIso(checkedAt),
        ...(message === undefined ? undefined : { output: message }),
        ...(details === undefined ? undefined : { details })
      }
    ]
  }
  return {
    status: words[status],
    ...(version === undefined ? undefined : { version }),
    ...(message === undefined ? undefined : { output: message }),
    checks: observations
  }
}
