// Requests that browsers make for pages of other sites.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { raw, secret, serve } from "../support/control.ts"

const token = Redacted.make(secret)
const operation = JSON.stringify({ name: "payments", reason: "maintenance", by: "ada" })

type Headers = Readonly<Record<string, string>>

/** Requests with headers that `fetch` does not let a program choose. */
const ask = (port: number, headers: Headers, path: string = "/circuits", host = `127.0.0.1:${port}`) => {
  const isChange = path === "/hold-open"
  const lines = Object.entries({
    host,
    connection: "close",
    authorization: `Bearer ${secret}`,
    ...(isChange ? { "content-type": "application/json", "content-length": String(operation.length) } : {}),
    ...headers
  })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")
  const request = `${isChange ? "POST" : "GET"} /resilience${path} HTTP/1.1\r\n${lines}\r\n${isChange ? operation : ""}`
  return Effect.map(raw(port, request), (response) => ({
    status: Number(response.slice(9, 12)),
    text: response
  }))
}

const statuses = (port: number, headers: Headers, host?: string) =>
  Effect.forEach(["/circuits", "/hold-open"], (path) =>
    Effect.map(ask(port, headers, path, host), ({ status }) => status)
  )

const here = (port: number) => `http://127.0.0.1:${port}`

describe("requests of pages of other sites", () => {
  it.live("are refused, read or change, and those of the own page and of programs are not", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* serve(ControlPlane.layer({ token }))
      const payments = yield* breaker("payments")
      const refused: ReadonlyArray<Headers> = [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
        { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
        { "sec-fetch-site": "same-site" },
        { "sec-fetch-site": "" },
        { "sec-fetch-site": "cross-site, same-origin" },
        { "sec-fetch-site": "cross-site", origin: here(port) },
        { "sec-fetch-site": "none", origin: "https://evil.example" },
        { origin: "https://evil.example" },
        { origin: "null" },
        { origin: "" },
        { origin: `http://127.0.0.1:${port + 1}` },
        { origin: "http://127.0.0.1" },
        { origin: `http://127.0.0.1:${port}.evil.example` },
        { origin: `http://evil.example@127.0.0.1:${port}` },
        { origin: `file://127.0.0.1:${port}` },
        { origin: "https://evil.example", "x-forwarded-host": "evil.example" }
      ]
      for (const headers of refused) {
        assert.deepStrictEqual(yield* statuses(port, headers), [403, 403], JSON.stringify(headers))
      }
      assert.strictEqual((yield* payments.status).counts.changes, 0)
      const allowed: ReadonlyArray<Headers> = [
        {},
        { "sec-fetch-site": "none" },
        { "sec-fetch-site": "same-origin" },
        { "sec-fetch-site": "same-origin", origin: here(port) },
        { origin: here(port) },
        // A proxy encrypts, so the scheme of the page is another one.
        { origin: `https://127.0.0.1:${port}` }
      ]
      for (const headers of allowed) {
        assert.deepStrictEqual(yield* statuses(port, headers), [200, 200], JSON.stringify(headers))
      }
      // The port that a scheme has of itself is left out by one side and not by the other.
      assert.deepStrictEqual(yield* statuses(port, { origin: "https://ops.example" }, "OPS.example:443"), [200, 200])
      assert.deepStrictEqual(yield* statuses(port, { origin: "http://ops.example" }, "ops.example:443"), [403, 403])
      // The browser says that it is the same origin, and a proxy has changed the host.
      const proxied = { "sec-fetch-site": "same-origin", origin: "https://ops.example" }
      assert.deepStrictEqual(yield* statuses(port, proxied, "10.0.0.7:3000"), [200, 200])
      // Without that, the proxy has to keep the host, or the option has to name the origin.
      assert.deepStrictEqual(yield* statuses(port, { origin: "https://ops.example" }, "10.0.0.7:3000"), [403, 403])
    })
  )

  it.live("are answered where the option names their origin, and only those", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* serve(ControlPlane.layer({ token, origins: ["https://ops.example"] }))
      yield* breaker("payments")
      for (const site of ["cross-site", "same-site"]) {
        const named = { "sec-fetch-site": site, origin: "https://ops.example" }
        assert.deepStrictEqual(yield* statuses(port, named), [200, 200])
        assert.deepStrictEqual(yield* statuses(port, { ...named, origin: "https://ops.example.evil" }), [403, 403])
        assert.deepStrictEqual(yield* statuses(port, { ...named, origin: "http://ops.example" }), [403, 403])
        assert.deepStrictEqual(yield* statuses(port, { "sec-fetch-site": site }), [403, 403])
      }
      assert.deepStrictEqual(yield* statuses(port, { origin: "https://ops.example" }, "10.0.0.7:3000"), [200, 200])
    })
  )

  it.live("may open the page as a link does, and not load it in any other way", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(ControlPlane.layer({ token }))
      const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }
      const page = (headers: Headers) => Effect.map(ask(port, headers, ""), ({ status }) => status)
      assert.strictEqual(yield* page(link), 200)
      assert.strictEqual(yield* page({ ...link, "sec-fetch-site": "same-site" }), 200)
      assert.strictEqual(yield* page({ ...link, "sec-fetch-dest": "iframe" }), 403)
      assert.strictEqual(yield* page({ ...link, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty" }), 403)
    })
  )

  it.live("are refused before credentials are looked at, with headers and an error that say so", () =>
    Effect.gen(function* () {
      let asked = 0
      const own = Layer.succeed(ControlApi.Authorization, (httpEffect) =>
        Effect.suspend(() => {
          asked++
          return Effect.provideService(httpEffect, ControlApi.Operator, { name: "ada" })
        })
      )
      const { breaker, logs, port } = yield* serve(ControlPlane.layerAuthorized().pipe(Layer.provide(own)))
      yield* breaker("payments")
      const cross = { "sec-fetch-site": "cross-site", origin: "https://evil.example" }
      for (const path of [
        "/circuits",
        "/events",
        "/hold-open",
        "/openapi.json",
        "/changes",
        "/circuit?name=payments"
      ]) {
        const { status, text } = yield* ask(port, cross, path)
        assert.deepStrictEqual([status, asked], [403, 0], path)
        assert.include(text, '"_tag":"Forbidden"')
        assert.match(text, /content-security-policy: default-src 'none'/i)
        assert.notInclude(text.toLowerCase(), "access-control")
      }
      assert.deepStrictEqual(logs, [])
      assert.deepStrictEqual(yield* statuses(port, {}), [200, 200])
    })
  )

  it.live("are refused by a web handler too", () =>
    Effect.gen(function* () {
      const { dispose, handler } = HttpRouter.toWebHandler(
        ControlPlane.layer().pipe(Layer.provide(HttpServer.layerServices)),
        { disableLogger: true }
      )
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const status = (headers: Headers) =>
        Effect.promise(async () => {
          const request = new Request("https://ops.example/resilience/circuits", { headers })
          return (await handler(request)).status
        })
      assert.strictEqual(yield* status({}), 200)
      assert.strictEqual(yield* status({ origin: "https://ops.example" }), 200)
      assert.strictEqual(yield* status({ origin: "https://evil.example" }), 403)
    })
  )

  it("the option takes origins only", () => {
    for (const origin of ["*", "null", "ops.example", "https://ops.example/", "https://Ops.example", "file:///x", 5]) {
      assert.throws(() => ControlPlane.layer({ origins: [origin as string] }), /origins\.0 must be an origin/)
    }
    assert.throws(() => ControlPlane.layer({ origins: "https://ops.example" as never }), /origins must be/)
    ControlPlane.layer({ origins: ["https://ops.example", "http://127.0.0.1:3000"] })
  })
})
