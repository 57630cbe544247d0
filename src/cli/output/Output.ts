/**
 * Output of the CLI: circuits as JSON and as a table.
 */
import * as Schema from "effect/Schema"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as Operation from "../../circuit/internal/Operation.ts"
import * as StateNames from "../../circuit/internal/StateNames.ts"
import * as StateTexts from "../../circuit/internal/StateTexts.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as Print from "./Print.ts"

const Time = Schema.NullOr(Schema.String)
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const describe = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description })

/**
 * State of a circuit as the table spells it, or `UNREADABLE` for a row that counts
 * as closed because it cannot be decoded.
 */
export const State = Schema.Literals([...StateNames.tags.map((tag) => StateNames.upper(tag)), "UNREADABLE"])

/**
 * Circuit as the CLI prints it. Times are ISO 8601, `null` if absent.
 */
export const Circuit = Schema.Struct({
  circuit: describe(
    Schema.String,
    "name as commands take it: the breaker's name, then `:` and the key if there is one"
  ),
  name: describe(Schema.String, "name of the breaker"),
  key: describe(Schema.NullOr(Schema.String), "key of the circuit"),
  state: describe(
    State,
    "state of the circuit; for a key of a held breaker, a control plane reports the breaker's state"
  ),
  since: describe(Time, "when that state began"),
  failures: describe(Count, "failures that opened the circuit, or failed probes if it is half-open"),
  openings: describe(Count, "openings since the count was last reset"),
  reason: describe(Schema.NullOr(Schema.String), "rule that opened it, or why it is held"),
  cause: describe(
    Schema.NullOr(Schema.String),
    "last failure that it opened on, where `details` of the store or the control plane allows it"
  ),
  nextProbe: describe(Time, "when the next call may be admitted"),
  probing: describe(Count, "running probes"),
  voters: describe(
    Schema.Array(Schema.String),
    "instances that vote to open the circuit and are open themselves, if opening takes several votes"
  ),
  heldBy: describe(Schema.NullOr(Schema.String), "who holds it"),
  heldUntil: describe(Time, "when the hold ends by itself"),
  changedAt: describe(Time, "when the row was written; null for a control plane, which does not report it"),
  changedBy: describe(
    Schema.NullOr(Schema.String),
    "instance or operator that wrote the row; null for a control plane, which does not report it"
  )
})

export interface Circuit extends Schema.Schema.Type<typeof Circuit> {}

const place = {
  namespace: describe(Schema.NullOr(Schema.String), "namespace of the circuits; null for a control plane"),
  controlPlane: describe(Schema.NullOr(Schema.String), "address of the control plane; null for a table")
}

/**
 * Output of `status --json`.
 */
export const Status = Schema.Struct({
  ...place,
  at: describe(Time, "time of the table, or of the control plane"),
  total: describe(
    Count,
    "number of all circuits, whether the name matches them or not; a control plane lists at most 2000"
  ),
  circuits: describe(Schema.Array(Circuit), "circuits, by name")
})

/**
 * One line of `watch --json`.
 */
export const Sighting = Schema.Struct({
  at: describe(Time, "time of the table, or of the control plane"),
  change: describe(
    Schema.Literals(["present", "added", "changed", "removed"]),
    "`present` for circuits that existed when watching began"
  ),
  circuit: describe(Circuit, "the circuit, as it was last seen if it was removed")
})

/**
 * Circuit before and after an operation.
 */
export const Change = Schema.Struct({
  changed: describe(Schema.Boolean, "whether the circuit was changed"),
  before: describe(Circuit, "the circuit before"),
  after: describe(Circuit, "the circuit after")
})

export interface Change extends Schema.Schema.Type<typeof Change> {}

/**
 * Output of the commands that change circuits, with `--json`.
 */
export const Changes = Schema.Struct({
  ...place,
  action: describe(Schema.Literals(Operation.actions), "requested action"),
  changes: describe(Schema.Array(Change), "every circuit that the name matches")
})

/**
 * Output of `setup --json`.
 */
export const Setup = Schema.Struct({
  target: describe(Schema.String, "store of the circuits, in words"),
  type: describe(Schema.Literals(["postgres", "redis", "none"]), "kind of store"),
  host: describe(Schema.NullOr(Schema.String), "host, or directory of the socket"),
  port: describe(Schema.NullOr(Schema.Int), "port"),
  database: describe(Schema.NullOr(Schema.String), "database"),
  user: describe(Schema.NullOr(Schema.String), "user"),
  table: describe(Schema.NullOr(Schema.String), "table"),
  statements: describe(Schema.Array(Schema.String), "SQL that creates the table: the steps that are missing run"),
  remake: describe(
    Schema.Array(Schema.String),
    "SQL that runs in place of making the table of steps, if that is left from a table that was dropped"
  ),
  outcome: describe(
    Schema.Literals(["shown", "created", "updated", "current", "nothing"]),
    "`shown` for a dry run, `current` if the table was up to date, `nothing` if the store needs no setup"
  )
})

/**
 * Output on standard error if a command fails with `--json`.
 */
export const Failed = Schema.Struct({
  error: Schema.Struct({
    exitCode: describe(Schema.Int, "exit code"),
    message: describe(Schema.String, "what failed")
  })
})

/**
 * Returns the circuit of a row, at the table's time.
 */
export const circuit = (row: CircuitTable.Row, now: number): Circuit =>
  described(
    { circuit: row.resourceKey, changedAt: Print.iso(row.updatedAt) ?? null, changedBy: row.updatedBy },
    CircuitTable.decode(row.data)?.state,
    now
  )

