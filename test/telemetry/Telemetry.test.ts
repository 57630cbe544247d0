import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Exit, Layer, Metric, Option, Scope, Tracer } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { OtlpMetrics, OtlpSerialization, PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Health from "../../src/health/Health.ts"
import * as PolicyObserver from "../../src/policies/internal/PolicyObserver.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { both, caller, quick, ways } from "../support/circuits.ts"

const registry = () => Layer.succeed(Metric.MetricRegistry, new Map())

/** Runs a test with telemetry, in a registry of metrics of its own. */
const observed =
  (options?: Telemetry.Options) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, CircuitBreakers.CircuitBreakers>> =>
    Effect.provide(
      effect,
      Telemetry.layer(options).pipe(Layer.provideMerge(CircuitBreakers.layer), Layer.provideMerge(registry())),
      { local: true }
    )

type Value = number | Metric.HistogramState

/** Series by name and attributes: `circuit.calls{circuit.name=api,outcome=success}`. */
const read = Effect.map(Metric.snapshot, (snapshot) =>
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
const some = (prefix: string) =>
  Effect.map(read, (series) =>
    Object.fromEntries(Object.entries(series).filter(([name, value]) => name.startsWith(prefix) && value !== 0))
  )

const histogram = (name: string) =>
  Effect.map(read, (series) => {
    const value = series[name]
    return typeof value === "object" ? value : assert.fail(`${name} is no histogram of ${Object.keys(series).join()}`)
  })

const make = (options?: CircuitBreaker.Options) =>
  Effect.map(CircuitBreaker.make("api", { ...quick, ...options }), (breaker) => ({
    breaker,
    ...caller(breaker)
  }))

class Span extends Tracer.NativeSpan {
  readonly seen: Array<readonly [name: string, attributes: Record<string, unknown> | undefined]> = []
  override event(name: string, startTime: bigint, attributes?: Record<string, unknown>) {
    this.seen.push([name, attributes])
    super.event(name, startTime, attributes)
  }
}

const traced = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
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

describe("Telemetry of circuits", () => {
  it.effect("every series of a breaker is there before its first call", () =>
    Effect.gen(function* () {
      yield* make()
      const series = yield* read
      const names = Object.entries(series)
        .filter(([name, value]) => name.includes("circuit.name=api") && typeof value === "number")
        .map(([name, value]) => `${name.replace("circuit.name=api", "")} ${String(value)}`)
      assert.deepStrictEqual(names, [
        "circuit.calls{,outcome=success} 0",
        "circuit.calls{,outcome=failure} 0",
        "circuit.calls{,outcome=ignored} 0",
        "circuit.refusals{} 0",
        "circuit.in_flight{} 0",
        "circuit.state{,circuit.state=closed} 1",
        "circuit.state{,circuit.state=open} 0",
        "circuit.state{,circuit.state=half_open} 0",
        "circuit.state{,circuit.state=held_open} 0",
        "circuit.state{,circuit.state=held_closed} 0",
        "circuit.transitions{,circuit.from=closed,circuit.to=open} 0",
        "circuit.transitions{,circuit.from=open,circuit.to=half_open} 0",
        "circuit.transitions{,circuit.from=half_open,circuit.to=open} 0",
        "circuit.transitions{,circuit.from=half_open,circuit.to=closed} 0",
        "circuit.open_time{} 0",
        "circuit.probes{} 0"
      ])
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
    }).pipe(observed())
  )

  both("calls by outcome, refusals, probes, changes of state and open time", () =>
    Effect.gen(function* () {
      const { begin, fail, interrupt, succeed, succeeds } = yield* make()
      yield* succeeds(3)
      yield* interrupt
      yield* fail
      yield* fail
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 4)
      yield* TestClock.adjust("8 seconds")
      const probe = yield* begin
      assert.strictEqual((yield* read)["circuit.in_flight{circuit.name=api}"], 1)
      yield* TestClock.adjust("1 second")
      yield* probe.end(Exit.succeed(1))
      yield* succeed
      yield* TestClock.adjust("1 minute")
      const { "circuit.duration{circuit.name=api,outcome=success}": success, ...others } = yield* some("circuit.")
      assert.strictEqual(typeof success === "object" && success.count, 5)
      assert.deepStrictEqual(
        Object.entries(others).filter(([, value]) => typeof value === "number"),
        Object.entries({
          "circuit.calls{circuit.name=api,outcome=success}": 5,
          "circuit.calls{circuit.name=api,outcome=failure}": 1,
          "circuit.calls{circuit.name=api,outcome=ignored}": 1,
          "circuit.refusals{circuit.name=api}": 1,
          "circuit.state{circuit.name=api,circuit.state=closed}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=open}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=open,circuit.to=half_open}": 1,
          "circuit.transitions{circuit.name=api,circuit.from=half_open,circuit.to=closed}": 1,
          "circuit.open_time{circuit.name=api}": 13,
          "circuit.probes{circuit.name=api}": 1
        })
      )
    }).pipe(observed())
  )

  it.effect("open time does not fall when a clock is set back", () =>
    Effect.gen(function* () {
      const { fail } = yield* make()
      yield* fail
      yield* TestClock.setTime(5000)
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 5)
      yield* TestClock.setTime(1000)
      assert.strictEqual((yield* read)["circuit.open_time{circuit.name=api}"], 5)
    }).pipe(observed())
  )

  it.effect("a hold is a state, and edges of operators appear when they are taken", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* CircuitBreaker.holdOpen(breaker, { by: "ada" })
      assert.deepStrictEqual(yield* some("circuit.state"), {
        "circuit.state{circuit.name=api,circuit.state=held_open}": 1
      })
      assert.deepStrictEqual(yield* some("circuit.transitions"), {
        "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=held_open}": 1
      })
    }).pipe(observed())
  )

  both("latency is counted in buckets by outcome, and that of other policies too", () =>
    Effect.gen(function* () {
      const { begin, fail } = yield* make({ trip: TripPolicy.slowCalls({ after: "3 seconds" }) })
      for (const millis of [5, 6, 3000, 11_000]) {
        const call = yield* begin
        yield* TestClock.adjust(millis)
        yield* call.end(Exit.succeed(1))
      }
      yield* fail
      const { buckets, count, max, min, sum } = yield* histogram("circuit.duration{circuit.name=api,outcome=success}")
      assert.deepStrictEqual(
        [count, min, max, sum, Object.fromEntries(buckets)],
        [4, 0.005, 11, 14.011, { 0.005: 1, 1: 2, 5: 3 }]
      )
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=failure}")).count, 1)
      assert.strictEqual((yield* read)["circuit.slow_calls{circuit.name=api}"], 2)
    }).pipe(observed({ buckets: [0.005, 1, 5] }))
  )

  it.effect("latency: a clock that is set back is no duration", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5000)
      const { begin } = yield* make()
      const call = yield* begin
      yield* TestClock.setTime(1000)
      yield* call.end(Exit.succeed(1))
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
    }).pipe(observed())
  )

  it.effect("latency: false leaves the breaker as it is, and all but the histogram", () =>
    Effect.gen(function* () {
      const { breaker, succeed } = yield* make()
      yield* succeed
      assert.isFalse(breaker.timed)
      assert.deepStrictEqual(yield* some("circuit.duration"), {})
      assert.deepStrictEqual(yield* some("circuit.calls"), { "circuit.calls{circuit.name=api,outcome=success}": 1 })
    }).pipe(observed({ latency: false }))
  )

  it.effect("a call whose start nobody noted has no latency", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1000)
      const { begin, breaker } = yield* make()
      const [success, failure] = [yield* begin, yield* begin]
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* TestClock.adjust("1 second")
      yield* success.end(Exit.succeed(1))
      yield* failure.end(Exit.fail("late"))
      assert.deepStrictEqual(breaker.main.inFlight, 0)
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 0)
      assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=failure}")).count, 0)
      assert.strictEqual((yield* read)["circuit.calls{circuit.name=api,outcome=failure}"], 1)
      yield* Scope.close(scope, Exit.void)
    }).pipe(ways[0]![1], Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )
})

