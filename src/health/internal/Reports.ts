/**
 * Reports on the checks of a registry, by kind and name.
 *
 * **Details**
 *
 * Draining makes readiness unhealthy. Startup stays healthy once all its checks
 * have been healthy.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Rules from "../../core/internal/Rules.ts"
import type { CheckRegistry, Entry, Reuse } from "./CheckRegistry.ts"
import * as HealthCheck from "./HealthCheck.ts"
import { defaults } from "./HealthOptions.ts"
import { statusOf, type CheckReport, type Report } from "./HealthReport.ts"
import { NotHealthyError, UnknownCheckError, type ReportOptions, type WaitOptions } from "./HealthService.ts"

const module = "Health"

/**
 * Values of options of `waitUntilHealthy` that are not given.
 */
export const waitDefaults = {
  interval: "1 second",
  atLeast: "healthy"
} as const satisfies WaitOptions

export const resolveWait = (options: WaitOptions) => {
  const atLeast = options.atLeast ?? waitDefaults.atLeast
  if (atLeast !== "healthy" && atLeast !== "degraded") {
    Rules.reject(module, "atLeast", atLeast, "healthy or degraded")
  }
  return {
    atLeast,
    interval: Duration.millis(Rules.millis(module, "interval", options.interval ?? waitDefaults.interval)),
    timeout:
      options.timeout === undefined ? undefined : Duration.millis(Rules.millis(module, "timeout", options.timeout))
  }
}

// As the default of the layer, where a report does not say more.
const resolveTtl = (ttl: ReportOptions["ttl"]): number =>
  ttl === undefined ? defaults.ttl : Rules.millis(module, "ttl", ttl, "zero")

export class Reports {
  private readonly registry: CheckRegistry
  private readonly version: string | undefined
  private isDrained = false
  private drainScopes = 0
  private isStarted = false

  constructor(registry: CheckRegistry, version: string | undefined) {
    this.registry = registry
    this.version = version
  }

  get isDraining(): boolean {
    return this.isDrained || this.drainScopes > 0
  }

  drain(on: boolean): void {
    this.isDrained = on
  }

  readonly drainScoped: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
    Effect.sync(() => this.addDrainScopes(1)),
    () => Effect.sync(() => this.addDrainScopes(-1))
  )

  reportFor(options: ReportOptions = {}): Effect.Effect<Report, UnknownCheckError> {
    return Effect.flatMap(this.select(options), (entries) => {
      const reuse = options.fresh === true ? "none" : resolveTtl(options.ttl)
      switch (options.kind) {
        case "readiness":
          return this.readiness(entries, reuse)
        case "startup":
          return this.startup(entries, reuse, options.only === undefined && options.exclude === undefined)
        case "liveness":
          return Effect.map(this.registry.askAll(entries, reuse), (checks) => this.assemble(checks))
        default:
          return this.whetherDraining(entries, reuse)
      }
    })
  }

  run(name: string, fresh: boolean | undefined): Effect.Effect<CheckReport, UnknownCheckError> {
    return Effect.flatMap(this.reportFor({ only: [name], fresh }), ({ checks: [check] }) =>
      check === undefined ? Effect.fail(unknown(name, this.registry.all)) : Effect.succeed(check)
    )
  }

  waitUntilHealthy(options: WaitOptions = {}): Effect.Effect<Report, NotHealthyError | UnknownCheckError> {
    return Effect.suspend(() => {
      const { atLeast, interval, timeout } = resolveWait(options)
      const since = this.registry.clock.monotonicTimeNanosUnsafe()
      let last: Report | undefined
      const loop = this.reportFor({ ...options, fresh: true }).pipe(
        Effect.tap((report) => Effect.sync(() => void (last = report))),
        Effect.repeat({
          schedule: Schedule.spaced(interval),
          until: ({ status }) => status === "healthy" || status === atLeast
        })
      )
      if (timeout === undefined) return loop
      return Effect.timeoutOrElse(loop, {
        duration: timeout,
        orElse: () =>
          Effect.flatMap(this.select(options), (entries) => {
            const noAnswer = `no answer in ${Duration.format(timeout)}`
            const report = last ?? this.assemble(this.registry.lastKnown(entries, since, noAnswer))
            return Effect.fail(new NotHealthyError({ report, after: timeout }))
          })
      })
    })
  }

  private addDrainScopes(count: number): void {
    this.drainScopes += count
  }

  private select({
    exclude,
    fresh,
    kind,
    only
  }: ReportOptions): Effect.Effect<ReadonlyArray<Entry>, UnknownCheckError> {
    return Effect.suspend(() => {
      if (kind !== undefined) HealthCheck.kind("kind", kind)
      if (fresh !== undefined) Rules.boolean(module, "fresh", fresh)
      const { all } = this.registry
      const ofKind = kind === undefined ? all : all.filter(({ check }) => check.kinds.includes(kind))
      return Effect.as(
        Effect.andThen(allKnown(only, ofKind), allKnown(exclude, all)),
        ofKind.filter(({ name }) => (only === undefined || only.includes(name)) && !exclude?.includes(name))
      )
    })
  }

  private assemble(checks: ReadonlyArray<CheckReport>, message?: string): Report {
    const { registry, version } = this
    return {
      status: message === undefined ? statusOf(checks) : "unhealthy",
      ...(message === undefined ? undefined : { message }),
      ...(version === undefined ? undefined : { version }),
      uptime: Duration.nanos(registry.clock.monotonicTimeNanosUnsafe() - registry.startedAt),
      timestamp: registry.now(),
      checks
    }
  }

  // Asks the checks: whether the service drains is seen when they have answered.
  private whetherDraining(entries: ReadonlyArray<Entry>, reuse: Reuse): Effect.Effect<Report> {
    return Effect.map(this.registry.askAll(entries, reuse), (checks) =>
      this.assemble(checks, this.isDraining ? "draining" : undefined)
    )
  }

  private readiness(entries: ReadonlyArray<Entry>, reuse: Reuse): Effect.Effect<Report> {
    return Effect.suspend(() =>
      this.isDraining
        ? Effect.succeed(
            this.assemble(this.registry.lastKnown(entries, this.registry.startedAt, "not run yet"), "draining")
          )
        : this.whetherDraining(entries, reuse)
    )
  }

  private startup(entries: ReadonlyArray<Entry>, reuse: Reuse, isComplete: boolean): Effect.Effect<Report> {
    return Effect.gen({ self: this }, function* () {
      if (this.isStarted) return this.assemble(entries.flatMap(({ passed }) => passed ?? []))
      const missing = entries.filter(({ passed }) => passed === undefined)
      const found = new Map((yield* this.registry.askAll(missing, reuse)).map((report) => [report.name, report]))
      const checks = entries.flatMap(({ name, passed }) => passed ?? found.get(name) ?? [])
      this.isStarted ||= isComplete && checks.length > 0 && checks.every(({ status }) => status === "healthy")
      return this.assemble(checks)
    })
  }
}

const unknown = (check: string, among: ReadonlyArray<Entry>) =>
  new UnknownCheckError({ check, known: among.map(({ name }) => name) })

const allKnown = (names: ReadonlyArray<string> | undefined, among: ReadonlyArray<Entry>) => {
  const missing = names?.find((name) => !among.some((entry) => entry.name === name))
  return missing === undefined ? Effect.void : Effect.fail(unknown(missing, among))
}
