import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Fiber, Layer, Logger, Redacted, Result, Stream } from "effect"
import { createHash } from "node:crypto"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerRequest } from "effect/http"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlClient from "../../src/control/ControlClient.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as DashboardPage from "../../src/control/internal/DashboardPage.ts"
import * as Health from "../../src/health/Health.ts"
import * as Policy from "../../src/compose/Policy.ts"
import { quick } from "../support/circuits.ts"
import { answer, eventually, open, raw, secret, serve } from "../support/control.ts"

const token = Redacted.make(secret)
const plane = (options?: ControlPlane.Options) => serve(ControlPlane.layer({ token, ...options }))
const json = { "content-type": "application/json" }
const payload = { name: "payments", reason: "maintenance", by: "ada" }

const call = (breaker: CircuitBreaker.CircuitBreaker, key?: string) =>
  Effect.flip(Effect.fail("down").pipe(CircuitBreaker.protect(breaker, { key })))
const refused = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.succeed("ran").pipe(
    CircuitBreaker.protect(breaker),
    Effect.catchTag("CircuitOpenError", ({ message }) => Effect.succeed(message))
  )

const statusOf = (response: Effect.Effect<Response>) => Effect.map(response, ({ status }) => status)

describe("reading", () => {
  it.live("lists breakers in order of registration, then keys, the open and held ones first", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane({ updates: "1 millis" })
      yield* breaker("orders")
      const search = yield* breaker("search", quick)
      for (const key of ["a", "b", "c"]) yield* Effect.void.pipe(CircuitBreaker.protect(search, { key }))
      yield* call(search, "b")
      const { circuits } = yield* client
      const names = (limit?: number) =>
        Effect.map(circuits.list({ query: limit === undefined ? {} : { limit } }), ({ circuits, total }) => [
          ...circuits.map(({ key, name, state }) => [name, key ?? "-", state._tag].join(" ")),
          total
        ])
      const all = ["orders - Closed", "search - Closed", "search b Open", "search a Closed", "search c Closed"]
      assert.deepStrictEqual(yield* names(), [...all, 5])
      assert.deepStrictEqual(yield* names(3), [...all.slice(0, 3), 5])
      // A hold on a breaker is one on its keys.
      yield* CircuitBreaker.holdOpen(search)
      assert.sameMembers(
        (yield* names()).slice(1, 5),
        ["-", "a", "b", "c"].map((key) => `search ${key} HeldOpen`)
      )
    })
  )

  it.live("shows one circuit with its outcomes, its last failure and its changes", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const payments = yield* breaker("payments", quick)
      yield* Effect.void.pipe(CircuitBreaker.protect(payments))
      yield* Effect.flip(Effect.fail(new Error("no route")).pipe(CircuitBreaker.protect(payments)))
      yield* refused(payments)
      const { changes, circuit } = yield* (yield* client).circuits.get({ query: { name: "payments" } })
      assert.deepStrictEqual(circuit.recent, ["Success", "Failure"])
      assert.deepInclude(circuit.counts, { calls: 2, failures: 1, refused: 1, changes: 1 })
      assert.strictEqual(circuit.lastFailure?.message, "Error: no route")
      assert.isAbove(circuit.retryAt ?? 0, circuit.state.since)
      assert.deepStrictEqual(
        changes.map(({ from, to }) => [from._tag, to._tag]),
        [["Closed", "Open"]]
      )
      assert.isAtLeast(changes[0]?.at ?? 0, circuit.state.since)
    })
  )

  it.live("keeps the latest 32 changes of a circuit", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const payments = yield* breaker("payments", { log: false })
      for (let i = 0; i < 40; i++) yield* CircuitBreaker.holdOpen(payments, { reason: String(i) })
      const { changes } = yield* (yield* client).circuits.get({ query: { name: "payments" } })
      assert.strictEqual(changes.length, 32)
      const last = changes.at(-1)?.to
      assert.isTrue(last?._tag === "HeldOpen" && last.reason === "39")
    })
  )

  it.live("tells the latest 200 changes of all circuits, the newest last", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const breakers = [yield* breaker("orders", { log: false }), yield* breaker("payments", { log: false })]
      for (let i = 0; i < 105; i++) {
        for (const each of breakers) yield* CircuitBreaker.holdOpen(each, { reason: String(i) })
      }
      const changes = yield* (yield* client).circuits.changes()
      assert.strictEqual(changes.length, 200)
      assert.deepStrictEqual(
        changes.slice(-3).map(({ name, to }) => [name, to._tag === "HeldOpen" ? to.reason : undefined]),
        [
          ["payments", "103"],
          ["orders", "104"],
          ["payments", "104"]
        ]
      )
    })
  )

  it.live("describes the policies that it is given", () =>
    Effect.gen(function* () {
      const policy = Policy.make({ attemptTimeout: "1 second" })
      const { client } = yield* plane({ policies: { checkout: policy } })
      const policies = yield* (yield* client).circuits.policies()
      const { layers, warnings } = Policy.describe(policy, "json")
      assert.deepStrictEqual(policies, [
        { name: "checkout", text: Policy.describe(policy), layers: layers as never, warnings }
      ])
    })
  )

  it.live("reports on health where there is a health layer, and has no such route elsewhere", () =>
    Effect.gen(function* () {
      const health = Health.layer({ checks: { cache: Health.check(Effect.fail("refused")) } })
      const control = ControlPlane.layer({ token }).pipe(Layer.provide(health))
      const report = yield* Effect.flatMap((yield* serve(control)).client, ({ health }) => health.report())
      assert.deepStrictEqual(
        report.checks.map(({ message, name }) => [name, message]),
        [["cache", "refused"]]
      )
      assert.strictEqual(yield* statusOf((yield* plane()).request("/health")), 404)
    })
  )

  it.live("hides what errors say where reading is open, unless it is told to show it", () =>
    Effect.gen(function* () {
      const health = Health.layer({
        checks: { cache: Health.check(Effect.fail("refused")), db: Health.check(Effect.succeed({ host: "db1" })) }
      })
      const messages = (options: ControlPlane.TokenOptions) =>
        Effect.gen(function* () {
          const { breaker, client } = yield* serve(ControlPlane.layer(options).pipe(Layer.provide(health)))
          yield* call(yield* breaker("payments"))
          const { circuits, health: checks } = yield* client
          const { circuit } = yield* circuits.get({ query: { name: "payments" } })
          const report = yield* checks.report()
          return [circuit.lastFailure?.message, report.checks[0]?.message, report.checks[1]?.details]
        })
      const shown = ["down", "refused", { host: "db1" }]
      assert.deepStrictEqual(yield* messages({}), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* messages({ token, reading: "open" }), [undefined, undefined, undefined])
      assert.deepStrictEqual(yield* messages({ token }), shown)
      assert.deepStrictEqual(yield* messages({ details: true }), shown)
    })
  )

  it.live("serves the document of its routes, with what needs a token", () =>
    Effect.gen(function* () {
      const document = (options: ControlPlane.TokenOptions) =>
        Effect.gen(function* () {
          const { request } = yield* serve(ControlPlane.layer(options))
          const response = yield* request("/openapi.json")
          return yield* Effect.promise(() => response.json() as Promise<Document>)
        })
      interface Document {
        readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly security?: unknown }>>>>
        readonly servers: unknown
        readonly security?: unknown
      }
      const paths = ["/circuits", "/circuit", "/changes", "/policies", "/events", "/openapi.json"]
      const changes = ["/hold-open", "/hold-closed", "/release", "/reset"]
      const bearer = [{ bearer: [] }]
      const whole = yield* document({ token })
      assert.sameMembers(Object.keys(whole.paths), [...paths, ...changes])
      const told = JSON.stringify(whole.paths["/events"])
      for (const event of ["snapshot", "update", "change", "activity", "alive"]) assert.include(told, `"${event}"`)
      assert.deepStrictEqual([whole.security, whole.servers], [bearer, [{ url: "/resilience" }]])
      const partly = yield* document({ token, reading: "open" })
      assert.deepStrictEqual(
        [partly.security, partly.paths["/circuits"]?.["get"]?.security, partly.paths["/reset"]?.["post"]?.security],
        [[], [], bearer]
      )
      assert.sameMembers(Object.keys((yield* document({})).paths), paths)
    })
  )
})

