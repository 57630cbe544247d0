/**
 * Health of a service: checks that are registered with one instance, the
 * reports it makes of them, and a switch that drains traffic.
 *
 * **Details**
 *
 * - The layer is the instance. Checks come with it, or register themselves for
 *   as long as their scope is open.
 * - A report runs its checks at the same time and lists them in the order of
 *   registration. A result younger than `ttl` is used again, whichever report
 *   asked for it. Callers that ask for a check while it runs share that run. It
 *   is interrupted when the last of them is.
 * - With `schedule` the checks run in the background, and a report shows the
 *   last results. Where the schedule ends, reports run the checks again.
 * - A check counts for readiness and startup unless its `kinds` say otherwise.
 *   `report` holds all checks.
 * - Draining makes readiness unhealthy at once and leaves liveness alone.
 * - A startup check that has been healthy once is not run again for startup, and
 *   once all have been, startup stays healthy.
 * - Uptime, latency and age are measured on the monotonic clock of the fiber
 *   that builds the layer, times are its wall clock.
 *
 * **Gotchas**
 *
 * - A check whose interruption hangs is reported in time and ends in the
 *   background. Until then the check is not run again, and the scope that
 *   registered it waits for it to close.
 * - A check that blocks the event loop cannot time out, and one that asks for a
 *   report on itself waits until it does.
 * - Names that look like integers come first in `checks`, as JavaScript orders
 *   keys.
 *
 * **Example** (Reporting on a database and a cache)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Health } from "effect-resilience"
 *
 * const HealthLive = Health.layer({
 *   version: "1.4.0",
 *   checks: {
 *     database: Health.check(Effect.succeed({ connections: 3 })),
 *     cache: Health.check(Effect.fail("connection refused"), { timeout: "2 seconds", critical: false })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const report = yield* Health.report
 *   return [report.status, ...report.checks.map((check) => `${check.name}: ${check.message ?? check.status}`)]
 * }).pipe(Effect.provide(HealthLive))
 *
 * await Effect.runPromise(program) // => ["degraded", "database: healthy", "cache: connection refused"]
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Rules from "../core/internal/Rules.ts"
import * as CheckRegistry from "./internal/CheckRegistry.ts"
import { ensureCheck } from "./internal/HealthCheck.ts"
import type { Check, Services } from "./internal/HealthCheck.ts"
import { resolve } from "./internal/HealthOptions.ts"
import type { Checks, Options, Resolved } from "./internal/HealthOptions.ts"
import type { CheckReport, Report } from "./internal/HealthReport.ts"
import { Health } from "./internal/HealthService.ts"
import type {
  Change,
  KindOptions,
  KindWaitOptions,
  NotHealthyError,
  ReportOptions,
  UnknownCheckError,
  WaitOptions
} from "./internal/HealthService.ts"
import { Reports, resolveWait } from "./internal/Reports.ts"

export {
  BreakerConfig,
  breakerDefaults,
  describeBreaker,
  fromBreaker,
  fromStore,
  resolveBreaker,
  type BreakerConfigJson,
  type BreakerOptions,
  type ResolvedBreaker
} from "./internal/CircuitChecks.ts"
export {
  check,
  CheckConfig,
  checkDefaults,
  degraded,
  describeCheck,
  healthy,
  isCheck,
  isResult,
  resolveCheck,
  unhealthy,
  type Check,
  type CheckConfigJson,
  type CheckOptions,
  type ResolvedCheck,
  type Result,
  type Services
} from "./internal/HealthCheck.ts"
export {
  Config,
  defaults,
  describe,
  resolve,
  type Checks,
  type ConfigJson,
  type Options,
  type Resolved
} from "./internal/HealthOptions.ts"
export {
  CheckReport,
  Kind,
  Report,
  Status,
  statusOf,
  type CheckReportJson,
  type ReportJson
} from "./internal/HealthReport.ts"
export {
  Health,
  NotHealthyError,
  UnknownCheckError,
  type Change,
  type KindOptions,
  type KindWaitOptions,
  type ReportOptions,
  type WaitOptions
} from "./internal/HealthService.ts"
export { waitDefaults } from "./internal/Reports.ts"

const module = "Health"

/**
 * Creates the layer of a health instance.
 *
 * **Details**
 *
 * The checks see the services and references with which the layer is built, and
 * nothing of the callers that ask. Throws an `InvalidOptionError` for an option
 * that breaks a rule.
 */
export const layer = <C extends Checks = Record<never, never>, RS = never>(
  options: Options<C, RS> = {}
): Layer.Layer<Health, never, Services<C[keyof C]> | RS> => Layer.effect(Health, make(resolve(options)))

