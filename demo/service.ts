/**
 * A service that asks the upstream for prices: once through a policy with a
 * cache as fallback, once as it comes.
 */
import { Backoff, CircuitBreaker, Fallback, Health, Policy, Timeout, TripPolicy } from "effect-resilience"
import { Clock, Data, Duration, Effect, Result, Schema } from "effect"
import { Headers, HttpClient, HttpClientResponse } from "effect/http"

const Price = Schema.Struct({ item: Schema.String, cents: Schema.Int })
type Price = typeof Price.Type

/**
 * Error of a call that the upstream did not answer with a price.
 */
export class NoPrice extends Data.TaggedError("NoPrice")<{
  readonly message: string
  /** Whether the same call may succeed later. */
  readonly isTransient: boolean
  /** How long the upstream asks to be left alone. The breaker and the retry read it. */
  readonly retryAfter: Duration.Duration | undefined
}> {}

const retryAfterOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const given = headers["retry-after"]
  if (given === undefined) return undefined
  const parsed = Headers.parseRetryAfter(given)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, now) : undefined
}

/**
 * Asks the upstream as it comes, without a policy.
 */
export const fetchPrice = Effect.fnUntraced(function* (url: string, item: string) {
  const client = (yield* HttpClient.HttpClient).pipe(HttpClient.filterStatusOk)
  return yield* client.get(`${url}/${item}`).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Price)),
    Effect.catchTags({
      HttpClientError: (error) =>
        Effect.flatMap(
          Clock.currentTimeMillis,
          (now) =>
            new NoPrice({
              message: error.message,
              isTransient: HttpClient.isTransientError(error),
              retryAfter: error.response && retryAfterOf(error.response.headers, now)
            })
        ),
      SchemaError: (error) => new NoPrice({ message: error.message, isTransient: false, retryAfter: undefined })
    })
  )
})

/**
 * The circuit between the service and the upstream.
 */
export class Prices extends CircuitBreaker.Service<Prices>()("prices", {
  trip: TripPolicy.consecutive(5),
  openFor: "1500 millis",
  halfOpen: { probes: 2, successes: 3 },
  // The demo prints the changes of state itself.
  log: false
}) {}

/**
 * Error of an item that was never seen.
 */
export class NotCached extends Data.TaggedError("NotCached")<{ readonly item: string }> {}

const mayPass = (error: unknown): boolean =>
  error instanceof Timeout.TimeoutExceededError || (error instanceof NoPrice && error.isTransient)

/**
 * Creates the service. `onRetry` is run before each attempt but the first.
 */
export const make = (url: string, onRetry: Effect.Effect<void>) => {
  const policy = Policy.make({
    deadline: { after: "2 seconds", operation: "price" },
    retry: {
      maxAttempts: 3,
      backoff: Backoff.exponential({ initial: "50 millis", max: "500 millis" }),
      while: mayPass,
      // Who is asked to wait longer is answered from the cache.
      maxRetryAfter: "1 second",
      onRetry: () => onRetry
    },
    breaker: Prices,
    attemptTimeout: { after: "500 millis", operation: "attempt" }
  })
  const cache = new Map<string, Price>()

  const cached = (item: string): Effect.Effect<Price, NotCached> =>
    Effect.suspend(() => {
      const price = cache.get(item)
      return price === undefined ? new NotCached({ item }) : Effect.succeed(price)
    })

  const price = (item: string) =>
    Fallback.chainServed([
      Fallback.source(
        "upstream",
        fetchPrice(url, item).pipe(
          policy,
          Effect.tap((price) => Effect.sync(() => cache.set(item, price)))
        )
      ),
      Fallback.source("cache", cached(item))
    ])

  return {
    policy,
    price,
    checks: {
      prices: Health.fromBreaker(Prices),
      cache: Health.check(Effect.sync(() => Health.healthy({ items: cache.size })))
    }
  }
}
