/**
 * Definition of the control plane: its routes with their inputs and outputs.
 *
 * **Details**
 *
 * - `Api` is an `HttpApi` of Effect. `ControlPlane` serves it and `ControlClient`
 *   calls it, so both sides agree by their types.
 * - The group `circuits` reads, `health` reports, `operations` changes. Only
 *   groups that are mounted are served.
 * - Names and keys are in the query or in the body, so that a request can hold
 *   every name of a breaker.
 * - Times are milliseconds since the epoch, as in `CircuitState`.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import { isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as CircuitState from "../circuit/CircuitState.ts"
import type * as Actions from "../circuit/internal/Operation.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Json from "../core/internal/Json.ts"
import type * as Rules from "../core/internal/Rules.ts"
import * as Text from "../core/internal/Text.ts"
import * as HealthReport from "../health/internal/HealthReport.ts"

/**
 * Upper bounds: of texts in UTF-16 units, of a hold in days, of a list in circuits.
 */
export const bounds = {
  name: 256,
  key: 512,
  reason: 500,
  by: 100,
  holdDays: 3650,
  circuits: 2000
} as const

/**
 * Error of a request that brings no valid credentials.
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()(
  "Unauthorized",
  { message: Schema.String },
  { httpApiStatus: 401 }
) {}

/**
 * Error of a request that its sender is not allowed to make.
 */
export class Forbidden extends Schema.TaggedError<Forbidden>()(
  "Forbidden",
  { message: Schema.String },
  { httpApiStatus: 403 }
) {}

/**
 * Error of a request that breaks a rule of the definition.
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>()(
  "InvalidRequest",
  { message: Schema.String },
  { httpApiStatus: 400 }
) {}

/**
 * Error of a body that is too long.
 */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>()(
  "BodyTooLarge",
  { message: Schema.String, maxBytes: Schema.Int },
  { httpApiStatus: 413 }
) {}

/**
 * Error of a body whose content type is not JSON.
 */
export class NotJson extends Schema.TaggedError<NotJson>()(
  "NotJson",
  { message: Schema.String },
  { httpApiStatus: 415 }
) {}

/**
 * Error of a request that came too soon after others.
 */
export class TooManyRequests extends Schema.TaggedError<TooManyRequests>()(
  "TooManyRequests",
  {
    message: Schema.String,
    /** Seconds after which to ask again, as in the header `retry-after`. */
    retryAfter: Schema.Int
  },
  { httpApiStatus: 429 }
) {}

/**
 * Error of a name that no breaker has, or of a key that no call has used.
 */
export class UnknownCircuit extends Schema.TaggedError<UnknownCircuit>()(
  "UnknownCircuit",
  { message: Schema.String, name: Schema.String, key: Schema.optionalKey(Schema.String) },
  { httpApiStatus: 404 }
) {}

/**
 * Operator who makes a request.
 */
export class Operator extends Context.Service<
  Operator,
  {
    /** Name of the operator, `undefined` if the credentials do not tell it. */
    readonly name: string | undefined
  }
>()("effect-resilience/ControlApi/Operator") {}

/**
 * Middleware that decides whether a request is allowed, and by whom it is made.
 *
 * **Details**
 *
 * `ControlPlane.layer` provides it with bearer tokens. An application with users
 * of its own provides it itself and mounts `ControlPlane.layerAuthorized`.
 */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: Operator }>()(
  "effect-resilience/ControlApi/Authorization",
  { error: [Unauthorized, Forbidden, TooManyRequests] }
) {}

/**
 * Middleware that refuses requests which break a rule of the definition.
 */
export class Requests extends HttpApiMiddleware.Service<Requests, { requires: Operator }>()(
  "effect-resilience/ControlApi/Requests",
  { error: [InvalidRequest, BodyTooLarge, NotJson, TooManyRequests] }
) {}

const Name = /* @__PURE__ */ (() =>
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(bounds.name)).annotate({
    description: "Name of the breaker"
  }))()

const Key = /* @__PURE__ */ (() =>
  Schema.String.check(Schema.isMaxLength(bounds.key)).annotate({
    description: "Key of the circuit. Default: the breaker's own circuit"
  }))()

