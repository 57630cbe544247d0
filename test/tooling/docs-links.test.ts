import { assert, describe, it } from "@effect/vitest"
import { resolve } from "node:path"
import { anchorsOf, checkLinks, checkTests } from "../../scripts/docs-links.ts"

const root = resolve(import.meta.dirname, "../..")
const broken = (text: string) => checkLinks(root, "test/tooling/a.md", text).map(({ message }) => message)

describe("links between Markdown files", () => {
  it("lets links to files, folders, headings and other sites pass", () => {
    const text = [
      "# A `b`, c",
      "[a](../../LICENSE) [b](..) [c](#a-b-c) [d](https://example.com/x) [e](../../src/core/Options.ts#L3)",
      "[f]: ../../package.json"
    ].join("\n")
    assert.deepStrictEqual(broken(text), [])
  })

  it("finds a file, a heading and a reference that are not there", () => {
    assert.deepStrictEqual(broken("[a](b.md)\n[c](#d)\n[e]: f.md"), [
      "b.md: no such file",
      "#d: no such heading",
      "f.md: no such file"
    ])
  })

  it("finds a heading that another file lacks", () => {
    assert.deepStrictEqual(broken("[a](../../CONTRIBUTING.md#the-house) [b](../../CONTRIBUTING.md#lawyers)"), [
      "../../CONTRIBUTING.md#lawyers: no such heading"
    ])
  })

  it("finds a link that leaves the project", () => {
    assert.deepStrictEqual(broken("[a](/etc/hosts) [b](../../../x)"), [
      "/etc/hosts: the link leaves the project",
      "../../../x: the link leaves the project"
    ])
  })

  it("does not look into code", () => {
    assert.deepStrictEqual(broken("`[a](b.md)`\n```md\n[c](d.md)\n```\n"), [])
  })

  it("numbers headings of the same name", () => {
    assert.deepStrictEqual([...anchorsOf("# A\n## A\n### a\n")], ["a", "a-1", "a-2"])
  })
})

describe("tests that Markdown files name", () => {
  const broken = (text: string) => checkTests(root, "docs/a.md", text).map(({ line, message }) => `${line} ${message}`)
  const retry = "[retry](../test/policies/Retry.test.ts)"

  it("lets tests that exist pass, by their name, the start of it, or the name of a group", () => {
    const text = [
      `${retry}: "makes three attempts by default", "waits a constant time", _interruption_; \`test/core/Outcome.test.ts\``,
      "`test/<area>/X.test.ts`, `test/types/*.test.ts`"
    ].join("\n")
    assert.deepStrictEqual(broken(text), [])
  })

  it("finds names of tests that are not there, whichever way the file is given", () => {
    assert.deepStrictEqual(broken(`a\n${retry}: "makes three attempts by default", "gone", _lost_`), [
      `2 test/policies/Retry.test.ts: no test is named "gone"`,
      `2 test/policies/Retry.test.ts: no test is named "lost"`
    ])
    assert.deepStrictEqual(broken('| `test/policies/Retry.test.ts`: "gone" |'), [
      `1 test/policies/Retry.test.ts: no test is named "gone"`
    ])
  })

  it("finds a test file that is not there", () => {
    assert.deepStrictEqual(broken('`test/policies/Gone.test.ts`: "a"'), ["1 test/policies/Gone.test.ts: no such file"])
  })

  it("does not look into code", () => {
    assert.deepStrictEqual(broken(`\`\`\`md\n${retry}: "gone"\n\`\`\`\n`), [])
  })
})
