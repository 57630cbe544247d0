/**
 * Model of the page: pure functions that apply events of the control plane to plain
 * data.
 */
import type * as CircuitState from "../src/circuit/CircuitState.ts"
import * as StateNames from "../src/circuit/internal/StateNames.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"

/** Event of the stream, with its data parsed. */
export type Event =
  | { readonly event: "snapshot"; readonly data: ControlApi.Circuits }
  | { readonly event: "update"; readonly data: ControlApi.Update }
  | { readonly event: "change"; readonly data: ControlApi.Change }
  | { readonly event: "activity"; readonly data: ControlApi.Activity }
  | { readonly event: "alive"; readonly data: ControlApi.Alive }

/** Calls of a circuit by period, the newest last. All three have a number for each period. */
export interface Activity {
  readonly successes: ReadonlyArray<number>
  readonly failures: ReadonlyArray<number>
  readonly refused: ReadonlyArray<number>
}

/** State of the page. */
export interface Model {
  /** Circuits by id, in the order in which they were listed. */
  readonly circuits: ReadonlyMap<string, ControlApi.Circuit>
  /** Number of all circuits, listed or not. */
  readonly total: number
  readonly activity: ReadonlyMap<string, Activity>
  readonly periodMillis: number
  /** Number of periods received since the stream began. */
  readonly receivedPeriods: number
  /** Latest changes, the newest first. */
  readonly changes: ReadonlyArray<ControlApi.Change>
  /** Changes that were received live: how many, and the last of them. */
  readonly news: { readonly count: number; readonly last: ControlApi.Change | undefined }
  /** How far the server's clock is ahead of this one, in milliseconds. */
  readonly aheadMillis: number
}

export const periods = 60
const keptChanges = 200

export const noActivity: Activity = {
  successes: Array<number>(periods).fill(0),
  failures: Array<number>(periods).fill(0),
  refused: Array<number>(periods).fill(0)
}

export const empty: Model = {
  circuits: new Map(),
  total: 0,
  activity: new Map(),
  periodMillis: 5000,
  receivedPeriods: 0,
  changes: [],
  news: { count: 0, last: undefined },
  aheadMillis: 0
}

export const idOf = ({ key, name }: { readonly name: string; readonly key?: string }): string =>
  JSON.stringify(key === undefined ? [name] : [name, key])

/** Returns the model after an event that was received at `now`. */
export const apply = (model: Model, { data, event }: Event, now: number): Model => {
  switch (event) {
    case "snapshot":
      return {
        ...model,
        circuits: new Map(data.circuits.map((circuit) => [idOf(circuit), circuit])),
        total: data.total,
        // An event with the past activity follows.
        activity: new Map(),
        receivedPeriods: 0,
        aheadMillis: data.at - now
      }
    case "update": {
      const circuits = new Map(model.circuits)
      for (const circuit of data.circuits) circuits.set(idOf(circuit), circuit)
      for (const gone of data.gone) circuits.delete(idOf(gone))
      return { ...model, circuits, total: data.total, aheadMillis: data.at - now }
    }
    case "change": {
      const id = idOf(data)
      const known = model.circuits.get(id)
      const circuits = known === undefined ? model.circuits : new Map(model.circuits).set(id, changed(known, data.to))
      const news = { count: model.news.count + 1, last: data }
      return { ...withChanges(model, [data]), circuits, news, aheadMillis: data.at - now }
    }
    case "activity":
      return {
        ...model,
        activity: shifted(model.activity, data),
        periodMillis: data.everyMillis,
        receivedPeriods: model.receivedPeriods + data.periods
      }
    case "alive":
      return { ...model, aheadMillis: data.at - now }
    default:
      // A server that is newer than the page may send other events.
      return model
  }
}

// The next update brings the other fields.
const changed = (
  { retryAt: _, ...circuit }: ControlApi.Circuit,
  state: CircuitState.CircuitState
): ControlApi.Circuit => ({
  ...circuit,
  state,
  ...(state._tag === "Open" ? { retryAt: state.since + state.openMillis } : undefined)
})

/** Returns the model with changes that were requested, the newest last. */
export const withChanges = (model: Model, received: ReadonlyArray<ControlApi.Change>): Model => {
  const known = new Set(model.changes.map(idOfChange))
  const changes = received.filter((change) => !known.has(idOfChange(change))).toReversed()
  return { ...model, changes: [...changes, ...model.changes].sort((a, b) => b.at - a.at).slice(0, keptChanges) }
}

