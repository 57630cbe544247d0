// Tokens: which are taken, which requests have one, and what is logged of wrong ones.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { raw, secret, serve } from "../support/control.ts"

const plane = (options?: ControlPlane.TokenOptions) =>
  serve(ControlPlane.layer({ token: Redacted.make(secret), ...options }))

/** Asks with lines of headers as they are. */
const ask = (port: number, headers: string, path = "/resilience/circuits") =>
  Effect.map(raw(port, `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers}\r\n`), (response) =>
    Number(response.slice(9, 12))
  )

describe("a token", () => {
  it("that somebody would try is refused, and is not told", () => {
    const guessable = [
      "aaaaaaaaaaaaaaaa",
      "aaaaaaaabbbbbbbb",
      "abcabcabcabcabcabc",
      "changemechangeme",
      "changeme-changeme-1",
      "CHANGE_ME_PLEASE",
      "your-token-goes-here",
      "replace-this-secret",
      "my-secret-password",
      "example-token-1234",
      "passwordpassword1",
      "adminadminadmin1",
      "test-token-test-token",
      "xxxxxxxxxxxxxxxx",
      "1234567890123456",
      "abcdefghijklmnop",
      "9876543210987654",
      "0123456789abcdef",
      "qwertyuiopasdfghjkl",
      "0000000000000001",
      "token-token-token-token",
      "AAAAAAAAAAAAAAAAAAAAAA=="
    ]
    for (const text of guessable) {
      const token = Redacted.make(text)
      const build = () => ControlPlane.layer({ token })
      assert.throws(build, /token must be a random one: .* no placeholder such as changeme, got "<redacted/, text)
      assert.throws(build, new RegExp(`^(?!.*${text})`), text)
      assert.throws(() => ControlPlane.layer({ token: { ada: token } }), /token\.ada must be a random one/, text)
    }
  })

  it("that is random is taken, in every usual alphabet", () => {
    // A generator of its own, so that the test is the same each time.
    let state = 1
    const random = (below: number) => (state = (state * 48271) % 2147483647) % below
    const alphabets = [
      ["0123456789abcdef", 24],
      ["0123456789ABCDEF", 32],
      ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 16],
      ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 43],
      ["0123456789", 32]
    ] as const
    for (const [alphabet, length] of alphabets) {
      for (let i = 0; i < 2000; i++) {
        const text = Array.from({ length }, () => alphabet[random(alphabet.length)]).join("")
        ControlPlane.layer({ token: Redacted.make(text) })
      }
    }
    for (const text of ["018f3c1e-7a2b-7c4d-9e5f-0a1b2c3d4e5f", "four-odd-words-stapled", "7Qm2rT9wYx4Kb1Zd"]) {
      ControlPlane.layer({ token: Redacted.make(text) })
    }
  })

  it("that two operators have is refused, and is not told", () => {
    const token = { ada: Redacted.make(secret), grace: Redacted.make("another-long-token"), bo: Redacted.make(secret) }
    const build = () => ControlPlane.layer({ token })
    assert.throws(build, 'ControlPlane: token.bo must be another one than the token of ada, got "<redacted>"')
    assert.throws(build, new RegExp(`^(?!.*${secret})`))
  })

  it.live("is taken in its one spelling, and in no other place", () =>
    Effect.gen(function* () {
      const { logs, port } = yield* plane({ limits: { wrongTokensPerMinute: 1000 } })
      const right = `authorization: Bearer ${secret}\r\n`
      const none = [
        "",
        "authorization:\r\n",
        "authorization:   \r\n",
        "authorization: Bearer\r\n",
        "authorization: bearer \r\n"
      ]
      const elsewhere = [
        `cookie: authorization=Bearer ${secret}; token=${secret}\r\n`,
        `x-authorization: Bearer ${secret}\r\n`,
        `proxy-authorization: Bearer ${secret}\r\n`,
        `x-api-key: ${secret}\r\n`
      ]
      for (const headers of [...none, ...elsewhere]) assert.strictEqual(yield* ask(port, headers), 401, headers)
      assert.deepStrictEqual(logs, [])
      const wrong = [
        `Bearer "${secret}"`,
        `Bearer ${secret}x`,
        `Bearer x${secret}`,
        `Bearer ${secret.slice(0, -1)}`,
        `Bearer ${secret.slice(1)}`,
        `Bearer ${secret}${secret}`,
        `Bearer\t${secret}`,
        `Bearer ${secret}, Bearer ${secret}`,
        `Bearer ${secret.toUpperCase()}`,
        `Bearer ${secret}é`,
        `Bearer ${"x".repeat(15_000)}`,
        secret,
        `Token ${secret}`,
        `Basic ${btoa(`ada:${secret}`)}`,
        `Bearer Bearer ${secret}`
      ].map((value) => `authorization: ${value}\r\n`)
      const twice = [
        right + right,
        `${right}authorization: Bearer wrong\r\n`,
        `authorization: Bearer wrong\r\n${right}`,
        `${right}authorization:\r\n`,
        `authorization:\r\n${right}`,
        `authorization: Basic eA==\r\nAuthorization: Bearer ${secret}\r\n`
      ]
      for (const headers of [...wrong, ...twice])
        assert.strictEqual(yield* ask(port, headers), 401, headers.slice(0, 80))
      assert.strictEqual(logs.length, wrong.length + twice.length)
      const malformed = [
        `authorization: Bearer ${secret}\0\r\n`,
        `authorization: Bearer\r\n ${secret}\r\n`,
        `authorization : Bearer ${secret}\r\n`
      ]
      for (const headers of malformed) assert.strictEqual(yield* ask(port, headers), 400, headers)
      assert.strictEqual(yield* ask(port, `authorization: Bearer ${"x".repeat(20_000)}\r\n`), 431)
      for (const path of [
        `/resilience/circuits?token=${secret}`,
        `http://ada:${secret}@localhost/resilience/circuits`
      ]) {
        assert.strictEqual(yield* ask(port, "", path), 401, path)
      }
      for (const scheme of ["Bearer", "bearer", "BEARER", "Bearer  "]) {
        assert.strictEqual(yield* ask(port, `authorization: ${scheme} ${secret}\r\n`), 200, scheme)
      }
    })
  )

  it.live("is needed on every spelling of a path that reaches the routes", () =>
    Effect.gen(function* () {
      const { port } = yield* plane()
      for (const path of [
        "//resilience/circuits",
        "/RESILIENCE/circuits",
        "/resilience/CIRCUITS",
        "/%72esilience/circuits",
        "/resilience/circuits;limit=1",
        "/resilience/%63ircuits",
        "//resilience/circuits?limit=1",
        "http://any.example/resilience/circuits"
      ]) {
        assert.strictEqual(yield* ask(port, "", path), 401, path)
        assert.strictEqual(yield* ask(port, `authorization: Bearer ${secret}\r\n`, path), 200, path)
      }
    })
  )
})

describe("wrong tokens", () => {
  it.live("are logged with the address that they came from, and counted beyond the bound", () =>
    Effect.gen(function* () {
      const { logs, port, request, stop } = yield* plane({ limits: { wrongTokensPerMinute: 2 } })
      const wrong = "authorization: Bearer guess-of-a-token\r\n"
      const statuses = yield* Effect.replicateEffect(ask(port, wrong), 40, { concurrency: "unbounded" })
      assert.deepStrictEqual(statuses.sort(), [401, 401, ...Array<number>(38).fill(429)])
      assert.strictEqual((yield* request("/circuits")).status, 200)
      assert.strictEqual((yield* request("/circuits", { headers: {} })).status, 401)
      const line = {
        message: "Control plane refused a wrong token from 127.0.0.1",
        annotations: { "control.action": "list", "control.peer": "127.0.0.1" }
      }
      assert.deepStrictEqual(logs, [line, line])
      yield* stop
      assert.deepStrictEqual(logs.slice(2), [
        {
          message: "Control plane refused 38 more wrong tokens, the last from 127.0.0.1",
          annotations: { "control.peer": "127.0.0.1" }
        }
      ])
      assert.notInclude(JSON.stringify(logs), "guess")
    })
  )
})
