/**
 * Control plane of an application: an HTTP API that shows its circuits and
 * operates them.
 *
 * **Details**
 *
 * - Nothing is served unless the layer is mounted. Routes that change something
 *   exist only if a token is configured, or if the application authorizes
 *   requests itself (`layerAuthorized`).
 * - Tokens are bearer tokens in the header `authorization`. Cookies and queries
 *   are ignored, and no CORS header is sent.
 * - Every change is logged with the operator, the reason and the operation.
 * - The health report exists if the `Health` service is provided.
 *
 * **Gotchas**
 *
 * A reader of `/events` counts as one until its connection closes, or it takes
 * nothing for two heartbeats.
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
 * const token = crypto.randomUUID()
 * const Control = ControlPlane.layer({ token: Redacted.make(token) })
 * const { dispose, handler } = HttpRouter.toWebHandler(
 *   Layer.mergeAll(Control, Payments.layer).pipe(Layer.provide(HttpServer.layerServices)),
 *   { disableLogger: true }
 * )
 *
 * const list = (headers: HeadersInit) => handler(new Request("http://localhost/resilience/circuits", { headers }))
 * const refused = await list({})
 * const listed = await list({ authorization: `Bearer ${token}` })
 * const { circuits } = await listed.json()
 * await dispose()
 *
 * refused.status // => 401
 * circuits[0].state._tag // => "Closed"
 * ```
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import * as CircuitBreakers from "../breaker/CircuitBreakers.ts"
import * as Health from "../health/Health.ts"
import * as ControlApi from "./ControlApi.ts"
import { resolve, resolveShared, type Options, type Resolved, type TokenOptions } from "./internal/ControlOptions.ts"
import * as ChangeBudgets from "./internal/ChangeBudgets.ts"
import type * as DashboardPage from "./internal/DashboardPage.ts"
import * as Feed from "./internal/Feed.ts"
import * as Guards from "./internal/Guards.ts"
import * as Routes from "./internal/Routes.ts"
import * as Tokens from "./internal/Tokens.ts"

export { Config, defaults, describe, resolve } from "./internal/ControlOptions.ts"
export type {
  ConfigJson,
  Limits,
  LimitsConfig,
  Options,
  Resolved,
  TokenOptions,
  TokensResolved
} from "./internal/ControlOptions.ts"
export type { NamedTokens } from "./internal/Tokens.ts"

/**
 * Services that a server provides to routes.
 */
export type ServerServices =
  HttpRouter.HttpRouter | Etag.Generator | HttpPlatform.HttpPlatform | FileSystem.FileSystem | Path.Path

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
  const resolved = resolve(options)
  const { reading, token } = resolved
  const tokens = token === undefined ? undefined : Tokens.of(token)
  return Layer.provide(
    mount(resolved, {
      changes: tokens !== undefined,
      token: tokens === undefined ? undefined : reading === "token" ? "all" : "changes",
      by: tokens?.every(({ operator }) => operator !== undefined) === true ? "known" : "needed"
    }),
    Layer.effect(ControlApi.Authorization, Guards.authorization(resolved, tokens ?? [], reading))
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
  mount(resolveShared(options, true), { changes: true, token: undefined, by: "optional" })

/** Access to a control plane, as its page has to know it. */
type Access = Omit<DashboardPage.Config, "health">

const mount = (
  resolved: Resolved,
  access: Access
): Layer.Layer<never, never, ServerServices | ControlApi.Authorization> => {
  const policies = Routes.describePolicies(resolved.policies)
  return Layer.unwrap(
    Effect.gen(function* () {
      const registry = yield* CircuitBreakers.CircuitBreakers
      const health = yield* Effect.serviceOption(Health.Health)
      const feed = yield* Feed.make(registry, resolved)
      const document = ControlApi.document({
        prefix: resolved.prefix,
        changes: access.changes,
        health: Option.isSome(health),
        token: access.token
      })
      const data = Layer.mergeAll(
        Routes.circuitsLayer(resolved, yield* Guards.circuitBudget(resolved), policies, registry, feed, document),
        Option.isSome(health) ? Routes.healthLayer(resolved, health.value) : Layer.empty,
        access.changes
          ? Routes.operationsLayer(registry, feed, new ChangeBudgets.ChangeBudgets(resolved.limits))
          : Layer.empty
      )
      const page = resolved.dashboard
        ? Routes.dashboardLayer({ ...access, health: Option.isSome(health) })
        : Layer.empty
      return Layer.merge(
        Layer.provide(data, Routes.guarded(resolved.origins, "data")),
        Layer.provide(page, Routes.guarded(resolved.origins, "page"))
      )
    })
  ).pipe(
    Layer.provide([
      CircuitBreakers.layer,
      Layer.effect(ControlApi.Requests, Guards.requests(resolved)),
      Routes.prefixed(resolved.prefix)
    ])
  )
}
