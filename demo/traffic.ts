/**
 * Steady traffic, and a tally of what became of it.
 */
import { Clock, Effect, Exit, FiberSet } from "effect"

/**
 * What became of the calls of some time.
 */
export interface Counts {
  readonly calls: number
  /** Answered by the upstream. */
  readonly ok: number
  /** Answered by the fallback. */
  readonly fallback: number
  /** Ended with an error. */
  readonly failed: number
  /** Attempts but the first. */
  readonly retries: number
  /** How long each call took, in milliseconds. */
  readonly latencies: ReadonlyArray<number>
}

/**
 * Tally of calls that have ended.
 */
export class Tally {
  private calls = 0
  private ok = 0
  private fallback = 0
  private failed = 0
  private retries = 0
  private readonly latencies: Array<number> = []

  readonly countRetry: Effect.Effect<void> = Effect.sync(() => {
    this.retries++
  })

  /** Runs a call and counts what became of it, by the source that served. */
  measured<E, R>(call: Effect.Effect<{ readonly source: string }, E, R>): Effect.Effect<void, never, R> {
    return Effect.clockWith((clock) => {
      const start = clock.monotonicTimeNanosUnsafe()
      return Effect.map(Effect.exit(call), (exit) => {
        this.calls++
        if (Exit.isFailure(exit)) this.failed++
        else if (exit.value.source === "upstream") this.ok++
        else this.fallback++
        this.latencies.push(Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6)
      })
    })
  }

  /** Returns what became of all calls, or of those after an earlier count. */
  counts(since?: Counts): Counts {
    return {
      calls: this.calls - (since?.calls ?? 0),
      ok: this.ok - (since?.ok ?? 0),
      fallback: this.fallback - (since?.fallback ?? 0),
      failed: this.failed - (since?.failed ?? 0),
      retries: this.retries - (since?.retries ?? 0),
      latencies: this.latencies.slice(since?.latencies.length ?? 0)
    }
  }
}

/**
 * Starts `send(0)`, `send(1)` and so on, one each `everyMillis`, whether the
 * ones before have ended or not, until it is interrupted. A late start is made
 * up for.
 */
export const steady = <E, R>(
  calls: FiberSet.FiberSet<void, E>,
  everyMillis: number,
  send: (n: number) => ReadonlyArray<Effect.Effect<void, E, R>>
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    for (let n = 0; ; n++) {
      const early = start + n * everyMillis - (yield* Clock.currentTimeMillis)
      if (early > 0) yield* Effect.sleep(early)
      for (const call of send(n)) yield* FiberSet.run(calls, call)
    }
  })
