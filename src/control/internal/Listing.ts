/**
 * Circuits of the registry as the control plane shows them.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import type * as Breaker from "../../breaker/internal/Breaker.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import * as CircuitStatus from "../../breaker/internal/CircuitStatus.ts"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as Text from "../../core/internal/Text.ts"
import type * as ControlApi from "../ControlApi.ts"
import type * as Activity from "./Activity.ts"

export type Chosen = readonly [breaker: Breaker.Breaker, circuit: Circuit.Circuit]

/**
 * Circuits of the registry.
 */
export class Listing {
  private readonly registry: CircuitBreakers.CircuitBreakers["Service"]
  private readonly details: boolean
  private readonly latencies: Activity.Latencies
  private readonly messages = new WeakMap<Cause.Cause<unknown>, string>()

  constructor(registry: CircuitBreakers.CircuitBreakers["Service"], details: boolean, latencies: Activity.Latencies) {
    this.registry = registry
    this.details = details
    this.latencies = latencies
  }

  /**
   * Returns at most `limit` circuits and the number of all: the breakers' own,
   * then those of keys that are not closed, then the closed ones.
   *
   * There may be many thousand keys, so nothing is copied or made of those that
   * are not returned. All readers share a list, which is taken now and then.
   */
  choose(limit: number): { readonly chosen: ReadonlyArray<Chosen>; readonly total: number } {
    const own: Array<Chosen> = []
    const troubled: Array<Chosen> = []
    const closed: Array<Chosen> = []
    let total = 0
    for (const { breaker } of this.registry.entries.values()) {
      total++
      if (own.length < limit) own.push([breaker, breaker.main])
      if (breaker.keyed === undefined) continue
      total += breaker.keyed.size
      for (const circuit of breaker.keyed.values()) {
        const list = circuit.current._tag === "Closed" ? closed : troubled
        if (list.length < limit) list.push([breaker, circuit])
      }
    }
    return { chosen: [...own, ...troubled, ...closed].slice(0, limit), total }
  }

  /** Returns a circuit as it is at `now`. */
  show(breaker: Breaker.Breaker, circuit: Circuit.Circuit, now: number): ControlApi.Circuit {
    // A hold on the breaker also holds its keys.
    const state = CircuitState.isHeld(breaker.main.current) ? breaker.main.current : circuit.current
    const status = CircuitStatus.make(circuit, state, now)
    const { key, lastFailure } = status
    const shown = this.shown(state)
    const latency = this.latencies.of(circuit)
    const retryAfter = status.retryAfter === undefined ? 0 : Duration.toMillis(status.retryAfter)
    return {
      name: status.name,
      ...(key === undefined ? undefined : { key }),
      state: shown,
      dryRun: status.dryRun,
      counts: status.counts,
      inFlight: status.inFlight,
      windows: status.windows,
      recent: status.recent,
      ...(lastFailure === undefined
        ? undefined
        : {
            lastFailure: {
              at: lastFailure.at,
              ...(this.details ? { message: this.message(lastFailure.cause) } : undefined)
            }
          }),
      ...(retryAfter > 0 ? { retryAt: now + retryAfter } : undefined),
      ...(latency === undefined ? undefined : { latency })
    }
  }

  /** Returns a state as readers see it: what errors say is for those who may read details. */
  shown(state: CircuitState.CircuitState): CircuitState.CircuitState {
    return this.details || !("cause" in state) ? state : { ...state, cause: undefined }
  }

  private message(cause: Cause.Cause<unknown>): string {
    let text = this.messages.get(cause)
    if (text === undefined) this.messages.set(cause, (text = Text.summary(cause)))
    return text
  }
}