describe("Telemetry of keys", () => {
  const use = (breaker: CircuitBreaker.CircuitBreaker, key: string, failing = false) =>
    Effect.exit(CircuitBreaker.protect(failing ? Effect.fail("boom") : Effect.succeed(1), breaker, { key }))

  it.effect("keys are counted with their breaker, and no key is a label", () =>
    Effect.gen(function* () {
      const { breaker, succeed } = yield* make()
      yield* succeed
      const before = Object.keys(yield* read).length
      for (let i = 0; i < 50; i++) yield* use(breaker, `key-${i}`, i < 10)
      const series = yield* read
      assert.strictEqual(Object.keys(series).length, before + 5)
      assert.isFalse(Object.keys(series).some((name) => name.includes("key-")))
      assert.deepStrictEqual(yield* some("circuit.calls"), {
        "circuit.calls{circuit.name=api,outcome=success}": 41,
        "circuit.calls{circuit.name=api,outcome=failure}": 10
      })
      assert.deepStrictEqual(yield* some("circuit.keys"), {
        "circuit.keys{circuit.name=api,circuit.state=closed}": 40,
        "circuit.keys{circuit.name=api,circuit.state=open}": 10
      })
    }).pipe(observed())
  )

  it.effect("counters and open time do not fall when keys are forgotten", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 10, idleFor: "1 minute" } })
      let calls = 0
      let open = 0
      for (let i = 0; i < 100; i++) {
        yield* use(breaker, `key-${i}`, i % 3 === 0)
        yield* TestClock.adjust("10 seconds")
        const series = yield* read
        const sum =
          Number(series["circuit.calls{circuit.name=api,outcome=success}"]) +
          Number(series["circuit.calls{circuit.name=api,outcome=failure}"])
        const time = Number(series["circuit.open_time{circuit.name=api}"])
        assert.strictEqual(sum, ++calls)
        assert.isAtLeast(time, open)
        open = time
      }
      assert.isBelow(breaker.circuits().length, 40)
      assert.isAbove(open, 300)
    }).pipe(observed())
  )

  it.effect("asked for, keys have series up to the limit, which go away with their circuit", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ keys: { max: 2, idleFor: "1 minute" } })
      const labels = Effect.map(read, (series) => [
        ...new Set(Object.keys(series).flatMap((name) => /circuit\.key=([^,}]*)/.exec(name)?.[1] ?? []))
      ])
      yield* use(breaker, "a")
      yield* use(breaker, "b", true)
      yield* use(breaker, "b")
      assert.deepStrictEqual(yield* labels, ["a"])
      yield* use(breaker, "c")
      yield* use(breaker, "d")
      assert.deepStrictEqual(yield* labels, ["d"])
      assert.deepStrictEqual(yield* some("circuit.key."), {
        "circuit.key.calls{circuit.name=api,circuit.key=d,outcome=success}": 1,
        "circuit.key.state{circuit.name=api,circuit.key=d,circuit.state=closed}": 1
      })
    }).pipe(observed({ keys: { api: 1 } }))
  )
})

