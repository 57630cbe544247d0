/**
 * Control planes of real servers, and servers that are none.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, Logger, Redacted, Schedule, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import type { RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"

/** A token that must be in no output. */
export const token = "a-token-that-is-long-enough"

/** Environment of an operator with the token. */
export const env = { RESILIENCE_CONTROL_TOKEN: token }

interface Options extends ControlPlane.TokenOptions {
  /** Port, where it has to be that of a server before. */
  readonly port?: number
}

/** Serves the control plane of an application, which has breakers. */
export const serve = ({ port = 0, ...options }: Options = {}) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const logs: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => logs.push(String(message)))
    const control = ControlPlane.layer({ token: Redacted.make(token), ...options })
    const context = yield* HttpRouter.serve(control, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(CircuitBreakers.layer),
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
      ),
      Layer.provide(Logger.layer([logger])),
      Layer.buildWithScope(scope)
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    const bound = "port" in address ? address.port : 0
    const registry = Context.get(context, CircuitBreakers.CircuitBreakers)
    const stop = Scope.close(scope, Exit.void)
    yield* Effect.addFinalizer(() => stop)
    return {
      port: bound,
      url: `http://127.0.0.1:${bound}/resilience`,
      logs,
      stop,
      /** Creates a breaker of the application, which lives as long as the server. */
      breaker: (name: string, options?: CircuitBreaker.Options) =>
        CircuitBreaker.make(name, options).pipe(
          Effect.provideService(CircuitBreakers.CircuitBreakers, registry),
          Scope.provide(scope)
        )
    }
  })

/** Serves something that is no control plane. */
export const answer = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  ).pipe(
    Effect.map((server) => {
      // It listens at an address with a port.
      const { port } = server.address() as AddressInfo
      return `127.0.0.1:${port}`
    })
  )

/** Waits until a condition holds, for at most ten seconds. */
export const eventually = <R>(what: string, holds: Effect.Effect<boolean, never, R>) =>
  Effect.flatMap(holds, (held) => (held ? Effect.void : Effect.fail(what))).pipe(
    Effect.retry({ times: 1500, schedule: Schedule.spaced("20 millis") }),
    Effect.orDie
  )
