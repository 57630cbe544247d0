import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Metric, Ref, Schedule, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Health from "../../src/health/Health.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { describePrometheus, promtool, serve } from "../support/prometheus.ts"

const ops = join(import.meta.dirname, "../../ops")
const alerts = readFileSync(join(ops, "alerts.yml"), "utf8")

const Panels = Schema.fromJsonString(
  Schema.Struct({
    panels: Schema.Array(
      Schema.Struct({
        id: Schema.Number,
        title: Schema.String,
        gridPos: Schema.Struct({ x: Schema.Number, y: Schema.Number, w: Schema.Number, h: Schema.Number }),
        targets: Schema.Array(Schema.Struct({ expr: Schema.String }))
      })
    )
  })
)
const { panels } = Schema.decodeUnknownSync(Panels)(readFileSync(join(ops, "dashboard.json"), "utf8"))
const expressions = panels.flatMap(({ targets, title }) => targets.map(({ expr }) => ({ title, expr })))

/** Names in Prometheus, with the series of histograms. */
const known = new Set(
  Telemetry.metrics.flatMap(({ name, type }) => {
    const mapped = Telemetry.prometheusName(name)
    return type === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => mapped + part) : [mapped]
  })
)
const used = (text: string) => text.match(/\bresilience_\w+/g) ?? []

describe("ops", () => {
  it("the alert rules and the dashboard name only metrics that there are", () => {
    for (const name of used(alerts)) assert.isTrue(known.has(name), name)
    for (const { expr } of expressions) {
      assert.isNotEmpty(used(expr))
      for (const name of used(expr)) assert.isTrue(known.has(name), name)
    }
  })

  it("docs/operations/observability.md lists the alerts that there are", () => {
    const docs = readFileSync(join(ops, "../docs/operations/observability.md"), "utf8")
    const listed = docs.slice(docs.indexOf("| Alert")).match(/(?<=^\| `)\w+(?=`)/gm)
    assert.deepStrictEqual(listed, alerts.match(/(?<=alert: )\w+/g))
  })

  it("the panels of the dashboard do not overlap", () => {
    const places = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`)
    )
    assert.strictEqual(new Set(places).size, places.length)
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
  })
})

class Payments extends CircuitBreaker.Service<Payments>()("payments", {
  trip: TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.slowCalls({ after: "1 minute" })),
  openFor: "300 millis",
  log: false
}) {}

/** A service under traffic whose dependency can be away, with its metrics on a free port. */
const demo = Effect.gen(function* () {
  const isUp = yield* Ref.make(true)
  const dependency = Effect.flatMap(Ref.get(isUp), (up) => (up ? Effect.succeed("paid") : Effect.fail("unavailable")))
  const call = dependency.pipe(
    CircuitBreaker.protect(Payments),
    Retry.retry({ maxAttempts: 2, backoff: Backoff.constant("1 millis") }),
    Fallback.chainTo([Fallback.source("cache", Ref.get(isUp).pipe(Effect.filterOrFail((up) => up)))]),
    Effect.ignore
  )
  const keyed = Effect.succeed("paid").pipe(CircuitBreaker.protect(Payments, { key: "tenant" }), Effect.ignore)
  const late = Effect.never.pipe(Timeout.timeout("1 millis", { operation: "report" }), Effect.ignore)
  const cached = Effect.fail("empty").pipe(Fallback.orElseSucceed(() => "default", { source: "default" }))
  const traffic = Effect.all([call, keyed, late, cached, Health.report], { discard: true }).pipe(
    Effect.repeat(Schedule.spaced("20 millis")),
    Effect.forkScoped
  )
  const checks = Health.layer({ checks: { database: Health.check(dependency) } })
  const observed = Telemetry.layer().pipe(
    Layer.provideMerge(Layer.mergeAll(Payments.layer, checks, CircuitStore.layerLocal)),
    Layer.provideMerge(Layer.succeed(Metric.MetricRegistry, new Map()))
  )
  const app = HttpRouter.serve(PrometheusMetrics.layerHttp({ metricNameMapper: Telemetry.prometheusName }), {
    disableListenLog: true,
    disableLogger: true
  }).pipe(
    Layer.provideMerge(Layer.effectDiscard(traffic)),
    Layer.provideMerge(observed),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 }))
  )
  const { address } = Context.get(yield* Layer.build(app), HttpServer.HttpServer)
  return { isUp, target: `127.0.0.1:${"port" in address ? address.port : assert.fail("no port")}` }
})

describePrometheus("ops with Prometheus", () => {
  it.effect("promtool finds nothing in the rules, and their tests pass", () =>
    Effect.gen(function* () {
      for (const args of [
        ["check", "rules", join(ops, "alerts.yml")],
        ["test", "rules", join(ops, "alerts.test.yml")]
      ]) {
        const { output, status } = yield* promtool(args)
        assert.strictEqual(status, 0, output)
      }
    })
  )

  it.live(
    "an outage: alerts fire and resolve, and every panel has data",
    () =>
      Effect.gen(function* () {
        const { isUp, target } = yield* demo
        const text = yield* Effect.promise(async () => (await fetch(`http://${target}/metrics`)).text())
        const checked = yield* promtool(["check", "metrics"], text)
        assert.deepStrictEqual(checked, { status: 0, output: "" })

        // The rules as they are, in seconds where they have minutes.
        const quick = alerts
          .replaceAll(/for: \w+/g, "for: 1s")
          .replaceAll(/\[\d+m\]/g, "[5s]")
          .replaceAll("_exhausted_total[5s])) > 1", "_exhausted_total[5s])) > 0.01")
        const prometheus = yield* serve(target, quick)
        const until = (done: (firing: ReadonlyArray<string>) => boolean) =>
          Effect.repeat(prometheus.firing, { until: done, schedule: Schedule.spaced("200 millis") }).pipe(
            Effect.timeout("90 seconds")
          )

        yield* Effect.repeat(prometheus.query("up == 1"), {
          until: (up) => up.length === 1,
          schedule: Schedule.spaced("200 millis")
        })
        assert.deepStrictEqual(yield* prometheus.firing, [])

        yield* Ref.set(isUp, false)
        const outage = ["CircuitOpen payments", "CircuitRefusals payments", "HealthCheckUnhealthy database"]
        yield* until((firing) => outage.every((alert) => firing.includes(alert)))

        for (const { expr, title } of expressions) {
          const query = expr.replaceAll("$__rate_interval", "5s").replaceAll("$job", ".*").replaceAll("$circuit", ".*")
          // A scrape that fails leaves nothing until the next one.
          yield* prometheus.query(query).pipe(
            Effect.filterOrFail(
              (samples) => samples.length > 0,
              () => `${title} has no data: ${query}`
            ),
            Effect.retry({ times: 50, schedule: Schedule.spaced("200 millis") })
          )
        }

        yield* Ref.set(isUp, true)
        yield* until((firing) => firing.length === 0)
      }).pipe(Effect.scoped),
    300_000
  )
})
