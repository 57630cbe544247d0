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
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type * as Take from "effect/Take"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as HealthCheck from "./internal/HealthCheck.ts"
import type { Check, Result } from "./internal/HealthCheck.ts"
import { statusOf } from "./internal/HealthReport.ts"
import type { CheckReport, Kind, Report, Status } from "./internal/HealthReport.ts"

export {
  breakerDefaults,
  check,
  CheckConfig,
  checkDefaults,
  degraded,
  fromBreaker,
  fromStore,
  healthy,
  isCheck,
  isResult,
  unhealthy,
  type BreakerOptions,
  type Check,
  type CheckConfigJson,
  type CheckOptions,
  type Result,
  type Services
} from "./internal/HealthCheck.ts"
export {
  CheckReport,
  Kind,
  Report,
  Status,
  statusOf,
  type CheckReportJson,
  type ReportJson
} from "./internal/HealthReport.ts"

/**
 * Options of the health layer that do not name a check.
 */
export interface Settings {
  /** Version of the service, shown in the report. Default: none. */
  readonly version?: string | undefined
  /** How long to wait for a check that has no `timeout`. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * How long a result is used again. Default: 0, each report runs its checks;
   * with `schedule`, until the next one.
   */
  readonly ttl?: Duration.Input | undefined
  /** How many checks run at the same time, those of liveness not counted. Default: `"unbounded"`. */
  readonly concurrency?: number | "unbounded" | undefined
}

/**
 * Options of the health layer.
 */
export interface Options<out Checks = Record<never, never>, out RS = never> extends Settings {
  /** Checks by name. Default: none. */
  readonly checks?: Checks | undefined
  /**
   * When all checks run in the background: a schedule, or the pause between two
   * rounds. Default: never.
   */
  readonly schedule?: Duration.Input | Schedule.Schedule<unknown, unknown, never, RS> | undefined
}

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  timeout: "5 seconds",
  ttl: 0,
  concurrency: "unbounded",
  interval: "1 second",
  atLeast: "healthy"
} as const

/**
 * Options that choose the checks of a report by kind.
 */
export interface KindOptions {
  /** Kind of report. Default: all checks, whatever their kinds. */
  readonly kind?: Kind | undefined
  /** Whether to run checks whose result is still young enough. Default: `false`. */
  readonly fresh?: boolean | undefined
  readonly only?: undefined
  readonly exclude?: undefined
}

/**
 * Options that choose the checks of a report.
 *
 * **Details**
 *
 * A name in `only` that no check of this kind has, or one in `exclude` that no
 * check has, is an `UnknownCheckError`.
 */
export interface ReportOptions {
  /** Kind of report. Default: all checks, whatever their kinds. */
  readonly kind?: Kind | undefined
  /** Whether to run checks whose result is still young enough. Default: `false`. */
  readonly fresh?: boolean | undefined
  /** Names of the checks to report on. Default: all. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Names of checks to leave out. Default: none. */
  readonly exclude?: ReadonlyArray<string> | undefined
}

/**
 * Options of `waitUntilHealthy` that name no check.
 */
export interface KindWaitOptions {
  /** Kind of report. Default: all checks, whatever their kinds. */
  readonly kind?: Kind | undefined
  /** Pause between two reports. Default: 1 second. */
  readonly interval?: Duration.Input | undefined
  /** How long to wait in all. Default: for ever. */
  readonly timeout?: Duration.Input | undefined
  /** Worst status to wait for. Default: `"healthy"`. */
  readonly atLeast?: "healthy" | "degraded" | undefined
  readonly only?: undefined
  readonly exclude?: undefined
}

/**
 * Options of `waitUntilHealthy`.
 */
export interface WaitOptions {
  /** Kind of report. Default: all checks, whatever their kinds. */
  readonly kind?: Kind | undefined
  /** Names of the checks to wait for. Default: all. */
  readonly only?: ReadonlyArray<string> | undefined
  /** Names of checks to leave out. Default: none. */
  readonly exclude?: ReadonlyArray<string> | undefined
  /** Pause between two reports. Default: 1 second. */
  readonly interval?: Duration.Input | undefined
  /** How long to wait in all. Default: for ever. */
  readonly timeout?: Duration.Input | undefined
  /** Worst status to wait for. Default: `"healthy"`. */
  readonly atLeast?: "healthy" | "degraded" | undefined
}

/**
 * Change of what a check says.
 */
