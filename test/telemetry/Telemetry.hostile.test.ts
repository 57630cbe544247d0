// Names, keys and errors that somebody else chose: what they do to the text and the number of series.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { make, observed } from "../support/telemetry.ts"

const text = PrometheusMetrics.format({ metricNameMapper: Telemetry.prometheusName })
const series = Effect.map(text, (said) => said.split("\n").filter((line) => line !== "" && !line.startsWith("#")))

/** A line of the text format: a name, labels whose quotes, backslashes and breaks are escaped, a number. */
const line = /^[a-z_:][\w:]*(?:\{[a-z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]\w*="(?:[^"\\\n]|\\["\\n])*")*\})? \S+$/i

describe("Telemetry of hostile texts", () => {
  const evil = 'pay"} 1\nforged{a="b"} 2\\'

  it.effect("a label ends where it should, whatever is in it", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make(evil, { log: false })
      yield* Effect.ignore(CircuitBreaker.protect(Effect.fail({ _tag: evil }), breaker, { key: evil }))
      const lines = yield* series
      assert.isTrue(lines.some((line) => line.includes('pay\\"} 1\\nforged{a=\\"b\\"} 2\\\\')))
      for (const each of lines) assert.match(each, line)
      assert.isFalse(lines.some((each) => each.startsWith("forged")))
    }).pipe(observed({ keys: { [evil]: 5 } }))
  )

  it.effect("thousands of keys and of kinds of errors make no more series", () =>
    Effect.gen(function* () {
      const { breaker } = yield* make({ log: false, keys: { max: 5000 } })
      const fail = (i: number) =>
        Effect.ignore(CircuitBreaker.protect(Effect.fail({ _tag: `Error${i}` }), breaker, { key: `key ${i}` }))
      for (let i = 0; i < 10; i++) yield* fail(i)
      const few = (yield* series).length
      for (let i = 10; i < 3000; i++) yield* fail(i)
      const lines = yield* series
      assert.isBelow(lines.length, few + 50)
      assert.isFalse(lines.some((line) => line.includes("key ")))
    }).pipe(observed())
  )
})
