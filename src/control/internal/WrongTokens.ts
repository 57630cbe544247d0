/**
 * Log of wrong tokens: a line for each within the limit, and one line a minute
 * for all beyond it.
 */
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import * as Text from "../../core/internal/Text.ts"

type Request = HttpServerRequest.HttpServerRequest

/** Address of the client, as a trusted proxy middleware of the application says it. */
const addressOf = ({ remoteAddress }: Request): string => Option.getOrElse(remoteAddress, () => "an unknown address")

const warn = (text: string, address: string, annotations: Readonly<Record<string, string>> = {}) =>
  Effect.annotateLogs(Effect.logWarning(`Control plane refused ${text} from ${Text.quoted(address)}`), {
    ...annotations,
    "control.peer": Text.printable(address)
  })

/**
 * Creates the log of wrong tokens.
 */
export const make = /* @__PURE__ */ (() =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let more = 0
    let last = ""
    const summary = Effect.suspend(() => {
      const text = more === 1 ? "1 more wrong token," : `${more} more wrong tokens, the last`
      more = 0
      return warn(text, last)
    })
    return {
      /** Logs a wrong token. */
      log: (request: Request, action: string) =>
        warn("a wrong token", addressOf(request), { "control.action": action }),
      /** Counts a wrong token that is beyond the limit. */
      count: (request: Request) =>
        Effect.suspend(() => {
          last = addressOf(request)
          if (more++ > 0) return Effect.void
          return Effect.forkIn(Effect.ensuring(Effect.sleep("1 minute"), summary), scope)
        })
    }
  }))()
