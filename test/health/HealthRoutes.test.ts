import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Logger, Ref, Schema, Scope } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer, request as httpRequest } from "node:http"
import * as Health from "../../src/health/Health.ts"
import * as HealthRoutes from "../../src/health/HealthRoutes.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const up = Health.check(Effect.succeed({ connections: 3 }))
const down = Health.check(Effect.fail("connection refused at 10.0.0.7"))
const optional = Health.check(Effect.fail("no route to cache-3"), { critical: false })

/** Says what is on the wire: fetch would normalise the path. */
const raw = (url: string, path: string, method = "GET") =>
  Effect.callback<{ readonly status: number; readonly body: string }>((resume) => {
    const request = httpRequest(url, { path, method, agent: false }, (response) => {
      let body = ""
      response.on("data", (chunk) => (body += String(chunk)))
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body })))
    })
    request.on("error", (error) => resume(Effect.die(error)))
    request.end()
  })

const ask = (url: string, init?: RequestInit) =>
  Effect.promise(async (signal): Promise<Reply> => {
    const response = await fetch(url, { signal, ...init })
    return { status: response.status, headers: response.headers, body: await response.text() }
  })

/** Server on a free port, with the health of the instance behind its routes. */
const app = (
  health: Layer.Layer<Health.Health>,
  options?: HealthRoutes.Options,
  more: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.empty
) =>
  HttpRouter.serve(Layer.merge(HealthRoutes.layer(options), more), { disableListenLog: true }).pipe(
    Layer.provideMerge(health),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 }))
  )

const served = Effect.fnUntraced(function* <E>(layer: Layer.Layer<Health.Health | HttpServer.HttpServer, E>) {
  const context = yield* Layer.build(layer)
  const { address } = Context.get(context, HttpServer.HttpServer)
  const url = `http://127.0.0.1:${"port" in address ? address.port : assert.fail("no port")}`
  return {
    url,
    health: Context.get(context, Health.Health),
    get: (path: string, init?: RequestInit) => ask(`${url}${path}`, init)
  }
})

const serve = (
  checks: Record<string, Health.Check>,
  options?: HealthRoutes.Options,
  settings?: Omit<Health.Options, "checks">
) => served(app(Health.layer({ version: "1.4.0", ...settings, checks }), options))

const json = (reply: Reply): unknown => JSON.parse(reply.body)
const report = (reply: Reply) => Schema.decodeUnknownSync(Health.Report)(json(reply))
const named = (reply: Reply) => report(reply).checks.map((check) => check.name)
const as = (accept: string): RequestInit => ({ headers: { accept } })
const text = as("text/plain")

const routes = ["/livez", "/readyz", "/startupz", "/healthz"]

const quiet = Effect.provide(Logger.layer([]))