export interface Change {
  /** Name of the check. */
  readonly name: string
  /** Status before, `undefined` for the first result. */
  readonly from: Status | undefined
  /** Status now. */
  readonly to: Status
  /** What the check found. */
  readonly check: CheckReport
}

/**
 * Error for a name under which no check is registered.
 */
export class UnknownCheckError extends Data.TaggedError("UnknownCheckError")<{
  /** Name that was asked for. */
  readonly check: string
  /** Names that could have been. */
  readonly known: ReadonlyArray<string>
}> {
  override get message(): string {
    return `No check is named "${this.check}": ${this.known.length === 0 ? "there are none" : `there are ${this.known.join(", ")}`}`
  }
}

/**
 * Error for a service that was not healthy in time.
 */
export class NotHealthyError extends Data.TaggedError("NotHealthyError")<{
  /** Last report. */
  readonly report: Report
  /** How long the service was waited for. */
  readonly after: Duration.Duration
}> {
  override get message(): string {
    const failing = this.report.checks
      .filter((check) => check.status !== "healthy")
      .map((check) => `${check.name}: ${check.message ?? check.status}`)
    const reasons = this.report.message === undefined ? failing : [this.report.message, ...failing]
    return `${this.report.status} after ${Duration.format(this.after)}: ${reasons.join("; ")}`
  }
}

/**
 * Service with which checks are registered and that reports on them.
 */
export class Health extends Context.Service<
  Health,
  {
    /** Registers a check until the scope closes. */
    readonly register: <R>(name: string, check: Check<R>) => Effect.Effect<void, never, R | Scope.Scope>
    /** Reports on the chosen checks. */
    readonly reportFor: (options?: ReportOptions) => Effect.Effect<Report, UnknownCheckError>
    /** Reports on one check. */
    readonly run: (
      name: string,
      options?: { readonly fresh?: boolean | undefined }
    ) => Effect.Effect<CheckReport, UnknownCheckError>
    /** Waits until the chosen checks are healthy. */
    readonly waitUntilHealthy: (options?: WaitOptions) => Effect.Effect<Report, NotHealthyError | UnknownCheckError>
    /** Turns readiness off. */
    readonly drain: Effect.Effect<void>
    /** Takes `drain` back. */
    readonly undrain: Effect.Effect<void>
    /** Turns readiness off until the scope closes. */
    readonly drainScoped: Effect.Effect<void, never, Scope.Scope>
    /** Says whether readiness is turned off. */
    readonly isDraining: Effect.Effect<boolean>
    /** Changes of what the checks say, from now on. */
    readonly changes: Stream.Stream<Change>
    /** Last result of each check that has one. No check is run. */
    readonly results: Effect.Effect<ReadonlyArray<CheckReport>>
    /** Called when a check has a result, and when one is removed. */
    readonly watchers: Set<() => void>
  }
>()("effect-resilience/Health") {}

/**
 * Creates the layer of a health instance.
 *
 * **Details**
 *
 * The checks see the services and references with which the layer is built, and
 * nothing of the callers that ask. Throws an `InvalidOptionError` for an option
 * that breaks a rule.
 */
export const layer = <Checks extends { readonly [name: string]: Check<unknown> } = Record<never, never>, RS = never>(
  options: Options<Checks, RS> = {}
): Layer.Layer<Health, never, HealthCheck.Services<Checks[keyof Checks]> | RS> => {
  type R = HealthCheck.Services<Checks[keyof Checks]>
  const settings = resolve(options)
  // Object.entries forgets which services the checks need; the constraint says that they are checks.
  const checks = Object.entries(options.checks ?? {}) as ReadonlyArray<[string, Check<R>]>
  for (const [name, check] of checks) {
    Rules.name("Health", "checks", name)
    checked(`checks.${name}`, check)
  }
  return Layer.effect(Health, make(settings, checks, resolveSchedule(options.schedule)))
}

/**
 * Registers a check until the scope closes.
 *
 * **Details**
 *
 * The check sees the services of the caller. A name that is empty or taken, and
 * a second argument that is no check, are an `InvalidOptionError` as a defect:
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
 * Says whether readiness is turned off.
 */
export const isDraining: Effect.Effect<boolean, never, Health> = /* @__PURE__ */ (() =>
  Health.use((health) => health.isDraining))()

