// resilient-circuit SPEC 1: a peer that had not heard of the trip wrote its CLOSED over the OPEN of the others. Here every
// write is a step from the latest state, and a step of an older generation changes nothing.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"
import { openFleet } from "../suites/RowStore.ts"

const machine = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }

describe("resilient-circuit SPEC 1: a stale peer", () => {
  it.effect("that has not heard of the trip does not close the circuit, whatever its calls say", () =>
    Effect.gen(function* () {
      const { clients, drive, settle } = yield* openFleet(2, 10)
      const [store, stale] = clients as [CircuitStore.CircuitStore["Service"], CircuitStore.CircuitStore["Service"]]
      const own = new CircuitHistory.Cell()
      const peer = new CircuitHistory.Cell()
      store.attach(own)
      stale.attach(peer)
      yield* settle
      const apply = (to: typeof store, cell: CircuitStore.Cell, event: CircuitState.Event) =>
        to.update(cell, 0, (state, now) => CircuitState.transition(state, event, now, machine))
      const trip = { _tag: "Trip", generation: 0, openMillis: 60_000, reason: "down" } as const
      const { after: open } = yield* drive(apply(store, own, trip))
      assert.strictEqual(open._tag, "Open")
      assert.strictEqual(peer.current, CircuitState.initial)
      for (const event of [
        { ...trip, _tag: "Settle", permit: 0, outcome: "Success" },
        { ...trip, reason: "the peer's own" },
        { _tag: "Admit" },
        { _tag: "Release" }
      ] as const) {
        const { after, before } = yield* drive(apply(stale, peer, event))
        assert.deepStrictEqual(before, open)
        assert.deepStrictEqual(after, open)
      }
      yield* settle
      assert.deepStrictEqual(own.current, open)
      assert.deepStrictEqual(peer.current, open)
    })
  )

  it.effect("that read the row before the trip, and writes after it, has to begin again", () =>
    Effect.gen(function* () {
      const { clients, drive, settle } = yield* openFleet(2, 10)
      const [store, slow] = clients as [CircuitStore.CircuitStore["Service"], CircuitStore.CircuitStore["Service"]]
      const own = new CircuitHistory.Cell()
      const peer = new CircuitHistory.Cell()
      const steps: Array<CircuitState.CircuitState["_tag"]> = []
      // Both have read when the first one writes.
      const both = Effect.all(
        [
          store.update(own, 0, (state, now) =>
            CircuitState.transition(
              state,
              { _tag: "Trip", generation: 0, openMillis: 60_000, reason: "down" },
              now,
              machine
            )
          ),
          slow.update(peer, 0, (state) => {
            steps.push(state._tag)
            // Writes what it read, as a peer without versions would.
            return [{ ...state }, undefined]
          })
        ],
        { concurrency: 2 }
      )
      yield* drive(both)
      yield* settle
      assert.deepStrictEqual(steps, ["Closed", "Open"])
      assert.strictEqual(own.current._tag, "Open")
      assert.strictEqual(peer.current._tag, "Open")
    })
  )
})