describe("Telemetry comes and goes", () => {
  it.effect("keys that are there before it have series too", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* Effect.succeed(1).pipe(CircuitBreaker.protect(breaker, { key: "a" }))
      yield* Layer.build(Telemetry.layer({ keys: { api: 1 } }))
      assert.deepInclude(yield* read, {
        "circuit.keys{circuit.name=api,circuit.state=closed}": 1,
        "circuit.key.calls{circuit.name=api,circuit.key=a,outcome=success}": 1
      })
    }).pipe(Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )

  it.effect("series are those of the breakers that are registered", () =>
    Effect.gen(function* () {
      const before = Object.keys(yield* read)
      const scope = yield* Scope.make()
      const breaker = yield* CircuitBreaker.make("short", quick).pipe(Effect.provideService(Scope.Scope, scope))
      yield* CircuitBreaker.protect(Effect.fail("boom"), breaker, { key: "a" }).pipe(Effect.exit)
      yield* CircuitBreaker.holdOpen(breaker)
      assert.isTrue(Object.keys(yield* read).some((name) => name.includes("short")))
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(Object.keys(yield* read), before)
      yield* CircuitBreaker.make("short", quick)
      assert.isTrue(Object.keys(yield* read).some((name) => name.includes("short")))
    }).pipe(observed({ keys: { short: 10 } }))
  )

  it.effect("not provided: no metric, no observer, no measured time; the same when its scope has closed", () =>
    Effect.gen(function* () {
      const { breaker, fail, succeed } = yield* make({ trip: TripPolicy.consecutive(9) })
      const traffic = Effect.all([
        succeed,
        fail,
        Effect.fail("boom").pipe(
          Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }),
          Fallback.orElseSucceed(() => 1)
        )
      ])
      yield* traffic
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual([breaker.observer, breaker.timed], [undefined, false])
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* Effect.provide(traffic, context)
      assert.strictEqual((yield* read)["retry.retries{}"], 1)
      assert.deepStrictEqual([breaker.observer === undefined, breaker.timed], [false, true])
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual([breaker.observer, breaker.timed], [undefined, false])
      const { watchers } = yield* CircuitBreakers.CircuitBreakers
      // The one listener is the registry of breakers.
      assert.deepStrictEqual([breaker.listeners.size, watchers.size], [1, 0])
    }).pipe(Effect.provide(Layer.merge(CircuitBreakers.layer, registry())))
  )
})