// The text of an operator ends up in logs and in tables of databases.
const written = (max: number, description: string) =>
  Schema.String.check(
    Schema.isMaxLength(max),
    Schema.makeFilter((text) => text.trim() !== "" && Text.isSeen(text), {
      expected: "a text of one line that is not blank, whose every character is seen"
    })
  ).annotate({ description })

const At = /* @__PURE__ */ (() => Schema.Finite.annotate({ description: "Milliseconds since the epoch" }))()

const Outcome = /* @__PURE__ */ (() => Schema.Literals(["Success", "Failure", "Ignored"]))()

/**
 * Latencies of the latest calls of a circuit, in milliseconds.
 *
 * **Details**
 *
 * Calls are measured while somebody reads a stream of events.
 */
export const Latency = /* @__PURE__ */ (() =>
  Schema.Struct({
    /** Latency that half of the calls did not exceed. */
    p50: Schema.Finite,
    /** Latency that 95 % of the calls did not exceed. */
    p95: Schema.Finite,
    /** Calls that were measured, at most 100. */
    calls: Schema.Int
  }).annotate({ identifier: "Latency" }))()

export interface Latency extends Schema.Schema.Type<typeof Latency> {}

/**
 * State and counts of a circuit.
 */
export const Circuit = /* @__PURE__ */ (() =>
  Schema.Struct({
    name: Schema.String,
    /** Absent for the breaker's own circuit. */
    key: Schema.optionalKey(Schema.String),
    state: CircuitState.CircuitState,
    dryRun: Schema.Boolean,
    /** Since the circuit was made. */
    counts: Schema.Struct({
      calls: Schema.Int,
      successes: Schema.Int,
      failures: Schema.Int,
      ignored: Schema.Int,
      slow: Schema.Int,
      refused: Schema.Int,
      changes: Schema.Int
    }),
    inFlight: Schema.Int,
    /** Failures, or slow calls, in the window of each trip policy. */
    windows: Schema.Array(Schema.Struct({ policy: Schema.String, hits: Schema.Int, calls: Schema.Int })),
    /** Latest outcomes, the newest last. */
    recent: Schema.Array(Outcome),
    lastFailure: Schema.optionalKey(
      Schema.Struct({
        at: At,
        /** Absent if the control plane does not show details. */
        message: Schema.optionalKey(Schema.String)
      })
    ),
    /** When a call may next be admitted, absent if one may now or if that cannot be known. */
    retryAt: Schema.optionalKey(At),
    /** How long the latest calls took, absent before the first one that was measured. */
    latency: Schema.optionalKey(Latency)
  }).annotate({ identifier: "Circuit" }))()

export interface Circuit extends Schema.Schema.Type<typeof Circuit> {}

/**
 * Change of the state of a circuit.
 */
export const Change = /* @__PURE__ */ (() =>
  Schema.Struct({
    /** When the control plane received it. */
    at: At,
    name: Schema.String,
    key: Schema.optionalKey(Schema.String),
    from: CircuitState.CircuitState,
    to: CircuitState.CircuitState
  }).annotate({ identifier: "Change" }))()

export interface Change extends Schema.Schema.Type<typeof Change> {}

/**
 * List of circuits at a moment.
 *
 * **Details**
 *
 * Breakers' own circuits come first, in the order of registration. Those of keys
 * follow, the open and held ones first.
 */
export const Circuits = /* @__PURE__ */ (() =>
  Schema.Struct({
    at: At,
    circuits: Schema.Array(Circuit),
    /** Number of all circuits, listed or not. */
    total: Schema.Int
  }).annotate({ identifier: "Circuits" }))()

export interface Circuits extends Schema.Schema.Type<typeof Circuits> {}

/**
 * Differences in the list of circuits since the event before.
 */
export const Update = /* @__PURE__ */ (() =>
  Schema.Struct({
    at: At,
    /** Circuits of the list that differ. */
    circuits: Schema.Array(Circuit),
    /** Circuits that left the list. */
    gone: Schema.Array(Schema.Struct({ name: Schema.String, key: Schema.optionalKey(Schema.String) })),
    total: Schema.Int
  }).annotate({ identifier: "Update" }))()

export interface Update extends Schema.Schema.Type<typeof Update> {}

/**
 * Calls of circuits by period.
 *
 * **Details**
 *
 * A circuit has one number for each period, the newest last, and fewer than
 * `periods` if it is younger. Circuits without calls are left out.
 */
