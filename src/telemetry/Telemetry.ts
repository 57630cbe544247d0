/**
 * Telemetry: metrics and span events of breakers, policies, health checks and
 * stores.
 *
 * **Details**
 *
 * - `layer` looks at the breakers of `CircuitBreakers`, at the retries, timeouts
 *   and fallbacks of the fibers that it is provided to, and at the `Health` and
 *   the `CircuitStore` of the context that it is built with, if there are any.
 * - The metrics are those of Effect's `Metric`, so every exporter of Effect has
 *   them. Counters of circuits are read when an exporter asks, and a call
 *   pays only for the measurement of its latency.
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
 * - A breaker that is not in a registry, such as one of `makeUnsafe`, has no
 *   series.
 * - Two breakers of one name in two registries of one process have one series. It
 *   shows the later breaker until that leaves, then the earlier one.
 * - Two layers over one registry of metrics share their series where they have the
 *   same attributes, and each event is written to the span once. `buckets` and
 *   limits are those of the first.
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
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as CircuitBreakers from "../breaker/CircuitBreakers.ts"
import * as Health from "../health/Health.ts"
import * as PolicyObserver from "../policies/internal/PolicyObserver.ts"
import * as CircuitStore from "../store/CircuitStore.ts"
import * as BreakerSeries from "./internal/BreakerSeries.ts"
import * as HealthSeries from "./internal/HealthSeries.ts"
import * as PolicySeries from "./internal/PolicySeries.ts"
import * as Series from "./internal/Series.ts"
import * as Spans from "./internal/Spans.ts"
import * as StoreSeries from "./internal/StoreSeries.ts"
import { resolve, type Options, type Resolved } from "./internal/TelemetryOptions.ts"

export { metrics, prometheusName, type Definition } from "./internal/Metrics.ts"
export {
  Config,
  defaults,
  describe,
  resolve,
  type ConfigJson,
  type Options,
  type Resolved
} from "./internal/TelemetryOptions.ts"

/**
 * Creates the layer of telemetry.
 *
 * **Details**
 *
 * The series leave the registry of metrics when the last layer that shows them
 * is closed. Throws an `InvalidOptionError` for an option that breaks
 * a rule.
 */
export const layer = (options?: Options): Layer.Layer<never> =>
  Layer.provide(Layer.effect(PolicyObserver.PolicyObserver, make(resolve(options))), CircuitBreakers.layer)

const make = (
  options: Resolved
): Effect.Effect<PolicyObserver.PolicyObserver, never, CircuitBreakers.CircuitBreakers | Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.contextWith((context: Context.Context<CircuitBreakers.CircuitBreakers>) =>
        Effect.sync(() => begin(context, options))
      ),
      ({ end }) => Effect.sync(end)
    ),
    ({ observer }) => observer
  )

interface Begun {
  readonly observer: PolicyObserver.PolicyObserver
  readonly end: Series.End
}

const begin = (context: Context.Context<CircuitBreakers.CircuitBreakers>, options: Resolved): Begun => {
  const { release, value: series } = Series.of(context)
  const policies = PolicySeries.policyObserver(series, options.maxValues)
  const health = Context.getOrUndefined(context, Health.Health)
  const store = Context.getOrUndefined(context, CircuitStore.CircuitStore)
  const found = Context.get(context, PolicyObserver.PolicyObserver)
  return {
    observer: PolicyObserver.together(
      ...(found === undefined ? [] : [found]),
      policies.value,
      ...(options.spans ? [Spans.policyObserver] : [])
    ),
    end: Series.ends([
      BreakerSeries.watch(series, Context.get(context, CircuitBreakers.CircuitBreakers), options),
      ...(health === undefined ? [] : [HealthSeries.watch(series, health, options)]),
      ...(store === undefined ? [] : [StoreSeries.watch(series, store, Context.get(context, Clock.Clock))]),
      policies.release,
      release
    ])
  }
}
