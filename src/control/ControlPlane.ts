/**
 * Control plane of an application: an HTTP API that shows its circuits and
 * steers them.
 *
 * **Details**
 *
 * - Nothing is served unless the layer is mounted. Routes that change something
 *   are there only where a token is configured, or where the application
 *   authorizes by itself (`layerAuthorized`).
 * - Tokens are bearer tokens in the header `authorization`. Cookies and queries
 *   are not looked at, and no CORS header is sent.
 * - Every change is logged with who made it, why and what.
 * - The health report is there where the `Health` service is.
 *
 * **Gotchas**
 *
 * A reader of `/events` is not known to be gone before its connection closes.
 *
 * **Example** (Mounting it)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { HttpRouter, HttpServer } from "effect/http"
 * import { CircuitBreaker, ControlPlane } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments") {}
 *
 * const Control = ControlPlane.layer({ token: Redacted.make("correct-horse-battery-staple") })
 * const { dispose, handler } = HttpRouter.toWebHandler(
 *   Layer.mergeAll(Control, Payments.layer).pipe(Layer.provide(HttpServer.layerServices)),
 *   { disableLogger: true }
 * )
 *
 * const list = (headers: HeadersInit) => handler(new Request("http://localhost/resilience/circuits", { headers }))
 * const refused = await list({})
 * const listed = await list({ authorization: "Bearer correct-horse-battery-staple" })
 * const { circuits } = await listed.json()
 * await dispose()
 *
 * refused.status // => 401
 * circuits[0].state._tag // => "Closed"
 * ```
 */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiError from "effect/http-api/HttpApiError"
import type * as Etag from "effect/http/Etag"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { hasProperty } from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type { unhandled } from "effect/Types"
import * as CircuitBreakers from "../breaker/CircuitBreakers.ts"
import * as Operations from "../breaker/internal/Operations.ts"
import type * as Operation from "../circuit/internal/Operation.ts"
import * as Policy from "../compose/Policy.ts"
import * as Json from "../core/internal/Json.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as Text from "../core/internal/Text.ts"
import * as Health from "../health/Health.ts"
import * as ControlApi from "./ControlApi.ts"
import * as DashboardPage from "./internal/DashboardPage.ts"
import * as Feed from "./internal/Feed.ts"
import * as Tokens from "./internal/Tokens.ts"

export type { NamedTokens } from "./internal/Tokens.ts"

/**
 * How much may be asked of a control plane.
 */
export interface Limits {
  /** Changes a minute. Default: 60. */
  readonly changesPerMinute?: number | undefined
  /** Requests that read, but for those of streams, a second, and as many for the page. Default: 100. */
  readonly readsPerSecond?: number | undefined
  /** Wrong tokens a minute that are answered with 401 and logged. Further ones get 429. Default: 30. */
  readonly wrongTokensPerMinute?: number | undefined
  /** Streams of events at one time. Default: 1000. */
  readonly streams?: number | undefined
  /** Bytes that may wait for the reader of a stream. Default: 4 MiB. */
  readonly streamBytes?: number | undefined
}

/**
 * Options of a control plane.
 */
export interface Options {
  /** Path under which it is mounted. Default: `"/resilience"`. */
  readonly prefix?: `/${string}` | undefined
  /** Policies that it describes, by name. Default: none. */
  readonly policies?: { readonly [name: string]: Policy.Any } | undefined
  /**
   * Whether it shows messages of errors, and messages and details of health
   * checks. Default: whether reading needs credentials.
   */
  readonly details?: boolean | undefined
  /** Circuits that a list holds where the request does not say. Default: 500. */
  readonly circuits?: number | undefined
  /** How often streams are told what differs. Default: 1 second. */
  readonly updates?: Duration.Input | undefined
  /** How long a period is by which activity is counted, of which 60 are kept. Default: 5 seconds. */
  readonly activity?: Duration.Input | undefined
  /** Whether there is a page that shows all of it. Default: true. */
  readonly dashboard?: boolean | undefined
  /** How often streams get a sign of life. Default: 15 seconds. */
  readonly heartbeat?: Duration.Input | undefined
  /** How much may be asked of it. */
  readonly limits?: Limits | undefined
}

/**
 * Options of a control plane that knows operators by tokens.
 */
