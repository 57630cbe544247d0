/**
 * Checks that the tree, the root, the barrels and the package's `exports` say
 * the same of what is public: a file directly in an area. Run by
 * `npm run check:surface`; `npm run surface` writes the barrels, the `exports`
 * and the drawing in CONTRIBUTING.md.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const read = (file: string): string => readFileSync(join(root, file), "utf8")

/** The areas of `src`, from bottom to top. */
export const areas = JSON.parse(read("scripts/areas.json")) as ReadonlyArray<string>

/** Areas that may be missing until something is built in them. */
const planned = new Set(["http", "lab"])

// The command line is a program: none of its files is a module of the package.
const isProgram = (area: string) => area === "cli"

const files = globSync("**/*", { cwd: join(root, "src") })
  .filter((file) => /\.\w+$/.test(file))
  .sort()

const nameOf = (file: string) => basename(file, ".ts")

/** Modules that stand directly in an area, as paths in `src`. */
export const publicModules = files.filter((file) => /^[a-z]+\/[A-Z]\w*\.ts$/.test(file) && !file.startsWith("cli/"))

/** Names that the root exports, with the paths in `src` behind them. */
export const rootExports: ReadonlyMap<string, string> = new Map(
  [...read("src/index.ts").matchAll(/^export \* as (\w+) from "\.\/(.+)"$/gm)].map((match) => [
    match[1] ?? "",
    match[2] ?? ""
  ])
)

const inRoot = new Set(rootExports.values())

/** Public modules that their area's barrel exports, by area. */
export const barrels: ReadonlyMap<string, ReadonlyArray<string>> = new Map(
  areas
    .map(
      (area) =>
        [
          area,
          publicModules.filter((file) => file.startsWith(`${area}/`) && !inRoot.has(file) && hasBarrel(area))
        ] as const
    )
    .filter(([, modules]) => modules.length > 0)
)

function hasBarrel(area: string): boolean {
  return existsSync(join(root, `src/${area}/index.ts`))
}

const entry = (path: string) => ({
  "effect-resilience-source": `./src/${path}.ts`,
  types: `./dist/${path}.d.ts`,
  default: `./dist/${path}.js`
})

const exportsMap = {
  ".": entry("index"),
  "./package.json": "./package.json",
  ...Object.fromEntries(
    [
      ...[...rootExports].map(([name, file]) => [`./${name}`, entry(file.replace(/\.ts$/, ""))] as const),
      ...[...barrels.keys()].map((area) => [`./${area}`, entry(`${area}/index`)] as const)
    ].sort(([a], [b]) => (a < b ? -1 : 1))
  )
}

const barrelText = (area: string, modules: ReadonlyArray<string>): string => {
  const comment = /^\/\*\*[\s\S]*?\*\/\n/.exec(read(`src/${area}/index.ts`))?.[0] ?? ""
  return `${comment}${modules.map((file) => `export * as ${nameOf(file)} from "./${nameOf(file)}.ts"\n`).join("")}`
}

/** The areas from top to bottom, with what stands in each. */
const drawing = (): string => {
  const rows = areas
    .filter((area) => files.some((file) => file.startsWith(`${area}/`)))
    .reverse()
    .flatMap((area) => {
      const inside = files.filter((file) => file.startsWith(`${area}/`) && !file.endsWith("/index.ts"))
      const hidden = inside.filter((file) => file.includes("/internal/")).map(nameOf)
      return [
        [`  ${area}/`, inside.filter((file) => !file.includes("/internal/")).map(nameOf)] as const,
        ...(hidden.length === 0 ? [] : [["    internal/", hidden] as const])
      ]
    })
  return ["```text", "src/", "  index.ts", ...rows.flatMap(([place, names]) => wrapped(place, names)), "```"].join("\n")
}

const wrapped = (place: string, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = place.padEnd(16)
  names.forEach((name, index) => {
    const word = index < names.length - 1 ? `${name},` : name
    if (line.length + word.length >= 118) {
      lines.push(line)
      line = "".padEnd(15)
    }
    line += line.trim() === "" || index === 0 ? ` ${word}`.slice(index === 0 ? 1 : 0) : ` ${word}`
  })
  return [...lines, line]
}

const problems = (): ReadonlyArray<string> => {
  const exported = [...inRoot, ...[...barrels.values()].flat()]
  const names = publicModules.map(nameOf)
  return [
    ...areas
      .filter((area) => !planned.has(area) && !files.some((file) => file.startsWith(`${area}/`)))
      .map((area) => `scripts/areas.json names ${area}, and there is no src/${area}`),
    ...files
      .filter((file) => !areas.includes(file.split("/")[0] ?? "") && file !== "index.ts")
      .map((file) => `src/${file} stands in no area: scripts/areas.json has ${areas.join(", ")}`),
    ...files
      .filter((file) => file.includes("/") && !isProgram(file.split("/")[0] ?? ""))
      .filter((file) => !/^[a-z]+\/(?:internal\/)?[A-Z]\w*\.ts$|^[a-z]+\/index\.ts$/.test(file))
      .map((file) => `src/${file} is neither a module of an area, nor one of its internal/`),
    ...publicModules
      .filter((file) => !exported.includes(file))
      .map((file) => `src/${file} stands directly in its area, and neither the root nor a barrel exports it`),
    ...names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `two public modules are named ${name}`),
    ...[...rootExports]
      .filter(([name, file]) => !publicModules.includes(file) || nameOf(file) !== name)
      .map(([name, file]) => `the root exports ${name} from src/${file}, which is no public module of that name`),
    ...[...rootExports.keys()]
      .filter((name, index, all) => index > 0 && name < (all[index - 1] ?? ""))
      .map((name) => `the root exports ${name} out of alphabetical order`)
  ]
}

const areasBlock = /(<!-- areas -->\n)[\s\S]*?(\n<!-- \/areas -->)/

/** What is written, by file. */
const written = async (): Promise<ReadonlyMap<string, string>> => {
  const prettier = await import("prettier")
  const manifest = JSON.parse(read("package.json")) as Record<string, unknown>
  const format = async (file: string, text: string) =>
    prettier.format(text, { ...(await prettier.resolveConfig(join(root, file))), filepath: file })
  return new Map([
    ["package.json", `${JSON.stringify({ ...manifest, exports: exportsMap }, null, 2)}\n`],
    [
      "CONTRIBUTING.md",
      await format(
        "CONTRIBUTING.md",
        read("CONTRIBUTING.md").replace(
          areasBlock,
          (_, open: string, close: string) => `${open}\n${drawing()}\n${close}`
        )
      )
    ],
    ...[...barrels].map(([area, modules]) => [`src/${area}/index.ts`, barrelText(area, modules)] as const)
  ])
}

const main = async (): Promise<void> => {
  const found = problems()
  for (const problem of found) console.error(problem)
  if (found.length > 0) process.exitCode = 1
  else {
    for (const [file, text] of await written()) {
      if (read(file) === text) continue
      if (process.argv.includes("--write")) {
        writeFileSync(join(root, file), text)
        console.log(`${file} written`)
      } else {
        console.error(`${file} does not say what is public: run npm run surface`)
        process.exitCode = 1
      }
    }
  }
}

if (import.meta.main) await main()
