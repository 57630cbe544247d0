// Headers that every response of a control plane has, also one that refuses.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as DashboardPage from "../../src/control/internal/DashboardPage.ts"
import * as Health from "../../src/health/Health.ts"
import { secret, serve } from "../support/control.ts"

const always = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff"
}

describe("headers", () => {
  it.live("are on every response, also on one that refuses", () =>
    Effect.gen(function* () {
      const { breaker, post, request } = yield* serve(
        ControlPlane.layer({
          token: Redacted.make(secret),
          limits: { wrongTokensPerMinute: 1, changesPerMinute: 1 }
        }).pipe(Layer.provide(Health.layer()))
      )
      yield* breaker("payments")
      const payload = { name: "payments", reason: "maintenance", by: "ada" }
      const wrong = { authorization: "Bearer wrong" }
      const responses: ReadonlyArray<readonly [status: number, Effect.Effect<Response>]> = [
        ...["/circuits", "/circuit?name=payments", "/changes", "/policies", "/health", "/openapi.json"].map(
          (path) => [200, request(path)] as const
        ),
        [200, request("/events", { method: "HEAD" })],
        [200, request("/circuits", { method: "HEAD" })],
        [400, request("/circuits?limit=0")],
        [401, request("/circuits", { headers: {} })],
        [401, request("/circuits", { headers: wrong })],
        [429, request("/circuits", { headers: wrong })],
        [403, request("/circuits", { headers: { origin: "https://evil.example" } })],
        [404, request("/circuit?name=nobody")],
        [413, post("/reset", { ...payload, reason: "x".repeat(20_000) })],
        [415, post("/reset", payload, { "content-type": "text/plain" })],
        [200, post("/reset", payload)],
        [429, post("/reset", payload)]
      ]
      for (const [status, response] of responses) {
        const { headers, status: got, url } = yield* response
        const told = Object.fromEntries(Object.keys(always).map((name) => [name, headers.get(name)]))
        assert.deepStrictEqual([got, told], [status, always], url)
        assert.isNull(headers.get("access-control-allow-origin"))
        assert.isNull(headers.get("set-cookie"))
      }
    })
  )

  it.live("of the page allow its own script, style and requests, and no policy of trusted types", () =>
    Effect.gen(function* () {
      const { request } = yield* serve(ControlPlane.layer({ token: Redacted.make(secret) }))
      const { headers } = yield* request("", { headers: {} })
      const { "content-security-policy": _, ...others } = always
      for (const [name, value] of Object.entries({ ...others, "referrer-policy": "no-referrer" })) {
        assert.strictEqual(headers.get(name), value, name)
      }
      const policy = headers.get("content-security-policy") ?? ""
      assert.strictEqual(policy, DashboardPage.contentSecurityPolicy)
      const directives = policy.split("; ").map((directive) => directive.replace(/'sha256-[^']+'/, "HASH"))
      assert.deepStrictEqual(directives, [
        "default-src 'none'",
        "script-src HASH",
        "style-src HASH",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'"
      ])
    })
  )
})
