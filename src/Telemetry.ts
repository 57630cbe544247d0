/**
 * Telemetry: metrics and span events of everything that this package does.
 *
 * **Details**
 *
 * - `layer` looks at the breakers of `CircuitBreakers`, at the retries, timeouts
 *   and fallbacks of the fibers that it is provided to, and at the `Health` and
 *   the `CircuitStore` of the context that it is built with, if there are any.
 * - The metrics are those of Effect's `Metric`, so every exporter of Effect has
 *   them. Counters of circuits are read when an exporter asks, and a call pays
 *   for nothing but its latency.
 * - `metrics` lists all of them. `prometheusName` gives them the names that
 *   Prometheus expects: the OpenTelemetry collector makes the same ones.
 * - The series of a breaker are there from when it is registered until it
 *   leaves. A counter of a breaker is the sum over its keys, those that were
 *   forgotten included.
 * - Refusals, retries and timeouts are events of the current span. No span is
 *   made.
 *
 * **Gotchas**
 *
 * - A breaker that stands in no registry, such as one of `makeUnsafe`, has no
 *   series.
 * - Two breakers of one name in two registries of one process are one series,
 *   which shows the later of both.
 * - Latency is measured in whole milliseconds of the wall clock.
 *
 * **Example** (Serving metrics to Prometheus)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { PrometheusMetrics } from "effect/observability"
 * import { CircuitBreaker, Telemetry } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.succeed("paid").pipe(CircuitBreaker.protect(Payments))
 *   const text = yield* PrometheusMetrics.format({ metricNameMapper: Telemetry.prometheusName })
 *   return text.split("\n").filter((line) => line.startsWith("resilience_circuit_calls_total{"))[0]
 * })
 *
 * const AppLive = Layer.merge(Payments.layer, Telemetry.layer())
 *
 * await Effect.runPromise(program.pipe(Effect.provide(AppLive))) // => "resilience_circuit_calls_total{circuit_name=\"payments\",outcome=\"success\"} 1"
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type * as Breaker from "./Breaker.ts"
import type * as Circuit from "./Circuit.ts"
import * as CircuitBreakers from "./CircuitBreakers.ts"
import type * as CircuitChange from "./CircuitChange.ts"
import * as CircuitObservers from "./CircuitObservers.ts"
import type { CircuitOpenError } from "./CircuitRefusal.ts"
import type * as CircuitState from "./CircuitState.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as Health from "./Health.ts"
import type * as HealthReport from "./HealthReport.ts"
import * as Observer from "./Observer.ts"
import * as Rules from "./Options.ts"
import type * as Outcome from "./Outcome.ts"
import * as TripPolicy from "./TripPolicy.ts"

/**
 * Metric as it is described to exporters.
 */
export interface Definition {
  /** Name after the conventions of OpenTelemetry. */
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram"
  /** Unit after UCUM. One in braces says what is counted. */
  readonly unit: string
  /** Names of the attributes. */
  readonly attributes: ReadonlyArray<string>
  readonly description: string
}

const define = (
  name: string,
  type: Definition["type"],
  unit: string,
  attributes: ReadonlyArray<string>,
  description: string
): Definition => ({ name: `resilience.${name}`, type, unit, attributes, description })

const circuitName = "circuit.name"
const circuitKey = "circuit.key"
const circuitState = "circuit.state"
const circuitFrom = "circuit.from"
const circuitTo = "circuit.to"

