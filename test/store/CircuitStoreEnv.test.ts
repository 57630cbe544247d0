import { NodeRedis } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { Cause, ConfigProvider, Duration, Effect, Exit, Layer, Logger, Schedule, Scope } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreEnv from "../../src/store/CircuitStoreEnv.ts"
import * as Health from "../../src/health/Health.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import * as Postgres from "../support/postgres.ts"
import * as RedisTls from "../support/redis-tls.ts"
import { describeRedis, describeServer, serve } from "../support/redis.ts"

const environment = (variables: Record<string, string>) =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables }))

/** Opens a store of an environment, holds a circuit in it, and says what a second one reads. */
const share = (variables: Record<string, string>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const open = Effect.map(
      Layer.build(
        Layer.fresh(CircuitStoreEnv.layer({ postgres: PgClient.layer, redis: NodeRedis.layer })).pipe(
          Layer.provide([environment(variables), Logger.layer([logger])])
        )
      ),
      (context) => context.mapUnsafe.get(CircuitStore.CircuitStore.key) as CircuitStore.CircuitStore["Service"]
    )
    const [one, other] = [yield* open, yield* open]
    const cell = (): CircuitStore.Cell => ({
      name: "payments",
      key: undefined,
      current: CircuitState.initial,
      changed: () => Effect.void
    })
    const held: CircuitState.CircuitState = { _tag: "HeldOpen", generation: 1, since: 1 }
    yield* one.update(cell(), 0, () => [held, undefined])
    const { before } = yield* other.update(cell(), 0, (state) => [state, undefined])
    return { lines, read: before._tag }
  })

class Payments extends CircuitBreaker.Service<Payments>()("payments", {
  trip: TripPolicy.consecutive(2),
  openFor: "1 minute",
  log: false
}) {}

/** Starts an application that shares its breaker as the environment says, and looks after its store. */
const start = (url: string) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        Layer.provideMerge(
          Layer.mergeAll(Payments.layerShared, Health.layer({ checks: { circuits: Health.fromStore() } })),
          CircuitStoreEnv.layer({
            postgres: PgClient.layer,
            redis: NodeRedis.layer,
            timeout: "500 millis",
            pollEvery: "400 millis",
            log: false
          })
        )
      ).pipe(Layer.provide([environment({ DATABASE_URL: url }), Logger.layer([])]))
    ),
    (context) => ({
      state: Effect.provideContext(
        Payments.use((breaker) => Effect.map(breaker.status, ({ state }) => state._tag)),
        context
      ),
      call: <A, E>(work: Effect.Effect<A, E>) => Effect.provideContext(CircuitBreaker.protect(work, Payments), context),
      store: Effect.provideContext(Health.run("circuits"), context)
    })
  )

const until = <E>(condition: Effect.Effect<boolean, E>) =>
  condition.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("15 seconds")
  )

const isBelow = (taken: Duration.Duration, limit: number) => assert.isBelow(Duration.toMillis(taken), limit)

interface Outage {
  readonly url: string
  readonly begin: Effect.Effect<void>
  readonly end: Effect.Effect<unknown, unknown>
  /** What the store says of it. */
  readonly says: RegExp
}

/** Starts an application in an outage, which protects its calls and tells others when the outage is over. */
const startsIn = ({ begin, end, says, url }: Outage) =>
  Effect.gen(function* () {
    yield* begin
    const [taken, app] = yield* Effect.timed(start(url))
    isBelow(taken, 5000)
    const down = Effect.flip(app.call(Effect.fail("down")))
    const [waited] = yield* Effect.timed(Effect.all([app.call(Effect.succeed("charged")), down, down]))
    isBelow(waited, 400)
    assert.match(yield* failure(app.call(Effect.succeed("charged"))), /CircuitOpenError/)
    const { message = "", status } = yield* app.store
    assert.strictEqual(status, "degraded")
    assert.match(message, says)

    yield* end
    yield* until(Effect.map(app.store, (now) => now.status === "healthy"))
    const other = yield* start(url)
    yield* until(Effect.map(other.state, (tag) => tag === "Open"))
    assert.strictEqual(yield* app.state, "Open")
  }).pipe(
    Effect.scoped,
    Effect.onError(() => Effect.ignore(end))
  )

/** Ends an application in an outage. It was there before that. */
const endsIn = ({ begin, end, url }: Outage) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Scope.provide(start(url), scope)
    yield* begin
    yield* Effect.sleep("1 second")
    isBelow((yield* Effect.timed(Scope.close(scope, Exit.void)))[0], 5000)
  }).pipe(Effect.onError(() => Effect.ignore(end)))

const failure = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""))

