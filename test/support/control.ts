import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Logger, References, Redacted, Schedule, Scope } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import * as Net from "node:net"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import type * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlClient from "../../src/control/ControlClient.ts"
import type * as ControlPlane from "../../src/control/ControlPlane.ts"

/** Token of the operators in tests. */
export const secret = "a-token-that-is-long-enough"

interface Logged {
  readonly message: unknown
  readonly annotations: Readonly<Record<string, unknown>>
}

/** Part of the services of a server. */
type Served = Layer.Layer<never, never, ControlPlane.ServerServices>

/** Serves a control plane, and a route of the application, from a real server. */
export const serve = (control: Served) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const logs: Array<Logged> = []
    const logger = Logger.make<unknown, void>(({ fiber, message }) => {
      logs.push({
        message: Array.isArray(message) ? message[0] : message,
        annotations: fiber.getRef(References.CurrentLogAnnotations)
      })
    })
    const routes = Layer.mergeAll(control, HttpRouter.add("GET", "/ping", HttpServerResponse.text("pong")))
    const context = yield* HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(CircuitBreakers.layer),
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "10 seconds" })
      ),
      Layer.provide(Logger.layer([logger])),
      Layer.buildWithScope(scope)
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const port = "port" in address ? address.port : 0
    const origin = `http://127.0.0.1:${port}`
    const url = `${origin}/resilience`
    const registry = Context.get(context, CircuitBreakers.CircuitBreakers)
    /** Ends the server, and tells how long that took in milliseconds. */
    const stop = Effect.suspend(() => {
      const began = performance.now()
      return Effect.map(Scope.close(scope, Exit.void), () => performance.now() - began)
    })
    yield* Effect.addFinalizer(() => stop)

    /** Requests a path of the control plane with the token, unless other headers are given. */
    const request = (path: string, { headers, ...init }: RequestInit = {}) =>
      Effect.promise((signal) =>
        fetch(`${url}${path}`, { signal, headers: headers ?? { authorization: `Bearer ${secret}` }, ...init })
      )
    /** Posts JSON to a path of the control plane. */
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      request(path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers }
      })
    return {
      origin,
      port,
      logs,
      registry,
      stop,
      request,
      post,
      client: ControlClient.make({ url, token: Redacted.make(secret) }).pipe(Effect.provide(FetchHttpClient.layer)),
      /** Creates a breaker of the service. */
      breaker: (name: string, options?: CircuitBreaker.Options) =>
        Effect.provideService(CircuitBreaker.make(name, options), CircuitBreakers.CircuitBreakers, registry)
    }
  })

/** Returns the status and the body of a response. */
export const answer = (response: Response) =>
  Effect.promise(async () => {
    const text = await response.text()
    // What the server sends is looked at by the tests.
    return [response.status, text === "" ? undefined : (JSON.parse(text) as Answer)] as const
  })

/** Fields of answers that tests look at. */
interface Answer {
  readonly _tag?: string
  readonly message?: string
  readonly circuits?: ReadonlyArray<ControlApi.Circuit>
  readonly total?: number
}

/** Sends bytes as they are, and returns what comes back until the connection closes. */
export const raw = (port: number, text: string) =>
  Effect.callback<string>((resume) => {
    let received = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(text))
    const done = () => resume(Effect.succeed(received))
    socket.on("data", (bytes) => (received += bytes.toString()))
    socket.on("error", done)
    socket.on("close", done)
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("5 seconds"), Effect.orDie)

/** Opens a stream of events and returns its socket, which is not read. */
export const open = (port: number, path = "/resilience/events", bearer = secret) =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket>((resume) => {
      const socket = Net.connect(port, "127.0.0.1", () => {
        socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${bearer}\r\n\r\n`)
        resume(Effect.succeed(socket))
      })
      socket.on("error", () => socket.destroy())
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Waits until a condition holds, for at most ten seconds. */
export const eventually = (what: string, holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(what))).pipe(
    Effect.retry({ times: 1500, schedule: Schedule.spaced("20 millis") }),
    Effect.orDie
  )
