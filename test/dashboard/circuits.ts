import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as ControlApi from "../../src/control/ControlApi.ts"

/** States, all of them since 1000. */
export const closed: CircuitState.Closed = { _tag: "Closed", generation: 0, since: 1000, openings: 0, openMillis: 0 }
export const open: CircuitState.Open = {
  _tag: "Open",
  generation: 1,
  since: 1000,
  openings: 1,
  openMillis: 30_000,
  reason: "5 consecutive failures"
}
export const halfOpen: CircuitState.HalfOpen = {
  ...open,
  _tag: "HalfOpen",
  generation: 2,
  permits: 1,
  leases: [{ permit: 1, since: 1000, until: 2000 }],
  successes: 0,
  failures: 0,
  ignoredAt: 1000,
  notBefore: 1000
}
export const held: CircuitState.Held = { _tag: "HeldOpen", generation: 3, since: 1000 }

/** A circuit that has done nothing. */
export const circuit = (name: string, more: Partial<ControlApi.Circuit> = {}): ControlApi.Circuit => ({
  name,
  state: closed,
  dryRun: false,
  counts: { calls: 0, successes: 0, failures: 0, ignored: 0, slow: 0, refused: 0, changes: 0 },
  inFlight: 0,
  windows: [],
  recent: [],
  ...more
})