describe("the status", () => {
  it.live("is 200 for healthy and degraded, 503 for unhealthy, on the route that the check counts for", () =>
    Effect.gen(function* () {
      const of = (kind: Health.Kind) => Health.check(Effect.fail("down"), { kinds: [kind] })
      const seen = Effect.fnUntraced(function* (checks: Record<string, Health.Check>) {
        const { get } = yield* serve(checks)
        return yield* Effect.forEach(routes, (route) => Effect.map(get(route), ({ status }) => status))
      }, Effect.scoped)

      assert.deepStrictEqual(yield* seen({}), [200, 200, 200, 200])
      assert.deepStrictEqual(yield* seen({ up, optional }), [200, 200, 200, 200])
      assert.deepStrictEqual(yield* seen({ up, down }), [200, 503, 503, 503])
      assert.deepStrictEqual(yield* seen({ loop: of("liveness") }), [503, 200, 200, 503])
      assert.deepStrictEqual(yield* seen({ loop: of("readiness") }), [200, 503, 200, 503])
      assert.deepStrictEqual(yield* seen({ loop: of("startup") }), [200, 200, 503, 503])
    }).pipe(quiet)
  )

  it.live("is 503 while draining, where traffic depends on it", () =>
    Effect.gen(function* () {
      const { get, health } = yield* serve({ up })
      yield* health.drain
      const replies = yield* Effect.forEach([...routes, "/readyz/up"], (route) => get(route))
      assert.deepStrictEqual(
        replies.map((reply) => [reply.status, report(reply).message]),
        [
          [200, undefined],
          [503, "draining"],
          [200, undefined],
          [503, "draining"],
          [503, "draining"]
        ]
      )
      yield* health.undrain
      assert.strictEqual((yield* get("/readyz")).status, 200)
    }).pipe(quiet)
  )

  it.live("of one check is what this check says, critical or not", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up, optional })
      const one = yield* get("/readyz/optional?verbose")
      assert.strictEqual(one.status, 503)
      assert.strictEqual(report(one).status, "unhealthy")
      assert.deepStrictEqual(named(one), ["optional"])
      assert.strictEqual((yield* get("/readyz/up")).status, 200)
      assert.strictEqual((yield* get("/readyz/")).status, 200)
    }).pipe(quiet)
  )

  it.live("is 404 for a name that no check of this route has, and leaves the others out", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up })
      for (const path of ["/readyz/uq", "/livez/up", "/healthz?exclude=uq", "/readyz/constructor"]) {
        const reply = yield* get(path)
        assert.strictEqual(reply.status, 404, path)
        assert.strictEqual(reply.headers.get("cache-control"), "no-store")
        assert.deepStrictEqual(json(reply), { error: "no check has this name" })
      }
      assert.strictEqual((yield* get("/readyz/uq", text)).body, "no check has this name\n")
    }).pipe(quiet)
  )

  it.live("is 405 for other methods, which ask nothing", () =>
    Effect.gen(function* () {
      const runs = yield* Ref.make(0)
      const { get } = yield* serve({ counted: Health.check(Ref.update(runs, (n) => n + 1)) })
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        for (const route of [...routes, "/readyz/counted"]) {
          const reply = yield* get(route, method === "POST" ? { method, body: "{" } : { method })
          assert.strictEqual(reply.status, 405, method)
          assert.strictEqual(reply.headers.get("allow"), "GET, HEAD")
          assert.strictEqual(reply.headers.get("cache-control"), "no-store")
        }
      }
      assert.strictEqual(yield* Ref.get(runs), 0)
    }).pipe(quiet)
  )

  it.live("of HEAD is that of GET, with its headers and no body", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up, down })
      for (const path of [...routes, "/readyz/up", "/readyz/nobody"]) {
        const head = yield* get(path, { method: "HEAD" })
        const full = yield* get(path)
        assert.strictEqual(head.status, full.status, path)
        assert.strictEqual(head.body, "")
        assert.strictEqual(head.headers.get("content-type"), full.headers.get("content-type"))
        assert.isAbove(Number(head.headers.get("content-length")), 10)
      }
    }).pipe(quiet)
  )
})

describe("a path", () => {
  const odd = "db/primary é%"

  it.live("names a check as it is registered, encoded or not", () =>
    Effect.gen(function* () {
      const long = "n".repeat(15_000)
      const { get, url } = yield* serve({ [odd]: up, [long]: up, "..": up })
      assert.strictEqual((yield* get(`/readyz/${encodeURIComponent(odd)}`)).status, 200)
      assert.strictEqual((yield* get(`/readyz/${long}`)).status, 200)
      assert.strictEqual((yield* get(`/readyz/${long}n`)).status, 404)
      assert.strictEqual((yield* raw(url, "/readyz/..")).status, 200)
    }).pipe(quiet)
  )

  it.live("that plays tricks finds no check and no other route", () =>
    Effect.gen(function* () {
      const { get, url } = yield* serve({ up, down })
      const tricks = [
        "/readyz/../livez",
        "/readyz/..%2flivez",
        "/readyz/%2e%2e%2flivez",
        "/readyz/up%2f..%2fdown",
        "/readyz/up/extra",
        "/readyz/up%00",
        "/readyz/%",
        "/readyz/%c0%af",
        "/readyz/..;/livez",
        "/readyz/*",
        "/readyz/__proto__",
        "/readyzup",
        "/x/readyz"
      ]
      for (const path of tricks) assert.strictEqual((yield* raw(url, path)).status, 404, path)
      assert.strictEqual((yield* get("/readyz/up")).status, 200)
    }).pipe(quiet)
  )

  it.live("has the prefix before it, and none without", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up }, { prefix: "/internal/v1.0" })
      for (const route of [...routes, "/readyz/up"]) {
        assert.strictEqual((yield* get(`/internal/v1.0${route}`)).status, 200)
        assert.strictEqual((yield* get(route)).status, 404)
      }
    }).pipe(quiet)
  )
})

