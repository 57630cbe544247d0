/**
 * An HTTP server on loopback that works, fails or hangs, as it is told, and
 * knows of every request who sent it, when, and in which state of a circuit.
 */
import { Data, Effect } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { wallMillis } from "./messages.ts"

/**
 * What an upstream does with a request: it answers 200, answers 500, or does
 * not answer until it does something else.
 */
export type Mode = "works" | "fails" | "hangs"

/**
 * Request that arrived.
 */
export interface Hit {
  /** When it arrived, in milliseconds since the epoch, with fractions. */
  readonly at: number
  /** Worker that sent it. */
  readonly worker: string
  /** State in which the worker's circuit admitted it. `HalfOpen` makes it a probe. */
  readonly state: string
  /** When that state began, in milliseconds since the epoch. Workers know it to a few milliseconds. */
  readonly since: number
  /** What the upstream did when it arrived. */
  readonly mode: Mode
  /** Requests that were not answered when it arrived, itself included. */
  readonly inFlight: number
}

/**
 * A running server.
 */
export interface Upstream {
  readonly url: string
  readonly mode: () => Mode
  /** Does something else from now on. Requests that hang are answered by it. */
  readonly become: (mode: Mode) => Effect.Effect<void>
  /** Requests in the order in which they arrived, `from` the n-th on. */
  readonly hits: (from?: number) => ReadonlyArray<Hit>
  /** How many requests arrived. */
  readonly count: () => number
}

/**
 * Options of an upstream.
 */
export interface Options {
  /** How long an answer takes, in milliseconds. Default: 5. */
  readonly takesMillis?: number | undefined
}

/**
 * Error of a server that could not be started.
 */
export class UpstreamError extends Data.TaggedError("UpstreamError")<{ readonly cause: unknown }> {}

/**
 * Starts a server that works, on a port that is free, until the scope closes.
 */
export const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const { takesMillis = 5 } = options
    const hits: Array<Hit> = []
    const hanging = new Set<ServerResponse>()
    let mode: Mode = "works"
    let inFlight = 0

    const answer = (response: ServerResponse) => {
      response.writeHead(mode === "works" ? 200 : 500, { "content-type": "text/plain" }).end(mode)
    }
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      const header = (name: string) => String(request.headers[name] ?? "")
      inFlight++
      hits.push({
        at: wallMillis(),
        worker: header("x-worker"),
        state: header("x-state"),
        since: Number(header("x-since")),
        mode,
        inFlight
      })
      const timer = setTimeout(() => {
        if (mode === "hangs") hanging.add(response)
        else answer(response)
      }, takesMillis)
      response.on("close", () => {
        inFlight--
        clearTimeout(timer)
        hanging.delete(response)
      })
    }

    const server = createServer(handle)
    const port = yield* Effect.acquireRelease(
      Effect.callback<number, UpstreamError>((resume) => {
        server.once("error", (cause) => resume(Effect.fail(new UpstreamError({ cause }))))
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )

    const upstream: Upstream = {
      url: `http://127.0.0.1:${port}`,
      mode: () => mode,
      become: (next) =>
        Effect.sync(() => {
          mode = next
          if (next === "hangs") return
          for (const response of hanging) answer(response)
          hanging.clear()
        }),
      hits: (from = 0) => hits.slice(from),
      count: () => hits.length
    }
    return upstream
  })

/**
 * Returns the probes of each half-open episode.
 *
 * **Details**
 *
 * Workers number their states themselves, so an episode is known by when it
 * began. Episodes are at least `apartMillis` apart, such as half the open time.
 */
export const episodes = <A extends Pick<Hit, "state" | "since">>(
  hits: ReadonlyArray<A>,
  apartMillis: number
): ReadonlyArray<readonly [since: number, probes: ReadonlyArray<A>]> => {
  const all: Array<readonly [number, Array<A>]> = []
  for (const hit of hits.filter(({ state }) => state === "HalfOpen")) {
    const episode = all.find(([since]) => Math.abs(hit.since - since) < apartMillis)
    if (episode === undefined) all.push([hit.since, [hit]])
    else episode[1].push(hit)
  }
  return all
}

/**
 * Returns the highest number of requests that arrived within any `millis`.
 */
export const mostWithin = (hits: ReadonlyArray<Hit>, millis: number): number => {
  let most = 0
  let first = 0
  hits.forEach(({ at }, last) => {
    while (at - (hits[first]?.at ?? at) >= millis) first++
    most = Math.max(most, last - first + 1)
  })
  return most
}
