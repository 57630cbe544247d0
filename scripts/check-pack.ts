/**
 * Packs the package as `npm publish` would, looks at it with publint and attw,
 * installs it into an empty app, and uses it there: at run time under the Node
 * of the machine and under this one, and in types under TypeScript 6 and 7. Run by `npm run build`.
 */
import { execFileSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { homedir, tmpdir } from "node:os"
import { basename, delimiter, dirname, join, resolve, sep } from "node:path"
import { build } from "esbuild"
import { linksOf } from "./docs-links.ts"
import { faults } from "./packed-files.ts"
import { bundleSizes, type Sizes } from "./bundle-sizes.ts"

const root = resolve(import.meta.dirname, "..")
const temp = mkdtempSync(join(tmpdir(), "effect-resilience-"))
const app = join(temp, "app")
const tools = join(root, "node_modules")

const run = (command: string, args: ReadonlyArray<string>, cwd: string): string => {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
  } catch (error) {
    const { stderr, stdout } = error as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`${command} ${args.join(" ")}\n${stdout ?? ""}${stderr ?? ""}`)
  }
}

const demand = (holds: boolean, rule: string): void => {
  if (!holds) throw new Error(rule)
}

/** The machine's own Node, not the one among the dev dependencies. */
const hostNode =
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => !folder.split(sep).includes("node_modules"))
    .map((folder) => join(folder, "node"))
    .find((path) => existsSync(path)) ?? process.execPath

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin?: Record<string, string>
  readonly dependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
  readonly peerDependencies?: Record<string, string>
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>
  readonly scripts?: Record<string, string>
  readonly exports: Record<string, string | { readonly default: string }>
}

