import { assert, describe, it } from "@effect/vitest"
import { resolve } from "node:path"
import { anchorsOf, checkLinks } from "../../scripts/docs-links.ts"

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
