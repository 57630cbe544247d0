/**
 * Case of workers that start and end while the store is away.
 */
import { Effect } from "effect"
import * as Fleet from "../fleet/fleet.ts"
import type { Claims } from "./claims.ts"
import type { Fault } from "./faults.ts"
import type * as Rig from "./rig.ts"

/**
 * Runs the case.
 */
export const run = (rig: Rig.Rig, fault: Fault, claims: Claims) =>
  Effect.gen(function* () {
    const [one] = [rig.worker(0)]

    yield* fault.begin
    yield* Effect.sleep(500)
    const from = Fleet.wallMillis()
    const late = yield* rig.late
    claims.atMost("a process starts without the store", late.startedAt() - from, 10_000, " ms")
    claims.add("its circuit begins closed", late.state()._tag === "Closed", late.state()._tag)
    const { calls } = yield* rig.measure([late], Effect.sleep(1000))
    claims.add("its calls work", calls.ok > 0 && calls.failed + calls.refused === 0, `${calls.ok} of ${calls.calls}`)
    yield* rig.trip(late)
    claims.add("it trips alone", late.state()._tag === "Open", late.state()._tag)
    yield* fault.end
    yield* rig.converges(claims, "its trip reaches all", "Open")
    yield* ends(late, claims, "while the store is there")
    yield* rig.calm

    yield* one.holdOpen({ by: "chaos" })
    yield* rig.converges(claims, "a hold is there", "HeldOpen")
    yield* fault.begin
    const second = yield* rig.late
    claims.add("a hold is not known without the store", second.state()._tag === "Closed", second.state()._tag)
    yield* fault.end
    yield* rig.converges(claims, "a process that started without the store learns of a hold", "HeldOpen")
    yield* one.release
    yield* rig.converges(claims, "and of its release", "Closed")
    yield* fault.begin
    yield* Effect.sleep(500)
    yield* ends(second, claims, "while the store is away")
    yield* fault.end
    yield* rig.calm
    yield* rig.leaks(claims)
  })

/** Claims that a process ends by itself when it is told to. */
const ends = (worker: Fleet.Worker, claims: Claims, when: string) =>
  Effect.gen(function* () {
    const from = Fleet.wallMillis()
    yield* worker.stop
    // After 5 seconds it is killed.
    claims.atMost(`a process ends ${when}`, Fleet.wallMillis() - from, 4000, " ms")
  })
