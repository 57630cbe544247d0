/**
 * Metrics of this package: names, types, units, attributes and their values.
 */
import type * as Outcome from "../../core/Outcome.ts"

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

export const circuitName = "circuit.name"
export const circuitKey = "circuit.key"
/** Attribute of a state, one of `StateNames.lower`. */
export const circuitState = "circuit.state"
/** Attribute of the state that a circuit left. */
export const circuitFrom = "circuit.from"
/** Attribute of the state that a circuit came to. */
export const circuitTo = "circuit.to"

/**
 * All metrics, by the names that the series call them.
 */
export const definitions = {
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
    "Circuits with a change that the store has not received"
  ),
  storeReachable: define("store.reachable", "gauge", "{store}", [], "1 while the store answers, else 0"),
  storeLag: define("store.lag", "gauge", "s", [], "Time since the store stopped answering, 0 while it answers")
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
 * Names of outcomes, as values of attributes.
 */
export const outcomeNames = {
  Success: "success",
  Failure: "failure",
  Ignored: "ignored"
} as const satisfies Readonly<Record<Outcome.Outcome["_tag"], string>>
