/**
 * Budgets of changes: one of all operators, one of each operator, and a reserve
 * of holds for each.
 */
import type { Resolved } from "./ControlOptions.ts"

interface Bucket {
  /** Changes that are left. */
  left: number
  /** When the last change was added, or would have been. */
  at: number
}

const minute = 60_000

/** Number of buckets beyond which full ones are dropped. */
const maxBuckets = 1000

/**
 * Changes per minute by the name of who makes them. A name without a bucket has
 * all of them left.
 */
class Buckets {
  private readonly buckets = new Map<string, Bucket>()
  private readonly max: number
  private readonly every: number

  constructor(perMinute: number) {
    this.max = perMinute
    this.every = minute / perMinute
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
    // The oldest ones, where so many operators are at work in one minute.
    for (const name of this.buckets.keys()) {
      if (this.buckets.size < maxBuckets) return
      this.buckets.delete(name)
    }
  }
}

export class ChangeBudgets {
  private readonly all: Buckets
  private readonly operators: Buckets
  private readonly holds: Buckets

  constructor({
    changesPerMinute,
    holdsPerMinute,
    operatorChangesPerMinute
  }: Pick<Resolved["limits"], "changesPerMinute" | "holdsPerMinute" | "operatorChangesPerMinute">) {
    this.all = new Buckets(changesPerMinute)
    this.operators = new Buckets(operatorChangesPerMinute)
    this.holds = new Buckets(holdsPerMinute)
  }

  /** Number of buckets. */
  get size(): number {
    return this.all.size + this.operators.size + this.holds.size
  }

  /**
   * Takes a change by an operator, whom the credentials may not name. Returns 0,
   * or after how many milliseconds to try again.
   */
  take(operator: string | undefined, isHold: boolean, now: number): number {
    const wait = Math.max(
      this.all.wait("", now),
      // A token that all operators share has the budget of all.
      operator === undefined ? 0 : this.operators.wait(operator, now)
    )
    if (wait === 0) {
      this.all.take("", now)
      if (operator !== undefined) this.operators.take(operator, now)
      return 0
    }
    if (!isHold) return wait
    // With a dot before it, no name is that of a shared token.
    const holder = operator === undefined ? "" : `.${operator}`
    const waitForHold = this.holds.wait(holder, now)
    if (waitForHold === 0) this.holds.take(holder, now)
    return Math.min(wait, waitForHold)
  }
}