describe("changing", () => {
  it.live("a hold through the client refuses calls in the running service, until it is released", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const payments = yield* breaker("payments")
      const { operations } = yield* client
      const held = yield* operations.holdOpen({ payload: { ...payload, for: Duration.minutes(10) } })
      assert.deepInclude(held.state, { _tag: "HeldOpen", reason: "maintenance", by: "ada" })
      assert.strictEqual(held.state._tag === "HeldOpen" && (held.state.until ?? 0) - held.state.since, 600_000)
      assert.match(yield* refused(payments), /by ada.*: maintenance/)
      assert.strictEqual((yield* operations.release({ payload })).state._tag, "Closed")
      assert.strictEqual(yield* refused(payments), "ran")
    })
  )

  it.live("holds a circuit closed, and resets one", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const payments = yield* breaker("payments", quick)
      const { operations } = yield* client
      assert.strictEqual((yield* operations.holdClosed({ payload })).state._tag, "HeldClosed")
      yield* call(payments)
      assert.strictEqual(yield* refused(payments), "ran")
      yield* operations.release({ payload })
      yield* call(payments)
      assert.include(yield* refused(payments), "open")
      assert.strictEqual((yield* operations.reset({ payload })).state._tag, "Closed")
      assert.strictEqual(yield* refused(payments), "ran")
    })
  )

  it.live("holds the circuit of a key alone", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane()
      const search = yield* breaker("search")
      const { operations } = yield* client
      const held = yield* operations.holdOpen({ payload: { ...payload, name: "search", key: "" } })
      assert.deepStrictEqual([held.key, held.state._tag], ["", "HeldOpen"])
      assert.strictEqual(yield* refused(search), "ran")
    })
  )

  it.live("logs every change with who, why and what, and nothing of what was refused", () =>
    Effect.gen(function* () {
      const { breaker, client, logs } = yield* plane()
      yield* breaker("search")
      const { operations } = yield* client
      yield* operations.holdOpen({ payload: { ...payload, name: "search", key: "acme", for: Duration.minutes(10) } })
      yield* Effect.flip(operations.reset({ payload }))
      assert.deepStrictEqual(
        logs.filter(({ annotations }) => "control.action" in annotations),
        [
          {
            message: 'Control plane: hold-open "search" (acme) by ada: maintenance',
            annotations: {
              "control.action": "hold-open",
              "control.by": "ada",
              "control.reason": "maintenance",
              "control.for": "10m",
              "circuit.name": "search",
              "circuit.key": "acme"
            }
          }
        ]
      )
    })
  )

  it.live("asks who it is where the token does not say, and believes the token where it does", () =>
    Effect.gen(function* () {
      const { name, reason } = payload
      const plain = yield* plane()
      yield* plain.breaker(name)
      const unsaid = yield* Effect.flip((yield* plain.client).operations.reset({ payload: { name, reason } }))
      assert.deepInclude(unsaid, { _tag: "InvalidRequest", message: "Payload: by is needed" })
      const named = yield* serve(
        ControlPlane.layer({ token: { grace: token, ada: Redacted.make("another-long-token-of-ada") } })
      )
      const payments = yield* named.breaker(name)
      const held = yield* (yield* named.client).operations.holdOpen({ payload: { name, reason, by: "ada" } })
      assert.deepInclude(held.state, { by: "grace" })
      const authorization = "Bearer another-long-token-of-ada"
      const [status] = yield* Effect.flatMap(named.post("/hold-open", { name, reason }, { authorization }), answer)
      const { state } = yield* payments.status
      assert.deepStrictEqual([status, state._tag === "HeldOpen" && state.by], [200, "ada"])
    })
  )
})

