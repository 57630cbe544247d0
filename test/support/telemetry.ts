/**
 * Telemetry in a registry of metrics of its own, and its series.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer, Metric, Tracer } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { caller, quick } from "./circuits.ts"

export const registry = () => Layer.succeed(Metric.MetricRegistry, new Map())

/** Runs a test with telemetry, in a registry of metrics of its own. */
export const observed =
  (options?: Telemetry.Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, CircuitBreakers.CircuitBreakers>> =>
    Effect.provide(
      effect,
      Telemetry.layer(options).pipe(Layer.provideMerge(CircuitBreakers.layer), Layer.provideMerge(registry())),
      { local: true }
    )

export type Value = number | Metric.HistogramState

/** Series by name and attributes: `circuit.calls{circuit.name=api,outcome=success}`. */
export const read = Effect.map(Metric.snapshot, (snapshot) =>
  Object.fromEntries(
    snapshot.map(({ attributes = {}, id, state }): [string, Value] => {
      const labels = Object.entries(attributes)
        .filter(([name]) => name !== "unit")
        .map(([name, value]) => `${name}=${value}`)
      const value =
        "value" in state
          ? Number(state.value)
          : "buckets" in state
            ? state
            : Number("count" in state ? state.count : NaN)
      return [`${id.replace("resilience.", "")}{${labels.join()}}`, value]
    })
  )
)

/** The series whose names begin so, without those that are 0. */
export const some = (prefix: string) =>
  Effect.map(read, (series) =>
    Object.fromEntries(Object.entries(series).filter(([name, value]) => name.startsWith(prefix) && value !== 0))
  )

export const histogram = (name: string) =>
  Effect.map(read, (series) => {
    const value = series[name]
    return typeof value === "object" ? value : assert.fail(`${name} is no histogram of ${Object.keys(series).join()}`)
  })

export const make = (options?: CircuitBreaker.Options) =>
  Effect.map(CircuitBreaker.make("api", { ...quick, ...options }), (breaker) => ({
    breaker,
    ...caller(breaker)
  }))

export class Span extends Tracer.NativeSpan {
  readonly seen: Array<readonly [name: string, attributes: Record<string, unknown> | undefined]> = []
  override event(name: string, startTime: bigint, attributes?: Record<string, unknown>) {
    this.seen.push([name, attributes])
    super.event(name, startTime, attributes)
  }
}

export const traced = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const spans: Array<Span> = []
    const tracer = Tracer.make({
      span(options) {
        const span = new Span(options)
        spans.push(span)
        return span
      }
    })
    yield* effect.pipe(Effect.exit, Effect.withSpan("request"), Effect.provideService(Tracer.Tracer, tracer))
    assert.strictEqual(spans.length, 1)
    const [span] = spans
    return { attributes: Object.fromEntries(span?.attributes ?? []), events: span?.seen }
  })
