/**
 * Quorums: circuits that open for a fleet only where several of its processes
 * vote for it.
 *
 * **Details**
 *
 * - A process whose trip policy trips opens its own circuit and votes. Once
 *   there are as many voters as the quorum asks for, all within the vote window,
 *   the circuit opens for all.
 * - Below the quorum only the voters are open. Each tries its own circuit as if
 *   nobody shared it, votes again where that fails, and takes its vote back
 *   where it recovers.
 * - Holds, resets and every state but closed are the fleet's, as without a
 *   quorum.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CircuitState from "../../circuit/CircuitState.ts"
import type * as CircuitStore from "../CircuitStore.ts"
import * as CircuitView from "./CircuitView.ts"

export interface Options {
  /** Processes that have to vote, at least 2. */
  readonly votes: number
  /** How long a vote counts, in milliseconds. */
  readonly windowMillis: number
  /** Name of this process among the voters. */
  readonly voter: string
}

/**
 * Returns the step that votes to open a closed circuit, and opens it where the
 * quorum is reached. `open` is the state of the voter.
 */
export const vote =
  ({ votes, voter, windowMillis }: Options, open: CircuitState.Open): CircuitStore.Step<void> =>
  (state, now) => {
    if (state._tag !== "Closed") return [state, undefined]
    const others = state.votes?.filter(({ at, by }) => by !== voter && Math.abs(now - at) < windowMillis) ?? []
    if (others.length + 1 < votes) return [{ ...state, votes: [...others, { by: voter, at: now }] }, undefined]
    const next: CircuitState.Open = {
      ...open,
      generation: state.generation + 1,
      since: now,
      openings: CircuitState.nextOpening(state, now),
      reason: `${open.reason} (${others.length + 1} processes)`
    }
    return [next, undefined]
  }

/**
 * Returns the step that takes back the vote of a process.
 */
export const withdraw =
  (voter: string): CircuitStore.Step<void> =>
  (state) => {
    if (state._tag !== "Closed" || state.votes?.some(({ by }) => by === voter) !== true) return [state, undefined]
    return [{ ...state, votes: state.votes.filter(({ by }) => by !== voter) }, undefined]
  }

// State of a circuit for the fleet, while its cell may be this process's own.
class Ballot implements CircuitStore.Cell {
  readonly cell: CircuitStore.Cell
  private fleet: CircuitState.CircuitState
  /** Added to a generation of the fleet to get one of the cell. */
  generations = 0
  /** Whether the cell holds a state of this process only. */
  isLocal = false

  constructor(cell: CircuitStore.Cell) {
    this.cell = cell
    this.fleet = cell.current
  }

  get current(): CircuitState.CircuitState {
    return this.fleet
  }

  set current(state: CircuitState.CircuitState) {
    const { fleet } = this
    this.fleet = state
    // The clock was learnt anew: nobody is told of that, and calls use it at once.
    if (!this.isLocal && state.generation === fleet.generation && state.since !== fleet.since) this.adopt()
  }

  get name(): string {
    return this.cell.name
  }

  get key(): string | undefined {
    return this.cell.key
  }

  changed(before: CircuitState.CircuitState, after: CircuitState.CircuitState): Effect.Effect<void> {
    // Votes change no state but the fleet's.
    if (after._tag === "Closed" && before.generation === after.generation) return Effect.void
    const { cell } = this
    const own = cell.current
    this.adopt()
    return cell.changed(own, cell.current)
  }

  /** Makes the fleet's state that of the cell. */
  adopt(): void {
    const { cell, current } = this
    if (this.isLocal) {
      // The local state is over, and so are its generations.
      const isOpen = cell.current._tag === "Open" && current._tag === "Open"
      const next = cell.current.generation + (isOpen ? 0 : 1)
      this.generations = Math.max(this.generations, next - current.generation)
      this.isLocal = false
    }
    cell.current = CircuitView.shift(current, 0, this.generations)
  }
}

/**
 * Creates a store that opens circuits only with a quorum, from one that shares
 * them.
 */
export const make = (
  store: CircuitStore.CircuitStore["Service"],
  options: Options
): CircuitStore.CircuitStore["Service"] => {
  const ballots = new WeakMap<CircuitStore.Cell, Ballot>()
  const ballotOf = (cell: CircuitStore.Cell): Ballot => {
    let ballot = ballots.get(cell)
    if (ballot === undefined) ballots.set(cell, (ballot = new Ballot(cell)))
    return ballot
  }

  /** Applies a step to the fleet's state. */
  const share = <A>(
    ballot: Ballot,
    now: number,
    step: CircuitStore.Step<A>
  ): Effect.Effect<CircuitStore.Applied<A>> => {
    const { cell, generations } = ballot
    return Effect.map(
      store.update(ballot, now, (state, at) => {
        const [after, answer] = step(CircuitView.shift(state, 0, generations), at)
        return [CircuitView.shift(after, 0, -generations), answer]
      }),
      ({ answer }) => {
        const before = cell.current
        ballot.adopt()
        return { before, after: cell.current, answer }
      }
    )
  }

  /** Applies a step of this process to the fleet's state, without waiting for it. */
  const push = (ballot: Ballot, now: number, step: CircuitStore.Step<void>): Effect.Effect<void> =>
    Effect.asVoid(
      Effect.forkDetach(
        // A vote that makes the quorum changes the fleet's state.
        Effect.flatMap(store.update(ballot, now, step), ({ after, before }) => ballot.changed(before, after))
      )
    )

  return {
    attach: (cell) => store.attach(ballotOf(cell)),
    detach: (cell) => store.detach(ballotOf(cell)),
    status: store.status,
    update: (cell, now, step) => {
      const ballot = ballotOf(cell)
      if (ballot.current._tag !== "Closed") return share(ballot, now, step)
      const before = cell.current
      const [after, answer] = step(before, now)
      if (after === before) return Exit.succeed({ before, after, answer })
      if (isOperators(after)) return share(ballot, now, step)
      ballot.isLocal = true
      cell.current = after
      const applied = { before, after, answer }
      if (after._tag === "Open") return Effect.as(push(ballot, now, vote(options, after)), applied)
      return after._tag === "Closed"
        ? Effect.as(push(ballot, now, withdraw(options.voter)), applied)
        : Exit.succeed(applied)
    }
  }
}

// Only an operator holds a circuit, or leaves one that never opened.
const isOperators = (after: CircuitState.CircuitState): boolean => CircuitState.isHeld(after) || after.openings === 0