describe("the query", () => {
  it.live("leaves checks out, each by a parameter of its own", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up, down, "a,b": optional })
      assert.deepStrictEqual(named(yield* get("/readyz?verbose&exclude=down")), ["up", "a,b"])
      assert.deepStrictEqual(named(yield* get("/readyz?exclude=down&exclude=a%2Cb&verbose")), ["up"])
      assert.deepStrictEqual(named(yield* get("/readyz?exclude=&verbose")), ["up", "down", "a,b"])
      const { status } = yield* get("/readyz?exclude=down")
      assert.strictEqual(status, 200)
    }).pipe(quiet)
  )

  it.live("lists the checks without what they say, unless the app shows it", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up, down })
      const brief = yield* get("/readyz")
      assert.deepStrictEqual(Object.keys(report(brief)).sort(), ["checks", "status", "timestamp", "uptime"])
      assert.deepStrictEqual(named(brief), [])
      const verbose = yield* get("/readyz?verbose")
      assert.deepStrictEqual(
        report(verbose).checks.map(({ name, status }) => [name, status]),
        [
          ["up", "healthy"],
          ["down", "unhealthy"]
        ]
      )
      for (const path of ["/readyz", "/readyz?verbose", "/readyz/down?verbose", "/healthz?verbose=true"]) {
        for (const accept of ["application/json", "application/health+json", "text/plain"]) {
          const { body } = yield* get(path, as(accept))
          for (const secret of ["10.0.0.7", "connections", "1.4.0"]) assert.notInclude(body, secret)
        }
      }
    }).pipe(quiet)
  )
})

describe("details", () => {
  it.live("are in every report where the app says so", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up, down }, { details: true })
      const { checks, status, version } = report(yield* get("/readyz"))
      assert.strictEqual(status, "unhealthy")
      assert.strictEqual(version, "1.4.0")
      assert.deepStrictEqual(
        checks.map(({ details, message }) => [details, message]),
        [
          [{ connections: 3 }, undefined],
          [undefined, "connection refused at 10.0.0.7"]
        ]
      )
      assert.deepStrictEqual(json(yield* get("/readyz/uq")), {
        error: `No check is named "uq": there are up, down`
      })
    }).pipe(quiet)
  )

  it.live("are decided by request, by a value or an effect", () =>
    Effect.gen(function* () {
      const allowed = (request: HttpServerRequest.HttpServerRequest) => request.headers["x-operator"] === "yes"
      for (const details of [
        allowed,
        (request: HttpServerRequest.HttpServerRequest) => Effect.delay(Effect.succeed(allowed(request)), "1 millis")
      ]) {
        const { get } = yield* serve({ up }, { details })
        assert.strictEqual(report(yield* get("/readyz")).version, undefined)
        assert.strictEqual(report(yield* get("/readyz", { headers: { "x-operator": "yes" } })).version, "1.4.0")
      }
    }).pipe(quiet)
  )

  it.live("are left out where the app's function fails, and the probe continues", () =>
    Effect.gen(function* () {
      for (const details of [
        () => assert.fail("thrown"),
        () => Effect.die("died"),
        // What code without types might pass.
        () => Promise.resolve(true) as unknown as boolean
      ]) {
        const { get } = yield* serve({ up }, { details })
        const reply = yield* get("/readyz")
        assert.strictEqual(reply.status, 200)
        assert.strictEqual(report(reply).version, undefined)
      }
    }).pipe(quiet)
  )
})

