/**
 * A service against an upstream that works, fails, hangs, is overloaded and
 * recovers, and what the policies make of it. The same calls go without policies
 * to a second upstream that does the same at the same time.
 */
import { Backoff, CircuitBreaker, CircuitBreakers, Health, Policy, Retry, Timeout } from "effect-resilience"
import { Clock, Console, Data, Effect, Fiber, FiberSet, Schedule, Stream } from "effect"
import { graceMillis, limitMillis, phases, type Phase } from "./phases.ts"
import * as Print from "./report.ts"
import * as Service from "./service.ts"
import { steady, Tally } from "./traffic.ts"
import * as Upstream from "./upstream.ts"

/**
 * Error of a demo that did not show what it has to.
 */
class Missed extends Data.TaggedError("Missed")<{ readonly message: string }> {}

const everyMillis = 25
const rowMillis = 500
const item = (n: number): string => `item-${(n % 8) + 1}`

const tell = Effect.fnUntraced(function* (colours: Print.Paint) {
  const upstream = yield* Upstream.make
  const bareUpstream = yield* Upstream.make
  const tally = new Tally()
  const bareTally = new Tally()
  const service = Service.make(upstream.url, tally.countRetry)
  const call = (n: number) => [
    tally.measured(service.price(item(n))),
    bareTally.measured(Effect.as(Service.fetchPrice(bareUpstream.url, item(n)), { source: "upstream" }))
  ]

  yield* Console.log(colours.bold("The policy of every call, with a cache as its fallback"))
  yield* Console.log(Policy.describe(service.policy))
  // The first calls of a process are slow, so they come before the traffic.
  yield* Effect.all(call(0), { discard: true })

  const story = Effect.gen(function* () {
    yield* Console.log(`\n${colours.bold(`A call every ${everyMillis} ms`)}\n${Print.head(colours)}`)
    const start = yield* Clock.currentTimeMillis
    const say = (line: (millis: number) => string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Console.log(line(now - start)))
    const sayHealth = (when: string, report: Health.Report) =>
      say((millis) => Print.health(colours, millis, when, report))

    // Changes of state, as they happen.
    const reached = new Set<string>()
    const reachedInPhase = new Set<string>()
    yield* CircuitBreakers.changes.pipe(
      Stream.runForEach((change) => {
        reached.add(change.to._tag)
        reachedInPhase.add(change.to._tag)
        return say((millis) => Print.change(colours, millis, change))
      }),
      Effect.forkScoped({ startImmediately: true })
    )

    // A row every half second, and the first report that is degraded.
    let phase = ""
    let last = { counts: tally.counts(), hits: upstream.hits(), refused: 0 }
    let during: Health.Report | undefined
    const tick = Effect.gen(function* () {
      const { counts, state } = yield* CircuitBreaker.status(Service.Prices)
      const row = {
        ...tally.counts(last.counts),
        phase,
        hits: upstream.hits() - last.hits,
        refused: counts.refused - last.refused,
        state: state._tag
      }
      last = { counts: tally.counts(), hits: upstream.hits(), refused: counts.refused }
      yield* say((millis) => Print.row(colours, millis, row))
      const report = yield* Health.report
      if (during !== undefined || report.status !== "degraded") return
      during = report
      yield* sayHealth("during", report)
    })
    yield* Effect.forkScoped(Effect.schedule(tick, Schedule.fixed(rowMillis)))

    yield* sayHealth("before", yield* Health.report)
    const calls = yield* FiberSet.make<void>()
    const traffic = yield* Effect.forkScoped(steady(calls, everyMillis, call))

    const play = Effect.fnUntraced(function* ({ millis, mode, name, reaches }: Phase) {
      phase = name
      reachedInPhase.clear()
      yield* upstream.become(mode)
      yield* bareUpstream.become(mode)
      yield* Effect.sleep(millis)
      if (reaches === undefined) return
      yield* Effect.sync(() => reachedInPhase.has(reaches)).pipe(
        Retry.retryUntil({
          until: (is) => is,
          maxAttempts: Infinity,
          maxElapsed: graceMillis,
          backoff: Backoff.constant("50 millis")
        }),
        Effect.catchTag(
          "RetryExhaustedError",
          () => new Missed({ message: `the circuit did not become ${reaches} in the phase "${name}"` })
        )
      )
    })
    yield* Effect.forEach(phases, play, { discard: true })

    yield* Fiber.interrupt(traffic)
    yield* FiberSet.awaitEmpty(calls)
    yield* sayHealth("after", yield* Health.waitUntilHealthy({ interval: "100 millis", timeout: "3 seconds" }))

    const total = { ...tally.counts(), hits: upstream.hits() }
    const bareTotal = { ...bareTally.counts(), hits: bareUpstream.hits() }
    yield* Console.log(`\n${Print.totals(colours, total, bareTotal)}`)

    const missing = [
      ...["Open", "HalfOpen", "Closed"].flatMap((state) => (reached.has(state) ? [] : [`no circuit became ${state}`])),
      ...(total.fallback > 0 ? [] : ["the fallback never answered"]),
      ...(during === undefined ? ["the health was never degraded"] : []),
      ...(total.hits < bareTotal.hits ? [] : ["the policies spared the upstream nothing"])
    ]
    if (missing.length > 0) return yield* new Missed({ message: missing.join(", ") })
  })

  yield* Effect.provide(story, Health.layer({ version: "0.1.0", checks: service.checks }))
})

/**
 * Tells the story, which ends by itself, and fails where it did not show what it
 * has to.
 */
export const story = (colours: Print.Paint) =>
  tell(colours).pipe(
    Effect.scoped,
    Timeout.timeout(limitMillis, { operation: "demo" }),
    Effect.provide(Service.Prices.layer)
  )