export const Activity = /* @__PURE__ */ (() =>
  Schema.Struct({
    /** When the last period ended. */
    at: At,
    /** Length of a period. */
    everyMillis: Schema.Finite,
    periods: Schema.Int,
    circuits: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        key: Schema.optionalKey(Schema.String),
        successes: Schema.Array(Schema.Int),
        failures: Schema.Array(Schema.Int),
        refused: Schema.Array(Schema.Int)
      })
    )
  }).annotate({ identifier: "Activity" }))()

export interface Activity extends Schema.Schema.Type<typeof Activity> {}

/**
 * Sign of life of a stream.
 */
export const Alive = /* @__PURE__ */ (() =>
  Schema.Struct({
    at: At,
    /** Time between two of them. A stream without one for much longer is broken, even without an error. */
    everyMillis: Schema.Finite
  }).annotate({ identifier: "Alive" }))()

export interface Alive extends Schema.Schema.Type<typeof Alive> {}

/**
 * Circuit with its history.
 */
export const CircuitWithHistory = /* @__PURE__ */ (() =>
  Schema.Struct({
    circuit: Circuit,
    /** Latest changes since the control plane was mounted, the newest last. */
    changes: Schema.Array(Change)
  }).annotate({ identifier: "CircuitWithHistory" }))()

/**
 * Policy as `Policy.describe` describes it.
 */
export const PolicyDescription = /* @__PURE__ */ (() =>
  Schema.Struct({
    name: Schema.String,
    text: Schema.String,
    layers: Schema.Array(Schema.Struct({ kind: Schema.String, parameters: Schema.Json })),
    warnings: Schema.Array(Schema.String)
  }).annotate({ identifier: "Policy" }))()

/**
 * Event of the stream.
 *
 * **Details**
 *
 * A stream begins with a `snapshot`, an `activity` of the last minutes and an
 * `alive`. Then come a `change` for each change of state, at once, an `update`
 * where the list differs from the one before, an `activity` for each period, and
 * an `alive` as often as the first one said.
 */
export const Event = /* @__PURE__ */ (() =>
  Schema.Union([
    Schema.Struct({ event: Schema.Literal("snapshot"), data: Schema.fromJsonString(Circuits) }),
    Schema.Struct({ event: Schema.Literal("update"), data: Schema.fromJsonString(Update) }),
    Schema.Struct({ event: Schema.Literal("change"), data: Schema.fromJsonString(Change) }),
    Schema.Struct({ event: Schema.Literal("activity"), data: Schema.fromJsonString(Activity) }),
    Schema.Struct({ event: Schema.Literal("alive"), data: Schema.fromJsonString(Alive) })
  ]))()

export type Event = (typeof Event)["Type"]

const For = /* @__PURE__ */ (() =>
  ConfigSchema.DurationInput.check(
    Schema.makeFilter(
      (duration: Duration.Duration) =>
        Duration.isGreaterThan(duration, Duration.zero) &&
        Duration.isLessThanOrEqualTo(duration, Duration.days(bounds.holdDays)),
      { expected: `a duration > 0 of at most ${bounds.holdDays} days` }
    )
  ).annotate({
    description: 'How long the hold lasts, such as "10 minutes" or milliseconds. Default: until it is released'
  }))()

const change = /* @__PURE__ */ (() => ({
  name: Name,
  key: Schema.optionalKey(Key),
  reason: written(bounds.reason, "Why"),
  by: Schema.optionalKey(written(bounds.by, "Who. Needed where the credentials do not say, not used where they do"))
}))()

/**
 * Payload of a request that ends a hold or resets a circuit.
 */
export const Operation = /* @__PURE__ */ (() => Schema.Struct(change).annotate({ identifier: "Operation" }))()

/**
 * Payload of a request that holds a circuit.
 */
export const Hold = /* @__PURE__ */ (() =>
  Schema.Struct({ ...change, for: Schema.optionalKey(For) }).annotate({ identifier: "Hold" }))()

/**
 * Routes that read.
 */
