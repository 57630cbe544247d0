/**
 * Hints that rows were written: which rows have to be read for them, and when.
 *
 * **Details**
 *
 * - Databases let others send messages who may not write. So a message changes
 *   nothing. It only names a row to read, where a circuit of this process has
 *   that row and does not know its version yet.
 * - Hints are gathered for some milliseconds, and what they name is read at once.
 *   What waits are keys of circuits, however many messages name them.
 * - Where a read finds nothing new, the next one gathers twice as long, up to the
 *   time between two polls: messages that are not true cost few reads. A read
 *   that finds something new, or a time without any, ends that.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as CircuitTable from "../CircuitTable.ts"
import * as CircuitReplica from "./CircuitReplica.ts"
import type { Replica, Replicas } from "./Replicas.ts"
import type { StoreLog } from "./StoreLog.ts"
import type { TableLink } from "./TableLink.ts"

/** How long hints are gathered, in milliseconds, where they are true. */
const gather = 5
/** Time without a senseless message after which the next one is new trouble, in milliseconds. */
const calm = 60_000

/** Reads the rows of replicas and applies them. Returns those that there are. */
export type ReadRows = (
  replicas: ReadonlyArray<Replica>
) => Effect.Effect<ReadonlyMap<string, CircuitTable.Row>, CircuitTable.TableError>

export class Hints {
  /** Rows to read, with the highest version that they are said to have. */
  private readonly waiting = new Map<string, number>()
  private readonly heard = Latch.makeUnsafe(false)
  private pause = 0
  /** When hints were last followed, on the clock that nobody sets. */
  private followedAt = Number.NEGATIVE_INFINITY
  /** Whether there were messages that no write sends, since that was last looked at. */
  private isLiedTo = false
  private liedToAt = Number.NEGATIVE_INFINITY
  private readonly link: TableLink
  private readonly replicas: Replicas
  private readonly log: StoreLog
  private readonly read: ReadRows
  private readonly pollEvery: number

  /** `pollEvery` is in milliseconds. */
  constructor(
    rooms: { readonly link: TableLink; readonly replicas: Replicas; readonly log: StoreLog; readonly read: ReadRows },
    pollEvery: number
  ) {
    this.link = rooms.link
    this.replicas = rooms.replicas
    this.log = rooms.log
    this.read = rooms.read
    this.pollEvery = pollEvery
  }

  /** Takes the hint of a message. */
  readonly hear = ({ resourceKey, version = Number.POSITIVE_INFINITY }: CircuitTable.Hint): void => {
    if (resourceKey === undefined) {
      this.isLiedTo = true
    } else {
      const some = this.lacking(resourceKey, version)
      if (some.length === 0) return
      for (const replica of some) replica.hinted = true
      this.waiting.set(resourceKey, Math.max(version, this.waiting.get(resourceKey) ?? 0))
    }
    this.heard.openUnsafe()
  }

  /** Follows what was heard, once there is something. */
  get follow(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.heard.await
      this.heard.closeUnsafe()
      yield* this.report
      if (this.waiting.size === 0) return
      yield* this.gathered
      const said = [...this.waiting]
      this.waiting.clear()
      // All rows are read when the table is back.
      if (!this.link.isAway) yield* this.link.orAway(this.readSome(said), Effect.void)
      for (const [resourceKey] of said) {
        // What was named again meanwhile is followed next.
        if (this.waiting.has(resourceKey)) continue
        for (const replica of this.replicas.at(resourceKey)) replica.hinted = false
      }
      this.followedAt = yield* Effect.clockWith((clock) => Effect.succeed(millisOf(clock)))
    })
  }

  private get gathered(): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      if (millisOf(clock) - this.followedAt >= this.pollEvery) this.pause = 0
      this.pause = Math.min(this.pollEvery, Math.max(gather, this.pause))
      return Effect.sleep(this.pause)
    })
  }

  private readSome(said: ReadonlyArray<readonly [string, number]>): Effect.Effect<void, CircuitTable.TableError> {
    return Effect.gen({ self: this }, function* () {
      // A poll may have read some of them meanwhile, and a write of this process may have ended.
      const some = said.flatMap(([resourceKey, version]) => this.lacking(resourceKey, version))
      if (some.length === 0) return
      const before = some.map(({ read, version }) => [read, version])
      const found = yield* this.read(some)
      const isNew = some.some(({ resourceKey }, i) => {
        const row = found.get(resourceKey)
        return row !== undefined && before[i]?.includes(row.version) === false
      })
      this.pause = isNew ? 0 : this.pause * 2
      if (said.some(([resourceKey, version]) => isAhead(version, found.get(resourceKey)))) {
        this.isLiedTo = true
        this.heard.openUnsafe()
      }
    })
  }

  private lacking(resourceKey: string, version: number): ReadonlyArray<Replica> {
    return [...this.replicas.at(resourceKey)].filter((replica) => CircuitReplica.lacks(replica, version))
  }

  /** Logs once that there are messages that no write sends, until there are none for a while. */
  private get report(): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      if (!this.isLiedTo) return Effect.void
      this.isLiedTo = false
      const now = millisOf(clock)
      const isKnown = now - this.liedToAt < calm + this.pollEvery
      this.liedToAt = now
      return isKnown
        ? Effect.void
        : this.log.warning(
            "Circuit store hears messages that no write sent, and follows none of them: somebody else sends on its channel"
          )
    })
  }
}

const millisOf = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** A row that is gone may have had any version. */
const isAhead = (said: number, row: CircuitTable.Row | undefined): boolean =>
  row !== undefined && Number.isFinite(said) && said > row.version
