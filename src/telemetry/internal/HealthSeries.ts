/**
 * Series of health checks, from the first result of each until it is removed.
 */
import * as Duration from "effect/Duration"
import type * as Health from "../../health/Health.ts"
import type * as HealthReport from "../../health/internal/HealthReport.ts"
import { Histogram } from "./Histogram.ts"
import { definitions } from "./Metrics.ts"
import { ends, immediately, type End, type Series } from "./Series.ts"
import { Shares } from "./Shared.ts"
import type { Resolved } from "./TelemetryOptions.ts"

/**
 * Shows the checks of a service until the end. Layers that show the same series
 * share them.
 */
export const watch = (series: Series, health: Health.Health["Service"], options: Resolved): End =>
  shares.take(health, series, () => {
    const checks = new Checks(series, health, options)
    checks.start()
    return { value: undefined, release: () => checks.stop() }
  }).release

const shares = /* @__PURE__ */ new Shares<void>()

interface SeenCheck {
  report: HealthReport.CheckReport
  readonly latency: Histogram
  readonly end: End
}

class Checks {
  private readonly series: Series
  private readonly health: Health.Health["Service"]
  private readonly options: Resolved
  private readonly seen = new Map<string, SeenCheck>()

  constructor(series: Series, health: Health.Health["Service"], options: Resolved) {
    this.series = series
    this.health = health
    this.options = options
  }

  start(): void {
    this.health.watchers.add(this.sync)
    this.sync()
  }

  stop(): void {
    this.health.watchers.delete(this.sync)
    for (const { end } of this.seen.values()) end()
  }

  private readonly sync = (): void => {
    const results = immediately(this.health.results) ?? []
    const names = new Set(results.map(({ name }) => name))
    for (const [name, { end }] of this.seen) {
      if (names.has(name)) continue
      end()
      this.seen.delete(name)
    }
    for (const report of results) {
      const check = this.check(report)
      if (check === undefined) continue
      // A result is recorded once, however often it is seen.
      if (check.report !== report || check.latency.isEmpty) check.latency.record(Duration.toMillis(report.latency))
      check.report = report
    }
  }

  private check(report: HealthReport.CheckReport): SeenCheck | undefined {
    const { name } = report
    const seen = this.seen.get(name)
    if (seen !== undefined || this.seen.size >= this.options.maxValues) return seen
    const latency = new Histogram(this.options.buckets)
    const check: SeenCheck = { report, latency, end: this.register(name, latency, () => check.report.status) }
    this.seen.set(name, check)
    return check
  }

  private register(name: string, latency: Histogram, status: () => HealthReport.Status): End {
    return ends([
      this.series.oneOf(
        definitions.checkStatus,
        { check: name },
        "status",
        ["healthy", "degraded", "unhealthy"],
        status
      ),
      this.series.histogram(definitions.checkDuration, { check: name }, latency)
    ])
  }
}
