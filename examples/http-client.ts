/**
 * An HTTP client: a policy around every request, where only requests that are
 * safe to repeat are repeated, `Retry-After` is heeded, and a breaker counts
 * failures of the server.
 *
 * The second half guards a client with Effect's own
 * `HttpClient.withCircuitBreaker`, with a breaker of this package.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Backoff, CircuitBreaker, EffectBreaker, Outcome, Policy, Timeout, TripPolicy } from "effect-resilience"
import { Duration, Effect, Result } from "effect"
import { Headers, HttpClient, HttpClientError, HttpClientRequest } from "effect/http"
import assert from "node:assert/strict"
import * as Server from "./support/server.ts"

/** Reads the header `Retry-After`, if it is in seconds. */
const retryAfter = (error: unknown): Duration.Duration | undefined => {
  const header = HttpClientError.isHttpClientError(error) ? error.response?.headers["retry-after"] : undefined
  if (header === undefined) return undefined
  const parsed = Headers.parseRetryAfter(header)
  return Result.isSuccess(parsed) && parsed.success._tag === "Duration" ? parsed.success.duration : undefined
}

const isTransient = (error: unknown): boolean =>
  error instanceof Timeout.TimeoutExceededError || HttpClient.isTransientError(error)

class Api extends CircuitBreaker.Service<Api>()("api", {
  trip: TripPolicy.consecutive(3),
  openFor: "30 seconds",
  log: false,
  // A 404 is not a failure of the server. A failure may carry the time for which the server wants no requests.
  classify: (exit) => {
    if (exit._tag === "Success") return Outcome.success
    const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
    return isTransient(error) ? Outcome.failure({ retryAfter: retryAfter(error) }) : Outcome.ignored
  }
}) {}

const slots = {
  attemptTimeout: { after: "1 second", operation: "request" },
  breaker: Api,
  deadline: { after: "5 seconds", operation: "request with retries" }
} as const
const once = Policy.make(slots)
const repeated = Policy.make({
  ...slots,
  retry: { maxAttempts: 3, while: isTransient, retryAfter, backoff: Backoff.exponential({ initial: "50 millis" }) }
})

// A POST may have been carried out even if its answer was lost.
const isRepeatable = ({ headers, method }: HttpClientRequest.HttpClientRequest): boolean =>
  ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].includes(method) || "idempotency-key" in headers

const program = Effect.gen(function* () {
  const server = yield* Server.make
  const client = (yield* HttpClient.HttpClient).pipe(
    HttpClient.mapRequest(HttpClientRequest.prependUrl(server.url)),
    HttpClient.filterStatusOk,
    HttpClient.transform((response, request) => (isRepeatable(request) ? repeated(response) : once(response)))
  )

  server.answer({ status: 503 }, { status: 200, body: "recovered" })
  const text = yield* Effect.flatMap(client.get("/orders"), (response) => response.text)
  assert.equal(text, "recovered")
  assert.equal(server.hits(), 2)

  // Nobody knows whether the order was taken: the caller has to decide.
  server.answer({ status: 503 })
  const failed = yield* Effect.flip(client.post("/orders"))
  assert.equal(failed._tag, "HttpClientError")
  assert.equal(server.hits(), 3)

  server.answer({ status: 429, headers: { "retry-after": "1" } }, { status: 200 })
  const [waited] = yield* Effect.timed(client.get("/orders"))
  assert.ok(Duration.toMillis(waited) > 900)
  console.log(`waited ${Duration.format(waited)} for a server that asked for 1 second`)

  server.answer({ status: 404 })
  yield* Effect.flip(client.get("/orders/7"))
  assert.equal(server.hits(), 6)

  // Three attempts of one call open the circuit, and the next call does not reach the server.
  server.answer({ status: 500 }, { status: 500 }, { status: 500, headers: { "retry-after": "120" } })
  yield* Effect.flip(client.get("/orders"))
  const refused = yield* Effect.flip(client.get("/orders"))
  assert.ok(refused._tag === "CircuitOpenError")
  assert.ok(Duration.toMillis(refused.retryAfter ?? 0) > 100_000)
  assert.equal(server.hits(), 9)
  console.log(refused.message)

  // Effect's own combinator, with the trip policies, holds, registry and logs of this package. It has one circuit for each origin.
  const origins = yield* CircuitBreaker.make("origins", { trip: TripPolicy.consecutive(2), log: false })
  const guarded = (yield* HttpClient.HttpClient).pipe(
    HttpClient.withCircuitBreaker({ breaker: yield* EffectBreaker.make(origins) })
  )
  server.answer({ status: 503 }, { status: 503 })
  yield* guarded.get(server.url)
  yield* guarded.get(server.url)
  const refusedToo = yield* Effect.flip(guarded.get(server.url))
  assert.ok(refusedToo._tag === "CircuitBreakerError" && refusedToo.reason._tag === "CircuitOpen")
  const [, circuit] = yield* CircuitBreaker.statuses(origins)
  assert.equal(circuit?.key, server.url)
  console.log(`${circuit.key} is ${circuit.state._tag}`)
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide([Api.layer, NodeHttpClient.layerUndici])))
