/**
 * Histogram of durations, recorded without the lookups of a metric.
 */
import type * as Metric from "effect/Metric"

/**
 * Durations in buckets, shown in seconds.
 */
export class Histogram {
  /** Upper bounds of the buckets, in seconds. */
  readonly buckets: ReadonlyArray<number>
  private readonly bounds: Float64Array
  private readonly counts: Float64Array
  private count = 0
  private millis = 0
  private min = 0
  private max = 0

  constructor(buckets: ReadonlyArray<number>) {
    this.buckets = buckets
    this.bounds = Float64Array.from(buckets, (seconds) => seconds * 1000)
    this.counts = new Float64Array(buckets.length)
  }

  /** Counts a duration in milliseconds. */
  record(millis: number): void {
    // Neither a clock that was set back nor a call that began before it was timed says how long it took.
    if (!(millis >= 0)) return
    const { bounds, counts } = this
    let i = 0
    while (i < bounds.length && millis > (bounds[i] as number)) i++ // `i` is an index
    if (i < counts.length) (counts[i] as number)++ // as is this
    if (this.count === 0 || millis < this.min) this.min = millis
    if (millis > this.max) this.max = millis
    this.count++
    this.millis += millis
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  /** State for exporters: each bucket includes those below it. */
  get state(): Metric.HistogramState {
    let below = 0
    return {
      buckets: this.buckets.map((bound, i) => [bound, (below += this.counts[i] as number)]), // one count a bound
      count: this.count,
      min: this.min / 1000,
      max: this.max / 1000,
      sum: this.millis / 1000
    }
  }
}
