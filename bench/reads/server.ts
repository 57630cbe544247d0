/**
 * An application with 100 000 keys, a control plane that is open to all, and
 * probes. Says on which port it listens.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { CircuitBreaker, ControlPlane, Health, HealthRoutes } from "effect-resilience"
import { createServer } from "node:http"

const keys = 100_000

class Search extends CircuitBreaker.Service<Search>()("search", { log: false, keys: { max: 2 * keys } }) {}

const Keys = Layer.effectDiscard(
  Effect.gen(function* () {
    const search = yield* Search
    for (let i = 0; i < keys; i++) yield* Effect.void.pipe(CircuitBreaker.protect(search, { key: `key-${i}` }))
  })
)

const Listening = Layer.effectDiscard(
  HttpServer.HttpServer.useSync(({ address }) => {
    process.send?.("port" in address ? address.port : 0)
  })
)

const Routes = Layer.mergeAll(ControlPlane.layer(), HealthRoutes.layer(), Keys)

// A request that comes before the routes are there is not answered.
Listening.pipe(
  Layer.provide(HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true })),
  Layer.provide(Search.layer),
  Layer.provide(Health.layer()),
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.launch,
  NodeRuntime.runMain
)
