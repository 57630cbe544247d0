/**
 * Texts for people, in one line each: names of circuits, who and why, causes.
 */
import * as Cause from "effect/Cause"
import * as Redact from "./Redact.ts"

/**
 * Returns who and why in text, with `between` between the two.
 */
export const why = (by: string | undefined, reason: string | undefined, between = ""): string =>
  `${by === undefined ? "" : ` by ${quoted(by)}`}${between}${reason === undefined ? "" : `: ${printable(reason)}`}`

/**
 * Returns how a circuit is named in text.
 */
export const label = (breaker: string, key: string | undefined): string =>
  key === undefined ? json(breaker) : `${json(breaker)} (${quoted(key)})`

/**
 * Characters that are not seen, or that change how others are shown: control
 * and format characters, halves of surrogate pairs, separators of lines, and
 * characters without a glyph.
 *
 * **Details**
 *
 * This is the only table of them.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]/gu

/** What joins and selects the pictures of emoji is seen, as it changes the picture. */
const emoji = /(?<=[\p{ExtPict}\p{EMod}\uFE0F])\u200D(?=\p{ExtPict})|(?<=\p{ExtPict})[\uFE0E\uFE0F]|\uFE0F(?=\u20E3)/gu

/**
 * Returns whether all characters of a text are seen.
 */
export const isSeen = (text: string): boolean => text.replace(emoji, "").search(unseen) < 0

/**
 * Returns a text in one line whose every character is seen. Others are written
 * as `\u` and four hexadecimal digits.
 *
 * **Details**
 *
 * Keys and reasons hold what others wrote: a line break in one must not make a
 * line of a log, nor a control character move what a terminal shows.
 */
export const printable = (text: unknown): string =>
  // Callers without types have keys that are no strings.
  String(text).replace(unseen, (character) =>
    character.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
  )

/**
 * Returns a name as it is if it has no blank, quote or mark that ends a name, and
 * otherwise as JSON. So nothing in a name is taken for the text around it.
 */
export const quoted = (name: unknown): string => {
  const text = String(name)
  return /^[^\s"'`(),;\\]+$/.test(text) && printable(text) === text ? text : json(text)
}

/** Returns a text as JSON of one line whose every character is seen. */
const json = (text: unknown): string => `"${printable(String(text).replace(/["\\]/g, "\\$&"))}"`

/**
 * Returns one line about a cause, of up to 200 characters and without the
 * credentials that it holds, or `undefined` where there is no cause. Errors of
 * any type come here, and reading one may throw: it does not.
 */
export const evidence = (cause: Cause.Cause<unknown>): string | undefined =>
  cause.reasons.length === 0 ? undefined : summary(cause)

/**
 * Returns what `evidence` does of a cause that has a reason.
 */
export const summary = (cause: Cause.Cause<unknown>): string => {
  try {
    const error = Cause.squash(cause)
    const text =
      error instanceof Error
        ? // Many errors have no message, and a `toString` of their own may say more than a line.
          Error.prototype.toString.call(error)
        : typeof error === "string"
          ? error
          : JSON.stringify(error)
    return cut(Redact.credentials(text), 200)
  } catch {
    return "an error that cannot be shown"
  }
}

/**
 * Returns a text of at most `max` characters, with `…` at the end if it was
 * longer.
 */
export const cut = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 1)}…` : text)
