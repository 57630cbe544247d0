/**
 * Upkeep of a store's views: listens to the table, polls it for what was missed
 * and whether it is back, pulls and pushes rows, and sweeps those that nobody
 * uses.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type * as CircuitTable from "../CircuitTable.ts"
import { Hints } from "./Hints.ts"
import * as PollTime from "./PollTime.ts"
import type { Replica, Replicas } from "./Replicas.ts"
import type { StoreLog } from "./StoreLog.ts"
import type * as StoreOptions from "./StoreOptions.ts"
import type { TableLink } from "./TableLink.ts"
import type { Updates } from "./Updates.ts"

/** Rows that are read by one operation. */
const batch = 200
/** Polls after which all rows are read again. */
const readAllEvery = 12
/** Rows that one step of a sweep removes. */
const sweepLimit = 100

export type Options = Pick<StoreOptions.Resolved, "timeout" | "pollEvery" | "keepFor" | "sweepEvery">

export class Upkeep {
  /** Opens with the first answer of the table, or when that fails. */
  readonly ready = Latch.makeUnsafe(false)
  private readonly table: CircuitTable.CircuitTable
  private readonly link: TableLink
  private readonly replicas: Replicas
  private readonly updates: Updates
  private readonly log: StoreLog
  private readonly options: Options
  private readonly hints: Hints
  private pollAt: number
  private polls = 0
  /** Time of the table at which all rows were known, absent where rows were missed. */
  private seen: number | undefined
  /** Rows that there were when the store was made, so that circuits of a fleet do not begin closed. */
  private found: ReadonlyMap<string, CircuitTable.Row> | undefined

  /** `now` is in milliseconds. */
  constructor(
    rooms: {
      readonly table: CircuitTable.CircuitTable
      readonly link: TableLink
      readonly replicas: Replicas
      readonly updates: Updates
      readonly log: StoreLog
    },
    options: Options,
    now: number
  ) {
    this.table = rooms.table
    this.link = rooms.link
    this.replicas = rooms.replicas
    this.updates = rooms.updates
    this.log = rooms.log
    this.options = options
    this.pollAt = now
    const { link, log, replicas } = rooms
    const read = (some: ReadonlyArray<Replica>) => Effect.map(this.readRows(some), ({ found }) => found)
    this.hints = new Hints({ link, replicas, log, read }, options.pollEvery)
  }

  /** Starts the upkeep, until the scope closes. */
  get start(): Effect.Effect<void, never, Scope.Scope> {
    const { listen } = this.table
    const loops = [
      this.keepInStep,
      this.sweep,
      ...(listen === undefined ? [] : [this.listen(listen), this.hints.follow])
    ]
    return Effect.forEach(loops, (loop) => Effect.forkScoped(this.forever(loop)), { discard: true })
  }

  /** Returns the row that there was when the store was made, until the first poll after that. */
  rowFound(resourceKey: string): CircuitTable.Row | undefined {
    return this.found?.get(resourceKey)
  }

  /** Notes that changes may be missed from now on. */
  lost(): void {
    this.seen = undefined
  }

  /** Notes that the rows of all circuits have to be read. */
  pullAll(): void {
    for (const replica of this.replicas.all) this.replicas.needsPull(replica)
  }

  private get keepInStep(): Effect.Effect<never> {
    const { link, options, pollLater, pushSome, replicas } = this
    const poll = link.orAway(this.poll, Effect.void)
    const pull = link.orAway(this.pull, Effect.void)
    const wait = Effect.map(Clock.currentTimeMillis, (now) => PollTime.wait(now, this.pollAt, options.pollEvery))
    const isDue = Effect.map(Clock.currentTimeMillis, (now) => PollTime.isDue(now, this.pollAt, options.pollEvery))
    return Effect.gen(function* () {
      for (;;) {
        const woken = yield* Effect.timeoutOption(Queue.take(replicas.wake), yield* wait)
        if (Option.isNone(woken) || (yield* isDue)) {
          yield* poll
          yield* pollLater
        }
        for (const report of replicas.reports.splice(0)) yield* report
        if (link.isAway) continue
        yield* pull
        yield* pushSome
      }
    })
  }

  private get pollLater(): Effect.Effect<void> {
    return Effect.clockWith((clock) =>
      Effect.map(Random.next, (random) => {
        this.pollAt = PollTime.next(clock.currentTimeMillisUnsafe(), this.options.pollEvery, random)
      })
    )
  }

  private get poll(): Effect.Effect<void, CircuitTable.TableError> {
    return Effect.suspend(() => {
      const from = this.seen
      this.found = undefined
      const polled = !this.ready.isOpen()
        ? this.pollFirst
        : this.link.isAway || from === undefined
          ? this.pollAway
          : this.pollChanges(from)
      return Effect.map(polled, () => {
        for (const replica of this.replicas.all) if (replica.dirty) this.replicas.toPush.add(replica)
      })
    })
  }

  /** Reads all rows, which ends the wait for the store. */
  private get pollFirst(): Effect.Effect<void, CircuitTable.TableError> {
    return Effect.map(
      Effect.ensuring(this.link.read(this.table.changes(undefined)), this.ready.open),
      ({ now, rows }) => {
        this.found = new Map(rows.map((row) => [row.resourceKey, row]))
        this.pullAll()
        this.seen = now
      }
    )
  }

  /** Finds out by one row whether the table is back. */
  private get pollAway(): Effect.Effect<void, CircuitTable.TableError> {
    return Effect.suspend(() => {
      const { all } = this.replicas
      const read = this.link.read(this.table.read(all.slice(0, 1).map(({ resourceKey }) => resourceKey)))
      return Effect.flatMap(read, ({ now }) =>
        Effect.map(this.link.answered, () => {
          for (const replica of all) this.replicas.needsPull(replica)
          this.seen = now
        })
      )
    })
  }

