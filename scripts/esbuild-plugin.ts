/**
 * Plugin of the build: one file a module, and calls at the top of a module that
 * a bundler may drop.
 */
import { readFileSync } from "node:fs"
import type { Plugin } from "esbuild"
import ts from "typescript"

/**
 * Marks the calls that run when a module is loaded as pure, as Effect's own
 * build does: an unused combinator (`dual(...)`) or error class
 * (`Data.TaggedError(...)`) is then left out of a bundle.
 */
export const annotate = (file: string, code: string): string => {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.ESNext, true)
  const places = new Set<number>()
  const visit = (node: ts.Node): void => {
    // What a class extends counts among the types too.
    if (ts.isExpressionWithTypeArguments(node)) return visit(node.expression)
    if (ts.isFunctionLike(node) || ts.isTypeNode(node)) return
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const at = node.getStart(source)
      if (!/\/\*\s*[@#]__PURE__\s*\*\/\s*\(?$/.test(code.slice(0, at))) places.add(at)
    }
    ts.forEachChild(node, visit)
  }
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement) || ts.isClassDeclaration(statement)) visit(statement)
  }
  return [...places]
    .sort((a, b) => b - a)
    .reduce((text, at) => `${text.slice(0, at)}/* @__PURE__ */ ${text.slice(at)}`, code)
}

/**
 * Keeps each module a file of its own, so that an import of the root and one of
 * a subpath are the same module.
 */
export const keepModules: Plugin = {
  name: "keep-modules",
  setup(build) {
    build.onResolve({ filter: /^\.\.?\// }, (args) =>
      args.kind === "entry-point" ? undefined : { path: args.path.replace(/\.ts$/, ".js"), external: true }
    )
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: annotate(path, readFileSync(path, "utf8")),
      loader: "ts"
    }))
  }
}
