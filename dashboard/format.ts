/**
 * Numbers and times as people read them.
 */

import * as Text from "../src/core/internal/Text.ts"

// Creating a formatter takes far longer than using it.
const numbers = new Intl.NumberFormat()
const times = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" })

/** Returns a count with its digits in groups. */
export const count = (value: number): string => numbers.format(value)

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60]
] as const

/** Returns a time span in its largest units, such as `2 h 5 min`. */
export const span = (millis: number): string => {
  const seconds = Math.max(0, Math.round(millis / 1000))
  for (const [i, [unit, size]] of units.entries()) {
    if (seconds < size) continue
    const smaller = units[i + 1]
    const rest = smaller === undefined ? seconds % size : Math.floor((seconds % size) / smaller[1])
    const unitOfRest = smaller === undefined ? "s" : smaller[0]
    return rest === 0
      ? `${Math.floor(seconds / size)} ${unit}`
      : `${Math.floor(seconds / size)} ${unit} ${rest} ${unitOfRest}`
  }
  return `${seconds} s`
}

/** Returns a latency in milliseconds or seconds. */
export const latency = (millis: number): string =>
  millis < 1 ? "<1 ms" : millis < 999.5 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`

/** Returns a number, with one decimal if it is small. */
export const rate = (value: number): string =>
  value === 0 ? "0" : value < 0.1 ? "<0.1" : value < 9.95 ? value.toFixed(1) : count(Math.round(value))

/** Returns a share in percent. */
export const percent = (share: number): string =>
  share === 0 ? "0 %" : share < 0.01 ? "<1 %" : share > 0.99 && share < 1 ? ">99 %" : `${Math.round(share * 100)} %`

/** Returns the time of day. */
export const clock = (at: number): string => times.format(at)

/** Returns a date with the time of day. */
export const date = (at: number): string => dates.format(at)

/** Returns a time as ISO 8601. */
export const iso = (at: number): string => new Date(at).toISOString()

/** Returns a number with the word for what is counted. */
export const plural = (value: number, word: string): string => `${count(value)} ${word}${value === 1 ? "" : "s"}`

/** Returns a text that others wrote, with what is not seen in it written out. */
export const text: (text: string) => string = Text.printable

/** Returns the key of a circuit, also where it is blank. */
export const key = (key: string): string =>
  key === "" ? "(empty key)" : key.trim() === "" ? Text.quoted(key) : Text.printable(key)
