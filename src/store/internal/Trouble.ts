/**
 * Rows with some trouble, each of which is reported once until that is over.
 */

/** Rows that are remembered: those of all circuits, but for a flood of keys. */
const most = 1000

export class Trouble {
  private readonly rows = new Set<string>()

  /** Notes the trouble of a row. Returns whether that is new. */
  begins(resourceKey: string): boolean {
    if (this.rows.has(resourceKey)) return false
    if (this.rows.size >= most) for (const oldest of [...this.rows].slice(0, 1)) this.rows.delete(oldest)
    this.rows.add(resourceKey)
    return true
  }

  /** Notes that a row has the trouble no more. */
  ends(resourceKey: string): void {
    this.rows.delete(resourceKey)
  }
}