describe("the dashboard", () => {
  it.live("is a page without data that needs no token, loads nothing else and runs no other script", () =>
    Effect.gen(function* () {
      const { breaker, request } = yield* plane()
      yield* breaker("a-secret-name")
      for (const path of ["", "/", "/?x=1"]) {
        const response = yield* request(path, { headers: {} })
        const html = yield* Effect.promise(() => response.text())
        assert.deepStrictEqual(
          [response.status, response.headers.get("content-type"), response.headers.get("cache-control")],
          [200, "text/html; charset=utf-8", "no-store"]
        )
        assert.strictEqual(response.headers.get("content-security-policy"), DashboardPage.contentSecurityPolicy)
        assert.notInclude(html, "a-secret-name")
        assert.notMatch(html, /<(script|link|img|iframe)[^>]* (src|href)="(?!data:)/)
        const hashed = [/<script type="module">(.*?)<\/script>/s, /<style>(.*?)<\/style>/s].map((part) =>
          createHash("sha256")
            .update(part.exec(html)?.[1] ?? "")
            .digest("base64")
        )
        for (const hash of hashed) assert.include(DashboardPage.contentSecurityPolicy, `'sha256-${hash}'`)
      }
    })
  )

  it.live("is told what it may do", () =>
    Effect.gen(function* () {
      const config = (options: ControlPlane.TokenOptions) =>
        Effect.gen(function* () {
          const { request } = yield* serve(ControlPlane.layer(options))
          const html = yield* Effect.flatMap(request("", { headers: {} }), (response) =>
            Effect.promise(() => response.text())
          )
          return JSON.parse(
            /<script id="config" type="application\/json">(.*?)<\/script>/s.exec(html)?.[1] ?? ""
          ) as unknown
        })
      assert.deepStrictEqual(yield* config({}), { changes: false, by: "needed", health: false })
      assert.deepStrictEqual(yield* config({ token }), {
        changes: true,
        token: "all",
        by: "needed",
        health: false
      })
      assert.deepStrictEqual(yield* config({ token: { ada: token }, reading: "open" }), {
        changes: true,
        token: "changes",
        by: "known",
        health: false
      })
    })
  )

  it.live("is left out where the application says so", () =>
    Effect.gen(function* () {
      const { request } = yield* plane({ dashboard: false })
      assert.strictEqual(yield* statusOf(request("")), 404)
      assert.strictEqual(yield* statusOf(request("/circuits")), 200)
    })
  )
})

describe("names", () => {
  const odd = [
    "..",
    "../x",
    "%2e%2e",
    "a/b?c#d",
    "naïve ☂",
    "<script>alert(1)</script>",
    "x".repeat(256),
    '"\\',
    "a\u2028b"
  ]

  it.live("every name and key can be read and held, and comes back as data only", () =>
    Effect.gen(function* () {
      const { breaker, client, origin, request } = yield* plane()
      const { circuits, operations } = yield* client
      for (const name of odd) {
        yield* breaker(name)
        const reason = "<img src=x onerror=alert(1)>"
        const held = yield* operations.holdOpen({ payload: { ...payload, name, key: name, reason } })
        assert.deepInclude(held.state, { reason })
        const { changes, circuit } = yield* circuits.get({ query: { name, key: name } })
        assert.deepStrictEqual([circuit.name, circuit.key, changes.length], [name, name, 1])
      }
      const response = yield* request("/circuits")
      assert.match(response.headers.get("content-type") ?? "", /^application\/json/)
      assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.isNull(response.headers.get("access-control-allow-origin"))
      // Other routes of the application are as they were.
      assert.isNull((yield* Effect.promise(() => fetch(`${origin}/ping`))).headers.get("cache-control"))
    })
  )

  it.live("a name that no breaker has and a key that no call has used are 404", () =>
    Effect.gen(function* () {
      const { breaker, client, post, request } = yield* plane()
      yield* breaker("payments")
      const { circuits } = yield* client
      const unknown = yield* Effect.flip(circuits.get({ query: { name: "payments", key: "acme" } }))
      assert.deepInclude(unknown, { _tag: "UnknownCircuit", name: "payments", key: "acme" })
      for (const name of ["nobody", "__proto__", "constructor", "toString"]) {
        assert.strictEqual(yield* statusOf(request(`/circuit?name=${name}`)), 404)
        for (const path of ["/hold-open", "/hold-closed", "/release", "/reset"]) {
          assert.strictEqual(yield* statusOf(post(path, { ...payload, name })), 404)
        }
      }
    })
  )
})

describe("credentials", () => {
  it.live("every route wants the token, once, and nothing else counts", () =>
    Effect.gen(function* () {
      const { breaker, port, post, request } = yield* serve(
        ControlPlane.layer({ token }).pipe(Layer.provide(Health.layer()))
      )
      const payments = yield* breaker("payments")
      const wrong = [
        {},
        { authorization: "" },
        { authorization: "Bearer" },
        { authorization: "Bearer wrong" },
        { authorization: `Bearer ${secret}x` },
        { authorization: `Bearer ${secret.slice(1)}` },
        { authorization: `Bearer ${secret}${secret}` },
        { authorization: `Bearer ${secret}, Bearer ${secret}` },
        { authorization: secret },
        { authorization: `Basic ${btoa(`ada:${secret}`)}` },
        { cookie: `authorization=Bearer ${secret}; token=${secret}` },
        { "x-api-key": secret }
      ]
      for (const headers of wrong) {
        const response = yield* request("/circuits", { headers })
        assert.strictEqual(response.headers.get("www-authenticate"), "Bearer")
        const [status, body] = yield* answer(response)
        assert.deepStrictEqual([status, body?._tag], [401, "Unauthorized"])
      }
      for (const path of [
        "/circuits",
        "/circuit?name=payments",
        "/changes",
        "/policies",
        "/events",
        "/openapi.json",
        "/health"
      ]) {
        assert.strictEqual(yield* statusOf(request(path, { headers: {} })), 401)
      }
      for (const path of ["/hold-open", "/hold-closed", "/release", "/reset"]) {
        assert.strictEqual(yield* statusOf(post(path, payload, { authorization: "" })), 401)
      }
      assert.strictEqual(yield* statusOf(request(`/circuits?token=${secret}`, { headers: {} })), 401)
      const twice = `authorization: Bearer ${secret}\r\nauthorization: Bearer wrong\r\n`
      const response = yield* raw(
        port,
        `GET /resilience/circuits HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${twice}\r\n`
      )
      assert.match(response, /^HTTP\/1.1 401 /)
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("wrong tokens are logged without the token, and get 429 when they are many; the right one continues", () =>
    Effect.gen(function* () {
      const { logs, request } = yield* plane({ limits: { wrongTokensPerMinute: 3 } })
      const statuses: Array<number> = []
      for (let i = 0; i < 5; i++) {
        statuses.push(yield* statusOf(request("/circuits", { headers: { authorization: "Bearer guess-of-a-token" } })))
      }
      assert.deepStrictEqual(statuses, [401, 401, 401, 429, 429])
      assert.strictEqual(yield* statusOf(request("/circuits")), 200)
      assert.strictEqual(yield* statusOf(request("/circuits", { headers: {} })), 401)
      assert.strictEqual(logs.length, 3)
      assert.notInclude(JSON.stringify(logs), "guess")
    })
  )

  it.live("reading is open where the application says so, and changing never is", () =>
    Effect.gen(function* () {
      const { breaker, post, request } = yield* serve(ControlPlane.layer({ token, reading: "open" }))
      yield* breaker("payments")
      assert.strictEqual(yield* statusOf(request("/circuits", { headers: {} })), 200)
      assert.strictEqual(yield* statusOf(post("/reset", payload, { authorization: "" })), 401)
      assert.strictEqual(yield* statusOf(post("/reset", payload)), 200)
    })
  )

  it.live("without a token there are no routes that change something", () =>
    Effect.gen(function* () {
      const { breaker, post, request } = yield* serve(ControlPlane.layer())
      yield* breaker("payments")
      assert.strictEqual(yield* statusOf(request("/circuits", { headers: {} })), 200)
      for (const path of ["/hold-open", "/hold-closed", "/release", "/reset"]) {
        assert.strictEqual(yield* statusOf(post(path, payload)), 404)
      }
    })
  )

  it.live("nothing is served where it is not mounted", () =>
    Effect.gen(function* () {
      const { request } = yield* serve(Layer.empty)
      assert.strictEqual(yield* statusOf(request("/circuits")), 404)
    })
  )

  it.live("the application's own middleware says who may do what, and who it is", () =>
    Effect.gen(function* () {
      const own = Layer.succeed(ControlApi.Authorization, (httpEffect, { group }) =>
        Effect.gen(function* () {
          const { headers } = yield* HttpServerRequest.HttpServerRequest
          const user = headers["x-user"]
          if (user === undefined) return yield* new ControlApi.Unauthorized({ message: "Log in" })
          if (group.identifier === "operations" && user !== "grace") {
            return yield* new ControlApi.Forbidden({ message: "Ask grace" })
          }
          return yield* Effect.provideService(httpEffect, ControlApi.Operator, { name: user })
        })
      )
      const { breaker, post, request } = yield* serve(ControlPlane.layerAuthorized().pipe(Layer.provide(own)))
      const payments = yield* breaker("payments")
      const change = (user: string) => statusOf(post("/hold-open", payload, { "x-user": user }))
      assert.strictEqual(yield* statusOf(request("/circuits")), 401)
      assert.strictEqual(yield* statusOf(request("/circuits", { headers: { "x-user": "ada" } })), 200)
      assert.deepStrictEqual([yield* change("ada"), yield* change("grace")], [403, 200])
      assert.include(yield* refused(payments), "by grace")
    })
  )

  it("a token that is short, empty, or no bearer token is refused without being told", () => {
    for (const bad of ["", "short", "has a space in it at least", "é".repeat(20)]) {
      const build = () => ControlPlane.layer({ token: Redacted.make(bad) })
      assert.throws(build, "ControlPlane: token must be a Redacted of at least 16 characters of a bearer token")
      if (bad !== "") assert.throws(build, new RegExp(`^(?!.*${bad})`))
      assert.throws(() => ControlPlane.layer({ token: { ada: Redacted.make(bad) } }), "token.ada must be")
    }
    // JavaScript may pass what TypeScript refuses.
    assert.throws(() => ControlPlane.layer({ token: { ada: secret as never } }), "token.ada must be")
    assert.throws(() => ControlPlane.layer({ token: {} }), "token must be at least one token")
    assert.throws(() => ControlPlane.layer({ reading: "token" }), "token must be given")
  })
})

describe("bad requests", () => {
  it.live("a body that breaks a rule is 400 and changes nothing", () =>
    Effect.gen(function* () {
      const { breaker, post } = yield* plane({ limits: { changesPerMinute: 1000 } })
      const payments = yield* breaker("payments")
      const bad: ReadonlyArray<unknown> = [
        "",
        "{",
        "null",
        "[]",
        '"payments"',
        "1",
        `${JSON.stringify(payload)}x`,
        {},
        { ...payload, name: undefined },
        { ...payload, name: "" },
        { ...payload, name: 1 },
        { ...payload, name: ["payments"] },
        { ...payload, name: "x".repeat(257) },
        { ...payload, key: null },
        { ...payload, key: "x".repeat(513) },
        { ...payload, reason: undefined },
        { ...payload, reason: " " },
        { ...payload, reason: "x".repeat(501) },
        { ...payload, reason: "done\nCircuit CLOSED" },
        { ...payload, reason: "\u001b[2J" },
        { ...payload, reason: "\u202egnp.exe" },
        ...["\u200b", "\u200f", "\u061c", "\ufeff", "\u00ad", "\u2069", "\u{e0061}", "\ud800"].flatMap((unseen) => [
          { ...payload, reason: `mainte${unseen}nance` },
          { ...payload, by: `a${unseen}da` }
        ]),
        { ...payload, by: "" },
        { ...payload, by: { name: "ada" } },
        { ...payload, by: "x".repeat(101) },
        { ...payload, for: 0 },
        { ...payload, for: -1 },
        { ...payload, for: "soon" },
        { ...payload, for: "Infinity" },
        { ...payload, for: "3651 days" },
        { ...payload, for: null },
        { ...payload, untill: "10 minutes" },
        `{"__proto__":{},${JSON.stringify(payload).slice(1)}`,
        `${"[".repeat(8000)}${"]".repeat(8000)}`
      ]
      for (const body of bad) {
        const [status, said] = yield* Effect.flatMap(post("/hold-open", body), answer)
        assert.deepStrictEqual([status, said?._tag], [400, "InvalidRequest"], JSON.stringify(body).slice(0, 80))
        assert.isBelow(said?.message?.length ?? 0, 501)
      }
      assert.strictEqual(yield* statusOf(post("/release", { ...payload, for: "1 minute" })), 400)
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("a query that breaks a rule is 400", () =>
    Effect.gen(function* () {
      const { breaker, request } = yield* plane()
      yield* breaker("payments")
      const bad = [
        "/circuits?limit=0",
        "/circuits?limit=-1",
        "/circuits?limit=1.5",
        "/circuits?limit=2001",
        "/circuits?limit=many",
        "/circuits?limit=1&limit=2",
        "/circuits?limt=1",
        "/circuit",
        "/circuit?name=",
        "/circuit?name=payments&name=orders",
        `/circuit?name=${"x".repeat(257)}`
      ]
      for (const path of bad) {
        const [status, said] = yield* Effect.flatMap(request(path), answer)
        assert.deepStrictEqual([status, said?._tag], [400, "InvalidRequest"], path)
      }
    })
  )

  it.live("a body that is not said to be plain JSON is 415", () =>
    Effect.gen(function* () {
      const { breaker, port, request } = yield* plane()
      const payments = yield* breaker("payments")
      const body = JSON.stringify(payload)
      const authorization = `Bearer ${secret}`
      const types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp"
      ]
      for (const type of types) {
        const sent = request("/hold-open", { method: "POST", body, headers: { authorization, "content-type": type } })
        assert.strictEqual(yield* statusOf(sent), 415, type)
      }
      const zipped = { authorization, ...json, "content-encoding": "gzip" }
      assert.strictEqual(yield* statusOf(request("/hold-open", { method: "POST", body, headers: zipped })), 415)
      const untyped = yield* raw(
        port,
        `POST /resilience/hold-open HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: ${authorization}\r\n` +
          `content-length: ${body.length}\r\n\r\n${body}`
      )
      assert.match(untyped, /^HTTP\/1.1 415 /)
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("a body that is too long is 413, whatever it says of its length", () =>
    Effect.gen(function* () {
      const { breaker, port, post, request } = yield* plane()
      const payments = yield* breaker("payments")
      const huge = { ...payload, reason: "x".repeat(10_000_000) }
      assert.strictEqual(yield* statusOf(post("/hold-open", huge)), 413)
      const head =
        `POST /resilience/hold-open HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${secret}\r\n` +
        "content-type: application/json\r\nconnection: close\r\n"
      const chunk = "a".repeat(0x1000)
      const chunked = yield* raw(
        port,
        `${head}transfer-encoding: chunked\r\n\r\n${`1000\r\n${chunk}\r\n`.repeat(8)}0\r\n\r\n`
      )
      assert.match(chunked, /^HTTP\/1.1 413 /)
      assert.match(yield* raw(port, `${head}content-length: 99999999\r\n\r\n`), /^HTTP\/1.1 413 /)
      assert.strictEqual(yield* statusOf(request("/circuits")), 200)
      assert.strictEqual((yield* payments.status).counts.changes, 0)
    })
  )

  it.live("other methods and paths are 404, and no path leads anywhere else", () =>
    Effect.gen(function* () {
      const { breaker, port, request } = yield* plane()
      yield* breaker("payments")
      for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"]) {
        assert.strictEqual(yield* statusOf(request("/circuits", { method })), 404)
      }
      assert.strictEqual(yield* statusOf(request("/hold-open")), 404)
      const paths = [
        "/resilience/dashboard",
        "/resilience/circuits/../reset",
        "/resilience/..%2fping",
        "/resilience/%2e%2e/ping",
        "/resilience/circuits%00",
        "/resilience/%ff",
        "/circuits",
        "/resiliencecircuits"
      ]
      for (const path of paths) {
        const response = yield* raw(
          port,
          `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer ${secret}\r\n\r\n`
        )
        assert.match(response, /^HTTP\/1.1 40[04] /, path)
      }
      const head = yield* request("/circuits", { method: "HEAD" })
      assert.deepStrictEqual([head.status, yield* Effect.promise(() => head.text())], [200, ""])
      assert.strictEqual(yield* statusOf(request("/events", { method: "HEAD" })), 200)
    })
  )

  it.live("changes beyond the limit are 429 and say when to come back; reading continues", () =>
    Effect.gen(function* () {
      const { breaker, client, post, request } = yield* plane({ limits: { changesPerMinute: 2 } })
      const payments = yield* breaker("payments")
      assert.deepStrictEqual(
        [yield* statusOf(post("/reset", payload)), yield* statusOf(post("/reset", payload))],
        [200, 200]
      )
      const response = yield* post("/reset", payload)
      assert.strictEqual(response.status, 429)
      assert.include(["29", "30"], response.headers.get("retry-after") ?? "")
      const error = yield* Effect.flip((yield* client).operations.release({ payload }))
      assert.strictEqual(error._tag, "TooManyRequests")
      assert.strictEqual(yield* refused(payments), "ran")
      assert.strictEqual(yield* statusOf(request("/circuits")), 200)
    })
  )

  it("a prefix that no client would ask for is refused", () => {
    for (const prefix of ["/", "/..", "/a/../b", "/./a", "//a", "/a/", "/a b", "/:id", "/a*", "/a%2fb"] as const) {
      assert.throws(
        () => ControlPlane.layer({ prefix }),
        'ControlPlane: prefix must be a path of plain segments such as "/internal"'
      )
    }
    for (const prefix of ["/a", "/a/b", "/.well-known/x", "/..a"] as const) ControlPlane.layer({ prefix })
  })

  it.live("reads beyond the limit are 429", () =>
    Effect.gen(function* () {
      const { request } = yield* plane({ limits: { readsPerSecond: 3 } })
      const statuses = yield* Effect.forEach(Array(8).fill(0), () => statusOf(request("/circuits")), {
        concurrency: "unbounded"
      })
      assert.includeMembers(statuses, [200, 429])
    })
  )
})

describe("events", () => {
  const many = { updates: "50 millis", heartbeat: "100 millis" } as const

  it.live("a stream begins with a snapshot and tells changes at once, then what differs", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane({ updates: "50 millis" })
      const payments = yield* breaker("payments")
      yield* breaker("orders")
      const { circuits, operations } = yield* client
      const events = yield* circuits.events()
      const reading = yield* events.pipe(Stream.take(5), Stream.runCollect, Effect.forkChild)
      yield* Effect.sleep("100 millis")
      yield* operations.holdOpen({ payload })
      const [snapshot, activity, alive, change, update] = yield* Fiber.join(reading)
      assert.isTrue(snapshot?.event === "snapshot" && snapshot.data.total === 2 && snapshot.data.circuits.length === 2)
      assert.deepStrictEqual([activity?.event, alive?.event], ["activity", "alive"])
      assert.isTrue(change?.event === "change" && change.data.to._tag === "HeldOpen" && change.data.name === "payments")
      assert.isTrue(update?.event === "update")
      if (update?.event !== "update") return
      assert.deepStrictEqual(
        update.data.circuits.map(({ name, state }) => [name, state._tag]),
        [["payments", "HeldOpen"]]
      )
      assert.deepStrictEqual(yield* payments.status.pipe(Effect.map(({ state }) => state._tag)), "HeldOpen")
    })
  )

  it.live("a circuit that comes is told, and one that goes", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane(many)
      yield* breaker("orders")
      const events = yield* Effect.flatMap(client, ({ circuits }) => circuits.events())
      const reading = yield* events.pipe(
        Stream.filterMap(({ data, event }) => (event === "update" ? Result.succeed(data) : Result.failVoid)),
        Stream.take(2),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* Effect.sleep("200 millis")
      yield* Effect.scoped(Effect.andThen(breaker("brief"), Effect.sleep("200 millis")))
      const updates = yield* Fiber.join(reading)
      assert.deepStrictEqual(
        updates.map(({ circuits, gone, total }) => [circuits.map(({ name }) => name), gone, total]),
        [
          [["brief"], [], 2],
          [[], [{ name: "brief" }], 1]
        ]
      )
    })
  )

  it.live("activity is told by period: the past first, then each period, and nothing of idle circuits", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane({ activity: "200 millis", updates: "10 seconds" })
      const payments = yield* breaker("payments", { ...quick, log: false })
      yield* breaker("idle")
      yield* Effect.void.pipe(CircuitBreaker.protect(payments), Effect.repeat({ times: 2 }))
      yield* call(payments)
      yield* Effect.repeat(refused(payments), { times: 4 })
      yield* Effect.sleep("500 millis")
      const { circuits } = yield* client
      const told = yield* Effect.flatMap(circuits.events(), (events) =>
        events.pipe(
          Stream.filterMap(({ data, event }) => (event === "activity" ? Result.succeed(data) : Result.failVoid)),
          Stream.tap(() => Effect.void.pipe(CircuitBreaker.protect(payments), Effect.ignore)),
          Stream.take(2),
          Stream.runCollect
        )
      )
      const [past, period] = told
      assert.deepStrictEqual([past?.everyMillis, period?.periods], [200, 1])
      assert.isAtLeast(past?.periods ?? 0, 2)
      const [counted] = past?.circuits ?? []
      const sum = (counts: ReadonlyArray<number> = []) => counts.reduce((total, count) => total + count, 0)
      assert.deepStrictEqual(
        [past?.circuits.length, counted?.name, sum(counted?.successes), sum(counted?.failures), sum(counted?.refused)],
        [1, "payments", 3, 1, 5]
      )
      assert.deepStrictEqual(period?.circuits, [{ name: "payments", successes: [0], failures: [0], refused: [1] }])
      assert.isAtMost(Math.abs((period?.at ?? 0) - (past?.at ?? 0) - 200), 150)
    })
  )

  it.live("latencies are measured while somebody reads, and calls pay for nothing else", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane(many)
      const payments = yield* breaker("payments")
      const slow = Effect.sleep("30 millis").pipe(CircuitBreaker.protect(payments))
      yield* slow
      const { circuits } = yield* client
      const latency = Effect.map(circuits.get({ query: { name: "payments" } }), ({ circuit }) => circuit.latency)
      assert.deepStrictEqual([yield* latency, payments.observer, payments.timed], [undefined, undefined, false])
      const reading = yield* Effect.flatMap(circuits.events(), Stream.runDrain).pipe(Effect.forkChild)
      yield* eventually("measuring", () => payments.timed)
      yield* Effect.all([slow, slow, Effect.void.pipe(CircuitBreaker.protect(payments))])
      const measured = yield* latency
      assert.isTrue(
        measured?.calls === 3 && measured.p50 >= 28 && measured.p95 >= measured.p50 && measured.p95 < 5_000,
        JSON.stringify(measured)
      )
      yield* Fiber.interrupt(reading)
      yield* eventually("the end of measuring", () => !payments.timed && payments.observer === undefined)
      assert.isUndefined(yield* latency)
    })
  )

  it.live("a snapshot has the time at which it is told, also where nothing has happened for long", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane(many)
      yield* breaker("orders")
      const { circuits } = yield* client
      const snapshotAt = Effect.flatMap(circuits.events(), (events) =>
        Effect.map(Stream.runHead(events), (first) =>
          first._tag === "Some" && first.value.event === "snapshot" ? first.value.data.at : 0
        )
      )
      yield* Effect.flatMap(circuits.events(), Stream.runDrain).pipe(Effect.forkChild)
      const before = yield* snapshotAt
      yield* Effect.sleep("500 millis")
      assert.isAtLeast((yield* snapshotAt) - before, 450)
    })
  )

  it.live("a total that differs is told, also where no circuit of the list does", () =>
    Effect.gen(function* () {
      const { breaker, client } = yield* plane({ ...many, circuits: 1 })
      const search = yield* breaker("search")
      const events = yield* Effect.flatMap(client, ({ circuits }) => circuits.events())
      const reading = yield* events.pipe(
        Stream.filterMap(({ data, event }) => (event === "update" ? Result.succeed(data) : Result.failVoid)),
        Stream.runHead,
        Effect.forkChild
      )
      yield* Effect.sleep("200 millis")
      yield* Effect.void.pipe(CircuitBreaker.protect(search, { key: "eu" }))
      const first = yield* Fiber.join(reading)
      assert.deepInclude(first._tag === "Some" ? first.value : {}, { circuits: [], gone: [], total: 2 })
    })
  )

  it.live("an idle stream gets a sign of life, and no update where nothing differs", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane(many)
      yield* breaker("orders")
      const socket = yield* open(port)
      let text = ""
      socket.on("data", (bytes) => (text += bytes.toString()))
      yield* Effect.sleep("600 millis")
      assert.include(text.toLowerCase(), "content-type: text/event-stream")
      assert.strictEqual(text.match(/event: snapshot/g)?.length, 1)
      assert.notInclude(text, "event: update")
      assert.isAtLeast(text.match(/^event: alive$/gm)?.length ?? 0, 3)
    })
  )

  it.live("a sign of life says the time and how often there is one, also where updates and activity are rarer", () =>
    Effect.gen(function* () {
      const { client } = yield* plane({ updates: "1 hour", activity: "1 hour", heartbeat: "200 millis" })
      const signs = yield* Effect.flatMap(client, ({ circuits }) => circuits.events()).pipe(
        Effect.map(Stream.filterMap(({ data, event }) => (event === "alive" ? Result.succeed(data) : Result.failVoid))),
        Effect.flatMap((events) => events.pipe(Stream.take(4), Stream.runCollect)),
        Effect.timeout("5 seconds")
      )
      assert.deepStrictEqual(
        signs.map(({ everyMillis }) => everyMillis),
        [200, 200, 200, 200]
      )
      assert.approximately((signs[3]?.at ?? 0) - (signs[1]?.at ?? 0), 400, 150)
    })
  )

  it.live(
    "500 idle streams leave calls and other routes quick, and nothing when they go",
    () =>
      Effect.gen(function* () {
        const { breaker, origin, port, registry, request } = yield* plane({
          updates: "50 millis",
          heartbeat: "1 second",
          limits: { streams: 500, streamsPerAddress: 1000, readsPerSecond: 10_000 }
        })
        const payments = yield* breaker("payments")
        const listeners = registry.listeners.size
        const full = statusOf(request("/events", { method: "HEAD" }))
        /** Opens streams and waits until all have begun. */
        const openAll = (count: number) =>
          Effect.gen(function* () {
            const sockets = yield* Effect.forEach(Array(count).fill(0), () => open(port), { concurrency: 50 })
            let begun = 0
            for (const socket of sockets) {
              socket.once("data", (bytes) => (begun += bytes.toString().startsWith("HTTP/1.1 200 ") ? 1 : 0))
            }
            yield* eventually(`${count} streams`, () => begun === count)
            return sockets
          })
        /** Calls and requests, and how long they take in milliseconds. */
        const work = Effect.gen(function* () {
          const began = performance.now()
          for (let i = 0; i < 1000; i++) yield* Effect.void.pipe(CircuitBreaker.protect(payments))
          for (let i = 0; i < 20; i++) {
            assert.strictEqual(yield* statusOf(Effect.promise(() => fetch(`${origin}/ping`))), 200)
            assert.strictEqual(yield* statusOf(request("/circuits")), 200)
          }
          return performance.now() - began
        })
        const alone = yield* work
        const sockets = yield* openAll(500)
        assert.strictEqual(yield* full, 429)
        assert.strictEqual(registry.listeners.size, listeners)
        const before = process.cpuUsage()
        yield* Effect.sleep("2 seconds")
        const { system, user } = process.cpuUsage(before)
        // Of two seconds, with forty looks at the circuits and two signs of life for each stream.
        assert.isBelow((system + user) / 1000, 1000)
        assert.isBelow(yield* work, 5 * alone + 500)
        for (const socket of sockets) socket.destroy()
        yield* Effect.sleep("200 millis")
        yield* openAll(499)
        // One more has place: none of the streams before holds one.
        assert.strictEqual(yield* full, 200)
      }),
    { timeout: 30_000 }
  )

  it.live("streams beyond the limit are 429, and one that ends makes place", () =>
    Effect.gen(function* () {
      const { port, request } = yield* plane({ limits: { streams: 2 } })
      const [first] = [yield* open(port), yield* open(port)]
      yield* Effect.sleep("100 millis")
      assert.strictEqual(yield* statusOf(request("/events")), 429)
      first.destroy()
      yield* Effect.sleep("100 millis")
      const controller = new AbortController()
      const response = yield* request("/events", { signal: controller.signal })
      assert.strictEqual(response.status, 200)
      controller.abort()
    })
  )

  it.live(
    "a client that never reads is dropped, while one that reads is told everything",
    () =>
      Effect.gen(function* () {
        const { breaker, client, logs, port, request } = yield* plane({
          limits: { streams: 2, streamBytes: 50_000, readsPerSecond: 10_000 }
        })
        const payments = yield* breaker("payments", { log: false })
        const socket = (yield* open(port)).pause()
        const told: Array<string> = []
        const events = yield* Effect.flatMap(client, ({ circuits }) => circuits.events())
        yield* events.pipe(
          Stream.runForEach(({ data, event }) =>
            Effect.sync(() => {
              if (event === "change" && data.to._tag === "HeldOpen") told.push(data.to.by ?? "")
            })
          ),
          Effect.forkChild
        )
        const full = statusOf(request("/events", { method: "HEAD" }))
        yield* Effect.sleep("100 millis")
        assert.strictEqual(yield* full, 429)
        const reason = "x".repeat(500)
        const made: Array<string> = []
        while ((yield* full) === 429 && made.length < 50_000) {
          // A refusal takes half a second.
          for (let i = 0; i < 2000; i++) {
            if (i % 20 === 0) yield* Effect.sleep("1 millis")
            const by = String(made.length)
            made.push(by)
            yield* CircuitBreaker.holdOpen(payments, { reason, by })
          }
        }
        assert.isBelow(made.length, 50_000)
        let closed = false
        let last = ""
        socket.on("close", () => (closed = true)).on("data", (bytes) => (last = bytes.toString()))
        socket.resume()
        yield* eventually("the connection to close", () => closed)
        // The response was not waited for: its last chunk is missing.
        assert.isFalse(last.endsWith("0\r\n\r\n"))
        yield* eventually("all changes", () => told.length === made.length)
        assert.deepStrictEqual(logs, [])
        assert.deepStrictEqual(told, made)
      }),
    { timeout: 60_000 }
  )

  it.live("streams end when the server shuts down, well before its grace is over", () =>
    Effect.gen(function* () {
      const { client, port, registry, stop } = yield* plane(many)
      const socket = yield* open(port)
      let text = ""
      socket.on("data", (bytes) => (text += bytes.toString()))
      const events = yield* Effect.flatMap(client, ({ circuits }) => circuits.events())
      const reading = yield* Effect.forkChild(Stream.runCollect(events))
      yield* eventually("a snapshot", () => text.includes("snapshot"))
      assert.isBelow(yield* stop, 3000)
      assert.strictEqual((yield* Fiber.join(reading))[0]?.event, "snapshot")
      // The last chunk says that the stream is whole.
      yield* eventually("the end of the stream", () => text.endsWith("0\r\n\r\n"))
      assert.strictEqual(registry.listeners.size, 0)
    })
  )

  it.live("streams end within a second of a shutdown, also where updates are rare", () =>
    Effect.gen(function* () {
      const { port, stop } = yield* plane({ updates: "1 hour" })
      const socket = yield* open(port)
      let text = ""
      socket.on("data", (bytes) => (text += bytes.toString()))
      yield* eventually("a snapshot", () => text.includes("snapshot"))
      assert.isBelow(yield* stop, 3000)
    })
  )
})

