/**
 * Checks that the tree, the root, the barrels and the package's `exports` agree
 * on what is public: a file directly in an area. Run by
 * `npm run check:surface`; `npm run surface` writes the barrels, the `exports`
 * and the drawing in CONTRIBUTING.md.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")

/** Text of each file by its path: all of `src`, scripts/areas.json, package.json and CONTRIBUTING.md. */
export type Tree = ReadonlyMap<string, string>

/** Reads the tree of a checkout. */
export const treeOf = (root: string): Tree =>
  new Map(
    [...globSync("src/**/*.*", { cwd: root }).sort(), "scripts/areas.json", "package.json", "CONTRIBUTING.md"].map(
      (file) => [file, readFileSync(join(root, file), "utf8")]
    )
  )

/** Areas that may be missing until something is built in them. */
const planned = new Set(["http", "lab"])

// The command line is a program: none of its files is a module of the package.
const isProgram = (area: string) => area === "cli"

const nameOf = (file: string) => basename(file, ".ts")

/** What a tree makes public. */
export interface Surface {
  /** The areas of `src`, from bottom to top. */
  readonly areas: ReadonlyArray<string>
  /** All files of `src`, as paths in it. */
  readonly files: ReadonlyArray<string>
  /** Modules directly in an area, as paths in `src`. */
  readonly publicModules: ReadonlyArray<string>
  /** Names that the root exports, with the paths in `src` behind them. */
  readonly rootExports: ReadonlyMap<string, string>
  /** Public modules that their area's barrel exports, by area. */
  readonly barrels: ReadonlyMap<string, ReadonlyArray<string>>
}

/** Returns what a tree makes public. */
export const surfaceOf = (tree: Tree): Surface => {
  const areas = JSON.parse(tree.get("scripts/areas.json") ?? "[]") as ReadonlyArray<string>
  const files = [...tree.keys()].filter((file) => file.startsWith("src/")).map((file) => file.slice("src/".length))
  const publicModules = files.filter((file) => /^[a-z]+\/[A-Z]\w*\.ts$/.test(file) && !file.startsWith("cli/"))
  const rootExports = new Map(
    [...(tree.get("src/index.ts") ?? "").matchAll(/^export \* as (\w+) from "\.\/(.+)"$/gm)].map((match) => [
      match[1] ?? "",
      match[2] ?? ""
    ])
  )
  const inRoot = new Set(rootExports.values())
  const barrels = new Map(
    areas
      .filter((area) => tree.has(`src/${area}/index.ts`))
      .map((area) => [area, publicModules.filter((file) => file.startsWith(`${area}/`) && !inRoot.has(file))] as const)
      .filter(([, modules]) => modules.length > 0)
  )
  return { areas, files, publicModules, rootExports, barrels }
}

const entry = (path: string) => ({
  "effect-resilience-source": `./src/${path}.ts`,
  types: `./dist/${path}.d.ts`,
  default: `./dist/${path}.js`
})

const exportsMap = ({ barrels, rootExports }: Surface) => ({
  ".": entry("index"),
  "./package.json": "./package.json",
  ...Object.fromEntries(
    [
      ...[...rootExports].map(([name, file]) => [`./${name}`, entry(file.replace(/\.ts$/, ""))] as const),
      ...[...barrels.keys()].map((area) => [`./${area}`, entry(`${area}/index`)] as const)
    ].sort(([a], [b]) => (a < b ? -1 : 1))
  )
})

const barrelText = (before: string, modules: ReadonlyArray<string>): string => {
  const comment = /^\/\*\*[\s\S]*?\*\/\n/.exec(before)?.[0] ?? ""
  return `${comment}${modules.map((file) => `export * as ${nameOf(file)} from "./${nameOf(file)}.ts"\n`).join("")}`
}

