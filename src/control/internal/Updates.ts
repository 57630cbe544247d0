/**
 * Latest list of circuits, and what differs in it from the one before.
 */
import { CircuitList } from "./CircuitList.ts"
import * as ControlApi from "../ControlApi.ts"
import * as Events from "./Events.ts"
import type { Listing } from "./Listing.ts"

/**
 * List of circuits that all readers share.
 */
export class Updates {
  private readonly listing: Listing
  private list: CircuitList
  private known: CircuitList | undefined
  private isExpired = true

  constructor(listing: Listing) {
    this.listing = listing
    this.list = new CircuitList(Number.NEGATIVE_INFINITY, 0, [], () => "")
  }

  get latest(): CircuitList {
    return this.list
  }

  /** Returns for how long the list is not older than `millis`, 0 if it is. */
  freshFor(now: number, millis: number): number {
    // The clock may have been set back.
    return this.isExpired ? 0 : Math.max(0, millis - Math.abs(now - this.list.at))
  }

  /** Makes the list too old for the next reader. */
  expire(): void {
    this.isExpired = true
  }

  /** Takes another list. */
  take(now: number): void {
    const { chosen, total } = this.listing.choose(ControlApi.bounds.circuits)
    this.list = new CircuitList(now, total, chosen, ([breaker, circuit]) =>
      JSON.stringify(this.listing.show(breaker, circuit, now))
    )
    this.isExpired = false
  }

  /**
   * Makes the latest list the one that readers of events know. Returns how to make
   * the event of what differs in its first circuits from the one that they knew, if
   * anything does.
   */
  tell(limit: number): (() => Uint8Array) | undefined {
    const { known, list } = this
    if (known === list) return undefined
    this.known = list
    return differences(known, list, limit)
  }

  /** Forgets what readers of events know: there are none. */
  forget(): void {
    this.known = undefined
  }
}

const differences = (from: CircuitList | undefined, to: CircuitList, limit: number): (() => Uint8Array) | undefined => {
  if (from === undefined) return undefined
  const before = new Map(from.take(limit).map(({ id, json }) => [id, json]))
  const changed: Array<string> = []
  for (const { id, json } of to.take(limit)) {
    if (before.get(id) !== json) changed.push(json)
    before.delete(id)
  }
  // An id is the JSON of a name and a key.
  const gone = Array.from(before.keys())
  const { at, total } = to
  if (total === from.total && changed.length === 0 && gone.length === 0) return undefined
  return () =>
    Events.encode("update", `{"at":${at},"circuits":[${changed.join()}],"gone":[${gone.join()}],"total":${total}}`)
}