const check = async (): Promise<void> => {
  const modules = globSync("**/*.ts", { cwd: join(root, "src") })
    .map((file) => file.replace(/\.ts$/, ""))
    .sort()
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest
  const subpaths = Object.keys(manifest.exports)
    .filter((path) => path !== "." && path !== "./package.json")
    .map((path) => path.slice(2))
  demand(
    Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }).length === 0 &&
      Object.keys(manifest.peerDependencies ?? {})
        .filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)
        .join() === "effect",
    "effect as a peer must be the only dependency that is not optional"
  )

  const packed = JSON.parse(
    run("npm", ["pack", "--json", "--silent", "--pack-destination", temp], root)
  ) as ReadonlyArray<{
    readonly filename: string
    readonly size: number
    readonly files: ReadonlyArray<{ readonly path: string; readonly mode: number }>
  }>
  const pack = packed[0]
  if (pack === undefined) throw new Error("npm pack made no file")
  const tarball = join(temp, pack.filename)
  const files = pack.files.map(({ path }) => path)

  const stray = files.filter(
    (path) =>
      !/^(?:dist|docs|examples|ops|src)\/|^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/.test(path)
  )
  demand(
    stray.length === 0,
    `the package must hold dist, docs, examples, ops, src and its papers, and holds ${stray.join(", ")}`
  )
  const expected = [
    "README.md",
    "LICENSE",
    ...modules.map((name) => `dist/${name}.js`),
    // The command line is a program, and has no types.
    ...modules.filter((name) => !name.startsWith("cli/")).map((name) => `dist/${name}.d.ts`)
  ]
  const missing = expected.filter((path) => !files.includes(path))
  demand(missing.length === 0, `the package lacks ${missing.join(", ")}`)

  const wrong = faults(
    pack.files.map(({ mode, path }) => ({
      path,
      mode,
      text: path.endsWith(".png") ? undefined : readFileSync(join(root, path), "utf8")
    })),
    manifest,
    [root, homedir()]
  )
  demand(wrong.length === 0, `the package must not be published like this:\n${wrong.join("\n")}`)

  // Documents link to files of the package. What shows that a claim holds is in the repository alone.
  const evidence = /^(?:bench|chaos|test)\/|^CONTRIBUTING\.md$/
  const lost = files
    .filter((file) => file.endsWith(".md"))
    .flatMap((file) =>
      linksOf(readFileSync(join(root, file), "utf8"))
        .map(({ path, target }) => ({ target, to: path === "" ? file : join(dirname(file), path).replace(/\/$/, "") }))
        .filter(({ to }) => !evidence.test(to) && !files.some((path) => path === to || path.startsWith(`${to}/`)))
        .map(({ target }) => `${file}: ${target}`)
    )
  demand(lost.length === 0, `documents of the package link to what it lacks: ${lost.join(", ")}`)

  run(process.execPath, [join(tools, "publint/src/cli.js"), "--strict"], root)
  run(
    process.execPath,
    [
      join(tools, "@arethetypeswrong/cli/dist/index.js"),
      tarball,
      "--profile",
      "esm-only",
      "--include-entrypoints",
      ...subpaths.map((name) => `./${name}`)
    ],
    root
  )

  const effect = JSON.parse(readFileSync(join(tools, "effect/package.json"), "utf8")) as Manifest
  mkdirSync(app)
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
  const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
  run("npm", ["install", ...quiet, tarball, `effect@${effect.version}`], app)

  const imported = globSync(["*.js", "!(cli)/**/*.js"], {
    cwd: join(app, "node_modules/effect-resilience/dist")
  }).flatMap((file) =>
    [
      ...readFileSync(join(app, "node_modules/effect-resilience/dist", file), "utf8").matchAll(
        /^(?:import|export)\b[^"']*?["']([^"'\n]+)["'];?$|\bimport\(\s*["']([^"']+)["']/gm
      )
    ].map((match) => match[1] ?? match[2] ?? "")
  )
  const foreign = imported.filter((name) => !/^\.\.?\/[\w./]+\.js$|^effect\/[\w/-]+$/.test(name))
  demand(foreign.length === 0, `dist must import effect/* only, and imports ${foreign.join(", ")}`)

  const imports = subpaths.map((name) => `import * as ${name}_ from "effect-resilience/${name}"`)
  const exported = [...readFileSync(join(root, "src/index.ts"), "utf8").matchAll(/^export \* as (\w+) from/gm)].map(
    (match) => match[1] ?? ""
  )
  const shared = subpaths.filter((name) => exported.includes(name))
  demand(shared.length === exported.length, "each export of the root must have a subpath of the same name")

  // Nothing else is reachable, by any path: neither a module of an area, nor what is internal, nor a file.
  const hidden = modules
    .filter((name) => !subpaths.includes(name))
    .flatMap((name) => [
      name,
      name.replace(/^.*\//, ""),
      name.replace("internal/", ""),
      `${name}.js`,
      `dist/${name}.js`,
      `dist/${name}`,
      `src/${name}.ts`
    ])
    .filter((path) => !subpaths.includes(path))

  writeFileSync(
    join(app, "app.js"),
    `import * as root from "effect-resilience"
${imports.join("\n")}
const fail = (why) => { throw new Error(why) }
if (Object.keys(root).join() !== ${JSON.stringify([...exported].sort().join())}) fail("root exports " + Object.keys(root))
${shared.map((name) => `if (root.${name} !== ${name}_) fail("${name} of the root is not the one of the subpath")`).join("\n")}
for (const path of ${JSON.stringify(hidden)}) {
  await import("effect-resilience/" + path).then(() => fail(path + " can be imported"), () => undefined)
}
try {
  root.Retry.retry({ maxAttempts: 0 })
  fail("Retry let 0 pass")
} catch (error) {
  if (!(error instanceof root.Options.InvalidOptionError)) throw error
}
console.log(process.version)
`
  )
  const version = run(hostNode, ["app.js"], app).trim()
  run(process.execPath, ["app.js"], app)

  writeFileSync(
    join(app, "app.ts"),
    `import * as root from "effect-resilience"
${imports.join("\n")}
${shared.map((name) => `export const ${name}: typeof ${name}_ = root.${name}`).join("\n")}
// @ts-expect-error -- the types must be there, not \`any\`
root.Retry.retry({ maxAttempts: "c" })
// @ts-expect-error
root.Nothing
// @ts-expect-error -- what is internal is not in the types
root.CircuitBreaker.makeUnsafe("a").main
// @ts-expect-error
root.CircuitBreakers.register
`
  )
  // Declarations are written for it, so each type that it infers must have a name that can be imported.
  copyFileSync(join(root, "scripts/pack-consumer.ts"), join(app, "pack-consumer.ts"))
  // Functions for other modules of the package, which the declarations leave out.
  const untyped = modules.flatMap((name) =>
    [...readFileSync(join(root, `src/${name}.ts`), "utf8").matchAll(/@internal\n \*\/\nexport const (\w+)/g)].map(
      (match) => `${basename(name)}.${match[1] ?? ""}`
    )
  )
  // Each public value once more, as a library does that re-exports it: its type must have names there.
  writeFileSync(
    join(app, "again.js"),
    `const lines = []
for (const path of ${JSON.stringify(subpaths)}) {
  const module = await import("effect-resilience/" + path)
  lines.push(\`import * as \${path} from "effect-resilience/\${path}"\`)
  for (const [name, value] of Object.entries(module)) {
    // A barrel holds modules.
    const names = Object.prototype.toString.call(value) === "[object Module]" ? Object.keys(value) : [undefined]
    for (const inner of names) {
      if (${JSON.stringify(untyped)}.includes(path + "." + (inner ?? name))) continue
      const [id, at] = inner === undefined ? [name, name] : [name + "_" + inner, name + "." + inner]
      lines.push(\`export const \${path}_\${id} = \${path}.\${at}\`)
    }
  }
}
console.log(lines.join("\\n"))
`
  )
  writeFileSync(join(app, "again.ts"), run(process.execPath, ["again.js"], app))

  const compilers = [
    { name: "TypeScript 6, node", bin: "typescript/bin/tsc", module: "nodenext", moduleResolution: "nodenext" },
    { name: "TypeScript 7, bundler", bin: "@typescript/native/bin/tsc", module: "esnext", moduleResolution: "bundler" }
  ]
  for (const { bin, module, moduleResolution } of compilers) {
    writeFileSync(
      join(app, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          target: "es2022",
          lib: ["es2023", "dom", "dom.iterable"],
          module,
          moduleResolution,
          strict: true,
          exactOptionalPropertyTypes: true,
          declaration: true,
          outDir: "out",
          types: []
        },
        files: ["app.ts", "pack-consumer.ts", "again.ts"]
      })
    )
    run(process.execPath, [join(tools, bin), "-p", "."], app)
  }

  console.log(
    `pack: ${files.length} files, ${(pack.size / 1024).toFixed(1)} KiB; publint and attw clean; ` +
      `root and ${subpaths.length} subpaths are the same modules under Node ${version} and ${process.version}; ` +
      `types and declarations hold under ${compilers.map(({ name }) => name).join(" and ")}`
  )

  // esbuild keeps a namespace that is exported by name whole (evanw/esbuild#1420), so its numbers are only said.
  const sizes = await bundleSizes(app)
  for (const { name, rollup } of sizes) {
    demand(
      rollup.root <= rollup.subpath * 1.1,
      `rollup keeps ${rollup.root} B of ${name} from the root, ${rollup.subpath} B by its path`
    )
  }
  const kB = ({ root, subpath }: Sizes["rollup"]) =>
    `${(root / subpath).toFixed(2)} of ${(subpath / 1000).toFixed(1)} kB`
  console.log(
    `pack: from the root, minified, against by path: ${sizes
      .map((size) => `${size.name} rollup ${kB(size.rollup)}, esbuild ${kB(size.esbuild)}`)
      .join("; ")}`
  )

  // What a bundle keeps of a module of which it uses nothing. Not an error: the manifest says `sideEffects: false`.
  const kept: Array<string> = []
  for (const name of subpaths) {
    const target = manifest.exports[`./${name}`]
    const file = typeof target === "object" ? target.default : target
    const { outputFiles } = await build({
      stdin: { contents: `import "../${file}"`, resolveDir: join(root, "dist"), loader: "js" },
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      external: ["effect/*"],
      ignoreAnnotations: false,
      logLevel: "silent",
      plugins: [
        {
          name: "no-manifest",
          setup: (bundler) =>
            bundler.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => ({
              path: join(resolveDir, path),
              sideEffects: true
            }))
        }
      ]
    })
    const rest = (outputFiles[0]?.text ?? "").replaceAll(/import[^;]*?"effect\/[^"]+";/g, "").trim()
    if (rest !== "") kept.push(`${name} ${rest.length} B`)
  }
  if (kept.length > 0) console.log(`pack: code that a bundler cannot drop by itself, minified: ${kept.join(", ")}`)
}

try {
  await check()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(temp, { recursive: true, force: true })
}
