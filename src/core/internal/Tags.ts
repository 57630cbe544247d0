/**
 * Choices of errors in options: a predicate, a tag, or several tags.
 */
import { hasProperty } from "effect/Predicate"
import * as Rules from "./Rules.ts"

/** Predicate, tag or list of tags. */
export type Match<E> = ((error: E) => boolean) | string | ReadonlyArray<string>

/** Match that `check` has returned. */
export type Checked<E> = ((error: E) => boolean) | ReadonlyArray<string>

/**
 * Returns a match with its tags as a list, and throws an `InvalidOptionError`
 * for any other value, for a list without a tag and for a tag without a name.
 */
export const check = <E>(module: string, field: string, match: Match<E>): Checked<E> => {
  if (typeof match === "function") return match
  if (typeof match === "string") return [Rules.name(module, field, match)]
  return checkList(module, field, match)
}

/**
 * Returns a list of tags, and throws as `check` does.
 */
export const checkList = (module: string, field: string, tags: ReadonlyArray<string>): ReadonlyArray<string> =>
  Array.isArray(tags) && tags.length > 0
    ? tags.map((tag: string, i) => Rules.name(module, `${field}.${i}`, tag))
    : Rules.reject(module, field, tags, "a predicate, a tag or a list of at least one tag")

export const matcher = <E>(match: Match<E>): ((error: E) => boolean) => {
  if (typeof match === "function") return match
  const tags: ReadonlyArray<unknown> = typeof match === "string" ? [match] : match
  return (error) => hasProperty(error, "_tag") && tags.includes(error._tag)
}

/**
 * Returns a match as plain data.
 */
export const describe = (match: Checked<never>): "a function" | ReadonlyArray<string> =>
  typeof match === "function" ? "a function" : match
