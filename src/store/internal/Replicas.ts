/**
 * The circuits of a store, each with the view that its calls read, and the work
 * that their rows still need.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import * as Text from "../../core/internal/Text.ts"
import type * as CircuitStore from "../CircuitStore.ts"
import type * as CircuitTable from "../CircuitTable.ts"
import * as CircuitReplica from "./CircuitReplica.ts"
import type { StoreLog } from "./StoreLog.ts"
import type { TableLink } from "./TableLink.ts"
import { Trouble } from "./Trouble.ts"

export interface Replica extends CircuitReplica.Replica {
  /** Held by the operation that will write the view. */
  readonly lock: Semaphore.Semaphore
  /** Tells its writes from those of all others, of this process or another. */
  readonly session: string
}

export class Replicas {
  /** Those whose rows have to be read. */
  readonly toPull = new Set<Replica>()
  /** Those whose views have to be written. */
  readonly toPush = new Set<Replica>()
  /** Changes that nobody was told of yet. */
  readonly reports: Array<Effect.Effect<void>> = []
  /** Holds something once there is work. */
  readonly wake: Queue.Queue<void>
  private readonly attached = new Map<string, Set<Replica>>()
  private readonly known = new WeakMap<CircuitStore.Cell, Replica>()
  private readonly unreadable = new Trouble()
  private readonly contended = new Trouble()
  private made = 0
  private readonly link: TableLink
  private readonly log: StoreLog
  private readonly session: string

  /** `session` tells the writes of this store from those of all others. */
  constructor(link: TableLink, log: StoreLog, session: string, wake: Queue.Queue<void>) {
    this.link = link
    this.log = log
    this.session = session
    this.wake = wake
  }

  /** Replicas of the circuits that are attached. */
  get all(): ReadonlyArray<Replica> {
    return [...this.attached.values()].flatMap((some) => [...some])
  }

  get resourceKeys(): ReadonlyArray<string> {
    return [...this.attached.keys()]
  }

  /** Returns the replicas of a row. */
  at(resourceKey: string): Iterable<Replica> {
    return this.attached.get(resourceKey) ?? []
  }

  /** Returns the replica of a circuit, which stays the same while there is the circuit. */
  of(cell: CircuitStore.Cell): Replica {
    let replica = this.known.get(cell)
    if (replica === undefined) {
      replica = {
        ...CircuitReplica.make(cell),
        lock: Semaphore.makeUnsafe(1),
        session: `${this.session}-${this.made++}`
      }
      this.known.set(cell, replica)
    }
    return replica
  }

  /** Begins to keep a circuit in step. `row` is its row where it is known. */
  attach(replica: Replica, row: CircuitTable.Row | undefined): void {
    const some = this.attached.get(replica.resourceKey)
    if (some === undefined) this.attached.set(replica.resourceKey, new Set([replica]))
    else some.add(replica)
    if (row !== undefined) this.reports.push(this.applyRow(replica, row))
    this.needsPull(replica)
  }

  detach(replica: Replica): void {
    this.toPull.delete(replica)
    const some = this.attached.get(replica.resourceKey)
    some?.delete(replica)
    if (some?.size === 0) this.attached.delete(replica.resourceKey)
  }

  needsPull(replica: Replica): void {
    this.toPull.add(replica)
    this.wakeUp()
  }

  needsPush(replica: Replica): void {
    this.toPush.add(replica)
    this.wakeUp()
  }

  wakeUp(): void {
    Queue.offerUnsafe(this.wake, undefined)
  }

  /** Applies a step to the view, without asking. */
  locally<A>(replica: Replica, now: number, step: CircuitStore.Step<A>): CircuitStore.Applied<A> {
    const applied = CircuitReplica.step(replica, now, step)
    if (applied.after !== applied.before && replica.dirty) this.needsPush(replica)
    return applied
  }

  /** Applies a step to the view at the time that it is by now. */
  locallyNow<A>(replica: Replica, step: CircuitStore.Step<A>): Effect.Effect<CircuitStore.Applied<A>> {
    return Effect.map(Clock.currentTimeMillis, (now) => this.locally(replica, now, step))
  }

  /** Makes a row the view of a replica. Returns the effect that reports it. */
  adopt(replica: Replica, row: CircuitTable.Row): Effect.Effect<void> {
    const { after, before, isReadable } = CircuitReplica.adopt(replica, row, this.link.offset)
    this.toPush.delete(replica)
    const changed = after === before ? Effect.void : replica.cell.changed(before, after)
    if (isReadable) {
      this.unreadable.ends(replica.resourceKey)
      return changed
    }
    if (!this.unreadable.begins(replica.resourceKey)) return changed
    const malformed = `Circuit store has a row that cannot be read, it counts as closed: ${Text.quoted(replica.resourceKey)}`
    return Effect.andThen(this.log.warning(malformed), changed)
  }

  /** Notes that a row has the view. */
  written(replica: Replica, version: number): void {
    CircuitReplica.written(replica, version)
    this.unreadable.ends(replica.resourceKey)
    this.contended.ends(replica.resourceKey)
  }

  /** Reports that a row had another version at each try to write it. That is trouble of its circuit, not of the table. */
  lost(replica: Replica, tries: number): Effect.Effect<void> {
    if (!this.contended.begins(replica.resourceKey)) return Effect.void
    const lost = `Circuit store found another version of a row at each of ${tries} writes, its circuit continues alone`
    return this.log.warning(`${lost}: ${Text.quoted(replica.resourceKey)}`)
  }

  /** Makes a row the view, unless this process knows more. Returns whether the view is that of the row. */
  follow(replica: Replica, row: CircuitTable.Row): Effect.Effect<boolean> {
    if (row.version === replica.version) return Effect.succeed(true)
    if (CircuitReplica.knowsMore(replica, row)) {
      replica.dirty = true
      return Effect.succeed(false)
    }
    return Effect.as(this.adopt(replica, row), true)
  }

  /** Applies a row that was read to the view, if it is newer. `moves` is the number of moves when the row was asked for. */
  applyRow(replica: Replica, row: CircuitTable.Row, moves?: number): Effect.Effect<void> {
    switch (CircuitReplica.receive(replica, row, moves)) {
      case "nothing":
        return Effect.void
      case "adopt":
        return this.adopt(replica, row)
      case "reconcile":
        this.needsPush(replica)
        return Effect.void
    }
  }

  /** Runs an operation that will write the view, one at a time. */
  exclusively<A, E>(replica: Replica, operation: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Semaphore.withPermit(
      replica.lock,
      Effect.onExit(
        Effect.suspend(() => {
          replica.busy = true
          return operation
        }),
        () => {
          replica.busy = false
          const { received } = replica
          replica.received = undefined
          return received === undefined ? Effect.void : this.applyRow(replica, received)
        }
      )
    )
  }
}
