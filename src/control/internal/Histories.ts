/**
 * Latest changes of circuits, of each and of all.
 */
import type * as ControlApi from "../ControlApi.ts"
import * as Events from "./Events.ts"

const latestChanges = 200
const changesPerCircuit = 32
const circuitsWithHistory = 1000

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

export class Histories {
  private readonly changes: Array<{ readonly change: ControlApi.Change; json: string | undefined }> = []
  private encoded: Uint8Array | undefined
  private readonly histories = new Map<string, Array<ControlApi.Change>>()

  /** Adds a change, and forgets the oldest ones. */
  add(change: ControlApi.Change): void {
    this.encoded = undefined
    this.changes.push({ change, json: undefined })
    if (this.changes.length > latestChanges) this.changes.shift()
    const id = Events.identify(change.name, change.key)
    const history = this.histories.get(id) ?? []
    history.push(change)
    if (history.length > changesPerCircuit) history.shift()
    // The circuit whose last change is the oldest comes first.
    this.histories.delete(id)
    this.histories.set(id, history)
    for (const oldest of this.histories.keys()) {
      if (this.histories.size <= circuitsWithHistory) break
      this.histories.delete(oldest)
    }
  }

  /** Returns the latest changes of a circuit, the newest last. */
  of(name: string, key: string | undefined): ReadonlyArray<ControlApi.Change> {
    return [...(this.histories.get(Events.identify(name, key)) ?? [])]
  }

  /** Returns the bytes of the latest changes of all circuits, the newest last. They are made once for all readers. */
  latest(): Uint8Array {
    return (this.encoded ??= encoder.encode(
      `[${this.changes.map((each) => (each.json ??= JSON.stringify(each.change))).join()}]`
    ))
  }
}