const definitions = {
  calls: define("circuit.calls", "counter", "{call}", [circuitName, "outcome"], "Calls that ended, by outcome"),
  refusals: define("circuit.refusals", "counter", "{call}", [circuitName], "Calls that were refused"),
  slow: define("circuit.slow_calls", "counter", "{call}", [circuitName], "Calls that the trip policy calls slow"),
  inFlight: define("circuit.in_flight", "gauge", "{call}", [circuitName], "Admitted calls that have not ended"),
  duration: define("circuit.duration", "histogram", "s", [circuitName, "outcome"], "How long admitted calls took"),
  state: define("circuit.state", "gauge", "{circuit}", [circuitName, circuitState], "1 for the state it has, else 0"),
  keys: define("circuit.keys", "gauge", "{circuit}", [circuitName, circuitState], "Circuits of keys, by state"),
  transitions: define(
    "circuit.transitions",
    "counter",
    "{transition}",
    [circuitName, circuitFrom, circuitTo],
    "Changes of state"
  ),
  openTime: define("circuit.open_time", "counter", "s", [circuitName], "Time in which circuits were not closed"),
  probes: define("circuit.probes", "counter", "{call}", [circuitName], "Calls that ran as probes"),
  keyCalls: define(
    "circuit.key.calls",
    "counter",
    "{call}",
    [circuitName, circuitKey, "outcome"],
    "Calls of one key that ended, by outcome"
  ),
  keyRefusals: define(
    "circuit.key.refusals",
    "counter",
    "{call}",
    [circuitName, circuitKey],
    "Calls of one key that were refused"
  ),
  keyState: define(
    "circuit.key.state",
    "gauge",
    "{circuit}",
    [circuitName, circuitKey, circuitState],
    "1 for the state that the circuit of the key has, else 0"
  ),
  failedAttempts: define("retry.failed_attempts", "counter", "{attempt}", [], "Attempts under a retry that failed"),
  retries: define("retry.retries", "counter", "{attempt}", [], "Attempts after the first"),
  exhausted: define("retry.exhausted", "counter", "{call}", ["reason"], "Calls that a retry gave up, by what ran out"),
  timeouts: define("timeout.expired", "counter", "{call}", ["operation"], "Deadlines that passed"),
  served: define("fallback.served", "counter", "{call}", ["source"], "Calls that a fallback served, by its source"),
  allFailed: define("fallback.exhausted", "counter", "{call}", [], "Chains whose every source failed"),
  checkStatus: define(
    "health.check.status",
    "gauge",
    "{check}",
    ["check", "status"],
    "1 for the status of the last result, else 0"
  ),
  checkDuration: define("health.check.duration", "histogram", "s", ["check"], "How long a check took to answer"),
  storeOperations: define("store.operations", "counter", "{operation}", [], "Operations of the store"),
  storeErrors: define("store.errors", "counter", "{operation}", [], "Operations that failed or took too long"),
  storePending: define(
    "store.pending",
    "gauge",
    "{circuit}",
    [],
    "Circuits with a change that the store has not heard of"
  ),
  storeReachable: define("store.reachable", "gauge", "{store}", [], "1 while the store answers, else 0"),
  storeLag: define("store.lag", "gauge", "s", [], "Time since the store stopped to answer, 0 while it answers")
} as const

/**
 * All metrics.
 */
export const metrics: ReadonlyArray<Definition> = /* @__PURE__ */ (() => Object.values(definitions))()

/**
 * Returns the name that a metric of this package has in Prometheus, with unit
 * and `_total`. Every other name is returned as it is.
 *
 * **Details**
 *
 * It is the `metricNameMapper` of Effect's `PrometheusMetrics`. The dashboard
 * and the alert rules in `ops` go by these names.
 */
export const prometheusName = (name: string): string => {
  const found = metrics.find((metric) => metric.name === name)
  if (found === undefined) return name
  const unit = found.unit === "s" ? "_seconds" : ""
  return `${name.replaceAll(".", "_")}${unit}${found.type === "counter" ? "_total" : ""}`
}

/**
 * Options of the telemetry.
 */
export interface Options {
  /** Whether the latency of calls is measured, which each call pays for. Default: true. */
  readonly latency?: boolean | undefined
  /** Upper bounds of the buckets of histograms, in seconds. Default: 5 ms to 10 s, as OpenTelemetry has them. */
  readonly buckets?: ReadonlyArray<number> | undefined
  /** Whether refusals, retries and timeouts are events of the current span. Default: true. */
  readonly spans?: boolean | undefined
  /**
   * Breakers whose keys have series of their own, with how many keys at most:
   * `{ tenants: 50 }`. Default: none, keys are counted with their breaker.
   */
  readonly keys?: Readonly<Record<string, number>> | undefined
  /**
   * How many operations, sources and checks have series of their own. Further operations and sources
   * are `"other"`, further checks have none. Default: 100.
   */
  readonly maxValues?: number | undefined
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  latency: true,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  spans: true,
  keys: {},
  maxValues: 100
} as const

interface Settings {
  readonly latency: boolean
  readonly buckets: ReadonlyArray<number>
  readonly spans: boolean
  readonly keys: ReadonlyMap<string, number>
  readonly maxValues: number
}

