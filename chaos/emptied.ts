/**
 * Case of a store that loses its rows and continues.
 */
import { Effect } from "effect"
import * as Fleet from "../fleet/fleet.ts"
import type { Claims } from "./claims.ts"
import * as Rig from "./rig.ts"

/** All rows are read again with every twelfth poll, which come with a jitter of a quarter. */
const noticedMillis = 13 * Rig.pollEvery * 1.25

/**
 * Runs the case.
 */
export const run = (rig: Rig.Rig, claims: Claims) =>
  Effect.gen(function* () {
    const [one, two] = [rig.worker(0), rig.worker(1)]
    const before = yield* rig.measure(rig.workers, Effect.sleep(1500))
    rig.undisturbed(
      claims,
      "while rows are lost",
      before,
      yield* rig.measure(rig.workers, Effect.andThen(rig.server.empty, Effect.sleep(1500)))
    )
    yield* rig.trip(one)
    yield* rig.converges(claims, "a trip after that reaches all", "Open")
    yield* rig.calm

    yield* one.holdOpen({ by: "chaos" })
    yield* rig.converges(claims, "a hold is there", "HeldOpen")
    yield* rig.server.empty
    const from = Fleet.wallMillis()
    const refused = yield* rig.measure(
      rig.workers,
      Effect.gen(function* () {
        while ((yield* rig.server.rows) === 0 && Fleet.wallMillis() - from < 2 * noticedMillis) yield* Effect.sleep(100)
      })
    )
    claims.atMost("a row that was lost is written again", Fleet.wallMillis() - from, noticedMillis, " ms")
    claims.add(
      "the hold holds meanwhile",
      refused.calls.ok === 0,
      `${refused.calls.ok} of ${refused.calls.calls} let through`
    )
    yield* two.release
    yield* rig.converges(claims, "a release after that reaches all", "Closed")
    yield* rig.calm
    yield* rig.leaks(claims)
  })
