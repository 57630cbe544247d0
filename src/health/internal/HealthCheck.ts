/**
 * Health checks: effects that say whether a dependency works.
 *
 * **Details**
 *
 * - `true`, no value, and details as a plain object are healthy, `false` is
 *   unhealthy. `healthy`, `degraded` and `unhealthy` say more. Any other value
 *   is healthy and is not shown.
 * - A typed error, a defect and an interruption are unhealthy, with their
 *   message.
 * - No answer in `timeout` is unhealthy, and the effect is interrupted.
 * - Resources that the effect acquires are released when it ends.
 *
 * **Gotchas**
 *
 * - `Health` exports all of this module. Import from there.
 * - A value that is itself an `Effect` or a promise was never run or awaited, so
 *   it is unhealthy. `Effect.exit(ping)` is such a value: pass `ping`.
 * - Messages and details are shown in the report. Keep secrets out of them.
 *
 * **Example** (Saying more than yes or no)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "effect-resilience"
 *
 * const replicaLag = Effect.succeed(12)
 *
 * const database = Health.check(
 *   Effect.map(replicaLag, (seconds) =>
 *     seconds > 10 ? Health.degraded("replica is behind", { seconds }) : Health.healthy({ seconds })
 *   ),
 *   { timeout: "2 seconds" }
 * )
 *
 * const program = Effect.gen(function*() {
 *   const { status, message, details } = yield* Health.run("database")
 *   return { status, message, details }
 * }).pipe(Effect.provide(Health.layer({ checks: { database } })))
 *
 * await Effect.runPromise(program) // => { status: "degraded", message: "replica is behind", details: { seconds: 12 } }
 * ```
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { hasProperty, isPromiseLike } from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Json from "../../core/internal/Json.ts"
import * as Redact from "../../core/internal/Redact.ts"
import * as Rules from "../../core/internal/Rules.ts"
import type { Kind, Status } from "./HealthReport.ts"
import * as HealthReport from "./HealthReport.ts"

const module = "Health"

/**
 * Key that marks a health check.
 */
export const CheckTypeId = "~effect-resilience/HealthCheck"

/**
 * Effect that says whether a dependency works, with how it is run.
 */
export interface Check<out R = never> extends ResolvedCheck {
  readonly [CheckTypeId]: typeof CheckTypeId
  /** Effect that is run. */
  readonly effect: Effect.Effect<unknown, unknown, R>
}

/**
 * Services that a check needs.
 */
export type Services<C> = C extends Check<infer R> ? R : never

/**
 * Options of a check.
 */
export interface CheckOptions {
  /** How long to wait for an answer. Default: that of the layer, 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * Whether the report is unhealthy when this check is; it is degraded
   * otherwise. Default: `true`.
   */
  readonly critical?: boolean | undefined
  /** Reports that the check counts for. Default: readiness and startup. */
  readonly kinds?: ReadonlyArray<Kind> | undefined
  /** How long a result is used again. Default: that of the layer. */
  readonly ttl?: Duration.Input | undefined
}

/**
 * Values of options of a check that are not given.
 */
export const checkDefaults = {
  critical: true,
  kinds: ["readiness", "startup"]
} as const satisfies CheckOptions

/**
 * Options of a check, checked and with their defaults. Durations are
 * milliseconds.
 */
export interface ResolvedCheck {
  /** `undefined` for that of the layer. */
  readonly timeout: number | undefined
  readonly critical: boolean
  readonly kinds: ReadonlyArray<Kind>
  /** `undefined` for that of the layer. */
  readonly ttl: number | undefined
}

/**
 * Checks the options of a check. Throws an `InvalidOptionError` for one that
 * breaks a rule.
 */
export const resolveCheck = (options: CheckOptions = {}): ResolvedCheck => {
  const { timeout, ttl } = options
  const critical = Rules.boolean(module, "critical", options.critical ?? checkDefaults.critical)
  const kinds: ReadonlyArray<Kind> = options.kinds ?? checkDefaults.kinds
  if (!Array.isArray(kinds) || kinds.length === 0) Rules.reject(module, "kinds", kinds, "a list of at least one kind")
  return {
    timeout: timeout === undefined ? undefined : Rules.millis(module, "timeout", timeout),
    critical,
    kinds: kinds.map((value: Kind, i) => kind(`kinds.${i}`, value)),
    ttl: ttl === undefined ? undefined : Rules.millis(module, "ttl", ttl, "zero")
  }
}

/**
 * Key that marks the result of a check.
 */
export const ResultTypeId = "~effect-resilience/HealthCheck/Result"

/**
 * Value with which a check says more than yes or no.
 */
export interface Result {
  readonly [ResultTypeId]: typeof ResultTypeId
  readonly status: Status
  readonly message: string | undefined
  readonly details: Schema.Json | undefined
}

export const result = (status: Status, message: string | undefined, details: unknown): Result => ({
  [ResultTypeId]: ResultTypeId,
  status,
  // Routes, logs and metrics show both, and drivers put URLs into what they say.
  message: message === undefined ? undefined : Redact.credentials(message),
  details: details === undefined ? undefined : Json.jsonSafe(details)
})

/**
 * Creates the result of a check that found nothing wrong.
 */
