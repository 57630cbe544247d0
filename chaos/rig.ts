/**
 * What all cases of a server share: worker processes under traffic, each with a
 * proxy between itself and the server, an upstream, and what is measured.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as Fleet from "../fleet/fleet.ts"
import * as Upstream from "../fleet/upstream.ts"
import type { Claims } from "./claims.ts"
import * as Proxy from "./proxy.ts"
import type { Server } from "./servers.ts"

/** Failures in a row that trip a circuit. */
export const trips = 5
/** How long a circuit is open. */
export const openMillis = 3500
/** How often workers ask the store, and how long an answer may take. */
export const pollEvery = 1000
export const storeTimeout = 300
/** How often workers report. */
const reportEvery = 100
/** Two polls, and the report that says so. */
export const convergeMillis = 2 * pollEvery + reportEvery
/** Calls of the control take no longer than this where the machine has time for them. */
const quietMillis = 40
/** Calls a second and worker. */
export const rate = 50
/** States that workers took from one row differ by less. */
const apartMillis = 60

const breaker = {
  trip: { type: "consecutive", failures: trips },
  openFor: openMillis,
  halfOpen: { leaseFor: 2000 }
} as const

/**
 * Workers whose circuits are their own, under the same traffic at the same time.
 * What a busy machine does to calls it does to theirs.
 */
export type Control = Fleet.Fleet

/**
 * Starts them, until the scope closes.
 */
export const control: Effect.Effect<Control, Fleet.FleetError | Upstream.UpstreamError, Scope.Scope> = Effect.gen(
  function* () {
    const upstream = yield* Upstream.make()
    return yield* Fleet.make({
      upstream: upstream.url,
      store: { url: "local" },
      prefix: "local",
      workers: 3,
      rate,
      callTimeout: 10_000,
      reportEvery,
      options: breaker
    })
  }
)

/** Reads the calls that some workers make from now on. */
const counting = (workers: ReadonlyArray<Fleet.Worker>) =>
  Effect.gen(function* () {
    const reported = Effect.forEach(workers, ({ report }) => report, { concurrency: "unbounded", discard: true })
    yield* reported
    const from = new Map(workers.map((worker) => [worker, worker.intervals().length]))
    return Effect.map(reported, () => Fleet.totals(workers.flatMap((worker) => worker.intervals(from.get(worker)))))
  })

/**
 * What some workers did for a time, and the control at the same time.
 */
export interface Measured {
  readonly calls: Fleet.Totals
  readonly control: Fleet.Totals
}

/** What a process holds. */
interface Held {
  readonly files: number
  readonly connections: number
  readonly heap: number
}

/**
 * A rig of one server.
 */
export class Rig {
  readonly server: Server
  readonly fleet: Fleet.Fleet
  readonly upstream: Upstream.Upstream
  readonly proxies: ReadonlyArray<Proxy.Proxy>
  private readonly own: ReadonlyArray<Fleet.Worker>
  private readonly control: Control
  private readonly dir: string
  private first: { readonly connections: number; readonly held: ReadonlyArray<Held> } | undefined

  constructor(
    server: Server,
    fleet: Fleet.Fleet,
    upstream: Upstream.Upstream,
    proxies: ReadonlyArray<Proxy.Proxy>,
    own: ReadonlyArray<Fleet.Worker>,
    control: Control,
    dir: string
  ) {
    this.server = server
    this.fleet = fleet
    this.upstream = upstream
    this.proxies = proxies
    this.own = own
    this.control = control
    this.dir = dir
  }

  /** Those of the rig, in the order of their proxies, then those that came later. */
  get workers(): ReadonlyArray<Fleet.Worker> {
    return [...this.own, ...this.fleet.workers().filter((worker) => !this.own.includes(worker))]
  }

  worker(n: number): Fleet.Worker {
    const worker = this.workers[n]
    if (worker === undefined) throw new Error(`there is no worker ${n}`)
    return worker
  }

  /** Measures the calls of some workers while something happens. */
  measure<E>(workers: ReadonlyArray<Fleet.Worker>, work: Effect.Effect<unknown, E>) {
    return Effect.gen({ self: this }, function* () {
      const [calls, control] = [yield* counting(workers), yield* counting(this.control.workers())]
      yield* work
      return { calls: yield* calls, control: yield* control }
    })
  }