/**
 * Stream of the changes of what the checks say, from the subscription on. It
 * ends with the layer.
 *
 * **Details**
 *
 * A check says something when it runs: without `schedule` that is when somebody
 * asks for a report. A subscriber that falls 128 changes behind loses the
 * oldest.
 */
export const changes: Stream.Stream<Change, never, Health> = /* @__PURE__ */ (() =>
  Stream.unwrap(Health.useSync((health) => health.changes)))()

/**
 * Options of the health layer as they are read from a configuration.
 */
export interface Config {
  readonly version?: string
  readonly timeout?: Duration.Duration
  readonly ttl?: Duration.Duration
  readonly concurrency?: number | "unbounded"
  readonly schedule?: Duration.Duration
}

/**
 * Options of the health layer as they stand in JSON.
 */
export interface ConfigJson {
  readonly version?: string
  readonly timeout?: ConfigSchema.DurationJson
  readonly ttl?: ConfigSchema.DurationJson
  readonly concurrency?: number | "unbounded"
  readonly schedule?: ConfigSchema.DurationJson
}

/**
 * Schema of the options of the health layer, to read them from JSON, or from
 * the environment through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(
    ConfigSchema.struct({
      version: Schema.optionalKey(Schema.String),
      timeout: Schema.optionalKey(ConfigSchema.DurationInput),
      ttl: Schema.optionalKey(ConfigSchema.DurationInput),
      concurrency: Schema.optionalKey(Schema.Union([Schema.Literal("unbounded"), Schema.Number])),
      schedule: Schema.optionalKey(ConfigSchema.DurationInput)
    }),
    (options) => layer(options)
  ))()

interface Resolved {
  readonly version: string | undefined
  readonly timeoutMillis: number
  readonly ttlMillis: number | undefined
  readonly concurrency: number | "unbounded"
}

const resolve = (options: Settings): Resolved => ({
  version: options.version === undefined ? undefined : Rules.name("Health", "version", options.version),
  timeoutMillis: Rules.millis("Health", "timeout", options.timeout ?? defaults.timeout),
  ttlMillis: options.ttl === undefined ? undefined : Rules.millis("Health", "ttl", options.ttl, "zero"),
  concurrency:
    options.concurrency === undefined || options.concurrency === "unbounded"
      ? defaults.concurrency
      : Rules.count("Health", "concurrency", options.concurrency)
})

const resolveSchedule = <RS>(
  schedule: Options<unknown, RS>["schedule"]
): Schedule.Schedule<unknown, unknown, never, RS> | undefined => {
  if (schedule === undefined) return undefined
  if (Schedule.isSchedule(schedule)) return schedule
  return Schedule.spaced(Duration.millis(Rules.millis("Health", "schedule", schedule)))
}

const resolveWait = (options: WaitOptions) => {
  const atLeast = options.atLeast ?? defaults.atLeast
  if (atLeast !== "healthy" && atLeast !== "degraded") {
    Rules.reject("Health", "atLeast", atLeast, "healthy or degraded")
  }
  return {
    atLeast,
    interval: Duration.millis(Rules.millis("Health", "interval", options.interval ?? defaults.interval)),
    timeout:
      options.timeout === undefined ? undefined : Duration.millis(Rules.millis("Health", "timeout", options.timeout))
  }
}

const checked = (field: string, check: Check<unknown>): void => {
  if (!HealthCheck.isCheck(check)) Rules.reject("Health", field, check, "a check made by Health.check")
}

const validate = (name: string, check: Check<unknown>): void => {
  Rules.name("Health", "name", name)
  checked("check", check)
}

interface Found {
  readonly report: CheckReport
  /** Monotonic nanoseconds. */
  readonly at: bigint
}

interface EntryState {
  readonly last: Found | undefined
  /** First healthy result: all that startup asks for. */
  readonly passed: CheckReport | undefined
  /** Fiber of the last run, which may outlive its report. */
  readonly fiber: Fiber.Fiber<unknown, unknown> | undefined
}

interface Entry {
  readonly name: string
  readonly check: Check<unknown>
  readonly state: Ref.Ref<EntryState>
  /** Runs the check, or joins the run that is under way. */
  readonly flight: Effect.Effect<CheckReport>
}

