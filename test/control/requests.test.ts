// Requests as an attacker writes them, byte by byte: methods, paths, bodies, and two requests in one.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { raw, secret, serve } from "../support/control.ts"

const plane = serve(ControlPlane.layer({ token: Redacted.make(secret), limits: { changesPerMinute: 1000 } }))
const authorization = `authorization: Bearer ${secret}\r\n`
const close = "connection: close\r\n"
const payload = JSON.stringify({ name: "payments", reason: "maintenance", by: "ada" })

/** Status codes of the responses that come back: a body does not end with a line. */
const statuses = (response: string): ReadonlyArray<number> =>
  Array.from(response.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status))

const send = (port: number, text: string) => Effect.map(raw(port, text), statuses)

const post = (body: string, headers = `content-length: ${Buffer.byteLength(body)}\r\n`, last = close) =>
  `POST /resilience/hold-open HTTP/1.1\r\nhost: localhost\r\n${authorization}content-type: application/json\r\n${last}${headers}\r\n${body}`

describe("methods", () => {
  it.live("other than those of the routes are 404 or closed, whatever overrides them", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane
      const payments = yield* breaker("payments")
      const ask = (method: string, headers = "") =>
        send(
          port,
          `${method} /resilience/circuits HTTP/1.1\r\nhost: localhost\r\n${close}${authorization}${headers}\r\n`
        )
      for (const method of ["OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "PROPFIND", "QUERY", "POST"]) {
        assert.deepStrictEqual(yield* ask(method), [404], method)
      }
      assert.deepStrictEqual(yield* ask("CONNECT"), [])
      assert.deepStrictEqual(yield* ask("BREW"), [400])
      const overriding = "x-http-method-override: POST\r\nx-method-override: POST\r\nx-http-method: POST\r\n"
      for (const path of ["/resilience/hold-open?_method=POST", "/resilience/reset"]) {
        const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${close}${authorization}${overriding}\r\n`
        assert.deepStrictEqual(yield* send(port, text), [404], path)
      }
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("HEAD needs the token as GET does, and has no body", () =>
    Effect.gen(function* () {
      const { port } = yield* plane
      const head = (path: string, headers: string) =>
        raw(port, `HEAD /resilience${path} HTTP/1.1\r\nhost: localhost\r\n${close}${headers}\r\n`)
      for (const path of ["/circuits", "/events", "/openapi.json", "/changes"]) {
        assert.match(yield* head(path, ""), /^HTTP\/1.1 401 [^]*\r\n\r\n$/, path)
        assert.match(yield* head(path, authorization), /^HTTP\/1.1 200 [^]*\r\n\r\n$/, path)
      }
    })
  )
})

describe("paths", () => {
  it.live("lead nowhere else, with the token and without", () =>
    Effect.gen(function* () {
      const { port } = yield* plane
      for (const path of [
        "/resilience/..",
        "/resilience/../ping",
        "/resilience/%2e%2e/ping",
        "/resilience/..%2fping",
        "/resilience/..;/ping",
        "/resilience/circuits/..%5c..",
        "/resilience/circuits%00",
        "/resilience/circuits%20",
        "/resilience/circuits.",
        "/resilience/circuits\\",
        "/resilience/circuits/",
        "/resilience/.",
        "/resilience/%ff",
        "/resilience/%",
        "*"
      ]) {
        const text = `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${close}`
        assert.notStrictEqual((yield* send(port, `${text}\r\n`))[0], 200, path)
        const [status] = yield* send(port, `${text}${authorization}\r\n`)
        assert.include([200, 400, 404], status, path)
        if (status === 200) assert.strictEqual(path, "/resilience/circuits/")
      }
    })
  )
})

describe("bodies", () => {
  it.live("in any other encoding, depth or size are refused and change nothing, and soon", () =>
    Effect.gen(function* () {
      const { breaker, port, request } = yield* plane
      const payments = yield* breaker("payments")
      const utf16 = Buffer.from(`\ufeff${payload}`, "utf16le").toString("latin1")
      const bad: ReadonlyArray<readonly [statuses: ReadonlyArray<number>, body: string, headers?: string]> = [
        [[415], payload, `content-length: ${payload.length}\r\ncontent-encoding: gzip\r\n`],
        [[415], payload, `content-length: ${payload.length}\r\ncontent-encoding: identity\r\n`],
        [[400], utf16],
        [[400], `${"[".repeat(7900)}${"]".repeat(7900)}`],
        [[400], `{${Array.from({ length: 1500 }, (_, i) => `"f${i}":1`).join()}}`],
        [[400], `{"__proto__":{"name":"payments"},"reason":"x","by":"ada"}`],
        [[400], `{"constructor":{"prototype":{"name":"payments"}},"reason":"x","by":"ada"}`],
        [[400], payload.replace("maintenance", "\\ud800")],
        [[400], payload.replace("}", ',"for":1e999}')],
        [[400], payload.replace("}", ',"for":"NaN"}')],
        [[400], ""],
        [[413], "", "content-length: 100000000\r\n"],
        [[400], payload, "content-length: -1\r\n"],
        [[400], payload, "content-length: 1e3\r\n"],
        [[400], payload, `content-length: +${payload.length}\r\n`],
        [[400], `5;\r\nabcde`, "transfer-encoding: chunked\r\ncontent-length: 5\r\n"]
      ]
      for (const [expected, body, headers] of bad) {
        const began = performance.now()
        const got = yield* send(port, post(body, headers))
        assert.deepStrictEqual(got, expected, `${body.slice(0, 60)} ${headers ?? ""}`)
        assert.isBelow(performance.now() - began, 2000)
      }
      assert.strictEqual((yield* payments.status).counts.changes, 0)
      assert.strictEqual(({} as { readonly name?: string }).name, undefined)
      assert.strictEqual((yield* request("/circuits")).status, 200)
      // What may be: the last of two fields counts, and blanks are blanks.
      assert.deepStrictEqual(yield* send(port, post(` ${payload.replace("{", '{"name":"nobody",')}\n`)), [200])
    })
  )

  it.live("that do not end are cut off early, with a token and without", () =>
    Effect.gen(function* () {
      const { port } = yield* plane
      const chunk = `4000\r\n${"a".repeat(0x4000)}\r\n`
      for (const headers of [authorization, ""]) {
        const head = `POST /resilience/reset HTTP/1.1\r\nhost: localhost\r\n${headers}content-type: application/json\r\n${close}transfer-encoding: chunked\r\n\r\n`
        // 8 MB and no end.
        const [status] = yield* send(port, head + chunk.repeat(512))
        assert.strictEqual(status, headers === "" ? 401 : 413)
      }
    })
  )
})

describe("two requests in one", () => {
  const hidden = `POST /resilience/hold-open HTTP/1.1\r\nhost: localhost\r\n${authorization}content-type: application/json\r\ncontent-length: ${payload.length}\r\n\r\n${payload}`

  it.live("are refused where two lengths say different things", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane
      const payments = yield* breaker("payments")
      for (const headers of [
        `content-length: 4\r\ntransfer-encoding: chunked\r\n`,
        `content-length: 4\r\ncontent-length: ${hidden.length}\r\n`,
        `transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n`,
        `transfer-encoding: xchunked\r\n`,
        `transfer-encoding : chunked\r\n`,
        `content-length: 0\ncontent-length: 4\r\n`,
        `x: 1\r\n content-length: 4\r\n`
      ]) {
        const text = `POST /resilience/nothing HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n0\r\n\r\n${hidden}`
        // Where the length is not known, all that follows is the body of a request for a path that does not exist.
        assert.deepStrictEqual(yield* send(port, text), [headers.includes("xchunked") ? 404 : 400], headers)
      }
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("are told apart where the first is refused before its body is read", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane
      const payments = yield* breaker("payments")
      // The body of the first is a request with a token. It is a body, and not a second request.
      const refused = `POST /resilience/hold-open HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`
      const next = `GET /resilience/circuits HTTP/1.1\r\nhost: localhost\r\n${authorization}${close}\r\n`
      assert.deepStrictEqual(yield* send(port, refused + next), [401, 200])
      const foreign = refused.replace("\r\ncontent-type", "\r\norigin: https://evil.example\r\ncontent-type")
      assert.deepStrictEqual(yield* send(port, foreign + next), [403, 200])
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )
})