describe("the body", () => {
  it.live("is JSON by the schema of a report, and not to be stored", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ up }, { details: true })
      const reply = yield* get("/readyz")
      assert.strictEqual(reply.headers.get("content-type"), "application/json")
      assert.strictEqual(reply.headers.get("cache-control"), "no-store")
      assert.strictEqual(reply.headers.get("x-content-type-options"), "nosniff")
      assert.strictEqual(reply.headers.get("cross-origin-resource-policy"), "same-origin")
      assert.deepStrictEqual(Schema.encodeSync(Health.Report)(report(reply)), json(reply) as Health.ReportJson)
    }).pipe(quiet)
  )

  it.live("is the type that the client accepts most", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({})
      const cases: ReadonlyArray<readonly [accept: string, type: string]> = [
        ["*/*", "application/json"],
        ["application/*", "application/json"],
        ["text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "application/json"],
        ["image/png", "application/json"],
        ["text/plain;q=0", "application/json"],
        ["", "application/json"],
        [",;q=,;;", "application/json"],
        ["text/plain", "text/plain"],
        ["TEXT/Plain; charset=utf-8", "text/plain"],
        ["text/*", "text/plain"],
        ["text/plain, application/json", "text/plain"],
        ["application/json, text/plain", "application/json"],
        ["application/json;q=0.5, text/plain;q=0.6", "text/plain"],
        ["*/*, application/json;q=0.1, application/health+json;q=0.1", "text/plain"],
        ["application/json;q=0, application/health+json;q=0, */*", "text/plain"],
        ["application/health+json", "application/health+json"],
        ["application/health+json, application/json;q=0.9", "application/health+json"],
        ["application/health+json; Q=0.1, application/json;q=0.9", "application/json"]
      ]
      for (const [accept, type] of cases) {
        const { headers } = yield* get("/readyz", as(accept))
        assert.strictEqual(headers.get("content-type")?.split(";")[0], type, accept)
      }
    }).pipe(quiet)
  )

  it.live("is a line of text, or one for each check, whatever is in a message", () =>
    Effect.gen(function* () {
      const forged = Health.check(Effect.fail("refused\r\nup: unhealthy\u2028<script>"))
      const { get, health } = yield* serve({ up, forged, optional }, { details: true })
      assert.strictEqual((yield* get("/readyz", text)).body, "unhealthy\n")
      assert.strictEqual(
        (yield* get("/readyz?verbose", text)).body,
        [
          "unhealthy",
          "up: healthy",
          "forged: unhealthy: refused up: unhealthy <script>",
          "optional: unhealthy, not critical: no route to cache-3",
          ""
        ].join("\n")
      )
      yield* health.drain
      assert.strictEqual((yield* get("/readyz", text)).body, "unhealthy: draining\n")
    }).pipe(quiet)
  )

  it.live("is in the terms of the draft where the client accepts these", () =>
    Effect.gen(function* () {
      const { get } = yield* serve({ "a:b": up, a_b: optional }, { details: true })
      const reply = yield* get("/healthz", as("application/health+json"))
      const { checks, ...rest } = json(reply) as { readonly checks: Record<string, ReadonlyArray<object>> }
      assert.deepStrictEqual(rest, { status: "warn", version: "1.4.0" })
      assert.deepStrictEqual(Object.keys(checks), ["uptime", "a_b:responseTime"])
      const [first, second] = checks["a_b:responseTime"]!.map((observation) => ({
        ...observation,
        observedValue: 0,
        time: ""
      }))
      const shape = { componentType: "component", observedValue: 0, observedUnit: "ms", time: "" }
      assert.deepStrictEqual(first as object, { ...shape, status: "pass", details: { connections: 3 } })
      assert.deepStrictEqual(second as object, { ...shape, status: "fail", output: "no route to cache-3" })
    }).pipe(quiet)
  )
})

