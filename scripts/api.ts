/**
 * Writes the declarations of all public names as text, a file a module in `api/`,
 * so that a change of the surface shows in every diff. Run by `npm run api`;
 * `npm run check:api` compares.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join, posix, resolve } from "node:path"
import ts from "typescript"
import { surfaceOf, treeOf } from "./surface.ts"

const root = resolve(import.meta.dirname, "..")
const emitted = join(root, "build/api")
const folder = join(root, "api")
const { barrels, publicModules, rootExports } = surfaceOf(treeOf(root))

/** Module of declarations, by its path in `src` without the ending. */
interface Declarations {
  readonly source: ts.SourceFile
  /** Statements that declare something, by its name. */
  readonly declared: ReadonlyMap<string, ReadonlyArray<ts.Statement>>
  /** Exported names, with where they come from: a name of this module or of another. */
  readonly exported: ReadonlyMap<string, { readonly module: string; readonly name: string }>
  /** Names of imports: a module, and what of it (`*` for all). */
  readonly imported: ReadonlyMap<string, { readonly module: string; readonly name: string }>
}

// The compiler of the build: another one orders the members of some unions by chance.
const emit = (): void => {
  rmSync(emitted, { recursive: true, force: true })
  execFileSync(
    process.execPath,
    [
      join(root, "node_modules/typescript/bin/tsc"),
      ...["-p", join(root, "tsconfig.build.json"), "--outDir", emitted],
      ...["--removeComments", "--declarationMap", "false"]
    ],
    { stdio: "inherit" }
  )
}

const loaded = new Map<string, Declarations>()

const load = (module: string): Declarations => {
  const known = loaded.get(module)
  if (known !== undefined) return known
  const file = join(emitted, `${module}.d.ts`)
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ESNext, true)
  const declared = new Map<string, Array<ts.Statement>>()
  const exported = new Map<string, { module: string; name: string }>()
  const imported = new Map<string, { module: string; name: string }>()
  const path = (specifier: ts.Expression | undefined): string | undefined => {
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) return undefined
    return posix.join(posix.dirname(module), specifier.text).replace(/\.[jt]s$/, "")
  }
  const declare = (name: string, statement: ts.Statement) => {
    declared.set(name, [...(declared.get(name) ?? []), statement])
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined
    if (modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true) {
      exported.set(name, { module, name })
    }
  }
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) declare(name.getText(source), statement)
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement)
    ) {
      declare(statement.name?.text ?? "default", statement)
    } else if (ts.isImportDeclaration(statement)) {
      const from = path(statement.moduleSpecifier)
      const bindings = statement.importClause?.namedBindings
      if (from === undefined || bindings === undefined) continue
      if (ts.isNamespaceImport(bindings)) imported.set(bindings.name.text, { module: from, name: "*" })
      else
        for (const each of bindings.elements)
          imported.set(each.name.text, { module: from, name: (each.propertyName ?? each.name).text })
    } else if (
      ts.isExportDeclaration(statement) &&
      statement.exportClause &&
      ts.isNamedExports(statement.exportClause)
    ) {
      const from = path(statement.moduleSpecifier)
      for (const each of statement.exportClause.elements) {
        const name = (each.propertyName ?? each.name).text
        exported.set(
          each.name.text,
          from === undefined ? (imported.get(name) ?? { module, name }) : { module: from, name }
        )
      }
    }
  }
  const declarations = { source, declared, exported, imported }
  loaded.set(module, declarations)
  return declarations
}

/** Follows re-exports to the module that declares a name. */
const origin = (place: { readonly module: string; readonly name: string }): { module: string; name: string } => {
  const { exported } = load(place.module)
  const next = exported.get(place.name)
  if (next !== undefined && key(next) !== key(place)) return origin(next)
  return place
}

/** Names that a declaration takes from modules of the package, or from its own. */
const references = (module: string, statement: ts.Statement): ReadonlyArray<{ module: string; name: string }> => {
  const { declared, imported } = load(module)
  const found: Array<{ module: string; name: string }> = []
  const see = (node: ts.Node): void => {
    // The name of a member or of a parameter is no reference.
    if (ts.isIdentifier(node) && (node.parent as { readonly name?: ts.Node }).name === node) return
    const names = ts.isQualifiedName(node) ? [node.left, node.right] : ts.isIdentifier(node) ? [node] : []
    const [first, second] = names.map((name) => name.getText())
    const from = first === undefined ? undefined : imported.get(first)
    if (from !== undefined && from.name !== "*") found.push(origin(from))
    else if (from !== undefined && second !== undefined) found.push(origin({ module: from.module, name: second }))
    else if (first !== undefined && second === undefined && declared.has(first)) found.push({ module, name: first })
    if (!ts.isQualifiedName(node)) ts.forEachChild(node, see)
  }
  ts.forEachChild(statement, see)
  return found
}