class Down extends Data.TaggedError("Down") {}

describe("Telemetry of policies", () => {
  const failing = Effect.fail(new Down())

  it.effect("failed attempts, retries and what ran out", () =>
    Effect.gen(function* () {
      const retry = { maxAttempts: 3, backoff: Backoff.constant(0) }
      yield* failing.pipe(Retry.retry(retry), Effect.exit)
      yield* failing.pipe(Retry.retryOrExhausted({ ...retry, while: () => false }), Effect.exit)
      yield* Effect.succeed(1).pipe(Retry.retryUntil({ ...retry, until: (n) => n > 1 }), Effect.exit)
      yield* Effect.succeed(1).pipe(Retry.retry(retry))
      assert.deepStrictEqual(yield* some("retry."), {
        "retry.failed_attempts{}": 7,
        "retry.retries{}": 4,
        "retry.exhausted{reason=attempts}": 2
      })
      assert.strictEqual((yield* read)["retry.exhausted{reason=schedule}"], 0)
    }).pipe(observed())
  )

  it.effect("attributes of the fiber are those of its retries", () =>
    Effect.gen(function* () {
      yield* failing.pipe(
        Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }),
        Effect.exit,
        Effect.provideService(Metric.CurrentMetricAttributes, { call: "charge" })
      )
      assert.strictEqual((yield* read)["retry.retries{call=charge}"], 1)
    }).pipe(observed())
  )

  it.live("deadlines that passed, by operation", () =>
    Effect.gen(function* () {
      yield* Effect.never.pipe(Timeout.timeout("1 millis", { operation: "report" }), Effect.exit)
      yield* Effect.never.pipe(Timeout.orElseSucceed("1 millis", () => 1))
      yield* Effect.succeed(1).pipe(Timeout.timeout("1 minute", { operation: "quick" }))
      assert.deepStrictEqual(yield* some("timeout."), {
        "timeout.expired{operation=report}": 1,
        "timeout.expired{operation=unnamed}": 1
      })
    }).pipe(observed())
  )

  it.effect("what served in place of the first source, and chains with nothing left", () =>
    Effect.gen(function* () {
      const sources = [Fallback.source("cache", failing), Fallback.source("disk", Effect.succeed(1))] as const
      yield* failing.pipe(Fallback.chainTo(sources))
      yield* failing.pipe(Fallback.orElseSucceed(() => 1))
      yield* Effect.succeed(1).pipe(Fallback.chainTo(sources))
      yield* Fallback.chain([Fallback.source("cache", failing)]).pipe(Effect.exit)
      assert.deepStrictEqual(yield* some("fallback."), {
        "fallback.exhausted{}": 1,
        "fallback.served{source=disk}": 1,
        "fallback.served{source=fallback}": 1
      })
    }).pipe(observed())
  )

  it.effect("further values of a label than allowed are other", () =>
    Effect.gen(function* () {
      for (let i = 0; i < 20; i++) {
        yield* failing.pipe(Fallback.orElseSucceed(() => 1, { source: `source-${i % 10}` }))
      }
      assert.deepStrictEqual(yield* some("fallback."), {
        "fallback.served{source=source-0}": 2,
        "fallback.served{source=source-1}": 2,
        "fallback.served{source=other}": 16
      })
    }).pipe(observed({ maxValues: 2 }))
  )

  it.effect("maxValues leaves the reasons of retries as they are", () =>
    Effect.gen(function* () {
      yield* failing.pipe(Retry.retry({ maxElapsed: "1 second", backoff: Backoff.constant("2 seconds") }), Effect.exit)
      assert.strictEqual((yield* read)["retry.exhausted{reason=elapsed}"], 1)
    }).pipe(observed({ maxValues: 1 }))
  )
})

