/**
 * How much of a module a bundle keeps where it is imported from the root, and
 * where it is imported by its own path.
 */
import { createRequire } from "node:module"
import { join } from "node:path"
import { build, transform } from "esbuild"
import { rollup } from "rollup"

/** Minified bytes of a bundle without effect. */
export interface Sizes {
  readonly name: string
  readonly esbuild: { readonly root: number; readonly subpath: number }
  readonly rollup: { readonly root: number; readonly subpath: number }
}

const uses = {
  Retry: "Retry.retry",
  CircuitBreaker: "CircuitBreaker.makeUnsafe, CircuitBreaker.protect",
  Policy: "Policy.make"
}

const withEsbuild = async (app: string, contents: string): Promise<number> => {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: app, loader: "js" },
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    external: ["effect/*"]
  })
  return outputFiles[0]?.contents.length ?? 0
}

const withRollup = async (app: string, contents: string): Promise<number> => {
  const { resolve } = createRequire(join(app, "package.json"))
  const bundle = await rollup({
    input: "entry",
    external: /^effect\//,
    plugins: [
      {
        name: "app",
        resolveId: (id) =>
          id === "entry"
            ? id
            : id.startsWith("effect-resilience")
              ? { id: resolve(id), moduleSideEffects: false }
              : undefined,
        load: (id) => (id === "entry" ? contents : undefined)
      }
    ],
    // As the manifest says.
    treeshake: { moduleSideEffects: (id) => id === "entry" }
  })
  const { output } = await bundle.generate({ format: "esm" })
  return (await transform(output[0].code, { minify: true, format: "esm" })).code.length
}

/** Bundles a few modules of the package that is installed in `app`. */
export const bundleSizes = (app: string): Promise<ReadonlyArray<Sizes>> =>
  Promise.all(
    Object.entries(uses).map(async ([name, use]) => {
      const root = `import { ${name} } from "effect-resilience"\nconsole.log(${use})`
      const subpath = `import * as ${name} from "effect-resilience/${name}"\nconsole.log(${use})`
      return {
        name,
        esbuild: { root: await withEsbuild(app, root), subpath: await withEsbuild(app, subpath) },
        rollup: { root: await withRollup(app, root), subpath: await withRollup(app, subpath) }
      }
    })
  )
