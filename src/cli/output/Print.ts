/**
 * Text for a terminal: tables, times, and the escaping of foreign text.
 */
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Text from "../../core/internal/Text.ts"

/** Characters of a foreign text that a terminal shows at most. */
const longest = 4096

/**
 * Returns a text that cannot control a terminal: characters that it would not print
 * are written as `\u` and four hexadecimal digits. A long text is cut.
 */
export const safe = (text: string): string => Text.printable(Text.cut(text, longest))

/**
 * Returns the name of a circuit or of a person as it is if it has only plain
 * characters, and otherwise as JSON. Commands take the name of a circuit in either
 * form.
 */
export const name = (text: string): string => Text.quoted(Text.cut(text, longest))

/**
 * Returns the width of a text in a terminal.
 */
export const width = CliOutput.displayWidth

/**
 * Returns a text cut to a width, with `…` if it was cut.
 */
export const cut = (text: string, most: number): string => {
  if (width(text) <= most) return text
  let kept = ""
  // Not the width of the whole each time: accents have none, and a text may have a million of them.
  let used = 0
  for (const char of text) {
    used += width(char)
    if (used >= most) break
    kept += char
  }
  return `${kept}…`
}

const pad = (text: string, to: number, right: boolean): string => {
  const missing = " ".repeat(Math.max(0, to - width(text)))
  return right ? missing + text : text + missing
}

export interface Column {
  readonly title: string
  readonly align?: "right"
}

/**
 * Row of a table, with the lines below it.
 */
export interface Line {
  readonly cells: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}

/**
 * Returns the lines of a table, at most `columns` wide. A first cell that is too
 * long gets a line of its own, and a last one is cut.
 */
export const table = (
  header: ReadonlyArray<Column>,
  lines: ReadonlyArray<Line>,
  columns: number
): ReadonlyArray<string> => {
  const gap = 2
  const last = header.length - 1
  const natural = header.map(({ title }, index) =>
    Math.max(width(title), ...lines.map(({ cells }) => width(cells[index] ?? "")))
  )
  const middle = natural.slice(1, last).reduce((sum, each) => sum + each + gap, 0)
  const lastWidth = Math.min(natural[last] ?? 0, 16)
  const first = Math.max(8, Math.min(natural[0] ?? 0, columns - middle - gap - lastWidth))
  const widths = natural.map((each, index) => (index === 0 ? first : each))
  const room = Math.max(8, columns - first - gap - middle)
  const write = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, index) =>
        index === last ? cut(cell, room) : pad(cell, widths[index] ?? 0, header[index]?.align === "right")
      )
      .join(" ".repeat(gap))
      .trimEnd()
  return [
    write(header.map(({ title }) => title)),
    ...lines.flatMap(({ cells, notes }) => {
      const [name = "", ...others] = cells
      return [
        ...(width(name) > first ? [name, write(["", ...others])] : [write(cells)]),
        ...notes.flatMap((note) => wrap(note, Math.max(20, columns - 4)).map((part) => `    ${part}`))
      ]
    })
  ]
}

/**
 * Returns a text in lines of at most `most` columns, broken between words if
 * possible.
 */
export const wrap = (text: string, most: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ").flatMap((word) => pieces(word, most))) {
    if (line === "") line = word
    else if (width(line) + 1 + width(word) <= most) line += ` ${word}`
    else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}

const pieces = (word: string, most: number): ReadonlyArray<string> => {
  if (width(word) <= most) return [word]
  const parts: Array<string> = []
  let part = ""
  let used = 0
  for (const char of word) {
    const own = width(char)
    if (used + own > most) {
      parts.push(part)
      part = ""
      used = 0
    }
    part += char
    used += own
  }
  return [...parts, part]
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000]
] as const

/**
 * Returns a span of time as its largest unit and the next, such as `3m 20s`.
 */
export const span = (millis: number): string => {
  const index = units.findIndex(([, size]) => millis >= size)
  const unit = units[index]
  if (unit === undefined) return "0s"
  const [name, size] = unit
  const whole = `${Math.floor(millis / size)}${name}`
  const next = units[index + 1]
  if (next === undefined || millis >= size * 10) return whole
  const rest = Math.floor((millis % size) / next[1])
  return rest === 0 ? whole : `${whole} ${rest}${next[0]}`
}

export const ago = (time: number, now: number): string => `${span(Math.max(0, now - time))} ago`

/**
 * Returns how far off a time is, or `now` if it has come.
 */
export const until = (time: number, now: number): string =>
  time <= now ? "now" : `in ${span(Math.ceil((time - now) / 1000) * 1000)}`

/**
 * Returns a time as ISO 8601, or `undefined` for an invalid time.
 */
export const iso = (millis: number | undefined): string | undefined =>
  millis === undefined ? undefined : Option.getOrUndefined(Option.map(DateTime.make(millis), DateTime.formatIso))

/**
 * Returns the time of an ISO 8601 text, or 0 for an invalid one.
 */
export const millis = (iso: string): number =>
  Option.match(DateTime.make(iso), { onNone: () => 0, onSome: DateTime.toEpochMillis })

/**
 * Returns a value as its schema encodes it: JSON in which every character that a
 * terminal does not print is escaped.
 */
export const jsonText = <T, E>(schema: Schema.Codec<T, E>, value: T, layout: "lines" | "line"): string =>
  JSON.stringify(Schema.encodeSync(schema)(value), null, layout === "lines" ? 2 : 0)
    // The line breaks of the layout must stay.
    .split("\n")
    .map(Text.printable)
    .join("\n")

/**
 * Prints a value as `jsonText` writes it.
 */
export const json = <T, E>(schema: Schema.Codec<T, E>, value: T, layout: "lines" | "line"): Effect.Effect<void> =>
  Console.log(jsonText(schema, value, layout))
