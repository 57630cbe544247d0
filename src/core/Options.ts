/**
 * Checks options when a policy is built, and turns the same checks into
 * schemas, so that code and JSON are held to one set of rules.
 *
 * **Details**
 *
 * - A bad option throws an `InvalidOptionError` that names the module, the
 *   field, the value and the rule. Nothing is corrected silently.
 * - `checked` and `parsed` put the same check into a `Schema`, where a bad
 *   option becomes a `SchemaError` with the path of the field.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import { isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { configCase } from "effect/String"

/**
 * Error thrown when an option breaks a rule.
 *
 * **Details**
 *
 * A bad option is a mistake in the program, so it is thrown where the policy is
 * built and is no part of any error type.
 */
export class InvalidOptionError extends Error {
  readonly _tag = "InvalidOptionError"
  override readonly name = "InvalidOptionError"
  /** Module whose option is wrong, such as `"Retry"`. */
  readonly module: string
  /** Path of the field, such as `"halfOpen.probes"`. */
  readonly field: string
  /** Value that was given. */
  readonly value: unknown
  /** What the value must be. */
  readonly rule: string

  constructor(module: string, field: string, value: unknown, rule: string) {
    super(`${module}: ${field} must be ${rule}, got ${show(value)}`)
    this.module = module
    this.field = field
    this.value = value
    this.rule = rule
  }
}

const show = (value: unknown): string => {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value === "bigint") return `${value}n`
  if (typeof value === "function") return "a function"
  if (typeof value === "object" && value !== null && !Duration.isDuration(value)) {
    try {
      return JSON.stringify(value)
    } catch {
      return Object.prototype.toString.call(value)
    }
  }
  return String(value)
}

/**
 * Throws an `InvalidOptionError`.
 */
export const reject = (module: string, field: string, value: unknown, rule: string): never => {
  throw new InvalidOptionError(module, field, value, rule)
}

/**
 * Returns `value` if it is an integer of at least `min` (default 1), and throws
 * otherwise.
 */
export const count = (module: string, field: string, value: number, min = 1): number =>
  Number.isSafeInteger(value) && value >= min ? value : reject(module, field, value, `an integer >= ${min}`)

/**
 * Returns `value` if it is above 0 and at most 1, and throws otherwise.
 */
export const ratio = (module: string, field: string, value: number): number =>
  typeof value === "number" && value > 0 && value <= 1 ? value : reject(module, field, value, "a ratio in (0, 1]")

/**
 * Returns `value` if it is a finite number above `above`, and throws otherwise.
 */
export const above = (module: string, field: string, value: number, above: number): number =>
  Number.isFinite(value) && value > above ? value : reject(module, field, value, `a finite number > ${above}`)

/**
 * Returns `value` if it is a string with a character that is no white space,
 * and throws otherwise.
 */
export const name = (module: string, field: string, value: string): string =>
  typeof value === "string" && value.trim() !== "" ? value : reject(module, field, value, "a non-empty string")

/**
 * Returns `value` if it is true or false, and throws otherwise.
 */
export const boolean = (module: string, field: string, value: boolean): boolean =>
  typeof value === "boolean" ? value : reject(module, field, value, "true or false")

/**
 * Returns the milliseconds of a duration, and throws if it cannot be parsed,
 * is infinite or is below the minimum.
 *
 * **Details**
 *
 * `min` is `"positive"` (the default) for more than zero, or `"zero"` to allow
 * zero too.
 */
export const millis = (
  module: string,
  field: string,
  value: Duration.Input,
  min: "positive" | "zero" = "positive"
): number => {
  // A duration of NaN units is zero, which would hide the mistake.
  const units: ReadonlyArray<unknown> = typeof value === "object" && value !== null ? Object.values(value) : [value]
  const millis = units.some(Number.isNaN) ? Number.NaN : parse(value)
  return Number.isFinite(millis) && (millis > 0 || (min === "zero" && millis === 0))
    ? millis
    : reject(module, field, value, `a finite duration ${min === "zero" ? ">=" : ">"} 0`)
}

const parse = (value: Duration.Input): number => {
  try {
    return Duration.toMillis(value)
  } catch {
    return Number.NaN
  }
}

/**
 * Schema of a duration in a configuration: a string such as `"2 seconds"`, or
 * milliseconds.
 */
export const DurationInput: Schema.Codec<Duration.Duration, string | number> = /* @__PURE__ */ (() =>
  Schema.Union([Schema.DurationFromString, Schema.DurationFromMillis]))()

