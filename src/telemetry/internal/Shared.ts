/**
 * Parts that layers of telemetry share. A part begins with the first layer that
 * takes it, and ends with the last.
 *
 * **Details**
 *
 * A counter that two layers keep would be shown twice, or begin again when one
 * of them ends. So both take the same one.
 */

/**
 * Value that is kept until it is released, once.
 */
export interface Share<out A> {
  readonly value: A
  readonly release: () => void
}

interface Taken<A> {
  readonly share: Share<A>
  takers: number
}

/**
 * Shares by source, such as a breaker, and by the place where it is shown, such
 * as the series of one registry of metrics.
 */
export class Shares<A> {
  private readonly all = new WeakMap<object, Map<unknown, Taken<A>>>()

  /** Returns the share of a source and a place, begun if it is not there yet. */
  take(source: object, place: unknown, begin: () => Share<A>): Share<A> {
    let places = this.all.get(source)
    if (places === undefined) this.all.set(source, (places = new Map<unknown, Taken<A>>()))
    let taken = places.get(place)
    if (taken === undefined) places.set(place, (taken = { share: begin(), takers: 0 }))
    const { share } = taken
    taken.takers++
    return {
      value: share.value,
      release: () => {
        if (--taken.takers > 0) return
        places.delete(place)
        share.release()
      }
    }
  }
}
