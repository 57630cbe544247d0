/**
 * Stores that share circuits through a table: what every database has in common.
 *
 * **Details**
 *
 * - Each cell is a view of a row. Calls read the view; the store keeps it in
 *   step by listening to the table, and by asking it from time to time in case
 *   a message was lost. A view only moves forward.
 * - An update reads the row, applies the step at the table's time and writes
 *   the row where its version is still the same, else it begins again. An eager
 *   update changes the view at once and the row after that.
 * - No operation takes longer than `timeout`. After one that failed, or took
 *   longer, the process goes on alone: steps change its views without asking,
 *   and one operation every `pollEvery` finds out whether the table is back.
 *   Then every view that was changed alone and its row come together, as
 *   `CircuitView.keepsMine` says.
 * - A row that cannot be read counts as closed, is reported, and healed by the
 *   next write.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as CircuitQuorum from "./CircuitQuorum.ts"
import * as CircuitState from "./CircuitState.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as CircuitTable from "./CircuitTable.ts"
import * as CircuitView from "./CircuitView.ts"
import * as Rules from "./Options.ts"

/**
 * Options of a store that shares circuits. All have defaults.
 */
export interface Options {
  /** Name of this process in the rows that it writes. Default: eight random characters. */
  readonly instance?: string | undefined
  /** How long an operation on the table may take. Default: 1 second. */
  readonly timeout?: Duration.Input | undefined
  /** How often to ask the table for what may have been missed, and whether it is back. Default: 5 seconds. */
  readonly pollEvery?: Duration.Input | undefined
  /** How long a closed circuit that nobody uses keeps its row. Default: 7 days. */
  readonly keepFor?: Duration.Input | undefined
  /** How often rows that nobody uses are looked for. Default: 1 hour. */
  readonly sweepEvery?: Duration.Input | undefined
  /**
   * Time over which processes spread the question for a probe when an open time
   * ends, so that most hear of the first one's before they ask. Default: 100
   * milliseconds.
   */
  readonly spread?: Duration.Input | undefined
  /** Processes that have to trip before a circuit opens for all of them. Default: 1. */
  readonly quorum?: number | undefined
  /** How long the vote of a process counts, where there is a quorum. Default: 1 minute. */
  readonly voteWindow?: Duration.Input | undefined
  /** Whether to log that the table is away or back, and rows that cannot be read. Default: true. */
  readonly log?: boolean | undefined
}

/**
 * Defaults of the options, durations in milliseconds.
 */
export const defaults = {
  timeout: 1000,
  pollEvery: 5000,
  keepFor: 7 * 24 * 60 * 60 * 1000,
  sweepEvery: 60 * 60 * 1000,
  spread: 100,
  quorum: 1,
  voteWindow: 60 * 1000,
  log: true
} as const

/** Longest resource key that is shared. A circuit with a longer one is this process's own. */
const maxResourceKey = 750
/** Rows that are read by one operation. */
const batch = 200
/** Polls after which all rows are read again. */
const readAllEvery = 12
/** Rows that one step of a sweep removes. */
const sweepLimit = 100

// What the store knows of one cell.
interface Replica {
  readonly cell: CircuitStore.Cell
  readonly resourceKey: string
  readonly lock: Semaphore.Semaphore
  /** Version of the row that the view was last in step with, 0 where there was none. */
  version: number
  /** What is added to a generation of the row to make one of the view. */
  generations: number
  /** Whether the view was changed alone. */
  dirty: boolean
  /** Whether the circuit has to be in the table, though nothing happened to it. */
  listed: boolean
  /** Whether an operation is under way that will write the view. */
  busy: boolean
  /** Newest row that was heard of meanwhile. */
  heard: CircuitTable.Row | undefined
  /** The last write, until it is known whether it was done. */
  writing: string | undefined
  /** How often the version moved or was about to. */
  moves: number
}

/**
 * Creates a store that shares circuits through a table, until the scope closes.
 *
 * **Details**
 *
 * Dies with an `InvalidOptionError` for a duration that is not finite and above
 * zero, and for an empty name.
 */
export const make = (
  table: CircuitTable.CircuitTable,
  options?: Options
): Effect.Effect<CircuitStore.CircuitStore["Service"], never, Scope.Scope> =>
  Effect.map(begin(table, options), ({ store }) => store)