describe("CircuitStoreEnv", () => {
  it.live("in-memory when PostgreSQL is not configured: nothing is shared, and the log says so", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.scoped(share({})), {
        lines: [
          "Circuits are not shared: RESILIENCE_DATABASE_URL is not set",
          "Circuits are not shared: RESILIENCE_DATABASE_URL is not set"
        ],
        read: "Closed"
      })
    })
  )

  it.live("a database for which there is no driver fails the layer", () =>
    Effect.gen(function* () {
      for (const [url, driver] of [
        ["postgres://localhost/app", "postgres"],
        ["redis://localhost", "redis"]
      ] as const) {
        const built = Layer.build(
          CircuitStoreEnv.layer({}).pipe(Layer.provide(environment({ RESILIENCE_DATABASE_URL: url })))
        )
        assert.match(
          yield* failure(Effect.scoped(built)),
          new RegExp(`MissingDriverError.*the environment says ${driver}, and the layer has no option`)
        )
      }
    })
  )

  it.live("a variable that breaks a rule fails the layer, with its name and without its value", () =>
    Effect.gen(function* () {
      const text = yield* failure(Effect.scoped(share({ RESILIENCE_DATABASE_URL: "http://user:secret@host/" })))
      assert.include(text, "RESILIENCE_DATABASE_URL")
      assert.notInclude(text, "secret")
    })
  )

  it.live("a password that goes to another machine without encryption is warned of once", () =>
    Effect.gen(function* () {
      const warnings = (url: string, log?: boolean) =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          const logger = Logger.make(({ message }) => void lines.push(String(message)))
          const store = CircuitStoreEnv.layer({ redis: () => Layer.effectContext(Effect.never), log })
          yield* Layer.build(store.pipe(Layer.provide([environment({ DATABASE_URL: url }), Logger.layer([logger])])))
          return lines.filter((line) => line.includes("without encryption"))
        }).pipe(Effect.scoped)
      assert.deepStrictEqual(yield* warnings("redis://:hunter2@cache.example"), [
        "The password of Redis goes to cache.example without encryption: write rediss:// in place of redis://, or set RESILIENCE_DATABASE_TLS to require"
      ])
      for (const url of ["rediss://:hunter2@cache.example", "redis://:hunter2@localhost", "redis://cache.example"]) {
        assert.deepStrictEqual(yield* warnings(url), [])
      }
      assert.deepStrictEqual(yield* warnings("redis://:hunter2@cache.example", false), [])
    })
  )

  layer(Postgres.layer, { excludeTestServices: true, timeout: "1 minute" })("PostgreSQL", (it) => {
    it.effect("PostgreSQL storage configured from the environment: circuits are shared", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const { lines, read } = yield* Effect.scoped(share({ DATABASE_URL: server.url }))
        assert.strictEqual(read, "HeldOpen")
        assert.match(lines[0] ?? "", /^Circuits are shared through PostgreSQL at 127.0.0.1:\d+, database postgres/)
        assert.notInclude(lines.join("\n"), new URL(server.url).password)
      })
    )

    it.effect("in-memory when PostgreSQL is away at the start: its trip reaches others when it is there", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const url = yield* server.database
        yield* startsIn({ url, begin: server.stop, end: server.start, says: /ECONNREFUSED/ })
      })
    )

    it.effect("starts and ends while the server hangs", () =>
      Effect.gen(function* () {
        const server = yield* Postgres.Server
        const hangs = { begin: server.freeze, end: server.thaw, says: /no answer within 500 ms/ }
        yield* startsIn({ url: yield* server.database, ...hangs })
        yield* endsIn({ url: yield* server.database, ...hangs })
      })
    )
  })

  describeRedis("any Redis", () => {
    it.live("circuits are shared", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const url = process.env["REDIS_URL"] ?? (yield* serve).url
          const variables = { RESILIENCE_DATABASE_URL: url, RESILIENCE_NAMESPACE: `${process.pid}-${Date.now()}` }
          assert.strictEqual((yield* Effect.scoped(share(variables))).read, "HeldOpen")
        })
      )
    )
  })

  RedisTls.describeTls("Redis with TLS", () => {
    it.live("circuits are shared where its certificate is trusted, or not checked, and else are not", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { ca, url } = yield* RedisTls.serve
          const read = (namespace: string, variables: Record<string, string>) =>
            Effect.map(
              Effect.scoped(share({ RESILIENCE_DATABASE_URL: url, RESILIENCE_NAMESPACE: namespace, ...variables })),
              (shared) => shared.read
            )
          assert.strictEqual(yield* read("trusted", { RESILIENCE_DATABASE_TLS_CA: ca }), "HeldOpen")
          assert.strictEqual(yield* read("not checked", { RESILIENCE_DATABASE_TLS: "no-verify" }), "HeldOpen")
          assert.strictEqual(yield* read("checked", {}), "Closed")
        })
      )
    )
  })

  describeServer("Redis", () => {
    it.live("a server that is away at the start: its trip reaches others when it is there", () =>
      Effect.scoped(
        Effect.flatMap(serve, ({ start, stop, url }) =>
          startsIn({ url, begin: stop, end: start, says: /ECONNREFUSED/ })
        )
      )
    )

    it.live("starts and ends while the server hangs", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { freeze, thaw, url } = yield* serve
          const hangs = { url, begin: freeze, end: thaw, says: /no answer within 500 ms|Socket timeout/ }
          yield* startsIn(hangs)
          yield* endsIn(hangs)
        })
      )
    )
  })
})