export interface TokenOptions extends Options {
  /**
   * Token of all operators, or tokens by the operator's name. A token has at
   * least 16 characters of `A-Z a-z 0-9 - . _ ~ + / =`. Default: none, and no
   * routes that change something.
   */
  readonly token?: Redacted.Redacted | Tokens.NamedTokens | undefined
  /** Whether reading needs a token too. Default: `"token"` where one is configured, else `"open"`. */
  readonly reading?: "token" | "open" | undefined
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  prefix: "/resilience",
  circuits: 500,
  updates: "1 second",
  activity: "5 seconds",
  dashboard: true,
  heartbeat: "15 seconds",
  changesPerMinute: 60,
  readsPerSecond: 100,
  wrongTokensPerMinute: 30,
  streams: 1000,
  streamBytes: 4 * 1024 * 1024
} as const

/**
 * Services that a server provides to routes.
 */
export type ServerServices =
  HttpRouter.HttpRouter | Etag.Generator | HttpPlatform.HttpPlatform | FileSystem.FileSystem | Path.Path

const module = "ControlPlane"

const maxBodyBytes = 16 * 1024

/**
 * Mounts a control plane that knows operators by tokens.
 *
 * **Details**
 *
 * It shows the breakers that register with `CircuitBreakers.layer`. Throws an
 * `InvalidOptionError` for a bad option, such as a token that is empty.
 *
 * **Gotchas**
 *
 * Without a token everybody who reaches the server can read.
 */
export const layer = (options: TokenOptions = {}): Layer.Layer<never, never, ServerServices> => {
  const tokens = Tokens.resolve(module, options.token)
  const reading = options.reading ?? (tokens === undefined ? "open" : "token")
  if (reading === "token" && tokens === undefined)
    Rules.reject(module, "token", undefined, "given to read with a token")
  const settings = resolve(options, reading === "token")
  return Layer.provide(
    mount(settings, {
      changes: tokens !== undefined,
      token: tokens === undefined ? undefined : reading === "token" ? "all" : "changes",
      by: tokens?.every(({ operator }) => operator !== undefined) === true ? "known" : "needed"
    }),
    Layer.effect(ControlApi.Authorization, byToken(settings, tokens ?? [], reading))
  )
}

/**
 * Mounts a control plane whose operators the application authorizes.
 *
 * **Details**
 *
 * The middleware of the application decides on every request. It sees the group
 * of the route: `"operations"` changes something, `"circuits"` and `"health"`
 * read, `"dashboard"` is a page without data.
 */
export const layerAuthorized = (
  options: Options = {}
): Layer.Layer<never, never, ServerServices | ControlApi.Authorization> =>
  mount(resolve(options, true), { changes: true, token: undefined, by: "optional" })

interface Settings extends Feed.Settings {
  readonly prefix: `/${string}`
  readonly policies: ReadonlyArray<(typeof ControlApi.PolicyDescription)["Type"]>
  readonly changesPerMinute: number
  readonly readsPerSecond: number
  readonly wrongTokensPerMinute: number
  readonly streams: number
  readonly dashboard: boolean
}

const resolve = (options: Options, authorized: boolean): Settings => {
  const { activity, circuits, dashboard, details, heartbeat, limits = {}, policies = {}, prefix, updates } = options
  const limit = (field: "changesPerMinute" | "readsPerSecond" | "wrongTokensPerMinute" | "streams" | "streamBytes") =>
    Rules.count(module, `limits.${field}`, limits[field] ?? defaults[field])
  return {
    prefix:
      prefix === undefined || prefixRule.test(prefix)
        ? (prefix ?? defaults.prefix)
        : Rules.reject(module, "prefix", prefix, "a path such as /resilience"),
    policies: Object.entries(policies).map(([name, policy]) => ({
      name,
      text: Policy.describe(policy),
      ...described(Policy.describe(policy, "json"))
    })),
    details: details ?? authorized,
    circuits: atMost("circuits", Rules.count(module, "circuits", circuits ?? defaults.circuits)),
    everyMillis: Rules.millis(module, "updates", updates ?? defaults.updates),
    activityMillis: Rules.millis(module, "activity", activity ?? defaults.activity),
    dashboard: dashboard ?? defaults.dashboard,
    heartbeatMillis: Rules.millis(module, "heartbeat", heartbeat ?? defaults.heartbeat),
    changesPerMinute: limit("changesPerMinute"),
    readsPerSecond: limit("readsPerSecond"),
    wrongTokensPerMinute: limit("wrongTokensPerMinute"),
    streams: limit("streams"),
    streamBytes: limit("streamBytes")
  }
}