const make = Effect.fnUntraced(function* <R, RS>(
  settings: Resolved,
  checks: ReadonlyArray<[string, Check<R>]>,
  schedule: Schedule.Schedule<unknown, unknown, never, RS> | undefined
) {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const startedAt = clock.monotonicTimeNanosUnsafe()
  const entries = yield* Ref.make<ReadonlyMap<string, Entry>>(new Map())
  const draining = yield* Ref.make({ byHand: false, scopes: 0 })
  const started = yield* Ref.make(false)
  const scheduled = yield* Ref.make(false)
  const closing = yield* Ref.make(false)
  const pubsub = yield* PubSub.sliding<Take.Take<Change>>(128)
  yield* Scope.addFinalizer(scope, PubSub.end(pubsub, Exit.void))
  const limit =
    settings.concurrency === "unbounded"
      ? identity
      : Semaphore.withPermits(yield* Semaphore.make(settings.concurrency), 1)
  // Who waits for its turn behind a slow check of readiness would be restarted for it.
  const limitOf = ({ kinds }: Check<unknown>) => (kinds.includes("liveness") ? identity : limit)

  const timestamp = () => DateTime.makeUnsafe(clock.currentTimeMillisUnsafe())

  const describe = (entry: Entry, found: Result, latency: Duration.Duration): CheckReport => ({
    name: entry.name,
    status: found.status,
    critical: entry.check.critical,
    ...(found.message === undefined ? undefined : { message: found.message }),
    latency,
    ...(found.details === undefined ? undefined : { details: found.details }),
    checkedAt: timestamp()
  })

  const watchers = new Set<() => void>()
  const tellWatchers = () => watchers.forEach((watch) => watch())

  const isRegistered = (entry: Entry) => Ref.getUnsafe(entries).get(entry.name) === entry

  const settle = (entry: Entry, found: Result, since: bigint): Effect.Effect<CheckReport> =>
    Effect.suspend(() => {
      const at = clock.monotonicTimeNanosUnsafe()
      const report = describe(entry, found, Duration.nanos(at - since))
      return Ref.modify(entry.state, (state) => [
        state.last?.report.status,
        {
          ...state,
          last: { report, at },
          passed: state.passed ?? (report.status === "healthy" ? report : undefined)
        }
      ]).pipe(
        Effect.tap(() => Effect.sync(tellWatchers)),
        Effect.flatMap((from) =>
          from === report.status || Ref.getUnsafe(closing) || !isRegistered(entry)
            ? Effect.void
            : PubSub.publish(pubsub, [{ name: entry.name, from, to: report.status, check: report }])
        ),
        Effect.as(report)
      )
    })

  const runOnce = (entry: Entry, effect: Effect.Effect<unknown, unknown>, scope: Scope.Scope) => {
    const timeout = Duration.millis(entry.check.timeoutMillis ?? settings.timeoutMillis)
    return Effect.gen(function* () {
      let since = clock.monotonicTimeNanosUnsafe()
      let waiting = true
      const answer = Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const { fiber: earlier } = yield* Ref.get(entry.state)
          if (earlier !== undefined) yield* restore(Fiber.await(earlier))
          waiting = false
          since = clock.monotonicTimeNanosUnsafe()
          const fiber = yield* Effect.forkIn(effect, scope, { startImmediately: true })
          yield* Ref.update(entry.state, (state) => ({ ...state, fiber }))
          // The end of a check that is interrupted is not waited for: it may hang.
          return yield* Effect.onInterrupt(restore(Fiber.await(fiber)), () =>
            Effect.sync(() => fiber.interruptUnsafe())
          )
        })
      )
      const exit = yield* Effect.timeoutOption(answer, timeout)
      const found = Option.isSome(exit)
        ? HealthCheck.fromExit(exit.value)
        : HealthCheck.unhealthy(
            `no answer in ${Duration.format(timeout)}${waiting ? ", an earlier run has not ended" : ""}`
          )
      return yield* Effect.uninterruptible(settle(entry, found, since))
    })
  }

  // Adds a check and returns the effect that removes it.
  const enter = <R>(name: string, check: Check<R>) =>
    Effect.gen(function* () {
      const context = yield* Effect.context<R>()
      const entryScope = yield* Scope.fork(scope)
      // Callers share a run, so it sees nothing of the one that asked first.
      const effect = Effect.setContext(check.effect, Context.add(context, Clock.Clock, clock))
      const state = yield* Ref.make<EntryState>({ last: undefined, passed: undefined, fiber: undefined })
      const entry: Entry = {
        name,
        check,
        state,
        // No result is young enough for this cache: it is here for its single flight.
        flight: yield* Effect.cachedWithTTL(
          Effect.suspend(() => limitOf(check)(runOnce(entry, effect, entryScope))).pipe(
            Effect.provideService(Clock.Clock, clock)
          ),
          Duration.negativeInfinity
        )
      }
      const taken = yield* Ref.modify(entries, (entries) =>
        entries.has(name) ? [true, entries] : [false, new Map(entries).set(name, entry)]
      )
      if (taken) {
        yield* Scope.close(entryScope, Exit.void)
        return Rules.reject("Health", "name", name, "a name that is not taken")
      }
      return Ref.update(entries, (entries) => new Map([...entries].filter(([, other]) => other !== entry))).pipe(
        Effect.andThen(Effect.sync(tellWatchers)),
        Effect.andThen(Scope.close(entryScope, Exit.void))
      )
    })

  const isFresh = (entry: Entry, at: bigint): boolean => {
    const ttl =
      entry.check.ttlMillis ??
      settings.ttlMillis ??
      (Ref.getUnsafe(scheduled) ? Number.POSITIVE_INFINITY : defaults.ttl)
    return Number(clock.monotonicTimeNanosUnsafe() - at) / 1e6 < ttl
  }

  const ask = (entry: Entry, fresh: boolean): Effect.Effect<CheckReport> =>
    Effect.suspend(() => {
      const { last } = Ref.getUnsafe(entry.state)
      return !fresh && last !== undefined && isFresh(entry, last.at) ? Effect.succeed(last.report) : entry.flight
    })

  const askAll = (selected: ReadonlyArray<Entry>, fresh: boolean) =>
    Effect.map(
      Effect.forEach(selected, (entry) => ask(entry, fresh), { concurrency: "unbounded" }),
      // A check may have been removed while it ran.
      (found) =>
        found.filter((_, i) => {
          const entry = selected[i]
          return entry !== undefined && isRegistered(entry)
        })
    )

  const lastKnown = (selected: ReadonlyArray<Entry>, since: bigint, otherwise: string): Array<CheckReport> =>
    selected.map((entry) => {
      const { last } = Ref.getUnsafe(entry.state)
      return last !== undefined && last.at >= since
        ? last.report
        : describe(entry, HealthCheck.unhealthy(otherwise), Duration.zero)
    })

  const select = (options: ReportOptions): Effect.Effect<ReadonlyArray<Entry>, UnknownCheckError> =>
    Effect.suspend(() => {
      if (options.kind !== undefined) HealthCheck.kind("kind", options.kind)
      const { kind, only, exclude } = options
      const all = [...Ref.getUnsafe(entries).values()]
      const ofKind = kind === undefined ? all : all.filter((entry) => entry.check.kinds.includes(kind))
      return Effect.as(
        Effect.andThen(allKnown(only, ofKind), allKnown(exclude, all)),
        ofKind.filter(({ name }) => (only === undefined || only.includes(name)) && !exclude?.includes(name))
      )
    })

  const assemble = (checks: ReadonlyArray<CheckReport>, message?: string): Report => ({
    status: message === undefined ? statusOf(checks) : "unhealthy",
    ...(message === undefined ? undefined : { message }),
    ...(settings.version === undefined ? undefined : { version: settings.version }),
    uptime: Duration.nanos(clock.monotonicTimeNanosUnsafe() - startedAt),
    timestamp: timestamp(),
    checks
  })

  const isDraining = Effect.map(Ref.get(draining), ({ byHand, scopes }) => byHand || scopes > 0)

  const whetherDraining = (checks: ReadonlyArray<CheckReport>) =>
    Effect.map(isDraining, (draining) => assemble(checks, draining ? "draining" : undefined))

  const readiness = (selected: ReadonlyArray<Entry>, fresh: boolean) =>
    Effect.flatMap(isDraining, (draining) =>
      draining
        ? Effect.sync(() => assemble(lastKnown(selected, startedAt, "not run yet"), "draining"))
        : Effect.flatMap(askAll(selected, fresh), whetherDraining)
    )

  const startup = (selected: ReadonlyArray<Entry>, fresh: boolean, complete: boolean) =>
    Effect.gen(function* () {
      const passed = (entry: Entry) => Ref.getUnsafe(entry.state).passed
      if (yield* Ref.get(started)) return assemble(selected.flatMap((entry) => passed(entry) ?? []))
      const missing = selected.filter((entry) => passed(entry) === undefined)
      const found = new Map((yield* askAll(missing, fresh)).map((report) => [report.name, report]))
      const checks = selected.flatMap((entry) => passed(entry) ?? found.get(entry.name) ?? [])
      if (complete && checks.length > 0 && checks.every((check) => check.status === "healthy")) {
        yield* Ref.set(started, true)
      }
      return assemble(checks)
    })

  const reportFor = (options: ReportOptions = {}): Effect.Effect<Report, UnknownCheckError> =>
    Effect.flatMap(select(options), (selected) => {
      const fresh = options.fresh === true
      switch (options.kind) {
        case "readiness":
          return readiness(selected, fresh)
        case "startup":
          return startup(selected, fresh, options.only === undefined && options.exclude === undefined)
        case "liveness":
          return Effect.map(askAll(selected, fresh), (checks) => assemble(checks))
        default:
          return Effect.flatMap(askAll(selected, fresh), whetherDraining)
      }
    })

  const waitUntilHealthy = (options: WaitOptions = {}): Effect.Effect<Report, NotHealthyError | UnknownCheckError> =>
    Effect.suspend(() => {
      const { atLeast, interval, timeout } = resolveWait(options)
      const since = clock.monotonicTimeNanosUnsafe()
      let last: Report | undefined
      const loop = reportFor({ ...options, fresh: true }).pipe(
        Effect.tap((report) => Effect.sync(() => void (last = report))),
        Effect.repeat({
          schedule: Schedule.spaced(interval),
          until: ({ status }) => status === "healthy" || status === atLeast
        })
      )
      return timeout === undefined
        ? loop
        : Effect.timeoutOrElse(loop, {
            duration: timeout,
            orElse: () =>
              Effect.flatMap(select(options), (selected) =>
                Effect.fail(
                  new NotHealthyError({
                    report: last ?? assemble(lastKnown(selected, since, `no answer in ${Duration.format(timeout)}`)),
                    after: timeout
                  })
                )
              )
          })
    })

  for (const [name, check] of checks) yield* enter(name, check)
  if (schedule !== undefined) {
    yield* Ref.set(scheduled, true)
    yield* Effect.suspend(() =>
      Effect.forEach(Ref.getUnsafe(entries).values(), (entry) => entry.flight, {
        concurrency: "unbounded",
        discard: true
      })
    ).pipe(
      Effect.repeat(schedule),
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("health checks are no longer scheduled", cause)
      ),
      Effect.ensuring(Ref.set(scheduled, false)),
      Effect.forkIn(scope)
    )
  }
  yield* Scope.addFinalizer(scope, Ref.set(closing, true))

  return Health.of({
    register: (name, check) =>
      Effect.suspend(() => {
        validate(name, check)
        return Effect.uninterruptible(Effect.flatMap(enter(name, check), (remove) => Effect.addFinalizer(() => remove)))
      }),
    reportFor,
    run: (name, options) =>
      Effect.flatMap(reportFor({ only: [name], fresh: options?.fresh }), ({ checks: [check] }) =>
        check === undefined ? Effect.fail(unknown(name, [...Ref.getUnsafe(entries).values()])) : Effect.succeed(check)
      ),
    waitUntilHealthy,
    drain: Ref.update(draining, (draining) => ({ ...draining, byHand: true })),
    undrain: Ref.update(draining, (draining) => ({ ...draining, byHand: false })),
    drainScoped: Effect.acquireRelease(
      Ref.update(draining, (draining) => ({ ...draining, scopes: draining.scopes + 1 })),
      () => Ref.update(draining, (draining) => ({ ...draining, scopes: draining.scopes - 1 }))
    ),
    isDraining,
    changes: Stream.fromPubSubTake(pubsub),
    results: Effect.sync(() =>
      [...Ref.getUnsafe(entries).values()].flatMap(({ state }) => Ref.getUnsafe(state).last?.report ?? [])
    ),
    watchers
  })
})

const unknown = (check: string, among: ReadonlyArray<Entry>) =>
  new UnknownCheckError({ check, known: among.map(({ name }) => name) })

const allKnown = (names: ReadonlyArray<string> | undefined, among: ReadonlyArray<Entry>) => {
  const missing = names?.find((name) => !among.some((entry) => entry.name === name))
  return missing === undefined ? Effect.void : Effect.fail(unknown(missing, among))
}