const resolve = (options: Options = {}): Settings => {
  const buckets = options.buckets ?? defaults.buckets
  if (buckets.length === 0) Rules.reject("Telemetry", "buckets", buckets, "at least one number")
  buckets.forEach((bound, i) => Rules.above("Telemetry", `buckets.${i}`, bound, buckets[i - 1] ?? 0))
  return {
    latency: boolean("latency", options.latency ?? defaults.latency),
    buckets,
    spans: boolean("spans", options.spans ?? defaults.spans),
    keys: new Map(
      Object.entries<number>(options.keys ?? defaults.keys).map(([name, most]) => [
        name,
        Rules.count("Telemetry", `keys.${name}`, most)
      ])
    ),
    maxValues: Rules.count("Telemetry", "maxValues", options.maxValues ?? defaults.maxValues)
  }
}

const boolean = (field: string, value: boolean): boolean =>
  typeof value === "boolean" ? value : Rules.reject("Telemetry", field, value, "true or false")

/**
 * Provides telemetry.
 *
 * **Details**
 *
 * The series leave the registry of metrics when the layer's scope closes. Throws
 * an `InvalidOptionError` for an option that breaks a rule.
 */
export const layer = (options?: Options): Layer.Layer<never> => {
  const settings = resolve(options)
  return Layer.provide(Layer.effect(Observer.Observer, make(settings)), CircuitBreakers.layer)
}

const make = (
  settings: Settings
): Effect.Effect<Observer.Observer, never, CircuitBreakers.CircuitBreakers | Scope.Scope> =>
  Effect.withFiber((fiber) => {
    const context = fiber.context
    const series = new Series(context)
    const observer = new PolicyObserver(series, settings)
    // The effect asks for the registry, so it is in the context.
    const registry = Context.getUnsafe(context, CircuitBreakers.CircuitBreakers)
    const breakers = new Breakers(series, settings, registry)
    const health = Context.getOrUndefined(context, Health.Health)
    const checks = health === undefined ? undefined : new Checks(series, settings, health)
    const store = Context.getOrUndefined(context, CircuitStore.CircuitStore)
    if (store !== undefined) watchStore(series, store, fiber.getRef(Clock.Clock))
    return Effect.acquireRelease(
      Effect.sync(() => {
        breakers.start()
        checks?.start()
        return observer
      }),
      () =>
        Effect.sync(() => {
          breakers.stop()
          checks?.stop()
          series.clear()
        })
    )
  })

type Attributes = Metric.Metric.AttributeSet

// Series in a registry of metrics, read when an exporter asks.
class Series {
  private readonly context: Context.Context<never>
  private readonly cleanups = new Set<() => void>()

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  counter(definition: Definition, attributes: Attributes, read: () => number): () => void {
    return this.register(counter(definition, attributes), () => ({ count: read(), incremental: true }))
  }

  gauge(definition: Definition, attributes: Attributes, read: () => number): () => void {
    return this.register(
      Metric.gauge(definition.name, {
        description: definition.description,
        attributes: withUnit(definition, attributes)
      }),
      () => ({ value: read() })
    )
  }

  // One series for each value, of which one is 1.
  oneOf(
    definition: Definition,
    attributes: Attributes,
    name: string,
    values: ReadonlyArray<string>,
    read: () => string
  ) {
    return all(
      values.map((value) => this.gauge(definition, { ...attributes, [name]: value }, () => (read() === value ? 1 : 0)))
    )
  }

  histogram(definition: Definition, attributes: Attributes, latency: Latency): () => void {
    return this.register(
      Metric.histogram(definition.name, {
        description: definition.description,
        attributes: withUnit(definition, attributes),
        boundaries: latency.buckets
      }),
      () => latency.state
    )
  }

  // A counter that is updated where something happens, with the attributes of that fiber.
  events(definition: Definition, attributes: Attributes = {}): Metric.Counter<number> {
    const metric = counter(definition, attributes)
    metric.updateUnsafe(0, this.context)
    this.cleanups.add(() => Metric.removeUnsafe(metric, this.context))
    return metric
  }

  clear(): void {
    for (const cleanup of [...this.cleanups]) cleanup()
  }

