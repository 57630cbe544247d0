/**
 * Messages for errors of control planes: one line, without secrets.
 */
import type * as Cause from "effect/Cause"
import type * as Sse from "effect/encoding/Sse"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import type * as ControlApi from "../../control/ControlApi.ts"
import * as Explain from "./Explain.ts"
import * as Failure from "../output/Failure.ts"
import * as Print from "../output/Print.ts"
import * as Location from "./Location.ts"

/**
 * Error of a request, including its timeout.
 */
export type ControlError =
  | ControlApi.Unauthorized
  | ControlApi.Forbidden
  | ControlApi.InvalidRequest
  | ControlApi.BodyTooLarge
  | ControlApi.NotJson
  | ControlApi.TooManyRequests
  | ControlApi.UnknownCircuit
  | HttpClientError.HttpClientError
  | Schema.SchemaError
  | Sse.SseError
  | Sse.Retry
  | Cause.TimeoutError

interface Refusal {
  readonly status: number
  /** Present if the server is a control plane. */
  readonly message: string | undefined
  /** Seconds. */
  readonly retryAfter: number | undefined
}

const statuses = {
  Unauthorized: 401,
  Forbidden: 403,
  InvalidRequest: 400,
  BodyTooLarge: 413,
  NotJson: 415,
  TooManyRequests: 429,
  UnknownCircuit: 404
} as const

/**
 * Returns an error as the failure of a command. `asked` is `change` if the request
 * was to change something.
 */
export const explain = (error: ControlError, control: Location.Control, asked: "read" | "change"): Failure.Failure => {
  const at = label(control)
  const clean = (text: string) => scrub(text, control)
  const perhaps = asked === "change" ? ", the change may have been made" : ""
  switch (error._tag) {
    case "HttpClientError":
      break
    case "TimeoutError":
      return Failure.failed(`no answer in time${perhaps}: ${at}`)
    case "Retry":
      return Failure.failed(`the stream of events ended (${at})`)
    case "SchemaError":
    case "SseError":
      return Failure.failed(`the answer is not from a control plane of this version${perhaps} (${at})`)
    default:
      return refused(
        {
          status: statuses[error._tag],
          message: error.message,
          retryAfter: error._tag === "TooManyRequests" ? error.retryAfter : undefined
        },
        control,
        asked
      )
  }
  const { response } = error
  // A connection that broke within an answer does not mean that another server answered.
  if (response === undefined || (response.status < 300 && error.cause !== undefined)) {
    const detail = Explain.cause(error).messages.at(-1) ?? "it failed"
    return Failure.failed(Explain.connection(error, at, clean) ?? `${clean(detail)} (${at})`)
  }
  const { headers, status } = response
  const seconds = Number(headers["retry-after"])
  return refused({ status, message: undefined, retryAfter: seconds > 0 ? seconds : undefined }, control, asked)
}

/**
 * Returns whether a request would be refused again however often it is repeated.
 */
export const isFinal = (error: ControlError): boolean => error._tag === "Unauthorized" || error._tag === "Forbidden"

export const label = ({ url }: Location.Control): string => `control plane ${Print.safe(address(url))}`

/**
 * Returns the address of a control plane, without a slash at its end.
 */
export const address = (url: URL): string => url.href.replace(/\/+$/, "")

const refused = (
  { message, retryAfter, status }: Refusal,
  control: Location.Control,
  asked: "read" | "change"
): Failure.Failure => {
  const at = label(control)
  const detail = message === undefined ? "" : `: ${scrub(message, control)}`
  switch (status) {
    case 400:
      return Failure.failed(`the request was refused${detail || ": bad request"} (${at})`)
    case 401:
      return Failure.failed(
        control.token === undefined
          ? `a token is required: set ${Location.variables.token} (${at})`
          : `the token in ${Location.variables.token} was refused (${at})`
      )
    case 403:
      return Failure.failed(`not allowed${detail} (${at})`)
    case 404:
      if (message !== undefined) return Failure.unknown(`the circuit no longer exists${detail} (${at})`)
      return Failure.failed(
        asked === "change" ? `the control plane is read-only: it is mounted without a token (${at})` : absent(control)
      )
    case 413:
      return Failure.failed(`the request is too large${detail} (${at})`)
    case 415:
      return Failure.failed(`the server refuses JSON${detail} (${at})`)
    case 429:
      return Failure.failed(
        `too many requests: try again ${retryAfter === undefined ? "later" : `in ${Print.span(retryAfter * 1000)}`} (${at})`
      )
    default:
      return Failure.failed(
        status < 400
          ? `${absent(control)}: ${status < 300 ? "another server answers" : `the answer is a redirect (${status})`}`
          : `the server answered ${status} (${at})`
      )
  }
}

const absent = ({ url }: Location.Control): string =>
  `there is no control plane at ${Print.safe(address(url))}${
    url.pathname === "/" ? ": its prefix is part of the address, as in /resilience" : ""
  }`

const scrub = (text: string, { token }: Location.Control): string =>
  Explain.oneLine(text, token === undefined ? [] : [Redacted.value(token)])
