/**
 * Case of one worker that is cut off, while the others reach the store.
 */
import { Effect } from "effect"
import type { Claims } from "./claims.ts"
import * as Rig from "./rig.ts"

/**
 * Runs the case.
 */
export const run = (rig: Rig.Rig, claims: Claims) =>
  Effect.gen(function* () {
    const { fleet, workers } = rig
    const [one, two, three] = [rig.worker(0), rig.worker(1), rig.worker(2)]
    const others = [two, three]
    const proxy = rig.proxies[0]
    const cut = Effect.andThen(
      proxy === undefined ? Effect.void : proxy.become({ _tag: "Silent" }),
      fleet.until("the cut is noticed", () => !one.store().reachable)
    )
    const heal = proxy === undefined ? Effect.void : proxy.become({ _tag: "Passes" })

    yield* cut
    yield* rig.trip(two)
    yield* rig.converges(claims, "a trip of the others is one for them", "Open", others)
    claims.add("who is cut off continues", one.state()._tag === "Closed", one.state()._tag)
    yield* heal
    yield* rig.converges(claims, "a trip of the others reaches who was cut off", "Open")
    yield* rig.calm

    yield* cut
    yield* rig.trip(one)
    claims.add(
      "the others go on",
      others.every((w) => w.state()._tag === "Closed"),
      two.state()._tag
    )
    yield* heal
    yield* rig.converges(claims, "a trip of who was cut off reaches the others", "Open")
    yield* rig.calm

    yield* cut
    yield* two.holdOpen({ by: "chaos" })
    yield* rig.converges(claims, "a hold of the others is one for them", "HeldOpen", others)
    yield* heal
    yield* rig.converges(claims, "a hold of the others reaches who was cut off", "HeldOpen")
    yield* one.release
    yield* rig.calm

    yield* cut
    yield* one.holdOpen({ by: "chaos" })
    yield* heal
    yield* rig.converges(claims, "a hold of who was cut off reaches the others", "HeldOpen")
    yield* three.release
    yield* rig.calm

    // All are open, and one side recovers while the other makes no calls.
    for (const side of [others, [one]]) {
      const rest = workers.filter((worker) => !side.includes(worker))
      yield* rig.trip(two)
      yield* fleet.untilAll("Open")
      yield* cut
      for (const worker of rest) yield* worker.setRate(0)
      yield* fleet.until(
        "one side recovers",
        () => side.every((w) => w.state()._tag === "Closed"),
        Rig.openMillis + 3000
      )
      claims.add(
        "the other side waits",
        rest.every((w) => w.state()._tag === "Open"),
        rest[0]?.state()._tag ?? ""
      )
      yield* heal
      yield* rig.converges(
        claims,
        `a recovery of ${side.length > 1 ? "the others reaches who was cut off" : "who was cut off reaches the others"}`,
        "Closed"
      )
      yield* rig.calm
    }
    yield* rig.leaks(claims)
  })
