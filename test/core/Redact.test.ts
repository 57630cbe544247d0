import { assert, describe, it } from "@effect/vitest"
import * as Redact from "../../src/core/internal/Redact.ts"

describe("Redact", () => {
  for (const [text, redacted] of [
    ["connect to postgres://app:hunter2@db/orders", "connect to postgres://***@db/orders"],
    ["postgres://app:p@ss/w@rd@db/orders", "postgres://***@db/orders"],
    ["redis://:hunter2@h and rediss://u@h", "redis://***@h and rediss://***@h"],
    ["a socket //u:p'w@h", "a socket //***@h"],
    [
      "postgres://db/orders?user=app&password=hunter2&sslmode=require",
      "postgres://db/orders?user=app&password=***&sslmode=require"
    ],
    ['{"message":"no http://h","by":"ada@example"}', '{"message":"no http://h","by":"ada@example"}'],
    [String.raw`{"message":"no \"http://h?password=x\""}`, String.raw`{"message":"no \"http://h?password=***\""}`],
    ["http://h/a, says ada@example", "http://h/a, says ada@example"],
    ["ada@example//b", "ada@example//b"],
    ["nothing to hide", "nothing to hide"]
  ] as const) {
    it(`cuts credentials from: ${text}`, () => {
      assert.strictEqual(Redact.credentials(text), redacted)
      assert.strictEqual(Redact.credentials(redacted), redacted)
    })
  }

  for (const [text, known, redacted] of [
    ["bad p@ss, p%40ss and postgres://u:p@ss@h/d", ["p@ss"], "bad ***, *** and postgres://***@h/d"],
    ["token abcdef and abc", ["abc", "abcdef"], "token *** and ***"],
    ["nothing is known", [""], "nothing is known"],
    [
      "ERR unknown command `AUTH`, with args beginning with: `ada`, `hunter2`, \r\nmore",
      [],
      "ERR unknown command `AUTH`"
    ]
  ] as const) {
    it(`cuts what is known to be a secret from: ${text}`, () => {
      assert.strictEqual(Redact.secrets(text, known), redacted)
    })
  }

  it("takes no longer for a text that looks like the begin of many URLs", () => {
    const text = "//".repeat(500_000)
    assert.strictEqual(Redact.secrets(text), text)
  })
})
