/**
 * A price server on loopback that works, fails, hangs or is overloaded, as it
 * is told.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, Latch } from "effect"
import { HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import type { Mode } from "./phases.ts"

/**
 * A running server.
 */
export interface Upstream {
  readonly url: string
  /** Requests that arrived since it was started. */
  readonly hits: () => number
  readonly become: (mode: Mode) => Effect.Effect<void>
}

/**
 * Starts a server that works, on a port that is free, until the scope closes.
 */
export const make = Effect.gen(function* () {
  const answering = yield* Latch.make(true)
  let mode: Mode = "works"
  let hits = 0

  const price = (request: HttpServerRequest.HttpServerRequest) =>
    HttpServerResponse.json({ item: request.url.slice(1), cents: 1_999 })

  const handle = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const hit = hits++
    yield* Effect.sleep(10 + 5 * (hit % 5))
    switch (mode) {
      case "works":
        return yield* price(request)
      case "slow":
        yield* Effect.sleep(500)
        return yield* price(request)
      case "fails":
        if (hit % 2 === 0) return HttpServerResponse.text("out of order", { status: 500 })
        NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy()
        return yield* Effect.never
      case "hangs":
        yield* Latch.await(answering)
        return yield* price(request)
      case "overloaded":
        yield* Effect.sleep(150)
        return HttpServerResponse.text("too many requests", { status: 429, headers: { "retry-after": "2" } })
    }
  })

  const server = yield* NodeHttpServer.make(() => createServer(), {
    host: "127.0.0.1",
    port: 0,
    gracefulShutdownTimeout: "1 second"
  })
  // A handler is not interruptible by itself, and one that hangs has to end when its client goes away.
  yield* server.serve(Effect.interruptible(handle))

  const upstream: Upstream = {
    url: HttpServer.formatAddress(server.address),
    hits: () => hits,
    become: (next) =>
      Effect.suspend(() => {
        mode = next
        return next === "hangs" ? Latch.close(answering) : Latch.open(answering)
      })
  }
  return upstream
})