/**
 * Provides a store that shares circuits through a table.
 *
 * **Details**
 *
 * It is there once the rows were read, so that no circuit of a fleet begins
 * closed, or once `timeout` is over.
 */
export const layer = <E, R>(
  table: Effect.Effect<CircuitTable.CircuitTable, E, R>,
  options?: Options
): Layer.Layer<CircuitStore.CircuitStore, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    CircuitStore.CircuitStore,
    Effect.flatMap(table, (made) => Effect.flatMap(begin(made, options), ({ ready, store }) => Effect.as(ready, store)))
  )

// `ready` ends with the first answer of the table, or without one after `timeout`.
const begin = (
  table: CircuitTable.CircuitTable,
  options: Options = {}
): Effect.Effect<
  { readonly store: CircuitStore.CircuitStore["Service"]; readonly ready: Effect.Effect<void> },
  never,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const millis = (option: "timeout" | "pollEvery" | "keepFor" | "sweepEvery" | "voteWindow") =>
      Rules.millis("CircuitStore", option, options[option] ?? defaults[option])
    const timeout = millis("timeout")
    const pollEvery = millis("pollEvery")
    const keepFor = millis("keepFor")
    const sweepEvery = millis("sweepEvery")
    const quorum = Rules.count("CircuitStore", "quorum", options.quorum ?? defaults.quorum)
    const voteWindow = millis("voteWindow")
    const spread = Rules.millis("CircuitStore", "spread", options.spread ?? defaults.spread, "zero")
    const log = options.log ?? defaults.log
    const instance =
      options.instance === undefined
        ? (yield* Random.nextIntBetween(0, 2 ** 32)).toString(16).padStart(8, "0")
        : Rules.name("CircuitStore", "instance", options.instance)
    // Where two processes have the same name, their writes still differ.
    const session = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(36)
    const scope = yield* Effect.scope
    const wake = yield* Queue.sliding<void>(1)
    const reachable = yield* Latch.make(true)
    const unreachable = yield* Latch.make(false)

    const replicas = new Map<string, Set<Replica>>()
    const known = new WeakMap<CircuitStore.Cell, Replica>()
    const unread = new Set<Replica>()
    const unsaid = new Set<Replica>()
    /** What is added to the process's clock to get the table's. */
    let offset = 0
    let operations = 0
    let errors = 0
    let lastError: string | undefined
    let since = yield* Clock.currentTimeMillis
    let away = false
    let pollAt = since
    let polls = 0
    let seen: number | undefined
    /** Rows that there were when the store was made, so that circuits of a fleet do not begin closed. */
    let found: ReadonlyMap<string, CircuitTable.Row> | undefined
    const ready = yield* Latch.make(false)
    const reports: Array<Effect.Effect<void>> = []

    const attached = () => [...replicas.values()].flatMap((all) => [...all])

    const replicaOf = (cell: CircuitStore.Cell): Replica => {
      let replica = known.get(cell)
      if (replica === undefined) {
        replica = {
          cell,
          resourceKey: CircuitTable.resourceKey(cell.name, cell.key),
          lock: Semaphore.makeUnsafe(1),
          version: 0,
          generations: 0,
          dirty: false,
          listed: false,
          busy: false,
          heard: undefined,
          writing: undefined,
          moves: 0
        }
        known.set(cell, replica)
      }
      return replica
    }

    const isShared = (replica: Replica) => replica.resourceKey.length <= maxResourceKey

    const annotate = Effect.annotateLogs({ "store.instance": instance })

    const noted = (error: CircuitTable.TableError): void => {
      errors++
      lastError = error.message
    }

    /** Notes that the table does not do what it is asked for. */
    const failed = (error: CircuitTable.TableError): Effect.Effect<void> =>
      Effect.clockWith((clock) => {
        noted(error)
        if (away) return Effect.void
        away = true
        since = clock.currentTimeMillisUnsafe()
        seen = undefined
        reachable.closeUnsafe()
        unreachable.openUnsafe()
        return log
          ? annotate(Effect.logWarning(`Circuit store does not answer, circuits go on alone: ${error.message}`))
          : Effect.void
      })

    const answered = Effect.clockWith((clock) => {
      if (!away) return Effect.void
      const now = clock.currentTimeMillisUnsafe()
      const gone = Math.round(now - since)
      away = false
      since = now
      for (const replica of attached()) toRead(replica)
      unreachable.closeUnsafe()
      reachable.openUnsafe()
      return log ? annotate(Effect.logInfo(`Circuit store answers again, after ${gone} ms`)) : Effect.void
    })

    /** Asks the table, no longer than `timeout`. Nobody waits for the end of what was given up. */
    const ask = <A, R>(
      operation: Effect.Effect<A, CircuitTable.TableError, R>
    ): Effect.Effect<A, CircuitTable.TableError, R> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          Effect.suspend(() => {
            operations++
            return Effect.forkDetach(Effect.interruptible(operation), { startImmediately: true })
          }),
          (fiber) =>
            restore(Effect.timeoutOption(Fiber.join(fiber), timeout)).pipe(
              Effect.flatMap(
                Option.match({
                  onNone: () => Effect.fail(new CircuitTable.TableError({ message: `no answer within ${timeout} ms` })),
                  onSome: Effect.succeed
                })
              ),
              Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
            )
        )
      )

    /** Reads from the table, and compares its clock with the process's. */
    const askRead = (operation: Effect.Effect<CircuitTable.Read, CircuitTable.TableError>) =>
      Effect.clockWith((clock) => {
        const sent = clock.currentTimeMillisUnsafe()
        return Effect.map(ask(operation), (read) => {
          const least = read.now - clock.currentTimeMillisUnsafe()
          const most = read.now + 1 - sent
          if (offset < least || offset > most) {
            const next = Math.floor((least + most) / 2)
            for (const replica of attached()) {
              replica.cell.current = CircuitView.shift(replica.cell.current, offset - next, 0)
            }
            offset = next
          }
          return read
        })
      })

    const toRead = (replica: Replica) => {
      unread.add(replica)
      Queue.offerUnsafe(wake, undefined)
    }

    const toSay = (replica: Replica) => {
      unsaid.add(replica)
      Queue.offerUnsafe(wake, undefined)
    }

    /** Applies a step to the view, without asking. */
    const alone = <A>(replica: Replica, now: number, step: CircuitStore.Step<A>): CircuitStore.Applied<A> => {
      const before = replica.cell.current
      const [after, answer] = step(before, now)
      if (after !== before) {
        replica.cell.current = after
        if (isShared(replica)) {
          replica.dirty = true
          toSay(replica)
        }
      }
      return { before, after, answer }
    }

    /** Applies a step to the view at the time that it is by now. */
    const aloneNow = <A>(replica: Replica, step: CircuitStore.Step<A>): Effect.Effect<CircuitStore.Applied<A>> =>
      Effect.map(Clock.currentTimeMillis, (now) => alone(replica, now, step))

    /** Returns the state that a row shows to a replica. */
    const viewOf = (
      replica: Replica,
      row: CircuitTable.Row,
      entry: CircuitTable.Entry | undefined
    ): CircuitState.CircuitState => {
      const { current } = replica.cell
      if (entry !== undefined) return CircuitView.shift(entry.state, -offset, replica.generations)
      // It cannot be read, so it counts as closed, and not as what was before.
      return { ...CircuitState.initial, generation: current.generation + 1, since: row.updatedAt - offset }
    }

    /** Makes a row the view of a replica. Returns what is left to do. */
    const adopt = (replica: Replica, row: CircuitTable.Row): Effect.Effect<void> => {
      const { cell } = replica
      const before = cell.current
      const entry = CircuitTable.decode(row.data)
      const own = entry !== undefined && entry.operation === replica.writing
      // What the process came to alone is over, and so are its generations. Nothing was admitted by one that is open.
      const isOpen = before._tag === "Open" && entry?.state._tag === "Open"
      const floor = replica.dirty && !own && !isOpen ? before.generation + 1 : before.generation
      if (entry !== undefined && entry.state.generation + replica.generations < floor) {
        replica.generations = floor - entry.state.generation
      }
      const after = viewOf(replica, row, entry)
      replica.version = row.version
      replica.moves++
      replica.writing = undefined
      replica.dirty = false
      unsaid.delete(replica)
      const malformed =
        entry === undefined && log
          ? annotate(
              Effect.logWarning(
                `Circuit store has a row that cannot be read, it counts as closed: ${replica.resourceKey}`
              )
            )
          : undefined
      if (CircuitView.isSame(before, after)) return malformed ?? Effect.void
      cell.current = after
      const changed = cell.changed(before, after)
      return malformed === undefined ? changed : Effect.andThen(malformed, changed)
    }

    /** Whether a row was lost, and made again by a process that knew less of its circuit than this one. */
    const knowsMore = ({ cell: { current }, generations, version }: Replica, row: CircuitTable.Row): boolean => {
      if (current._tag === "Closed" || row.version < version) return false
      const state = CircuitTable.decode(row.data)?.state
      if (state === undefined) return false
      const ahead = current.generation - (state.generation + generations)
      return ahead > 0 || (ahead === 0 && state._tag !== current._tag)
    }

    /** Makes a row the view, unless this process knows more. Returns whether the view is that of the row. */
    const follow = (replica: Replica, row: CircuitTable.Row): Effect.Effect<boolean> => {
      if (row.version === replica.version) return Effect.succeed(true)
      if (knowsMore(replica, row)) {
        replica.dirty = true
        return Effect.succeed(false)
      }
      return Effect.as(adopt(replica, row), true)
    }

    /** Brings a row into the view, if it is newer. `moves` are those that there were when the row was asked for. */
    const bring = (replica: Replica, row: CircuitTable.Row, moves?: number): Effect.Effect<void> => {
      if (replica.busy) {
        if (replica.heard === undefined || replica.heard.version < row.version) replica.heard = row
        return Effect.void
      }
      // A table that was set back, and no answer that came late.
      const setBack = row.version < replica.version && moves === replica.moves
      if (row.version <= replica.version && !setBack) return Effect.void
      if (knowsMore(replica, row)) replica.dirty = true
      if (replica.dirty) {
        toSay(replica)
        return Effect.void
      }
      return adopt(replica, row)
    }

    /** Runs an operation that will write the view, one at a time. */
    const exclusively = <A, E>(replica: Replica, operation: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Semaphore.withPermit(
        replica.lock,
        Effect.onExit(
          Effect.suspend(() => {
            replica.busy = true
            return operation
          }),
          () => {
            replica.busy = false
            const { heard } = replica
            replica.heard = undefined
            return heard === undefined ? Effect.void : bring(replica, heard)
          }
        )
      )

    const readOne = (replica: Replica) =>
      Effect.map(askRead(table.read([replica.resourceKey])), ({ now, rows }) => ({
        now: now - offset,
        row: rows.find((row) => row.resourceKey === replica.resourceKey)
      }))

    /** Writes the view `after` over a row. Returns whether that row was still there. */
    const write = (
      replica: Replica,
      after: CircuitState.CircuitState,
      row: CircuitTable.Row | undefined
    ): Effect.Effect<boolean, CircuitTable.TableError> =>
      Effect.suspend(() => {
        const operation = `${session}-${instance}-${++replica.moves}`
        replica.writing = operation
        const state = CircuitView.shift(after, offset, -replica.generations)
        const draft = CircuitTable.draft(replica.resourceKey, { state, operation }, instance)
        return Effect.map(ask(table.write(draft, row?.version ?? 0)), (version) => {
          replica.writing = undefined
          if (version === undefined) return false
          replica.version = version
          replica.moves++
          return true
        })
      })

    /** Brings the view and its row together, where the view was changed alone or has no row. */
    const say = (replica: Replica): Effect.Effect<void, CircuitTable.TableError> =>
      Effect.gen(function* () {
        for (;;) {
          const { now, row } = yield* readOne(replica)
          const mine = replica.cell.current
          if (!replica.dirty) {
            if (yield* row === undefined ? write(replica, mine, undefined) : follow(replica, row)) return
            continue
          }
          if (row !== undefined && row.version !== replica.version) {
            const entry = CircuitTable.decode(row.data)
            // The reply to the last write was lost, not the write.
            const own = entry !== undefined && entry.operation === replica.writing
            if (!own && entry !== undefined) {
              if (!CircuitView.keepsMine(mine, CircuitView.shift(entry.state, -offset, 0), now)) {
                return yield* adopt(replica, row)
              }
              replica.generations = Math.min(replica.generations, mine.generation - entry.state.generation - 1)
            }
          }
          if (!(yield* write(replica, mine, row))) continue
          // It may have changed again meanwhile.
          if (replica.cell.current === mine) {
            replica.dirty = false
            return
          }
        }
      })

    const update = <A>(
      replica: Replica,
      step: CircuitStore.Step<A>
    ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> =>
      Effect.gen(function* () {
        const { cell } = replica
        for (;;) {
          if (away) return yield* aloneNow(replica, step)
          if (replica.dirty) yield* say(replica)
          const { now, row } = yield* readOne(replica)
          if (replica.dirty) continue
          if (row === undefined) replica.version = 0
          else if (!(yield* follow(replica, row))) continue
          const before = cell.current
          const [after, answer] = step(before, now)
          if (after === before) return { before, after, answer }
          const version = replica.version
          if (!(yield* write(replica, after, row))) continue
          // An eager step came first: `say` brings both together.
          if (replica.dirty) replica.version = version
          else cell.current = after
          return { before, after, answer }
        }
      })

    const apart = Effect.flatMap(Random.next, (random) => Effect.sleep(random * spread))

    /** Updates the row, unless that is not needed any more when it is this process's turn to ask. */
    const asked = <A>(
      replica: Replica,
      step: CircuitStore.Step<A>
    ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> => {
      const updated = exclusively(replica, update(replica, step))
      const { cell } = replica
      // It is the end of an open time that all processes wait for.
      if (cell.current._tag !== "Open" || spread === 0) return updated
      const turn = Effect.clockWith((clock) => {
        const before = cell.current
        const [after, answer] = step(before, clock.currentTimeMillisUnsafe())
        return after === before ? Effect.succeed({ before, after, answer }) : updated
      })
      return Effect.andThen(apart, turn)
    }

    /** Goes on alone where the table fails, and notes it. */
    const orAway = <A>(operation: Effect.Effect<A, CircuitTable.TableError>, otherwise: Effect.Effect<A>) =>
      Effect.catch(operation, (error) => Effect.andThen(failed(error), otherwise))

    const refresh = Effect.gen(function* () {
      while (unread.size > 0 && !away) {
        const some = [...unread].slice(0, batch)
        for (const replica of some) unread.delete(replica)
        const moves = some.map((replica) => replica.moves)
        const { now, rows } = yield* askRead(table.read([...new Set(some.map(({ resourceKey }) => resourceKey))])).pipe(
          Effect.onError(() => Effect.sync(() => some.forEach((replica) => unread.add(replica))))
        )
        seen ??= now
        const found = new Map(rows.map((row) => [row.resourceKey, row]))
        for (const [i, replica] of some.entries()) {
          const row = found.get(replica.resourceKey)
          if (row !== undefined) yield* bring(replica, row, moves[i])
          else if (replica.listed || replica.cell.current._tag !== "Closed") toSay(replica)
        }
      }
    })

    const poll = Effect.gen(function* () {
      const from = seen
      found = undefined
      if (!ready.isOpen()) {
        const { now, rows } = yield* Effect.ensuring(askRead(table.changes(undefined)), ready.open)
        found = new Map(rows.map((row) => [row.resourceKey, row]))
        for (const replica of attached()) toRead(replica)
        seen = now
      } else if (away || from === undefined) {
        const all = attached()
        const { now } = yield* askRead(table.read(all.slice(0, 1).map(({ resourceKey }) => resourceKey)))
        yield* answered
        for (const replica of all) toRead(replica)
        seen = now
      } else {
        const moves = new Map(attached().map((replica) => [replica, replica.moves]))
        const { now, rows } = yield* askRead(table.changes(from - timeout - 1000))
        for (const row of rows) {
          for (const replica of replicas.get(row.resourceKey) ?? []) yield* bring(replica, row, moves.get(replica))
        }
        seen = now
        // Rows that are gone are no changes, and after the clock was set back new ones look old.
        if (++polls % readAllEvery === 0 || now < from) for (const replica of attached()) toRead(replica)
      }
      for (const replica of attached()) if (replica.dirty) unsaid.add(replica)
    })

    const longest = pollEvery * 1.25
    const pollLater = Effect.clockWith((clock) =>
      Effect.map(Random.next, (random) => {
        pollAt = clock.currentTimeMillisUnsafe() + pollEvery * (0.75 + random / 2)
      })
    )

    const keepInStep = Effect.gen(function* () {
      for (;;) {
        const wait = Math.min(longest, Math.max(0, pollAt - (yield* Clock.currentTimeMillis)))
        const woken = yield* Effect.timeoutOption(Queue.take(wake), wait)
        const now = yield* Clock.currentTimeMillis
        // A clock that was set back would let the poll wait until it has caught up.
        if (Option.isNone(woken) || now >= pollAt || pollAt - now > longest) {
          yield* orAway(poll, Effect.void)
          yield* pollLater
        }
        for (const report of reports.splice(0)) yield* report
        if (away) continue
        yield* orAway(refresh, Effect.void)
        const some = [...unsaid]
        unsaid.clear()
        yield* Effect.forEach(
          some,
          (replica) =>
            orAway(
              exclusively(
                replica,
                Effect.suspend(() => (away ? Effect.sync(() => void unsaid.add(replica)) : say(replica)))
              ),
              Effect.sync(() => void unsaid.add(replica))
            ),
          { concurrency: 8, discard: true }
        )
      }
    })

    const hear = (listen: NonNullable<CircuitTable.CircuitTable["listen"]>) =>
      Effect.gen(function* () {
        yield* reachable.await
        const queue = yield* ask(listen)
        for (const replica of attached()) toRead(replica)
        for (;;) {
          // A connection that was forgotten on its way says nothing for ever, so none outlives an outage.
          const rows = yield* Effect.raceFirst(Queue.takeAll(queue), Effect.as(unreachable.await, undefined))
          if (rows === undefined) return
          for (const row of rows) {
            for (const replica of replicas.get(row.resourceKey) ?? []) yield* bring(replica, row)
          }
        }
      }).pipe(
        Effect.scoped,
        // The poll finds out whether it is only the feed that is gone.
        Effect.catch((error) =>
          Effect.sync(() => {
            noted(error)
            pollAt = 0
            Queue.offerUnsafe(wake, undefined)
          })
        ),
        Effect.andThen(Effect.flatMap(Random.next, (random) => Effect.sleep(pollEvery * (0.25 + random / 2))))
      )

    const sweep = Effect.gen(function* () {
      const random = yield* Random.next
      yield* Effect.sleep(sweepEvery * (0.5 + random))
      if (away) return
      for (;;) {
        const used = [...replicas.keys()].filter((resourceKey) => resourceKey.length <= maxResourceKey)
        const removed = yield* ask(table.sweep({ used, idleMillis: keepFor, limit: sweepLimit }))
        if (removed < sweepLimit) return
        yield* Effect.sleep(1000)
      }
    }).pipe(Effect.catch((error) => Effect.sync(() => noted(error))))

    // A mistake in a table, or in what hears of changes, must not end the keeping in step.
    const forever = (loop: Effect.Effect<unknown>) =>
      loop.pipe(
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.andThen(
                annotate(Effect.logError("Circuit store met a defect, and goes on", cause)),
                Effect.sleep(pollEvery)
              )
        ),
        Effect.forever
      )
    for (const loop of [keepInStep, sweep, ...(table.listen === undefined ? [] : [hear(table.listen)])]) {
      yield* Effect.forkIn(forever(loop), scope)
    }

    const store: CircuitStore.CircuitStore["Service"] = {
      attach: (cell) => {
        const replica = replicaOf(cell)
        if (!isShared(replica)) return
        replica.listed = cell.key === undefined
        const all = replicas.get(replica.resourceKey)
        if (all === undefined) replicas.set(replica.resourceKey, new Set([replica]))
        else all.add(replica)
        const row = found?.get(replica.resourceKey)
        if (row !== undefined) reports.push(bring(replica, row))
        toRead(replica)
      },
      detach: (cell) => {
        const replica = replicaOf(cell)
        unread.delete(replica)
        const all = replicas.get(replica.resourceKey)
        all?.delete(replica)
        if (all?.size === 0) replicas.delete(replica.resourceKey)
      },
      update: (cell, now, step, { eager = false } = {}) => {
        const replica = replicaOf(cell)
        return eager || away || !isShared(replica)
          ? Exit.succeed(alone(replica, now, step))
          : orAway(asked(replica, step), aloneNow(replica, step))
      },
      status: Effect.sync(() => ({
        shared: true,
        reachable: !away,
        since,
        pending: attached().filter(({ dirty }) => dirty).length,
        operations,
        errors,
        lastError
      }))
    }
    const voter = `${instance}-${session}`
    return {
      store: quorum === 1 ? store : CircuitQuorum.make(store, { votes: quorum, windowMillis: voteWindow, voter }),
      ready: ready.await
    }
  })
