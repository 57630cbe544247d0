/**
 * Series of breakers, from when each is registered until it leaves.
 */
import type * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import type * as Breaker from "../../breaker/internal/Breaker.ts"
import * as CallObservers from "../../breaker/internal/CallObservers.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import type * as CircuitChange from "../../breaker/internal/CircuitChange.ts"
import type * as CircuitState from "../../circuit/CircuitState.ts"
import * as StateNames from "../../circuit/internal/StateNames.ts"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import { Histogram } from "./Histogram.ts"
import {
  circuitFrom,
  circuitKey,
  circuitName,
  circuitState,
  circuitTo,
  definitions,
  outcomeNames,
  type Definition
} from "./Metrics.ts"
import { ends, type Attributes, type End, type Series } from "./Series.ts"
import { Shares } from "./Shared.ts"
import * as Spans from "./Spans.ts"
import type { Resolved } from "./TelemetryOptions.ts"

const states = /* @__PURE__ */ (() => Object.values(StateNames.lower))()

/**
 * Shows the breakers of a registry until the end: in series, and as events of
 * spans. Each part is shown once, if at least one layer asks for it.
 */
export const watch = (
  series: Series,
  registry: CircuitBreakers.CircuitBreakers["Service"],
  { buckets, keys, latency, spans }: Resolved
): End =>
  CallObservers.follow(registry, (breaker) => {
    const maxKeys = keys.get(breaker.name)
    const take = (part: Shares<void>, place: unknown, begin: () => End): End =>
      part.take(breaker, place, () => ({ value: undefined, release: begin() })).release
    return ends([
      take(counted, series, () => showTotals(breaker, series)),
      ...(latency ? [take(timed, series, () => showDurations(breaker, series, buckets))] : []),
      ...(maxKeys === undefined ? [] : [take(keyed, series, () => showKeys(breaker, series, maxKeys))]),
      // The span is that of the call, whatever registry of metrics there is.
      ...(spans
        ? [take(traced, "spans", () => CallObservers.observe(breaker, Spans.callObserver(breaker), false))]
        : [])
    ])
  })

const counted = /* @__PURE__ */ new Shares<void>()
const timed = /* @__PURE__ */ new Shares<void>()
const keyed = /* @__PURE__ */ new Shares<void>()
const traced = /* @__PURE__ */ new Shares<void>()

const showTotals = (breaker: Breaker.Breaker, series: Series): End => {
  const totals = new Totals(breaker, series)
  const unobserve = CallObservers.observe(breaker, totals, false)
  breaker.listeners.add(totals.changed)
  return () => {
    breaker.listeners.delete(totals.changed)
    unobserve()
    totals.stop()
  }
}

// Changes of state that every breaker may make without an operator: their series begin at 0.
const edges = [
  ["Closed", "Open"],
  ["Open", "HalfOpen"],
  ["HalfOpen", "Open"],
  ["HalfOpen", "Closed"]
] as const

type Tag = CircuitState.CircuitState["_tag"]

// Counts of a circuit. They only grow.
const counts = {
  success: ({ successes }) => successes,
  failure: ({ tally }) => tally?.failures ?? 0,
  ignored: ({ tally }) => tally?.ignored ?? 0,
  slow: ({ tally }) => tally?.slow ?? 0,
  refused: ({ tally }) => tally?.refused ?? 0,
  probes: ({ tally }) => tally?.probes ?? 0
} as const satisfies Readonly<Record<string, (circuit: Circuit.Circuit) => number>>

type Count = keyof typeof counts

const countNames = /* @__PURE__ */ (() => Object.keys(counts) as Array<Count>)() // the keys of `counts`

const isUnclosed = ({ _tag }: CircuitState.CircuitState): boolean => _tag !== "Closed" && _tag !== "HeldClosed"

// State of a breaker, and its counts as the sum over its circuits.
class Totals {
  private readonly breaker: Breaker.Breaker
  private readonly series: Series
  private readonly began: Array<End> = []
  private readonly transitions = new Map<string, number>()
  /** Counts of circuits that were forgotten. */
  private readonly past: Record<Count, number> = { success: 0, failure: 0, ignored: 0, slow: 0, refused: 0, probes: 0 }
  /** Time in states that are over, in milliseconds. */
  private unclosed = 0
  private shownUnclosed = 0
  private hasKeys = false

  constructor(breaker: Breaker.Breaker, series: Series) {
    this.breaker = breaker
    this.series = series
    this.start()
  }

  private start(): void {
    const { breaker } = this
    for (const outcome of Object.values(outcomeNames)) {
      this.counter(definitions.calls, { outcome }, () => this.total(outcome))
    }
    this.counter(definitions.refusals, {}, () => this.total("refused"))
    if (TripPolicy.slowAfterMillis(breaker.options.trip) < Number.POSITIVE_INFINITY) {
      this.counter(definitions.slow, {}, () => this.total("slow"))
    }
    this.gauge(definitions.inFlight, {}, () => {
      let inFlight = 0
      for (const circuit of breaker.circuits()) inFlight += circuit.inFlight
      return inFlight
    })
    const state = () => StateNames.lower[breaker.main.current._tag]
    this.began.push(this.series.oneOf(definitions.state, { [circuitName]: breaker.name }, circuitState, states, state))
    for (const [from, to] of edges) {
      this.transitions.set(`${from} ${to}`, 0)
      this.registerEdge(from, to)
    }
    this.counter(definitions.openTime, {}, () => this.openTime())
    this.counter(definitions.probes, {}, () => this.total("probes"))
    if (breaker.circuits().length > 1) this.made()
  }

