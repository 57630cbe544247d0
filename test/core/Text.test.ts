import { assert, describe, it } from "@effect/vitest"
import * as Text from "../../src/core/internal/Text.ts"

const unseen = [
  "\u0000",
  "\u001b",
  "\u007f",
  "\u0085",
  "\u00ad",
  "\u034f",
  "\u061c",
  "\u115f",
  "\u17b4",
  "\u180e",
  "\u200b",
  "\u200d",
  "\u200f",
  "\u2028",
  "\u202e",
  "\u2060",
  "\u2066",
  "\u2800",
  "\u3164",
  "\ufe0f",
  "\ufeff",
  "\uffa0",
  "\ufff9",
  "\ud800",
  "\u{e0041}",
  "\u{e0101}"
]

describe("Text", () => {
  for (const character of unseen) {
    const code = character.codePointAt(0)?.toString(16) ?? ""
    it(`shows and finds a character that is not seen: ${code}`, () => {
      const text = `pay${character}ments`
      assert.isFalse(Text.isSeen(text))
      const shown = Text.printable(text)
      assert.match(shown, /^pay(\\u[0-9a-f]{4})+ments$/)
      assert.isTrue(Text.isSeen(shown))
      assert.strictEqual(Text.quoted(text), `"${shown}"`)
      assert.strictEqual(JSON.parse(Text.quoted(text)), text)
    })
  }

  for (const text of ["payments", "Zahlungen für März", "支付", "كلمة", "हिन्दी", "a b, (c) \"d\" 'e' \\f"]) {
    it(`leaves as it is what is seen: ${text}`, () => {
      assert.isTrue(Text.isSeen(text))
      assert.strictEqual(Text.printable(text), text)
    })
  }

  it("takes the joiners of emoji for seen, and writes them in full", () => {
    assert.isTrue(Text.isSeen("⚠️ 👩‍💻 👩🏽‍💻 1️⃣ ❤️‍🔥"))
    assert.strictEqual(Text.printable("⚠️ 👩‍💻"), "⚠\\ufe0f 👩\\u200d💻")
  })

  for (const [name, shown] of [
    ["payments", "payments"],
    ["search:eu-1/a@b", "search:eu-1/a@b"],
    ["支付", "支付"],
    ["", '""'],
    ["x) by root: ok", '"x) by root: ok"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["a\nb", '"a\\u000ab"'],
    ["a\u00a0b\u3000", '"a\u00a0b\u3000"'],
    ["a,b", '"a,b"']
  ] as const) {
    it(`writes a name so that it ends where it ends: ${shown}`, () => {
      assert.strictEqual(Text.quoted(name), shown)
    })
  }

  it("names circuits so that no key says more than a key", () => {
    assert.strictEqual(Text.label("payments", undefined), '"payments"')
    assert.strictEqual(Text.label("payments", "eu"), '"payments" (eu)')
    assert.strictEqual(Text.label('pay" (ments', "x) by root: ok"), '"pay\\" (ments" ("x) by root: ok")')
  })
})
