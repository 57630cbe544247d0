/**
 * Histories of a shared circuit: the operations and views of its clients, and
 * whether one circuit could have produced them.
 *
 * **Details**
 *
 * - A history is in order where its changes form one chain: each begins with
 *   the state that the one before it left, and none is left over. That is what
 *   one circuit does that applies one update after the other, at some time
 *   between the begin and the end of each.
 * - An update that was interrupted may be part of the chain or not.
 * - Clients and the store have one clock. Else their views differ in times.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CircuitState from "../../circuit/CircuitState.ts"
import type * as CircuitStore from "../../store/CircuitStore.ts"
import * as Law from "../Law.ts"

type State = CircuitState.CircuitState

/**
 * Cell that records the writes and reports of its store.
 */
export class Cell implements CircuitStore.Cell {
  readonly name: string
  readonly key: string | undefined
  /** States that the store wrote, oldest first. */
  readonly seen: Array<State> = []
  /** Changes by others, and whether the cell had been written by then. */
  readonly told: Array<{ readonly before: State; readonly after: State; readonly written: boolean }> = []
  #current: State = CircuitState.initial

  constructor(name = "payments", key?: string) {
    this.name = name
    this.key = key
  }

  get current(): State {
    return this.#current
  }

  set current(state: State) {
    this.#current = state
    this.seen.push(state)
  }

  changed(before: State, after: State): Effect.Effect<void> {
    return Effect.sync(() => {
      this.told.push({ before, after, written: Law.text(this.#current) === Law.text(after) })
    })
  }
}

/**
 * Update of a history.
 */
export interface Operation {
  readonly client: number
  readonly event: CircuitState.Event
  /** How long the history waited before it, in milliseconds. */
  readonly waited: number
  /** When it began, among all begins and ends. */
  readonly began: number
  /** When it ended, absent while it has not, and where it was interrupted. */
  ended?: number
  /** Each application of the step. */
  readonly steps: Array<{
    readonly now: number
    readonly before: State
    readonly after: State
    readonly answer: CircuitState.Decision
  }>
  /** Its defect, if it had one. */
  died?: string
  /** Report of the store. */
  applied?: CircuitStore.Applied<CircuitState.Decision>
  /** State of the client's cell when the update ended. */
  view?: State
}

/**
 * Operations and cells of the clients of one circuit.
 */
export interface History {
  readonly config: CircuitState.Config
  /** One for each client. */
  readonly cells: ReadonlyArray<Cell>
  /** Oldest first. */
  readonly operations: ReadonlyArray<Operation>
}

/**
 * Returns the next operation of a history, applied through a store. It goes into
 * the history when it begins.
 */
export const apply = (
  store: CircuitStore.CircuitStore["Service"],
  history: History & { readonly operations: Array<Operation> },
  client: number,
  event: CircuitState.Event,
  options: { readonly waited: number; readonly order: () => number }
): Effect.Effect<Operation> =>
  Effect.clockWith((clock) => {
    const cell = history.cells[client] as Cell // the caller names one of them
    const operation: Operation = { client, event, waited: options.waited, began: options.order(), steps: [] }
    history.operations.push(operation)
    const update = store.update(cell, clock.currentTimeMillisUnsafe(), (before, now) => {
      const [after, answer] = CircuitState.transition(before, event, now, history.config)
      operation.steps.push({ now, before, after, answer })
      return [after, answer]
    })
    return update.pipe(
      Effect.map((applied) => {
        operation.applied = applied
        operation.view = cell.current
        operation.ended = options.order()
        return operation
      }),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) && Cause.hasDies(exit.cause)) operation.died = Cause.pretty(exit.cause)
        })
      )
    )
  })

/**
 * First error of a history. `late` says that views have still to come to the
 * end, and nothing else.
 */
export interface Broken {
  readonly error: Law.LawError
  readonly late: boolean
}

/**
 * Returns the first error of a history, if there is one.
 */
export const verify = (history: History): Broken | undefined => {
  const changes = reported(history)
  if ("error" in changes) return changes
  const chain = chainOf(history, changes)
  if ("error" in chain) return chain
  const broken = brokenOrder(history, chain) ?? brokenPermits(history, chain)
  if (broken !== undefined) return broken
  for (const [client, cell] of history.cells.entries()) {
    const broken = brokenView(history, chain, client, cell)
    if (broken !== undefined) return broken
  }
  return undefined
}

// Change in the chain.
interface Link {
  readonly operation: Operation
  readonly now: number
  readonly before: State
  readonly after: State
  readonly answer: CircuitState.Decision
}

// Changes that updates reported, by the state that they began with, and those of updates that were interrupted.
interface Changes {
  readonly changes: Map<string, Link>
  readonly perhaps: ReadonlyArray<Link>
}