  private register<Input, State>(metric: Metric.Metric<Input, State>, get: () => State): () => void {
    const { remove } = Metric.registerUnsafe(metric, this.context, { get, update: constVoid, modify: constVoid })
    const cleanup = () => {
      this.cleanups.delete(cleanup)
      remove()
    }
    this.cleanups.add(cleanup)
    return cleanup
  }
}

const counter = (definition: Definition, attributes: Attributes): Metric.Counter<number> =>
  Metric.counter(definition.name, {
    description: definition.description,
    incremental: true,
    attributes: withUnit(definition, attributes)
  })

// Effect's exporters take the unit from this attribute.
const withUnit = ({ unit }: Definition, attributes: Attributes): Attributes => ({ ...attributes, unit })

const all = (removals: ReadonlyArray<() => void>) => (): void => removals.forEach((remove) => remove())

// What a histogram holds, without the lookups of a metric.
class Latency {
  readonly buckets: ReadonlyArray<number>
  private readonly bounds: Float64Array
  private readonly counts: Float64Array
  private count = 0
  private millis = 0
  private min = 0
  private max = 0

  constructor(buckets: ReadonlyArray<number>) {
    this.buckets = buckets
    this.bounds = Float64Array.from(buckets, (seconds) => seconds * 1000)
    this.counts = new Float64Array(buckets.length)
  }

  record(millis: number): void {
    // Neither a clock that was set back nor a call that began before it was timed says how long it took.
    if (!(millis >= 0)) return
    const { bounds, counts } = this
    let i = 0
    while (i < bounds.length && millis > (bounds[i] as number)) i++ // `i` is an index
    if (i < counts.length) (counts[i] as number)++ // as is this
    if (this.count === 0 || millis < this.min) this.min = millis
    if (millis > this.max) this.max = millis
    this.count++
    this.millis += millis
  }

  get state(): Metric.HistogramState {
    let below = 0
    return {
      buckets: this.buckets.map((bound, i) => [bound, (below += this.counts[i] as number)]), // one count a bound
      count: this.count,
      min: this.min / 1000,
      max: this.max / 1000,
      sum: this.millis / 1000
    }
  }
}

const stateNames = {
  Closed: "closed",
  Open: "open",
  HalfOpen: "half_open",
  HeldOpen: "held_open",
  HeldClosed: "held_closed"
} as const

const states = /* @__PURE__ */ (() => Object.values(stateNames))()

const outcomeNames = { Success: "success", Failure: "failure", Ignored: "ignored" } as const

// Edges that every breaker may take without an operator: their series begin at 0.
const edges = [
  ["Closed", "Open"],
  ["Open", "HalfOpen"],
  ["HalfOpen", "Open"],
  ["HalfOpen", "Closed"]
] as const

type Tag = CircuitState.CircuitState["_tag"]

// Counts of a circuit that only grow.
const counts = {
  success: ({ successes }) => successes,
  failure: ({ trouble }) => trouble?.failures ?? 0,
  ignored: ({ trouble }) => trouble?.ignored ?? 0,
  slow: ({ trouble }) => trouble?.slow ?? 0,
  refused: ({ trouble }) => trouble?.refused ?? 0,
  probes: ({ trouble }) => trouble?.probes ?? 0
} as const satisfies Readonly<Record<string, (circuit: Circuit.Circuit) => number>>

type Count = keyof typeof counts

const countNames = /* @__PURE__ */ (() => Object.keys(counts) as Array<Count>)() // the keys of `counts`

const isUnclosed = ({ _tag }: CircuitState.CircuitState): boolean => _tag !== "Closed" && _tag !== "HeldClosed"

// The breakers of a registry, from when each is registered until it leaves.
class Breakers {
  private readonly series: Series
  private readonly settings: Settings
  private readonly registry: CircuitBreakers.CircuitBreakers["Service"]
  private readonly observed = new Map<Breaker.Breaker, Observed>()
  private unfollow = constVoid

  constructor(series: Series, settings: Settings, registry: CircuitBreakers.CircuitBreakers["Service"]) {
    this.series = series
    this.settings = settings
    this.registry = registry
  }

  start(): void {
    this.registry.listeners.add(this.changed)
    this.unfollow = CircuitObservers.follow(this.registry, (breaker) => {
      const observed = new Observed(breaker, this.series, this.settings)
      this.observed.set(breaker, observed)
      return () => {
        observed.stop()
        this.observed.delete(breaker)
      }
    })
  }

