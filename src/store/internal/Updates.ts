/**
 * Updates of rows: a step reads the row, and writes it where its version is still
 * the same, else it begins again.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as CircuitState from "../../circuit/CircuitState.ts"
import type * as CircuitStore from "../CircuitStore.ts"
import type * as CircuitTable from "../CircuitTable.ts"
import * as CircuitReplica from "./CircuitReplica.ts"
import * as CircuitView from "./CircuitView.ts"
import type { Replica, Replicas } from "./Replicas.ts"
import { fromNow, type Left, type TableLink } from "./TableLink.ts"
import * as Tries from "./Tries.ts"

export class Updates {
  private readonly table: CircuitTable.CircuitTable
  private readonly link: TableLink
  private readonly replicas: Replicas
  private readonly instance: string
  private readonly details: boolean
  private readonly spread: number
  private readonly timeout: number

  /** `spread` and `timeout` are in milliseconds. */
  constructor(
    table: CircuitTable.CircuitTable,
    link: TableLink,
    replicas: Replicas,
    options: {
      readonly details: boolean
      readonly instance: string
      readonly spread: number
      readonly timeout: number
    }
  ) {
    this.table = table
    this.link = link
    this.replicas = replicas
    this.instance = options.instance
    this.details = options.details
    this.spread = options.spread
    this.timeout = options.timeout
  }

  /**
   * Reconciles the view and its row, where the view was changed locally or has no
   * row. Returns whether that is done: not where others write the row each time
   * before.
   */
  push(replica: Replica, left?: Left): Effect.Effect<boolean, CircuitTable.TableError> {
    const { link, replicas } = this
    const read = () => this.read(replica, left)
    const write = (after: CircuitState.CircuitState, row: CircuitTable.Row | undefined) =>
      this.write(replica, after, row, left)
    const once = Effect.gen(function* () {
      const { now, row } = yield* read()
      const mine = replica.cell.current
      if (!replica.dirty) return yield* row === undefined ? write(mine, undefined) : replicas.follow(replica, row)
      if (row !== undefined && !CircuitReplica.prevails(replica, row, now - link.offset, link.offset)) {
        yield* replicas.adopt(replica, row)
        return true
      }
      if (!(yield* write(mine, row))) return false
      // It may have changed again meanwhile.
      if (replica.cell.current === mine) replica.dirty = false
      return !replica.dirty
    })
    return Effect.gen({ self: this }, function* () {
      const tries = yield* Tries.start(this.timeout)
      while (!(yield* once)) {
        if (yield* tries.again) continue
        yield* replicas.lost(replica, tries.count)
        return false
      }
      return true
    })
  }

  /** Updates the row, unless that is not needed any more when it is this process's turn to ask. */
  update<A>(
    replica: Replica,
    step: CircuitStore.Step<A>
  ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> {
    // Its time begins with its turn: a queue in this process does not mean that the table is slow.
    const updated = this.replicas.exclusively(
      replica,
      Effect.clockWith((clock) => this.updateRow(replica, step, fromNow(clock)))
    )
    const { cell } = replica
    // It is the end of an open time that all processes wait for.
    if (cell.current._tag !== "Open" || this.spread === 0) return updated
    const turn = Effect.clockWith((clock) => {
      const before = cell.current
      const [after, answer] = step(before, clock.currentTimeMillisUnsafe())
      // A view that a message called old says nothing.
      return after === before && !replica.hinted ? Effect.succeed({ before, after, answer }) : updated
    })
    return Effect.andThen(
      Effect.flatMap(Random.next, (random) => Effect.sleep(random * this.spread)),
      turn
    )
  }

  private updateRow<A>(
    replica: Replica,
    step: CircuitStore.Step<A>,
    left: Left
  ): Effect.Effect<CircuitStore.Applied<A>, CircuitTable.TableError> {
    const { link, replicas } = this
    const read = () => this.read(replica, left)
    const push = () => this.push(replica, left)
    const write = (after: CircuitState.CircuitState, row: CircuitTable.Row | undefined, done: () => void) =>
      this.write(replica, after, row, left, done)
    const once = Effect.gen(function* () {
      const { cell } = replica
      if (link.isAway) return yield* replicas.locallyNow(replica, step)
      if (replica.dirty && !(yield* push())) return yield* replicas.locallyNow(replica, step)
      const { now, row } = yield* read()
      if (replica.dirty) return undefined
      if (row === undefined) CircuitReplica.hasNoRow(replica)
      else if (!(yield* replicas.follow(replica, row))) return undefined
      const before = cell.current
      const [after, answer] = step(before, now - link.offset)
      if (after === before) return { before, after, answer }
      const { version } = replica
      const was = link.offset
      // The view and its version move together, else an interruption between the two would lose the step.
      const done = () => {
        // An eager step came first: `push` reconciles both.
        if (replica.dirty) replica.version = version
        // The clock may have been learnt anew meanwhile.
        else cell.current = CircuitView.shift(after, was - link.offset, 0)
      }
      // Nobody knows whether a write that failed was done. The view has to move before a row is heard of that may
      // have the step already, else it would be applied to that one again.
      const written = yield* link.orAway(write(after, row, done), Effect.undefined).pipe(
        // The view does not have what was interrupted. A row that has it is as that of another process.
        Effect.onError(() => Effect.sync(() => void (replica.writing = undefined)))
      )
      if (written === undefined) return yield* replicas.locallyNow(replica, step)
      return written ? { before, after, answer } : undefined
    })
    return Effect.gen({ self: this }, function* () {
      // The last try needs time too: what lost so often is no sign that the table is away.
      const tries = yield* Tries.start(this.timeout / 2)
      for (;;) {
        const applied = yield* once
        if (applied !== undefined) return applied
        if (yield* tries.again) continue
        yield* replicas.lost(replica, tries.count)
        return yield* replicas.locallyNow(replica, step)
      }
    })
  }

  private read(replica: Replica, left?: Left) {
    return Effect.map(this.link.read(this.table.read([replica.resourceKey]), left), ({ now, rows }) => ({
      now,
      row: rows.find((row) => row.resourceKey === replica.resourceKey)
    }))
  }

  /** Writes the view `after` over a row, then does `done`. Returns whether that row was still there. */
  private write(
    replica: Replica,
    after: CircuitState.CircuitState,
    row: CircuitTable.Row | undefined,
    left?: Left,
    done: () => void = () => {}
  ): Effect.Effect<boolean, CircuitTable.TableError> {
    return Effect.suspend(() => {
      const { writing } = replica
      const { offset } = this.link
      const shared = this.details ? after : CircuitView.withoutCause(after)
      const draft = CircuitReplica.draft(replica, shared, { by: this.instance, session: replica.session, offset })
      return Effect.map(this.link.ask(this.table.write(draft, row?.version ?? 0), left), (version) => {
        if (version === undefined) {
          // This one was not done, and nobody knows of one before it.
          replica.writing = writing
          return false
        }
        this.replicas.written(replica, version)
        done()
        return true
      })
    })
  }
}
