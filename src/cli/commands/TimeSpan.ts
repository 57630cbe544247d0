/**
 * Spans of time in arguments, such as `1h30m`.
 */

/** Milliseconds of each unit. */
const millisOf: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000
}

const most = 3650 * 86_400_000

export const rule = "a span of time such as 90s, 10m, 1h30m or 2d, above zero and at most 3650d"

/**
 * Returns the milliseconds of a span of time, or `undefined` for other text.
 */
export const parse = (text: string): number | undefined => {
  if (!/^(\d+(\.\d+)?\s*[a-z]+\s*)+$/i.test(text)) return undefined
  let sum = 0
  for (const [, digits = "", word = ""] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)) {
    const unit = millisOf[shortened(word.toLowerCase())]
    if (unit === undefined) return undefined
    sum += Number(digits) * unit
  }
  const millis = Math.round(sum)
  return millis > 0 && millis <= most ? millis : undefined
}

const shortened = (word: string): string => {
  const long: { readonly [word: string]: string } = {
    milli: "ms",
    millisecond: "ms",
    sec: "s",
    second: "s",
    min: "m",
    minute: "m",
    hr: "h",
    hour: "h",
    day: "d"
  }
  return long[word] ?? long[word.replace(/s$/, "")] ?? word
}
