import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Effect, Exit, Metric, Option, Tracer } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import { quick } from "../support/circuits.ts"
import { make, observed, read, some, Span, traced } from "../support/telemetry.ts"

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
              "circuit.reason": "1 consecutive failure",
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