describe("Telemetry of spans", () => {
  it.effect("refusals and retries are events, and no span is made", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make()
      yield* TestClock.setTime(5000)
      yield* fail
      const refused = yield* traced(Effect.succeed(1).pipe(CircuitBreaker.protect(breaker)))
      assert.deepStrictEqual(refused, {
        attributes: { "circuit.name": "api", "circuit.state": "open" },
        events: [
          [
            "resilience.circuit.refused",
            {
              "circuit.name": "api",
              "circuit.state": "open",
              "circuit.since": 5000,
              "circuit.reason": "1 consecutive failure, the last with boom",
              "circuit.retry_after": 10
            }
          ]
        ]
      })
      const retried = yield* traced(
        Effect.fail("boom").pipe(
          Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }),
          Fallback.orElseSucceed(() => 1, { source: "cache" })
        )
      )
      assert.deepStrictEqual(retried, {
        attributes: { "resilience.retry.attempts": 2, "resilience.fallback.source": "cache" },
        events: [
          ["resilience.retry", { "retry.attempt": 2, "retry.delay": 0 }],
          ["resilience.retry.exhausted", { "retry.attempts": 2, "retry.reason": "attempts" }]
        ]
      })
    }).pipe(observed())
  )

  it.effect("a refusal of a held circuit says by whom, and one of a dry run says nothing", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make()
      yield* CircuitBreaker.holdOpen(breaker, { by: "ada", reason: "maintenance" })
      const { events } = yield* traced(Effect.succeed(1).pipe(CircuitBreaker.protect(breaker, { key: "a" })))
      assert.deepInclude(events?.[0]?.[1], { "circuit.by": "ada", "circuit.reason": "maintenance" })
      const dry = yield* CircuitBreaker.make("dry", { ...quick, dryRun: true })
      yield* CircuitBreaker.holdOpen(dry)
      assert.deepStrictEqual((yield* traced(Effect.succeed(1).pipe(CircuitBreaker.protect(dry)))).events, [])
    }).pipe(observed())
  )

  it.effect("a span that is not sampled or has ended is left alone", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make()
      yield* fail
      const call = Effect.succeed(1).pipe(CircuitBreaker.protect(breaker), Effect.exit)
      const options = {
        name: "span",
        parent: Option.none(),
        annotations: Context.empty(),
        links: [] as Array<Tracer.SpanLink>,
        startTime: 0n,
        kind: "internal" as const
      }
      const [unsampled, ended] = [new Span({ ...options, sampled: false }), new Span({ ...options, sampled: true })]
      ended.end(1n, Exit.void)
      for (const span of [unsampled, ended]) {
        yield* Effect.provideService(call, Tracer.ParentSpan, span)
        assert.deepStrictEqual([span.seen, span.attributes.size], [[], 0])
      }
    }).pipe(observed())
  )

  it.effect("spans: false leaves them as they are", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make()
      yield* fail
      const { attributes, events } = yield* traced(
        Effect.succeed(1).pipe(CircuitBreaker.protect(breaker), Retry.retry({ retryRefusals: true, maxAttempts: 1 }))
      )
      assert.deepStrictEqual([attributes, events], [{}, []])
    }).pipe(observed({ spans: false }))
  )
})

