import { assert, describe, it } from "@effect/vitest"
import { Redacted, Schema } from "effect"
import { displayWidth } from "effect/cli/CliOutput"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Explain from "../../src/cli/places/Explain.ts"
import * as NamePattern from "../../src/cli/commands/NamePattern.ts"
import * as Print from "../../src/cli/output/Print.ts"
import type * as Stores from "../../src/cli/places/Stores.ts"

describe("Pattern", () => {
  it.prop(
    "stands for what a regular expression says",
    [Schema.Array(Schema.Literals(["a", "b", ":", "*"])), Schema.Array(Schema.Literals(["a", "b", ":"]))],
    ([pattern, name]) => {
      const expected = new RegExp(`^${pattern.map((char) => (char === "*" ? ".*" : char)).join("")}$`).test(
        name.join("")
      )
      assert.strictEqual(NamePattern.select(pattern.join(""), [name.join("")]).length === 1, expected)
    }
  )

  for (const [pattern, found] of [
    ["a*a", ["aa", "aba"]],
    ["*", ["a", "aa", "aba", "a*", "a%0007"]],
    ["a*", ["a*"]],
    ["a%0007", ["a%0007"]],
    ["b", []],
    ["", []]
  ] as const) {
    it(`${JSON.stringify(pattern)} stands for ${found.join(", ") || "nothing"}`, () => {
      assert.deepStrictEqual(NamePattern.select(pattern, ["a", "aa", "aba", "a*", "a%0007"]), found)
    })
  }

  it("stands for one circuit, also where it is another in the form that status prints", () => {
    const keys = ["a b", '"a b"', "a\u202eb", "a\\u202eb"]
    for (const key of keys) assert.deepStrictEqual(NamePattern.select(Print.name(key), keys), [key])
    assert.deepStrictEqual(NamePattern.select("a b", keys), ["a b"])
  })

  it("does not take long, whatever the pattern", () => {
    assert.deepStrictEqual(NamePattern.select(`${"*a".repeat(400)}b`, ["a".repeat(1000)]), [])
  })

  it("finds a name by the text that status prints", () => {
    const key = "a\u202eb"
    assert.deepStrictEqual(NamePattern.select(Print.safe(key), [key]), [key])
  })
})

describe("Print", () => {
  it.prop("is safe in a terminal, and one line", [Schema.String], ([text]) => {
    assert.notMatch(Print.safe(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u)
  })

  it.prop(
    "wraps within the width and loses nothing",
    [Schema.Array(Schema.Literals(["a", "支", " ", "🙂"]))],
    ([chars]) => {
      const text = chars.join("")
      const lines = Print.wrap(text, 7)
      assert.isTrue(lines.every((line) => displayWidth(line) <= 7))
      assert.strictEqual(lines.join("").replaceAll(" ", ""), text.replaceAll(" ", ""))
    }
  )

  for (const [millis, text] of [
    [0, "0s"],
    [999, "0s"],
    [1000, "1s"],
    [59_999, "59s"],
    [61_000, "1m 1s"],
    [600_000, "10m"],
    [5_400_000, "1h 30m"],
    [90_000_000, "1d 1h"],
    [864_000_000, "10d"]
  ] as const) {
    it(`writes ${millis} ms as ${text}`, () => assert.strictEqual(Print.span(millis), text))
  }

  it("writes no time where there is none", () => {
    assert.strictEqual(Print.iso(Number.MAX_VALUE), undefined)
    assert.strictEqual(Print.iso(undefined), undefined)
    assert.strictEqual(Print.iso(0), "1970-01-01T00:00:00.000Z")
  })
})

describe("Explain", () => {
  const target: Stores.Target = {
    where: {
      _tag: "Postgres",
      host: "h",
      port: 1,
      database: "d",
      username: "u",
      password: Redacted.make("p@ss"),
      tls: "disable",
      ca: undefined,
      applicationName: undefined,
      startupOptions: undefined,
      connectTimeout: undefined
    },
    namespace: undefined,
    table: undefined,
    instance: undefined
  }
  const at = "PostgreSQL at h:1, database d, user u"
  const coded = (code: string, message = "said so") => Object.assign(new Error(message), { code })

  for (const [error, line] of [
    [coded("28P01"), `login refused for user u: ${at}`],
    [coded("3D000"), `there is no database d: ${at}`],
    [coded("42P01"), `there is no table t: run "resilience setup" (${at})`],
    [coded("3F000"), `there is no schema for table t (${at})`],
    [coded("42501"), `permission denied for user u (${at})`],
    [coded("53300"), `too many connections (${at})`],
    [coded("57P03"), `the server is starting or stopping (${at})`],
    [new AggregateError([coded("ECONNREFUSED")]), `cannot reach ${at}: connection refused`],
    [new Error("x", { cause: coded("ENOTFOUND") }), `cannot reach ${at}: no such host`],
    [
      coded("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
      `the TLS connection was refused: self-signed certificate (${at})`
    ],
    [new CircuitTable.TableError({ message: "no answer within 10 seconds" }), `no answer in time: ${at}`],
    [new CircuitTable.TableError({ message: "better words", cause: new Error("worse") }), `better words (${at})`],
    [new Error("worse", { cause: new Error("the database's own\nand more") }), `the database's own (${at})`],
    [new Error("bad p@ss, p%40ss and postgres://u:p@ss@h/d"), `bad ***, *** and postgres://***@h/d (${at})`],
    [new Error("a\u001b[31mb"), `a\\u001b[31mb (${at})`],
    ["nothing known", `it failed (${at})`]
  ] as const) {
    it(`says ${line.slice(0, 60)}`, () => assert.strictEqual(Explain.explain(error, target, "t"), line))
  }
})
