/**
 * What the demo of the fleet prints: pure functions from numbers to lines.
 */
import type { CircuitState } from "effect-resilience"
import type { Paint } from "../demo/report.ts"
import type { Changed } from "./messages.ts"

type Tag = CircuitState.CircuitState["_tag"]

const words: { readonly [tag in Tag]: string } = {
  Closed: "closed",
  Open: "OPEN",
  HalfOpen: "half",
  HeldOpen: "HELD",
  HeldClosed: "held"
}

const ofState = (colours: Paint, tag: Tag): ((text: string) => string) =>
  tag === "Open" || tag === "HeldOpen" ? colours.red : tag === "HalfOpen" ? colours.yellow : colours.green

/**
 * Half a second of the fleet.
 */
export interface Row {
  readonly phase: string
  readonly calls: number
  readonly ok: number
  readonly failed: number
  readonly refused: number
  /** Requests that arrived at the upstream. */
  readonly hits: number
  /** State of each worker, absent for one that was not started. */
  readonly states: ReadonlyArray<Tag | "dead" | undefined>
}

const widths = [6, -12, 5, 4, 6, 7, 4] as const

// A negative width is that of text, which begins at the left.
const line = (cells: ReadonlyArray<string>): string =>
  cells
    .map((cell, i) => ((widths[i] ?? -1) < 0 ? cell.padEnd(-(widths[i] ?? -1)) : cell.padStart(widths[i] ?? 0)))
    .join("  ")

const seconds = (millis: number): string => (millis / 1000).toFixed(1)

const stateWidth = 6

/**
 * Returns the head of the timeline.
 */
export const head = (colours: Paint, workers: ReadonlyArray<string>): string =>
  colours.bold(
    [
      line(["time", "phase", "calls", "ok", "failed", "refused", "hits"]),
      ...workers.map((worker) => worker.padEnd(stateWidth))
    ]
      .join("  ")
      .trimEnd()
  )

/**
 * Returns one line of the timeline.
 */
export const row = (colours: Paint, millis: number, row: Row): string => {
  const numbers = [row.calls, row.ok, row.failed, row.refused, row.hits].map(String)
  const states = row.states.map((tag) =>
    tag === undefined || tag === "dead"
      ? colours.dim((tag ?? "").padEnd(stateWidth))
      : ofState(colours, tag)(words[tag].padEnd(stateWidth))
  )
  return [line([seconds(millis), row.phase, ...numbers]), ...states].join("  ").trimEnd()
}

/**
 * Change of the circuit, as several workers came to know of it.
 */
export interface FleetChange {
  readonly from: CircuitState.CircuitState
  readonly to: CircuitState.CircuitState
  /** Workers in the order in which they knew. */
  readonly workers: ReadonlyArray<string>
  /** When the first and the last of them knew. */
  readonly first: number
  readonly last: number
}

/**
 * Returns the changes of the circuit, of which each worker reports one of its
 * own. States of a kind that began within `apartMillis` are one.
 */
export const fleetChanges = (
  changes: ReadonlyArray<Changed & { readonly worker: string }>,
  apartMillis: number
): ReadonlyArray<FleetChange> => {
  const all: Array<FleetChange> = []
  for (const { at, from, to, worker } of changes) {
    const i = all.findIndex((each) => each.to._tag === to._tag && Math.abs(each.to.since - to.since) < apartMillis)
    const known = all[i]
    if (known === undefined) all.push({ from, to, workers: [worker], first: at, last: at })
    else if (!known.workers.includes(worker)) all[i] = { ...known, workers: [...known.workers, worker], last: at }
  }
  return all
}

/**
 * Returns the line of a change of the circuit.
 */
export const change = (colours: Paint, start: number, { first, from, last, to, workers }: FleetChange): string => {
  const by = "by" in to && to.by !== undefined ? ` by ${to.by}` : ""
  const why = to._tag !== "HalfOpen" && "reason" in to && to.reason !== undefined ? `: ${to.reason}` : ""
  const edge = ofState(colours, to._tag)(`${from._tag} -> ${to._tag}`)
  const [worker] = workers
  const who =
    workers.length === 1
      ? `${worker}`
      : `${worker} first, ${workers.length} workers within ${(last - first).toFixed(1)} ms`
  return `${seconds(first - start).padStart(6)}  ${edge}  ${who}${colours.dim(by + why)}`
}

/**
 * Returns a table of what was shown.
 */
export const table = (colours: Paint, rows: ReadonlyArray<readonly [what: string, value: string]>): string => {
  const width = Math.max(...rows.map(([what]) => what.length))
  return rows.map(([what, value]) => `${what.padEnd(width)}  ${colours.bold(value)}`).join("\n")
}
