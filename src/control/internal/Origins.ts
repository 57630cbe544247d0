/**
 * Requests that browsers make for pages of other sites.
 *
 * **Details**
 *
 * - Browsers say in `sec-fetch-site` and `origin` which page makes a request, and
 *   no page can change either. Other programs send neither.
 * - `same-origin` is believed whatever the host is: a proxy may change that.
 *   `x-forwarded-host` is not read, because not every proxy sets it.
 *
 * **Gotchas**
 *
 * Browsers send no `sec-fetch-site` to a host that is neither loopback nor
 * encrypted, and no `origin` with a GET that does not ask to read the answer.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as ControlApi from "../ControlApi.ts"

/**
 * Part of a control plane: its page, which may be opened by a link, or its data.
 */
export type Part = "page" | "data"

/**
 * Answers a request for a page of another site with 403, and runs all others.
 */
export const guard = (origins: ReadonlyArray<string>, part: Part) => {
  const forbidden = HttpServerResponse.jsonUnsafe(
    {
      _tag: "Forbidden",
      message: "This is a request of another site. The option origins names those that may make one."
    } satisfies (typeof ControlApi.Forbidden)["Encoded"],
    { status: 403 }
  )
  return <E, R>(httpEffect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      isAllowed(request, origins, part) ? httpEffect : Effect.succeed(forbidden)
    )
}

const isAllowed = (
  request: HttpServerRequest.HttpServerRequest,
  origins: ReadonlyArray<string>,
  part: Part
): boolean => {
  const { origin, "sec-fetch-dest": dest, "sec-fetch-mode": mode, "sec-fetch-site": site } = request.headers
  if (site === "same-origin" || (origin !== undefined && origins.includes(origin))) return true
  if (site === undefined || site === "none") return origin === undefined || isOwn(request, origin)
  return part === "page" && mode === "navigate" && dest === "document"
}

/** Returns whether an origin is the one that the request was sent to. A proxy may have another scheme. */
const isOwn = (request: HttpServerRequest.HttpServerRequest, origin: string): boolean => {
  const host = request.headers["host"] ?? (request.source instanceof Request ? new URL(request.source.url).host : "")
  const scheme = /^https?:\/\/(?=[^/@]+$)/.exec(origin)?.[0]
  if (scheme === undefined || !URL.canParse(origin) || !URL.canParse(scheme + host)) return false
  return new URL(origin).host === new URL(scheme + host).host
}