describe("Telemetry of several layers", () => {
  const metricsOf = (map: Metric.MetricRegistry) => Layer.succeed(Metric.MetricRegistry, map)
  const refuse = (breaker: CircuitBreaker.CircuitBreaker) =>
    Effect.succeed(1).pipe(CircuitBreaker.protect(breaker), Effect.exit)
  const retry = Effect.fail("boom").pipe(Retry.retry({ maxAttempts: 2, backoff: Backoff.constant(0) }), Effect.exit)
  /** A layer within another one, as those of a library and its app are. Each is ended by its scope. */
  const nested = <R>(outer: Layer.Layer<never, never, R>, inner: Layer.Layer<never, never, R>) =>
    Effect.gen(function* () {
      const test = yield* Effect.scope
      const scopes = { outer: yield* Scope.fork(test), inner: yield* Scope.fork(test) }
      const around = yield* Layer.buildWithScope(outer, scopes.outer)
      const within = yield* Effect.provide(Layer.buildWithScope(inner, scopes.inner), around)
      return { around, within, scopes }
    })
  const alone = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => Effect.provide(effect, Layer.merge(CircuitBreakers.layer, registry())))

  it.effect("one registry of metrics counts each event once, and each is one event of the span", () =>
    Effect.gen(function* () {
      const { breaker, fail } = yield* make()
      const { within } = yield* nested(Telemetry.layer(), Telemetry.layer())
      yield* fail
      const { events } = yield* traced(Effect.andThen(refuse(breaker), retry)).pipe(Effect.provide(within))
      assert.deepStrictEqual(
        events?.map(([name]) => name),
        ["resilience.circuit.refused", "resilience.retry", "resilience.retry.exhausted"]
      )
      const { "circuit.duration{circuit.name=api,outcome=failure}": failure, ...others } = yield* some("")
      assert.strictEqual(typeof failure === "object" && failure.count, 1)
      assert.deepInclude(others, {
        "circuit.calls{circuit.name=api,outcome=failure}": 1,
        "circuit.refusals{circuit.name=api}": 1,
        "circuit.transitions{circuit.name=api,circuit.from=closed,circuit.to=open}": 1,
        "retry.failed_attempts{}": 2,
        "retry.retries{}": 1,
        "retry.exhausted{reason=attempts}": 1
      })
    }).pipe(alone)
  )

  for (const [first, last] of [
    ["outer", "inner"],
    ["inner", "outer"]
  ] as const) {
    it.effect(`the ${first} one ends: series and counts stay until the other one does`, () =>
      Effect.gen(function* () {
        const { breaker, fail, succeed } = yield* make()
        yield* fail
        const { around, scopes, within } = yield* nested(Telemetry.layer(), Telemetry.layer())
        yield* TestClock.adjust("10 seconds")
        yield* succeed
        yield* Effect.provide(retry, within)
        const before = yield* read
        assert.deepInclude(before, {
          "circuit.transitions{circuit.name=api,circuit.from=half_open,circuit.to=closed}": 1,
          "circuit.open_time{circuit.name=api}": 10,
          "retry.retries{}": 1
        })
        yield* Scope.close(scopes[first], Exit.void)
        assert.deepStrictEqual(yield* read, before)
        yield* succeed
        yield* Effect.provide(retry, first === "outer" ? within : around)
        assert.strictEqual((yield* read)["retry.retries{}"], 2)
        assert.strictEqual((yield* histogram("circuit.duration{circuit.name=api,outcome=success}")).count, 2)
        yield* Scope.close(scopes[last], Exit.void)
        assert.deepStrictEqual([yield* read, breaker.observer, breaker.timed], [{}, undefined, false])
      }).pipe(alone)
    )
  }

  it.effect("two registries of metrics both have all, and each is one event of the span", () =>
    Effect.gen(function* () {
      const maps: readonly [Metric.MetricRegistry, Metric.MetricRegistry] = [new Map(), new Map()]
      const { breaker, fail } = yield* make()
      const { within } = yield* nested(
        Layer.provide(Telemetry.layer(), metricsOf(maps[0])),
        Layer.provide(Telemetry.layer(), metricsOf(maps[1]))
      )
      yield* fail
      const { events } = yield* traced(Effect.andThen(refuse(breaker), retry)).pipe(Effect.provide(within))
      assert.strictEqual(events?.length, 3)
      const [one, two] = yield* Effect.forEach(maps, (map) => Effect.provide(read, metricsOf(map)))
      assert.deepStrictEqual(one, two)
      assert.deepInclude(one, {
        "circuit.refusals{circuit.name=api}": 1,
        "retry.retries{}": 1,
        "retry.exhausted{reason=attempts}": 1
      })
      assert.strictEqual(
        (yield* histogram("circuit.duration{circuit.name=api,outcome=failure}").pipe(
          Effect.provide(metricsOf(maps[0]))
        )).count,
        1
      )
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("latency, spans and keys are there if one asks for them, until that one ends", () =>
    Effect.gen(function* () {
      const { breaker, fail, succeed } = yield* make({ trip: TripPolicy.consecutive(9) })
      const { scopes } = yield* nested(
        Telemetry.layer({ latency: false, spans: false }),
        Telemetry.layer({ keys: { api: 5 } })
      )
      yield* succeed
      yield* fail
      yield* CircuitBreaker.protect(Effect.succeed(1), breaker, { key: "a" })
      yield* CircuitBreaker.holdOpen(breaker)
      const seen = (name: string) => Effect.map(some(name), (series) => Object.keys(series).length > 0)
      const events = Effect.map(traced(refuse(breaker)), (span) => span.events?.length)
      assert.deepStrictEqual(
        [yield* seen("circuit.duration"), yield* seen("circuit.key."), yield* events, breaker.timed],
        [true, true, 1, true]
      )
      yield* Scope.close(scopes.inner, Exit.void)
      assert.deepStrictEqual(
        [yield* seen("circuit.duration"), yield* seen("circuit.key."), yield* events, breaker.timed],
        [false, false, 0, false]
      )
      assert.strictEqual((yield* read)["circuit.calls{circuit.name=api,outcome=success}"], 2)
    }).pipe(alone)
  )

  it.effect("checks and a store are shown once, until the last one ends", () =>
    Effect.gen(function* () {
      yield* Health.report
      const { scopes } = yield* nested(
        Telemetry.layer(),
        Layer.provide(Telemetry.layer(), Layer.effectDiscard(Effect.orDie(Health.run("a", { fresh: true }))))
      )
      const before = yield* read
      const { count } = yield* histogram("health.check.duration{check=a}")
      assert.deepStrictEqual([count, before["store.reachable{}"]], [2, 1])
      yield* Scope.close(scopes.outer, Exit.void)
      assert.deepStrictEqual(yield* read, before)
      yield* Scope.close(scopes.inner, Exit.void)
      assert.deepStrictEqual([yield* read, (yield* Health.Health).watchers.size], [{}, 0])
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          Health.layer({ checks: { a: Health.check(Effect.succeed(1)) } }),
          Layer.succeed(CircuitStore.CircuitStore, CircuitStore.local),
          registry()
        )
      )
    )
  )

  it.effect("of two breakers of one name the later is shown, and the earlier when that has left", () =>
    Effect.gen(function* () {
      const app = Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithMemoMap(
          Layer.provideMerge(Telemetry.layer(), CircuitBreakers.layer),
          Layer.makeMemoMapUnsafe(),
          scope
        )
        const { succeeds } = yield* make().pipe(Effect.provide(context), Effect.provideService(Scope.Scope, scope))
        return { scope, succeeds }
      })
      const [earlier, later] = [yield* app, yield* app]
      yield* earlier.succeeds(3)
      yield* later.succeeds(5)
      const successes = Effect.map(read, (series) => series["circuit.calls{circuit.name=api,outcome=success}"])
      assert.strictEqual(yield* successes, 5)
      yield* Scope.close(later.scope, Exit.void)
      assert.strictEqual(yield* successes, 3)
      yield* Scope.close(earlier.scope, Exit.void)
      assert.deepStrictEqual(yield* read, {})
    }).pipe(Effect.provide(registry()))
  )

  it.effect("retries go to the registry and have the attributes that the layer was built with, and leave with it", () =>
    Effect.gen(function* () {
      const map: Metric.MetricRegistry = new Map()
      const attributes = Effect.provideService(Metric.CurrentMetricAttributes, { service: "shop" })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Layer.provide(Telemetry.layer(), metricsOf(map)), scope).pipe(
        attributes
      )
      yield* retry.pipe(Effect.provide(context))
      yield* retry.pipe(
        Effect.provide(context),
        Effect.provideService(Metric.CurrentMetricAttributes, { call: "charge" })
      )
      yield* retry.pipe(Effect.provide(context))
      assert.deepStrictEqual(yield* read, {})
      assert.deepStrictEqual(yield* some("retry.retries").pipe(Effect.provide(metricsOf(map))), {
        "retry.retries{service=shop}": 2,
        "retry.retries{service=shop,call=charge}": 1
      })
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(map.size, 0)
    }).pipe(Effect.provide(registry()))
  )

  it.effect("a call that goes on after the end begins no series", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scope)
      yield* Scope.close(scope, Exit.void)
      yield* retry.pipe(Effect.provide(context))
      yield* Effect.fail("down").pipe(
        Fallback.orElseSucceed(() => 1, { source: "cache" }),
        Effect.provide(context)
      )
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("calls with the attributes of another layer are counted on when that one ends", () =>
    Effect.gen(function* () {
      const attributes = Effect.provideService(Metric.CurrentMetricAttributes, { region: "eu" })
      const scopes = { own: yield* Scope.make(), other: yield* Scope.make() }
      const context = yield* Layer.buildWithScope(Telemetry.layer(), scopes.own)
      yield* attributes(Layer.buildWithScope(Telemetry.layer(), scopes.other))
      const call = retry.pipe(Effect.provide(context), attributes)
      const retries = Effect.map(read, (series) => series["retry.retries{region=eu}"])
      yield* call
      yield* Scope.close(scopes.other, Exit.void)
      assert.strictEqual(yield* retries, 1)
      yield* call
      assert.strictEqual(yield* retries, 2)
      yield* Scope.close(scopes.own, Exit.void)
      assert.deepStrictEqual(yield* read, {})
    }).pipe(alone)
  )

  it.effect("an observer that the layer finds goes on to be told", () =>
    Effect.gen(function* () {
      const told: Array<string> = []
      const own = {
        attemptFailed: () => void told.push("attemptFailed"),
        retried: (...args: ReadonlyArray<unknown>) => void told.push(`retried ${args.join()}`),
        exhausted: (...args: ReadonlyArray<unknown>) => void told.push(`exhausted ${args.join()}`),
        timedOut: (...args: ReadonlyArray<unknown>) => void told.push(`timedOut ${args.join()}`),
        served: (...args: ReadonlyArray<unknown>) => void told.push(`served ${args.join()}`),
        allFailed: () => void told.push("allFailed")
      }
      yield* Effect.all([
        retry,
        Fallback.chain([Fallback.source("one", Effect.fail("down"))]).pipe(Effect.exit),
        Effect.fail("down").pipe(Fallback.orElseSucceed(() => 1, { source: "cache" })),
        TestClock.withLive(Effect.never.pipe(Timeout.timeout("1 millis", { operation: "report" }), Effect.exit))
      ]).pipe(observed(), Effect.provideService(PolicyObserver.PolicyObserver, own))
      assert.deepStrictEqual(told, [
        "attemptFailed",
        "retried 2,0",
        "attemptFailed",
        "exhausted 2,attempts",
        "allFailed",
        "served cache",
        "timedOut report"
      ])
    })
  )
})

