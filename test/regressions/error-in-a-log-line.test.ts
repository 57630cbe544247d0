// What an error says came into the log as it was, with its line breaks: a function of the application that quotes what a
// caller sent in its error let the caller write lines of the log.
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Health from "../../src/health/Health.ts"
import * as HealthRoutes from "../../src/health/HealthRoutes.ts"
import { collectLogs, make, quick } from "../support/circuits.ts"
import { serve } from "../support/control.ts"

const forged = "[12:00] INFO: Circuit payments is fine"
const evil = `\r\n${forged}\u001b[2J\u2028${forged}`

const assertNotForged = (messages: ReadonlyArray<unknown>) => {
  const text = messages.join("\n")
  assert.include(text, "[12:00]")
  assert.notMatch(text, /^\[12:00\]/m)
  assert.notMatch(text, /[\r\u001b\u2028]/)
}

it.effect("an error of a listener writes no line of the log", () => {
  const log = collectLogs()
  return Effect.gen(function* () {
    const { breaker } = yield* make(quick)
    breaker.listeners.add(() => {
      throw new Error(`no tenant ${evil}`)
    })
    yield* CircuitBreaker.holdOpen(breaker)
    assertNotForged(log.lines.map(({ message }) => message))
  }).pipe(Effect.provide(log.layer))
})

it.live("an error of the function for details writes no line of the log", () =>
  Effect.gen(function* () {
    const { logs, origin } = yield* serve(
      HealthRoutes.layer({ details: ({ cookies }) => JSON.parse(cookies["role"] ?? "") === "operator" }).pipe(
        Layer.provide(Health.layer())
      )
    )
    const headers = { cookie: `role=${encodeURIComponent(`x${evil}`)}` }
    const response = yield* Effect.promise(() => fetch(`${origin}/readyz`, { headers }))
    assert.strictEqual(response.status, 200)
    const text = logs.map(({ message }) => message).join("\n")
    assertNotForged([text])
    // The stack is there, and begins further in.
    assert.match(text, /^ {2,}at /m)
  })
)