  /** Makes the upstream work and the circuit closed for all, with the store there and no call failing. */
  get calm(): Effect.Effect<void, Fleet.FleetError> {
    return Effect.gen({ self: this }, function* () {
      yield* this.upstream.become("works")
      yield* Effect.forEach(this.workers, (worker) => worker.setRate(rate), { discard: true })
      yield* this.fleet.until("all reach the store", () => this.workers.every((w) => w.store().reachable))
      yield* this.worker(0).reset
      const from = new Map(this.workers.map((worker) => [worker, worker.intervals().length]))
      yield* this.fleet.until("calm", () =>
        this.workers.every((worker) => {
          const last = worker.intervals(from.get(worker)).at(-1)
          return (
            worker.state()._tag === "Closed" &&
            last !== undefined &&
            last.store.reachable &&
            last.store.pending === 0 &&
            last.ok.length > 0 &&
            last.failed.length + last.refused.length === 0
          )
        })
      )
    })
  }

  /** Lets one worker trip, by calls that fail on their own. */
  trip(worker: Fleet.Worker): Effect.Effect<void, Fleet.FleetError> {
    return Effect.gen(function* () {
      yield* worker.setRate(0)
      yield* worker.fails(trips)
      yield* worker.setRate(rate)
    })
  }

  /** Whether some workers are in one and the same state. */
  private agree(tag: string, workers: ReadonlyArray<Fleet.Worker>, from: number): boolean {
    const states = workers.map((worker) => worker.state())
    const since = states.map((state) => state.since)
    return (
      states.every(({ _tag }) => _tag === tag) &&
      Math.max(...since) - Math.min(...since) <= apartMillis &&
      workers.every((worker) => {
        const last = worker.intervals().at(-1)
        return last !== undefined && last.at > from && last.store.reachable && last.store.pending === 0
      })
    )
  }

  /** Whether the machine has had no time for calls since the control made so many reports. */
  isBusy(marks: ReadonlyArray<number>): boolean {
    const latencies = this.control.workers().flatMap((worker, i) => Fleet.totals(worker.intervals(marks[i])).latencies)
    return (Fleet.percentile(latencies, 0.99) ?? 0) > quietMillis
  }

  /** How many reports the control made so far. */
  marks(): ReadonlyArray<number> {
    return this.control.workers().map((worker) => worker.intervals().length)
  }

  /**
   * Claims that some workers come to one state within two polls, and that the
   * store has heard of it.
   */
  converges(claims: Claims, claim: string, tag: string, workers = this.workers): Effect.Effect<void, Fleet.FleetError> {
    return Effect.gen({ self: this }, function* () {
      const from = Fleet.wallMillis()
      const limit = 5 * convergeMillis
      let took: number | undefined
      yield* this.fleet.until(
        claim,
        () => {
          if (this.agree(tag, workers, from)) took ??= Fleet.wallMillis() - from
          return took !== undefined || Fleet.wallMillis() - from > limit
        },
        "1 minute"
      )
      if (took !== undefined) return claims.atMost(claim, took, convergeMillis, " ms")
      const states = workers.map(
        (w) => `${w.name} ${w.state()._tag} since ${w.state().since} ${w.store().lastError ?? ""}`
      )
      claims.add(claim, false, `not within ${limit} ms: ${states.join(", ")}`)
    })
  }

  /** Claims that calls did not fail and did not wait, given what they took before. */
  undisturbed(claims: Claims, what: string, before: Measured, { calls, control }: Measured): void {
    const p99 = (values: ReadonlyArray<number>) => Fleet.percentile(values, 0.99) ?? 0
    const late = (values: ReadonlyArray<number>) => values.filter((each) => each >= storeTimeout * 0.8).length
    claims.add(
      `no call fails ${what}`,
      calls.failed + calls.refused === 0 && calls.ok > 0,
      `${calls.failed + calls.refused} of ${calls.calls}`
    )
    const usual = Math.max(p99(before.calls.latencies), p99(control.latencies))
    claims.atMost(`no call waits ${what}: p99`, p99(calls.latencies), 1.5 * usual + 2, " ms")
    claims.atMost(
      `no call waits ${what}: as long as for the store`,
      late(calls.latencies),
      1.5 * late(control.latencies) + 2,
      ""
    )
  }

