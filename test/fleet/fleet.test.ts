import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Fleet from "../../fleet/fleet.ts"
import type { Changed } from "../../fleet/messages.ts"
import * as Print from "../../fleet/print.ts"
import { paint } from "../../demo/report.ts"
import * as Upstream from "../../fleet/upstream.ts"
import type { CircuitState } from "../../src/index.ts"

const hit = (at: number, state = "HalfOpen", since = 0): Upstream.Hit => ({
  at,
  worker: "w1",
  state,
  since,
  mode: "fails",
  inFlight: 1
})

const closed: CircuitState.CircuitState = { _tag: "Closed", generation: 0, since: 0, openings: 0, openMillis: 0 }
const open = (since: number): CircuitState.CircuitState => ({
  _tag: "Open",
  generation: 1,
  since,
  openings: 1,
  openMillis: 500,
  reason: "3 consecutive failures"
})
const changed = (worker: string, at: number, to: CircuitState.CircuitState): Changed & { readonly worker: string } => ({
  _tag: "Changed",
  worker,
  at,
  from: to._tag === "Open" ? closed : open(0),
  to
})

const plain = paint(false)

describe("what a fleet is measured by", () => {
  it("counts the most requests within a time, its end not included", () => {
    const hits = [0, 10, 19, 20, 50].map((at) => hit(at))
    assert.deepStrictEqual(
      [1, 10, 11, 20, 51].map((millis) => Upstream.mostWithin(hits, millis)),
      [1, 2, 3, 3, 5]
    )
    assert.strictEqual(Upstream.mostWithin([], 10), 0)
  })

  it("knows half-open episodes by when they began, and leaves out what was no probe", () => {
    const hits = [hit(1, "HalfOpen", 1000), hit(2, "Closed", 0), hit(3, "HalfOpen", 1004), hit(4, "HalfOpen", 1400)]
    assert.deepStrictEqual(
      Upstream.episodes(hits, 100).map(([since, probes]) => [since, probes.map(({ at }) => at)]),
      [
        [1000, [1, 3]],
        [1400, [4]]
      ]
    )
  })

  it("takes the first time that each worker came to a state, from a time on", () => {
    const changes = [
      changed("w1", 1, open(1)),
      changed("w1", 10, open(10)),
      changed("w2", 14, open(10)),
      changed("w3", 15, closed),
      changed("w1", 90, open(90))
    ]
    assert.deepStrictEqual(Fleet.spread(changes, "Open", 5), { first: 10, last: 14, millis: 4, workers: 2 })
  })

  it("sums what became of calls", () => {
    const store = { shared: true, reachable: true, since: 0, pending: 0, operations: 0, errors: 0 }
    const interval = { _tag: "Interval" as const, at: 0, inFlight: 0, state: closed, store }
    const sum = Fleet.totals([
      { ...interval, ok: [1, 2], failed: [], refused: [] },
      { ...interval, ok: [], failed: [30], refused: [0.1] }
    ])
    assert.deepStrictEqual(sum, { calls: 4, ok: 2, failed: 1, refused: 1, latencies: [1, 2, 30], refusals: [0.1] })
    assert.strictEqual(Fleet.percentile(sum.latencies, 0.5), 2)
    assert.strictEqual(Fleet.percentile([], 0.5), undefined)
  })
})

describe("what the demo of the fleet prints", () => {
  it("makes one change of what each worker says of it", () => {
    const changes = [changed("w2", 100, open(98)), changed("w1", 103, open(99)), changed("w1", 700, open(690))]
    const [first, second, ...more] = Print.fleetChanges(changes, 200)
    assert.lengthOf(more, 0)
    assert.deepStrictEqual(
      [first, second].map((each) => each && Print.change(plain, 0, each)),
      [
        "   0.1  Closed -> Open  w2 first, 2 workers within 3.0 ms: 3 consecutive failures",
        "   0.7  Closed -> Open  w1: 3 consecutive failures"
      ]
    )
  })

  it("has a row under its head", () => {
    const row = { phase: "fails", calls: 50, ok: 1, failed: 2, refused: 47, hits: 3 }
    assert.deepStrictEqual(
      [Print.head(plain, ["w1", "w2", "w3"]), Print.row(plain, 2540, { ...row, states: ["Open", "dead", undefined] })],
      [
        "  time  phase         calls    ok  failed  refused  hits  w1      w2      w3",
        "   2.5  fails            50     1       2       47     3  OPEN    dead"
      ]
    )
  })
})

describe("a fleet", () => {
  const options = { store: { url: "local" }, workers: 2, rate: 20, callTimeout: 10_000 }

  it.live(
    "calls the upstream, tells what became of it, and ends with its scope",
    () =>
      Effect.gen(function* () {
        const upstream = yield* Upstream.make()
        const scope = yield* Scope.make()
        const fleet = yield* Fleet.make({ ...options, upstream: upstream.url }).pipe(Scope.provide(scope))
        const ok = (worker: Fleet.Worker) => Fleet.totals(worker.intervals()).ok
        yield* fleet.until("both call", () => fleet.workers().every((worker) => ok(worker) >= 3))
        assert.sameMembers([...new Set(upstream.hits().map(({ worker }) => worker))], ["w1", "w2"])
        const [a, b] = fleet.workers()
        yield* a!.fails(5)
        yield* fleet.until("one is open", () => a!.state()._tag === "Open")
        assert.deepStrictEqual(yield* a!.works(2), ["refused", "refused"])
        assert.deepStrictEqual(yield* b!.works(), ["ok"])
        yield* b!.stop
        assert.deepStrictEqual(
          [a!.isAlive(), b!.isAlive(), fleet.workers().length, fleet.everyone().length],
          [true, false, 1, 2]
        )
        assert.strictEqual((yield* Effect.flip(b!.works())).message, "Call: w2 ended: exit code 0")
        yield* Scope.close(scope, Exit.void)
        assert.isFalse(a!.isAlive())
      }),
    120_000
  )

  it.live(
    "waits no longer than it is told, and not at all for a worker that is lost",
    () =>
      Effect.gen(function* () {
        const fleet = yield* Fleet.make({ ...options, upstream: "http://127.0.0.1:9", rate: 0 })
        const late = yield* Effect.flip(fleet.until("all open", () => false, "50 millis"))
        assert.strictEqual(late.message, "all open: not within 50ms; w1 Closed, w2 Closed")
        process.kill(fleet.workers()[0]!.pid, "SIGKILL")
        const lost = yield* Effect.flip(fleet.until("all open", () => false))
        assert.match(lost.message, /^all open: lost w1 ended: SIGKILL/)
      }),
    120_000
  )
})
