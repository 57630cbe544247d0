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
 * - No operation takes longer than `timeout`, and neither does an update with all
 *   of its operations. After one that failed, or took longer, the process goes on
 *   alone: steps change its views without asking,
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
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as CircuitState from "../circuit/CircuitState.ts"
import * as Background from "../core/internal/Background.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitStore from "./CircuitStore.ts"
import * as CircuitTable from "./CircuitTable.ts"
import * as CircuitQuorum from "./internal/CircuitQuorum.ts"
import * as CircuitReplica from "./internal/CircuitReplica.ts"
import * as CircuitView from "./internal/CircuitView.ts"
import * as ClockOffset from "./internal/ClockOffset.ts"
import * as PollTime from "./internal/PollTime.ts"
import * as Reachability from "./internal/Reachability.ts"

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

/** Rows that are read by one operation. */
const batch = 200
/** Polls after which all rows are read again. */
const readAllEvery = 12
/** Rows that one step of a sweep removes. */
const sweepLimit = 100

interface Replica extends CircuitReplica.Replica {
  /** Held by the operation that will write the view. */
  readonly lock: Semaphore.Semaphore
  /** Tells its writes from those of all others, of this process or another. */
  readonly session: string
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

/** Returns what is left of the time that several operations have together. */
type Left = (clock: Clock.Clock, millis: number) => number

const whole: Left = (_, millis) => millis

/** The time begins now, on a clock that nobody sets. */
const fromNow = (clock: Clock.Clock): Left => {
  const began = clock.monotonicTimeNanosUnsafe()
  return (later, millis) => millis - Number(later.monotonicTimeNanosUnsafe() - began) / 1e6
}

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
    const replicas = new Map<string, Set<Replica>>()
    const known = new WeakMap<CircuitStore.Cell, Replica>()
    let made = 0
    const unread = new Set<Replica>()
    const unsaid = new Set<Replica>()
    /** What is added to the process's clock to get the table's. */
    let offset = 0
    const reachability = new Reachability.Reachability(yield* Clock.currentTimeMillis)
    let pollAt = yield* Clock.currentTimeMillis
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
        replica = { ...CircuitReplica.make(cell), lock: Semaphore.makeUnsafe(1), session: `${session}-${made++}` }
        known.set(cell, replica)
      }
      return replica
    }

    const annotate = Effect.annotateLogs({ "store.instance": instance })

    /** Notes that the table does not do what it is asked for. */
    const failed = (error: CircuitTable.TableError): Effect.Effect<void> =>
      Effect.clockWith((clock) => {
        if (!reachability.failed(error.message, clock.currentTimeMillisUnsafe())) return Effect.void
        seen = undefined
        return log
          ? annotate(Effect.logWarning(`Circuit store does not answer, circuits go on alone: ${error.message}`))
          : Effect.void
      })

    /** Goes on alone where the table fails, and notes it. */
    const orAway = <A, B>(operation: Effect.Effect<A, CircuitTable.TableError>, otherwise: Effect.Effect<B>) =>
      Effect.catch(operation, (error) => Effect.andThen(failed(error), otherwise))

    const answered = Effect.clockWith((clock) => {
      const gone = reachability.answered(clock.currentTimeMillisUnsafe())
      if (gone === undefined) return Effect.void
      for (const replica of attached()) toRead(replica)
      return log ? annotate(Effect.logInfo(`Circuit store answers again, after ${Math.round(gone)} ms`)) : Effect.void
    })

    const noAnswer = Effect.suspend(() =>
      Effect.fail(new CircuitTable.TableError({ message: `no answer within ${timeout} ms` }))
    )

    /** Asks the table, no longer than `timeout`, or than what is left of it. */
    const ask = <A, R>(
      operation: Effect.Effect<A, CircuitTable.TableError, R>,
      left: Left = whole
    ): Effect.Effect<A, CircuitTable.TableError, R> =>
      Effect.clockWith((clock) => {
        const millis = left(clock, timeout)
        if (millis <= 0) return noAnswer
        reachability.asked()
        return Effect.flatMap(
          Background.within(operation, millis),
          Option.match({ onNone: () => noAnswer, onSome: Effect.succeed })
        )
      })

    /** Reads from the table, and compares its clock with the process's. */
    const askRead = (operation: Effect.Effect<CircuitTable.Read, CircuitTable.TableError>, left?: Left) =>
      Effect.clockWith((clock) => {
        const sent = clock.currentTimeMillisUnsafe()
        return Effect.map(ask(operation, left), (read) => {
          const next = ClockOffset.learn(offset, {
            sent,
            answer: read.now,
            received: clock.currentTimeMillisUnsafe()
          })
          if (next !== offset) {
            for (const replica of attached()) CircuitReplica.shift(replica, offset - next)
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
      const applied = CircuitReplica.step(replica, now, step)
      if (applied.after !== applied.before && replica.dirty) toSay(replica)
      return applied
    }

    /** Applies a step to the view at the time that it is by now. */
    const aloneNow = <A>(replica: Replica, step: CircuitStore.Step<A>): Effect.Effect<CircuitStore.Applied<A>> =>
      Effect.map(Clock.currentTimeMillis, (now) => alone(replica, now, step))

    /** Makes a row the view of a replica. Returns what is left to do. */
    const adopt = (replica: Replica, row: CircuitTable.Row): Effect.Effect<void> => {
      const { after, before, isReadable } = CircuitReplica.adopt(replica, row, offset)
      unsaid.delete(replica)
      const changed = after === before ? Effect.void : replica.cell.changed(before, after)
      if (isReadable || !log) return changed
      const malformed = `Circuit store has a row that cannot be read, it counts as closed: ${replica.resourceKey}`
      return Effect.andThen(annotate(Effect.logWarning(malformed)), changed)
    }

    /** Makes a row the view, unless this process knows more. Returns whether the view is that of the row. */
    const follow = (replica: Replica, row: CircuitTable.Row): Effect.Effect<boolean> => {
      if (row.version === replica.version) return Effect.succeed(true)
      if (CircuitReplica.knowsMore(replica, row)) {
        replica.dirty = true
        return Effect.succeed(false)
      }
      return Effect.as(adopt(replica, row), true)
    }

    /** Brings a row into the view, if it is newer. `moves` are those that there were when the row was asked for. */
    const bring = (replica: Replica, row: CircuitTable.Row, moves?: number): Effect.Effect<void> => {
      switch (CircuitReplica.hear(replica, row, moves)) {
        case "nothing":
          return Effect.void
        case "adopt":
          return adopt(replica, row)
        case "reconcile":
          toSay(replica)
          return Effect.void
      }
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

    const readOne = (replica: Replica, left?: Left) =>
      Effect.map(askRead(table.read([replica.resourceKey]), left), ({ now, rows }) => ({
        now,
        row: rows.find((row) => row.resourceKey === replica.resourceKey)
      }))

    /** Writes the view `after` over a row, then does `done`. Returns whether that row was still there. */
    const write = (
      replica: Replica,
      after: CircuitState.CircuitState,
      row: CircuitTable.Row | undefined,
      left?: Left,
      done: () => void = () => {}
    ): Effect.Effect<boolean, CircuitTable.TableError> =>
      Effect.suspend(() => {
        const { writing } = replica
        const draft = CircuitReplica.draft(replica, after, { by: instance, session: replica.session, offset })
        return Effect.map(ask(table.write(draft, row?.version ?? 0), left), (version) => {
          if (version === undefined) {
            // This one was not done, and nobody knows of one before it.
            replica.writing = writing
            return false
          }
          CircuitReplica.written(replica, version)
          done()
          return true
        })
      })

    /** Brings the view and its row together, where the view was changed alone or has no row. */
    const say = (replica: Replica, left?: Left): Effect.Effect<void, CircuitTable.TableError> =>
      Effect.gen(function* () {
        for (;;) {
          const { now, row } = yield* readOne(replica, left)
          const mine = replica.cell.current
          if (!replica.dirty) {
            if (yield* row === undefined ? write(replica, mine, undefined, left) : follow(replica, row)) return
            continue
          }
          if (row !== undefined && !CircuitReplica.prevails(replica, row, now - offset, offset))
            return yield* adopt(replica, row)
          if (!(yield* write(replica, mine, row, left))) continue
          // It may have changed again meanwhile.
          if (replica.cell.current === mine) {
            replica.dirty = false
            return
          }
        }
      })

    const update = <A>(
      replica: Replica,
      step: CircuitStore.Step<A>,
      left: Left
    ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> =>
      Effect.gen(function* () {
        const { cell } = replica
        for (;;) {
          if (reachability.isAway) return yield* aloneNow(replica, step)
          if (replica.dirty) yield* say(replica, left)
          const { now, row } = yield* readOne(replica, left)
          if (replica.dirty) continue
          if (row === undefined) replica.version = 0
          else if (!(yield* follow(replica, row))) continue
          const before = cell.current
          const [after, answer] = step(before, now - offset)
          if (after === before) return { before, after, answer }
          const { version } = replica
          const was = offset
          // The view and its version move together, else an interruption between the two would lose the step.
          const done = () => {
            // An eager step came first: `say` brings both together.
            if (replica.dirty) replica.version = version
            // The clock may have been learnt anew meanwhile.
            else cell.current = CircuitView.shift(after, was - offset, 0)
          }
          // Nobody knows whether a write that failed was done. The view has to move before a row is heard of that may
          // have the step already, else it would be applied to that one again.
          const written = yield* orAway(write(replica, after, row, left, done), Effect.undefined).pipe(
            // The view does not have what was interrupted. A row that has it is as that of another process.
            Effect.onError(() => Effect.sync(() => void (replica.writing = undefined)))
          )
          if (written === undefined) return yield* aloneNow(replica, step)
          if (written) return { before, after, answer }
        }
      })

    const apart = Effect.flatMap(Random.next, (random) => Effect.sleep(random * spread))

    /** Updates the row, unless that is not needed any more when it is this process's turn to ask. */
    const asked = <A>(
      replica: Replica,
      step: CircuitStore.Step<A>
    ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> => {
      // Its time begins with its turn: a queue in this process does not mean that the table is slow.
      const updated = exclusively(
        replica,
        Effect.clockWith((clock) => update(replica, step, fromNow(clock)))
      )
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

    const refresh = Effect.gen(function* () {
      while (unread.size > 0 && !reachability.isAway) {
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
          else if (replica.cell.key === undefined || replica.cell.current._tag !== "Closed") toSay(replica)
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
      } else if (reachability.isAway || from === undefined) {
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

    const pollLater = Effect.clockWith((clock) =>
      Effect.map(Random.next, (random) => {
        pollAt = PollTime.next(clock.currentTimeMillisUnsafe(), pollEvery, random)
      })
    )

    const keepInStep = Effect.gen(function* () {
      for (;;) {
        const wait = PollTime.wait(yield* Clock.currentTimeMillis, pollAt, pollEvery)
        const woken = yield* Effect.timeoutOption(Queue.take(wake), wait)
        if (Option.isNone(woken) || PollTime.isDue(yield* Clock.currentTimeMillis, pollAt, pollEvery)) {
          yield* orAway(poll, Effect.void)
          yield* pollLater
        }
        for (const report of reports.splice(0)) yield* report
        if (reachability.isAway) continue
        yield* orAway(refresh, Effect.void)
        const some = [...unsaid]
        unsaid.clear()
        yield* Effect.forEach(
          some,
          (replica) =>
            orAway(
              exclusively(
                replica,
                Effect.suspend(() => (reachability.isAway ? Effect.sync(() => void unsaid.add(replica)) : say(replica)))
              ),
              Effect.sync(() => void unsaid.add(replica))
            ),
          { concurrency: 8, discard: true }
        )
      }
    })

    const hear = (listen: NonNullable<CircuitTable.CircuitTable["listen"]>) =>
      Effect.gen(function* () {
        yield* reachability.back
        const queue = yield* ask(listen)
        for (const replica of attached()) toRead(replica)
        for (;;) {
          // A connection that was forgotten on its way says nothing for ever, so none outlives an outage.
          const rows = yield* Effect.raceFirst(Queue.takeAll(queue), Effect.as(reachability.lost, undefined))
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
            reachability.noted(error.message)
            pollAt = 0
            Queue.offerUnsafe(wake, undefined)
          })
        ),
        Effect.andThen(Effect.flatMap(Random.next, (random) => Effect.sleep(pollEvery * (0.25 + random / 2))))
      )

    const sweep = Effect.gen(function* () {
      const random = yield* Random.next
      yield* Effect.sleep(sweepEvery * (0.5 + random))
      if (reachability.isAway) return
      for (;;) {
        const removed = yield* ask(table.sweep({ used: [...replicas.keys()], idleMillis: keepFor, limit: sweepLimit }))
        if (removed < sweepLimit) return
        yield* Effect.sleep(1000)
      }
    }).pipe(Effect.catch((error) => Effect.sync(() => reachability.noted(error.message))))

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
        if (!CircuitReplica.isShared(replica)) return
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
        return eager || reachability.isAway || !CircuitReplica.isShared(replica)
          ? Exit.succeed(alone(replica, now, step))
          : orAway(asked(replica, step), aloneNow(replica, step))
      },
      status: Effect.sync(() => ({
        shared: true,
        pending: attached().filter(({ dirty }) => dirty).length,
        ...reachability.status
      }))
    }
    const voter = `${instance}-${session}`
    return {
      store: quorum === 1 ? store : CircuitQuorum.make(store, { votes: quorum, windowMillis: voteWindow, voter }),
      ready: ready.await
    }
  })
