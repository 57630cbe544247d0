/**
 * What every command of the CLI is told: where circuits are shared, under which
 * names, and how to print.
 */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { InvalidOptionError } from "../Options.ts"
import * as StoreConfig from "../StoreConfig.ts"
import * as Failure from "./Failure.ts"

/**
 * Flag that says where circuits are shared.
 */
export const Url = GlobalFlag.Setting("url")<Option.Option<Redacted.Redacted>>({
  flag: Flag.Redacted("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Store, in place of the environment's"),
    Flag.optional
  )
})

/**
 * Flag that says in which namespace the circuits are.
 */
export const Namespace = GlobalFlag.Setting("namespace")<Option.Option<string>>({
  flag: Flag.String("namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Namespace of the circuits"),
    Flag.optional
  )
})

/**
 * Flag that says which table the circuits are in.
 */
export const Table = GlobalFlag.Setting("table")<Option.Option<string>>({
  flag: Flag.String("table").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Table of the circuits"),
    Flag.optional
  )
})

/**
 * Flag that asks for JSON.
 */
export const Json = GlobalFlag.Setting("json")<boolean>({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withoutNegation, Flag.withDefault(false))
})

/**
 * Flags that every command takes.
 */
export const flags = [Url, Namespace, Table, Json] as const

/**
 * Reads where circuits are shared from the flags, and from the environment
 * where a flag is absent.
 */
export const config = Effect.gen(function* () {
  const url = yield* Url
  const namespace = yield* Namespace
  const table = yield* Table
  const variables = yield* Effect.mapError(StoreConfig.variablesConfig, () =>
    Failure.failed("the environment cannot be read")
  )
  const parsed = StoreConfig.fromVariables(
    {
      ...variables,
      ...(Option.isSome(namespace) ? { namespace: namespace.value } : undefined),
      ...(Option.isSome(table) ? { table: table.value } : undefined)
    },
    Option.isSome(url) ? { variable: "--url", text: url.value } : undefined
  )
  return yield* Effect.fromResult(Result.mapError(parsed, (error) => Failure.usage(error.message)))
})

/**
 * Says that no store is configured.
 */
export const nowhere = Failure.usage(
  `no store is configured: set ${StoreConfig.variables.url}, or give --url (see --help)`
)

/**
 * Fails where a name breaks a rule of a store: that is the operator's mistake,
 * and no defect.
 */
export const checked = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure.Failure, R> =>
  Effect.catchDefect(effect, (defect) =>
    defect instanceof InvalidOptionError
      ? Effect.fail(Failure.usage(`${defect.field} must be ${defect.rule}, got ${JSON.stringify(defect.value)}`))
      : Effect.die(defect)
  )
