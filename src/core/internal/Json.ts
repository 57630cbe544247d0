/**
 * Copies of values that JSON can hold.
 */
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import * as Redact from "./Redact.ts"

const maxDepth = 32
const maxNodes = 10_000
const maxCharacters = 262_144

/**
 * Returns a copy of a value that JSON can hold, without the credentials that its
 * texts hold, and never throws.
 *
 * **Details**
 *
 * - `toJSON` is called where there is one, so dates become ISO strings and
 *   `Redacted` values stay hidden.
 * - A bigint becomes its digits, `NaN` and the infinities their names, an error
 *   its name and message.
 * - A reference to an enclosing object becomes `"[circular]"`, a property that
 *   throws `"[unreadable]"`, and what is nested deeper than 32 levels or comes
 *   after 10 000 values, or 262 144 characters of texts, `"[truncated]"`.
 * - Properties that are `undefined`, functions or symbols are left out. Under the
 *   name of a secret, such as `password`, texts and numbers are `"***"`, however
 *   deep.
 */
export const jsonSafe = (value: unknown): Schema.Json => {
  const enclosing = new Set<object>()
  let nodes = 0
  const copyText = scissors()
  // Whether an enclosing property has the name of a secret.
  let isSecret = false

  const copy = (value: unknown, key: string): Schema.Json | undefined => {
    switch (typeof value) {
      case "string":
        return isSecret ? "***" : copyText(value)
      case "boolean":
        return value
      case "number":
        return isSecret ? "***" : Number.isFinite(value) ? value : String(value)
      case "bigint":
        return isSecret ? "***" : String(value)
      case "object":
        return value === null ? null : copyObject(value, key)
      default:
        return undefined
    }
  }

  const copyObject = (value: object, key: string): Schema.Json | undefined => {
    if (enclosing.has(value)) return "[circular]"
    if (enclosing.size >= maxDepth) return "[truncated]"
    enclosing.add(value)
    try {
      if (Redacted.isRedacted(value)) return String(value)
      if ("toJSON" in value && typeof value.toJSON === "function") {
        const json: unknown = Reflect.apply(value.toJSON, value, [key])
        if (json !== value) return copy(json, key)
      }
      if (value instanceof Error) return copyRecord({ name: value.name, message: value.message })
      return Array.isArray(value) ? copyArray(value) : copyRecord(value)
    } catch {
      return "[unreadable]"
    } finally {
      enclosing.delete(value)
    }
  }

  const copyArray = (values: ReadonlyArray<unknown>): Schema.Json => {
    const out: Array<Schema.Json> = []
    for (let i = 0; i < values.length; i++) {
      if (++nodes > maxNodes) {
        out.push("[truncated]")
        break
      }
      // Headers may be a list of names and values.
      const name = out[i - 1]
      out.push((typeof name === "string" ? readUnder(name, values, i) : read(values, i)) ?? null)
    }
    return out
  }

  const copyRecord = (record: object): Schema.Json => {
    const out: Array<[string, Schema.Json]> = []
    for (const key of Object.keys(record)) {
      if (++nodes > maxNodes) {
        out.push(["[truncated]", true])
        break
      }
      const member = readUnder(key, record, key)
      if (member !== undefined) out.push([copyText(key), member])
    }
    // Unlike an assignment, this keeps a key such as "__proto__" a plain key.
    return Object.fromEntries(out)
  }

  const readUnder = (name: string, from: object, key: string | number): Schema.Json | undefined => {
    const isOuter = isSecret
    isSecret ||= name.length < 100 && Redact.isSecret(name)
    const member = read(from, key)
    isSecret = isOuter
    return member
  }

  const read = (from: object, key: string | number): Schema.Json | undefined => {
    try {
      return copy(Reflect.get(from, key), String(key))
    } catch {
      return "[unreadable]"
    }
  }

  return copy(value, "") ?? null
}

/** Returns a function that cuts credentials, out of so many characters in all: each takes time, and others wrote them. */
const scissors = (): ((text: string) => string) => {
  let characters = 0
  return (text) => {
    characters += Math.min(text.length, Redact.longest)
    return characters > maxCharacters ? "[truncated]" : Redact.credentials(text)
  }
}
