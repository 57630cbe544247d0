/**
 * Client of a control plane, derived from the definition that the server uses.
 *
 * **Example** (Holding a circuit open for ten minutes)
 *
 * ```ts
 * import { Duration, Effect, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { ControlClient } from "effect-resilience"
 *
 * const program = Effect.gen(function*() {
 *   const client = yield* ControlClient.make({
 *     url: "https://orders.internal/resilience",
 *     token: Redacted.make("correct-horse-battery-staple")
 *   })
 *   return yield* client.operations.holdOpen({
 *     payload: { name: "payments", reason: "provider maintenance", by: "ada", for: Duration.minutes(10) }
 *   })
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 * ```
 */
import * as Effect from "effect/Effect"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as PlainText from "../core/internal/PlainText.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as ControlApi from "./ControlApi.ts"

/**
 * Client of a control plane: `circuits` reads, `health` reports, `operations`
 * changes.
 */
export type ControlClient = HttpApiClient.ForApi<typeof ControlApi.Api>

const module = "ControlClient"

/**
 * Options of a client.
 */
export interface Options {
  /** Address of the control plane with its prefix, such as `"https://orders.internal/resilience"`. */
  readonly url: string | URL
  /** Token sent with every request. Default: none. */
  readonly token?: Redacted.Redacted | undefined
}

/**
 * Options of a client, checked.
 */
export interface Resolved {
  /** Address without a slash at its end. */
  readonly url: string
  readonly token: Redacted.Redacted | undefined
}

/**
 * Checks options. Throws an `InvalidOptionError` that does not reveal secrets.
 */
export const resolve = ({ token, url }: Options): Resolved => {
  // A value of any other type may be the secret itself.
  if (token !== undefined && !Redacted.isRedacted(token)) Rules.reject(module, "token", "another value", "a Redacted")
  return { url: address(url), token }
}

/**
 * Creates a client.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` for an address that is not an http or https URL,
 * or that holds a user, a query or a fragment. A token that goes to another
 * machine over http is logged as a warning. A reading request that is refused
 * with 429 waits for `retry-after`, if that is at most 2 seconds, and is sent again, three
 * times at most. Nothing else is tried again: an operation may have been done
 * although its answer was lost.
 */
export const make = (options: Options): Effect.Effect<ControlClient, never, HttpClient.HttpClient> => {
  const { token, url } = resolve(options)
  const warning = token === undefined ? undefined : PlainText.ofToken(url)
  const client = HttpApiClient.make(ControlApi.Api, {
    baseUrl: url,
    transformClient: (client) =>
      patient(token === undefined ? client : HttpClient.mapRequest(client, HttpClientRequest.bearerToken(token)))
  })
  return warning === undefined ? client : Effect.andThen(Effect.logWarning(warning), client)
}

const maxRepeats = 3
const maxWaitSeconds = 2

/** Sends reading requests again that came too soon. */
const patient = <E, R>(client: HttpClient.HttpClient.With<E, R>): HttpClient.HttpClient.With<E, R> =>
  HttpClient.transform(client, (response, { method }) => {
    const ask = (repeats: number): typeof response =>
      Effect.flatMap(response, (answer) => {
        const seconds = Number(answer.headers["retry-after"])
        const isTooSoon = method === "GET" && answer.status === 429 && repeats < maxRepeats
        if (!isTooSoon || !(seconds > 0 && seconds <= maxWaitSeconds)) return Effect.succeed(answer)
        // The rest of the body is not waited for.
        return Effect.ignore(Stream.runHead(answer.stream)).pipe(
          Effect.andThen(Effect.sleep(seconds * 1000)),
          Effect.andThen(ask(repeats + 1))
        )
      })
    return ask(0)
  })

const address = (url: string | URL): string => {
  const rule = "an http or https URL without user, query and fragment"
  // The address may hold a password.
  const reject = () => Rules.reject(module, "url", "another text", rule)
  const text = String(url)
  if (!URL.canParse(text)) return reject()
  const { hash, origin, password, pathname, protocol, search, username } = new URL(text)
  return /^https?:$/.test(protocol) && username === "" && password === "" && search === "" && hash === ""
    ? `${origin}${pathname.replace(/\/+$/, "")}`
    : reject()
}
