/**
 * Budgets of changes: one of all operators, one of each operator, and a reserve
 * of holds for each.
 */
import { Buckets, nameOf } from "./Buckets.ts"
import type { Resolved } from "./ControlOptions.ts"

const minute = 60_000

export class ChangeBudgets {
  private readonly all: Buckets
  private readonly operators: Buckets
  private readonly holds: Buckets

  constructor({
    changesPerMinute,
    holdsPerMinute,
    operatorChangesPerMinute
  }: Pick<Resolved["limits"], "changesPerMinute" | "holdsPerMinute" | "operatorChangesPerMinute">) {
    this.all = new Buckets(changesPerMinute, minute)
    this.operators = new Buckets(operatorChangesPerMinute, minute)
    this.holds = new Buckets(holdsPerMinute, minute)
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
    const holder = nameOf(operator)
    const waitForHold = this.holds.wait(holder, now)
    if (waitForHold === 0) this.holds.take(holder, now)
    return Math.min(wait, waitForHold)
  }
}
