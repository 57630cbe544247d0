/**
 * Schemas of options in a configuration, which hold JSON and the environment to
 * the checks of the code.
 *
 * **Details**
 *
 * `checked` and `parsed` put a check that throws an `InvalidOptionError` into a
 * `Schema`: a bad option becomes a `SchemaError` with the path of its field.
 */
import type * as Duration from "effect/Duration"
import { isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { configCase } from "effect/String"
import { InvalidOptionError, type Json } from "./Rules.ts"

/**
 * Schema of a duration in a configuration: a string such as `"2 seconds"`, or
 * milliseconds.
 */
export const DurationInput: Schema.Codec<Duration.Duration, string | number> = /* @__PURE__ */ (() =>
  Schema.Union([Schema.DurationFromString, Schema.DurationFromMillis]))()

/** Duration in JSON. */
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
    // `print` returns the encoded type.
    (schema) => schema as unknown as Schema.Codec<T, E>
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
        // The field that the source is for has checked the value.
        SchemaTransformation.transform({ decode, encode: (output) => output as S["Type"] })
      )
  })

/**
 * Variable of the environment under an unknown key.
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
