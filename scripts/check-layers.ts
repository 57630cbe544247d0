/**
 * Checks that scripts/layers.json and src hold the same modules, and then the
 * imports themselves, with the rules of .dependency-cruiser.cjs. Run by
 * `npm run check:layers`.
 */
import { spawnSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const layers = JSON.parse(readFileSync(join(root, "scripts/layers.json"), "utf8")) as ReadonlyArray<string>
const modules = globSync("**/*.ts", { cwd: join(root, "src") }).map((file) => file.replace(/\.ts$/, ""))

const problems = [
  ...modules
    .filter((name) => !layers.includes(name))
    .map((name) => `src/${name}.ts has no place in scripts/layers.json: put it above all that it imports`),
  ...layers
    .filter((name) => !modules.includes(name))
    .map((name) => `scripts/layers.json names ${name}, and there is no src/${name}.ts`),
  ...layers
    .filter((name, index) => layers.indexOf(name) !== index)
    .map((name) => `scripts/layers.json names ${name} twice`)
]
for (const problem of problems) console.error(problem)

const folders = ["src", "dashboard", "test", "bench", "demo", "fleet", "chaos", "examples", "scripts"].filter(
  (folder) => existsSync(join(root, folder))
)
const { status } = spawnSync(
  process.execPath,
  [join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs"), ...folders, "--output-type", "err-long"],
  { cwd: root, stdio: "inherit" }
)
process.exit(problems.length === 0 && status === 0 ? 0 : 1)
