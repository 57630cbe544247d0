/**
 * A server on loopback that returns given answers, in order.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect } from "effect"
import { HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

/**
 * Answer to one request.
 */
export interface Answer {
  readonly status: number
  readonly body?: string
  readonly headers?: { readonly [name: string]: string }
}

/**
 * Starts a server on a port that is free, until the scope closes.
 */
export const make = Effect.gen(function* () {
  const answers: Array<Answer> = []
  let hits = 0
  const server = yield* NodeHttpServer.make(() => createServer(), { host: "127.0.0.1", port: 0 })
  yield* server.serve(
    Effect.sync(() => {
      hits++
      const { body = "", headers, status } = answers.shift() ?? { status: 200 }
      return HttpServerResponse.text(body, { status, headers })
    })
  )
  return {
    url: HttpServer.formatAddress(server.address),
    /** Gives the answers to the next requests. */
    answer: (...next: ReadonlyArray<Answer>): void => void answers.push(...next),
    /** Requests so far. */
    hits: () => hits
  }
})
