/**
 * Where the circuits are, by the flags and the environment.
 */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { InvalidOptionError } from "../../core/Options.ts"
import * as EnvVariables from "../../store/internal/EnvVariables.ts"
import * as Flags from "../Flags.ts"
import * as Failure from "../output/Failure.ts"
import * as Print from "../output/Print.ts"

/**
 * Variables with the address and the token of a control plane.
 */
export const variables = {
  url: "RESILIENCE_CONTROL_URL",
  token: "RESILIENCE_CONTROL_TOKEN"
} as const

export interface Control {
  readonly _tag: "Control"
  readonly url: URL
  readonly token: Redacted.Redacted | undefined
}

export interface Stored {
  readonly _tag: "Store"
  readonly config: EnvVariables.StoreConfig
}

const isHttp = (url: Redacted.Redacted): boolean => /^\s*https?:/i.test(Redacted.value(url))

/**
 * Reads the location of the store from the flags, or from the environment if a
 * flag is absent.
 */
export const config = Effect.gen(function* () {
  const url = yield* Flags.Url
  const namespace = yield* Flags.Namespace
  const table = yield* Flags.Table
  if (Option.isSome(url) && isHttp(url.value)) {
    return yield* Failure.usage("--url must be the address of a store: a control plane has no table")
  }
  const variables = yield* readable(EnvVariables.variablesConfig)
  const parsed = EnvVariables.fromVariables(
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
 * Reads the location of the circuits from the flags, or from the environment if a
 * flag is absent.
 */
export const where = Effect.gen(function* (): Effect.fn.Return<Control | Stored, Failure.Failure, Flags.LocationFlags> {
  const flag = yield* Flags.Url
  const variable = Option.isSome(flag) ? "--url" : variables.url
  const url = Option.isSome(flag) ? flag : yield* given(variables.url)
  if (Option.isNone(url) || (Option.isSome(flag) && !isHttp(url.value))) return { _tag: "Store", config: yield* store }
  const names = yield* Effect.all({ "--namespace": Flags.Namespace, "--table": Flags.Table })
  for (const [name, value] of Object.entries(names)) {
    if (Option.isSome(value)) return yield* Failure.usage(`${name} does not apply to a control plane: leave it out`)
  }
  return {
    _tag: "Control",
    url: yield* address(variable, Redacted.value(url.value).trim()),
    token: yield* Effect.flatMap(given(variables.token), token)
  }
})

const store = Effect.mapError(config, (failure) =>
  failure.message.startsWith("--url must begin with")
    ? Failure.usage(`${failure.message}, or with http:// or https:// for a control plane`)
    : failure
)

const readable = <A>(config: Config.Config<A>) =>
  Effect.mapError(config, () => Failure.failed("the environment cannot be read"))

/** Reads a variable. A blank one counts as absent. */
const given = (name: string) =>
  Effect.map(
    readable(Config.option(Config.Redacted(name))),
    Option.filter((value) => Redacted.value(value).trim() !== "")
  )

const address = (variable: string, text: string): Effect.Effect<URL, Failure.Failure> => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const bare = url !== undefined && url.username + url.password + url.search + url.hash === ""
  return bare && /^https?:$/.test(url.protocol)
    ? Effect.succeed(url)
    : Effect.fail(
        Failure.usage(
          `${variable} must be an http or https URL without user, query and fragment: ${variables.token} holds the token`
        )
      )
}

// Other characters cannot be sent, and the error of the HTTP client would print the token.
const token = (
  given: Option.Option<Redacted.Redacted>
): Effect.Effect<Redacted.Redacted | undefined, Failure.Failure> =>
  Option.match(given, {
    onNone: () => Effect.undefined,
    onSome: (secret) => {
      const text = Redacted.value(secret).trim()
      return /^[\w.~+/=-]+$/.test(text)
        ? Effect.succeed(Redacted.make(text, { label: "token" }))
        : Effect.fail(Failure.usage(`${variables.token} must hold only characters of A-Z a-z 0-9 - . _ ~ + / =`))
    }
  })

export const nowhere = Failure.usage(
  `no store is configured: set ${EnvVariables.variables.url}, or pass --url (see --help)`
)

/**
 * Prints a warning, if there is one.
 */
export const warn = (warning: string | undefined): Effect.Effect<void> =>
  warning === undefined
    ? Effect.void
    : Console.error(`resilience: ${warning.charAt(0).toLowerCase()}${Print.safe(warning.slice(1))}`)

/**
 * Fails if a name breaks a rule of a store: here that is a mistake of the operator
 * and not a defect.
 */
export const checked = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure.Failure, R> =>
  Effect.catchDefect(effect, (defect) =>
    defect instanceof InvalidOptionError
      ? Effect.fail(Failure.usage(`${defect.field} must be ${defect.rule}, got ${JSON.stringify(defect.value)}`))
      : Effect.die(defect)
  )