describe("without a server", () => {
  it.live("a web handler serves it, and its streams end with it", () =>
    Effect.gen(function* () {
      const { dispose, handler } = HttpRouter.toWebHandler(
        ControlPlane.layer({ token }).pipe(Layer.provide(HttpServer.layerServices)),
        { disableLogger: true }
      )
      const response = yield* Effect.promise(() =>
        handler(
          new Request("http://localhost/resilience/events", { headers: { authorization: `Bearer ${secret}` } }),
          Context.empty() as never
        )
      )
      const reader = response.body?.getReader()
      const first = yield* Effect.promise(() => reader?.read() ?? Promise.reject(new Error("no body")))
      assert.include(new TextDecoder().decode(first.value), "event: snapshot")
      yield* Effect.promise(dispose)
      const rest = yield* Effect.promise(async () => {
        let text = ""
        for (;;) {
          const { done, value } = (await reader?.read()) ?? { done: true, value: undefined }
          if (done) return text
          text += new TextDecoder().decode(value)
        }
      })
      // The rest of the snapshot comes first.
      assert.match(rest, /^"circuits":.*\n\n(event: (activity|alive)\ndata: .*\n\n)*$/)
    })
  )
})

describe("the client", () => {
  it("an address that is none, or that holds a secret, is refused without being told", () => {
    for (const url of [
      "orders",
      "ftp://orders",
      "http://ada:hunter2@orders",
      "http://orders?token=hunter2",
      "file:///x"
    ]) {
      const build = () => ControlClient.make({ url })
      assert.throws(build, "ControlClient: url must be an http or https URL")
      assert.throws(build, /^(?!.*hunter2)/)
    }
  })

  it.live("a slash at the end of the address changes nothing", () =>
    Effect.gen(function* () {
      const { origin } = yield* plane()
      const client = yield* ControlClient.make({ url: new URL(`${origin}/resilience/`), token })
      assert.strictEqual((yield* client.circuits.list({ query: {} })).total, 0)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect("a token that goes to another machine over http is warned of", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      for (const [url, given] of [
        ["http://orders.internal/resilience", token],
        ["http://orders.internal/resilience", undefined],
        ["https://orders.internal/resilience", token],
        ["http://localhost:3000/resilience", token],
        ["http://[::1]:3000/resilience", token]
      ] as const) {
        yield* ControlClient.make({ url, token: given }).pipe(Effect.provide(Logger.layer([logger])))
      }
      assert.deepStrictEqual(lines, [
        [
          "The token of the control plane goes to orders.internal without encryption: write https:// in place of http://"
        ]
      ])
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("errors of the control plane are typed", () =>
    Effect.gen(function* () {
      const { origin } = yield* plane()
      const client = yield* ControlClient.make({ url: `${origin}/resilience` })
      const error = yield* Effect.flip(client.circuits.list({ query: {} }))
      assert.strictEqual(error._tag, "Unauthorized")
      assert.isTrue(Cause.isCause(Cause.fail(error)))
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
