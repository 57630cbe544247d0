/**
 * Messages on the channel of a table, which anybody may have sent.
 *
 * **Details**
 *
 * Processes of earlier versions send whole rows. Only the key and the version of
 * those count.
 */
import { hasProperty, isString } from "effect/Predicate"
import type * as CircuitTable from "../CircuitTable.ts"

/** Longest message that is looked at, as that of PostgreSQL. */
const maxLength = 8000

const senseless: CircuitTable.Hint = { resourceKey: undefined, version: undefined }

/**
 * Returns the hint of a message.
 */
export const parse = (text: string): CircuitTable.Hint => hintOf(read(text))

/**
 * Returns the hint of a message that names a space, or `undefined` where it names
 * another one: two may have one channel.
 */
export const parseWithin = (text: string, space: string): CircuitTable.Hint | undefined => {
  const message = read(text)
  if (!hasProperty(message, "space") || !isString(message.space)) return senseless
  return message.space === space ? hintOf(message) : undefined
}

const hintOf = (message: unknown): CircuitTable.Hint => {
  if (!hasProperty(message, "resourceKey") || !isString(message.resourceKey)) return senseless
  const version = hasProperty(message, "version") ? message.version : undefined
  return { resourceKey: message.resourceKey, version: isVersion(version) ? version : undefined }
}

const isVersion = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

const read = (text: string): unknown => {
  if (text.length > maxLength) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
