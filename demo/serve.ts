/**
 * The demo without an end: a service and a shop with their troubles, and beside
 * them the control plane with its dashboard.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { CircuitBreakers, ControlPlane, Health, HealthRoutes } from "effect-resilience"
import { Clock, Console, Context, Data, Duration, Effect, FiberSet, Layer, Option, Redacted, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import { phases } from "./phases.ts"
import * as Print from "./report.ts"
import * as Service from "./service.ts"
import * as Shop from "./shop.ts"
import { steady } from "./traffic.ts"
import * as Upstream from "./upstream.ts"

/**
 * What the command line says.
 */
export interface Flags {
  readonly port?: string | undefined
  readonly token?: string | undefined
  readonly for?: string | undefined
}

const everyMillis = 50

/** Calls the service while its upstream goes through all phases again and again. */
const prices = Effect.gen(function* () {
  const upstream = yield* Upstream.make
  const service = Service.make(upstream.url, Effect.void)
  const calls = yield* FiberSet.make<void>()
  yield* Effect.forkScoped(steady(calls, everyMillis, (n) => [Effect.ignore(service.price(`item-${n % 8}`))]))
  const play = Effect.forEach(
    phases,
    ({ millis, mode }) => Effect.andThen(upstream.become(mode), Effect.sleep(millis)),
    {
      discard: true
    }
  )
  yield* Effect.forkScoped(Effect.forever(play))
  return service
})

/** Prints each change of a circuit. */
const tellChanges = Effect.fnUntraced(function* (colours: Print.Paint) {
  const start = yield* Clock.currentTimeMillis
  yield* CircuitBreakers.changes.pipe(
    Stream.runForEach((change) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Console.log(Print.change(colours, now - start, change)))
    ),
    Effect.forkScoped({ startImmediately: true })
  )
})

/**
 * Error of a command line that nothing can be made of, or of a port that is
 * taken.
 */
class NotServed extends Data.TaggedError("NotServed")<{ readonly message: string }> {}

const read = Effect.fnUntraced(function* ({
  for: span,
  port = "4000",
  token = randomBytes(12).toString("hex")
}: Flags) {
  const number = Number(port)
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    return yield* new NotServed({ message: `--port must be a port, got ${port}` })
  }
  // A span from outside is checked here.
  const duration = span === undefined ? undefined : Option.getOrUndefined(Duration.fromInput(span as Duration.Input))
  if (span !== undefined && duration === undefined) {
    return yield* new NotServed({ message: `--for must be a duration such as "30 seconds", got ${span}` })
  }
  return { port: number, token, duration: duration ?? Duration.infinity }
})

/** What to try, with addresses to copy. */
const invitation = (colours: Print.Paint, url: string, token: string): string => `
${colours.bold("Dashboard")}  ${url}
${colours.bold("Token")}      ${token}

${colours.dim("From another terminal:")}
curl ${url}/hold-open -H "authorization: Bearer ${token}" -H "content-type: application/json" \\
  -d '{ "name": "prices", "reason": "to see what happens", "by": "me", "for": "20 seconds" }'
RESILIENCE_CONTROL_TOKEN=${token} npx resilience watch --url ${url}   ${colours.dim("# after npm run build")}

${colours.dim("Ctrl-C ends it.")}
`

/**
 * Runs the service and the shop with a dashboard, until it is interrupted or for
 * as long as the command line says.
 */
export const serve = Effect.fnUntraced(function* (colours: Print.Paint, flags: Flags) {
  const { duration, port, token } = yield* read(flags)
  const shop = Effect.gen(function* () {
    yield* tellChanges(colours)
    const service = yield* prices
    yield* Shop.open
    const control = yield* Effect.try({
      try: () =>
        ControlPlane.layer({ token: Redacted.make(token), policies: { prices: service.policy, ...Shop.policies } }),
      // It says what is wrong with the token.
      catch: (error) => new NotServed({ message: error instanceof Error ? error.message : String(error) })
    })
    const routes = Layer.merge(control, HealthRoutes.layer()).pipe(
      Layer.provide(Health.layer({ version: "0.1.0", checks: { ...service.checks, ...Shop.checks } }))
    )
    const server = yield* HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
      ),
      Layer.build
    )
    const { address } = Context.get(server, HttpServer.HttpServer)
    yield* Console.log(invitation(colours, `${HttpServer.formatAddress(address)}/resilience`, token))
    yield* Effect.sleep(duration)
  })
  yield* shop.pipe(
    Effect.scoped,
    Effect.provide([Service.Prices.layer, Shop.breakers]),
    Effect.catchTag("ServeError", ({ cause }) => new NotServed({ message: `port ${port}: ${String(cause)}` }))
  )
})