/**
 * Duration as it stands in a configuration.
 */
export type DurationJson = string | number

/**
 * Creates the schema of a configuration object that refuses unknown keys.
 *
 * **Details**
 *
 * It reads JSON, and the environment through `Config.schema` of Effect. What the
 * environment holds is text: numbers, booleans, lists and nested objects are
 * read off it where the fields have them, and then the rules and messages are
 * those of JSON.
 *
 * **Gotchas**
 *
 * In the environment every variable that begins with the prefix is one of the
 * options, or refused.
 */
export const struct = <const Fields extends Schema.Struct.Fields>(
  fields: Fields
): Schema.Codec<Schema.Struct.Type<Fields>, Schema.Struct.Encoded<Fields>> =>
  json(fields)
    .check(
      Schema.makeFilter((input) =>
        Object.keys(input)
          .filter((key) => !Object.hasOwn(fields, key))
          .map((key) => ({ path: [key], issue: `unknown key, expected one of ${Object.keys(fields).join(", ")}` }))
      )
    )
    .pipe(
      Schema.decodeTo(
        // The object has been checked for keys only: the struct decodes its values.
        Schema.Struct(fields) as unknown as Schema.Codec<Schema.Struct.Type<Fields>, Json>,
        SchemaTransformation.passthrough()
      ),
      // The fields say what is encoded.
      (schema) => schema as unknown as Schema.Codec<Schema.Struct.Type<Fields>, Schema.Struct.Encoded<Fields>>
    )

/**
 * Adds the check of a constructor to a configuration's schema.
 *
 * **Details**
 *
 * An `InvalidOptionError` that `build` throws becomes an issue at the path of
 * its field. Anything else that it throws is a defect.
 */
export const checked = <T, E>(schema: Schema.Codec<T, E>, build: (options: T) => unknown): Schema.Codec<T, E> =>
  schema.check(
    Schema.makeFilter((options: T) => {
      try {
        build(options)
        return undefined
      } catch (error) {
        if (!(error instanceof InvalidOptionError)) throw error
        return { path: error.field.split("."), issue: error.message }
      }
    })
  )

/**
 * Returns what `build` returns, and puts a path before the field of an
 * `InvalidOptionError` that it throws.
 */
export const at = <A>(path: string, build: () => A): A => {
  try {
    return build()
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    return reject(error.module, `${path}.${error.field}`, error.value, error.rule)
  }
}

/**
 * Configuration as it stands in JSON.
 */
export type Json = { readonly [key: string]: unknown }

/**
 * Throws an `InvalidOptionError` for a key that is not one of `allowed`.
 */
export const keys = (module: string, json: Json, allowed: ReadonlyArray<string>): void => {
  for (const key of Object.keys(json)) {
    if (!allowed.includes(key)) reject(module, key, json[key], `absent (the keys are ${allowed.join(", ")})`)
  }
}

/**
 * Creates the schema of a value that a function reads from JSON.
 *
 * **Details**
 *
 * `fields` are what the environment is asked for: `parse` alone says which keys
 * and values there may be. An `InvalidOptionError` that it throws becomes an
 * issue at the path of its field.
 *
 * **Gotchas**
 *
 * `Config.schema` of Effect 4.1 reads a union as text where no member decodes to
 * an object or a list of known shape. One of text and this schema has to be a
 * field of `struct`.
 */
export const parsed = <T, E extends Json>(
  fields: Schema.Struct.Fields,
  is: (u: unknown) => u is T,
  parse: (json: Json) => T,
  print: (value: T) => E
): Schema.Codec<T, E> =>
  checked(json(fields), parse).pipe(
    Schema.decodeTo(Schema.declare(is), SchemaTransformation.transform<T, Json>({ decode: parse, encode: print })),
    // What is encoded is what `print` returns.
    (schema) => schema as unknown as Schema.Codec<T, E>
  )

