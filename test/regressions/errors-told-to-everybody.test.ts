/**
 * What an error said was baked into the reason of a state, and so told to all who
 * may see the state: readers of an open control plane, other callers of the
 * circuit, rows of tables and all who listen to them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Logger, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as Health from "../../src/health/Health.ts"
import * as HealthRoutes from "../../src/health/HealthRoutes.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import { quick } from "../support/circuits.ts"
import { secret, serve } from "../support/control.ts"
import * as MemoryTable from "../support/memory-table.ts"
import { observed, read, traced } from "../support/telemetry.ts"

const password = "hunter2"
const personal = "customer 4711"
const told = `connect postgres://app:${password}@10.0.0.7/pay failed for ${personal}`
const failing = Effect.fail(new Error(told))

const hides = (text: string, parts: ReadonlyArray<string>) => {
  for (const part of parts) assert.notInclude(text, part)
}

/** Reads events until one says that a circuit changed, while `act` changes it. */
const events = (url: string, headers: Record<string, string>, act: Effect.Effect<unknown>) =>
  Effect.promise(async (signal) => {
    const { body } = await fetch(url, { headers, signal })
    const reader = (body ?? assert.fail("no body")).pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    while (!text.includes("event: update")) {
      const { done, value } = await reader.read()
      if (done) break
      if (!text.includes("event: snapshot") && value.includes("event: snapshot")) await Effect.runPromise(act)
      text += value
    }
    await reader.cancel()
    for (const name of ["snapshot", "change", "update"]) assert.include(text, `event: ${name}`)
    return text
  })

const routes = [
  "/resilience",
  "/resilience/circuits",
  "/resilience/circuit?name=payments",
  "/resilience/circuit?name=payments&key=eu",
  "/resilience/changes",
  "/resilience/health",
  "/resilience/policies",
  "/resilience/openapi.json",
  "/livez?verbose",
  "/readyz?verbose",
  "/health"
]

/** Returns all that a control plane and health routes say, as one text. */
const everything = (options: ControlPlane.TokenOptions, details: boolean) =>
  Effect.gen(function* () {
    const checks = {
      database: Health.check(failing),
      address: Health.check(Effect.succeed({ told })),
      queue: Health.check(Effect.succeed(Health.degraded(told)))
    }
    const layers = Layer.mergeAll(
      ControlPlane.layer({ updates: "50 millis", ...options }),
      HealthRoutes.layer({ details })
    )
    const { breaker, origin } = yield* serve(Layer.provide(layers, Health.layer({ checks })))
    const payments = yield* breaker("payments", quick)
    const fail = (key?: string) => Effect.exit(failing.pipe(CircuitBreaker.protect(payments, { key })))
    yield* fail()
    yield* fail("eu")
    const headers = { authorization: `Bearer ${secret}` }
    const bodies = yield* Effect.forEach(routes, (path) =>
      Effect.promise(() => fetch(`${origin}${path}`, { headers }).then((response) => response.text()))
    )
    return [...bodies, yield* events(`${origin}/resilience/events`, headers, fail("us"))].join("\n")
  })

const token = Redacted.make(secret)

describe("what an error said", () => {
  const open: ReadonlyArray<readonly [name: string, options: ControlPlane.TokenOptions]> = [
    ["without a token", {}],
    ["with a token for changes only", { token, reading: "open" }],
    ["with a token, and no details", { token, details: false }]
  ]
  for (const [name, options] of open) {
    it.live(`is in no byte of a control plane ${name}`, () =>
      Effect.gen(function* () {
        const text = yield* everything(options, false)
        assert.include(text, "1 consecutive failure")
        hides(text, [password, personal, "10.0.0.7"])
      })
    )
  }

  it.live("is without credentials for readers who may read details", () =>
    Effect.gen(function* () {
      const text = yield* everything({ token }, true)
      for (const part of ["1 consecutive failure", personal, "10.0.0.7"]) assert.include(text, part)
      hides(text, [password])
    })
  )

  it.effect("is in no refusal, whichever way that is shown", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments", quick)
      const call = CircuitBreaker.protect(failing, breaker)
      yield* Effect.exit(call)
      const error = yield* Effect.flip(call)
      assert.instanceOf(error, CircuitBreaker.CircuitOpenError)
      const cause = Cause.fail(error)
      const shown = [error.message, String(error), inspect(error), JSON.stringify(error), Cause.pretty(cause)]
      assert.include(shown.join("\n"), "1 consecutive failure")
      hides(shown.join("\n"), [password, personal])
    })
  )

  it.effect("is in the log of the process that saw it, without credentials", () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>(({ fiber, message }) => {
      lines.push(inspect([message, fiber.getRef(References.CurrentLogAnnotations)]))
    })
    return Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("payments", { ...quick, log: true })
      yield* Effect.exit(CircuitBreaker.protect(failing, breaker))
      assert.include(lines.join("\n"), personal)
      hides(lines.join("\n"), [password])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  it.effect("is in no metric, and in no span of a refusal", () =>
    observed()(
      Effect.gen(function* () {
        const breaker = yield* CircuitBreaker.make("payments", quick)
        const call = CircuitBreaker.protect(failing, breaker)
        yield* Effect.exit(call)
        const span = yield* traced(call)
        assert.include(inspect(span, { depth: 9 }), "1 consecutive failure")
        hides(inspect([span, yield* read], { depth: 9 }), [password, personal])
      })
    )
  )

  for (const details of [false, true]) {
    it.effect(`is ${details ? "without credentials" : "not"} in a row, where details are ${String(details)}`, () =>
      Effect.gen(function* () {
        const { rows, table } = MemoryTable.make()
        yield* Effect.gen(function* () {
          const breaker = yield* CircuitBreaker.makeShared("payments", quick)
          yield* Effect.exit(CircuitBreaker.protect(failing, breaker))
          yield* TestClock.adjust("1 second")
          const { state } = yield* CircuitBreaker.status(breaker)
          assert.deepInclude(state, { reason: "1 consecutive failure", cause: shown }, "the view of who saw it")
        }).pipe(Effect.provide(CircuitStoreTable.layer(Effect.succeed(table), { details })))
        const row = rows.get("payments") ?? assert.fail("no row")
        assert.include(row.data, "1 consecutive failure")
        if (details) assert.include(row.data, personal)
        hides(JSON.stringify(row), details ? [password] : [password, personal])
      }).pipe(Effect.scoped)
    )
  }

  it("is told apart from the rule in rows of version 0.1", () => {
    const state = { _tag: "Open", generation: 1, since: 5, openings: 1, openMillis: 200 }
    const rows: ReadonlyArray<readonly [reason: string, rule: string, cause: string | undefined]> = [
      ["5 consecutive failures", "5 consecutive failures", undefined],
      ["5 consecutive failures, the last with Error: a, with b", "5 consecutive failures", "Error: a, with b"],
      ["a failed probe, with boom", "a failed probe", "boom"],
      ["a slow probe", "a slow probe", undefined]
    ]
    for (const [reason, rule, cause] of rows) {
      const read = CircuitTable.decode(JSON.stringify({ state: { ...state, reason }, operation: "x" }))?.state
      assert.deepStrictEqual(read, {
        ...state,
        reason: rule,
        ...(cause === undefined ? undefined : { cause })
      } as never)
    }
  })
})

const shown = `Error: connect postgres://***@10.0.0.7/pay failed for ${personal}`