// Segments that clients, proxies and the router take as they are.
const prefixRule = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+$/

const atMost = (field: string, value: number): number =>
  value <= ControlApi.bounds.circuits
    ? value
    : Rules.reject(module, field, value, `at most ${ControlApi.bounds.circuits}`)

const described = ({ layers, warnings }: Policy.Description) => ({
  layers: layers.map(({ kind, parameters }) => ({ kind, parameters: Json.jsonSafe(parameters) })),
  warnings
})

const byToken = (settings: Settings, tokens: ReadonlyArray<Tokens.Token>, reading: "token" | "open") =>
  Effect.map(makeLimiter, (limiter) =>
    ControlApi.Authorization.of((httpEffect, { endpoint, group }) =>
      Effect.gen(function* () {
        const isOpen = reading === "open" && group.identifier !== ControlApi.OperationsGroup.identifier
        // A browser that opens the page cannot bring a token yet.
        if (isOpen || group.identifier === ControlApi.DashboardGroup.identifier) {
          return yield* Effect.provideService(httpEffect, ControlApi.Operator, { name: undefined })
        }
        const request = yield* HttpServerRequest.HttpServerRequest
        const operator = Tokens.operatorOf(tokens, request)
        if (operator !== undefined) return yield* Effect.provideService(httpEffect, ControlApi.Operator, operator)
        yield* setHeader("www-authenticate", "Bearer")
        if (request.headers["authorization"] === undefined) {
          return yield* new ControlApi.Unauthorized({ message: "A bearer token is needed" })
        }
        yield* limiter("wrongTokens", settings.wrongTokensPerMinute, "1 minute")
        yield* Effect.logWarning("Control plane refused a wrong token").pipe(
          Effect.annotateLogs("control.action", endpoint.identifier)
        )
        return yield* new ControlApi.Unauthorized({ message: "One valid bearer token is needed" })
      })
    )
  )

const setHeader = (name: string, value: string) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, name, value))
  )

const tooMany = (message: string, retryAfter: number) =>
  Effect.andThen(
    setHeader("retry-after", String(retryAfter)),
    Effect.fail(new ControlApi.TooManyRequests({ message, retryAfter }))
  )

/**
 * Creates a function that takes a token of a bucket, or fails.
 */
const makeLimiter = /* @__PURE__ */ (() =>
  RateLimiter.make.pipe(
    Effect.provide(RateLimiter.layerStoreMemory, { local: true }),
    Effect.map(
      ({ consume }) =>
        (key: string, limit: number, window: Duration.Input) =>
          Effect.catch(consume({ algorithm: "token-bucket", key, limit, window }), ({ reason }) =>
            tooMany(
              "Too many requests",
              reason._tag === "RateLimitExceeded" ? Math.max(1, Math.ceil(Duration.toSeconds(reason.retryAfter))) : 1
            )
          )
    )
  ))()

const requests = (settings: Settings) =>
  Effect.map(makeLimiter, (limiter) =>
    ControlApi.Requests.of((httpEffect, { endpoint, group }) =>
      Effect.gen(function* () {
        if (endpoint.method === "POST") {
          yield* limiter("changes", settings.changesPerMinute, "1 minute")
          yield* checkBody
        } else if (group.identifier === ControlApi.DashboardGroup.identifier) {
          // Who needs no token takes nothing from those who have one.
          yield* limiter("pages", settings.readsPerSecond, "1 second")
        } else if (endpoint.identifier !== "events") {
          yield* limiter("reads", settings.readsPerSecond, "1 second")
        }
        return yield* Effect.catch(httpEffect, (error): Effect.Effect<never, unhandled | ControlApi.InvalidRequest> =>
          HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders"
            ? Effect.fail(new ControlApi.InvalidRequest({ message: explain(error) }))
            : Effect.fail(error)
        )
      })
    )
  )

