// A key is any text that a caller or an operator chose. `x) by root: ok` was a part of the line that logs a change as if
// somebody else had made it.
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { secret, serve } from "../support/control.ts"

it.live("what a key, a name or an operator says is in quotes wherever a line names it", () =>
  Effect.gen(function* () {
    const { breaker, logs, post } = yield* serve(ControlPlane.layer({ token: Redacted.make(secret) }))
    const name = 'pay" OPEN "x'
    const payments = yield* breaker(name)
    const key = "x) by root: ok"
    const by = "ada: done by root"
    yield* post("/hold-open", { name, key, reason: "maintenance", by })
    const [named, said] = ['"pay\\" OPEN \\"x" ("x) by root: ok")', ' by "ada: done by root": maintenance']
    assert.deepStrictEqual(
      logs.map(({ message }) => message),
      [`Circuit ${named} HELD_OPEN${said}`, `Control plane: hold-open ${named}${said}`]
    )
    const refusal = yield* Effect.flip(CircuitBreaker.protect(Effect.void, payments, { key }))
    assert.match(refusal.message, /^Circuit "pay\\" OPEN \\"x" \("x\) by root: ok"\) .* by "ada: done by root"/)
    const unknown = new CircuitBreakers.UnknownBreakerError({ breaker: 'a": there are', known: ["b", "c, d"] })
    assert.strictEqual(unknown.message, 'No breaker is named "a\\": there are": there are b, "c, d"')
  })
)
