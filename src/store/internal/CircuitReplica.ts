/**
 * Replica of a circuit in one process, with the state of its row. It decides,
 * without asking anybody, what a row means for the view that calls read.
 *
 * **Details**
 *
 * - A replica is in step with its row until the view is changed locally. Then it is
 *   `dirty`, and the view and the row have to be reconciled.
 * - `offset` is added to the process's clock to get the table's.
 * - Generations of a view never fall. Those of its row may, so there is an offset
 *   for them too.
 */
import * as CircuitState from "../../circuit/CircuitState.ts"
import type * as CircuitStore from "../CircuitStore.ts"
import * as CircuitTable from "../CircuitTable.ts"
import * as CircuitView from "./CircuitView.ts"
import * as Counts from "./Counts.ts"

/** Version of a row that nobody has read. A row whose version is spoilt has 0. */
const unread = -1

/** Longest resource key that is shared. */
const maxResourceKey = 750

export interface Replica {
  readonly cell: CircuitStore.Cell
  readonly resourceKey: string
  /** Version of the row that the view was last in step with, -1 where there was none. */
  version: number
  /** Version of the row that was last read, -1 where none was. */
  read: number
  /** Added to a generation of the row to get one of the view. */
  generations: number
  /** Whether the view was changed locally. */
  dirty: boolean
  /** Whether an operation is under way that will write the view. */
  busy: boolean
  /** Newest row that arrived meanwhile. */
  received: CircuitTable.Row | undefined
  /** Name of the last write, and of those before it, until it is known whether one was done. */
  writing: string | undefined
  /** How often the version moved or was about to. */
  moves: number
  /** Whether a message named the row that was not followed yet. */
  hinted: boolean
}

/**
 * Creates the replica of a circuit of which nothing is known.
 */
export const make = (cell: CircuitStore.Cell): Replica => ({
  cell,
  resourceKey: CircuitTable.resourceKey(cell.name, cell.key),
  version: unread,
  read: unread,
  generations: 0,
  dirty: false,
  busy: false,
  received: undefined,
  writing: undefined,
  moves: 0,
  hinted: false
})

/**
 * Returns whether a circuit has a row. One with a resource key that is too long
 * is its process's own.
 */
export const isShared = ({ resourceKey }: Replica): boolean => resourceKey.length <= maxResourceKey

/**
 * Applies a step to the view only.
 */
export const step = <A>(replica: Replica, now: number, step: CircuitStore.Step<A>): CircuitStore.Applied<A> => {
  const before = replica.cell.current
  const [after, answer] = step(before, now)
  if (after !== before) {
    replica.cell.current = after
    replica.dirty = isShared(replica)
  }
  return { before, after, answer }
}

/**
 * Moves the times of the view, when the clocks turn out to be further apart.
 */
export const shift = ({ cell }: Replica, millis: number): void => {
  cell.current = CircuitView.shift(cell.current, millis, 0)
}

/**
 * Returns whether this process does not know a version of the row yet, as far as
 * a message can say that.
 */
export const lacks = ({ read, version }: Replica, said: number): boolean => said > Math.max(read, version)

/** Notes that there is no row. */
export const hasNoRow = (replica: Replica): void => {
  replica.version = unread
}

/** Effect of a row on a view. */
export interface Adopted {
  readonly before: CircuitState.CircuitState
  readonly after: CircuitState.CircuitState
  /** Whether the row could be read. One that could not counts as closed. */
  readonly isReadable: boolean
}

/**
 * Makes a row the view. A view that is the same for all who look at it stays.
 */
export const adopt = (replica: Replica, row: CircuitTable.Row, offset: number): Adopted => {
  const { cell } = replica
  const before = cell.current
  const entry = CircuitTable.decode(row.data)
  // The local state is over, and so are its generations. An open one admitted nothing.
  const isOver = replica.dirty && before._tag !== "Open"
  // Readers of changes tell two states apart by their generations.
  const isOther = entry !== undefined && entry.state._tag !== before._tag
  const floor = isOver || isOther ? before.generation + 1 : before.generation
  if (entry !== undefined && entry.state.generation + replica.generations < floor) {
    replica.generations = floor - entry.state.generation
  }
  const shown: CircuitState.CircuitState =
    entry === undefined
      ? // It cannot be read, so it counts as closed, and not as the state before it.
        { ...CircuitState.initial, generation: before.generation + 1, since: row.updatedAt - offset }
      : CircuitView.shift(entry.state, -offset, replica.generations)
  if (entry === undefined) replica.generations = shown.generation - Counts.anew(row.updatedAt)
  written(replica, row.version)
  replica.dirty = false
  const after = CircuitView.isSame(before, shown) ? before : shown
  cell.current = after
  return { before, after, isReadable: entry !== undefined }
}

/**
 * Returns whether a row was lost, and made again by a process that knew less of
 * its circuit than this one.
 */
export const knowsMore = ({ cell: { current }, generations, version }: Replica, row: CircuitTable.Row): boolean => {
  if (current._tag === "Closed" || row.version < version) return false
  const state = CircuitTable.decode(row.data)?.state
  if (state === undefined) return false
  const ahead = current.generation - (state.generation + generations)
  // The row began anew, as its generation was spoilt.
  if (ahead > Counts.most / 4) return false
  return ahead > 0 || (ahead === 0 && state._tag !== current._tag)
}

/**
 * Returns what to do with a row that was read: nothing, adopt it, or reconcile the
 * view and it. `moves` is the number of moves when the row was asked for.
 */
export const receive = (replica: Replica, row: CircuitTable.Row, moves?: number): "nothing" | "adopt" | "reconcile" => {
  replica.read = row.version
  if (replica.busy) {
    if (replica.received === undefined || replica.received.version < row.version) replica.received = row
    return "nothing"
  }
  // A table that was set back, and no answer that came late.
  const setBack = row.version < replica.version && moves === replica.moves
  if (row.version <= replica.version && !setBack) return "nothing"
  if (knowsMore(replica, row)) replica.dirty = true
  return replica.dirty ? "reconcile" : "adopt"
}

/**
 * Returns whether a view that was changed locally wins over its row. `now` is the
 * process's time.
 */
export const prevails = (replica: Replica, row: CircuitTable.Row | undefined, now: number, offset: number): boolean => {
  if (row === undefined || row.version === replica.version) return true
  const mine = replica.cell.current
  const entry = CircuitTable.decode(row.data)
  // The row of the last write, whose reply was lost, is the view as it was.
  if (entry === undefined || entry.operation === replica.writing) return true
  if (!CircuitView.keepsMine(mine, CircuitView.shift(entry.state, -offset, 0), now)) return false
  replica.generations = Math.min(replica.generations, mine.generation - entry.state.generation - 1)
  return true
}

/**
 * Returns the row to write for a state, and notes that it is being written. `by`
 * is the process, and `session` is this replica's own.
 */
export const draft = (
  replica: Replica,
  after: CircuitState.CircuitState,
  { by, offset, session }: { readonly by: string; readonly session: string; readonly offset: number }
): CircuitTable.Draft => {
  replica.moves++
  // One more write of one name is known again where this one is lost, and so is the one before.
  const operation = (replica.writing ??= `${session}-${by}-${replica.moves}`)
  if (after.generation - replica.generations > Counts.most) replica.generations = after.generation - 1
  const state = CircuitView.shift(after, offset, -replica.generations)
  return CircuitTable.draft(replica.resourceKey, { state, operation }, by)
}

/**
 * Notes that the row has a version which the view is in step with.
 */
export const written = (replica: Replica, version: number): void => {
  replica.version = version
  replica.moves++
  replica.writing = undefined
}
