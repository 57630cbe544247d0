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
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { hasProperty, isPromiseLike } from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as CircuitBreaker from "../../breaker/CircuitBreaker.ts"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Json from "../../core/internal/Json.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as CircuitStore from "../../store/CircuitStore.ts"
import type { Kind, Status } from "./HealthReport.ts"
import * as HealthReport from "./HealthReport.ts"

/**
 * Key that marks a health check.
 */
export const CheckTypeId = "~effect-resilience/HealthCheck"

/**
 * Effect that says whether a dependency works, with how it is run.
 */
export interface Check<out R = never> {
  readonly [CheckTypeId]: typeof CheckTypeId
  /** Effect that is run. */
  readonly effect: Effect.Effect<unknown, unknown, R>
  /** Milliseconds to wait for an answer. Default: that of the layer. */
  readonly timeoutMillis: number | undefined
  /** Milliseconds for which a result is used again. Default: that of the layer. */
  readonly ttlMillis: number | undefined
  /** Whether the report is unhealthy when this check is. */
  readonly critical: boolean
  /** Reports that the check counts for. */
  readonly kinds: ReadonlyArray<Kind>
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
 * Values that options of a check have where they are not given.
 */
export const checkDefaults = {
  critical: true,
  kinds: ["readiness", "startup"]
} as const satisfies CheckOptions

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

const result = (status: Status, message: string | undefined, details: unknown): Result => ({
  [ResultTypeId]: ResultTypeId,
  status,
  message,
  details: details === undefined ? undefined : Json.jsonSafe(details)
})

/**
 * Creates the result of a check that found nothing wrong.
 */
export const healthy = (details?: unknown): Result => result("healthy", undefined, details)

/**
 * Creates the result of a check that found something wrong with which the
 * service can go on.
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
 * first argument that is no `Effect`, such as a function.
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
  if (!Effect.isEffect(effect)) Rules.reject("Health", "effect", effect, "an Effect")
  return { [CheckTypeId]: CheckTypeId, effect: Effect.scoped(effect), ...resolve(options) }
}

/**
 * Options of the check of a breaker.
 */
export interface BreakerOptions extends CheckOptions {
  /** Circuit to look at. Default: the breaker's own, and those of its keys. */
  readonly key?: string | undefined
  /** What a circuit is that refuses calls. Default: `"degraded"`. */
  readonly whenOpen?: "degraded" | "unhealthy" | undefined
}

/**
 * Values that options of a breaker's check have where they are not given.
 */
export const breakerDefaults = {
  whenOpen: "degraded",
  ttl: 0
} as const satisfies BreakerOptions

/**
 * Creates a check from a breaker, or from the class that stands for one.
 *
 * **Details**
 *
 * - A circuit that is closed or held closed is healthy, one that is open or held
 *   open is `whenOpen`, and one that is half-open is degraded. So is an open
 *   circuit whose next call is a probe, and one in a dry run.
 * - Circuits of keys that are not closed make the breaker degraded, whatever
 *   `whenOpen`.
 * - Reading a breaker costs nothing, so the result is not used again unless
 *   `ttl` says so.
 *
 * **Gotchas**
 *
 * An instance that gets no traffic sends no probe. A circuit that makes
 * readiness unhealthy is degraded again once its open time is over, so that a
 * probe can come.
 *
 * **Example** (Reporting an open circuit)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CircuitBreaker, Health, TripPolicy } from "effect-resilience"
 *
 * class Payments extends CircuitBreaker.Service<Payments>()("payments", { trip: TripPolicy.consecutive(1) }) {}
 *
 * const HealthLive = Health.layer({ checks: { payments: Health.fromBreaker(Payments) } })
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.fail("unavailable").pipe(CircuitBreaker.protect(Payments), Effect.ignore)
 *   const { status, checks } = yield* Health.report
 *   return [status, checks[0]?.status]
 * }).pipe(Effect.provide(Layer.provideMerge(HealthLive, Payments.layer)))
 *
 * await Effect.runPromise(program) // => ["degraded", "degraded"]
 * ```
 */
export const fromBreaker = <I = never>(
  source: CircuitBreaker.Source<I>,
  options: BreakerOptions = {}
): Check<NoInfer<Exclude<I, Scope.Scope>>> => {
  if (!CircuitBreaker.isSource(source)) Rules.reject("Health", "breaker", source, "a breaker, or its class")
  const { key } = options
  const whenOpen = options.whenOpen ?? breakerDefaults.whenOpen
  if (whenOpen !== "degraded" && whenOpen !== "unhealthy") {
    Rules.reject("Health", "whenOpen", whenOpen, "degraded or unhealthy")
  }
  const results =
    key === undefined
      ? Effect.map(CircuitBreaker.statuses(source), (all) => fromCircuits(all, whenOpen))
      : Effect.map(CircuitBreaker.status(source, { key }), (one) => fromCircuits([one], whenOpen))
  return check(results, { ...options, ttl: options.ttl ?? breakerDefaults.ttl })
}

/**
 * Creates a check from the store that keeps circuits in step with other
 * processes.
 *
 * **Details**
 *
 * - The check is degraded while the store does not answer: the process is
 *   protected by its own circuits, and does not hear of those of others. A store
 *   that shares with nobody is healthy.
 * - The check reads what the store knows of itself and asks nobody.
 *
 * **Example** (Reporting a store)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CircuitStore, Health } from "effect-resilience"
 *
 * const HealthLive = Health.layer({ checks: { circuits: Health.fromStore() } })
 *
 * const program = Effect.provide(Health.report, Layer.provide(HealthLive, CircuitStore.layerLocal))
 *
 * const { checks } = await Effect.runPromise(program)
 * checks[0]?.details // => { shared: false }
 * ```
 */
export const fromStore = (options: CheckOptions = {}): Check<CircuitStore.CircuitStore> =>
  check(
    Effect.flatMap(CircuitStore.CircuitStore, (store) =>
      Effect.map(store.status, ({ errors, lastError, operations, pending, reachable, shared, since }) => {
        if (!shared) return healthy({ shared })
        const details = { shared, operations, errors, pending }
        return reachable
          ? healthy(details)
          : degraded(`the store does not answer: ${lastError}`, { ...details, unreachableSince: since })
      })
    ),
    { ...options, ttl: options.ttl ?? breakerDefaults.ttl }
  )

/**
 * Options of a check as they are read from a configuration.
 */
export interface CheckConfig {
  readonly timeout?: Duration.Duration
  readonly critical?: boolean
  readonly kinds?: ReadonlyArray<Kind>
  readonly ttl?: Duration.Duration
}

/**
 * Options of a check as they stand in JSON.
 */
export interface CheckConfigJson {
  readonly timeout?: ConfigSchema.DurationJson
  readonly critical?: boolean
  readonly kinds?: ReadonlyArray<Kind>
  readonly ttl?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of a check, to read them from JSON, or from the
 * environment through `Config.schema` of Effect.
 */
export const CheckConfig: Schema.Codec<CheckConfig, CheckConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      timeout: Schema.optionalKey(ConfigSchema.DurationInput),
      critical: Schema.optionalKey(Schema.Boolean),
      kinds: Schema.optionalKey(Schema.Array(HealthReport.Kind)),
      ttl: Schema.optionalKey(ConfigSchema.DurationInput)
    }),
    (options) => resolve(options)
  ))()

