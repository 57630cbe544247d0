/**
 * Routes of a control plane.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { hasProperty, isObject } from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import * as Operations from "../../breaker/internal/Operations.ts"
import type * as Operation from "../../circuit/internal/Operation.ts"
import * as Policy from "../../compose/Policy.ts"
import * as Json from "../../core/internal/Json.ts"
import * as Redact from "../../core/internal/Redact.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Text from "../../core/internal/Text.ts"
import type * as Health from "../../health/Health.ts"
import * as ControlApi from "../ControlApi.ts"
import type { Resolved } from "./ControlOptions.ts"
import * as DashboardPage from "./DashboardPage.ts"
import type * as Feed from "./Feed.ts"
import type { ChangeBudgets } from "./ChangeBudgets.ts"
import * as Guards from "./Guards.ts"
import type { Reader } from "./Subscribers.ts"
import * as Origins from "./Origins.ts"

/**
 * Provides a router whose routes begin with the prefix.
 */
export const prefixed = (prefix: string) =>
  Layer.effect(
    HttpRouter.HttpRouter,
    HttpRouter.HttpRouter.useSync((router) => router.prefixed(prefix))
  )

/**
 * Refuses requests of other sites to routes, whose responses are neither cached,
 * framed nor sniffed.
 */
export const guarded = (origins: ReadonlyArray<string>, part: Origins.Part) => {
  const guard = Origins.guard(origins, part)
  return HttpRouter.middleware((httpEffect) =>
    Effect.map(guard(httpEffect), (response) =>
      HttpServerResponse.setHeaders(response, { ...responseHeaders, ...response.headers })
    )
  ).layer
}

const responseHeaders = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff"
}

type PolicyDescription = (typeof ControlApi.PolicyDescription)["Type"]

export const describePolicies = (policies: Resolved["policies"]): ReadonlyArray<PolicyDescription> =>
  Object.entries(policies).map(([name, policy]) => {
    const { layers, warnings } = Policy.describe(policy, "json")
    return {
      name,
      text: Policy.describe(policy),
      layers: layers.map(({ kind, parameters }) => ({ kind, parameters: Json.jsonSafe(parameters) })),
      warnings
    }
  })

export const circuitsLayer = (
  { circuits }: Resolved,
  budget: Guards.CircuitBudget,
  policies: ReadonlyArray<PolicyDescription>,
  registry: CircuitBreakers.CircuitBreakers["Service"],
  feed: Feed.Feed,
  document: Schema.Json
) => {
  const described = json(JSON.stringify(policies))
  const openapi = json(JSON.stringify(document))
  return HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.CircuitsGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.CircuitsGroup), "circuits", (handlers) =>
        handlers.handleAll({
          list: ({ query: { limit = circuits } }) =>
            Effect.suspend(() => budget(feed.length(limit))).pipe(Effect.andThen(feed.list(limit)), Effect.map(json)),
          get: ({ query: { key, name } }) =>
            Effect.suspend(() => {
              const breaker = registry.entries.get(name)?.breaker
              const circuit = breaker?.existing(key)
              return breaker === undefined || circuit === undefined
                ? Effect.fail(unknown(name, key))
                : Effect.succeed({ circuit: feed.circuit(breaker, circuit), changes: feed.history(name, key) })
            }),
          changes: () => Effect.sync(() => json(feed.changes())),
          policies: () => Effect.succeed(described),
          events: ({ request }) =>
            Effect.gen(function* () {
              const { name } = yield* ControlApi.Operator
              const reader = yield* Effect.withFiber((fiber) => Effect.succeed(readerOf(request, name, fiber)))
              const refused = feed.refusal(reader)
              if (refused !== undefined) return yield* Guards.tooMany(refused, 5)
              if (request.method !== "HEAD") {
                yield* budget(feed.length(circuits))
                yield* feed.prepare
              }
              return HttpServerResponse.stream(feed.events(reader), {
                contentType: "text/event-stream",
                // A proxy that buffers would hold events back, and a connection that is
                // kept after its stream would hold a shutdown up.
                headers: { "x-accel-buffering": "no", connection: "close" }
              })
            }),
          openapi: () => Effect.succeed(openapi)
        })
      )
    )
  )
}

// The bytes are the same for all readers.
const json = (body: string | Uint8Array): HttpServerResponse.HttpServerResponse =>
  typeof body === "string"
    ? HttpServerResponse.text(body, { contentType: "application/json" })
    : HttpServerResponse.uint8Array(body, { contentType: "application/json" })

const readerOf = (
  request: HttpServerRequest.HttpServerRequest,
  operator: string | undefined,
  fiber: Fiber.Fiber<unknown, unknown>
): Reader => {
  const { source } = request
  const isAlone = hasProperty(source, "httpVersionMajor") && source.httpVersionMajor === 1
  return {
    fiber,
    isClosing: () => isClosing(source),
    operator,
    address: Option.getOrUndefined(request.remoteAddress),
    connection: isAlone && hasProperty(source, "socket") && isObject(source.socket) ? source.socket : undefined
  }
}

// Node's server stops to listen when it begins to shut down, and then waits for
// its connections. Nothing else says so to a response that does not end.
const isClosing = (source: object): boolean =>
  hasProperty(source, "socket") &&
  hasProperty(source.socket, "server") &&
  hasProperty(source.socket.server, "listening") &&
  source.socket.server.listening === false

export const dashboardLayer = (config: DashboardPage.Config) => {
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

export const healthLayer = ({ details, updates }: Resolved, health: Health.Health["Service"]) =>
  HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.HealthGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.HealthGroup), "health", (handlers) =>
        handlers.handle("report", () =>
          // Without names there are no unknown ones.
          Effect.map(Effect.orDie(health.reportFor({ ttl: updates })), (report) =>
            details ? report : withoutDetails(report)
          )
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

export const operationsLayer = (
  registry: CircuitBreakers.CircuitBreakers["Service"],
  feed: Feed.Feed,
  budgets: ChangeBudgets
) =>
  HttpApiBuilder.layer(ControlApi.Base.add(ControlApi.OperationsGroup)).pipe(
    Layer.provide(
      HttpApiBuilder.group(ControlApi.Base.add(ControlApi.OperationsGroup), "operations", (handlers) => {
        const change =
          (action: Operation.Action) =>
          ({ payload }: { readonly payload: (typeof ControlApi.Hold)["Type"] }) =>
            Effect.gen(function* () {
              const { key, name } = payload
              const operator = yield* ControlApi.Operator
              const given = operator.name ?? payload.by
              if (given === undefined) return yield* new ControlApi.InvalidRequest({ message: "Payload: by is needed" })
              // The log is for other people than the one who wrote them.
              const [by, reason] = [Redact.credentials(given), Redact.credentials(payload.reason)]
              if (!registry.entries.has(name)) return yield* unknown(name, key)
              const isHold = action === "hold-open" || action === "hold-closed"
              const wait = budgets.take(operator.name, isHold, yield* Clock.currentTimeMillis)
              if (wait > 0) return yield* Guards.tooMany("Too many changes", Math.ceil(wait / 1000))
              yield* CircuitBreakers.get(name).pipe(
                Effect.provideService(CircuitBreakers.CircuitBreakers, registry),
                Effect.flatMap(Operations.make(action, { ...payload, by, reason })),
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
              feed.expire()
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