/**
 * Returns a provider that finds options under names in upper case: with the
 * prefix `PAYMENTS`, `halfOpen.leaseFor` is `PAYMENTS_HALF_OPEN_LEASE_FOR`.
 *
 * **Details**
 *
 * `ConfigProvider.constantCase` of Effect does the same for single values. In
 * an environment it finds no list or object whose name has several words, such
 * as `halfOpen` or a prefix `PAYMENTS_RETRY`.
 *
 * **Example** (Reading options from the environment)
 *
 * ```ts
 * import { Config, ConfigProvider, Effect } from "effect"
 * import { CircuitBreaker, Options } from "effect-resilience"
 *
 * const env = {
 *   PAYMENTS_BREAKER_OPEN_FOR: "10 seconds",
 *   PAYMENTS_BREAKER_HALF_OPEN_PROBES: "2",
 *   PAYMENTS_BREAKER_TRIP_TYPE: "failures",
 *   PAYMENTS_BREAKER_TRIP_COUNT: "3",
 *   PAYMENTS_BREAKER_TRIP_OF: "10"
 * }
 * const provider = Options.constantCase(ConfigProvider.fromEnv({ env }))
 *
 * const options = Effect.runSync(Config.schema(CircuitBreaker.Config, "PAYMENTS_BREAKER").parse(provider))
 *
 * options.halfOpen // => { probes: 2 }
 * options.trip // => { _tag: "Failures", count: 3, of: 10, minimumCalls: 3 }
 * ```
 */
export const constantCase = (provider: ConfigProvider.ConfigProvider): ConfigProvider.ConfigProvider =>
  // The environment is a tree of words.
  ConfigProvider.mapInput(provider, (path) =>
    path.flatMap((segment): ConfigProvider.Path =>
      typeof segment === "string" ? configCase(segment).split("_") : [segment]
    )
  )

/**
 * Schema of an object in JSON whose values are read later.
 *
 * The encoded side takes any value from JSON. It is there for the environment,
 * which is asked for the keys that the encoded side of a schema names, and
 * whose text it makes into what JSON would hold.
 */
const json = (fields: Schema.Struct.Fields): Schema.Codec<Json> => {
  const names = Object.keys(fields)
  const shape = Schema.StructWithRest(
    Schema.Struct(
      Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Schema.optionalKey(unread(field))]))
    ),
    [
      Schema.Record(
        Schema.String.check(Schema.makeFilter((key) => !Object.hasOwn(fields, key))),
        anything(Schema.UndefinedOr(Schema.String), (text) => new Variable(text, names))
      )
    ]
  )
  return Schema.Record(Schema.String, Schema.Unknown).pipe(
    Schema.encodeTo(
      // What fields there are is not known to the types.
      shape as unknown as Schema.Codec<Json>,
      SchemaTransformation.transform({
        decode: (input) => withoutWords(input) as Json, // of an object it is an object
        encode: (output) => output
      })
    )
  )
}

/**
 * Schema of any value, read off text as the encoded side of a field is.
 */
const unread = (field: Schema.Constraint): Schema.Codec<unknown> => {
  const encoded = Schema.toEncoded(field)
  const { _tag } = encoded.ast
  // Text that the field does not take is left for the field to refuse.
  const text = _tag === "Objects" || _tag === "Arrays" || _tag === "Suspend" ? [] : [Schema.String]
  return anything(Schema.Union([encoded, ...text]), withoutWords)
}

/**
 * Schema of any value, which `decode` makes of what `source` reads where the
 * source is text.
 */
const anything = <S extends Schema.Constraint>(source: S, decode: (input: S["Type"]) => unknown) =>
  Schema.declare((_: unknown): _ is unknown => true, {
    toCodecStringTree: () =>
      Schema.link<unknown>()(
        source,
        // What is written was checked by the field that the source is for.
        SchemaTransformation.transform({ decode, encode: (output) => output as S["Type"] })
      )
  })

/**
 * Variable of the environment under a key that is no field.
 */
class Variable {
  readonly text: string | undefined
  readonly names: ReadonlyArray<string>

  constructor(text: string | undefined, names: ReadonlyArray<string>) {
    this.text = text
    this.names = names
  }
}

// An environment that holds PAYMENTS_OPEN_FOR has a key OPEN under PAYMENTS.
// Where `openFor` was found under that name, the key is not one of its own.
const withoutWords = (input: unknown): unknown => {
  if (Array.isArray(input)) return input.map(withoutWords)
  if (!isObject(input)) return input
  const isFound = (key: string, { names }: Variable) =>
    names.some((name) => Object.hasOwn(input, name) && `${configCase(name)}_`.startsWith(`${key.toUpperCase()}_`))
  return Object.fromEntries(
    Object.entries(input)
      .filter(([key, value]) => !(value instanceof Variable && isFound(key, value)))
      .map(([key, value]) => [key, value instanceof Variable ? value.text : value])
  )
}