describe("under load", () => {
  it.live("200 probes at a time share one run of a check", () =>
    Effect.gen(function* () {
      const runs = yield* Ref.make(0)
      const check = Health.check(
        Effect.andThen(
          Ref.update(runs, (n) => n + 1),
          // All probes have to come meanwhile, also on a machine that is busy.
          Effect.sleep("4 seconds")
        ),
        { timeout: "1 minute" }
      )
      const { get } = yield* serve({ check })
      const replies = yield* Effect.forEach(Array.from({ length: 200 }), (_, i) => get(`${routes[1 + (i % 3)]}`), {
        concurrency: "unbounded"
      })
      assert.isTrue(replies.every(({ status }) => status === 200))
      assert.strictEqual(yield* Ref.get(runs), 1)
    }).pipe(quiet)
  )

  it.live("checks that hang hold neither the liveness route nor other checks", () =>
    Effect.gen(function* () {
      const hangs = Health.check(Effect.never, { timeout: "1 minute" })
      const deaf = Health.check(Effect.uninterruptible(Effect.sleep("2 seconds")), { timeout: "1 minute" })
      const { get } = yield* serve({ hangs, deaf, up })
      const waiting = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 50 }), () => get("/readyz"), { concurrency: "unbounded", discard: true }),
        { startImmediately: true }
      )
      yield* Effect.sleep("100 millis")
      const [took, replies] = yield* Effect.timed(
        Effect.all([get("/livez"), get("/readyz/up"), get("/readyz?exclude=hangs&exclude=deaf")])
      )
      assert.deepStrictEqual(
        replies.map(({ status }) => status),
        [200, 200, 200]
      )
      assert.isBelow(Duration.toMillis(took), 1500)
      assert.isUndefined(waiting.pollUnsafe())
      yield* Fiber.interrupt(waiting)
    }).pipe(quiet)
  )

  it.live("a prober that gives up ends the run that only it asked for", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const check = Health.check(Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined)))
      const { url } = yield* serve({ check })
      yield* Effect.tryPromise(() => fetch(`${url}/readyz`, { signal: AbortSignal.timeout(200) })).pipe(Effect.ignore)
      yield* Effect.timeout(Deferred.await(ended), "4 seconds")
    }).pipe(quiet)
  )

  it.live("the request logger leaves probes out", () =>
    Effect.gen(function* () {
      const messages: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => messages.push(message))])
      const orders = HttpRouter.add("GET", "/orders", HttpServerResponse.text("ok"))
      const { get } = yield* served(Layer.provideMerge(app(Health.layer(), {}, orders), logger))
      yield* Effect.forEach([...routes, "/readyz/unknown"], (route) => get(route))
      assert.deepStrictEqual(messages, [])
      yield* get("/orders")
      assert.deepStrictEqual(messages, [["Sent HTTP response"]])
    })
  )
})

