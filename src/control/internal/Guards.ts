/**
 * Guards of the routes of a control plane: tokens, limits and bodies.
 */
import * as ByteSize from "effect/ByteSize"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { unhandled } from "effect/Types"
import * as Text from "../../core/internal/Text.ts"
import * as ControlApi from "../ControlApi.ts"
import * as Buckets from "./Buckets.ts"
import type { Resolved } from "./ControlOptions.ts"
import * as Refusals from "./Refusals.ts"
import * as Tokens from "./Tokens.ts"
import * as WrongTokens from "./WrongTokens.ts"

const maxBodyBytes = 16 * 1024

/**
 * Creates the middleware that admits requests with one of the tokens.
 */
export const authorization = ({ limits }: Resolved, tokens: ReadonlyArray<Tokens.Token>, reading: "token" | "open") =>
  Effect.gen(function* () {
    const limiter = yield* makeLimiter
    const wrong = yield* WrongTokens.make
    const wait = yield* Refusals.makeWait
    const missing = new Buckets.Buckets(limits.readsPerSecond, 1000)
    return ControlApi.Authorization.of((httpEffect, { endpoint, group }) =>
      Effect.gen(function* () {
        const isOpen = reading === "open" && group.identifier !== ControlApi.OperationsGroup.identifier
        // A browser that opens the page cannot bring a token yet.
        if (isOpen || group.identifier === ControlApi.DashboardGroup.identifier) {
          return yield* Effect.provideService(httpEffect, ControlApi.Operator, { name: undefined })
        }
        const request = yield* HttpServerRequest.HttpServerRequest
        const operator = Tokens.operatorOf(tokens, request)
        if (operator !== undefined) return yield* Effect.provideService(httpEffect, ControlApi.Operator, operator)
        yield* setHeader("www-authenticate", "Bearer")
        if (Tokens.isMissing(request)) {
          const now = yield* Clock.currentTimeMillis
          if (missing.wait("", now) > 0) yield* wait
          else missing.take("", now)
          return yield* new ControlApi.Unauthorized({ message: "A bearer token is needed" })
        }
        yield* Effect.tapError(limiter("wrongTokens", limits.wrongTokensPerMinute, "1 minute"), () =>
          Effect.andThen(wrong.count(request), wait)
        )
        yield* wrong.log(request, endpoint.identifier)
        return yield* new ControlApi.Unauthorized({ message: "One valid bearer token is needed" })
      })
    )
  })

/**
 * Creates the middleware that refuses requests beyond the limits, and those that
 * break a rule of the definition.
 */
export const requests = ({ limits }: Resolved) =>
  Effect.gen(function* () {
    const limiter = yield* makeLimiter
    const wait = yield* Refusals.makeWait
    const posts = new Buckets.Buckets(limits.readsPerSecond, 1000)
    return ControlApi.Requests.of((httpEffect, { endpoint, group }) =>
      Effect.gen(function* () {
        if (endpoint.method === "POST") {
          // One who sends what is refused takes nothing from others, and nothing from the changes.
          const { name } = yield* ControlApi.Operator
          const now = yield* Clock.currentTimeMillis
          if (posts.wait(Buckets.nameOf(name), now) > 0) return yield* tooMany("Too many requests", 1)
          posts.take(Buckets.nameOf(name), now)
          yield* checkBody
        } else if (group.identifier === ControlApi.DashboardGroup.identifier) {
          // A request that needs no token takes nothing from those that have one.
          yield* limiter("pages", limits.readsPerSecond, "1 second")
        } else {
          yield* limiter("reads", limits.readsPerSecond, "1 second")
        }
        return yield* Effect.catch(httpEffect, (error): Effect.Effect<never, unhandled | ControlApi.InvalidRequest> =>
          HttpApiError.HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders"
            ? Effect.fail(new ControlApi.InvalidRequest({ message: explain(error) }))
            : Effect.fail(error)
        )
      }).pipe(Effect.tapError((error: unknown) => (error instanceof ControlApi.TooManyRequests ? wait : Effect.void)))
    )
  })

/**
 * Effect that pays for a number of circuits that are sent, or fails.
 */
export type CircuitBudget = (
  circuits: number
) => Effect.Effect<unknown, ControlApi.TooManyRequests, HttpServerRequest.HttpServerRequest>

/**
 * Creates the budget of lists and joined streams.
 */
export const circuitBudget = ({ limits: { circuitsPerSecond } }: Resolved): Effect.Effect<CircuitBudget> =>
  Effect.map(
    makeLimiter,
    (limiter) => (circuits) =>
      // The longest list can be had, if not often.
      limiter("circuits", circuitsPerSecond, "1 second", Math.min(Math.max(1, circuits), circuitsPerSecond))
  )

/**
 * Fails with an error that says after how many seconds to try again.
 */
export const tooMany = (message: string, retryAfter: number) =>
  Effect.andThen(
    setHeader("retry-after", String(retryAfter)),
    Effect.fail(new ControlApi.TooManyRequests({ message, retryAfter }))
  )

const setHeader = (name: string, value: string) =>
  HttpEffect.appendPreResponseHandler((_, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, name, value))
  )

/** Creates a function that takes tokens of a bucket, or fails. */
const makeLimiter = /* @__PURE__ */ (() =>
  RateLimiter.make.pipe(
    Effect.provide(RateLimiter.layerStoreMemory, { local: true }),
    Effect.map(
      ({ consume }) =>
        (key: string, limit: number, window: Duration.Input, tokens = 1) =>
          Effect.catch(consume({ algorithm: "token-bucket", key, limit, window, tokens }), ({ reason }) =>
            tooMany(
              "Too many requests",
              reason._tag === "RateLimitExceeded" ? Math.max(1, Math.ceil(Duration.toSeconds(reason.retryAfter))) : 1
            )
          )
    )
  ))()

const explain = ({ cause, kind }: HttpApiError.HttpApiSchemaError): string => Text.cut(`${kind}: ${cause.message}`, 500)

/** Reads the body, which is kept for the route that decodes it. */
const checkBody = /* @__PURE__ */ (() =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { headers } = request
    // A form of another site can send any other type without being asked.
    if (
      !/^application\/json *(;|$)/i.test(headers["content-type"] ?? "") ||
      headers["content-encoding"] !== undefined
    ) {
      return yield* new ControlApi.NotJson({ message: "The body must be application/json" })
    }
    const tooLarge = new ControlApi.BodyTooLarge({
      message: `The body must be no longer than ${maxBodyBytes} bytes`,
      maxBytes: maxBodyBytes
    })
    if (Number(headers["content-length"] ?? 0) > maxBodyBytes) return yield* tooLarge
    yield* request.text.pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBodyBytes)),
      Effect.mapError(() => tooLarge)
    )
  }))()