  stop(): void {
    ends(this.began)()
  }

  made(): void {
    if (this.hasKeys) return
    this.hasKeys = true
    for (const state of states) {
      this.gauge(definitions.keys, { [circuitState]: state }, () => {
        let count = 0
        for (const { current, key } of this.breaker.circuits()) {
          if (key !== undefined && StateNames.lower[current._tag] === state) count++
        }
        return count
      })
    }
  }

  forgot(circuit: Circuit.Circuit): void {
    for (const count of countNames) this.past[count] += counts[count](circuit)
    if (isUnclosed(circuit.current)) this.unclosed += Math.max(0, this.now() - circuit.current.since)
  }

  readonly changed = ({ from, to }: CircuitChange.Change): void => {
    const edge = `${from._tag} ${to._tag}`
    const before = this.transitions.get(edge)
    if (before === undefined) this.registerEdge(from._tag, to._tag)
    this.transitions.set(edge, (before ?? 0) + 1)
    if (isUnclosed(from)) this.unclosed += Math.max(0, to.since - from.since)
  }

  private now(): number {
    return this.breaker.clock.currentTimeMillisUnsafe()
  }

  private total(count: Count): number {
    let total = this.past[count]
    for (const circuit of this.breaker.circuits()) total += counts[count](circuit)
    return total
  }

  // Seconds in which the circuits were not closed. They never decrease, whatever a clock does.
  private openTime(): number {
    const now = this.now()
    let millis = this.unclosed
    for (const { current } of this.breaker.circuits()) {
      if (isUnclosed(current)) millis += Math.max(0, now - current.since)
    }
    this.shownUnclosed = Math.max(this.shownUnclosed, millis)
    return this.shownUnclosed / 1000
  }

  private registerEdge(from: Tag, to: Tag): void {
    const attributes = { [circuitFrom]: StateNames.lower[from], [circuitTo]: StateNames.lower[to] }
    this.counter(definitions.transitions, attributes, () => this.transitions.get(`${from} ${to}`) ?? 0)
  }

  private counter(definition: Definition, attributes: Attributes, read: () => number): void {
    this.began.push(this.series.counter(definition, { [circuitName]: this.breaker.name, ...attributes }, read))
  }

  private gauge(definition: Definition, attributes: Attributes, read: () => number): void {
    this.began.push(this.series.gauge(definition, { [circuitName]: this.breaker.name, ...attributes }, read))
  }
}

// How long the calls of a breaker took, by outcome.
const showDurations = (breaker: Breaker.Breaker, series: Series, buckets: ReadonlyArray<number>): End => {
  const tags = ["Success", "Failure", "Ignored"] as const
  const histogram = () => new Histogram(buckets)
  const durations = { Success: histogram(), Failure: histogram(), Ignored: histogram() }
  const shown = tags.map((tag) => {
    const attributes = { [circuitName]: breaker.name, outcome: outcomeNames[tag] }
    return series.histogram(definitions.duration, attributes, durations[tag])
  })
  const settled: Circuit.CallObserver["settled"] = (_circuit, outcome, millis) => durations[outcome].record(millis)
  return ends([CallObservers.observe(breaker, { settled }, true), ...shown])
}

// The first keys of a breaker, until their circuits are forgotten.
const showKeys = (breaker: Breaker.Breaker, series: Series, maxKeys: number): End => {
  const shown = new Map<Circuit.Circuit, End>()
  const made = (circuit: Circuit.Circuit): void => {
    if (circuit.key !== undefined && shown.size < maxKeys)
      shown.set(circuit, showKey(breaker, series, circuit, circuit.key))
  }
  const forgot = (circuit: Circuit.Circuit): void => {
    shown.get(circuit)?.()
    shown.delete(circuit)
  }
  breaker.circuits().forEach(made)
  return ends([CallObservers.observe(breaker, { made, forgot }, false), () => ends([...shown.values()])()])
}

const showKey = (breaker: Breaker.Breaker, series: Series, circuit: Circuit.Circuit, key: string): End => {
  const attributes = { [circuitName]: breaker.name, [circuitKey]: key }
  return ends([
    ...Object.values(outcomeNames).map((outcome) =>
      series.counter(definitions.keyCalls, { ...attributes, outcome }, () => counts[outcome](circuit))
    ),
    series.counter(definitions.keyRefusals, attributes, () => counts.refused(circuit)),
    series.oneOf(definitions.keyState, attributes, circuitState, states, () => StateNames.lower[circuit.current._tag])
  ])
}