describe("draining", () => {
  const ok = HttpServerResponse.text("ok")

  it.live("closes connections with the response, also of a request that came before, and of unknown paths", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const slow = HttpRouter.add(
        "GET",
        "/slow",
        Deferred.succeed(started, undefined).pipe(Effect.andThen(Deferred.await(go)), Effect.as(ok))
      )
      const { get, health } = yield* served(app(Health.layer(), {}, slow))
      assert.strictEqual((yield* get("/livez")).headers.get("connection"), "keep-alive")
      const early = yield* Effect.forkChild(get("/slow"), { startImmediately: true })
      yield* Deferred.await(started)
      yield* health.drain
      yield* Deferred.succeed(go, undefined)
      assert.strictEqual((yield* Fiber.join(early)).headers.get("connection"), "close")
      assert.strictEqual((yield* get("/livez")).headers.get("connection"), "close")
      assert.strictEqual((yield* get("/unknown")).headers.get("connection"), "close")
      yield* health.undrain
      assert.strictEqual((yield* get("/livez")).headers.get("connection"), "keep-alive")
    }).pipe(quiet)
  )

  it.live("loses no request of clients that go by readiness", () =>
    Effect.gen(function* () {
      const orders = HttpRouter.add("GET", "/orders/:millis", () =>
        Effect.flatMap(HttpRouter.params, ({ millis }) => Effect.as(Effect.sleep(Number(millis)), ok))
      )
      const server = yield* Scope.make()
      const { get } = yield* HttpRouter.serve(Layer.merge(HealthRoutes.layer(), orders), {
        disableListenLog: true
      }).pipe(
        HealthRoutes.drainBeforeStop({ drainFor: "2 seconds" }),
        Layer.provideMerge(Health.layer({ checks: { up } })),
        Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0 })),
        served,
        Scope.provide(server)
      )

      let ready = true
      let sent = 0
      const answers: Array<number | string> = []
      const readiness: Array<number> = []
      const order = (millis: number) =>
        Effect.suspend(() => {
          sent++
          return Effect.matchCause(get(`/orders/${millis}`), {
            onFailure: (cause) => void answers.push(String(cause)),
            onSuccess: ({ status }) => void answers.push(status)
          })
        })
      const client = Effect.repeat(Effect.andThen(order(5), Effect.sleep("1 millis")), { while: () => ready })
      const prober = Effect.repeat(
        Effect.andThen(
          Effect.map(get("/readyz"), ({ status }) => void readiness.push(status)),
          Effect.sleep("50 millis")
        ),
        { while: () => readiness.at(-1) === 200 }
      )
      const clients = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 20 }, () => client),
          { concurrency: 20 }
        )
      )
      const probing = yield* Effect.forkChild(
        Effect.ensuring(
          prober,
          Effect.sync(() => (ready = false))
        )
      )
      yield* Effect.sleep("300 millis")

      const stopping = yield* Effect.forkChild(Scope.close(server, Exit.void), { startImmediately: true })
      yield* Fiber.join(probing)
      yield* Fiber.join(clients)
      assert.strictEqual(readiness.at(-1), 503)
      assert.isUndefined(stopping.pollUnsafe(), "the server has stopped")
      assert.strictEqual((yield* get("/livez")).status, 200)
      // These outlast the drain, and the server waits for them.
      const late = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 10 }, () => order(3000)),
          { concurrency: 10 }
        )
      )
      yield* Fiber.join(late)
      yield* Fiber.join(stopping)

      assert.isAbove(sent, 50)
      assert.strictEqual(answers.length, sent)
      assert.deepStrictEqual([...new Set(answers)], [200])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(get("/livez"))), "the server is still there")
    }).pipe(quiet)
  )

  it.effect("turns readiness off at once, and closes the server after `drainFor`", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const note = (what: string) => Effect.sync(() => void log.push(what))
      const scope = yield* Scope.make()
      const server = Layer.effectDiscard(Effect.addFinalizer(() => note("server closed")))
      const context = yield* server.pipe(
        HealthRoutes.drainBeforeStop({ drainFor: "10 seconds" }),
        Layer.provideMerge(Health.layer()),
        Layer.build,
        Scope.provide(scope)
      )
      const health = Context.get(context, Health.Health)
      assert.isFalse(yield* health.isDraining)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.isTrue(yield* health.isDraining)
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(log, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(log, ["server closed"])
      yield* Fiber.join(closing)
    }).pipe(quiet)
  )

  it.effect("continues for 5 seconds by default, and takes the server as its first argument too", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = Layer.succeed(HealthRoutesTest, "built")
      const context = yield* HealthRoutes.drainBeforeStop(server).pipe(
        Layer.provide(Health.layer()),
        Layer.build,
        Scope.provide(scope)
      )
      assert.strictEqual(Context.get(context, HealthRoutesTest), "built")
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
    }).pipe(quiet)
  )
})

