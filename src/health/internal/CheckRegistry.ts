/**
 * Registered checks of a health instance: it runs them and keeps their last
 * results.
 *
 * **Details**
 *
 * Callers that ask for a check while it runs share that run. With a schedule
 * all checks run in the background, too.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as Take from "effect/Take"
import * as Rules from "../../core/internal/Rules.ts"
import * as Trace from "../../core/internal/Trace.ts"
import * as HealthCheck from "./HealthCheck.ts"
import type { Check, Result } from "./HealthCheck.ts"
import type { Checks, Resolved } from "./HealthOptions.ts"
import type { CheckReport } from "./HealthReport.ts"
import type { Change } from "./HealthService.ts"

/**
 * Registered check, with what it found.
 */
export interface Entry {
  readonly name: string
  readonly check: Check<unknown>
  /** Runs the check, or joins the run that is under way. */
  readonly flight: Effect.Effect<CheckReport>
  last: Found | undefined
  /** First healthy result: all that startup asks for. */
  passed: CheckReport | undefined
  /** Fiber of the last run, which may outlive its report. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

/**
 * Whether results are used again: none, or those that are younger than a number
 * of milliseconds where their check, the layer and a schedule do not say it.
 */
export type Reuse = "none" | number

interface Found {
  readonly report: CheckReport
  /** Monotonic nanoseconds. */
  readonly at: bigint
}

const module = "Health"

/**
 * Creates the registry with the checks of the options, and runs them on their
 * schedule until the scope closes.
 */
export const make = Effect.fnUntraced(function* <C extends Checks, RS>(options: Resolved<C, RS>) {
  const scope = yield* Effect.scope
  const changes = yield* PubSub.sliding<Take.Take<Change>>(128)
  yield* Scope.addFinalizer(scope, PubSub.end(changes, Exit.void))
  const turns = options.concurrency === "unbounded" ? undefined : yield* Semaphore.make(options.concurrency)
  const registry = new CheckRegistry(options, yield* Clock.Clock, scope, changes, turns)
  // Object.entries forgets which services the checks need; the options say that they are checks.
  const checks = Object.entries(options.checks) as ReadonlyArray<[string, Check<HealthCheck.Services<C[keyof C]>>]>
  for (const [name, check] of checks) yield* registry.add(name, check)
  const { schedule } = options
  if (schedule !== undefined) {
    yield* registry.runOn(Schedule.isSchedule(schedule) ? schedule : Schedule.spaced(Duration.millis(schedule)))
  }
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => registry.close())
  )
  return registry
})

export class CheckRegistry {
  /** Called when a check has a result, and when one is removed. */
  readonly watchers = new Set<() => void>()
  readonly clock: Clock.Clock
  /** Monotonic nanoseconds. */
  readonly startedAt: bigint
  readonly changes: PubSub.PubSub<Take.Take<Change>>
  private readonly options: Pick<Resolved, "timeout" | "ttl">
  private readonly scope: Scope.Scope
  private readonly turns: Semaphore.Semaphore | undefined
  private readonly entries = new Map<string, Entry>()
  private isScheduled = false
  private isClosing = false

  constructor(
    options: Pick<Resolved, "timeout" | "ttl">,
    clock: Clock.Clock,
    scope: Scope.Scope,
    changes: PubSub.PubSub<Take.Take<Change>>,
    turns: Semaphore.Semaphore | undefined
  ) {
    this.options = options
    this.clock = clock
    this.startedAt = clock.monotonicTimeNanosUnsafe()
    this.scope = scope
    this.changes = changes
    this.turns = turns
  }

  /** All checks, in the order of registration. */
  get all(): ReadonlyArray<Entry> {
    return [...this.entries.values()]
  }

  isRegistered(entry: Entry): boolean {
    return this.entries.get(entry.name) === entry
  }

  now(): DateTime.Utc {
    return DateTime.makeUnsafe(this.clock.currentTimeMillisUnsafe())
  }

  /** Returns the report of a check that found something. */
  describe({ check, name }: Entry, { details, message, status }: Result, latency: Duration.Duration): CheckReport {
    return {
      name,
      status,
      critical: check.critical,
      ...(message === undefined ? undefined : { message }),
      latency,
      ...(details === undefined ? undefined : { details }),
      checkedAt: this.now()
    }
  }

  /** Adds a check and returns the effect that removes it. */
  add<R>(name: string, check: Check<R>): Effect.Effect<Effect.Effect<void>, never, R> {
    return Effect.gen({ self: this }, function* () {
      const context = yield* Effect.context<R>()
      const scope = yield* Scope.fork(this.scope)
      // Callers share a run, so it sees nothing of the one that asked first.
      const effect = Effect.setContext(check.effect, Context.add(context, Clock.Clock, this.clock))
      const entry: Entry = {
        name,
        check,
        // No result is young enough for this cache: it is here for its single flight.
        flight: yield* Effect.cachedWithTTL(
          Effect.suspend(() => this.inTurn(check, this.runOnce(entry, effect, scope))).pipe(
            Effect.provideService(Clock.Clock, this.clock)
          ),
          Duration.negativeInfinity
        ),
        last: undefined,
        passed: undefined,
        fiber: undefined
      }
      if (this.entries.has(name)) {
        yield* Scope.close(scope, Exit.void)
        return Rules.reject(module, "name", name, "a name that is not taken")
      }
      this.entries.set(name, entry)
      return Effect.suspend(() => {
        this.entries.delete(name)
        this.tellWatchers()
        return Scope.close(scope, Exit.void)
      })
    })
  }

