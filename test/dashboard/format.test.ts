import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../dashboard/format.ts"

const table = <A>(write: (value: A) => string, rows: ReadonlyArray<readonly [value: A, text: string]>) =>
  assert.deepStrictEqual(
    rows.map(([value]) => write(value)),
    rows.map(([, text]) => text)
  )

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe("format", () => {
  it("writes spans in their two largest units", () =>
    table(Format.span, [
      [-5 * second, "0 s"],
      [0, "0 s"],
      [499, "0 s"],
      [500, "1 s"],
      [59_499, "59 s"],
      [59_500, "1 min"],
      [minute, "1 min"],
      [minute + second, "1 min 1 s"],
      [hour - second, "59 min 59 s"],
      [hour - 1, "1 h"],
      [hour + 59 * second, "1 h"],
      [hour + minute, "1 h 1 min"],
      [day - second, "23 h 59 min"],
      [day, "1 d"],
      [day + 59 * minute, "1 d"],
      [3650 * day + 2 * hour, "3650 d 2 h"]
    ]))

  it("writes latencies in milliseconds, and from a second on in seconds", () =>
    table(Format.latency, [
      [0, "<1 ms"],
      [0.99, "<1 ms"],
      [1, "1 ms"],
      [1.5, "2 ms"],
      [999.4, "999 ms"],
      [999.5, "1.0 s"],
      [1000, "1.0 s"],
      [61_234, "61.2 s"]
    ]))

  it("writes rates with a decimal below ten", () =>
    table(Format.rate, [
      [0, "0"],
      [0.01, "<0.1"],
      [0.0999, "<0.1"],
      [0.1, "0.1"],
      [9.94, "9.9"],
      [9.96, "10"],
      [10.4, "10"],
      [12_345.6, Format.count(12_346)]
    ]))

  it("writes shares that are next to nothing or to all as such", () =>
    table(Format.percent, [
      [0, "0 %"],
      [0.0001, "<1 %"],
      [0.01, "1 %"],
      [0.125, "13 %"],
      [0.99, "99 %"],
      [0.9999, ">99 %"],
      [1, "100 %"]
    ]))

  it("writes one thing without an s", () =>
    table(
      (count: number) => Format.plural(count, "call"),
      [
        [0, "0 calls"],
        [1, "1 call"],
        [2, "2 calls"]
      ]
    ))

  it("writes the time of day with two digits for each part", () => {
    assert.match(Format.clock(0), /^\d\d:\d\d:00$/)
    assert.strictEqual(Format.iso(1000), "1970-01-01T00:00:01.000Z")
    assert.include(Format.date(1_700_000_000_000), Format.clock(1_700_000_000_000))
  })
})
