/**
 * Tables of circuits: the operations that a database needs so that processes can
 * share their circuits.
 *
 * **Details**
 *
 * - A table holds a row a circuit, each with a version, and compares versions
 *   when it writes. It does not know what the rows mean.
 * - Its clock is the only one that counts for the times in rows.
 * - `CircuitStoreTable` makes a `CircuitStore` of a table. It bounds every
 *   operation in time, so a table need not; an operation must end soon after it
 *   is interrupted.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as CircuitState from "../circuit/CircuitState.ts"
import * as StateNames from "../circuit/internal/StateNames.ts"
import * as StateTexts from "../circuit/internal/StateTexts.ts"
import type * as CircuitStore from "./CircuitStore.ts"
import * as Counts from "./internal/Counts.ts"
import * as Tries from "./internal/Tries.ts"

/**
 * Error of an operation on a table.
 */
export class TableError extends Data.TaggedError("TableError")<{
  /** The failure, in one line and without secrets. */
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * Row of a circuit.
 */
export interface Row {
  /** Name and key of the circuit, as `resourceKey` writes them. */
  readonly resourceKey: string
  /** Version, higher with each write, also after the row was removed and made again. */
  readonly version: number
  /** State of the circuit, as `encode` writes it. */
  readonly data: string
  /** Process that wrote it. */
  readonly updatedBy: string
  /** When it was written, in milliseconds since the epoch on the table's clock. */
  readonly updatedAt: number
}

/**
 * Message that a row was written. It is a hint to read the row, and never a fact:
 * databases let others send messages who may not write.
 */
export interface Hint {
  /** Row that is said to have been written, absent where the message makes no sense. */
  readonly resourceKey: string | undefined
  /** Version that the row is said to have, absent where the message does not say. */
  readonly version: number | undefined
}

/**
 * Row to be written. `state`, `failureCount` and `openUntil` repeat a part of
 * `data`, for people who look at the table.
 */
export interface Draft {
  readonly resourceKey: string
  readonly data: string
  readonly updatedBy: string
  readonly state: "CLOSED" | "OPEN" | "HALF_OPEN" | "HELD_OPEN" | "HELD_CLOSED"
  readonly failureCount: number
  /** When calls may be admitted again, in milliseconds since the epoch, where it is known. */
  readonly openUntil: number | undefined
}

/**
 * Rows, and the time of the table's clock when they were read, in milliseconds
 * since the epoch.
 */
export interface Read {
  readonly now: number
  readonly rows: ReadonlyArray<Row>
}

/**
 * Table that holds the rows of circuits, all in one namespace.
 */
export interface CircuitTable {
  /**
   * Reads the rows of circuits. Those that are not there are left out. A version
   * that is none is read as 0, and data longer than `maxData` as empty.
   */
  readonly read: (resourceKeys: ReadonlyArray<string>) => Effect.Effect<Read, TableError>
  /**
   * Reads the rows that were written at `since` or later, and all rows where it
   * is `undefined`, ordered by resource key.
   */
  readonly changes: (since: number | undefined) => Effect.Effect<Read, TableError>
  /**
   * Writes a row where its version is `expected`, or where there is none that can
   * be read and `expected` is 0. Returns the new version, or `undefined` where the row has
   * another version.
   */
  readonly write: (draft: Draft, expected: number) => Effect.Effect<number | undefined, TableError>
  /**
   * Begins to listen to rows that are written, by this process too. Succeeds
   * once nothing more can be missed, with the effect that calls `hear` for each
   * message, until it fails because that ended. Absent where the database cannot
   * announce changes, and a store has to ask.
   */
  readonly listen:
    | ((hear: (hint: Hint) => void) => Effect.Effect<Effect.Effect<never, TableError>, TableError, Scope.Scope>)
    | undefined
  /**
   * Marks rows as used, then removes at most `limit` closed ones that nobody
   * used for `idleMillis`. Returns how many it removed.
   */
  readonly sweep: (options: {
    readonly used: ReadonlyArray<string>
    readonly idleMillis: number
    readonly limit: number
  }) => Effect.Effect<number, TableError>
}

/**
 * Longest `data` of a row that is read, in bytes. A row with more counts as one
 * that cannot be read.
 */
export const maxData = 1_048_576

/**
 * Returns the text that names a circuit in a table: the name, then a colon and
 * the key where there is one. In both, `%`, `:` and characters that a database
 * may refuse are written as `%` and four hexadecimal digits.
 *
 * **Example** (Naming rows)
 *
 * ```ts
 * import { CircuitTable } from "effect-resilience/store"
 *
 * const names = [CircuitTable.resourceKey("payments", undefined), CircuitTable.resourceKey("search", "eu:1")]
 * names // => ["payments", "search:eu%003a1"]
 * ```
 */
export const resourceKey = (name: string, key: string | undefined): string =>
  key === undefined ? escape(name) : `${escape(name)}:${escape(key)}`

const escape = (text: string): string =>
  text.replace(/[%:\p{Cc}\p{Cs}]/gu, (char) => `%${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/**
 * Returns the name and the key that a resource key was made of.
 */
export const parseResourceKey = (text: string): { readonly name: string; readonly key: string | undefined } => {
  const colon = text.indexOf(":")
  return colon < 0
    ? { name: unescape(text), key: undefined }
    : { name: unescape(text.slice(0, colon)), key: unescape(text.slice(colon + 1)) }
}

const unescape = (text: string): string =>
  text.replace(/%([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/**
 * Content of the `data` of a row.
 */
export interface Entry {
  readonly state: CircuitState.CircuitState
  /** Operation that wrote it, so that its writer knows its own write again. */
  readonly operation: string
}

const Entry = /* @__PURE__ */ (() =>
  Schema.fromJsonString(Schema.Struct({ state: CircuitState.CircuitState, operation: Schema.String })))()

/**
 * Returns the content of a row's `data`, or `undefined` where it is malformed.
 */
export const decode: (data: string) => Entry | undefined = /* @__PURE__ */ (() => {
  const option = Schema.decodeUnknownOption(Entry)
  return (data: string) => {
    const decoded = option(data)
    if (decoded._tag === "None" || !Counts.isPlausible(decoded.value.state)) return undefined
    const entry = apart(decoded.value)
    return { ...entry, state: StateTexts.clean(entry.state) }
  }
})()

// Version 0.1 wrote the rule and the evidence into one text.
const apart = (entry: Entry): Entry => {
  const { state } = entry
  if ((state._tag !== "Open" && state._tag !== "HalfOpen") || state.cause !== undefined) return entry
  const at = state.reason.search(/, (?:the last )?with /)
  if (at < 0) return entry
  const cause = state.reason.slice(at).replace(/^, (?:the last )?with /, "")
  return { ...entry, state: { ...state, reason: state.reason.slice(0, at), cause } }
}

/**
 * Returns the row of an entry.
 */
export const draft = (resourceKey: string, entry: Entry, updatedBy: string): Draft => ({
  resourceKey,
  data: encode(entry),
  updatedBy,
  ...columns(entry.state)
})

/**
 * Applies a step to the row of a circuit, at the table's time. A row that is not
 * there, or cannot be read, counts as closed.
 *
 * **Details**
 *
 * It is for programs that look after a table and have no circuits. `by` is written
 * into the row as its writer. Where others write the row each time before this
 * one, it fails after 20 tries, or 10 seconds.
 */
export const update = <A>(
  table: CircuitTable,
  resourceKey: string,
  by: string,
  step: CircuitStore.Step<A>
): Effect.Effect<CircuitStore.Applied<A>, TableError> =>
  Effect.gen(function* () {
    const tries = yield* Tries.start(updateMillis)
    for (;;) {
      const { now, rows } = yield* table.read([resourceKey])
      const row = rows[0]
      const before = row === undefined ? CircuitState.initial : (decode(row.data)?.state ?? unreadable(now))
      const [after, answer] = step(before, now)
      const applied = { before, after, answer }
      if (after === before) return applied
      const written = yield* table.write(draft(resourceKey, { state: after, operation: by }, by), row?.version ?? 0)
      if (written !== undefined) return applied
      if (!(yield* tries.again)) {
        const message = `the row of ${resourceKey} had another version at each of ${tries.count} writes`
        return yield* new TableError({ message })
      }
    }
  })

const unreadable = (now: number): CircuitState.Closed => ({ ...CircuitState.initial, generation: Counts.anew(now) })

/** How long an update tries again. */
const updateMillis = 10_000

const encode: (entry: Entry) => string = /* @__PURE__ */ (() => Schema.encodeSync(Entry))()

const columns = (state: CircuitState.CircuitState): Pick<Draft, "state" | "failureCount" | "openUntil"> => ({
  state: StateNames.upper(state._tag),
  failureCount: state._tag === "Open" || state._tag === "HalfOpen" ? (state.failures ?? 0) : 0,
  openUntil: state._tag === "Open" ? CircuitState.openUntil(state) : state._tag === "HeldOpen" ? state.until : undefined
})