export const healthy = (details?: unknown): Result => result("healthy", undefined, details)

/**
 * Creates the result of a check that found something wrong with which the
 * service can continue.
 */
export const degraded = (message: string, details?: unknown): Result => result("degraded", message, details)

/**
 * Creates the result of a check that found the dependency unusable.
 */
export const unhealthy = (message: string, details?: unknown): Result => result("unhealthy", message, details)

/**
 * Returns whether a value is the result of a check.
 */
export const isResult = (u: unknown): u is Result => hasProperty(u, ResultTypeId)

/**
 * Returns whether a value is a check.
 */
export const isCheck = (u: unknown): u is Check<unknown> => hasProperty(u, CheckTypeId)

/**
 * Creates a check.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` for an option that breaks a rule, and for a
 * first argument that is not an `Effect`, such as a function.
 *
 * **Gotchas**
 *
 * By default a check does not count for liveness: a restart does not repair a
 * dependency. Give `kinds: ["liveness"]` to what only a restart repairs.
 */
export const check = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: CheckOptions = {}
): Check<Exclude<R, Scope.Scope>> => {
  if (!Effect.isEffect(effect)) Rules.reject(module, "effect", effect, "an Effect")
  return make(effect, resolveCheck(options))
}

/**
 * Creates a check from an effect and options that have been checked.
 */
export const make = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { critical, kinds, timeout, ttl }: ResolvedCheck
): Check<Exclude<R, Scope.Scope>> => ({
  [CheckTypeId]: CheckTypeId,
  effect: Effect.scoped(effect),
  critical,
  kinds,
  timeout,
  ttl
})

/**
 * Options of a check that a configuration holds.
 */
export interface CheckConfig {
  readonly timeout?: Duration.Duration
  readonly critical?: boolean
  readonly kinds?: ReadonlyArray<Kind>
  readonly ttl?: Duration.Duration
}

/**
 * Options of a check in JSON.
 */
export interface CheckConfigJson {
  readonly timeout?: ConfigSchema.DurationJson
  readonly critical?: boolean
  readonly kinds?: ReadonlyArray<Kind>
  readonly ttl?: ConfigSchema.DurationJson
}

/**
 * Fields of the options of a check in a configuration.
 */
export const checkFields = /* @__PURE__ */ (() => ({
  timeout: Schema.optionalKey(ConfigSchema.DurationInput),
  critical: Schema.optionalKey(Schema.Boolean),
  kinds: Schema.optionalKey(Schema.Array(HealthReport.Kind)),
  ttl: Schema.optionalKey(ConfigSchema.DurationInput)
}))()

/**
 * Schema of the options of a check, to read them from JSON, or from the
 * environment through `Config.schema` of Effect.
 */
export const CheckConfig: Schema.Codec<CheckConfig, CheckConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(ConfigSchema.struct(checkFields), (options) => resolveCheck(options)))()

/**
 * Returns the options of a check with their defaults, as JSON that `CheckConfig`
 * reads. Durations are milliseconds. A duration that is not given is that of the
 * layer, and is left out.
 */
export const describeCheck = (options?: CheckOptions): CheckConfigJson => {
  const { critical, kinds, timeout, ttl } = resolveCheck(options)
  return {
    ...(timeout === undefined ? undefined : { timeout }),
    critical,
    kinds,
    ...(ttl === undefined ? undefined : { ttl })
  }
}

/**
 * Returns the result of a check's effect that ended.
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): Result =>
  exit._tag === "Success"
    ? fromValue(exit.value)
    : unhealthy(Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : messageOf(Cause.squash(exit.cause)))

/**
 * Returns a kind if it is one, and throws an `InvalidOptionError` otherwise.
 */
export const kind = (field: string, value: Kind): Kind =>
  knownKinds.includes(value) ? value : Rules.reject(module, field, value, `one of ${knownKinds.join(", ")}`)

/**
 * Throws an `InvalidOptionError` for a value that is not a check.
 */
export const ensureCheck = (field: string, value: Check<unknown>): void => {
  if (!isCheck(value)) Rules.reject(module, field, value, "a check made by Health.check")
}

const knownKinds: ReadonlyArray<Kind> = ["liveness", "readiness", "startup"]

// The value is the caller's: reading it may throw.
const fromValue = (value: unknown): Result => {
  try {
    if (isResult(value)) return value
    if (value === false) return unhealthy("the check answered false")
    if (Effect.isEffect(value)) return unhealthy("the check answered with an Effect that was not run")
    if (isPromiseLike(value)) return unhealthy("the check answered with a promise that was not awaited")
    return healthy(isPlain(value) ? value : undefined)
  } catch {
    return unhealthy("the check answered with a value that cannot be read")
  }
}

const isPlain = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

// The error is the caller's: reading it may throw.
const messageOf = (error: unknown): string => {
  try {
    if (hasProperty(error, "message") && typeof error.message === "string" && error.message !== "") return error.message
    if (hasProperty(error, "_tag") && typeof error._tag === "string") return error._tag
    if (error instanceof Error) return error.name
    return typeof error === "object" && error !== null ? JSON.stringify(Json.jsonSafe(error)) : String(error)
  } catch {
    return "an error without a readable message"
  }
}