describe("Telemetry of health and stores", () => {
  it.effect("status and latency of the checks that have a result", () =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      assert.deepStrictEqual(yield* some("health."), {})
      const slow = Effect.as(Effect.sleep("2 seconds"), 1)
      const scope = yield* Scope.make()
      yield* Health.register("late", Health.check(Effect.fail("down"))).pipe(Effect.provideService(Scope.Scope, scope))
      yield* health.register("slow", Health.check(slow))
      const report = yield* Effect.forkChild(Health.report)
      yield* TestClock.adjust("2 seconds")
      yield* Effect.yieldNow
      report.pollUnsafe()
      const gauges = (series: Record<string, Value>) => Object.keys(series).filter((name) => name.includes("status"))
      assert.deepStrictEqual(gauges(yield* some("health.")).sort(), [
        "health.check.status{check=late,status=unhealthy}",
        "health.check.status{check=slow,status=healthy}"
      ])
      const { count, sum } = yield* histogram("health.check.duration{check=slow}")
      assert.deepStrictEqual([count, sum], [1, 2])
      yield* Health.run("late", { fresh: true })
      assert.strictEqual((yield* histogram("health.check.duration{check=late}")).count, 2)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(gauges(yield* some("health.")), ["health.check.status{check=slow,status=healthy}"])
    }).pipe(Effect.provide(Telemetry.layer().pipe(Layer.provideMerge(Health.layer()), Layer.provideMerge(registry()))))
  )

  it.effect("further checks than allowed have no series, and nobody is called after the end", () =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Telemetry.layer({ maxValues: 1 }), scope)
      yield* Health.report
      assert.deepStrictEqual(
        Object.keys(yield* some("health.")).filter((name) => name.includes("status")),
        ["health.check.status{check=a,status=healthy}"]
      )
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual([yield* some("health."), health.watchers.size], [{}, 0])
    }).pipe(
      Effect.provide(
        Layer.merge(
          Health.layer({ checks: { a: Health.check(Effect.succeed(1)), b: Health.check(Effect.succeed(1)) } }),
          registry()
        )
      )
    )
  )

  it.effect("a store that cannot tell at once is shown as it was", () => {
    let status: CircuitStore.CircuitStore["Service"]["status"] = CircuitStore.local.status
    const store = { ...CircuitStore.local, status: Effect.suspend(() => status) }
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* some("store."), { "store.reachable{}": 1 })
      status = Effect.never
      assert.deepStrictEqual(yield* some("store."), { "store.reachable{}": 1 })
    }).pipe(
      Effect.provide(
        Telemetry.layer().pipe(
          Layer.provideMerge(Layer.succeed(CircuitStore.CircuitStore, store)),
          Layer.provideMerge(registry())
        )
      )
    )
  })

  it.effect("operations, errors and how long a store has been away", () => {
    let status: CircuitStore.Status = {
      shared: true,
      reachable: true,
      since: 0,
      pending: 0,
      operations: 7,
      errors: 0,
      lastError: undefined
    }
    const store = { ...CircuitStore.local, status: Effect.suspend(() => Effect.succeed(status)) }
    return Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* some("store."), { "store.operations{}": 7, "store.reachable{}": 1 })
      status = { ...status, reachable: false, since: 45_000, operations: 9, errors: 2, pending: 3 }
      assert.deepStrictEqual(yield* some("store."), {
        "store.operations{}": 9,
        "store.errors{}": 2,
        "store.pending{}": 3,
        "store.lag{}": 15
      })
    }).pipe(
      Effect.provide(
        Telemetry.layer().pipe(
          Layer.provideMerge(Layer.succeed(CircuitStore.CircuitStore, store)),
          Layer.provideMerge(registry())
        )
      )
    )
  })
})

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