  stop(): void {
    this.registry.listeners.delete(this.changed)
    this.unfollow()
  }

  private readonly changed: CircuitChange.Listener = (change) => {
    const breaker = this.registry.entries.get(change.name)?.breaker
    if (breaker !== undefined) this.observed.get(breaker)?.changed(change)
  }
}

class Observed implements Circuit.Observer {
  private readonly breaker: Breaker.Breaker
  private readonly series: Series
  private readonly settings: Settings
  private readonly removals: Array<() => void> = []
  private readonly latencies: Readonly<Record<Outcome.Outcome["_tag"], Latency>>
  private readonly transitions = new Map<string, number>()
  /** Counts of circuits that were forgotten. */
  private readonly past: Record<Count, number> = { success: 0, failure: 0, ignored: 0, slow: 0, refused: 0, probes: 0 }
  /** Time in states that are over, in milliseconds. */
  private unclosed = 0
  private shownUnclosed = 0
  private hasKeys = false
  private readonly keyed = new Map<Circuit.Circuit, () => void>()

  constructor(breaker: Breaker.Breaker, series: Series, settings: Settings) {
    this.breaker = breaker
    this.series = series
    this.settings = settings
    const latency = () => new Latency(settings.buckets)
    this.latencies = { Success: latency(), Failure: latency(), Ignored: latency() }
    this.register()
    this.removals.push(CircuitObservers.observe(breaker, this, settings.latency))
    for (const circuit of breaker.circuits()) if (circuit.key !== undefined) this.made(circuit)
  }

  stop(): void {
    all([...this.removals, ...this.keyed.values()])()
  }

  settled(_circuit: Circuit.Circuit, outcome: Outcome.Outcome["_tag"], millis: number): void {
    this.latencies[outcome].record(millis)
  }

  refused(error: CircuitOpenError): void {
    if (!this.settings.spans || this.breaker.settings.options.dryRun) return
    const { breaker, by, key, reason, retryAfterMillis, since, state } = error
    const attributes = {
      [circuitName]: breaker,
      ...(key === undefined ? undefined : { [circuitKey]: key }),
      [circuitState]: stateNames[state]
    }
    annotate("resilience.circuit.refused", attributes, {
      ...attributes,
      "circuit.since": since,
      ...(reason === undefined ? undefined : { "circuit.reason": reason }),
      ...(by === undefined ? undefined : { "circuit.by": by }),
      ...(retryAfterMillis === undefined ? undefined : { "circuit.retry_after": retryAfterMillis / 1000 })
    })
  }

  made(circuit: Circuit.Circuit): void {
    const { name } = this.breaker
    if (!this.hasKeys) {
      this.hasKeys = true
      for (const state of states) {
        this.gauge(definitions.keys, { [circuitState]: state }, () => {
          let count = 0
          for (const { current, key } of this.breaker.circuits()) {
            if (key !== undefined && stateNames[current._tag] === state) count++
          }
          return count
        })
      }
    }
    if (this.keyed.size < (this.settings.keys.get(name) ?? 0)) this.keyed.set(circuit, this.registerKey(circuit))
  }

  forgot(circuit: Circuit.Circuit): void {
    for (const count of countNames) this.past[count] += counts[count](circuit)
    if (isUnclosed(circuit.current)) this.unclosed += Math.max(0, this.now() - circuit.current.since)
    this.keyed.get(circuit)?.()
    this.keyed.delete(circuit)
  }

