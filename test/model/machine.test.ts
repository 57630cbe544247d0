import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import type * as Window from "../../src/circuit/internal/Window.ts"
import type { Policy } from "./Model.ts"
import { tripPolicy } from "./policies.ts"
import { agrees } from "./run.ts"
import type { System } from "./run.ts"

interface Admission {
  readonly generation: number
  readonly permit: number
  readonly start: number
}

/** The pure core with as little around it as there can be: a cell of the local store, and one window a generation. */
const machine = (policy: Policy): Effect.Effect<System<Admission>> =>
  Effect.sync(() => {
    const trip = tripPolicy(policy.trip)
    const config: CircuitState.Config = {
      probes: policy.probes,
      needed: policy.needed,
      of: policy.of,
      leaseMillis: policy.leaseFor,
      paceMillis: policy.pace
    }
    const cell: CircuitStore.Cell = {
      name: "model",
      key: undefined,
      current: CircuitState.initial,
      changed: () => Effect.void
    }
    const windows = new Map<number, Window.Window>()
    let now = 0
    const apply = (event: CircuitState.Event) =>
      CircuitStore.local.update(cell, now, (state, at) => CircuitState.transition(state, event, at, config))
    const openMillis = (hint: number) => {
      const opening = CircuitState.nextOpening(cell.current, now)
      const lasts = policy.openFor[Math.min(opening, policy.openFor.length) - 1] as number
      return Math.min(policy.maxOpenFor, Math.max(lasts, hint))
    }
    const toWait = (retryAt: number | undefined) => (retryAt === undefined ? undefined : retryAt - now)
    return {
      admit: Effect.suspend(() =>
        Effect.map(apply({ _tag: "Admit" }), ({ answer }) => {
          if (answer._tag === "Admitted") {
            return {
              _tag: "Admitted",
              admission: { generation: answer.generation, permit: answer.permit, start: now }
            } as const
          }
          return { _tag: "Refused", wait: toWait(answer._tag === "Refused" ? answer.retryAt : 0) } as const
        })
      ),
      settle: ({ generation, permit, start }, outcome, hint) =>
        Effect.suspend(() => {
          const { current } = cell
          const lasts = openMillis(outcome === "Failure" ? hint : 0)
          if (permit > 0) {
            const slow = now - start >= TripPolicy.slowAfterMillis(trip)
            const said = slow ? "Failure" : outcome
            return apply({ _tag: "Settle", generation, permit, outcome: said, openMillis: lasts, reason: "probe" })
          }
          if (current._tag !== "Closed" || current.generation !== generation) {
            // The machine has to know by itself that it comes too late.
            return apply({ _tag: "Trip", generation, openMillis: lasts, reason: "late" })
          }
          const window = windows.get(generation) ?? TripPolicy.window(trip)
          windows.set(generation, window)
          const tripped = TripPolicy.record(trip, window, outcome, now - start, now)
          return tripped === undefined
            ? Effect.void
            : apply({ _tag: "Trip", generation, openMillis: lasts, ...tripped })
        }),
      wait: (millis) =>
        Effect.sync(() => {
          now += millis
        }),
      hold: (as, forMillis) => Effect.suspend(() => apply({ _tag: "Hold", as, forMillis })),
      release: Effect.suspend(() => apply({ _tag: "Release" })),
      reset: Effect.suspend(() => apply({ _tag: "Reset" })),
      view: Effect.sync(() => {
        const refusal = CircuitState.refusal(cell.current, now, config)
        return {
          mode: cell.current._tag,
          number: cell.current.generation,
          wait: refusal === undefined ? 0 : toWait(refusal.retryAt),
          counts: undefined
        }
      })
    }
  })

describe("the model and the machine", () => {
  it.effect("agree on 1000 random histories that reach every edge and every rule", () =>
    agrees(machine, { runs: 1000, dryRuns: false })
  )
})
