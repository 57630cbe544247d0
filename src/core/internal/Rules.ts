/**
 * Checks of options, made when a policy is built.
 *
 * **Details**
 *
 * A bad option throws an `InvalidOptionError` that names the module, the field,
 * the value and the rule. Nothing is corrected silently.
 */
import * as Duration from "effect/Duration"
import * as Redact from "./Redact.ts"

/**
 * Error thrown when an option breaks a rule.
 *
 * **Details**
 *
 * A bad option is a mistake in the program, so it is thrown where the policy is
 * built and not part of any error type.
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
  /** Rule that the value breaks, such as `"an integer >= 1"`. */
  readonly rule: string

  constructor(module: string, field: string, value: unknown, rule: string) {
    super(Redact.credentials(`${module}: ${field} must be ${rule}, got ${show(value)}`))
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
 * Returns `value` if it is a string with a character other than white space,
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
 * Returns `value` if it is a path such as `"/internal/v1"`, made of segments that
 * clients, proxies and routers take as they are, and throws otherwise.
 *
 * **Details**
 *
 * `min` is `"segment"` (the default) for at least one segment, or `"empty"` to
 * allow `""` too.
 */
export const path = <P extends string>(
  module: string,
  field: string,
  value: P,
  min: "segment" | "empty" = "segment"
): P =>
  typeof value === "string" && (value === "" ? min === "empty" : /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+$/.test(value))
    ? value
    : reject(module, field, value, `a path of plain segments such as "/internal"${min === "empty" ? ', or ""' : ""}`)

/**
 * Returns `value` if it is a function, and throws otherwise.
 */
export const fn = <F>(module: string, field: string, value: F, rule = "a function"): F =>
  typeof value === "function" ? value : reject(module, field, value, rule)

/**
 * Returns `value` if it is an object and not an array, and throws otherwise.
 */
export const object = <O extends object>(module: string, field: string, value: O): O =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? value
    : reject(module, field, value, "an object")

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
 * Object in JSON.
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
