/**
 * Health checks of circuit breakers, and of the store of shared circuits.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as CircuitBreaker from "../../breaker/CircuitBreaker.ts"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Text from "../../core/internal/Text.ts"
import * as CircuitStore from "../../store/CircuitStore.ts"
import {
  check,
  checkFields,
  degraded,
  describeCheck,
  healthy,
  make,
  resolveCheck,
  result,
  unhealthy
} from "./HealthCheck.ts"
import type { Check, CheckConfig, CheckConfigJson, CheckOptions, ResolvedCheck, Result } from "./HealthCheck.ts"

const module = "Health"

/**
 * Options of the check of a breaker.
 */
export interface BreakerOptions extends CheckOptions {
  /** Circuit to look at. Default: the breaker's own, and those of its keys. */
  readonly key?: string | undefined
  /** Status of a circuit that refuses calls. Default: `"degraded"`. */
  readonly whenOpen?: "degraded" | "unhealthy" | undefined
  /** How long a result is used again. Default: 0, because reading a breaker costs nothing. */
  readonly ttl?: Duration.Input | undefined
}

/**
 * Values of options of a breaker's check that are not given. Others are
 * `checkDefaults`.
 */
export const breakerDefaults = {
  whenOpen: "degraded",
  ttl: 0
} as const satisfies BreakerOptions

/**
 * Options of the check of a breaker, checked and with their defaults. Durations
 * are milliseconds.
 */
export interface ResolvedBreaker extends ResolvedCheck {
  /** `undefined` for the breaker's own circuit, and those of its keys. */
  readonly key: string | undefined
  readonly whenOpen: "degraded" | "unhealthy"
  readonly ttl: number
}

/**
 * Checks the options of the check of a breaker. Throws an `InvalidOptionError`
 * for one that breaks a rule.
 */
export const resolveBreaker = (options: BreakerOptions = {}): ResolvedBreaker => {
  const { key, whenOpen = breakerDefaults.whenOpen, ttl = breakerDefaults.ttl } = options
  if (whenOpen !== "degraded" && whenOpen !== "unhealthy") {
    Rules.reject(module, "whenOpen", whenOpen, "degraded or unhealthy")
  }
  return { ...resolveCheck(options), key, whenOpen, ttl: Rules.millis(module, "ttl", ttl, "zero") }
}

/**
 * Creates a check from a breaker, or from its class.
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
  if (!CircuitBreaker.isSource(source)) Rules.reject(module, "breaker", source, "a breaker, or its class")
  const resolved = resolveBreaker(options)
  const { key, whenOpen } = resolved
  const results =
    key === undefined
      ? Effect.map(CircuitBreaker.statuses(source), (all) => fromCircuits(all, whenOpen))
      : Effect.map(CircuitBreaker.status(source, { key }), (one) => fromCircuits([one], whenOpen))
  return make(results, resolved)
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
 * Options of the check of a breaker that a configuration holds.
 */
export interface BreakerConfig extends CheckConfig {
  readonly key?: string
  readonly whenOpen?: "degraded" | "unhealthy"
}

/**
 * Options of the check of a breaker in JSON.
 */
export interface BreakerConfigJson extends CheckConfigJson {
  readonly key?: string
  readonly whenOpen?: "degraded" | "unhealthy"
}

/**
 * Schema of the options of the check of a breaker, to read them from JSON, or
 * from the environment through `Config.schema` of Effect.
 */
export const BreakerConfig: Schema.Codec<BreakerConfig, BreakerConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      ...checkFields,
      key: Schema.optionalKey(Schema.String),
      whenOpen: Schema.optionalKey(Schema.Literals(["degraded", "unhealthy"]))
    }),
    (options) => resolveBreaker(options)
  ))()

/**
 * Returns the options of the check of a breaker with their defaults, as JSON
 * that `BreakerConfig` reads. Durations are milliseconds.
 */
export const describeBreaker = (options?: BreakerOptions): BreakerConfigJson => {
  const { key, ttl, whenOpen } = resolveBreaker(options)
  return { ...describeCheck(options), ...(key === undefined ? undefined : { key }), whenOpen, ttl }
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
    `${what}${dryRun ? " (dry run)" : ""}${"reason" in state && state.reason !== undefined ? `: ${Text.printable(state.reason)}` : ""}`
  switch (state._tag) {
    case "Open":
      return isDue(retryAfter) || dryRun
        ? degraded(because(dryRun ? "open" : "open until the next call"))
        : unhealthy(because("open"))
    case "HalfOpen":
      return degraded(because("half-open"))
    case "HeldOpen": {
      if (isDue(retryAfter)) return healthy()
      const message = because(`held open${Text.why(state.by, undefined)}`)
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
