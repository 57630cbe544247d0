/**
 * Routes that answer for the health of a service, and a server that drains
 * before it stops.
 *
 * **Details**
 *
 * - `/livez`, `/readyz` and `/startupz` report on the checks of a kind,
 *   `/healthz` on all. `/readyz/database` reports on one check of that route.
 * - Healthy and degraded are 200, unhealthy is 503. So is draining, for `/readyz`
 *   and `/healthz`. A name that no check has is 404, a method other than GET and
 *   HEAD 405.
 * - `?exclude=cache` leaves a check out, and may be repeated. `?verbose` lists
 *   the checks.
 * - The body is the report as JSON, or by the `accept` header as
 *   `application/health+json` or plain text. Among types that are accepted
 *   alike the first counts. A header that accepts none of them gets JSON.
 * - Messages and details of checks and the version are left out unless `details`
 *   says otherwise. Then a report is always complete.
 * - Probes share the runs of checks and the age of results with all other
 *   reports. A prober that goes away is no longer waited for.
 * - The request logger leaves probes out.
 * - While the service drains, each response of the router asks its client to
 *   close the connection, so that the next request goes to another instance.
 *
 * **Gotchas**
 *
 * - Names of checks are no secret here: `?verbose` lists them.
 * - A route that the app has under the same path is a defect of the layer. Use
 *   `prefix`.
 *
 * **Example** (Answering probes)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Health, HealthRoutes } from "effect-resilience"
 *
 * const HealthLive = Health.layer({
 *   checks: {
 *     database: Health.check(Effect.succeed(true)),
 *     cache: Health.check(Effect.fail("connection refused"), { critical: false })
 *   }
 * })
 * const Routes = HealthRoutes.layer().pipe(Layer.provide(HealthLive))
 *
 * const { handler, dispose } = HttpRouter.toWebHandler(Routes)
 * const response = await handler(new Request("http://localhost/readyz?verbose", { headers: { accept: "text/plain" } }))
 *
 * response.status // => 200
 * await response.text() // => "degraded\ndatabase: healthy\ncache: unhealthy, not critical\n"
 * await dispose()
 * ```
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Rules from "../core/internal/Rules.ts"
import * as Health from "./Health.ts"

/**
 * Options of the routes.
 */
export interface Options {
  /** Path before all routes, such as `"/internal"`. Default: none. */
  readonly prefix?: string | undefined
  /**
   * Whether a report holds messages and details of checks and the version, for
   * all requests or by request. Default: `false`.
   */
  readonly details?:
    boolean | ((request: HttpServerRequest.HttpServerRequest) => boolean | Effect.Effect<boolean>) | undefined
}

/**
 * Options of a server that drains.
 */
export interface DrainOptions {
  /**
   * How long the server goes on after readiness is off: as long as it takes
   * until no load balancer sends requests. Default: 5 seconds.
   */
  readonly drainFor?: Duration.Input | undefined
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  prefix: "",
  details: false,
  drainFor: "5 seconds"
} as const satisfies Options & DrainOptions

/**
 * Creates the layer that adds the routes to the router.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` for an option that breaks a rule. Where a
 * function for `details` throws or dies, the request gets a report without
 * them.
 *
 * **Gotchas**
 *
 * A function for `details` that waits keeps the prober waiting, on `/livez` too.
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, Health.Health | HttpRouter.HttpRouter> => {
  const { details, prefix } = resolve(options)
  return HttpRouter.use((router) =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      for (const [path, kind] of routes) {
        // The router adds the path without a name as well.
        yield* router.add("*", `/${prefix}${path}/*`, respond(health, kind, details))
      }
      yield* router.addGlobalMiddleware(HttpEffect.withPreResponseHandler(closeWhileDraining(health)))
    })
  )
}

/**
 * Makes a server drain before it stops.
 *
 * **Details**
 *
 * When the layer closes, readiness turns off, the server goes on for `drainFor`,
 * and only then is the layer of the server closed. What that does with the
 * requests that are under way is its own: `NodeHttpServer` waits for them, 20
 * seconds at most. Throws an `InvalidOptionError` for an option that breaks a
 * rule.
 *
 * **Gotchas**
 *
 * - The routes and this layer have to share one `Health`: two calls of
 *   `Health.layer` are two instances.
 * - Whoever stops the process has to wait for `drainFor` and the requests:
 *   `terminationGracePeriodSeconds` in Kubernetes.
 *
 * **Example** (Draining a server)
 *
 * ```ts no-run
 * import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Health, HealthRoutes } from "effect-resilience"
 * import { createServer } from "node:http"
 *
 * const Server = HttpRouter.serve(HealthRoutes.layer()).pipe(
 *   HealthRoutes.drainBeforeStop({ drainFor: "10 seconds" }),
 *   Layer.provide(Health.layer()),
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 }))
 * )
 *
 * NodeRuntime.runMain(Layer.launch(Server))
 * ```
 */