interface Chain {
  readonly links: ReadonlyArray<Link>
  /** State that the chain ends with. */
  readonly last: State
  /** Returns how many changes led to a state, where the circuit had it. */
  readonly position: (state: State) => number | undefined
}

const brokenBy =
  (history: History) =>
  (what: string, found: unknown, expected: unknown, late = false): Broken => ({
    error: Law.broken(what, found, expected, format(history)),
    late
  })

const nameIn =
  ({ operations }: History) =>
  (operation: Operation): string =>
    `update ${operations.indexOf(operation)}`

/** Checks that what an update reports is what its step did, and returns the changes. */
const reported = (history: History): Changes | Broken => {
  const [found, nameOf] = [brokenBy(history), nameIn(history)]
  const changes = new Map<string, Link>()
  const perhaps: Array<Link> = []
  for (const operation of history.operations) {
    const { applied, died, steps } = operation
    if (died !== undefined) return found(`${nameOf(operation)} ends`, died, "no defect")
    if (applied === undefined) {
      perhaps.push(...steps.map((step) => ({ operation, ...step })))
      continue
    }
    const reported = Law.text([applied.before, applied.after, applied.answer])
    const step = steps.findLast((each) => Law.text([each.before, each.after, each.answer]) === reported)
    if (step === undefined) return found(`${nameOf(operation)} reports what its step did`, applied, steps.at(-1))
    const from = Law.text(step.before)
    if (from === Law.text(step.after)) continue
    const other = changes.get(from)
    if (other !== undefined) {
      const both = [nameOf(other.operation), nameOf(operation)]
      return found("a state is changed by one update", both.join(" and "), "one of them to see the other")
    }
    changes.set(from, { operation, ...step })
  }
  return { changes, perhaps }
}

/** Checks that the changes form one chain, and returns it. */
const chainOf = (history: History, { changes, perhaps }: Changes): Chain | Broken => {
  const { cells, operations } = history
  const [found, nameOf] = [brokenBy(history), nameIn(history)]
  const known = new Set(
    [
      ...operations.flatMap(({ applied }) => (applied === undefined ? [] : [applied.before])),
      ...cells.flatMap(({ seen }) => seen)
    ].map(Law.text)
  )
  const links: Array<Link> = []
  const positions = new Map([[Law.text(CircuitState.initial), 0]])
  for (let at = Law.text(CircuitState.initial); ;) {
    const link =
      changes.get(at) ??
      perhaps.find((each) => {
        const to = Law.text(each.after)
        return Law.text(each.before) === at && known.has(to) && !positions.has(to)
      })
    if (link === undefined) break
    changes.delete(at)
    links.push(link)
    at = Law.text(link.after)
    if (positions.has(at)) return found(`${nameOf(link.operation)} leads to a new state`, link.after, "another state")
    positions.set(at, links.length)
  }
  const [loose] = changes.values()
  const last = links.at(-1)?.after ?? CircuitState.initial
  if (loose !== undefined) {
    return found(
      `${nameOf(loose.operation)} changes a state that the circuit had`,
      loose.before,
      `those up to ${Law.text(last)}`
    )
  }
  return { links, last, position: (state) => positions.get(Law.text(state)) }
}

/** Checks that each update is applied between its begin and its end. */
const brokenOrder = (history: History, { last, position }: Chain): Broken | undefined => {
  const [found, nameOf] = [brokenBy(history), nameIn(history)]
  const done: Array<{ readonly operation: Operation; readonly ended: number; readonly to: number }> = []
  for (const operation of history.operations) {
    const { applied, ended, view } = operation
    if (applied === undefined || ended === undefined || view === undefined) continue
    const from = position(applied.before)
    const to = position(applied.after)
    if (from === undefined || to === undefined) {
      return found(`${nameOf(operation)} sees a state that the circuit had`, applied.before, Law.text(last))
    }
    const earlier = done.find((each) => each.ended < operation.began && each.to > from)
    if (earlier !== undefined) {
      const what = `${nameOf(operation)} sees what ${nameOf(earlier.operation)} left before it began`
      return found(what, applied.before, earlier.operation.applied?.after)
    }
    const shown = position(view)
    if (shown === undefined || shown < to) {
      return found(`the view of client ${operation.client} after ${nameOf(operation)}`, view, applied.after)
    }
    done.push({ operation, ended, to })
  }
  return undefined
}