  /** Runs a check, or returns its last result if that is young enough. */
  ask(entry: Entry, reuse: Reuse): Effect.Effect<CheckReport> {
    return Effect.suspend(() => {
      const { last } = entry
      return last !== undefined && this.isYoung(entry, last.at, reuse) ? Effect.succeed(last.report) : entry.flight
    })
  }

  /** Asks several checks at the same time. A check that is removed while it runs is left out. */
  askAll(entries: ReadonlyArray<Entry>, reuse: Reuse): Effect.Effect<ReadonlyArray<CheckReport>> {
    return Effect.map(
      Effect.forEach(entries, (entry) => this.ask(entry, reuse), { concurrency: "unbounded" }),
      (found) =>
        found.filter((_, i) => {
          const entry = entries[i]
          return entry !== undefined && this.isRegistered(entry)
        })
    )
  }

  /** Returns the last results since a time. Checks without one are unhealthy with the message `otherwise`. */
  lastKnown(entries: ReadonlyArray<Entry>, since: bigint, otherwise: string): ReadonlyArray<CheckReport> {
    return entries.map((entry) =>
      entry.last !== undefined && entry.last.at >= since
        ? entry.last.report
        : this.describe(entry, HealthCheck.unhealthy(otherwise), Duration.zero)
    )
  }

  /** Runs all checks on a schedule, in the background. */
  runOn<RS>(schedule: Schedule.Schedule<unknown, unknown, never, RS>): Effect.Effect<unknown, never, RS> {
    this.isScheduled = true
    return Effect.suspend(() =>
      Effect.forEach(this.all, ({ flight }) => flight, { concurrency: "unbounded", discard: true })
    ).pipe(
      Effect.repeat(schedule),
      Effect.tapCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.void
          : Effect.logError(`health checks are no longer scheduled: ${Trace.of(cause)}`)
      ),
      Effect.ensuring(Effect.sync(() => (this.isScheduled = false))),
      Effect.forkIn(this.scope)
    )
  }

  /** Ends the changes: the checks that are interrupted from now on say nothing. */
  close(): void {
    this.isClosing = true
  }

  private tellWatchers(): void {
    for (const watch of this.watchers) watch()
  }

  // A check of liveness that waits behind a slow check of readiness would restart the process.
  private inTurn<A>({ kinds }: Check<unknown>, effect: Effect.Effect<A>): Effect.Effect<A> {
    return this.turns === undefined || kinds.includes("liveness") ? effect : this.turns.withPermits(1)(effect)
  }

  private isYoung({ check }: Entry, at: bigint, reuse: Reuse): boolean {
    if (reuse === "none") return false
    const ttl = check.ttl ?? this.options.ttl ?? (this.isScheduled ? Number.POSITIVE_INFINITY : reuse)
    return Number(this.clock.monotonicTimeNanosUnsafe() - at) / 1e6 < ttl
  }

  private runOnce(entry: Entry, effect: Effect.Effect<unknown, unknown>, scope: Scope.Scope) {
    const timeout = Duration.millis(entry.check.timeout ?? this.options.timeout)
    return Effect.gen({ self: this }, function* () {
      let since = this.clock.monotonicTimeNanosUnsafe()
      let waiting = true
      const answer = Effect.uninterruptibleMask((restore) =>
        Effect.gen({ self: this }, function* () {
          const earlier = entry.fiber
          if (earlier !== undefined) yield* restore(Fiber.await(earlier))
          waiting = false
          since = this.clock.monotonicTimeNanosUnsafe()
          const fiber = yield* Effect.forkIn(effect, scope, { startImmediately: true })
          entry.fiber = fiber
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
      return yield* Effect.uninterruptible(this.settle(entry, found, since))
    })
  }

  private settle(entry: Entry, found: Result, since: bigint): Effect.Effect<CheckReport> {
    return Effect.suspend(() => {
      const at = this.clock.monotonicTimeNanosUnsafe()
      const report = this.describe(entry, found, Duration.nanos(at - since))
      const from = entry.last?.report.status
      entry.last = { report, at }
      if (report.status === "healthy") entry.passed ??= report
      this.tellWatchers()
      const isChange = from !== report.status && !this.isClosing && this.isRegistered(entry)
      const change: Change = { name: entry.name, from, to: report.status, check: report }
      return Effect.as(isChange ? PubSub.publish(this.changes, [change]) : Effect.void, report)
    })
  }
}
