import { assert, describe, it } from "@effect/vitest"
import { fromDocComments, fromMarkdown, rewrite } from "../../scripts/docs-blocks.ts"
import type { Block } from "../../scripts/docs-blocks.ts"

const fence = "```"
const lines = (...text: ReadonlyArray<string>) => text.join("\n")
const block = (...code: ReadonlyArray<string>): Block => ({
  file: "docs/a.md",
  line: 11,
  indent: 0,
  code: lines(...code),
  mode: "run"
})

describe("blocks of Markdown", () => {
  it("finds a block, its line and its mode", () => {
    const text = lines(
      "# A",
      `${fence}ts`,
      "1",
      "2",
      fence,
      "",
      `${fence}ts no-run`,
      "3",
      fence,
      `${fence}sh`,
      "ls",
      fence
    )
    assert.deepStrictEqual(fromMarkdown("a.md", text), {
      blocks: [
        { file: "a.md", line: 3, indent: 0, code: "1\n2", mode: "run" },
        { file: "a.md", line: 8, indent: 0, code: "3", mode: "types" }
      ],
      problems: []
    })
  })

  it("takes the margin of a list or a quotation off the code", () => {
    const { blocks } = fromMarkdown(
      "a.md",
      lines("- a", `  ${fence}ts`, "  1", "    2", `  ${fence}`, `> ${fence}ts`, "> 3", `> ${fence}`)
    )
    assert.deepStrictEqual(
      blocks.map(({ code, indent }) => [code, indent]),
      [
        ["1\n  2", 2],
        ["3", 2]
      ]
    )
  })

  it("does not take a fence inside a longer fence for a block", () => {
    assert.deepStrictEqual(fromMarkdown("a.md", lines("````md", `${fence}ts`, "1", fence, "````")).blocks, [])
  })

  it("hands a block that imports the test runner to it", () => {
    const { blocks } = fromMarkdown("a.md", lines(`${fence}ts`, `import { it } from "@effect/vitest"`, fence))
    assert.deepStrictEqual(
      blocks.map(({ mode }) => mode),
      ["test"]
    )
  })

  for (const info of ["ts no-check", "typescript", "tsx", "js", "javascript", "ts no-run twice"]) {
    it(`refuses the fence ${info}`, () => {
      const { blocks, problems } = fromMarkdown("a.md", lines("", fence + info, "1", fence))
      assert.deepStrictEqual(blocks, [])
      assert.deepStrictEqual(
        problems.map(({ line }) => line),
        [2]
      )
    })
  }

  it("refuses a fence that is never closed", () => {
    assert.deepStrictEqual(
      fromMarkdown("a.md", lines(`${fence}ts`, "1")).problems.map(({ line }) => line),
      [1]
    )
  })
})

describe("blocks of doc comments", () => {
  it("strips the stars and keeps the line", () => {
    const text = lines(
      "/**",
      " * A.",
      " *",
      ` * ${fence}ts`,
      " * const a = {",
      " *   b: 1",
      " * }",
      ` * ${fence}`,
      " */",
      "const x = 1"
    )
    assert.deepStrictEqual(fromDocComments("src/A.ts", text).blocks, [
      { file: "src/A.ts", line: 5, indent: 3, code: "const a = {\n  b: 1\n}", mode: "run" }
    ])
  })

  it("reads the comment of a member", () => {
    const text = lines("  /**", `   * ${fence}ts`, "   * 1", `   * ${fence}`, "   */")
    assert.deepStrictEqual(
      fromDocComments("src/A.ts", text).blocks.map(({ code, line }) => [code, line]),
      [["1", 3]]
    )
  })

  it("leaves fences outside doc comments alone", () => {
    assert.deepStrictEqual(fromDocComments("src/A.ts", lines("const a = `", `${fence}ts`, "1", fence, "`")).blocks, [])
  })
})

describe("assertions", () => {
  const cases: ReadonlyArray<readonly [string, string, string]> = [
    ["an expression", "f(1) // => 2", "__expect(7, 1, (f(1)), () => (2)) // => 2"],
    ["a constant", "const a = f(1) // => [2]", "const a = __expect(7, 1, (f(1)), () => ([2])) // => [2]"],
    ["what console.log prints", "console.log(a) // => 2", "console.log(__expect(7, 1, (a), () => (2))) // => 2"],
    ["a semicolon", "a; // => 2", "__expect(7, 1, (a), () => (2)); // => 2"]
  ]
  for (const [name, code, expected] of cases) {
    it(`follow ${name}`, () => {
      const { assertions, code: rewritten, problems } = rewrite(block(code), 7)
      assert.deepStrictEqual(problems, [])
      assert.deepStrictEqual(assertions, [1])
      assert.strictEqual(rewritten, expected)
    })
  }

  it("follow the last line of an expression, without moving a line", () => {
    const { assertions, code } = rewrite(block("const a = f(", "  1", ") // => 2", "a"), 0)
    assert.deepStrictEqual(assertions, [3])
    assert.strictEqual(code, lines("const a = __expect(0, 3, (f(", "  1", ")), () => (2)) // => 2", "a"))
  })

  it("stand inside functions and generators", () => {
    const { assertions, code } = rewrite(
      block("const p = gen(function* () {", "  yield* a // => 1", "  return yield* b // => 2", "})"),
      0
    )
    assert.deepStrictEqual(assertions, [2, 3])
    assert.strictEqual(
      code,
      lines(
        "const p = gen(function* () {",
        "  __expect(0, 2, (yield* a), () => (1)) // => 1",
        "  return __expect(0, 3, (yield* b), () => (2)) // => 2",
        "})"
      )
    )
  })

  for (const [name, code] of [
    ["an argument", lines("f( // => 1", "  1", ")")],
    ["a property", lines("const a = {", "  b: 1 // => 1", "}")],
    ["nothing", "// => 1"],
    ["nothing at the end", lines("f(1)", "// => 1")]
  ] as const) {
    it(`after ${name} are an error`, () => {
      const { assertions, problems } = rewrite(block(code), 0)
      assert.deepStrictEqual(assertions, [])
      assert.strictEqual(problems.length, 1)
    })
  }

  it("without a value that can be parsed are an error at their line", () => {
    for (const value of ["", "{ a: ... }", "1 2"]) {
      const { problems } = rewrite(block("f(1)", `f(2) // => ${value}`), 0)
      assert.deepStrictEqual(
        problems.map(({ line }) => line),
        [12]
      )
    }
  })

  it("in a string are text", () => {
    const { assertions, code } = rewrite(block('"a // => 1"', "const b = `${a} // => 2`"), 0)
    assert.deepStrictEqual(assertions, [])
    assert.strictEqual(code, lines('"a // => 1"', "const b = `${a} // => 2`"))
  })
})
