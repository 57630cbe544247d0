/**
 * Runs a service against an upstream that works, fails, hangs, is overloaded and
 * recovers, and prints what the policies make of it. The same calls go without
 * policies to a second upstream that does the same at the same time.
 *
 * Run it by `npm run demo`. It ends by itself, with an exit code other than 0
 * where a state was not reached.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Backoff, CircuitBreaker, CircuitBreakers, Health, Policy, Retry, Timeout } from "effect-resilience"
import { Cause, Clock, Console, Data, Effect, Fiber, FiberSet, Schedule, Stream } from "effect"
import { graceMillis, limitMillis, phases } from "./phases.ts"
import * as Print from "./report.ts"
import * as Service from "./service.ts"
import { steady, Tally } from "./traffic.ts"
import * as Upstream from "./upstream.ts"

/**
 * Error of a demo that did not show what it has to.
 */
class Missed extends Data.TaggedError("Missed")<{ readonly message: string }> {}

const everyMillis = 25
const items = Array.from({ length: 8 }, (_, i) => `item-${i + 1}`)
const colours = Print.paint(process.stdout.isTTY && !process.env["NO_COLOR"])

const demo = Effect.gen(function* () {
  const upstream = yield* Upstream.make
  const tally = new Tally()
  const service = Service.make(upstream.url, tally.countRetry)
  const bareUpstream = yield* Upstream.make
  const bareTally = new Tally()

  const askBare = (item: string) => Effect.as(Service.fetchPrice(bareUpstream.url, item), { source: "upstream" })

  yield* Console.log(`${colours.bold("The policy of each call, with a cache as its fallback")}
${Policy.describe(service.policy)}

${colours.bold(`A call each ${everyMillis} ms`)}
${Print.head(colours)}`)

  // The first call of a process is slow, so it comes before the traffic.
  yield* tally.measured(service.price("item-1"))
  yield* bareTally.measured(askBare("item-1"))

  const start = yield* Clock.currentTimeMillis
  const sinceStart = Effect.map(Clock.currentTimeMillis, (now) => now - start)

  return yield* Effect.gen(function* () {
    // What happens, as it happens.
    const everReached = new Set<string>()
    const reached = new Set<string>()
    yield* CircuitBreakers.changes.pipe(
      Stream.runForEach((change) => {
        everReached.add(change.to._tag)
        reached.add(change.to._tag)
        return Effect.flatMap(sinceStart, (millis) => Console.log(Print.change(colours, millis, change)))
      }),
      Effect.forkScoped({ startImmediately: true })
    )

    const printHealth = (when: string, report: Health.Report) =>
      Effect.flatMap(sinceStart, (millis) => Console.log(Print.health(colours, millis, when, report).join("\n")))

    // A line each half second, and the health as it changes.
    let phaseName = ""
    let last = { counts: tally.counts(), hits: upstream.hits(), refused: 0 }
    let during: Health.Report | undefined
    const tick = Effect.gen(function* () {
      const { counts: circuit, state } = yield* CircuitBreaker.status(Service.Prices)
      const now = { counts: tally.counts(), hits: upstream.hits(), refused: circuit.refused }
      const millis = yield* sinceStart
      yield* Console.log(
        Print.row(colours, {
          ...tally.counts(last.counts),
          millis,
          phase: phaseName,
          refused: now.refused - last.refused,
          hits: now.hits - last.hits,
          state: state._tag
        })
      )
      last = now
      const report = yield* Health.report
      if (during === undefined && report.status === "degraded") {
        during = report
        yield* printHealth("during", report)
      }
    })
    yield* Effect.forkScoped(Effect.schedule(tick, Schedule.fixed("500 millis")))

    // The same calls both ways.
    const calls = yield* FiberSet.make<void>()
    const traffic = yield* steady(calls, everyMillis, (n) => {
      const item = items[n % items.length]!
      return [tally.measured(service.price(item)), bareTally.measured(askBare(item))]
    }).pipe(Effect.forkScoped)

    const before = yield* Health.waitUntilHealthy({ interval: "100 millis", timeout: "2 seconds" })
    yield* printHealth("before", before)

    for (const { millis, mode, name, reaches } of phases) {
      phaseName = name
      reached.clear()
      yield* upstream.become(mode)
      yield* bareUpstream.become(mode)
      yield* Effect.sleep(millis)
      if (reaches === undefined) continue
      yield* Effect.sync(() => reached.has(reaches)).pipe(
        Retry.retryUntil({
          until: (is) => is,
          maxAttempts: Infinity,
          maxElapsed: graceMillis,
          backoff: Backoff.constant("50 millis")
        }),
        Effect.catchTag(
          "RetryExhaustedError",
          () => new Missed({ message: `the circuit did not become ${reaches} while the upstream "${name}"` })
        )
      )
    }

    yield* Fiber.interrupt(traffic)
    yield* FiberSet.awaitEmpty(calls)
    yield* printHealth("after", yield* Health.waitUntilHealthy({ interval: "100 millis", timeout: "2 seconds" }))

    const total = { ...tally.counts(), hits: upstream.hits() }
    const bareTotal = { ...bareTally.counts(), hits: bareUpstream.hits() }
    yield* Console.log(`\n${Print.totals(colours, total, bareTotal).join("\n")}`)

    const missing = [
      ...["Open", "HalfOpen", "Closed"]
        .filter((state) => !everReached.has(state))
        .map((state) => `no circuit became ${state}`),
      ...(total.fallback > 0 ? [] : ["the fallback never answered"]),
      ...(during === undefined ? ["the health was never degraded"] : []),
      ...(total.hits < bareTotal.hits ? [] : ["the policies did not spare the upstream a request"])
    ]
    if (missing.length > 0) return yield* new Missed({ message: missing.join(", ") })
  }).pipe(Effect.provide(Health.layer({ version: "0.1.0", checks: service.checks })))
}).pipe(
  Effect.scoped,
  Timeout.timeout(limitMillis, { operation: "demo" }),
  Effect.provide([Service.Prices.layer, CircuitBreakers.layer, NodeHttpClient.layerUndici]),
  Effect.tapCause((cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.void
      : Console.error(
          `\n${colours.red("The demo failed")}: ${
            Cause.hasDies(cause)
              ? Cause.pretty(cause)
              : Cause.prettyErrors(cause)
                  .map(({ message }) => message)
                  .join(", ")
          }`
        )
  )
)

NodeRuntime.runMain(demo, { disableErrorReporting: true })