  private pollChanges(from: number): Effect.Effect<void, CircuitTable.TableError> {
    const { link, replicas, table } = this
    const { timeout } = this.options
    const seen = (now: number) => {
      this.seen = now
      // Rows that are gone are no changes, and after the clock was set back new ones look old.
      if (++this.polls % readAllEvery === 0 || now < from) this.pullAll()
    }
    return Effect.gen(function* () {
      const moves = new Map(replicas.all.map((replica) => [replica, replica.moves]))
      const { now, rows } = yield* link.read(table.changes(from - timeout - 1000))
      for (const row of rows) {
        for (const replica of replicas.at(row.resourceKey)) yield* replicas.applyRow(replica, row, moves.get(replica))
      }
      seen(now)
    })
  }

  private get pull(): Effect.Effect<void, CircuitTable.TableError> {
    const { link, replicas } = this
    const { toPull } = replicas
    const seen = (now: number) => {
      this.seen ??= now
    }
    const read = (some: ReadonlyArray<Replica>) => this.readRows(some)
    return Effect.gen(function* () {
      while (toPull.size > 0 && !link.isAway) {
        const some = [...toPull].slice(0, batch)
        for (const replica of some) toPull.delete(replica)
        const { found, now } = yield* read(some).pipe(
          Effect.onError(() => Effect.sync(() => some.forEach((replica) => toPull.add(replica))))
        )
        seen(now)
        for (const replica of some) {
          if (found.has(replica.resourceKey)) continue
          if (replica.cell.key === undefined || replica.cell.current._tag !== "Closed") replicas.needsPush(replica)
        }
      }
    })
  }

  /** Reads rows, at most `batch` by one operation, and applies them. */
  private readRows(
    replicas: ReadonlyArray<Replica>
  ): Effect.Effect<
    { readonly now: number; readonly found: ReadonlyMap<string, CircuitTable.Row> },
    CircuitTable.TableError
  > {
    const found = new Map<string, CircuitTable.Row>()
    return Effect.gen({ self: this }, function* () {
      let read: CircuitTable.Read
      let from = 0
      do {
        const some = replicas.slice(from, from + batch)
        const moves = some.map((replica) => replica.moves)
        const keys = new Set(some.map(({ resourceKey }) => resourceKey))
        read = yield* this.link.read(this.table.read([...keys]))
        for (const row of read.rows) found.set(row.resourceKey, row)
        for (const [i, replica] of some.entries()) {
          const row = found.get(replica.resourceKey)
          if (row !== undefined) yield* this.replicas.applyRow(replica, row, moves[i])
        }
        from += batch
      } while (from < replicas.length)
      return { now: read.now, found }
    })
  }

  private get pushSome(): Effect.Effect<void> {
    const { link, log, replicas, updates } = this
    const { toPush } = replicas
    const again = (replica: Replica) => Effect.sync(() => void toPush.add(replica))
    const push = (replica: Replica) =>
      replicas.exclusively(
        replica,
        Effect.suspend(() =>
          link.isAway
            ? again(replica)
            : Effect.flatMap(updates.push(replica), (isDone) => (isDone ? Effect.void : again(replica)))
        )
      )
    return Effect.suspend(() => {
      const some = [...toPush]
      toPush.clear()
      // The others have to be written although one of them meets a defect.
      const alone = (replica: Replica) =>
        Effect.catchDefect(link.orAway(push(replica), again(replica)), (defect) =>
          log.defect("Circuit store met a defect and continues", Cause.die(defect))
        )
      return Effect.forEach(some, alone, {
        concurrency: 8,
        discard: true
      })
    })
  }

  private listen(listen: NonNullable<CircuitTable.CircuitTable["listen"]>): Effect.Effect<void> {
    const { hints, link, replicas } = this
    const { pollEvery } = this.options
    const pullAll = () => this.pullAll()
    return Effect.gen(function* () {
      yield* link.reachability.back
      const listening = yield* link.ask(listen(hints.hear))
      pullAll()
      // A connection that was forgotten on its way says nothing for ever, so none outlives an outage.
      yield* Effect.raceFirst(listening, link.reachability.lost)
    }).pipe(
      Effect.scoped,
      // The poll finds out whether it is only the feed that is gone.
      Effect.catch((error) =>
        Effect.sync(() => {
          link.reachability.noted(error.message)
          this.pollAt = 0
          replicas.wakeUp()
        })
      ),
      Effect.andThen(Effect.flatMap(Random.next, (random) => Effect.sleep(pollEvery * (0.25 + random / 2))))
    )
  }

  private get sweep(): Effect.Effect<void> {
    const { link, replicas, table } = this
    const { keepFor, sweepEvery } = this.options
    return Effect.gen(function* () {
      const random = yield* Random.next
      yield* Effect.sleep(sweepEvery * (0.5 + random))
      if (link.isAway) return
      for (;;) {
        const removed = yield* link.ask(
          table.sweep({ used: replicas.resourceKeys, idleMillis: keepFor, limit: sweepLimit })
        )
        if (removed < sweepLimit) return
        yield* Effect.sleep(1000)
      }
    }).pipe(Effect.catch((error) => Effect.sync(() => link.reachability.noted(error.message))))
  }

  /** A mistake in a table, or in what hears of changes, must not end the keeping in step. */
  private forever(loop: Effect.Effect<unknown>): Effect.Effect<never> {
    return loop.pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.andThen(
              this.log.defect("Circuit store met a defect and continues", cause),
              Effect.sleep(this.options.pollEvery)
            )
      ),
      Effect.forever
    )
  }
}