export const drainBeforeStop: {
  (options?: DrainOptions): <A, E, R>(server: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | Health.Health>
  <A, E, R>(server: Layer.Layer<A, E, R>, options?: DrainOptions): Layer.Layer<A, E, R | Health.Health>
} = /* @__PURE__ */ (() =>
  dual(
    (args) => Layer.isLayer(args[0]),
    <A, E, R>(server: Layer.Layer<A, E, R>, options: DrainOptions = {}): Layer.Layer<A, E, R | Health.Health> => {
      const drainFor = Duration.millis(
        Rules.millis("HealthRoutes", "drainFor", options.drainFor ?? defaults.drainFor, "zero")
      )
      // What is built after the server is closed before it.
      return Layer.provideMerge(Layer.effectDiscard(drainAtEnd(drainFor)), server)
    }
  ))()

const drainAtEnd = Effect.fnUntraced(function* (drainFor: Duration.Duration) {
  const health = yield* Health.Health
  yield* Effect.addFinalizer(() =>
    health.drain.pipe(
      Effect.andThen(Effect.logInfo(`readiness is off, the server stops in ${Duration.format(drainFor)}`)),
      Effect.andThen(Effect.sleep(drainFor))
    )
  )
})

const routes: ReadonlyArray<readonly [path: string, kind: Health.Kind | undefined]> = [
  ["livez", "liveness"],
  ["readyz", "readiness"],
  ["startupz", "startup"],
  ["healthz", undefined]
]

type Details = (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<boolean>

const resolve = (options: Options): { readonly details: Details; readonly prefix: string } => {
  const prefix = Rules.path("HealthRoutes", "prefix", options.prefix ?? defaults.prefix, "empty")
  const details = options.details ?? defaults.details
  if (typeof details !== "boolean" && typeof details !== "function") {
    Rules.reject("HealthRoutes", "details", details, "a boolean or a function")
  }
  return {
    prefix: prefix === "" ? "" : `${prefix.slice(1)}/`,
    details: typeof details === "function" ? byRequest(details) : () => Effect.succeed(details)
  }
}

const byRequest =
  (details: Exclude<NonNullable<Options["details"]>, boolean>): Details =>
  (request) =>
    Effect.suspend(() => {
      const allowed = details(request)
      return Effect.isEffect(allowed) ? allowed : Effect.succeed(allowed)
    }).pipe(
      // Code without types may return anything, a promise too.
      Effect.map((allowed: unknown) => allowed === true),
      Effect.catchDefect((defect) =>
        Effect.as(Effect.logWarning("the report is without details: their function failed", defect), false)
      )
    )

type HealthService = Health.Health["Service"]

const closeWhileDraining =
  (health: HealthService): HttpEffect.PreResponseHandler =>
  (_request, response) =>
    Effect.map(health.isDraining, (draining) =>
      draining ? HttpServerResponse.setHeader(response, "connection", "close") : response
    )

const respond = (health: HealthService, kind: Health.Kind | undefined, details: Details) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return HttpServerResponse.empty({ status: 405, headers: { ...headers, allow: "GET, HEAD" } })
    }
    const { "*": name = "" } = yield* HttpRouter.params
    const query = yield* HttpServerRequest.ParsedSearchParams
    const format = negotiate(request.headers["accept"])
    return yield* ask(health, kind, name, all(query["exclude"])).pipe(
      Effect.flatMap((report) =>
        Effect.map(details(request), (allowed) => {
          const verbose = query["verbose"] !== undefined
          const status = report.status === "unhealthy" ? 503 : 200
          return print(allowed ? report : conceal(report, verbose), { format, status, verbose })
        })
      ),
      Effect.catch((error) =>
        Effect.map(details(request), (allowed) => refuse(allowed ? error.message : unknownCheck, format))
      )
    )
  }, HttpMiddleware.withLoggerDisabled)

const unknownCheck = "no check has this name"