/**
 * Returns a circuit with a state, at a time. Without a state it is `UNREADABLE`.
 */
export const described = (
  named: Pick<Circuit, "circuit" | "changedAt" | "changedBy">,
  read: CircuitState.CircuitState | undefined,
  now: number
): Circuit => {
  // An application of an earlier version may have sent it.
  const state = StateTexts.clean(read ?? CircuitState.initial)
  const { key, name } = CircuitTable.parseResourceKey(named.circuit)
  const held = CircuitState.isHeld(state) ? state : undefined
  const reason = state._tag === "Closed" ? undefined : state.reason
  return {
    circuit: named.circuit,
    name,
    key: key ?? null,
    state: read === undefined ? "UNREADABLE" : StateNames.upper(read._tag),
    since: state.since === 0 ? null : (Print.iso(state.since) ?? null),
    failures: state._tag === "Open" || state._tag === "HalfOpen" ? (state.failures ?? 0) : 0,
    openings: CircuitState.isHeld(state) ? 0 : state.openings,
    reason: reason ?? null,
    cause: state._tag === "Open" || state._tag === "HalfOpen" ? (state.cause ?? null) : null,
    nextProbe: Print.iso(nextProbe(state, now)) ?? null,
    probing: state._tag === "HalfOpen" ? CircuitState.liveLeases(state, now).length : 0,
    voters: state._tag === "Closed" ? (state.votes ?? []).map(({ by }) => by) : [],
    heldBy: held?.by ?? null,
    heldUntil: Print.iso(held?.until) ?? null,
    changedAt: named.changedAt,
    changedBy: named.changedBy
  }
}

const nextProbe = (state: CircuitState.CircuitState, now: number): number | undefined => {
  if (state._tag === "Open") return CircuitState.openUntil(state)
  if (state._tag === "HeldOpen") return state.until
  return state._tag === "HalfOpen" && state.notBefore > now ? state.notBefore : undefined
}

/**
 * Returns the lines of a table of circuits, at most `columns` wide.
 */
export const table = (circuits: ReadonlyArray<Circuit>, now: number, columns: number): ReadonlyArray<string> => {
  const authors = circuits.some(({ changedBy }) => changedBy !== null)
  return Print.table(
    [
      { title: "CIRCUIT" },
      { title: "STATE" },
      { title: "SINCE" },
      { title: "FAILURES", align: "right" },
      { title: "NEXT PROBE" },
      ...(authors ? [{ title: "CHANGED BY" }] : [])
    ],
    circuits.map((circuit) => ({
      cells: [...cells(circuit, now), ...(authors ? [Print.name(circuit.changedBy ?? "-")] : [])],
      notes: notes(circuit, now)
    })),
    columns
  )
}

const cells = (circuit: Circuit, now: number): ReadonlyArray<string> => [
  Print.name(circuit.circuit),
  circuit.state.replace("_", " "),
  circuit.since === null ? "-" : Print.ago(Print.millis(circuit.since), now),
  circuit.failures === 0 ? "-" : String(circuit.failures),
  probe(circuit, now)
]

const probe = (circuit: Circuit, now: number): string => {
  if (circuit.probing > 0) return `${circuit.probing} running`
  if (circuit.nextProbe !== null) return Print.until(Print.millis(circuit.nextProbe), now)
  return circuit.state === "HALF_OPEN" ? "now" : "-"
}

const notes = (circuit: Circuit, now: number): ReadonlyArray<string> => {
  if (circuit.state === "UNREADABLE")
    return ["the row is unreadable: it counts as closed, and the next write repairs it"]
  const why =
    circuit.reason === null ? "" : `: ${Print.safe(StateNames.because(circuit.reason, circuit.cause ?? undefined))}`
  if (circuit.state === "HELD_OPEN" || circuit.state === "HELD_CLOSED") {
    const by = circuit.heldBy === null ? "" : ` by ${Print.name(circuit.heldBy)}`
    const end = circuit.heldUntil === null ? undefined : Print.millis(circuit.heldUntil)
    const until = end === undefined ? ", until released" : end <= now ? ", expired" : `, ends ${Print.until(end, now)}`
    return [`held${by}${until}${why}`]
  }
  if (circuit.voters.length > 0)
    return [`open only in the instances that vote to open it: ${circuit.voters.map(Print.name).join(", ")}`]
  return circuit.reason === null ? [] : [`opened${why}`]
}

/**
 * Returns a circuit in one line.
 */
export const line = (circuit: Circuit, now: number): string => {
  const next = probe(circuit, now)
  return [
    circuit.state.replace("_", " "),
    ...(circuit.failures === 0 ? [] : [`${circuit.failures} failures`]),
    ...(next === "-" ? [] : [circuit.probing > 0 ? `probes ${next}` : `next probe ${next}`]),
    ...notes(circuit, now),
    ...(circuit.changedBy === null ? [] : [`changed by ${Print.name(circuit.changedBy)}`])
  ].join(", ")
}

/**
 * Returns the number of circuits, in all and by state.
 */
export const summary = (circuits: ReadonlyArray<Circuit>): string => {
  const counts = State.literals.flatMap((state) => {
    const count = circuits.filter((circuit) => circuit.state === state).length
    return count === 0 ? [] : [`${count} ${state.toLowerCase().replace("_", " ")}`]
  })
  const all = `${circuits.length} ${circuits.length === 1 ? "circuit" : "circuits"}`
  return counts.length === 0 ? all : `${all}: ${counts.join(", ")}`
}