/**
 * Registers a check until the scope closes.
 *
 * **Details**
 *
 * The check sees the services of the caller. A name that is empty or taken, and
 * a second argument that is not a check, are an `InvalidOptionError` as a defect:
 * they are mistakes in the program.
 */
export const register = <R>(name: string, check: Check<R>): Effect.Effect<void, never, Health | Scope.Scope | R> => {
  validate(name, check)
  return Health.use((health) => health.register(name, check))
}

/**
 * Reports on all checks.
 */
export const report: Effect.Effect<Report, never, Health> = /* @__PURE__ */ (() => reportFor({}))()

/**
 * Reports on the checks of a kind, on those that are named, or on all but those
 * that are named.
 */
export function reportFor(options: KindOptions): Effect.Effect<Report, never, Health>
export function reportFor(options: ReportOptions): Effect.Effect<Report, UnknownCheckError, Health>
export function reportFor(options: ReportOptions): Effect.Effect<Report, UnknownCheckError, Health> {
  return Health.use((health) => health.reportFor(options))
}

/**
 * Reports on one check.
 *
 * **Details**
 *
 * A result that is young enough is used again, unless `fresh` is `true`.
 */
export const run = (
  name: string,
  options?: { readonly fresh?: boolean | undefined }
): Effect.Effect<CheckReport, UnknownCheckError, Health> => Health.use((health) => health.run(name, options))

/**
 * Waits until a report is healthy, and returns it.
 *
 * **Details**
 *
 * Each report runs its checks, whatever their `ttl`. After `timeout` it fails
 * with a `NotHealthyError` that holds the last report; where none was complete,
 * that lists the checks that have not answered. A name that no check has is an
 * `UnknownCheckError`.
 */
export function waitUntilHealthy(options?: KindWaitOptions): Effect.Effect<Report, NotHealthyError, Health>
export function waitUntilHealthy(
  options: WaitOptions
): Effect.Effect<Report, NotHealthyError | UnknownCheckError, Health>
export function waitUntilHealthy(
  options: WaitOptions = {}
): Effect.Effect<Report, NotHealthyError | UnknownCheckError, Health> {
  resolveWait(options)
  return Health.use((health) => health.waitUntilHealthy(options))
}

/**
 * Turns readiness off: it is unhealthy from now on, with the message
 * `"draining"`. Liveness and startup are as before.
 */
export const drain: Effect.Effect<void, never, Health> = /* @__PURE__ */ (() => Health.use((health) => health.drain))()

/**
 * Takes `drain` back. What `drainScoped` turned off stays off until its scope
 * closes.
 */
export const undrain: Effect.Effect<void, never, Health> = /* @__PURE__ */ (() =>
  Health.use((health) => health.undrain))()

/**
 * Turns readiness off until the scope closes.
 */
export const drainScoped: Effect.Effect<void, never, Health | Scope.Scope> = /* @__PURE__ */ (() =>
  Health.use((health) => health.drainScoped))()

/**
 * Returns whether readiness is turned off.
 */
export const isDraining: Effect.Effect<boolean, never, Health> = /* @__PURE__ */ (() =>
  Health.use((health) => health.isDraining))()

/**
 * Stream of the changes of the status of checks, from the subscription on. It
 * ends with the layer.
 *
 * **Details**
 *
 * The status can change when a check runs: without `schedule` that is when somebody
 * asks for a report. A subscriber that falls 128 changes behind loses the
 * oldest.
 */
export const changes: Stream.Stream<Change, never, Health> = /* @__PURE__ */ (() =>
  Stream.unwrap(Health.useSync((health) => health.changes)))()

const validate = (name: string, check: Check<unknown>): void => {
  Rules.name(module, "name", name)
  ensureCheck("check", check)
}

const make = Effect.fnUntraced(function* <C extends Checks, RS>(options: Resolved<C, RS>) {
  const registry = yield* CheckRegistry.make(options)
  const reports = new Reports(registry, options.version)
  return Health.of({
    register: (name, check) =>
      Effect.suspend(() => {
        validate(name, check)
        return Effect.uninterruptible(
          Effect.flatMap(registry.add(name, check), (remove) => Effect.addFinalizer(() => remove))
        )
      }),
    reportFor: (options) => reports.reportFor(options),
    run: (name, options) => reports.run(name, options?.fresh),
    waitUntilHealthy: (options) => reports.waitUntilHealthy(options),
    drain: Effect.sync(() => reports.drain(true)),
    undrain: Effect.sync(() => reports.drain(false)),
    drainScoped: reports.drainScoped,
    isDraining: Effect.sync(() => reports.isDraining),
    changes: Stream.fromPubSubTake(registry.changes),
    results: Effect.sync(() => registry.all.flatMap(({ last }) => last?.report ?? [])),
    watchers: registry.watchers
  })
})
