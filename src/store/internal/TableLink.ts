/**
 * Link of a store to its table: bounds each operation in time, knows whether the
 * table answers, and learns its clock from what it answers.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Background from "../../core/internal/Background.ts"
import * as CircuitTable from "../CircuitTable.ts"
import * as ClockOffset from "./ClockOffset.ts"
import * as Reachability from "./Reachability.ts"
import type { StoreLog } from "./StoreLog.ts"

/**
 * Returns what is left of the time that several operations have together.
 */
export type Left = (clock: Clock.Clock, millis: number) => number

const whole: Left = (_, millis) => millis

/**
 * The time begins now, on a clock that nobody sets.
 */
export const fromNow = (clock: Clock.Clock): Left => {
  const began = clock.monotonicTimeNanosUnsafe()
  return (later, millis) => millis - Number(later.monotonicTimeNanosUnsafe() - began) / 1e6
}

/**
 * Called when the table is lost or back, and when its clock turns out to be
 * another.
 */
export interface Hooks {
  readonly onLost: () => void
  readonly onBack: () => void
  /** The times of views move by `millis`. */
  readonly onShift: (millis: number) => void
}

export class TableLink {
  readonly reachability: Reachability.Reachability
  /** Added to the process's clock to get the table's. */
  offset = 0
  private readonly timeout: number
  private readonly log: StoreLog
  private readonly hooks: Hooks

  /** `timeout` and `now` are in milliseconds. */
  constructor(timeout: number, now: number, log: StoreLog, hooks: Hooks) {
    this.reachability = new Reachability.Reachability(now)
    this.timeout = timeout
    this.log = log
    this.hooks = hooks
  }

  get isAway(): boolean {
    return this.reachability.isAway
  }

  /** Notes that the table is away where an operation fails, and runs `otherwise`. */
  orAway<A, B>(
    operation: Effect.Effect<A, CircuitTable.TableError>,
    otherwise: Effect.Effect<B>
  ): Effect.Effect<A | B> {
    return Effect.catch(operation, (error) => Effect.andThen(this.failed(error), otherwise))
  }

  /** Notes that the table answers. */
  get answered(): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      const gone = this.reachability.answered(clock.currentTimeMillisUnsafe())
      if (gone === undefined) return Effect.void
      this.hooks.onBack()
      return this.log.info(`Circuit store answers again, after ${Math.round(gone)} ms`)
    })
  }

  /** Asks the table, no longer than `timeout`, or than what is left of it. */
  ask<A, R>(
    operation: Effect.Effect<A, CircuitTable.TableError, R>,
    left: Left = whole
  ): Effect.Effect<A, CircuitTable.TableError, R> {
    return Effect.clockWith((clock) => {
      const millis = left(clock, this.timeout)
      if (millis <= 0) return this.noAnswer
      this.reachability.asked()
      return Effect.flatMap(
        Background.within(operation, millis),
        Option.match({ onNone: () => this.noAnswer, onSome: Effect.succeed })
      )
    })
  }

  /** Reads from the table, and compares its clock with the process's. */
  read(
    operation: Effect.Effect<CircuitTable.Read, CircuitTable.TableError>,
    left?: Left
  ): Effect.Effect<CircuitTable.Read, CircuitTable.TableError> {
    return Effect.clockWith((clock) => {
      const sent = clock.currentTimeMillisUnsafe()
      return Effect.map(this.ask(operation, left), (read) => {
        const { offset } = this
        const next = ClockOffset.learn(offset, {
          sent,
          answer: read.now,
          received: clock.currentTimeMillisUnsafe()
        })
        if (next !== offset) {
          this.hooks.onShift(offset - next)
          this.offset = next
        }
        return read
      })
    })
  }

  private failed(error: CircuitTable.TableError): Effect.Effect<void> {
    return Effect.clockWith((clock) => {
      if (!this.reachability.failed(error.message, clock.currentTimeMillisUnsafe())) return Effect.void
      this.hooks.onLost()
      return this.log.warning(`Circuit store does not answer, circuits continue alone: ${error.message}`)
    })
  }

  private get noAnswer(): Effect.Effect<never, CircuitTable.TableError> {
    return Effect.suspend(() =>
      Effect.fail(new CircuitTable.TableError({ message: `no answer within ${this.timeout} ms` }))
    )
  }
}
