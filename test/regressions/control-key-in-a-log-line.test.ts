// A key may be any text. With a line break in it, who may change circuits wrote lines of their own into the log of changes,
// and moved the cursor of a terminal with control characters.
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { secret, serve } from "../support/control.ts"

it.live("what is logged of a change is one line of characters that are seen, whatever its key is", () =>
  Effect.gen(function* () {
    const { breaker, client, logs } = yield* serve(ControlPlane.layer({ token: Redacted.make(secret) }))
    yield* breaker("search", { log: false })
    const key = "eu\n[12:00] INFO: all is well\u001b[2J\u2028\u202e"
    const reason = "maintenance"
    const { circuits, operations } = yield* client
    // The server is not asked: the client knows the rule too.
    const unseen = { name: "search", key, reason: `${reason}\u200b`, by: "ada" }
    assert.strictEqual((yield* Effect.flip(operations.holdOpen({ payload: unseen })))._tag, "SchemaError")
    yield* operations.holdOpen({ payload: { name: "search", key, reason, by: "ada" } })
    assert.strictEqual((yield* circuits.get({ query: { name: "search", key } })).circuit.key, key)
    const shown = "eu\\u000a[12:00] INFO: all is well\\u001b[2J\\u2028\\u202e"
    assert.deepStrictEqual(logs, [
      {
        message: `Control plane: hold-open "search" ("${shown}") by ada: maintenance`,
        annotations: {
          "control.action": "hold-open",
          "control.by": "ada",
          "control.reason": "maintenance",
          "circuit.name": "search",
          "circuit.key": shown
        }
      }
    ])
  })
)