const explain = ({ cause, kind }: HttpApiError.HttpApiSchemaError): string => {
  const text = `${kind}: ${cause.message}`
  return text.length > 500 ? `${text.slice(0, 499)}…` : text
}

/**
 * Reads the body, which is kept for who decodes it.
 */
const checkBody = /* @__PURE__ */ (() =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { headers } = request
    // A form of another site can send any other type without being asked.
    if (
      !/^application\/json *(;|$)/i.test(headers["content-type"] ?? "") ||
      headers["content-encoding"] !== undefined
    ) {
      return yield* new ControlApi.NotJson({ message: "The body must be application/json" })
    }
    const tooLarge = new ControlApi.BodyTooLarge({
      message: `The body must be no longer than ${maxBodyBytes} bytes`,
      maxBytes: maxBodyBytes
    })
    if (Number(headers["content-length"] ?? 0) > maxBodyBytes) return yield* tooLarge
    yield* request.text.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
      Effect.mapError(() => tooLarge)
    )
  }))()

interface Routes {
  /** Whether there are routes that change something. */
  readonly changes: boolean
  /** What needs a token, absent where there are none. */
  readonly token: "all" | "changes" | undefined
  /** Whether a change has to say who makes it, because the credentials do not. */
  readonly by: "needed" | "known" | "optional"
}

const mount = (
  settings: Settings,
  routes: Routes
): Layer.Layer<never, never, ServerServices | ControlApi.Authorization> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const registry = yield* CircuitBreakers.CircuitBreakers
      const health = yield* Effect.serviceOption(Health.Health)
      const feed = yield* Feed.make(registry, settings)
      const document = ControlApi.document({
        prefix: settings.prefix,
        changes: routes.changes,
        health: Option.isSome(health),
        token: routes.token
      })
      return Layer.mergeAll(
        circuitsLayer(settings, registry, feed, document),
        Option.isSome(health) ? healthLayer(settings.details, health.value) : Layer.empty,
        routes.changes ? operationsLayer(registry, feed) : Layer.empty,
        settings.dashboard ? dashboardLayer({ ...routes, health: Option.isSome(health) }) : Layer.empty
      )
    })
  ).pipe(
    Layer.provide([
      CircuitBreakers.layer,
      Layer.effect(ControlApi.Requests, requests(settings)),
      prefixed(settings.prefix)
    ])
  )

/**
 * Router whose routes begin with the prefix, and whose responses stay where they
 * were asked for.
 */
const prefixed = (prefix: string) =>
  Layer.effect(
    HttpRouter.HttpRouter,
    HttpRouter.HttpRouter.useSync((router) => router.prefixed(prefix))
  ).pipe(
    Layer.merge(
      HttpRouter.middleware((httpEffect) =>
        Effect.map(httpEffect, (response) =>
          HttpServerResponse.setHeaders(response, { ...responseHeaders, ...response.headers })
        )
      ).layer
    )
  )

const responseHeaders = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff"
}

const circuitsLayer = (
  settings: Settings,
  registry: CircuitBreakers.CircuitBreakers["Service"],
  feed: Feed.Feed,
  document: Schema.Json
) =>
  HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.CircuitsGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.CircuitsGroup), "circuits", (handlers) =>
        handlers.handleAll({
          list: ({ query }) => Effect.sync(() => feed.list(query.limit ?? settings.circuits)),
          get: ({ query: { key, name } }) =>
            Effect.suspend(() => {
              const breaker = registry.entries.get(name)?.breaker
              const circuit = breaker?.existing(key)
              return breaker === undefined || circuit === undefined
                ? Effect.fail(unknown(name, key))
                : Effect.succeed({ circuit: feed.circuit(breaker, circuit), changes: feed.history(name, key) })
            }),
          changes: () => Effect.sync(feed.changes),
          policies: () => Effect.succeed(settings.policies),
          events: ({ request }) =>
            feed.readers() >= settings.streams
              ? tooMany("Too many streams", 5)
              : Effect.withFiber((fiber) =>
                  Effect.succeed(
                    HttpServerResponse.stream(feed.events({ fiber, isClosing: () => isClosing(request.source) }), {
                      contentType: "text/event-stream",
                      // A proxy that buffers would hold events back, and a connection that is
                      // kept after its stream would hold a shutdown up.
                      headers: { "x-accel-buffering": "no", connection: "close" }
                    })
                  )
                ),
          openapi: () => Effect.succeed(document)
        })
      )
    )
  )

