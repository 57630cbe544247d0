import { assert, describe, it } from "@effect/vitest"
import { Linter } from "eslint"
import tseslint from "typescript-eslint"
import local from "../../scripts/eslint-rules.js"

const lint = (rule: string, code: string, file = "a.ts"): ReadonlyArray<number> =>
  new Linter()
    .verify(
      code,
      [
        {
          files: ["**/*.ts"],
          languageOptions: { parser: tseslint.parser },
          plugins: { local },
          rules: { [`local/${rule}`]: "error" }
        }
      ],
      file
    )
    .map((message) => {
      assert.isUndefined(message.fatal, message.message)
      return message.line
    })

describe("doc-comment", () => {
  it("lets a documented module pass", () => {
    const code = `/** Module. */\nimport "x"\n\n/** Value. */\nexport const a = 1\n\n/** Runs. */\nexport function f(a: string): void\nexport function f(a: number): void\nexport { b } from "./b.ts"\n`
    assert.deepStrictEqual(lint("doc-comment", code), [])
  })

  it("asks for the comment of the module, also where nothing is imported", () => {
    assert.deepStrictEqual(lint("doc-comment", `import "x"\n`), [1])
    assert.deepStrictEqual(lint("doc-comment", `/** Value. */\nexport const a = 1\n`), [1])
    assert.deepStrictEqual(lint("doc-comment", `/** Module. */\n\n/** Value. */\nexport const a = 1\n`), [])
  })

  it("asks for the comment of each kind of export", () => {
    const code = `/** Module. */\nimport "x"\nexport const a = 1\nexport interface B {}\nexport type C = 1\nexport class D {}\nexport function e() {}\nconst f = 1\nexport { f }\n`
    assert.deepStrictEqual(lint("doc-comment", code), [3, 4, 5, 6, 7, 9])
  })

  it("takes one comment for a schema and its type", () => {
    const code = `/** Module. */\nimport "x"\n/** State. */\nexport const A = 1\nexport interface A extends B {}\nexport const C = 1\nexport type C = 1\n`
    assert.deepStrictEqual(lint("doc-comment", code), [6, 7])
  })

  it("asks in internal modules for the module's comment alone", () => {
    const code = `/** Module. */\nimport "x"\nexport const a = 1\n`
    assert.deepStrictEqual(lint("doc-comment", code, "src/store/internal/A.ts"), [])
    assert.deepStrictEqual(lint("doc-comment", code, "src/store/A.ts"), [3])
    assert.deepStrictEqual(lint("doc-comment", `import "x"\n`, "src/store/internal/A.ts"), [1])
  })

  it("asks for words in it", () => {
    assert.deepStrictEqual(lint("doc-comment", `/** Module. */\nimport "x"\n/**\n *\n */\nexport const a = 1\n`), [6])
  })
})

describe("cast-reason", () => {
  it("asks for a reason", () => {
    assert.deepStrictEqual(lint("cast-reason", "const a = b as C\n\nconst d = e as unknown as F\n"), [1, 3])
  })

  it("takes a comment beside, above or further up in the function", () => {
    const code = `const a = b as C // Why.\n\n// Why.\nconst d = e as F\n\nconst f = () => {\n  // Why.\n  const g = 1\n  return g as H\n}\n`
    assert.deepStrictEqual(lint("cast-reason", code), [])
  })

  it("takes no doc comment, and no comment of another function", () => {
    const code = `/** Value. */\nconst a = b as C\n\nconst f = () => {\n  // Why.\n  return 1\n}\nconst g = () => {\n  return 1 as H\n}\n`
    assert.deepStrictEqual(lint("cast-reason", code), [2, 9])
  })

  it("does not mind as const", () => assert.deepStrictEqual(lint("cast-reason", "const a = 1 as const\n"), []))
})

describe("non-null-reason", () => {
  it("asks for a reason", () => assert.deepStrictEqual(lint("non-null-reason", "a!.b\n\n// Why.\nc!.d\n"), [1]))
})

describe("no-skipped-test", () => {
  it("finds tests that do not run or run alone", () => {
    const code = `it.skip("a")\nit.effect.only("b")\ndescribe.skip("c")\nit.todo("d")\nlayer(L).skip("e")\nit.skipIf(f)("g")\nxit("h")\n`
    assert.deepStrictEqual(lint("no-skipped-test", code), [1, 2, 3, 4, 5, 6, 7])
  })

  it("lets other members of the name pass", () =>
    assert.deepStrictEqual(lint("no-skipped-test", `it.effect("a")\nstream.skip(1)\nSchedule.only\n`), []))
})