/**
 * Returns what the exit of a check's effect says.
 */
export const fromExit = (exit: Exit.Exit<unknown, unknown>): Result =>
  exit._tag === "Success"
    ? fromValue(exit.value)
    : unhealthy(Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : messageOf(Cause.squash(exit.cause)))

/**
 * Returns a kind if it is one, and throws an `InvalidOptionError` otherwise.
 */
export const kind = (field: string, value: Kind): Kind =>
  knownKinds.includes(value) ? value : Rules.reject("Health", field, value, `one of ${knownKinds.join(", ")}`)

/**
 * Throws an `InvalidOptionError` for a value that is not a check.
 */
export const ensureCheck = (field: string, value: Check<unknown>): void => {
  if (!isCheck(value)) Rules.reject("Health", field, value, "a check made by Health.check")
}

const isDue = (retryAfter: Duration.Duration | undefined): boolean =>
  retryAfter !== undefined && Duration.isZero(retryAfter)

// The breaker's own circuit comes first.
const fromCircuits = (
  [own, ...keyed]: ReadonlyArray<CircuitBreaker.Status>,
  whenOpen: "degraded" | "unhealthy"
): Result => {
  if (own === undefined) return healthy()
  const { message, status } = ofCircuit(own)
  const open = keyed.filter((status) => ofCircuit(status).status !== "healthy").length
  const details = {
    ...detailsOf(own),
    ...(keyed.length === 0 ? undefined : { keys: keyed.length, keysNotClosed: open })
  }
  if (status !== "healthy") {
    return result(status === "unhealthy" ? whenOpen : status, message, details)
  }
  return open === 0 ? healthy(details) : degraded(`${open} of ${keyed.length} circuits of keys are not closed`, details)
}

// A circuit that refuses calls is unhealthy here, whatever is made of it later.
const ofCircuit = ({ dryRun, retryAfter, state }: CircuitBreaker.Status): Pick<Result, "status" | "message"> => {
  const because = (what: string) =>
    `${what}${dryRun ? " (dry run)" : ""}${"reason" in state && state.reason !== undefined ? `: ${state.reason}` : ""}`
  switch (state._tag) {
    case "Open":
      return isDue(retryAfter) || dryRun
        ? degraded(because(dryRun ? "open" : "open until the next call"))
        : unhealthy(because("open"))
    case "HalfOpen":
      return degraded(because("half-open"))
    case "HeldOpen": {
      if (isDue(retryAfter)) return healthy()
      const message = because(`held open${state.by === undefined ? "" : ` by ${state.by}`}`)
      return dryRun ? degraded(message) : unhealthy(message)
    }
    default:
      return healthy()
  }
}

const detailsOf = ({ counts, retryAfter, state }: CircuitBreaker.Status) => ({
  state: state._tag,
  calls: counts.calls,
  failures: counts.failures,
  refused: counts.refused,
  retryAfterMillis: retryAfter === undefined || isDue(retryAfter) ? undefined : Duration.toMillis(retryAfter)
})

const knownKinds: ReadonlyArray<Kind> = ["liveness", "readiness", "startup"]

const resolve = (options: CheckOptions) => {
  const critical = options.critical ?? checkDefaults.critical
  const kinds: ReadonlyArray<Kind> = options.kinds ?? checkDefaults.kinds
  if (typeof critical !== "boolean") Rules.reject("Health", "critical", critical, "a boolean")
  if (!Array.isArray(kinds) || kinds.length === 0) Rules.reject("Health", "kinds", kinds, "a list of at least one kind")
  return {
    timeoutMillis: options.timeout === undefined ? undefined : Rules.millis("Health", "timeout", options.timeout),
    ttlMillis: options.ttl === undefined ? undefined : Rules.millis("Health", "ttl", options.ttl, "zero"),
    critical,
    kinds: kinds.map((value: Kind, i) => kind(`kinds.${i}`, value))
  }
}

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
