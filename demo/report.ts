/**
 * What the demo prints: pure functions from numbers to lines.
 */
import type { CircuitBreaker, Health } from "effect-resilience"
import { Duration } from "effect"

/**
 * Colours, or none.
 */
export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
}

/**
 * Returns the colours of a terminal, or functions that change nothing.
 */
export const paint = (colours: boolean): Paint => {
  const sgr = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: sgr(1), dim: sgr(2), red: sgr(31), green: sgr(32), yellow: sgr(33) }
}

/**
 * Returns the value that a share of the values does not exceed, or `undefined`
 * where there are none.
 */
export const percentile = (values: ReadonlyArray<number>, share: number): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)]

/**
 * Half a second of the demo.
 */
export interface Row {
  readonly phase: string
  readonly calls: number
  readonly ok: number
  readonly fallback: number
  readonly refused: number
  readonly retries: number
  readonly hits: number
  readonly latencies: ReadonlyArray<number>
  readonly state: string
}

const columns = [
  ["time", 6],
  ["phase", -10],
  ["calls", 5],
  ["ok", 4],
  ["fallback", 8],
  ["refused", 7],
  ["retries", 7],
  ["upstream", 8],
  ["p50 ms", 6],
  ["p99 ms", 6],
  ["state", -8]
] as const

// A negative width is that of text, which begins at the left.
const line = (cells: ReadonlyArray<string>): string =>
  columns
    .map(([, width], i) => (width < 0 ? (cells[i] ?? "").padEnd(-width) : (cells[i] ?? "").padStart(width)))
    .join("  ")
    .trimEnd()

const seconds = (millis: number): string => (millis / 1_000).toFixed(1)

const whole = (millis: number | undefined): string => (millis === undefined ? "-" : String(Math.round(millis)))

const ofState = (colours: Paint, state: string): ((text: string) => string) =>
  state === "Open" ? colours.red : state === "HalfOpen" ? colours.yellow : colours.green

/**
 * Returns the head of the timeline.
 */
export const head = (colours: Paint): string => colours.bold(line(columns.map(([name]) => name)))

/**
 * Returns one line of the timeline.
 */
export const row = (colours: Paint, millis: number, row: Row): string => {
  const text = line([
    seconds(millis),
    row.phase,
    ...[row.calls, row.ok, row.fallback, row.refused, row.retries, row.hits].map(String),
    whole(percentile(row.latencies, 0.5)),
    whole(percentile(row.latencies, 0.99))
  ])
  return `${text}  ${ofState(colours, row.state)(row.state)}`
}

/**
 * Returns the line of a change of state.
 */
export const change = (colours: Paint, millis: number, { from, key, name, to }: CircuitBreaker.Change): string => {
  const why = to._tag === "Open" ? ` for ${to.openMillis} ms: ${to.reason}` : ""
  const circuit = key === undefined ? name : `${name}:${key}`
  const edge = ofState(colours, to._tag)(`${from._tag} -> ${to._tag}`)
  return `${seconds(millis).padStart(6)}  ${colours.bold(`circuit ${circuit}`)} ${edge}${colours.dim(why)}`
}

/**
 * Returns the lines of a health report.
 */
export const health = (colours: Paint, millis: number, when: string, report: Health.Report): string => {
  const ofStatus = { healthy: colours.green, degraded: colours.yellow, unhealthy: colours.red }
  const checks = report.checks.map(({ details, message, name, status }) => {
    const more = [message, details === undefined ? undefined : JSON.stringify(details)]
    const text = more.flatMap((part) => (part === undefined ? [] : [`  ${part}`])).join("")
    return `        ${name.padEnd(8)} ${ofStatus[status](status)}${colours.dim(text)}`
  })
  const version = report.version === undefined ? "" : `, version ${report.version}`
  const up = `, up ${Math.floor(Duration.toSeconds(report.uptime))} s`
  return [
    `${seconds(millis).padStart(6)}  ${colours.bold(`health ${when}`)} ${ofStatus[report.status](report.status)}${version}${up}`,
    ...checks
  ].join("\n")
}

/**
 * What became of all calls, one way or the other.
 */
export interface Total {
  readonly calls: number
  readonly ok: number
  readonly fallback: number
  readonly failed: number
  readonly hits: number
  readonly latencies: ReadonlyArray<number>
}

/**
 * Returns the table of all calls with policies beside those without.
 */
export const totals = (colours: Paint, withPolicies: Total, without: Total): string => {
  const both = (label: string, of: (total: Total) => string): string =>
    `${label.padEnd(24)}${of(withPolicies).padStart(14)}${of(without).padStart(14)}`
  const millis = (share: number) => (total: Total) => `${whole(percentile(total.latencies, share))} ms`
  return [
    colours.bold(`${"".padEnd(24)}${"with policies".padStart(14)}${"without".padStart(14)}`),
    both("calls", ({ calls }) => String(calls)),
    both("answered by the upstream", ({ ok }) => String(ok)),
    both("answered by the cache", ({ fallback }) => String(fallback)),
    colours.bold(both("failed calls", ({ failed }) => String(failed))),
    colours.bold(both("upstream hits", ({ hits }) => String(hits))),
    both("p50", millis(0.5)),
    colours.bold(both("p99", millis(0.99)))
  ].join("\n")
}
