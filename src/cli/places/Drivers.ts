/**
 * Stores of the CLI. Each driver is loaded when it is needed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import { hasProperty } from "effect/Predicate"
import * as Background from "../../core/internal/Background.ts"
import * as CircuitMigration from "../../store/CircuitMigration.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as CircuitTableRedis from "../../store/CircuitTableRedis.ts"
import * as CircuitTableSql from "../../store/CircuitTableSql.ts"
import * as DriverOptions from "../../store/internal/DriverOptions.ts"
import type * as EnvVariables from "../../store/internal/EnvVariables.ts"
import * as BoundedFetch from "./BoundedFetch.ts"
import * as Explain from "./Explain.ts"
import * as Failure from "../output/Failure.ts"
import * as Location from "./Location.ts"
import * as Stores from "./Stores.ts"

/** How long an operation on the table may take. */
const timeout = "10 seconds"
/** How long `setup` may take, which waits for other runs of it. */
const setupTimeout = "2 minutes"
/** How long to wait for a connection. */
const connectTimeout = "5 seconds"
/** How long to wait for a connection to close. */
const closeTimeout = "1 second"

/**
 * Loads a driver, and fails with the packages to install if it is missing.
 */
const load = <A>(packages: ReadonlyArray<string>, load: () => Promise<A>): Effect.Effect<A, Failure.Failure> =>
  Effect.tryPromise({
    try: load,
    catch: (error) =>
      Failure.failed(
        hasProperty(error, "code") && error.code === "ERR_MODULE_NOT_FOUND"
          ? `this store needs ${packages.join(" and ")}: npm install ${packages.join(" ")}`
          : `${packages.join(" and ")} cannot be loaded: ${Explain.oneLine(String(error))}`
      )
  })

const bounded = <A, R>(operation: Effect.Effect<A, CircuitTable.TableError, R>) =>
  Effect.timeoutOrElse(operation, {
    duration: timeout,
    orElse: () => Effect.fail(new CircuitTable.TableError({ message: `no answer within ${timeout}` }))
  })

const boundedTable = (table: CircuitTable.CircuitTable): CircuitTable.CircuitTable => ({
  ...table,
  read: (resourceKeys) => bounded(table.read(resourceKeys)),
  changes: (since) => bounded(table.changes(since)),
  write: (draft, expected) => bounded(table.write(draft, expected))
})

/**
 * Builds a client that lasts until the scope closes.
 */
const connect = <A, E>(target: Stores.Target, table: string, client: Layer.Layer<A, E>) =>
  Background.acquire(Layer.build(client), { closeTimeout }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail({ message: `no answer within ${timeout}` })
    }),
    Effect.mapError((error) => Failure.failed(Explain.explain(error, target, table)))
  )

const postgres = (target: Stores.Target, where: EnvVariables.Postgres, table: string) =>
  Effect.gen(function* () {
    const PgClient = yield* load(["@effect/sql-pg"], () => import("@effect/sql-pg/PgClient"))
    const options = DriverOptions.pgOptions(where)
    return yield* connect(
      target,
      table,
      PgClient.layer({
        ...options,
        connectTimeout: options.connectTimeout ?? connectTimeout,
        applicationName: options.applicationName ?? "resilience",
        maxConnections: 3
      })
    )
  })

const redis = (target: Stores.Target, where: EnvVariables.Redis, prefix: string) =>
  Effect.gen(function* () {
    const NodeRedis = yield* load(["@effect/platform-node", "redis"], () => import("@effect/platform-node/NodeRedis"))
    const { socket, ...options } = DriverOptions.redisOptions(where)
    return yield* connect(
      target,
      prefix,
      NodeRedis.layer({ ...options, socket: { ...socket, connectTimeout: Duration.toMillis(connectTimeout) } })
    )
  })

const open: Stores.Stores["Service"]["open"] = (target) =>
  Location.checked(
    Effect.gen(function* () {
      const { namespace, table: named, where } = target
      const name =
        named ?? (where._tag === "Postgres" ? CircuitMigration.defaults.table : CircuitTableRedis.defaults.prefix)
      const table =
        where._tag === "Postgres"
          ? yield* Effect.provideContext(
              CircuitTableSql.make({ namespace, table: named }),
              yield* postgres(target, where, name)
            )
          : yield* Effect.provideContext(
              CircuitTableRedis.make({ namespace, prefix: named }),
              yield* redis(target, where, name)
            )
      return {
        table: boundedTable(table),
        explain: (error: CircuitTable.TableError) => Failure.failed(Explain.explain(error, target, name))
      }
    })
  )

const setup: Stores.Stores["Service"]["setup"] = (target) =>
  Location.checked(
    Effect.scoped(
      Effect.gen(function* () {
        const { table: named, where } = target
        if (where._tag === "Redis") return "current"
        const name = named ?? CircuitMigration.defaults.table
        const client = yield* postgres(target, where, name)
        return yield* CircuitMigration.apply({ table: named }).pipe(
          Effect.provideContext(client),
          Effect.timeoutOrElse({
            duration: setupTimeout,
            orElse: () => Effect.fail(new CircuitTable.TableError({ message: `no answer within ${setupTimeout}` }))
          }),
          Effect.mapError((error) => Failure.failed(Explain.explain(error, target, name)))
        )
      })
    )
  )

/**
 * Provides the stores. `operator` is the name of the person at the terminal.
 */
export const layer = (operator: string): Layer.Layer<Stores.Stores> =>
  Layer.succeed(Stores.Stores, {
    open,
    setup,
    operator
  })

/**
 * Provides the HTTP client for control planes. It follows no redirects, so that a
 * token goes only to the server that was named, and bounds what it takes.
 */
export const http: Layer.Layer<HttpClient.HttpClient> = FetchHttpClient.layer.pipe(
  Layer.provide([
    Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }),
    Layer.succeed(FetchHttpClient.Fetch, BoundedFetch.make(fetch))
  ])
)
