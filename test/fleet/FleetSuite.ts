/**
 * What a fleet of real processes does that shares its circuits, whatever the
 * store.
 */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import * as Fleet from "../../fleet/fleet.ts"
import * as Upstream from "../../fleet/upstream.ts"

const openMillis = 300
// Longer than a machine may be busy: a prober that loses its lease lets another one in.
const leaseMillis = 6000
const holdMillis = 6000
const rate = 25
// What workers know of one state differs by less, and two half-open episodes begin further apart.
const apartMillis = 100
// Processes say when something was, and round it.
const roundMillis = 20
const trips = 3
// Nothing here is about what is slow, and a machine may be.
const callTimeout = 10_000
const storeTimeout = 10_000

/** A fleet with an upstream of its own. */
interface App {
  readonly fleet: Fleet.Fleet
  readonly upstream: Upstream.Upstream
}

type Failure = Fleet.FleetError | Upstream.UpstreamError

/** What a test does. */
type Body = Effect.fn.Return<void, Failure, Scope.Scope>

type AppOptions = Omit<Fleet.Options, "upstream" | "store"> & { readonly quorum?: number }

class Apps extends Context.Service<
  Apps,
  {
    /** Six workers, one probe. */
    readonly one: App
    /** Three workers in another namespace, two probes. */
    readonly two: App
    /** Opens an app with a namespace of its own, until the scope closes. */
    readonly open: (name: string, options: AppOptions) => Effect.Effect<App, Failure, Scope.Scope>
  }
>()("test/Apps") {}

const options = {
  trip: { type: "consecutive", failures: trips },
  openFor: openMillis,
  halfOpen: { leaseFor: leaseMillis }
} as const

/** Options of a breaker that does not probe in the time of a test. */
const long = { ...options, openFor: "1 minute" } as const

const appsOf = <E>(server: Effect.Effect<string, E, Scope.Scope>) =>
  Layer.effect(
    Apps,
    Effect.gen(function* () {
      const url = yield* server
      const run = `${process.pid}-${Date.now()}`
      const open = Effect.fnUntraced(function* (name: string, { quorum, ...more }: AppOptions) {
        const upstream = yield* Upstream.make({ takesMillis: 20 })
        const store = { url, namespace: `${name}-${run}`, timeout: storeTimeout, quorum }
        const fleet = yield* Fleet.make({ upstream: upstream.url, callTimeout, store, ...more })
        return { fleet, upstream }
      })
      const [one, two] = yield* Effect.all(
        [
          open("one", { workers: 6, rate, options }),
          open("two", {
            workers: 3,
            rate: 0,
            options: { ...options, halfOpen: { probes: 2, successes: 2, leaseFor: leaseMillis } }
          })
        ],
        { concurrency: "unbounded" }
      )
      return { one, two, open }
    })
  )

/** The calls of a worker from now on. */
const counting = (worker: Fleet.Worker) => {
  const from = worker.intervals().length
  return () => Fleet.totals(worker.intervals(from))
}

/** Waits until each worker has made some more calls that ended so. */
const allCall = (fleet: Fleet.Fleet, outcome: "ok" | "refused", times = 3) =>
  Effect.suspend(() => {
    const counts = fleet.workers().map(counting)
    return fleet.until(`${times} calls ${outcome} in each`, () => counts.every((count) => count()[outcome] >= times))
  })

/** Makes the upstream work, and the circuit closed with clean counts for all workers, under traffic. */
const calm = ({ fleet, upstream }: App) =>
  Effect.gen(function* () {
    yield* upstream.become("works")
    for (const worker of fleet.workers()) yield* worker.setRate(rate)
    const since = Fleet.wallMillis() - roundMillis
    yield* first(fleet).reset
    yield* fleet.until("all know of the reset", () =>
      fleet.workers().every((worker) => worker.state()._tag === "Closed" && worker.state().since >= since)
    )
    yield* allCall(fleet, "ok")
    yield* fleet.untilAll("Closed")
  })

const first = (fleet: Fleet.Fleet): Fleet.Worker => {
  const [worker] = fleet.workers()
  assert.isDefined(worker)
  return worker
}

/** Changes since a time, by worker. */
const changesSince = (fleet: Fleet.Fleet, since: number) => fleet.changes().filter(({ at }) => at >= since)

/** Asserts that the first state of a kind that each worker came to is one for all. */
const sameState = (fleet: Fleet.Fleet, since: number, tag: string) => {
  const begins = fleet.workers().flatMap(({ name }) => {
    const change = changesSince(fleet, since).find(({ to, worker }) => worker === name && to._tag === tag)
    return change === undefined ? [] : [change.to.since]
  })
  assert.lengthOf(begins, fleet.workers().length)
  assert.isBelow(Math.max(...begins) - Math.min(...begins), apartMillis, story(fleet, since))
}

