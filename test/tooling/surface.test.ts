import { assert, beforeAll, describe, it } from "@effect/vitest"
import { outdated, problems } from "../../scripts/surface.ts"

const files = {
  "scripts/areas.json": `["core", "store", "http", "cli"]`,
  "src/index.ts": `export * as Options from "./core/Options.ts"\nexport * as Store from "./store/Store.ts"\n`,
  "src/core/Options.ts": "",
  "src/core/internal/Rules.ts": "",
  "src/store/Store.ts": "",
  "src/store/Table.ts": "",
  "src/store/index.ts": "/**\n * Tables of stores.\n */\n",
  "src/cli/main.ts": "",
  "package.json": `{"name":"a"}`,
  "CONTRIBUTING.md": "# A\n\n<!-- areas -->\n\n<!-- /areas -->\n"
}

/** A tree that breaks no rule. */
let tree: ReadonlyMap<string, string>

beforeAll(async () => {
  const draft = new Map(Object.entries(files))
  tree = new Map([...draft, ...(await outdated(draft))])
})

/** Returns the tree with other files. */
const changed = (change: Readonly<Record<string, string>>) => new Map([...tree, ...Object.entries(change)])

/** Returns the tree without some files. */
const without = (...paths: ReadonlyArray<string>) => new Map([...tree].filter(([file]) => !paths.includes(file)))

describe("a tree that agrees on what is public", () => {
  it("has no problem, and nothing to write", async () => {
    assert.deepStrictEqual(problems(tree), [])
    assert.deepStrictEqual([...(await outdated(tree)).keys()], [])
  })

  it("has its public modules in the exports, the barrels and the drawing, and no others", () => {
    const manifest = JSON.parse(tree.get("package.json") ?? "") as { readonly exports: object }
    assert.deepStrictEqual(Object.keys(manifest.exports), [".", "./package.json", "./Options", "./Store", "./store"])
    assert.strictEqual(
      tree.get("src/store/index.ts"),
      `/**\n * Tables of stores.\n */\nexport * as Table from "./Table.ts"\n`
    )
    const lines = (tree.get("CONTRIBUTING.md") ?? "").split("\n").map((line) => line.trim().replaceAll(/ +/g, " "))
    assert.includeMembers(lines, ["cli/ main", "store/ Store, Table", "core/ Options", "internal/ Rules"])
  })
})

describe("reports", () => {
  const cases: ReadonlyArray<[name: string, build: () => ReadonlyMap<string, string>, problem: string]> = [
    [
      "a file in no area",
      () => changed({ "src/Extra.ts": "" }),
      "src/Extra.ts is in no area: scripts/areas.json has core, store, http, cli"
    ],
    [
      "a folder that is no area",
      () => changed({ "src/util/internal/Text.ts": "" }),
      "src/util/internal/Text.ts is in no area: scripts/areas.json has core, store, http, cli"
    ],
    [
      "an area without a file",
      () => without("src/cli/main.ts"),
      "scripts/areas.json names cli, and there is no src/cli"
    ],
    [
      "a folder in an area other than internal/",
      () => changed({ "src/core/util/Text.ts": "" }),
      "src/core/util/Text.ts is neither directly in an area, nor in its internal/"
    ],
    [
      "a folder in internal/",
      () => changed({ "src/core/internal/util/Text.ts": "" }),
      "src/core/internal/util/Text.ts is neither directly in an area, nor in its internal/"
    ],
    [
      "a file of an area that is not named as a module",
      () => changed({ "src/core/text.ts": "" }),
      "src/core/text.ts is neither directly in an area, nor in its internal/"
    ],
    [
      "a public module that neither the root nor a barrel exports",
      () => changed({ "src/core/Extra.ts": "" }),
      "src/core/Extra.ts is directly in its area, and neither the root nor a barrel exports it"
    ],
    [
      "two public modules of one name",
      () => changed({ "src/store/Options.ts": "" }),
      "two public modules are named Options"
    ],
    [
      "an internal module that the root exports",
      () => changed({ "src/index.ts": `${files["src/index.ts"]}export * as Zzz from "./core/internal/Rules.ts"\n` }),
      "the root exports Zzz from src/core/internal/Rules.ts, which is not a public module of that name"
    ],
    [
      "a module that the root exports under another name",
      () => changed({ "src/index.ts": files["src/index.ts"].replace("as Store", "as Stores") }),
      "the root exports Stores from src/store/Store.ts, which is not a public module of that name"
    ],
    [
      "an export of the root out of order",
      () => changed({ "src/index.ts": files["src/index.ts"].trimEnd().split("\n").toReversed().join("\n") }),
      "the root exports Options out of alphabetical order"
    ],
    [
      "a CONTRIBUTING.md without a place for the drawing",
      () => changed({ "CONTRIBUTING.md": "# A\n" }),
      "CONTRIBUTING.md has no lines <!-- areas --> and <!-- /areas -->"
    ]
  ]
  it.each(cases)("%s", (_, build, problem) => {
    assert.deepStrictEqual(problems(build()), [problem])
  })
})

describe("writes again", () => {
  const cases: ReadonlyArray<[file: string, build: () => ReadonlyMap<string, string>]> = [
    [
      "package.json",
      () => changed({ "package.json": (tree.get("package.json") ?? "").replace("./Store", "./Stores") })
    ],
    ["src/store/index.ts", () => changed({ "src/store/index.ts": `export * as Gone from "./Gone.ts"\n` })],
    ["CONTRIBUTING.md", () => changed({ "src/core/internal/Text.ts": "" })]
  ]
  it.each(cases)("%s", async (file, build) => {
    assert.deepStrictEqual(problems(build()), [])
    assert.deepStrictEqual([...(await outdated(build())).keys()], [file])
  })
})