const key = ({ module, name }: { readonly module: string; readonly name: string }) => `${module}:${name}`

const text = (module: string, name: string, as: string): string => {
  const { declared, source } = load(module)
  return (declared.get(name) ?? [])
    .map((statement) =>
      statement
        .getText(source)
        .replace(/^export /, "")
        .replace(/^declare /, "")
        .replace(new RegExp(`\\b${name}\\b`), as)
    )
    .join("\n")
}

const heading = (file: string): string => {
  const name = basename(file, ".ts")
  const area = [...barrels].find(([, modules]) => modules.includes(file))?.[0]
  return area === undefined ? `effect-resilience/${name}` : `${name} of effect-resilience/${area}`
}

/** The base class of an error or of a service is written by the compiler. */
const isBase = (name: string) => name.endsWith("_base")

/** The files of `api/`. */
const written = async (): Promise<ReadonlyMap<string, string>> => {
  const prettier = await import("prettier")
  const style = await prettier.resolveConfig(join(root, "package.json"))
  const modules = publicModules.map((file) => file.replace(/\.ts$/, ""))
  const isNamed = new Set(
    modules.flatMap((module) => [...load(module).exported.values()].map((place) => key(origin(place))))
  )
  const hidden = new Map<string, Set<string>>()
  const files = new Map<string, string>()
  for (const module of modules) {
    const { exported } = load(module)
    const lines: Array<string> = []
    const local = new Map<string, string>()
    const show = (place: { readonly module: string; readonly name: string }, as: string): string => {
      for (const statement of load(place.module).declared.get(place.name) ?? []) {
        for (const reference of references(place.module, statement)) {
          const { module: from, name } = reference
          if (isNamed.has(key(reference)) || isBase(name) || local.has(key(reference))) continue
          if (from === module) {
            local.set(key(reference), "")
            local.set(key(reference), show(reference, name))
          } else if (from !== place.module || from.includes("/internal/")) {
            hidden.set(key(reference), (hidden.get(key(reference)) ?? new Set()).add(`${basename(module)}.${as}`))
          }
        }
      }
      return text(place.module, place.name, as)
    }
    for (const as of [...exported.keys()].sort()) {
      lines.push(show(origin(exported.get(as) ?? { module, name: as }), as))
    }
    if (local.size > 0) lines.push("// Not exported, and mentioned above:", ...[...local.values()].sort())
    const body = await prettier.format(lines.join("\n\n"), { ...style, parser: "typescript" })
    files.set(`${basename(module)}.txt`, `${heading(`${module}.ts`)}\n\n${body}`)
  }
  return files.set("index.txt", index(hidden))
}

/** What can be imported, and types of `internal/` that public names mention and nobody can import. */
const index = (hidden: ReadonlyMap<string, ReadonlySet<string>>): string =>
  [
    "effect-resilience",
    ...[...rootExports.keys()].map((name) => `  ${name}`),
    ...[...barrels].flatMap(([area, files]) => [
      `effect-resilience/${area}`,
      ...files.map((file) => `  ${basename(file, ".ts")}`)
    ]),
    "",
    "Mentioned by public names, and without a public name of their own:",
    ...[...hidden]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, users]) => `  ${name.replace(":", " ")} in ${[...users].sort().join(", ")}`),
    ""
  ].join("\n")

const main = async (): Promise<void> => {
  emit()
  const files = await written()
  const isWriting = process.argv.includes("--write")
  if (isWriting) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    for (const [file, content] of files) writeFileSync(join(folder, file), content)
    return
  }
  const there = existsSync(folder) ? globSync("*", { cwd: folder }) : []
  const wrong = [
    ...there.filter((file) => !files.has(file)),
    ...[...files]
      .filter(([file, content]) => !there.includes(file) || readFileSync(join(folder, file), "utf8") !== content)
      .map(([file]) => file)
  ]
  for (const file of wrong) console.error(`api/${file} does not say what is public: run npm run api`)
  if (wrong.length > 0) process.exitCode = 1
}

await main()
