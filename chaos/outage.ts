/**
 * Case of a fault that hits all workers: three times the store is away, while
 * the upstream works, while it is dead, and while an operator holds the circuit.
 */
import { Effect } from "effect"
import * as Fleet from "../fleet/fleet.ts"
import type { Claims } from "./claims.ts"
import type { Fault } from "./faults.ts"
import * as Rig from "./rig.ts"

/**
 * Runs the case.
 */
export const run = (rig: Rig.Rig, fault: Fault, claims: Claims) =>
  Effect.gen(function* () {
    const { fleet, upstream, workers } = rig
    const [one, two, three] = [rig.worker(0), rig.worker(1), rig.worker(2)]
    const others = [two, three]

    // The upstream works. Then one process trips, and nobody else can know.
    const before = yield* rig.measure(workers, Effect.sleep(1500))
    const during = yield* rig.measure(workers, Effect.andThen(fault.begin, Effect.sleep(2500)))
    rig.undisturbed(claims, "while the upstream works", before, during)
    if (fault.isolates) {
      claims.add(
        "the fault is noticed",
        workers.every((w) => !w.store().reachable),
        "by all"
      )
    }
    const apart = yield* rig.measure(others, rig.trip(one))
    claims.add("a process trips alone", one.state()._tag === "Open", one.state()._tag)
    if (fault.isolates) {
      claims.add("others go on", apart.calls.refused === 0, `${apart.calls.refused} refused`)
    }
    yield* fault.end
    yield* rig.converges(claims, "a trip made during the fault reaches all", "Open")
    yield* rig.calm

    // The upstream dies, and recovers.
    yield* fault.begin
    yield* Effect.sleep(500)
    let reached = 0
    const refusing = yield* rig.measure(
      workers,
      Effect.gen(function* () {
        const hits = upstream.count()
        yield* upstream.become("fails")
        yield* fleet.untilAll("Open", "3 seconds").pipe(
          Effect.match({
            onFailure: ({ message }) => claims.add("each process trips alone", false, message),
            onSuccess: () => claims.add("each process trips alone", true, "all")
          })
        )
        yield* Effect.sleep(1000)
        reached = upstream.count() - hits
      })
    )
    // Calls that were under way when the circuit opened count too: as many as begin while the slowest one lasts.
    const underWay = Math.ceil((Rig.rate * Math.max(...refusing.control.latencies)) / 1000)
    claims.atMost("hits of a dead upstream are bounded", reached, workers.length * (Rig.trips + 2 + 2 * underWay))
    claims.atMost(
      "no refusal waits: p99",
      Fleet.percentile(refusing.calls.refusals, 0.99) ?? Number.NaN,
      1.5 * (Fleet.percentile(before.calls.latencies, 0.99) ?? 0) + 2,
      " ms"
    )
    yield* upstream.become("works")
    yield* fleet.until(
      "all recover",
      () => workers.every((worker) => worker.state()._tag === "Closed"),
      Rig.openMillis + 3000
    )
    yield* fault.end
    yield* rig.converges(claims, "a recovery made during the fault is one for all", "Closed")
    yield* rig.calm

    // An operator holds the circuit.
    yield* fault.begin
    yield* Effect.sleep(400)
    yield* two.holdOpen({ by: "chaos" })
    claims.add("a hold works alone", two.state()._tag === "HeldOpen", two.state()._tag)
    yield* fault.end
    yield* rig.converges(claims, "a hold made during the fault reaches all", "HeldOpen")
    yield* three.release
    yield* rig.converges(claims, "a release after it reaches all", "Closed")
    yield* rig.calm
    yield* rig.leaks(claims)
  })