export const CircuitsGroup = /* @__PURE__ */ (() =>
  HttpApiGroup.make("circuits")
    .add(
      HttpApiEndpoint.get("list", "/circuits", {
        query: {
          limit: Schema.optionalKey(
            Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: bounds.circuits }))
          )
        },
        success: Circuits
      }),
      HttpApiEndpoint.get("get", "/circuit", {
        query: { name: Name, key: Schema.optionalKey(Key) },
        success: CircuitWithHistory,
        error: UnknownCircuit
      }),
      HttpApiEndpoint.get("changes", "/changes", { success: Schema.Array(Change) }),
      HttpApiEndpoint.get("policies", "/policies", { success: Schema.Array(PolicyDescription) }),
      HttpApiEndpoint.get("events", "/events", { success: HttpApiSchema.StreamSse({ events: Event }) }),
      HttpApiEndpoint.get("openapi", "/openapi.json", { success: Schema.Json })
    )
    .middleware(Requests)
    .middleware(Authorization))()

/**
 * Route of the health report.
 */
export const HealthGroup = /* @__PURE__ */ (() =>
  HttpApiGroup.make("health")
    .add(HttpApiEndpoint.get("report", "/health", { success: HealthReport.Report }))
    .middleware(Requests)
    .middleware(Authorization))()

/**
 * Route of the dashboard, which is a page without data.
 */
export const DashboardGroup = /* @__PURE__ */ (() =>
  HttpApiGroup.make("dashboard")
    .add(
      HttpApiEndpoint.get("page", "/", {
        success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/html; charset=utf-8" }))
      })
    )
    .annotate(OpenApi.Exclude, true)
    .middleware(Requests)
    .middleware(Authorization))()

const path = <Action extends Actions.Action>(action: Action) => `/${action}` as const

/**
 * Routes that change circuits.
 */
export const OperationsGroup = /* @__PURE__ */ (() => {
  const answer = { success: Circuit, error: UnknownCircuit }
  return HttpApiGroup.make("operations")
    .add(
      HttpApiEndpoint.post("holdOpen", path("hold-open"), { payload: Hold, ...answer }),
      HttpApiEndpoint.post("holdClosed", path("hold-closed"), { payload: Hold, ...answer }),
      HttpApiEndpoint.post("release", path("release"), { payload: Operation, ...answer }),
      HttpApiEndpoint.post("reset", path("reset"), { payload: Operation, ...answer })
    )
    .middleware(Requests)
    .middleware(Authorization)
})()

/**
 * The control plane without groups.
 */
export const Base = /* @__PURE__ */ (() =>
  HttpApi.make("effect-resilience")
    .annotate(HttpApi.QueryParseOptions, { onExcessProperty: "error" })
    .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" }))()

/**
 * The whole control plane.
 */
export const Api = /* @__PURE__ */ (() => Base.add(CircuitsGroup, HealthGroup, OperationsGroup))()

/**
 * Returns the OpenAPI document of the routes that are mounted.
 */
export const document = (options: {
  readonly prefix: string
  /** Whether there are routes that change something. */
  readonly changes: boolean
  /** Whether there is a health report. */
  readonly health: boolean
  /** What needs a bearer token. */
  readonly token: "all" | "changes" | undefined
}): Schema.Json => {
  const { changes, health, prefix, token } = options
  const api = Base.add(
    CircuitsGroup,
    HealthGroup.annotate(OpenApi.Exclude, !health),
    OperationsGroup.annotate(OpenApi.Exclude, !changes)
  ).annotateMerge(
    OpenApi.annotations({
      title: "Control plane of effect-resilience",
      servers: [{ url: prefix }],
      transform: (spec) => (token === undefined ? spec : withBearer(spec, token))
    })
  )
  return Json.jsonSafe(OpenApi.fromApi(api))
}

const withBearer = (spec: Rules.Json, token: "all" | "changes"): Record<string, unknown> => {
  const security = [{ bearer: [] }]
  const components = { ...record(spec["components"]), securitySchemes: { bearer: { type: "http", scheme: "bearer" } } }
  if (token === "all") return { ...spec, components, security }
  const paths = Object.entries(record(spec["paths"])).map(([path, methods]) => [
    path,
    Object.fromEntries(
      Object.entries(record(methods)).map(([method, operation]) => [
        method,
        method === "post" ? { ...record(operation), security } : operation
      ])
    )
  ])
  return { ...spec, components, paths: Object.fromEntries(paths) }
}

const record = (value: unknown): Rules.Json => (isObject(value) ? value : {})
