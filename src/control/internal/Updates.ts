/**
 * Differences between one list of circuits and the next, as events.
 */
import type * as ControlApi from "../ControlApi.ts"
import * as Events from "./Events.ts"

/**
 * List of circuits as the readers of events know it.
 */
export class Updates {
  private circuits = new Map<string, string>()
  private total = 0
  private at = Number.NEGATIVE_INFINITY

  /** Returns whether the list was taken less than `millis` from `now`. */
  isFresh(now: number, millis: number): boolean {
    return Math.abs(now - this.at) < millis
  }

  /** Takes a list, and returns how to make the event of what differs, if anything does. */
  take({ at, circuits, total }: ControlApi.Circuits): (() => Uint8Array) | undefined {
    const before = this.circuits
    const after = new Map(
      circuits.map((circuit) => [Events.identify(circuit.name, circuit.key), JSON.stringify(circuit)])
    )
    const changed = Array.from(after).flatMap(([id, json]) => (before.get(id) === json ? [] : [json]))
    // An id is the JSON of a name and a key.
    const gone = Array.from(before.keys()).filter((id) => !after.has(id))
    const isSame = total === this.total && changed.length === 0 && gone.length === 0
    this.circuits = after
    this.total = total
    this.at = at
    if (isSame) return undefined
    return () =>
      Events.encode("update", `{"at":${at},"circuits":[${changed.join()}],"gone":[${gone.join()}],"total":${total}}`)
  }

  /** Returns the event of the whole list. A reader takes the clock of the server from it. */
  snapshot(now: number): Uint8Array {
    return Events.encode(
      "snapshot",
      `{"at":${now},"circuits":[${Array.from(this.circuits.values()).join()}],"total":${this.total}}`
    )
  }
}
