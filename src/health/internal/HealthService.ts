/**
 * Service of a health instance, with the options and errors of its methods.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Text from "../../core/internal/Text.ts"
import type { Check } from "./HealthCheck.ts"
import type { CheckReport, Kind, Report, Status } from "./HealthReport.ts"

/**
 * Options that choose the checks of a report by kind.
 */
export interface KindOptions {
  /** Kind of report. Default: all checks, whatever their kinds. */
  readonly kind?: Kind | undefined
  /** Whether to run checks whose result is still young enough. Default: `false`. */
  readonly fresh?: boolean | undefined
  /**
   * How long a result is used again where neither its check nor the layer has a
   * `ttl` or a `schedule`. Default: 0.
   */
  readonly ttl?: Duration.Input | undefined
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
  /**
   * How long a result is used again where neither its check nor the layer has a
   * `ttl` or a `schedule`. Default: 0.
   */
  readonly ttl?: Duration.Input | undefined
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
 * Change of the status of a check.
 */
export interface Change {
  /** Name of the check. */
  readonly name: string
  /** Status before, `undefined` for the first result. */
  readonly from: Status | undefined
  /** Status now. */
  readonly to: Status
  /** Result with the new status. */
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
    const known = this.known.map((name) => Text.quoted(name)).join(", ")
    return `No check is named ${Text.label(this.check, undefined)}: ${known === "" ? "there are none" : `there are ${known}`}`
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
      .map((check) => `${Text.quoted(check.name)}: ${Text.printable(check.message ?? check.status)}`)
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
    /** Returns whether readiness is turned off. */
    readonly isDraining: Effect.Effect<boolean>
    /** Changes of the status of checks, from now on. */
    readonly changes: Stream.Stream<Change>
    /** Last result of each check that has one. No check is run. */
    readonly results: Effect.Effect<ReadonlyArray<CheckReport>>
    /** Called when a check has a result, and when one is removed. */
    readonly watchers: Set<() => void>
  }
>()("effect-resilience/Health") {}
