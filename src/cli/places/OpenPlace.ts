/**
 * Opens the place that a command works on.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Scope from "effect/Scope"
import * as CircuitTableSql from "../../store/CircuitTableSql.ts"
import * as EnvVariables from "../../store/internal/EnvVariables.ts"
import type * as Failure from "../output/Failure.ts"
import type * as Place from "./Place.ts"
import type * as Flags from "../Flags.ts"
import * as Location from "./Location.ts"
import * as Stores from "./Stores.ts"
import * as TablePlace from "./TablePlace.ts"

/**
 * Opens the place that the flags and the environment name, until the scope closes.
 */
export const open: Effect.Effect<
  Place.Place,
  Failure.Failure,
  Scope.Scope | Stores.Stores | HttpClient.HttpClient | Flags.LocationFlags
> = Effect.gen(function* () {
  const where = yield* Location.where
  return yield* where._tag === "Control" ? control(where) : table(where.config)
})

// The HTTP client takes long to load.
const control = (where: Location.Control) =>
  Effect.flatMap(
    Effect.promise(() => import("./ControlPlace.ts")),
    (ControlPlace) => ControlPlace.open(where)
  )

const table = Effect.fnUntraced(function* ({ where, ...config }: Location.Stored["config"]) {
  if (where._tag === "None") return yield* Location.nowhere
  yield* Location.warn(EnvVariables.plainText(where))
  const { open } = yield* Stores.Stores
  const opened = yield* open({ ...config, where })
  return TablePlace.make(opened, config.namespace ?? CircuitTableSql.defaults.namespace)
})
