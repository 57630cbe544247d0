/**
 * Windows: counts of the latest calls. A window belongs to one
 * process and is never shared.
 *
 * **Details**
 *
 * - `Streak` counts hits in a row.
 * - `LastCalls` counts the hits among the last `size` calls, one bit a call.
 * - `LastTime` counts calls and hits of the last `millis`, in ten slots: as time
 *   passes, calls leave a tenth of the window at a time, so what is counted
 *   reaches back between 90 % and 100 % of `millis`.
 *
 * A *hit* is what the window looks for: a failed call, or a slow one. Windows
 * are mutable, because they are written on every call.
 */

/**
 * Count of hits in a row.
 */
export class Streak {
  /** Hits since the last call that was not one. */
  hits = 0

  record(hit: boolean): void {
    this.hits = hit ? this.hits + 1 : 0
  }
}

/**
 * Count of the hits among the last calls.
 */
export class LastCalls {
  /** Calls counted, at most `size`. */
  calls = 0
  hits = 0
  /** Calls that the window holds. */
  readonly size: number
  private readonly bits: Uint32Array
  private next = 0

  constructor(size: number) {
    this.size = size
    this.bits = new Uint32Array(Math.ceil(size / 32))
  }

  /** Counts a call and forgets the one `size` calls ago. */
  record(hit: boolean): void {
    const word = this.next >>> 5
    const mask = 1 << (this.next & 31)
    // `next` is below `size`, so the word exists.
    const bits = this.bits[word] as number
    if (this.calls < this.size) this.calls++
    else if ((bits & mask) !== 0) this.hits--
    if (hit) this.hits++
    this.bits[word] = hit ? bits | mask : bits & ~mask
    this.next = this.next + 1 === this.size ? 0 : this.next + 1
  }
}

const slots = 10

/**
 * Count of the calls, and the hits among them, of the latest time.
 */
export class LastTime {
  calls = 0
  hits = 0
  private readonly width: number
  private readonly callsIn = new Float64Array(slots)
  private readonly hitsIn = new Float64Array(slots)
  private latest = Number.NEGATIVE_INFINITY
  private slot = 0

  constructor(millis: number) {
    this.width = millis / slots
  }

  /** Counts a call that ended at `now`, in milliseconds. */
  record(hit: boolean, now: number): void {
    this.advance(now)
    const { slot } = this
    // `slot` is an index of both arrays.
    this.callsIn[slot] = (this.callsIn[slot] as number) + 1
    this.calls++
    if (!hit) return
    this.hitsIn[slot] = (this.hitsIn[slot] as number) + 1
    this.hits++
  }

  /** Forgets calls that are older than the window at `now`, in milliseconds. */
  advance(now: number): void {
    const current = Math.floor(now / this.width)
    const passed = current - this.latest
    // A clock that was set back a little catches up with the latest slot. One
    // that was set back further would leave the window full for as long:
    // counting begins again.
    if (passed < 0 && passed > -slots) return
    for (let left = Math.min(Math.abs(passed), slots); left > 0; left--) {
      this.slot = (this.slot + 1) % slots
      // `slot` is an index of both arrays.
      this.calls -= this.callsIn[this.slot] as number
      this.hits -= this.hitsIn[this.slot] as number
      this.callsIn[this.slot] = 0
      this.hitsIn[this.slot] = 0
    }
    this.latest = current
  }
}

/**
 * Counts of the latest calls, by one or several windows.
 */
export type Window = Streak | LastCalls | LastTime | ReadonlyArray<Window>
