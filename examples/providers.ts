/**
 * Several providers of the same thing: each has a circuit breaker of its own,
 * they are tried in order, and a default answers when none of them does.
 */
import { CircuitBreaker, CircuitBreakers, Fallback, Policy, TripPolicy } from "effect-resilience"
import { Data, Effect } from "effect"
import assert from "node:assert/strict"

class Unavailable extends Data.TaggedError("Unavailable")<{ readonly provider: string }> {}

/** Names of the providers that are down. */
const down = new Set<string>()
/** Requests that reached a provider. */
const requests = new Map<string, number>()

const ask = (provider: string, rate: number): Effect.Effect<number, Unavailable> =>
  Effect.suspend(() => {
    requests.set(provider, (requests.get(provider) ?? 0) + 1)
    return down.has(provider) ? new Unavailable({ provider }) : Effect.succeed(rate)
  })

const provider = Effect.fnUntraced(function* (name: string, rate: number) {
  const breaker = yield* CircuitBreaker.make(name, { trip: TripPolicy.consecutive(2), openFor: "1 minute" })
  const policy = Policy.make({ breaker, attemptTimeout: { after: "1 second", operation: name } })
  return Fallback.source(name, ask(name, rate).pipe(policy))
})

const program = Effect.gen(function* () {
  const exchangeRate = Fallback.chainServed(
    [yield* provider("bank", 1.1), yield* provider("broker", 1.2), yield* provider("archive", 0.9)],
    { default: () => 1 }
  )

  const served = Effect.fnUntraced(function* (times: number) {
    const sources: Array<string> = []
    for (let i = 0; i < times; i++) sources.push((yield* exchangeRate).source)
    return sources
  })

  assert.deepEqual(yield* served(2), ["bank", "bank"])

  down.add("bank")
  assert.deepEqual(yield* served(4), ["broker", "broker", "broker", "broker"])
  // Two requests before it was down, and two until its circuit opened.
  assert.equal(requests.get("bank"), 4)

  down.add("broker")
  down.add("archive")
  assert.deepEqual(yield* served(3), ["default", "default", "default"])
  const { failures, source, value } = yield* exchangeRate
  console.log(`${source}: ${value}, because`)
  for (const { cause, source } of failures) {
    for (const reason of cause.reasons) if (reason._tag === "Fail") console.log(`  ${source}: ${reason.error._tag}`)
  }
  assert.ok(failures.every(({ cause }) => cause.reasons[0]?._tag === "Fail"))

  // The broker is back, and an operator does not wait for the minute to pass.
  down.delete("broker")
  yield* CircuitBreakers.reset("broker")
  assert.deepEqual(yield* served(1), ["broker"])

  const states = (yield* CircuitBreakers.statuses).map(({ name, state }) => `${name} ${state._tag}`)
  assert.deepEqual(states, ["bank Open", "broker Closed", "archive Open"])
  console.log(states.join(", "))
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(CircuitBreakers.layer)))
