/**
 * Claims that a case makes, and whether they hold.
 */

/**
 * What was claimed, and what was measured.
 */
export interface Claim {
  readonly claim: string
  readonly holds: boolean
  readonly measured: string
}

/**
 * Claims of one case.
 */
export class Claims {
  readonly all: Array<Claim> = []

  add(claim: string, holds: boolean, measured: string): void {
    this.all.push({ claim, holds, measured })
  }

  /** Claims that a number is not above a limit. */
  atMost(claim: string, value: number, limit: number, unit = ""): void {
    const round = (n: number) => (Number.isInteger(n) ? String(n) : n.toFixed(1))
    this.add(claim, value <= limit, `${round(value)} of at most ${round(limit)}${unit}`)
  }
}