// Node's server stops to listen when it begins to shut down, and then waits for
// its connections. Nothing else says so to a response that does not end.
const isClosing = (source: object): boolean =>
  hasProperty(source, "socket") &&
  hasProperty(source.socket, "server") &&
  hasProperty(source.socket.server, "listening") &&
  source.socket.server.listening === false

const dashboardLayer = (config: DashboardPage.Config) => {
  const page = HttpServerResponse.text(DashboardPage.render(config), {
    contentType: "text/html; charset=utf-8",
    headers: { "content-security-policy": DashboardPage.contentSecurityPolicy, "referrer-policy": "no-referrer" }
  })
  return HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.DashboardGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.DashboardGroup), "dashboard", (handlers) =>
        handlers.handle("page", () => Effect.succeed(page))
      )
    )
  )
}

const healthLayer = (details: boolean, health: Health.Health["Service"]) =>
  HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.HealthGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.HealthGroup), "health", (handlers) =>
        handlers.handle("report", () =>
          // Without names there are no unknown ones.
          Effect.map(Effect.orDie(health.reportFor()), (report) => (details ? report : withoutDetails(report)))
        )
      )
    )
  )

// The messages of a report and of its checks may hold what errors say.
const withoutDetails = ({ checks, status, timestamp, uptime, version }: Health.Report): Health.Report => ({
  status,
  ...(version === undefined ? undefined : { version }),
  uptime,
  timestamp,
  checks: checks.map(({ checkedAt, critical, latency, name, status }) => ({
    name,
    status,
    critical,
    latency,
    checkedAt
  }))
})

const operationsLayer = (registry: CircuitBreakers.CircuitBreakers["Service"], feed: Feed.Feed) =>
  HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.OperationsGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.OperationsGroup), "operations", (handlers) => {
        const change =
          (action: Operation.Action) =>
          ({ payload }: { readonly payload: (typeof ControlApi.Hold)["Type"] }) =>
            Effect.gen(function* () {
              const { key, name, reason } = payload
              const operator = yield* ControlApi.Operator
              const by = operator.name ?? payload.by
              if (by === undefined) return yield* new ControlApi.InvalidRequest({ message: "Payload: by is needed" })
              yield* CircuitBreakers.get(name).pipe(
                Effect.provideService(CircuitBreakers.CircuitBreakers, registry),
                Effect.flatMap(Operations.make(action, { ...payload, by })),
                Effect.andThen(
                  Effect.logInfo(`Control plane: ${action} ${Text.label(name, key)}${Text.why(by, reason)}`).pipe(
                    Effect.annotateLogs({
                      "control.action": action,
                      "control.by": Text.printable(by),
                      "control.reason": Text.printable(reason),
                      ...(payload.for === undefined ? undefined : { "control.for": Duration.format(payload.for) }),
                      "circuit.name": Text.printable(name),
                      ...(key === undefined ? undefined : { "circuit.key": Text.printable(key) })
                    })
                  )
                ),
                // What was done is logged, whoever still listens.
                Effect.uninterruptible,
                Effect.catchDefect((defect) =>
                  defect instanceof Rules.InvalidOptionError
                    ? Effect.fail(new ControlApi.InvalidRequest({ message: `Payload: ${defect.message}` }))
                    : Effect.die(defect)
                ),
                Effect.catchTag("UnknownBreakerError", () => Effect.fail(unknown(name, key)))
              )
              const breaker = registry.entries.get(name)?.breaker
              const circuit = breaker?.existing(key)
              // It may have left the registry meanwhile.
              if (breaker === undefined || circuit === undefined) return yield* unknown(name, key)
              return feed.circuit(breaker, circuit)
            })
        return handlers.handleAll({
          holdOpen: change("hold-open"),
          holdClosed: change("hold-closed"),
          release: change("release"),
          reset: change("reset")
        })
      })
    )
  )

const unknown = (name: string, key: string | undefined) =>
  new ControlApi.UnknownCircuit({
    message: key === undefined ? "No breaker has that name" : "No circuit has that name and key",
    name,
    ...(key === undefined ? undefined : { key })
  })
