/**
 * Circuits of a control plane, as the CLI lists them.
 */
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as ControlApi from "../../control/ControlApi.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as Output from "../output/Output.ts"
import type * as Place from "./Place.ts"

type Named = Pick<ControlApi.Circuit, "name" | "key">
type Stated = Named & Pick<ControlApi.Circuit, "state">

/**
 * Returns the name of a circuit as commands take it.
 */
export const nameOf = ({ key, name }: Named): string => CircuitTable.resourceKey(name, key)

/**
 * Returns a circuit as the CLI prints it, at a time.
 */
export const circuit = (circuit: Stated, now: number): Output.Circuit =>
  Output.described({ circuit: nameOf(circuit), changedAt: null, changedBy: null }, circuit.state, now)

/**
 * Returns circuits as a listing, at a time.
 */
export const listing = (
  circuits: Iterable<Stated>,
  { now, ...counts }: Pick<Place.Listing, "now" | "total" | "unlisted">
): Place.Listing => ({
  now,
  ...counts,
  circuits: Array.from(circuits, (each) => ({ version: JSON.stringify(each.state), circuit: circuit(each, now) })).sort(
    (a, b) => (a.circuit.circuit < b.circuit.circuit ? -1 : 1)
  )
})

/** Characters of a circuit at most. One with more is not listed, as those that are too many. */
const longest = 65_536

/**
 * Circuits as the events of a stream report them, no more than a control plane
 * lists: another server may report new ones without an end.
 */
export class Sight {
  private readonly circuits = new Map<string, Stated>()
  private total = 0
  /** How far the control plane's clock is ahead, in milliseconds. */
  private ahead = 0

  /** Applies an event that came at `now`, and returns whether it may have changed the list. */
  take(event: ControlApi.Event, now: number): boolean {
    switch (event.event) {
      case "snapshot":
        this.circuits.clear()
        this.list(event.data, now)
        return true
      case "update":
        for (const each of event.data.gone) this.circuits.delete(nameOf(each))
        this.list(event.data, now)
        return true
      case "change":
        return this.changed(event.data)
      case "alive":
        this.ahead = event.data.at - now
        return false
      case "activity":
        return false
    }
  }

  listing(now: number): Place.Listing {
    return listing(this.circuits.values(), {
      now: now + this.ahead,
      total: this.total,
      unlisted: Math.max(0, this.total - this.circuits.size)
    })
  }

  private list({ at, circuits, total }: ControlApi.Circuits, now: number): void {
    for (const { key, name, state } of circuits) this.keep(key === undefined ? { name, state } : { name, key, state })
    this.total = total
    this.ahead = at - now
  }

  private changed({ key, name, to }: ControlApi.Change): boolean {
    const named = key === undefined ? { name } : { name, key }
    const id = nameOf(named)
    const own = this.circuits.get(nameOf({ name }))
    // A breaker that is held also holds its keys.
    const held = key !== undefined && own !== undefined && CircuitState.isHeld(own.state)
    // A circuit that the control plane has not listed is not added here.
    if (held || !this.circuits.has(id)) return false
    this.keep({ ...named, state: to })
    return true
  }

  private keep(circuit: Stated): void {
    const id = nameOf(circuit)
    if (this.circuits.size >= ControlApi.bounds.circuits && !this.circuits.has(id)) return
    if (JSON.stringify(circuit).length > longest) this.circuits.delete(id)
    else this.circuits.set(id, circuit)
  }
}