class HealthRoutesTest extends Context.Service<HealthRoutesTest, string>()("test/HealthRoutesTest") {}

describe("options", () => {
  const refused = (field: string, build: () => unknown) => {
    try {
      build()
    } catch (error) {
      assert.instanceOf(error, InvalidOptionError)
      assert.deepStrictEqual([error.module, error.field], ["HealthRoutes", field])
      return
    }
    assert.fail(`${field} was accepted`)
  }

  it("that break a rule are refused where they are given", () => {
    const prefixes = [
      "internal",
      "/",
      "/internal/",
      "//a",
      "/a//b",
      "/:id",
      "/a*",
      "/a?b",
      "/a b",
      "/..",
      "/a/./b",
      "/a/.."
    ]
    for (const prefix of [...prefixes, "/a%2fb", 1 as unknown as string]) {
      refused("prefix", () => HealthRoutes.layer({ prefix }))
    }
    refused("details", () => HealthRoutes.layer({ details: "yes" as unknown as boolean }))
    for (const drainFor of [-1, Number.NaN, "Infinity", "soon" as "1 second"] as const) {
      refused("drainFor", () => HealthRoutes.drainBeforeStop(Layer.empty, { drainFor }))
    }
  })

  it("that keep the rules are taken", () => {
    for (const prefix of ["", "/a", "/.well-known/health", "/a/b-c_d~e/v1.2", "/..a", undefined]) {
      HealthRoutes.layer({ prefix })
    }
    HealthRoutes.drainBeforeStop(Layer.empty, { drainFor: 0 })
  })

  it("are described with a function as one", () => {
    assert.deepStrictEqual(HealthRoutes.describe({ details: () => true }), {
      prefix: "",
      details: "a function",
      ttl: 1000
    })
  })
})

describe("results are used again", () => {
  /** Runs of a check by requests and reports, one after the other. */
  const runsOf = (options?: HealthRoutes.Options, settings?: Omit<Health.Options, "checks">) =>
    Effect.gen(function* () {
      let runs = 0
      const count = Health.check(
        Effect.sync(() => {
          runs++
        })
      )
      const { get, health } = yield* serve({ count }, options, settings)
      const asked: Array<number> = []
      for (const path of ["/readyz", "/readyz/count", "/healthz?verbose"]) {
        yield* get(path)
        asked.push(runs)
      }
      yield* TestClock.adjust("999 millis")
      yield* get("/readyz")
      asked.push(runs)
      yield* TestClock.adjust("1 millis")
      yield* get("/readyz")
      asked.push(runs)
      // In code each report runs its checks.
      yield* health.reportFor()
      yield* health.reportFor({ ttl: 0 })
      asked.push(runs)
      yield* health.reportFor({ ttl: "1 minute" })
      asked.push(runs)
      yield* health.reportFor({ ttl: "1 minute", fresh: true })
      asked.push(runs)
      return asked
    })

  it.effect("for a second, so that who asks often runs no check more often", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runsOf(), [1, 1, 1, 1, 2, 4, 4, 5])
    })
  )

  it.effect("or as long as the routes say, and what the layer says goes before", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runsOf({ ttl: 0 }), [1, 2, 3, 4, 5, 7, 7, 8])
      assert.deepStrictEqual(yield* runsOf({ ttl: "1 hour" }), [1, 1, 1, 1, 1, 3, 3, 4])
      assert.deepStrictEqual(yield* runsOf({}, { ttl: 0 }), [1, 2, 3, 4, 5, 7, 8, 9])
      assert.deepStrictEqual(yield* runsOf({ ttl: 0 }, { ttl: "1 hour" }), [1, 1, 1, 1, 1, 1, 1, 2])
    })
  )
})