/** The areas from top to bottom, with the modules of each. */
const drawing = ({ areas, files }: Surface): string => {
  const rows = areas
    .filter((area) => files.some((file) => file.startsWith(`${area}/`)))
    .reverse()
    .flatMap((area) => {
      const inside = files.filter((file) => file.startsWith(`${area}/`) && !file.endsWith("/index.ts"))
      const folders = [...new Set(inside.map((file) => dirname(file)))].sort()
      return folders.map((folder) => {
        const names = inside.filter((file) => dirname(file) === folder).map(nameOf)
        return [folder === area ? `  ${area}/` : `    ${basename(folder)}/`, names] as const
      })
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

const areasBlock = /(<!-- areas -->\n)[\s\S]*?(\n<!-- \/areas -->)/

/** Returns the rules of the surface that a tree breaks. */
export const problems = (tree: Tree): ReadonlyArray<string> => {
  const { areas, barrels, files, publicModules, rootExports } = surfaceOf(tree)
  const exported = [...rootExports.values(), ...[...barrels.values()].flat()]
  const names = publicModules.map(nameOf)
  return [
    ...areas
      .filter((area) => !planned.has(area) && !files.some((file) => file.startsWith(`${area}/`)))
      .map((area) => `scripts/areas.json names ${area}, and there is no src/${area}`),
    ...files
      .filter((file) => !areas.includes(file.split("/")[0] ?? "") && file !== "index.ts")
      .map((file) => `src/${file} is in no area: scripts/areas.json has ${areas.join(", ")}`),
    ...files
      .filter((file) => file.includes("/") && !isProgram(file.split("/")[0] ?? ""))
      .filter((file) => !/^[a-z]+\/(?:internal\/)?[A-Z]\w*\.ts$|^[a-z]+\/index\.ts$/.test(file))
      .map((file) => `src/${file} is neither directly in an area, nor in its internal/`),
    ...publicModules
      .filter((file) => !exported.includes(file))
      .map((file) => `src/${file} is directly in its area, and neither the root nor a barrel exports it`),
    ...names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `two public modules are named ${name}`),
    ...[...rootExports]
      .filter(([name, file]) => !publicModules.includes(file) || nameOf(file) !== name)
      .map(([name, file]) => `the root exports ${name} from src/${file}, which is not a public module of that name`),
    ...[...rootExports.keys()]
      .filter((name, index, all) => index > 0 && name < (all[index - 1] ?? ""))
      .map((name) => `the root exports ${name} out of alphabetical order`),
    ...(areasBlock.test(tree.get("CONTRIBUTING.md") ?? "")
      ? []
      : ["CONTRIBUTING.md has no lines <!-- areas --> and <!-- /areas -->"])
  ]
}

/** Returns the text of each file that is made of the tree and differs from it. */
export const outdated = async (tree: Tree): Promise<Tree> => {
  const prettier = await import("prettier")
  const surface = surfaceOf(tree)
  const manifest = JSON.parse(tree.get("package.json") ?? "{}") as Record<string, unknown>
  const contributing = (tree.get("CONTRIBUTING.md") ?? "").replace(
    areasBlock,
    (_, open: string, close: string) => `${open}\n${drawing(surface)}\n${close}`
  )
  const style = await prettier.resolveConfig(join(root, "CONTRIBUTING.md"))
  const made: ReadonlyArray<readonly [file: string, text: string]> = [
    ["package.json", `${JSON.stringify({ ...manifest, exports: exportsMap(surface) }, null, 2)}\n`],
    ["CONTRIBUTING.md", await prettier.format(contributing, { ...style, filepath: "CONTRIBUTING.md" })],
    ...[...surface.barrels].map(([area, modules]) => {
      const file = `src/${area}/index.ts`
      return [file, barrelText(tree.get(file) ?? "", modules)] as const
    })
  ]
  return new Map(made.filter(([file, text]) => tree.get(file) !== text))
}

const main = async (): Promise<void> => {
  const tree = treeOf(root)
  const found = problems(tree)
  for (const problem of found) console.error(problem)
  if (found.length > 0) process.exitCode = 1
  else {
    for (const [file, text] of await outdated(tree)) {
      if (process.argv.includes("--write")) {
        writeFileSync(join(root, file), text)
        console.log(`${file} written`)
      } else {
        console.error(`${file} does not list what is public: run npm run surface`)
        process.exitCode = 1
      }
    }
  }
}

if (import.meta.main) await main()
