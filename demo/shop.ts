/**
 * A shop that depends on more than prices: each dependency with a breaker, an
 * upstream and traffic of its own.
 */
import { CircuitBreaker, Health, Policy, TripPolicy } from "effect-resilience"
import { Effect, FiberSet, Layer } from "effect"
import { HttpClient } from "effect/http"
import { phases, type Phase } from "./phases.ts"
import { steady } from "./traffic.ts"
import * as Upstream from "./upstream.ts"

/** Trips on calls that are slow, whether they succeed or not. */
class Payments extends CircuitBreaker.Service<Payments>()("payments", {
  trip: TripPolicy.slowCalls({ after: "300 millis", ratio: 0.5, within: "3 seconds", minimumCalls: 10 }),
  openFor: "3 seconds",
  // The demo prints the changes of state itself.
  log: false
}) {}

/** Has a circuit for each region. */
class Search extends CircuitBreaker.Service<Search>()("search", {
  trip: TripPolicy.rate({ ratio: 0.5, within: "10 seconds", minimumCalls: 10 }),
  openFor: "4 seconds",
  halfOpen: { probes: 2, successes: 2 },
  log: false
}) {}

/** Is held open by an operator from the start. */
class Mail extends CircuitBreaker.Service<Mail>()("mail", { log: false }) {}

/** Refuses nothing, and says when it would. */
class Recommendations extends CircuitBreaker.Service<Recommendations>()("recommendations", {
  dryRun: true,
  openFor: "5 seconds",
  log: false
}) {}

/**
 * Provides the breakers.
 */
export const breakers = Layer.mergeAll(Payments.layer, Search.layer, Mail.layer, Recommendations.layer)

/**
 * Policies of the shop, by name.
 */
export const policies = {
  payments: Policy.make({ retry: { maxAttempts: 2 }, breaker: Payments, attemptTimeout: "1 second" }),
  mail: Policy.make({ breaker: Mail, attemptTimeout: "1 second" }),
  recommendations: Policy.make({ breaker: Recommendations, attemptTimeout: "300 millis" })
}

/**
 * Health checks of the shop, by name.
 */
export const checks = {
  payments: Health.fromBreaker(Payments),
  search: Health.fromBreaker(Search),
  mail: Health.fromBreaker(Mail)
}

/** Lets an upstream become one after the other, again and again. */
const play = (upstream: Upstream.Upstream, script: ReadonlyArray<Pick<Phase, "mode" | "millis">>) =>
  Effect.forever(
    Effect.forEach(script, ({ millis, mode }) => Effect.andThen(upstream.become(mode), Effect.sleep(2 * millis)), {
      discard: true
    })
  )

/**
 * Opens the shop, until the scope closes.
 */
export const open = Effect.gen(function* () {
  const client = (yield* HttpClient.HttpClient).pipe(HttpClient.filterStatusOk)
  const calls = yield* FiberSet.make<void>()
  const traffic = <R>(everyMillis: number, call: (n: number) => Effect.Effect<void, never, R>) =>
    Effect.forkScoped(steady(calls, everyMillis, (n) => [call(n)]))
  const get = (upstream: Upstream.Upstream) => client.get(`${upstream.url}/item-1`)

  const [first, second, steadyOne] = [yield* Upstream.make, yield* Upstream.make, yield* Upstream.make]
  const lateAtTimes = [{ mode: "works", millis: 5_000 } as const, { mode: "slow", millis: 4_000 } as const]
  yield* Effect.forkScoped(play(first, lateAtTimes))
  yield* Effect.forkScoped(play(second, [...phases.slice(4), ...phases.slice(0, 4)]))
  yield* CircuitBreaker.holdOpen(Mail, { by: "ada", reason: "the provider moves its servers", for: "2 hours" })

  const inRegion = (region: string) =>
    get(region === "asia" ? second : steadyOne).pipe(
      Effect.timeout("1 second"),
      CircuitBreaker.protect(Search, { key: region }),
      Effect.ignore
    )
  const { mail, payments, recommendations } = policies
  yield* traffic(50, () => get(first).pipe(payments, Effect.ignore))
  yield* traffic(40, (n) => inRegion(["europe", "asia", "america"][n % 3] ?? ""))
  yield* traffic(250, () => get(steadyOne).pipe(mail, Effect.ignore))
  yield* traffic(100, () => get(second).pipe(recommendations, Effect.ignore))
})