/** The half-open episodes after so many hits. */
const episodes = ({ upstream }: App, mark: number) => Upstream.episodes(upstream.hits(mark), apartMillis)

/** Changes since a time as text, for what a test says where it fails. */
const story = (fleet: Fleet.Fleet, since: number): string =>
  changesSince(fleet, since)
    .map(({ at, from, to, worker }) => {
      const reason = "reason" in to && to.reason !== undefined ? ` (${to.reason})` : ""
      return `${(at - since).toFixed(0)} ${worker} ${from._tag} ${from.generation} -> ${to._tag} ${to.generation}${reason}`
    })
    .concat(
      fleet.workers().flatMap((worker) => {
        const { errors, lastError } = worker.store()
        return errors > 0 ? [`${worker.name} ${errors} errors of the store: ${lastError}`] : []
      })
    )
    .join("\n")

/** Waits until every worker that runs came to a state since a time. */
const allCameTo = (fleet: Fleet.Fleet, tag: string, since: number) =>
  fleet.until(`all came to ${tag}`, () => {
    const came = new Set(changesSince(fleet, since).flatMap(({ to, worker }) => (to._tag === tag ? [worker] : [])))
    return fleet.workers().every(({ name }) => came.has(name))
  })

/** Lets the upstream fail until the circuit is open for all, and all calls from before have arrived. */
const broken = ({ fleet, upstream }: App) =>
  Effect.gen(function* () {
    const since = Fleet.wallMillis()
    yield* upstream.become("fails")
    yield* allCameTo(fleet, "Open", since)
    yield* fleet.untilSettled
  })

