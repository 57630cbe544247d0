import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { OtlpMetrics, OtlpSerialization, PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Health from "../../src/health/Health.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { make, observed, traced } from "../support/telemetry.ts"

describe("Telemetry: names and options", () => {
  it.effect("names in Prometheus have units and _total, and others are left alone", () =>
    Effect.gen(function* () {
      yield* make()
      yield* Metric.update(Metric.counter("app.orders"), 1)
      const text = yield* PrometheusMetrics.format({ metricNameMapper: Telemetry.prometheusName })
      for (const line of [
        "# TYPE resilience_circuit_calls_total counter",
        `resilience_circuit_state{circuit_name="api",circuit_state="closed"} 1`,
        `resilience_circuit_duration_seconds_bucket{circuit_name="api",outcome="success",le="0.005"} 0`,
        "app_orders 1"
      ]) {
        assert.include(text.split("\n"), line)
      }
    }).pipe(observed())
  )

  it.effect("OTLP has the names, the units and monotonic sums", () => {
    const bodies: Array<string> = []
    const client = HttpClient.make((request) => {
      if (request.body._tag === "Uint8Array") bodies.push(new TextDecoder().decode(request.body.body))
      return Effect.succeed(HttpClientResponse.fromWeb(request, new Response()))
    })
    return Effect.gen(function* () {
      const { succeed } = yield* make()
      yield* succeed
      const exporter = OtlpMetrics.layer({
        url: "http://otlp.test/v1/metrics",
        resource: { serviceName: "shop" }
      }).pipe(Layer.provide(Layer.merge(Layer.succeed(HttpClient.HttpClient, client), OtlpSerialization.layerJson)))
      yield* Effect.provide(TestClock.adjust("11 seconds"), exporter)
      const body = bodies[0] ?? assert.fail("nothing was exported")
      const [calls] = /\{"name":"resilience.circuit.calls".*?"outcome".*?"asDouble":1/.exec(body) ?? []
      assert.include(calls, `"unit":"{call}"`)
      assert.include(calls, `"isMonotonic":true`)
      assert.match(body, /"name":"resilience.circuit.duration"[^[]*"unit":"s"/)
    }).pipe(observed())
  })

  /** Cells of the rows of docs/operations/observability.md that begin with a name in code. */
  const documented = (columns: number): ReadonlyArray<ReadonlyArray<string>> =>
    readFileSync(join(import.meta.dirname, "../../docs/operations/observability.md"), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .filter((cells) => cells.length === columns + 2)
      .map((cells) => cells.slice(1, -1))

  const codes = (cell = "") => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code]) => code)

  it("the tables of metrics in docs/operations/observability.md are those of the code", () => {
    assert.deepStrictEqual(
      documented(6),
      Telemetry.metrics.map(({ attributes, description, name, type, unit }) => [
        `\`${name}\``,
        `\`${Telemetry.prometheusName(name)}\``,
        type,
        `\`${unit}\``,
        attributes.map((attribute) => `\`${attribute}\``).join(", "),
        description
      ])
    )
  })

  /** Does all that there is a metric or an event for, and returns the span and the metrics. */
  const all = Effect.gen(function* () {
    const { breaker, fail } = yield* make({
      trip: TripPolicy.any(TripPolicy.consecutive(1), TripPolicy.slowCalls({ after: "1 second" }))
    })
    const keyed = Effect.fail("boom").pipe(CircuitBreaker.protect(breaker, { key: "a" }), Effect.exit)
    const exhaust = Effect.fail("boom").pipe(Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }), Effect.exit)
    yield* keyed
    yield* fail
    yield* Health.report
    const span = yield* traced(
      Effect.gen(function* () {
        yield* keyed
        yield* CircuitBreaker.holdOpen(breaker, { by: "ada", reason: "maintenance" })
        yield* fail
        yield* exhaust
        yield* TestClock.withLive(Effect.never.pipe(Timeout.timeout("1 millis"), Effect.exit))
        yield* Fallback.chain([Fallback.source("one", Effect.fail("down"))]).pipe(Effect.exit)
        yield* Effect.fail("down").pipe(Fallback.orElseSucceed(() => 1))
      })
    )
    return { span, snapshot: yield* Metric.snapshot }
  })
  const surroundings: Layer.Layer<Health.Health | CircuitStore.CircuitStore> = Layer.merge(
    Health.layer({ checks: { database: Health.check(Effect.succeed(1)) } }),
    Layer.succeed(CircuitStore.CircuitStore, CircuitStore.local)
  )
  const everything = all.pipe(observed({ keys: { api: 1 } }), Effect.provide(surroundings))

  it.effect("every metric is emitted with the type, the unit and the attributes that its definition has", () =>
    Effect.gen(function* () {
      const seen = new Map<string, Omit<Telemetry.Definition, "name">>()
      for (const { attributes = {}, description = "", id, type } of (yield* everything).snapshot) {
        const { unit = "", ...others } = attributes
        const names = Telemetry.metrics.find(({ name }) => name === id)?.attributes ?? []
        seen.set(id, {
          type: type.toLowerCase() as Telemetry.Definition["type"],
          unit,
          attributes: Object.keys(others).sort((a, b) => names.indexOf(a) - names.indexOf(b)),
          description
        })
      }
      assert.deepStrictEqual(
        Object.fromEntries(seen),
        Object.fromEntries(Telemetry.metrics.map(({ name, ...others }) => [name, others]))
      )
    })
  )

  it.effect("the events and attributes of spans in docs/operations/observability.md are those that are written", () =>
    Effect.gen(function* () {
      const { attributes, events = [] } = (yield* everything).span
      const written = new Map<string, Set<string>>()
      for (const [name, attributes = {}] of events) {
        written.set(name, new Set([...(written.get(name) ?? []), ...Object.keys(attributes)]))
      }
      const rows = documented(2).map(([first, second]) => [codes(first), codes(second)] as const)
      const isEvent = ([[name]]: (typeof rows)[number]) => name !== undefined && written.has(name)
      assert.deepStrictEqual(
        Object.fromEntries(rows.filter(isEvent).map(([[name], attributes]) => [name, [...attributes].sort()])),
        Object.fromEntries(Array.from(written, ([name, attributes]) => [name, [...attributes].sort()]))
      )
      const ofSpans = rows.filter((row) => !isEvent(row)).flatMap(([names]) => names)
      assert.includeMembers(ofSpans, Object.keys(attributes))
    })
  )

  it("a bad option is an error that names it", () => {
    const bad: ReadonlyArray<readonly [string, unknown]> = [
      ["latency", { latency: 1 }],
      ["spans", { spans: "yes" }],
      ["buckets", { buckets: [] }],
      ["buckets.1", { buckets: [1, 1] }],
      ["buckets.0", { buckets: [0] }],
      ["keys.api", { keys: { api: 0 } }],
      ["maxValues", { maxValues: 1.5 }]
    ]
    for (const [field, options] of bad) {
      try {
        Telemetry.layer(options as Telemetry.Options)
        assert.fail(`${field} was accepted`)
      } catch (error) {
        assert.isTrue(error instanceof InvalidOptionError, String(error))
        assert.strictEqual((error as InvalidOptionError).field, field)
      }
    }
  })
})