const all = (values: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  (typeof values === "string" ? [values] : (values ?? [])).filter((value) => value !== "")

const ask = (health: HealthService, kind: Health.Kind | undefined, name: string, exclude: ReadonlyArray<string>) =>
  name === "" ? health.reportFor({ kind, exclude }) : Effect.flatMap(health.reportFor({ kind, only: [name] }), ofOne)

// Who asks for one check asks what it says, critical or not. It may have been removed while it ran.
const ofOne = ({ status, ...report }: Health.Report): Effect.Effect<Health.Report, { readonly message: string }> => {
  const [check] = report.checks
  return check === undefined
    ? Effect.fail({ message: unknownCheck })
    : Effect.succeed({ ...report, status: report.message === undefined ? check.status : status })
}

const conceal = ({ version: _version, ...report }: Health.Report, verbose: boolean): Health.Report => ({
  ...report,
  checks: verbose ? report.checks.map(({ details: _details, message: _message, ...check }) => check) : []
})

// A report is of the moment, and a message in it is never markup.
const headers = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

type Format = "json" | "health" | "text"

/** In the order in which they are preferred where all are accepted alike. */
const mediaTypes: Readonly<Record<Format, string>> = {
  json: "application/json",
  health: "application/health+json",
  text: "text/plain"
}
const formats: ReadonlyArray<Format> = ["json", "health", "text"]

const negotiate = (accept: string | undefined): Format => {
  if (accept === undefined) return "json"
  const ranges = accept.split(",").map((part) => {
    const [range = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase())
    const weight = parameters.find((parameter) => /^q\s*=/.test(parameter))
    const q = weight === undefined ? 1 : Number(weight.slice(weight.indexOf("=") + 1))
    return { range, q: Number.isNaN(q) ? 1 : q }
  })
  let best: { readonly format: Format; readonly q: number; readonly index: number } | undefined
  for (const format of formats) {
    const mediaType = mediaTypes[format]
    // The most specific range says how much a type is wanted.
    const index = [mediaType, mediaType.replace(/\/.*/, "/*"), "*/*"]
      .map((wanted) => ranges.findIndex(({ range }) => range === wanted))
      .find((index) => index !== -1)
    const q = index === undefined ? 0 : (ranges[index]?.q ?? 0)
    if (index === undefined || q <= 0) continue
    if (best === undefined || q > best.q || (q === best.q && index < best.index)) best = { format, q, index }
  }
  return best?.format ?? "json"
}

const print = (
  report: Health.Report,
  { format, status, verbose }: { readonly format: Format; readonly status: number; readonly verbose: boolean }
): HttpServerResponse.HttpServerResponse => {
  switch (format) {
    case "text":
      return HttpServerResponse.text(asText(report, verbose), { status, headers })
    case "health":
      return HttpServerResponse.jsonUnsafe(asHealthJson(report), { status, headers, contentType: mediaTypes.health })
    case "json":
      return HttpServerResponse.jsonUnsafe(encode(report), { status, headers })
  }
}

const encode = /* @__PURE__ */ (() => Schema.encodeSync(Health.Report))()

const refuse = (error: string, format: Format): HttpServerResponse.HttpServerResponse =>
  format === "text"
    ? HttpServerResponse.text(`${oneLine(error)}\n`, { status: 404, headers })
    : HttpServerResponse.jsonUnsafe({ error }, { status: 404, headers })

const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ")

const asText = (report: Health.Report, verbose: boolean): string => {
  const lines = [
    because(report.status, report.message),
    ...(verbose ? report.checks.map((check) => `${check.name}: ${because(verdict(check), check.message)}`) : [])
  ]
  return lines.map((line) => `${oneLine(line)}\n`).join("")
}

const because = (what: string, message: string | undefined): string =>
  message === undefined ? what : `${what}: ${message}`

const verdict = ({ critical, status }: Health.CheckReport): string =>
  status === "unhealthy" && !critical ? "unhealthy, not critical" : status

const words = { healthy: "pass", degraded: "warn", unhealthy: "fail" } as const satisfies Record<Health.Status, string>

/** Returns a report in the terms of the Internet-Draft "Health Check Response Format for HTTP APIs". */
const asHealthJson = ({ checks, message, status, timestamp, uptime, version }: Health.Report) => {
  const observations: Record<string, Array<unknown>> = {
    uptime: [
      {
        componentType: "system",
        observedValue: Duration.toSeconds(uptime),
        observedUnit: "s",
        status: "pass",
        time: DateTime.formatIso(timestamp)
      }
    ]
  }
  for (const { checkedAt, details, latency, message, name, status } of checks) {
    // A colon ends the name of a component, and several observations may have one key.
    const key = `${name.replaceAll(":", "_")}:responseTime`
    observations[key] = [
      ...(observations[key] ?? []),
      {
        componentType: "component",
        observedValue: Duration.toMillis(latency),
        observedUnit: "ms",
        status: words[status],
        time: DateTime.formatIso(checkedAt),
        ...(message === undefined ? undefined : { output: message }),
        ...(details === undefined ? undefined : { details })
      }
    ]
  }
  return {
    status: words[status],
    ...(version === undefined ? undefined : { version }),
    ...(message === undefined ? undefined : { output: message }),
    checks: observations
  }
}
