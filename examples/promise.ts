/**
 * A handler that knows only promises, as in Express, Fastify or a queue worker,
 * calls an API that returns promises through a policy. Errors come out as
 * values, so the handler has nothing to catch.
 */
import { Backoff, CircuitBreaker, Policy, TripPolicy } from "effect-resilience"
import { Context, Data, Duration, Effect, Layer, ManagedRuntime, Result } from "effect"
import assert from "node:assert/strict"

// The existing code: a library with promises.
let gatewayIsUp = true
let charges = 0
const gateway = {
  charge: async (cents: number, { signal }: { readonly signal: AbortSignal }): Promise<string> => {
    signal.throwIfAborted()
    charges++
    await Promise.resolve()
    if (cents <= 0) throw new RangeError("nothing to charge")
    if (!gatewayIsUp) throw new Error("connection refused")
    return `receipt for ${cents}`
  }
}

// The same with Effect: typed errors, and a signal that is aborted if the call is interrupted.
class Declined extends Data.TaggedError("Declined")<{ readonly cause: unknown }> {}
class GatewayDown extends Data.TaggedError("GatewayDown")<{ readonly cause: unknown }> {}

class Gateway extends CircuitBreaker.Service<Gateway>()("gateway", {
  trip: TripPolicy.consecutive(3),
  openFor: "30 seconds",
  ignore: "Declined"
}) {}

const resilient = Policy.make({
  deadline: "3 seconds",
  retry: { maxAttempts: 3, while: "GatewayDown", backoff: Backoff.constant("10 millis") },
  breaker: Gateway,
  attemptTimeout: "1 second"
})

class Payments extends Context.Service<Payments>()("example/Payments", {
  make: Effect.succeed({
    charge: (cents: number) =>
      Effect.tryPromise({
        try: (signal) => gateway.charge(cents, { signal }),
        catch: (cause) => (cause instanceof RangeError ? new Declined({ cause }) : new GatewayDown({ cause }))
      }).pipe(resilient)
  })
}) {
  static readonly layer = Layer.effect(Payments, Payments.make)
}

const runtime = ManagedRuntime.make(Layer.provideMerge(Payments.layer, Gateway.layer))

// The handler of a framework that knows nothing of Effect.
interface Response {
  readonly status: number
  readonly body: string
  readonly headers?: { readonly [name: string]: string }
}

const handle = async (cents: number): Promise<Response> => {
  const result = await runtime.runPromise(Effect.result(Payments.use((payments) => payments.charge(cents))))
  if (Result.isSuccess(result)) return { status: 200, body: result.success }
  const error = result.failure
  switch (error._tag) {
    case "Declined":
      return { status: 402, body: "declined" }
    case "CircuitOpenError": {
      const seconds = Math.ceil(Duration.toSeconds(error.retryAfter ?? Duration.seconds(1)))
      return { status: 503, body: error._tag, headers: { "retry-after": String(seconds) } }
    }
    case "GatewayDown":
    case "TimeoutExceededError":
      return { status: 502, body: error._tag }
  }
}

assert.deepEqual(await handle(1_999), { status: 200, body: "receipt for 1999" })
assert.deepEqual(await handle(0), { status: 402, body: "declined" })
assert.equal(charges, 2)

gatewayIsUp = false
assert.deepEqual(await handle(1_999), { status: 502, body: "GatewayDown" })
const refused = await handle(1_999)
assert.equal(refused.status, 503)
assert.equal(refused.headers?.["retry-after"], "30")
// Three attempts of the first call. The second did not reach the gateway.
assert.equal(charges, 5)
console.log(refused)

await runtime.dispose()