/** Describes the fleet of a store. `server` starts it and returns its address. */
export const suite = <E>(name: string, server: Effect.Effect<string, E, Scope.Scope>): void =>
  layer(appsOf(server), { excludeTestServices: true, timeout: "3 minutes" })(name, (it) => {
    const test = (name: string, run: (apps: Apps["Service"]) => Body) =>
      it.effect(name, () => Effect.flatMap(Apps, Effect.fnUntraced(run)), 180_000)

    /** Tests the first app, which is calm at the beginning. */
    const testOne = (name: string, run: (one: App) => Body) =>
      test(name, function* ({ one }) {
        yield* calm(one)
        yield* run(one)
      })

    test("one worker trips, and all refuse, for the same reason", function* ({ open }) {
      const { fleet } = yield* open("trip", { workers: 3, rate: 0, options: long })
      const [tripping, ...others] = fleet.workers()
      for (const worker of others) yield* worker.setRate(rate)
      const since = Fleet.wallMillis()
      assert.deepStrictEqual(
        yield* tripping!.fails(trips),
        Array.from({ length: trips }, () => "failed")
      )
      yield* allCameTo(fleet, "Open", since)
      yield* tripping!.setRate(rate)
      yield* allCall(fleet, "refused")
      sameState(fleet, since, "Open")
      for (const worker of fleet.workers()) {
        const state = worker.state()
        assert.strictEqual(state._tag === "Open" ? state.reason : "", `${trips} consecutive failures`)
      }
    })

    testOne(
      "at most one call reaches the upstream in each half-open episode, and recovery reaches all",
      function* (one) {
        const { fleet, upstream } = one
        yield* broken(one)
        const mark = upstream.count()
        const refused = fleet.workers().map(counting)
        yield* fleet.until("five episodes", () => episodes(one, mark).length >= 5)
        const hits = upstream.hits(mark)
        assert.deepStrictEqual(
          hits.filter(({ state }) => state !== "HalfOpen"),
          [],
          "only probes arrive"
        )
        for (const [, probes] of episodes(one, mark)) assert.lengthOf(probes, 1)
        // The upstream alone: the open time is between any two of its probes.
        assert.strictEqual(Upstream.mostWithin(hits, openMillis - 5), 1)
        assert.isAbove(Math.min(...refused.map((count) => count().refused)), 0)

        const since = Fleet.wallMillis()
        yield* upstream.become("works")
        yield* allCameTo(fleet, "Closed", since)
        yield* allCall(fleet, "ok")
        const all = episodes(one, mark)
        for (const [, probes] of all) assert.lengthOf(probes, 1)
        // Others may know of no more than that it is closed.
        const closed = changesSince(fleet, since).find(
          ({ from, to }) => from._tag === "HalfOpen" && to._tag === "Closed"
        )
        assert.approximately(all.at(-1)?.[0] ?? 0, closed?.from.since ?? 0, apartMillis, "a probe closed the circuit")
      }
    )

    test("with two probes, at most two calls reach the upstream in each half-open episode, and two do", function* ({
      two
    }) {
      const { fleet, upstream } = two
      yield* calm(two)
      const since = Fleet.wallMillis()
      yield* broken(two)
      const mark = upstream.count()
      const probes = () => episodes(two, mark).map(([, all]) => all.length)
      yield* fleet.until("five episodes, one with two probes", () => probes().length >= 5 && probes().includes(2))
      const hits = upstream.hits(mark)
      assert.strictEqual(Math.max(...probes()), 2)
      // A probe that is late comes when the other one has ended the episode, and says so.
      assert.notInclude(
        hits.map(({ state }) => state),
        "Closed"
      )
      const known = () =>
        Upstream.episodes(
          changesSince(fleet, since).map(({ to }) => ({ state: to._tag, since: to.since })),
          apartMillis
        )
      yield* fleet.until(`no more than two in each of ${hits.length}`, () => hits.length <= 2 * known().length)
      yield* upstream.become("works")
      yield* fleet.untilAll("Closed")
    })

    testOne(
      "a hold open reaches all with its author and reason, stops all calls, and ends for all by its release",
      function* ({ fleet, upstream }) {
        const [a, b] = fleet.workers()
        yield* a!.holdOpen({ by: "ops", reason: "maintenance" })
        yield* fleet.untilAll("HeldOpen")
        for (const worker of fleet.workers()) {
          assert.deepInclude(worker.state(), { by: "ops", reason: "maintenance" })
        }
        yield* fleet.untilSettled
        const mark = upstream.count()
        yield* allCall(fleet, "refused", 10)
        assert.strictEqual(upstream.count(), mark)
        yield* b!.release
        yield* fleet.untilAll("Closed")
        yield* allCall(fleet, "ok")
      }
    )

    testOne(
      "a hold closed reaches all and lets failing calls through, until it ends by itself for all",
      function* ({ fleet, upstream }) {
        const since = Fleet.wallMillis()
        yield* first(fleet).holdClosed({ forMillis: holdMillis, by: "ops" })
        yield* allCameTo(fleet, "HeldClosed", since)
        yield* upstream.become("fails")
        const held = fleet.workers().map(counting)
        yield* allCameTo(fleet, "Open", since)
        for (const [i, worker] of fleet.workers().entries()) {
          const [begins, ends] = worker.changes().filter(({ at }) => at >= since)
          assert.strictEqual(begins?.to._tag, "HeldClosed", worker.name)
          assert.isAtLeast((ends?.at ?? 0) - since, holdMillis - roundMillis, worker.name)
          // More than trip a circuit that is not held.
          assert.isAbove(held[i]!().failed, 2 * trips, worker.name)
        }
      }
    )

    testOne("a reset reaches all", function* ({ fleet, upstream }) {
      yield* first(fleet).holdOpen()
      yield* fleet.untilAll("HeldOpen")
      const since = Fleet.wallMillis()
      yield* fleet.workers().at(-1)!.reset
      yield* allCameTo(fleet, "Closed", since)
      sameState(fleet, since, "Closed")
      const mark = upstream.count()
      yield* fleet.until("calls go through", () => upstream.count() >= mark + 20)
    })

    testOne(
      "a worker that is killed in the middle of its probe keeps its permit until its lease ends, and no longer",
      function* (one) {
        const { fleet, upstream } = one
        yield* broken(one)
        for (const worker of fleet.workers()) yield* worker.hangProbe(true)
        const since = Fleet.wallMillis()
        yield* upstream.become("works")
        const prober = () => fleet.workers().find((worker) => worker.probing().length > 0)
        yield* fleet.until("a probe hangs", () => prober() !== undefined)
        const victim = prober()
        assert.isDefined(victim)
        yield* victim.kill
        for (const worker of fleet.workers()) yield* worker.hangProbe(false)
        assert.isFalse(victim.isAlive())
        assert.lengthOf(fleet.workers(), 5)
        yield* fleet.untilAll("Closed")
        const { since: began } = victim.probing()[0]!
        const probes = upstream
          .hits()
          .filter((hit) => hit.state === "HalfOpen" && Math.abs(hit.since - began) < apartMillis)
        // That of the victim, and the one that took its place.
        assert.lengthOf(probes, 2, story(fleet, since))
        assert.strictEqual(probes[0]!.worker, victim.name)
        assert.notStrictEqual(probes[1]!.worker, victim.name)
        const probing = victim.changes().find(({ to }) => to._tag === "HalfOpen" && to.since === began)?.to
        const until = probing?._tag === "HalfOpen" ? probing.leases[0]?.until : undefined
        assert.isAtLeast(probes[1]!.at, (until ?? Infinity) - roundMillis)
        yield* allCall(fleet, "ok")
        yield* fleet.add(1)
      }
    )

    testOne(
      "a worker that starts while the circuit is held open adopts that before its first call",
      function* ({ fleet, upstream }) {
        yield* first(fleet).holdOpen({ by: "ops" })
        yield* fleet.untilAll("HeldOpen")
        const [late] = yield* fleet.add(1, { rate: 50, prefix: "late" })
        assert.isDefined(late)
        const counts = counting(late)
        yield* fleet.until("the late worker refuses", () => counts().refused >= 20)
        assert.deepInclude(late.state(), { _tag: "HeldOpen", by: "ops" })
        assert.deepStrictEqual(
          upstream.hits().filter(({ worker }) => worker === late.name),
          []
        )
        yield* late.stop
        yield* first(fleet).release
      }
    )

    test("an app in another namespace neither sees nor feels it", function* ({ one, two }) {
      yield* calm(one)
      yield* calm(two)
      const since = Fleet.wallMillis()
      const counts = two.fleet.workers().map(counting)
      yield* first(one.fleet).holdOpen({ by: "ops" })
      yield* one.fleet.untilAll("HeldOpen")
      yield* allCall(two.fleet, "ok", 10)
      assert.deepStrictEqual(changesSince(two.fleet, since), [])
      assert.deepStrictEqual(
        counts.map((count) => count().refused),
        [0, 0, 0]
      )
      yield* first(two.fleet).holdOpen({ by: "others" })
      yield* two.fleet.untilAll("HeldOpen")
      yield* first(one.fleet).release
      yield* one.fleet.untilAll("Closed")
      assert.deepInclude(first(two.fleet).state(), { _tag: "HeldOpen", by: "others" })
      yield* first(two.fleet).release
      yield* two.fleet.untilAll("Closed")
    })

    test("with a quorum of three, two failing workers open only themselves, and the third opens all", function* ({
      open
    }) {
      const { fleet } = yield* open("quorum", { quorum: 3, workers: 4, rate: 0, options: long })
      const [a, b, c, d] = fleet.workers()
      const states = () => fleet.workers().map((worker) => worker.state()._tag)
      yield* d!.setRate(rate)
      yield* a!.fails(trips)
      yield* b!.fails(trips)
      yield* fleet.until("two are open", () =>
        states()
          .slice(0, 2)
          .every((tag) => tag === "Open")
      )
      const bystander = counting(d!)
      yield* fleet.until("the bystander calls", () => bystander().ok >= 10)
      assert.deepStrictEqual(states(), ["Open", "Open", "Closed", "Closed"])
      assert.strictEqual(bystander().refused, 0)
      assert.deepStrictEqual(yield* a!.works(), ["refused"])
      assert.deepStrictEqual(yield* c!.works(), ["ok"])
      yield* c!.fails(trips)
      yield* fleet.untilAll("Open")
      yield* fleet.until("the bystander refuses", () => bystander().refused >= 5)
      for (const worker of fleet.workers()) assert.deepStrictEqual(yield* worker.works(), ["refused"])
    })

    test("a restart of all workers forgets nothing: open stays open, and held stays held", function* ({ open }) {
      const { fleet } = yield* open("restart", { workers: 2, rate: 0, options: long })
      yield* first(fleet).fails(trips)
      yield* fleet.untilAll("Open")
      const before = first(fleet).state()
      yield* fleet.stop
      assert.lengthOf(fleet.workers(), 0)
      yield* fleet.add(2)
      yield* fleet.untilAll("Open")
      for (const worker of fleet.workers()) {
        assert.approximately(worker.state().since, before.since, apartMillis)
        assert.deepStrictEqual(yield* worker.works(), ["refused"])
      }
      yield* first(fleet).holdOpen({ by: "ops", reason: "maintenance" })
      yield* fleet.untilAll("HeldOpen")
      yield* fleet.stop
      yield* fleet.add(2)
      yield* fleet.untilAll("HeldOpen")
      for (const worker of fleet.workers()) {
        assert.deepInclude(worker.state(), { by: "ops", reason: "maintenance" })
        assert.deepStrictEqual(yield* worker.works(), ["refused"])
      }
    })
  })
