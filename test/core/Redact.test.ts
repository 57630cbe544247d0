import { assert, describe, it } from "@effect/vitest"
import * as Redact from "../../src/core/internal/Redact.ts"

describe("Redact", () => {
  for (const [text, redacted] of [
    // URLs
    ["connect to postgres://app:hunter2@db/orders", "connect to postgres://***@db/orders"],
    ["postgres://app:p@ss/w@rd@db/orders", "postgres://***@db/orders"],
    ["redis://:hunter2@h and rediss://u@h", "redis://***@h and rediss://***@h"],
    ["a socket //u:p'w@h", "a socket //***@h"],
    ["1+x://u:p@h", "1+x://***@h"],
    ["postgres://u:p@h1,postgres://u:p@h2", "postgres://***@h2"],
    ["postgres://app:hun ter2@db/orders failed", "postgres://***@db/orders failed"],
    ['postgres://app:hun"ter2@db/orders failed', "postgres://***@db/orders failed"],
    ["cut off: postgres://app:hunter", "cut off: postgres://***"],
    [
      "http://h:8080/a:b?c=d, http://h:80, http://[::1]:80 and //h",
      "http://h:8080/a:b?c=d, http://h:80, http://[::1]:80 and //h"
    ],
    ["http://h/a, says ada@example", "http://h/a, says ada@example"],
    [String.raw`{"url":"postgres:\/\/app:hunter2@db\/orders"}`, String.raw`{"url":"//***@db\/orders"}`],
    ["?url=postgres%3A%2F%2Fapp%3Ahunter2%40db%2Forders", "?url=postgres%3A//***%40db%2Forders"],
    ["app:hunter2@tcp(db:3306)/orders", "//***@tcp(db:3306)/orders"],
    ["app:p@ss/hunter2@db:5432/orders", "//***@db:5432/orders"],
    ["https:app:hunter2@db", "//***@db"],
    ['postgres://app:"hunter2"@db', "postgres://***@db"],
    ["postgres://app:$hun ter2@db", "postgres://***@db"],
    ["postgres://app:ü hunter2@db", "postgres://***@db"],
    ["postgres://app:hun\nter2@db", "postgres://***@db"],
    ["cut off: postgres://app:$hunter", "cut off: postgres://***"],
    ["see http://h: refused, http://h:/a and http: //h", "see http://h: refused, http://h:/a and http: //h"],
    ["file:///app/node_modules/effect/a.ts:1:2", "file:///app/node_modules/effect/a.ts:1:2"],
    ["ada@example//b", "ada@example//b"],
    ['{"message":"no http://h","by":"ada@example"}', '{"message":"no http://h","by":"ada@example"}'],
    // queries
    [
      "postgres://db/orders?user=app&password=hunter2&sslmode=require",
      "postgres://db/orders?user=app&password=***&sslmode=require"
    ],
    ["GET http://h/a?access_token=ey.J.x&page=2: 401", "GET http://h/a?access_token=***&page=2: 401"],
    ["/a?api_key=a;b#c and ?sig=x", "/a?api_key=*** and ?sig=***"],
    ["?name=payments&key=eu&limit=1", "?name=payments&key=eu&limit=1"],
    [String.raw`{"message":"no \"http://h?password=x\""}`, String.raw`{"message":"no \"http://h?password=***\""}`],
    // connection strings
    ["host=h password=hunter2 user=app", "host=h password=*** user=app"],
    [String.raw`host=h password='hun\' ter2' user=app`, "host=h password='***' user=app"],
    [String.raw`password = hun\ ter2 user=app`, "password = *** user=app"],
    ["Server=h;Pwd=hunter2", "Server=h;Pwd=***"],
    ["password=", "password="],
    ["password=hun'ter2 user=app", "password=*** user=app"],
    ["password='hun''ter2' user=app", "password='***' user=app"],
    ["AccountName=a;AccountKey=hunter2==;EndpointSuffix=core", "AccountName=a;AccountKey=***"],
    ["SECRET_KEY_BASE=hunter2 and passcode: hunter2, db_pw=hunter2", "SECRET_KEY_BASE=*** and passcode: *** db_pw=***"],
    ["password =>  hunter2", "password =>  ***"],
    ["Map(1) { 'password' => 'hunter2' }", "Map(1) { 'password' => '***' }"],
    ["password=[hun ter]2 user=app", "password=*** user=app"],
    ["?password%3Dhunter2", "?password%3D***"],
    ["<password>hunter2</password> <user>app</user>", "<password>*** <user>app</user>"],
    // headers, JSON and objects as text
    ["Authorization: Bearer abc.def\r\nHost: h", "Authorization: ***\r\nHost: h"],
    ["authorization: Digest username=ada, response=x", "authorization: ***"],
    ["Cookie: sid=x; theme=y", "Cookie: ***"],
    ["sent Bearer abc.def, refused", "sent Bearer ***, refused"],
    ["sent Basic QWxhZGRpbjpvcGVu", "sent Basic ***"],
    ["token: Bearer abc.def", "token: Bearer ***"],
    ["x-api-key: 12ab", "x-api-key: ***"],
    ['{"password":"hunter2","authorization":"Bearer abc def"}', '{"password":"***","authorization":"***"}'],
    [String.raw`{\"client_secret\":\"hunter2\",\"a\":1}`, String.raw`{\"client_secret\":\"***\",\"a\":1}`],
    ["{ secretAccessKey: 'hunter2', region: 'eu' }", "{ secretAccessKey: '***', region: 'eu' }"],
    ['{"password":["hunter","hunter2"],"a":1}', '{"password":***"a":1}'],
    ['{"password":{"value":"hunter2"},"a":1}', '{"password":***"a":1}'],
    ['["x-api-key","hunter2","a"]', '["x-api-key","***","a"]'],
    [
      String.raw`{"a":"{\"b\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}"}`,
      String.raw`{"a":"{\"b\":\"{\\\"password\\\":\\\"***\\\"}\"}"}`
    ],
    [String.raw`{\"password\":\"hun\\\"ter2\",\"a\":1}`, String.raw`{\"password\":\"***\",\"a\":1}`],
    ['authorization: Digest username="app", response="hunter2"', "authorization: ***"],
    ["bearer: hunter2", "bearer: ***"],
    ["no eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln: expired", "no eyJ*** expired"],
    ["password: 'hunter2", "password: '***"],
    ["password: hunter", "password: ***"],
    // nothing to hide
    ["Unexpected token: word", "Unexpected token: word"],
    [
      "Access denied for user 'app'@'h' (using password: YES)",
      "Access denied for user 'app'@'h' (using password: YES)"
    ],
    ['password authentication failed for user "app"', 'password authentication failed for user "app"'],
    ["A bearer token is needed", "A bearer token is needed"],
    ["Basic authentication is required", "Basic authentication is required"],
    ["maxTokens: 12 and tokens=3", "maxTokens: 12 and tokens=3"],
    [
      "Invalid credentials: user ada is locked, no token, bad signature",
      "Invalid credentials: user ada is locked, no token, bad signature"
    ],
    ["nothing to hide", "nothing to hide"]
  ] as const) {
    it(`cuts credentials from: ${text}`, () => {
      assert.strictEqual(Redact.credentials(text), redacted)
      assert.strictEqual(Redact.credentials(redacted), redacted)
    })
  }

  for (const [text, known, redacted] of [
    ["bad p@ss, p%40ss and postgres://u:p@ss@h/d", ["p@ss"], "bad ***, *** and postgres://***@h/d"],
    ["key abcdef and abc", ["abc", "abcdef"], "key *** and ***"],
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

  it("keeps the begin of a long text, and no part of a secret at its end", () => {
    const words = "word ".repeat(1630)
    const text = `${words}https://hunter2hunter2hunter2hunter2@h/${"x".repeat(100)}`
    assert.isAbove(text.length, Redact.longest)
    assert.strictEqual(Redact.credentials(text), `${words.trimEnd()}…`)
    assert.isAtMost(Redact.credentials("x".repeat(100_000)).length, Redact.longest)
  })

  it("knows the names of secrets", () => {
    const names = ["password", "client_secret", "x-api-key", "user", "tokens", "by"]
    assert.deepStrictEqual(names.filter(Redact.isSecret), names.slice(0, 3))
  })

  it("does not take long, whatever the text", () => {
    const units = [
      "//",
      "a:",
      "//a:b ",
      '//a:"x',
      "%2F",
      "password=\\",
      '\\"',
      "token: '",
      "authorization: '",
      "key",
      "@",
      "' ",
      "=",
      "x",
      " "
    ]
    const texts = units.map((unit) => unit.repeat(10_000_000 / unit.length))
    const began = performance.now()
    for (const text of texts) Redact.secrets(text, ["known"])
    // It takes 0.2 seconds.
    assert.isBelow(performance.now() - began, 5000)
  })
})