  private get holdings(): Effect.Effect<{ readonly connections: number; readonly held: ReadonlyArray<Held> }> {
    const held = (pid: number, connections: number) =>
      Effect.gen({ self: this }, function* () {
        const file = join(this.dir, String(pid))
        rmSync(file, { force: true })
        process.kill(pid, "SIGUSR2")
        let heap = Number.NaN
        for (let i = 0; i < 200 && !(heap > 0); i++) {
          yield* Effect.sleep(20)
          try {
            heap = Number(readFileSync(file, "utf8"))
          } catch {
            // It is not written yet.
          }
        }
        return { files: readdirSync(`/proc/${pid}/fd`).length, connections, heap: heap / 2 ** 20 }
      })
    return Effect.gen({ self: this }, function* () {
      const all = yield* Effect.forEach(this.workers, ({ pid }, i) => held(pid, this.proxies[i]?.connections() ?? 0))
      return { connections: yield* this.server.connections, held: all }
    })
  }

  /** Claims that nothing is held that was not held when this was first called. */
  leaks(claims: Claims): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const first = this.first
      // Connections that were given up are closed some seconds later.
      let now = yield* this.holdings
      this.first ??= now
      if (first === undefined) return
      const most = (pick: (held: Held) => number) =>
        Math.max(...now.held.map((held, i) => pick(held) - pick(first.held[i] ?? held)))
      // Pools keep what they needed once for some seconds, and so do the calls.
      const limits = { files: 12, connections: 3, heap: 8 }
      const settled = () =>
        most(({ files }) => files) <= limits.files && most(({ connections }) => connections) <= limits.connections
      for (let i = 0; i < 15 && !settled(); i++) {
        yield* Effect.sleep(1000)
        now = yield* this.holdings
      }
      const more = (what: string, value: number, limit: number, unit = "") =>
        claims.atMost(`nothing leaks: ${what}, more than at first`, value, limit, unit)
      more(
        "files of a process",
        most(({ files }) => files),
        limits.files
      )
      more(
        "connections of a process",
        most(({ connections }) => connections),
        limits.connections
      )
      more("connections at the server", now.connections - first.connections, limits.connections * this.workers.length)
      more(
        "heap of a process",
        most(({ heap }) => heap),
        limits.heap,
        " MB"
      )
    })
  }

  /** Starts one more worker, through a proxy of its own. */
  get late(): Effect.Effect<Fleet.Worker, Fleet.FleetError, Scope.Scope> {
    return Effect.flatMap(add(this.fleet, this.server, this.proxies.at(-1)), ([worker]) =>
      worker === undefined ? Effect.fail(new Fleet.FleetError({ message: "no worker" })) : Effect.succeed(worker)
    )
  }
}

const add = (fleet: Fleet.Fleet, server: Server, proxy: Proxy.Proxy | undefined) =>
  fleet.add(1, {
    store: { url: server.urlVia(proxy?.port ?? server.port), namespace: "chaos", timeout: storeTimeout, pollEvery }
  })

/**
 * Starts a rig of three workers, until the scope closes.
 */
export const make = (
  server: Server,
  control: Control,
  dir: string
): Effect.Effect<Rig, Fleet.FleetError | Upstream.UpstreamError, Scope.Scope> =>
  Effect.gen(function* () {
    const upstream = yield* Upstream.make()
    // The last is for those that come later.
    const proxies = yield* Effect.forEach([1, 2, 3, 4], () => Proxy.make(server.port))
    const fleet = yield* Fleet.make({
      upstream: upstream.url,
      store: { url: "local" },
      prefix: `${server.name}-`,
      workers: 0,
      rate,
      callTimeout: 10_000,
      reportEvery,
      options: breaker
    })
    const own = yield* Effect.forEach(proxies.slice(0, 3), (proxy) => add(fleet, server, proxy), {
      concurrency: "unbounded"
    })
    return new Rig(server, fleet, upstream, proxies, own.flat(), control, dir)
  })