  changed({ from, to }: CircuitChange.Change): void {
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

  // Seconds in which the circuits were not closed. They never get fewer, whatever a clock does.
  private openTime(): number {
    const now = this.now()
    let millis = this.unclosed
    for (const { current } of this.breaker.circuits()) {
      if (isUnclosed(current)) millis += Math.max(0, now - current.since)
    }
    this.shownUnclosed = Math.max(this.shownUnclosed, millis)
    return this.shownUnclosed / 1000
  }

  private register(): void {
    const { breaker, latencies, series, settings } = this
    for (const outcome of Object.values(outcomeNames)) {
      this.counter(definitions.calls, { outcome }, () => this.total(outcome))
    }
    this.counter(definitions.refusals, {}, () => this.total("refused"))
    if (TripPolicy.slowAfterMillis(breaker.settings.options.trip) < Number.POSITIVE_INFINITY) {
      this.counter(definitions.slow, {}, () => this.total("slow"))
    }
    this.gauge(definitions.inFlight, {}, () => {
      let inFlight = 0
      for (const circuit of breaker.circuits()) inFlight += circuit.inFlight
      return inFlight
    })
    this.removals.push(
      series.oneOf(
        definitions.state,
        { [circuitName]: breaker.name },
        circuitState,
        states,
        () => stateNames[breaker.main.current._tag]
      )
    )
    for (const [from, to] of edges) {
      this.transitions.set(`${from} ${to}`, 0)
      this.registerEdge(from, to)
    }
    this.counter(definitions.openTime, {}, () => this.openTime())
    this.counter(definitions.probes, {}, () => this.total("probes"))
    if (!settings.latency) return
    for (const tag of ["Success", "Failure", "Ignored"] as const) {
      const attributes = { [circuitName]: breaker.name, outcome: outcomeNames[tag] }
      this.removals.push(series.histogram(definitions.duration, attributes, latencies[tag]))
    }
  }

  private registerEdge(from: Tag, to: Tag): void {
    const attributes = { [circuitFrom]: stateNames[from], [circuitTo]: stateNames[to] }
    this.counter(definitions.transitions, attributes, () => this.transitions.get(`${from} ${to}`) ?? 0)
  }

  private registerKey(circuit: Circuit.Circuit): () => void {
    const { breaker, series } = this
    // Only circuits of keys come here.
    const attributes = { [circuitName]: breaker.name, [circuitKey]: circuit.key as string }
    return all([
      ...Object.values(outcomeNames).map((outcome) =>
        series.counter(definitions.keyCalls, { ...attributes, outcome }, () => counts[outcome](circuit))
      ),
      series.counter(definitions.keyRefusals, attributes, () => counts.refused(circuit)),
      series.oneOf(definitions.keyState, attributes, circuitState, states, () => stateNames[circuit.current._tag])
    ])
  }

  private counter(definition: Definition, attributes: Attributes, read: () => number): void {
    this.removals.push(this.series.counter(definition, { [circuitName]: this.breaker.name, ...attributes }, read))
  }

  private gauge(definition: Definition, attributes: Attributes, read: () => number): void {
    this.removals.push(this.series.gauge(definition, { [circuitName]: this.breaker.name, ...attributes }, read))
  }
}

// Counts what retries, timeouts and fallbacks of any fiber say.
class PolicyObserver implements Observer.Observer {
  private readonly spans: boolean
  private readonly failedAttempts: Metric.Counter<number>
  private readonly retries: Metric.Counter<number>
  private readonly givenUp: (value: string) => Metric.Counter<number>
  private readonly timeouts: (value: string) => Metric.Counter<number>
  private readonly servedBy: (value: string) => Metric.Counter<number>
  private readonly chains: Metric.Counter<number>

  constructor(series: Series, { maxValues, spans }: Settings) {
    const each = (definition: Definition, attribute: string) =>
      bounded(maxValues, (value) => series.events(definition, { [attribute]: value }))
    this.spans = spans
    this.failedAttempts = series.events(definitions.failedAttempts)
    this.retries = series.events(definitions.retries)
    this.givenUp = each(definitions.exhausted, "reason")
    for (const reason of ["attempts", "elapsed", "schedule"]) this.givenUp(reason)
    this.timeouts = each(definitions.timeouts, "operation")
    this.servedBy = each(definitions.served, "source")
    this.chains = series.events(definitions.allFailed)
  }

  attemptFailed(): void {
    update(this.failedAttempts)
  }

  retried(attempt: number, delayMillis: number): void {
    update(this.retries)
    if (this.spans) {
      annotate(
        "resilience.retry",
        { "resilience.retry.attempts": attempt },
        { "retry.attempt": attempt, "retry.delay": delayMillis / 1000 }
      )
    }
  }

  exhausted(attempts: number, why: string): void {
    update(this.givenUp(why))
    if (this.spans) {
      annotate(
        "resilience.retry.exhausted",
        { "resilience.retry.attempts": attempts },
        { "retry.attempts": attempts, "retry.reason": why }
      )
    }
  }

  timedOut(operation = "unnamed"): void {
    update(this.timeouts(operation))
    if (this.spans) annotate("resilience.timeout", {}, { "timeout.operation": operation })
  }

