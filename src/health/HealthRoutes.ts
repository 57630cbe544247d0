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
 *   reports. A result is used again for `ttl`, one second, unless the check or the
 *   health layer says otherwise: requests need no credentials, and must not be able
 *   to keep a dependency busy. A run is not kept for a prober that has left.
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
import * as Cause from "effect/Cause"
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
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as Trace from "../core/internal/Trace.ts"
import * as Health from "./Health.ts"
import { headers, negotiate, notFoundResponse, reportResponse } from "./internal/HealthFormats.ts"

const module = "HealthRoutes"

/**
 * Options of the routes.
 */
export interface Options {
  /** Path before all routes, such as `"/internal"`. Default: `""`. */
  readonly prefix?: string | undefined
  /**
   * Whether a report holds messages and details of checks and the version, for
   * all requests or by request. Default: `false`.
   */
  readonly details?:
    boolean | ((request: HttpServerRequest.HttpServerRequest) => boolean | Effect.Effect<boolean>) | undefined
  /**
   * How long a result is used again where neither its check nor the health layer
   * has a `ttl` or a `schedule`. Default: 1 second.
   */
  readonly ttl?: Duration.Input | undefined
}

/**
 * Values of options that are not given.
 */
export const defaults = {
  prefix: "",
  details: false,
  ttl: "1 second"
} as const satisfies Options

/**
 * Options of the routes, checked and with their defaults. Durations are
 * milliseconds.
 */
export interface Resolved {
  readonly prefix: string
  readonly details: NonNullable<Options["details"]>
  readonly ttl: number
}

/**
 * Checks the options of the routes. Throws an `InvalidOptionError` for one that
 * breaks a rule.
 */
export const resolve = (options: Options = {}): Resolved => {
  const details = options.details ?? defaults.details
  if (typeof details !== "boolean" && typeof details !== "function") {
    Rules.reject(module, "details", details, "true or false, or a function")
  }
  return {
    prefix: Rules.path<string>(module, "prefix", options.prefix ?? defaults.prefix, "empty"),
    details,
    ttl: Rules.millis(module, "ttl", options.ttl ?? defaults.ttl, "zero")
  }
}

/**
 * Options of the routes that a configuration holds.
 */
export interface Config {
  readonly prefix?: string
  readonly details?: boolean
  readonly ttl?: Duration.Duration
}

/**
 * Options of the routes in JSON.
 */
export interface ConfigJson {
  readonly prefix?: string
  readonly details?: boolean
  readonly ttl?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of the routes, to read them from JSON, or from the
 * environment through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      prefix: Schema.optionalKey(Schema.String),
      details: Schema.optionalKey(Schema.Boolean),
      ttl: Schema.optionalKey(ConfigSchema.DurationInput)
    }),
    (options) => resolve(options)
  ))()

/**
 * Options of the routes with their defaults, as JSON.
 */
export interface Description {
  readonly prefix: string
  readonly details: boolean | "a function"
  readonly ttl: number
}

/**
 * Returns the options of the routes with their defaults, as JSON. `Config` reads
 * it back where `details` is not a function. Durations are milliseconds.
 */
export const describe = (options?: Options): Description => {
  const { details, prefix, ttl } = resolve(options)
  return { prefix, details: typeof details === "function" ? "a function" : details, ttl }
}

/**
 * Options of a server that drains.
 */
export interface DrainOptions {
  /**
   * How long the server continues after readiness is off: as long as it takes
   * until no load balancer sends requests. Default: 5 seconds.
   */
  readonly drainFor?: Duration.Input | undefined
}

/**
 * Values of options of a server that drains, where they are not given.
 */
export const drainDefaults = {
  drainFor: "5 seconds"
} as const satisfies DrainOptions

/**
 * Options of a server that drains, checked and with their defaults. Durations
 * are milliseconds.
 */
export interface ResolvedDrain {
  readonly drainFor: number
}

/**
 * Checks the options of a server that drains. Throws an `InvalidOptionError` for
 * one that breaks a rule.
 */
export const resolveDrain = (options: DrainOptions = {}): ResolvedDrain => ({
  drainFor: Rules.millis(module, "drainFor", options.drainFor ?? drainDefaults.drainFor, "zero")
})

/**
 * Options of a server that drains that a configuration holds.
 */
export interface DrainConfig {
  readonly drainFor?: Duration.Duration
}

/**
 * Options of a server that drains in JSON.
 */
export interface DrainConfigJson {
  readonly drainFor?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of a server that drains, to read them from JSON, or from
 * the environment through `Config.schema` of Effect.
 */
export const DrainConfig: Schema.Codec<DrainConfig, DrainConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(ConfigSchema.struct({ drainFor: Schema.optionalKey(ConfigSchema.DurationInput) }), (options) =>
    resolveDrain(options)
  ))()

/**
 * Returns the options of a server that drains with their defaults, as JSON that
 * `DrainConfig` reads. Durations are milliseconds.
 */
export const describeDrain = (options?: DrainOptions): DrainConfigJson => resolveDrain(options)

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
  const { details, prefix, ttl } = resolve(options)
  const allowed = typeof details === "function" ? byRequest(details) : () => Effect.succeed(details)
  const before = prefix === "" ? "" : `${prefix.slice(1)}/`
  return HttpRouter.use((router) =>
    Effect.gen(function* () {
      const health = yield* Health.Health
      for (const [path, kind] of routes) {
        // The router adds the path without a name as well.
        yield* router.add("*", `/${before}${path}/*`, respond(health, kind, ttl, allowed))
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
 * When the layer closes, readiness turns off, the server continues for `drainFor`,
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
      const { drainFor } = resolveDrain(options)
      // What is built after the server is closed before it.
      return Layer.provideMerge(Layer.effectDiscard(drainAtEnd(Duration.millis(drainFor))), server)
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
        Effect.as(
          Effect.logWarning(`the report is without details: their function failed: ${Trace.of(Cause.die(defect))}`),
          false
        )
      )
    )

type HealthService = Health.Health["Service"]

const closeWhileDraining =
  (health: HealthService): HttpEffect.PreResponseHandler =>
  (_request, response) =>
    Effect.map(health.isDraining, (draining) =>
      draining ? HttpServerResponse.setHeader(response, "connection", "close") : response
    )

const respond = (health: HealthService, kind: Health.Kind | undefined, ttl: number, details: Details) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return HttpServerResponse.empty({ status: 405, headers: { ...headers, allow: "GET, HEAD" } })
    }
    const { "*": name = "" } = yield* HttpRouter.params
    const query = yield* HttpServerRequest.ParsedSearchParams
    const format = negotiate(request.headers["accept"])
    return yield* ask(health, name, { kind, ttl, exclude: all(query["exclude"]) }).pipe(
      Effect.flatMap((report) =>
        Effect.map(details(request), (allowed) => {
          const verbose = query["verbose"] !== undefined
          const status = report.status === "unhealthy" ? 503 : 200
          return reportResponse(allowed ? report : conceal(report, verbose), { format, status, verbose })
        })
      ),
      Effect.catch((error) =>
        Effect.map(details(request), (allowed) => notFoundResponse(allowed ? error.message : unknownCheck, format))
      )
    )
  }, HttpMiddleware.withLoggerDisabled)

const unknownCheck = "no check has this name"

const all = (values: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  (typeof values === "string" ? [values] : (values ?? [])).filter((value) => value !== "")

const ask = (health: HealthService, name: string, options: Health.ReportOptions) =>
  name === ""
    ? health.reportFor(options)
    : Effect.flatMap(health.reportFor({ ...options, exclude: undefined, only: [name] }), ofOne)

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
