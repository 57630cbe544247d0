// The page of the dashboard needs no token, and its requests counted as reads: who asked for it often enough kept the
// operators, who have a token, from reading.
import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { secret, serve } from "../support/control.ts"

it.live("requests for the page are limited, and take nothing from reads with a token", () =>
  Effect.gen(function* () {
    const { request } = yield* serve(
      ControlPlane.layer({ token: Redacted.make(secret), limits: { readsPerSecond: 1 } })
    )
    const pages = yield* Effect.forEach(Array(8).fill(0), () => request("", { headers: {} }), {
      concurrency: "unbounded"
    })
    assert.includeMembers(
      pages.map(({ status }) => status),
      [200, 429]
    )
    assert.strictEqual((yield* request("/circuits")).status, 200)
  })
)
