import { assert, beforeAll, describe, it } from "@effect/vitest"
import { cruise } from "dependency-cruiser"
import type { ICruiseOptions, IForbiddenRuleType } from "dependency-cruiser"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

const load = createRequire(import.meta.url)
const areas = load("../../scripts/areas.json") as ReadonlyArray<string>
// The file is plain JavaScript, in the form that dependency-cruiser documents for its configuration.
const { forbidden, options } = load("../../.dependency-cruiser.cjs") as {
  readonly forbidden: Array<IForbiddenRuleType>
  readonly options: ICruiseOptions
}

/** A source tree that breaks each rule, as imports by file. */
const imports: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/index.ts": [],
  ...Object.fromEntries(areas.map((area) => [`src/${area}/Module.ts`, []])),
  ...Object.fromEntries(
    areas
      .slice(0, -1)
      .map((area, index) => [`src/${area}/Upward.ts`, [`../${areas[index + 1] ?? ""}/Module.ts`, "../index.ts"]])
  ),
  "src/policies/Downward.ts": ["../core/Module.ts", "effect/Effect"],
  "src/policies/Left.ts": ["./Right.ts"],
  "src/policies/Right.ts": ["./Left.ts"],
  "src/circuit/Timed.ts": ["effect/Clock"],
  "src/circuit/Pure.ts": ["effect/Duration"],
  "src/store/Foreign.ts": ["other"],
  "src/store/OnNode.ts": ["node:fs"],
  "src/store/Lost.ts": ["./Absent.ts"],
  "src/cli/main.ts": ["node:fs", "other"],
  "src/cli/places/Drivers.ts": ["other"],
  "node_modules/effect/dist/Clock.js": [],
  "node_modules/effect/dist/Duration.js": [],
  "node_modules/effect/dist/Effect.js": [],
  "node_modules/other/index.js": []
}

const manifests = {
  "package.json": { dependencies: { effect: "*", other: "*" } },
  "node_modules/effect/package.json": { name: "effect", exports: { "./*": "./dist/*.js" } },
  "node_modules/other/package.json": { name: "other", exports: "./index.js" }
}

/** The violations of each file: the rule, and what it imports against it. */
const found = new Map<string, Array<readonly [rule: string, to: string]>>()

beforeAll(async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "import-rules-")))
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  try {
    for (const [file, of] of Object.entries(imports)) write(file, of.map((to) => `import "${to}"\n`).join(""))
    for (const [file, manifest] of Object.entries(manifests)) write(file, JSON.stringify(manifest))
    const { output } = await cruise(
      ["src"],
      { ...options, baseDir: root, validate: true, ruleSet: { forbidden } },
      options.enhancedResolveOptions
    )
    if (typeof output === "string") return assert.fail(output)
    for (const { from, rule, to } of output.summary.violations) {
      found.set(from, [...(found.get(from) ?? []), [rule.name, to]])
    }
  } finally {
    rmSync(root, { recursive: true })
  }
})

describe("the import rules refuse", () => {
  it.each(areas.slice(0, -1))("an import in %s of the area above it, and of the root", (area) => {
    const next = areas[areas.indexOf(area) + 1] ?? ""
    assert.sameDeepMembers(found.get(`src/${area}/Upward.ts`) ?? [], [
      [`${area}-imports-down`, `src/${next}/Module.ts`],
      [`${area}-imports-down`, "src/index.ts"]
    ])
  })

  const refused: ReadonlyArray<[name: string, file: string, rule: string, to: string]> = [
    ["a cycle of files", "src/policies/Left.ts", "no-cycle", "src/policies/Right.ts"],
    ["an effect in the pure circuit", "src/circuit/Timed.ts", "pure-circuit", "node_modules/effect/dist/Clock.js"],
    ["a foreign package", "src/store/Foreign.ts", "src-needs-effect-only", "node_modules/other/index.js"],
    ["a module of Node", "src/store/OnNode.ts", "src-runs-everywhere", "fs"],
    ["a file that does not exist", "src/store/Lost.ts", "resolvable", "./Absent.ts"]
  ]
  it.each(refused)("%s", (_, file, rule, to) => {
    assert.deepInclude(found.get(file) ?? [], [rule, to])
  })
})

describe("the import rules allow", () => {
  it.each([
    ["a lower area, and effect", "src/policies/Downward.ts"],
    ["a data type of effect in the pure circuit", "src/circuit/Pure.ts"],
    ["Node and foreign packages in the entry of the CLI", "src/cli/main.ts"],
    ["foreign packages in the drivers of the CLI", "src/cli/places/Drivers.ts"]
  ])("%s", (_, file) => {
    assert.isUndefined(found.get(file))
  })
})
