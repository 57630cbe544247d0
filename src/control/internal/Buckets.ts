/**
 * So many requests in a time, by the name of who makes them.
 *
 * **Details**
 *
 * A name without a bucket has all of them left, so full buckets are dropped, and
 * the number of buckets has a bound.
 */

/** Requests of one name. */
interface Bucket {
  /** Number that is left. */
  left: number
  /** When the last one was added, or would have been. */
  at: number
}

/** Number of buckets beyond which full ones are dropped. */
const maxBuckets = 1000

export class Buckets {
  private readonly buckets = new Map<string, Bucket>()
  private readonly max: number
  private readonly every: number

  constructor(max: number, millis: number) {
    this.max = max
    this.every = millis / max
  }

  get size(): number {
    return this.buckets.size
  }

  /** Returns after how many milliseconds there is one, 0 if there is one now. */
  wait(name: string, now: number): number {
    const bucket = this.buckets.get(name)
    if (bucket === undefined) return 0
    this.refill(bucket, now)
    return bucket.left > 0 ? 0 : Math.max(1, bucket.at + this.every - now)
  }

  /** Takes one that there is. */
  take(name: string, now: number): void {
    let bucket = this.buckets.get(name)
    if (bucket === undefined) {
      this.makePlace(now)
      this.buckets.set(name, (bucket = { left: this.max, at: now }))
    }
    bucket.left--
  }

  private refill(bucket: Bucket, now: number): void {
    // The clock may have been set back.
    bucket.at = Math.min(bucket.at, now)
    const added = Math.floor((now - bucket.at) / this.every)
    bucket.left = Math.min(this.max, bucket.left + added)
    bucket.at = bucket.left === this.max ? now : bucket.at + added * this.every
  }

  private makePlace(now: number): void {
    if (this.buckets.size < maxBuckets) return
    for (const [name, bucket] of this.buckets) {
      this.refill(bucket, now)
      if (bucket.left === this.max) this.buckets.delete(name)
    }
    // The oldest ones, where so many operators are at work at one time.
    for (const name of this.buckets.keys()) {
      if (this.buckets.size < maxBuckets) return
      this.buckets.delete(name)
    }
  }
}

/** Returns the name of the bucket of an operator, or of all whom the credentials do not tell apart. */
export const nameOf = (operator: string | undefined): string => (operator === undefined ? "" : `.${operator}`)
