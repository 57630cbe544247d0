/**
 * Lint rules of this project that no published plugin offers.
 */
const isTestCall = new Set(["it", "test", "describe", "layer"])

const isFunction = /^(?:ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/
const isStatement = /(?:Statement|Declaration|PropertyDefinition|MethodDefinition)$/

/**
 * Whether a `//` comment gives a reason for a node: beside it, above it, above
 * a statement that it is part of, or further up in the same function.
 */
const hasReason = (sourceCode, node) => {
  const lines = sourceCode
    .getAllComments()
    .filter((comment) => comment.type === "Line")
    .map((comment) => comment.loc.end.line)
  const within = (from, to) => lines.some((line) => line >= from && line <= to)
  if (within(node.loc.start.line - 1, node.loc.end.line)) return true
  let inFunction = false
  for (let at = node.parent; at; at = at.parent) {
    if (isStatement.test(at.type) && within(at.loc.start.line - 1, at.loc.start.line - 1)) return true
    if (isFunction.test(at.type) && !inFunction) {
      inFunction = true
      if (within(at.loc.start.line, node.loc.start.line)) return true
    }
  }
  return false
}

const castReason = {
  meta: {
    type: "problem",
    docs: { description: "Require a `//` comment that says why beside a cast" },
    messages: { missing: "Say in a `//` comment beside it why this cast holds" },
    schema: []
  },
  create(context) {
    const check = (node) => {
      if (!hasReason(context.sourceCode, node)) context.report({ node, messageId: "missing" })
    }
    return {
      TSAsExpression(node) {
        const type = node.typeAnnotation
        if (type.type === "TSTypeReference" && type.typeName.name === "const") return
        // `x as unknown as T` is one cast.
        if (node.parent.type !== "TSAsExpression") check(node)
      },
      TSTypeAssertion: check
    }
  }
}

const nonNullReason = {
  meta: {
    type: "problem",
    docs: { description: "Require a `//` comment that says why beside a non-null assertion" },
    messages: { missing: "Say in a `//` comment beside it why this is never null" },
    schema: []
  },
  create(context) {
    return {
      TSNonNullExpression(node) {
        if (!hasReason(context.sourceCode, node)) context.report({ node, messageId: "missing" })
      }
    }
  }
}

const docComment = {
  meta: {
    type: "problem",
    docs: { description: "Require a doc comment on every export and at the top of every module" },
    messages: {
      missing: "Write a doc comment for `{{name}}`",
      empty: "The doc comment of `{{name}}` says nothing",
      module: "Write a doc comment for the module above its imports"
    },
    schema: []
  },
  create(context) {
    const { sourceCode } = context
    const docOf = (node) => {
      const comments = sourceCode.getCommentsBefore(node)
      const last = comments.at(-1)
      return last !== undefined &&
        last.type === "Block" &&
        last.value.startsWith("*") &&
        last.loc.end.line === node.loc.start.line - 1
        ? last
        : undefined
    }
    const nameOf = (declaration) =>
      declaration.type === "VariableDeclaration"
        ? declaration.declarations.map((each) => sourceCode.getText(each.id).split(":")[0]).join(", ")
        : (declaration.id?.name ?? "default")
    // What only the package itself reads has a comment where there is something to say.
    const isInternal = /[\\/]internal[\\/]|[\\/]src[\\/]cli[\\/]/.test(context.filename)
    const exported = sourceCode.ast.body.filter((node) => node.type === "ExportNamedDeclaration" && node.declaration)
    /** Whether another export of this name, such as the schema of a type, has the comment. */
    const isPaired = (node, name) =>
      exported.some((other) => other !== node && nameOf(other.declaration) === name && docOf(other) !== undefined)
    const documented = new Set()
    const check = (node, name) => {
      const doc = docOf(node)
      if (doc === undefined) {
        // Overloads share the comment of the first.
        if (!isInternal && !documented.has(name) && !isPaired(node, name)) {
          context.report({ node, messageId: "missing", data: { name } })
        }
        return
      }
      documented.add(name)
      if (!/[A-Za-z]{2}/.test(doc.value)) context.report({ node, messageId: "empty", data: { name } })
    }
    return {
      Program(node) {
        const start = node.body[0]
        if (start === undefined) return
        const docs = sourceCode
          .getCommentsBefore(start)
          .filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
        // Without imports, the comment nearest to the first export is its own.
        if (docs.length < (start.type === "ImportDeclaration" ? 1 : 2)) {
          context.report({ loc: { line: 1, column: 0 }, messageId: "module" })
        }
      },
      ExportNamedDeclaration(node) {
        if (node.declaration) check(node, nameOf(node.declaration))
        // What another module exports is documented there.
        else if (!node.source) for (const each of node.specifiers) check(each, sourceCode.getText(each.exported))
      },
      ExportDefaultDeclaration(node) {
        check(node, "default")
      },
      ExportAllDeclaration(node) {
        check(node, node.exported?.name ?? "*")
      }
    }
  }
}

const noSkippedTest = {
  meta: {
    type: "problem",
    docs: { description: "Disallow tests that are skipped, left open or run alone" },
    messages: { skipped: "`{{name}}` hides tests: remove it" },
    schema: []
  },
  create(context) {
    const names = new Set(["skip", "only", "todo", "skipIf", "runIf", "fails"])
    const rootOf = (node) => {
      let at = node
      while (at.type === "MemberExpression" || at.type === "CallExpression") at = at.object ?? at.callee
      return at
    }
    return {
      MemberExpression(node) {
        if (node.computed || !names.has(node.property.name)) return
        const root = rootOf(node.object)
        if (root.type !== "Identifier" || !isTestCall.has(root.name)) return
        context.report({ node, messageId: "skipped", data: { name: context.sourceCode.getText(node) } })
      },
      "CallExpression > Identifier.callee[name=/^(xit|xdescribe|fit|fdescribe|xtest)$/]"(node) {
        context.report({ node, messageId: "skipped", data: { name: node.name } })
      }
    }
  }
}

const noFloatingEffect = {
  meta: {
    type: "problem",
    docs: { description: "Disallow an Effect that is made and then neither yielded, returned nor run" },
    messages: { floating: "Nothing runs this Effect: yield, return or run it, or discard it with `void`" },
    schema: []
  },
  create(context) {
    const services = context.sourceCode.parserServices
    return {
      ExpressionStatement(node) {
        const { expression } = node
        if (!["CallExpression", "Identifier", "MemberExpression", "NewExpression"].includes(expression.type)) return
        const type = services.getTypeAtLocation(expression)
        if (type.getProperty("~effect/Effect") !== undefined) context.report({ node, messageId: "floating" })
      }
    }
  }
}

export default {
  meta: { name: "effect-resilience" },
  rules: {
    "cast-reason": castReason,
    "doc-comment": docComment,
    "no-floating-effect": noFloatingEffect,
    "no-skipped-test": noSkippedTest,
    "non-null-reason": nonNullReason
  }
}
