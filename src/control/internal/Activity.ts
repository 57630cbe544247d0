/**
 * Rates of circuits over the last minutes, and latencies of their latest calls.
 *
 * **Details**
 *
 * - Rates come from the counts of the circuits, which are read once a period. They
 *   cost calls nothing.
 * - Latencies are measured only while a client is connected.
 */
import { constVoid } from "effect/Function"
import type * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import * as CallObservers from "../../breaker/internal/CallObservers.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import type * as ControlApi from "../ControlApi.ts"

/**
 * Number of periods for which rates are kept.
 */
export const periods = 60

/**
 * Number of calls of a circuit from which its latency is computed.
 */
export const latestCalls = 100

interface Counts {
  readonly successes: number
  readonly failures: number
  readonly refused: number
}

interface Track {
  readonly counted: Counts
  /** Counts of each period, the newest last. */
  readonly past: ReadonlyArray<Counts>
}

const nothing: Counts = { successes: 0, failures: 0, refused: 0 }

const countsOf = ({ successes, tally }: Circuit.Circuit): Counts => ({
  successes,
  failures: tally?.failures ?? 0,
  refused: tally?.refused ?? 0
})

export class Rates {
  private readonly everyMillis: number
  private tracks: ReadonlyMap<Circuit.Circuit, Track>
  private at: number
  private sampled = 0

  constructor(everyMillis: number, circuits: ReadonlyArray<Circuit.Circuit>, now: number) {
    this.everyMillis = everyMillis
    this.at = now
    this.tracks = new Map(circuits.map((circuit) => [circuit, { counted: countsOf(circuit), past: [] }]))
  }

  /**
   * Ends a period. `areAll` means that no circuit is left out, so that one that was
   * not there before is new.
   */
  sample(circuits: ReadonlyArray<Circuit.Circuit>, areAll: boolean, now: number): void {
    this.tracks = new Map(
      circuits.map((circuit) => {
        const counted = countsOf(circuit)
        const { counted: before, past } = this.tracks.get(circuit) ?? { counted: areAll ? nothing : counted, past: [] }
        const period = {
          successes: counted.successes - before.successes,
          failures: counted.failures - before.failures,
          refused: counted.refused - before.refused
        }
        return [circuit, { counted, past: [...past.slice(1 - periods), period] }]
      })
    )
    this.at = now
    this.sampled = Math.min(periods, this.sampled + 1)
  }

  /** Returns the counts of the last period. */
  latest(): ControlApi.Activity {
    return this.activity(Math.min(1, this.sampled))
  }

  /** Returns the counts of all periods. */
  all(): ControlApi.Activity {
    return this.activity(this.sampled)
  }

  private activity(count: number): ControlApi.Activity {
    const circuits = Array.from(this.tracks).flatMap(([{ breaker, key }, { past }]) => {
      const shown = count === 0 ? [] : past.slice(-count)
      if (shown.every(({ failures, refused, successes }) => successes + failures + refused === 0)) return []
      return {
        name: breaker.name,
        ...(key === undefined ? undefined : { key }),
        successes: shown.map(({ successes }) => successes),
        failures: shown.map(({ failures }) => failures),
        refused: shown.map(({ refused }) => refused)
      }
    })
    return { at: this.at, everyMillis: this.everyMillis, periods: count, circuits }
  }
}

interface Ring {
  readonly millis: Float64Array
  count: number
  /** Latency when `count` was `computedFor`. */
  computed: ControlApi.Latency | undefined
  computedFor: number
}

export class Latencies {
  private readonly registry: CircuitBreakers.CircuitBreakers["Service"]
  private rings = new WeakMap<Circuit.Circuit, Ring>()
  private unfollow: (() => void) | undefined

  constructor(registry: CircuitBreakers.CircuitBreakers["Service"]) {
    this.registry = registry
  }

  start(): void {
    this.unfollow ??= CallObservers.follow(this.registry, (breaker) =>
      CallObservers.observe(breaker, this.observer, true)
    )
  }

  /** Stops measuring, and discards the measurements. */
  stop(): void {
    this.unfollow?.()
    this.unfollow = undefined
    this.rings = new WeakMap()
  }

  /** Returns the latencies of a circuit, if a call ended since measuring began. */
  of(circuit: Circuit.Circuit): ControlApi.Latency | undefined {
    const ring = this.rings.get(circuit)
    if (ring === undefined) return undefined
    if (ring.computedFor !== ring.count) {
      const sorted = ring.millis.slice(0, ring.count).sort()
      // Within the list, which is not empty.
      const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] as number
      ring.computed = { p50: at(0.5), p95: at(0.95), calls: sorted.length }
      ring.computedFor = ring.count
    }
    return ring.computed
  }

  private readonly observer: Circuit.CallObserver = {
    settled: (circuit, _outcome, millis) => {
      // A call that began before measuring, or a clock that was set back.
      if (!(millis >= 0)) return
      let ring = this.rings.get(circuit)
      if (ring === undefined) {
        ring = { millis: new Float64Array(latestCalls), count: 0, computed: undefined, computedFor: 0 }
        this.rings.set(circuit, ring)
      }
      ring.millis[ring.count++ % latestCalls] = millis
    },
    refused: constVoid,
    made: constVoid,
    forgot: constVoid
  }
}
