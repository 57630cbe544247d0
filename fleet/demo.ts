/**
 * Runs a fleet of processes that share one circuit through PostgreSQL, against
 * an upstream that dies and recovers, and prints what each of them makes of it:
 * an outage, a prober that is killed, a worker that starts late, a hold.
 *
 * Run it by `npm run demo:fleet`. It ends by itself, with an exit code other
 * than 0 where the fleet did not come to what it has to.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { CircuitBreaker, Timeout } from "effect-resilience"
import { Cause, Console, Effect, Layer, Schedule } from "effect"
import * as Postgres from "../test/support/postgres.ts"
import * as Fleet from "./fleet.ts"
import { wallMillis } from "./messages.ts"
import * as Print from "./print.ts"
import { paint } from "../demo/report.ts"
import * as Stores from "./stores.ts"
import * as Upstream from "./upstream.ts"

const colours = paint(process.stdout.isTTY && !process.env["NO_COLOR"])
const workers = 5
const rate = 20
const openMillis = 1000
const leaseMillis = 4000
const apartMillis = 200
const rowMillis = 500
const limitMillis = 100_000
const breaker = "prices"

const demo = Effect.gen(function* () {
  const started = wallMillis()
  const took = () => `${((wallMillis() - started) / 1000).toFixed(1)} s`
  const postgres = yield* Postgres.start
  const url = yield* postgres.database
  yield* Console.log(`PostgreSQL runs (${took()})`)
  const store = { url, namespace: "demo", pollEvery: 2000 }
  const options = {
    trip: { type: "consecutive", failures: 5 },
    openFor: openMillis,
    halfOpen: { leaseFor: leaseMillis }
  } as const
  const upstream = yield* Upstream.make({ takesMillis: 10 })
  const fleet = yield* Fleet.make({
    upstream: upstream.url,
    store,
    workers,
    rate,
    // What is slow on a busy machine is no failure of the upstream.
    callTimeout: 10_000,
    reportEvery: 100,
    breaker,
    options
  })
  yield* Console.log(`${workers} workers run, each with ${rate} calls a second (${took()})\n`)

  // An operator is a process like any other.
  const operator = yield* CircuitBreaker.makeShared(breaker, { log: false }).pipe(
    Effect.provide(yield* Layer.build(Stores.layer("operator", store)))
  )

  const start = wallMillis()
  const names = [...Array.from({ length: workers }, (_, i) => `w${i + 1}`), `late${workers + 1}`]
  yield* Console.log(Print.head(colours, names))

  // The picture: the changes as soon as all workers know of them, and a row every half second.
  let phase = "works"
  let printed = 0
  let hits = upstream.count()
  let nextRow = start + rowMillis
  const reported = new Map<string, number>()
  const picture = Effect.suspend(() => {
    const lines: Array<string> = []
    const now = wallMillis()
    const changes = Print.fleetChanges(
      fleet.changes().filter(({ at }) => at >= start),
      apartMillis
    )
    for (const change of changes.slice(printed)) {
      if (change.workers.length < fleet.workers().length && now - change.first < 300) break
      lines.push(Print.change(colours, start, change))
      printed++
    }
    if (now >= nextRow) {
      nextRow += rowMillis
      const intervals = fleet.everyone().flatMap((worker) => {
        const from = reported.get(worker.name) ?? 0
        const some = worker.intervals(from)
        reported.set(worker.name, from + some.length)
        return some
      })
      const all = upstream.count()
      const states = names.map((name) => {
        const worker = fleet.everyone().find((each) => each.name === name)
        return worker?.isAlive() === true ? worker.state()._tag : worker && "dead"
      })
      lines.push(Print.row(colours, now - start, { phase, ...Fleet.totals(intervals), hits: all - hits, states }))
      hits = all
    }
    return lines.length > 0 ? Console.log(lines.join("\n")) : Effect.void
  })
  yield* Effect.forkScoped(Effect.repeat(picture, Schedule.spaced(50)))

  const shown: Array<readonly [string, string]> = []
  const phases: Array<readonly [string, number, number]> = []
  const millis = (value: number) => `${value.toFixed(1)} ms`

  /** Runs a part of the story, and counts the requests that arrive meanwhile. */
  const part = <A, E, R>(name: string, mode: Upstream.Mode | undefined, body: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      phase = name
      if (mode !== undefined) yield* upstream.become(mode)
      const [from, at] = [upstream.count(), wallMillis()]
      const result = yield* body
      phases.push([name, upstream.count() - from, wallMillis() - at])
      return result
    })

  /** Waits until every worker came to a state, and returns how long that took from the first to the last. */
  const all = (tag: "Open" | "Closed" | "HeldOpen", since: number) =>
    Effect.map(
      fleet.until(`all ${tag}`, () => {
        const { workers } = Fleet.spread(changesOfLiving(), tag, since)
        return workers >= fleet.workers().length
      }),
      () => Fleet.spread(changesOfLiving(), tag, since)
    )
  const changesOfLiving = () => {
    const living = new Set(fleet.workers().map(({ name }) => name))
    return fleet.changes().filter(({ worker }) => living.has(worker))
  }

  yield* part("works", "works", Effect.sleep(1500))

  // An outage.
  const outage = yield* part(
    "fails",
    "fails",
    Effect.gen(function* () {
      const { last, millis } = yield* all("Open", wallMillis())
      const mark = upstream.count()
      yield* fleet.until("three probes", () => Upstream.episodes(upstream.hits(mark), apartMillis).length >= 3)
      return { last, millis, mark }
    })
  )
  shown.push(["from the first trip to the last of all workers refusing", millis(outage.millis)])
  const episodes = Upstream.episodes(upstream.hits(outage.mark), apartMillis).map(([, probes]) => probes.length)
  shown.push([
    "half-open episodes in the outage, and most calls in one",
    `${episodes.length}, ${Math.max(...episodes)}`
  ])

  yield* part(
    "recovers",
    "works",
    Effect.gen(function* () {
      const { millis: recovery } = yield* all("Closed", wallMillis())
      shown.push(["from the first worker that knew of the recovery to the last", millis(recovery)])
      yield* Effect.sleep(1000)
    })
  )

  // A prober that dies.
  yield* part(
    "fails again",
    "fails",
    Effect.gen(function* () {
      yield* all("Open", wallMillis())
      yield* Effect.forEach(fleet.workers(), (worker) => worker.hangProbe(true), { concurrency: "unbounded" })
    })
  )
  yield* part(
    "prober dies",
    "works",
    Effect.gen(function* () {
      const prober = () => fleet.workers().find((worker) => worker.probing().length > 0)
      yield* fleet.until("a probe hangs", () => prober() !== undefined)
      const victim = prober()
      if (victim === undefined) return yield* new Fleet.FleetError({ message: "nobody probes" })
      const since = wallMillis()
      yield* victim.kill
      yield* Console.log(`        ${colours.red(`${victim.name} is killed in the middle of its probe (SIGKILL)`)}`)
      yield* Effect.forEach(fleet.workers(), (worker) => worker.hangProbe(false), { concurrency: "unbounded" })
      const { first } = yield* all("Closed", since)
      shown.push([
        `from the death of the prober to the recovery (its lease was for ${leaseMillis} ms)`,
        millis(first - since)
      ])
      yield* Effect.sleep(700)
    })
  )

  // A hold, and a worker that starts meanwhile.
  const adopted = yield* part(
    "works, held",
    "works",
    Effect.gen(function* () {
      const since = wallMillis()
      yield* CircuitBreaker.holdOpen(operator, { by: "operator", reason: "maintenance" })
      const { last } = yield* all("HeldOpen", since)
      shown.push(["from the operator's command to the last worker that holds", millis(last - since)])
      yield* fleet.untilSettled
      const mark = upstream.count()
      const [late] = yield* fleet.add(1, { prefix: "late" })
      yield* fleet.until("the late worker knows of the hold", () => late?.state()._tag === "HeldOpen")
      const began = late?.state()._tag
      yield* Console.log(`        ${late?.name} starts, and is ${began} before its first call`)
      yield* Effect.sleep(1000)
      const hits = upstream.hits(mark)
      shown.push(["calls that reached the upstream during the hold, the late worker's included", `${hits.length}`])
      const released = wallMillis()
      yield* CircuitBreaker.release(operator)
      const { last: end } = yield* all("Closed", released)
      shown.push(["from the operator's release to the last worker that calls", millis(end - released)])
      yield* Effect.sleep(1000)
      return { tag: began, held: hits.length }
    })
  )

  const totals = Fleet.totals(fleet.everyone().flatMap((worker) => worker.intervals()))
  shown.push(["calls of all workers, and of them refused", `${totals.calls}, ${totals.refused}`])
  const operations = fleet.workers().map((worker) => worker.store().operations)
  shown.push(["operations on the database of each worker that is left", operations.join(", ")])

  yield* Console.log(
    `\n${colours.bold("Requests that arrived at the upstream")}\n${Print.table(
      colours,
      phases.map(([name, count, took]) => [name, `${String(count).padStart(4)} in ${(took / 1000).toFixed(1)} s`])
    )}`
  )
  yield* Console.log(`\n${colours.bold("What was shown")}\n${Print.table(colours, shown)}`)

  const missing = [
    ...(Math.max(...episodes) === 1 ? [] : [`${Math.max(...episodes)} probes reached the upstream in one episode`]),
    ...(adopted.tag === "HeldOpen" ? [] : [`the late worker was ${adopted.tag} before its first call`]),
    ...(adopted.held === 0 ? [] : [`${adopted.held} calls reached the upstream during the hold`])
  ]
  if (missing.length > 0) return yield* new Fleet.FleetError({ message: missing.join(", ") })
})

const failed = (cause: Cause.Cause<{ readonly message: string }>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const why = Cause.hasDies(cause) ? Cause.pretty(cause) : Cause.prettyErrors(cause).map(({ message }) => message)
  return Console.error(`\n${colours.red("The demo failed")}: ${String(why)}`)
}

demo.pipe(
  Effect.scoped,
  Timeout.timeout(limitMillis, { operation: "demo" }),
  Effect.tapCause(failed),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