  // The policy itself writes the source to the span.
  served(source: string): void {
    update(this.servedBy(source))
  }

  allFailed(): void {
    update(this.chains)
    if (this.spans) annotate("resilience.fallback.exhausted", {}, {})
  }
}

const update = (metric: Metric.Counter<number>): void => {
  const fiber = Fiber.getCurrent()
  if (fiber !== undefined) metric.updateUnsafe(1, fiber.context)
}

// Makes one thing a value, and one for all values that come after the first `most`.
const bounded = <A>(most: number, create: (value: string) => A): ((value: string) => A) => {
  const known = new Map<string, A>()
  return (value) => {
    const label = known.has(value) || known.size < most ? value : "other"
    let found = known.get(label)
    if (found === undefined) known.set(label, (found = create(label)))
    return found
  }
}

// Writes to the current span of the fiber that runs, if it has one that is recorded.
const annotate = (
  event: string,
  attributes: Readonly<Record<string, unknown>>,
  eventAttributes: Record<string, unknown>
): void => {
  const fiber = Fiber.getCurrent()
  const span = fiber && Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  if (fiber === undefined || span?._tag !== "Span" || !span.sampled || span.status._tag === "Ended") return
  for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
  span.event(event, fiber.getRef(Clock.Clock).currentTimeNanosUnsafe(), eventAttributes)
}

interface SeenCheck {
  report: HealthReport.CheckReport
  readonly latency: Latency
  readonly remove: () => void
}

// The checks of a service, from the first result of each until it is removed.
class Checks {
  private readonly series: Series
  private readonly settings: Settings
  private readonly health: Health.Health["Service"]
  private readonly seen = new Map<string, SeenCheck>()

  constructor(series: Series, settings: Settings, health: Health.Health["Service"]) {
    this.series = series
    this.settings = settings
    this.health = health
  }

  start(): void {
    this.health.watchers.add(this.sync)
    this.sync()
  }

  stop(): void {
    this.health.watchers.delete(this.sync)
  }

  private readonly sync = (): void => {
    const results = now(this.health.results) ?? []
    const names = new Set(results.map(({ name }) => name))
    for (const [name, { remove }] of this.seen) {
      if (names.has(name)) continue
      remove()
      this.seen.delete(name)
    }
    for (const report of results) {
      const check = this.check(report)
      if (check === undefined) continue
      if (check.report !== report || check.latency.state.count === 0) {
        check.latency.record(Duration.toMillis(report.latency))
      }
      check.report = report
    }
  }

  private check(report: HealthReport.CheckReport): SeenCheck | undefined {
    const { name } = report
    const seen = this.seen.get(name)
    if (seen !== undefined || this.seen.size >= this.settings.maxValues) return seen
    const latency = new Latency(this.settings.buckets)
    const check: SeenCheck = {
      report,
      latency,
      remove: all([
        this.series.oneOf(
          definitions.checkStatus,
          { check: name },
          "status",
          ["healthy", "degraded", "unhealthy"],
          () => check.report.status
        ),
        this.series.histogram(definitions.checkDuration, { check: name }, latency)
      ])
    }
    this.seen.set(name, check)
    return check
  }
}

const watchStore = (series: Series, store: CircuitStore.CircuitStore["Service"], clock: Clock.Clock): void => {
  let last: CircuitStore.Status | undefined
  const read = (of: (status: CircuitStore.Status) => number) => () => {
    // A store that cannot tell at once is shown as it was.
    last = now(store.status) ?? last
    return last === undefined ? 0 : of(last)
  }
  series.counter(
    definitions.storeOperations,
    {},
    read(({ operations }) => operations)
  )
  series.counter(
    definitions.storeErrors,
    {},
    read(({ errors }) => errors)
  )
  series.gauge(
    definitions.storePending,
    {},
    read(({ pending }) => pending)
  )
  series.gauge(
    definitions.storeReachable,
    {},
    read(({ reachable }) => (reachable ? 1 : 0))
  )
  series.gauge(
    definitions.storeLag,
    {},
    read(({ reachable, since }) => (reachable ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - since) / 1000))
  )
}

// What an effect gives without waiting, if it does.
const now = <A>(effect: Effect.Effect<A>): A | undefined => {
  const exit = Effect.runSyncExit(effect)
  return Exit.isSuccess(exit) ? exit.value : undefined
}