/** Returns the identity of a change. */
export const idOfChange = (change: ControlApi.Change): string => `${idOf(change)} ${change.to.generation} ${change.at}`

const shifted = (
  known: ReadonlyMap<string, Activity>,
  { circuits, periods: received }: ControlApi.Activity
): ReadonlyMap<string, Activity> => {
  const next = new Map<string, Activity>()
  const counted = new Map(circuits.map((circuit) => [idOf(circuit), circuit]))
  for (const id of new Set([...known.keys(), ...counted.keys()])) {
    const before = known.get(id) ?? noActivity
    const now = counted.get(id)
    const row = (name: keyof Activity) => {
      const latest = now?.[name] ?? []
      const padded = [...Array<number>(Math.max(0, received - latest.length)).fill(0), ...latest]
      return [...before[name], ...padded].slice(-periods)
    }
    const activity = { successes: row("successes"), failures: row("failures"), refused: row("refused") }
    if (Object.values(activity).some((counts) => counts.some((count) => count > 0))) next.set(id, activity)
  }
  return next
}

/** Rates of the latest calls of a circuit. */
export interface Rates {
  /** Calls a second that ran. */
  readonly calls: number
  /** Share of them that failed, absent if there were none. */
  readonly failed: number | undefined
  /** Calls a second that were refused. */
  readonly refused: number
}

/** Returns the rates over the last `periods` periods. */
export const rates = (activity: Activity | undefined, periods: number, periodMillis: number): Rates => {
  const sum = (counts: ReadonlyArray<number> = []) => counts.slice(-periods).reduce((total, count) => total + count, 0)
  const failures = sum(activity?.failures)
  const ran = sum(activity?.successes) + failures
  const seconds = (periods * periodMillis) / 1000
  return {
    calls: ran / seconds,
    failed: ran === 0 ? undefined : failures / ran,
    refused: sum(activity?.refused) / seconds
  }
}

/** State of a circuit. */
export type Tag = CircuitState.CircuitState["_tag"]

/** Groups of circuits, the most urgent first. */
export const groups = [
  { id: "open", name: "Open", tags: ["Open"] },
  { id: "half-open", name: "Half-open", tags: ["HalfOpen"] },
  { id: "held", name: "Held", tags: ["HeldOpen", "HeldClosed"] },
  { id: "closed", name: "Closed", tags: ["Closed"] }
] as const

export type Group = (typeof groups)[number]["id"]

/** Returns the name of a state, as a title. */
export const stateName = (tag: Tag): string => {
  const words = StateNames.words[tag]
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`
}

/** Returns how many circuits each group has. */
export const counts = (circuits: Iterable<ControlApi.Circuit>): Readonly<Record<Group, number>> => {
  const found = { open: 0, "half-open": 0, held: 0, closed: 0 }
  for (const { state } of circuits) found[groupOf(state._tag)]++
  return found
}

const groupOf = (tag: Tag): Group =>
  groups.find(({ tags }) => (tags as ReadonlyArray<Tag>).includes(tag))?.id ?? "closed"

/**
 * Returns the circuits of a group, or all, whose name or key holds a text: the
 * most urgent first, and those of keys after their breaker.
 */
export const select = (
  circuits: Iterable<ControlApi.Circuit>,
  group: Group | undefined,
  text: string
): ReadonlyArray<ControlApi.Circuit> => {
  const wanted = text.trim().toLowerCase()
  const byGroup = new Map<Group, Array<ControlApi.Circuit>>(groups.map(({ id }) => [id, []]))
  const order = new Map<string, number>()
  for (const circuit of circuits) {
    if (!order.has(circuit.name)) order.set(circuit.name, order.size)
    const own = groupOf(circuit.state._tag)
    if (group !== undefined && own !== group) continue
    if (`${circuit.name} ${circuit.key ?? ""}`.toLowerCase().includes(wanted)) byGroup.get(own)?.push(circuit)
  }
  const place = ({ name }: ControlApi.Circuit): number => order.get(name) ?? 0
  return [...byGroup.values()].flatMap((chosen) => chosen.sort((a, b) => place(a) - place(b)))
}

/** Returns the reason of a state, if it has one. */
export const why = (state: CircuitState.CircuitState): string | undefined =>
  state._tag === "Open" || state._tag === "HalfOpen"
    ? StateNames.because(state.reason, state.cause)
    : state._tag === "Closed"
      ? undefined
      : state.reason