/** Checks that a permit is given once, and that no more are live than there may be. */
const brokenPermits = (history: History, { links }: Chain): Broken | undefined => {
  const { config } = history
  const [found, nameOf] = [brokenBy(history), nameIn(history)]
  let live: Array<{ readonly permit: number; readonly until: number }> = []
  let generation = 0
  const given = new Set<string>()
  for (const { after, answer, now, operation } of links) {
    if (after.generation !== generation) live = []
    generation = after.generation
    const { event } = operation
    if (event._tag === "Settle" && event.generation === generation) {
      live = live.filter(({ permit }) => permit !== event.permit)
    }
    if (answer._tag !== "Admitted" || answer.permit === 0) continue
    const permit = `${answer.generation}/${answer.permit}`
    if (given.has(permit)) return found("a permit is given once", permit, "another permit")
    given.add(permit)
    live = live.filter(({ until }) => now < until)
    live.push({ permit: answer.permit, until: now + config.leaseMillis })
    if (live.length > config.probes)
      return found(`probes at one time after ${nameOf(operation)}`, live.length, config.probes)
  }
  return undefined
}

/** Checks that the view of a client only moves forward, and that it is told each change once. */
const brokenView = (
  history: History,
  { last, links, position }: Chain,
  client: number,
  cell: Cell
): Broken | undefined => {
  const found = brokenBy(history)
  const view = `the view of client ${client}`
  // It only moves forward.
  let latest = 0
  for (const state of cell.seen) {
    const at = position(state)
    if (at === undefined) return found(`${view} is a state that the circuit had`, state, Law.text(last))
    if (at < latest) return found(`${view} only moves forward`, state, links[latest - 1]?.after)
    latest = at
  }
  // What it was told and what it did itself leave no gap, and do not overlap.
  const own = history.operations.filter((each) => each.client === client)
  const moves = [...cell.told, ...own.flatMap(({ applied }) => applied ?? [])]
    .map((move) => [position(move.before) ?? -1, position(move.after) ?? -1] as const)
    .filter(([from, to]) => from !== to)
    .toSorted(([a], [b]) => a - b)
  let at = 0
  for (const [from, to] of moves) {
    // A change that an interrupted update made need not be told.
    while (at < from && own.includes((links[at] as Link).operation)) at++ // it is below the length of the chain
    if (from !== at || to < from) {
      const told = cell.told.map(({ after, before }) => `${brief(before)} to ${brief(after)}`).join(", ")
      return found(
        `client ${client} is told each change once`,
        `${from} to ${to} (told: ${told})`,
        `one that begins at ${at}`
      )
    }
    at = to
  }
  const unwritten = cell.told.find(({ written }) => !written)
  if (unwritten !== undefined) return found(`${view} is written before it is told`, brief(unwritten.after), "written")
  if (latest < links.length) return found(`${view} comes to the end`, cell.current, last, true)
  while (at < latest && own.includes((links[at] as Link).operation)) at++ // it is below the length of the chain
  if (at < latest) return found(`client ${client} is told of the last change`, brief(cell.current), brief(last), true)
  return undefined
}

/**
 * Returns a history as a table, one row for each update, and what each client
 * saw below it.
 */
export const format = ({ cells, config, operations }: History): string => {
  const rows = operations.map((operation, index) => {
    const { answer, after, before, now } = operation.steps.at(-1) ?? {}
    return [
      String(index),
      String(operation.client),
      `+${operation.waited}`,
      eventText(operation.event),
      `${operation.began}-${operation.ended ?? "?"}`,
      now === undefined ? "" : String(now),
      before === undefined ? "" : brief(before),
      after === undefined || after === before ? "" : brief(after),
      answer === undefined ? "" : operation.applied === undefined ? "(no report)" : answerText(answer)
    ]
  })
  const head = ["#", "client", "wait", "update", "from-to", "at", "saw", "left", "answer"]
  const views = cells.map(({ current, seen, told }, client) => {
    const changes = told.map(({ after, before }) => `${brief(before)} to ${brief(after)}`).join(", ")
    return `client ${client} has ${brief(current)}, saw ${seen.map(brief).join(", ")}, was told ${changes}`
  })
  return [Law.text(config), ...table([head, ...rows]), ...views].join("\n")
}

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  )
}

/**
 * Returns a state in a few characters: its tag, its generation and what it
 * counts.
 */
export const brief = (state: State): string => {
  const name = `${state._tag} ${state.generation}`
  if (state._tag !== "HalfOpen") return name
  const { failures, ignoredAt, leases, successes } = state
  return `${name} [${leases.map(({ permit }) => permit).join(" ")}] +${successes} -${failures} ~${ignoredAt}`
}

const eventText = (event: CircuitState.Event): string => {
  switch (event._tag) {
    case "Trip":
      return `Trip of ${event.generation}`
    case "Settle":
      return `Settle ${event.generation}/${event.permit} ${event.outcome}`
    case "Hold":
      return event.forMillis === undefined ? event.as : `${event.as} for ${event.forMillis}`
    default:
      return event._tag
  }
}

const answerText = (answer: CircuitState.Decision): string => {
  switch (answer._tag) {
    case "Admitted":
      return `admitted ${answer.generation}/${answer.permit}`
    case "Refused":
      return answer.retryAt === undefined ? "refused" : `refused until ${answer.retryAt}`
    case "Done":
      return ""
  }
}
