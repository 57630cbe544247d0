/**
 * Finds the TypeScript blocks of Markdown files and doc comments, and turns
 * their `// => value` comments into assertions.
 */
import ts from "typescript"

/** Code block of a document. */
export interface Block {
  /** File it stands in. */
  readonly file: string
  /** Line of the file at which the code begins, from 1. */
  readonly line: number
  /** Number of characters before the code on each of its lines. */
  readonly indent: number
  readonly code: string
  /** Whether the block is run, run by the test runner, or only type-checked. */
  readonly mode: "run" | "test" | "types"
}

/** Something wrong at a place. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly column?: number
  readonly message: string
}

/** Blocks of a document, with what is wrong with its fences. */
export interface Extracted {
  readonly blocks: ReadonlyArray<Block>
  readonly problems: ReadonlyArray<Problem>
}

/** Line of a document: its text after a prefix of so many characters. */
interface Line {
  readonly number: number
  readonly indent: number
  readonly text: string
}

const opening = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/
const script = /^(?:ts|tsx|mts|cts|typescript|js|jsx|mjs|cjs|javascript)\b/
const testRunner = /\bfrom\s+["'](?:@effect\/)?vitest["']/

const extractLines = (file: string, lines: ReadonlyArray<Line>): Extracted => {
  const blocks: Array<Block> = []
  const problems: Array<Problem> = []
  for (let at = 0; at < lines.length; at++) {
    const open = lines[at] as Line
    const match = opening.exec(open.text)
    if (match === null) continue
    const [, margin = "", fence = "", info = ""] = match
    const body: Array<string> = []
    let end = at + 1
    const isClosing = (text: string) => text.trim().startsWith(fence) && /^[`~]+$/.test(text.trim())
    while (end < lines.length && !isClosing((lines[end] as Line).text)) {
      const { text } = lines[end] as Line
      body.push(text.startsWith(margin) ? text.slice(margin.length) : text.trimStart())
      end++
    }
    if (end === lines.length) problems.push({ file, line: open.number, message: "this fence is never closed" })
    at = end
    if (!script.test(info)) continue
    if (info !== "ts" && info !== "ts no-run") {
      problems.push({
        file,
        line: open.number,
        message: `write \`ts\` or \`ts no-run\` after the fence, not \`${info}\``
      })
      continue
    }
    const code = body.join("\n")
    blocks.push({
      file,
      line: open.number + 1,
      indent: open.indent + margin.length,
      code,
      mode: info === "ts no-run" ? "types" : testRunner.test(code) ? "test" : "run"
    })
  }
  return { blocks, problems }
}

/** Extracts the blocks of a Markdown file. */
export const fromMarkdown = (file: string, text: string): Extracted =>
  extractLines(
    file,
    text.split("\n").map((line, index) => {
      const quote = /^(?:\s*>\s?)*/.exec(line)?.[0] ?? ""
      return { number: index + 1, indent: quote.length, text: line.slice(quote.length) }
    })
  )

/** Extracts the blocks of the doc comments of a TypeScript file. */
export const fromDocComments = (file: string, text: string): Extracted => {
  const blocks: Array<Block> = []
  const problems: Array<Problem> = []
  const flush = (lines: ReadonlyArray<Line>) => {
    const extracted = extractLines(file, lines)
    blocks.push(...extracted.blocks)
    problems.push(...extracted.problems)
  }
  let comment: Array<Line> | undefined
  for (const [index, line] of text.split("\n").entries()) {
    if (comment === undefined) {
      if (/^\s*\/\*\*(?!.*\*\/)/.test(line)) comment = []
      continue
    }
    if (/^\s*\*\//.test(line)) {
      flush(comment)
      comment = undefined
      continue
    }
    const prefix = /^\s*\* ?/.exec(line)?.[0] ?? ""
    comment.push({ number: index + 1, indent: prefix.length, text: line.slice(prefix.length) })
  }
  return { blocks, problems }
}

/** Block with its assertions in place. */
export interface Rewritten {
  readonly code: string
  /** Lines of the block that hold an assertion, from 1. */
  readonly assertions: ReadonlyArray<number>
  readonly problems: ReadonlyArray<Problem>
}

/** Name of the global function that compares a value with the one in the comment. */
export const expectName = "__expect"

/**
 * Rewrites `expression // => value` to a call of the global `__expect`, without
 * moving a line.
 *
 * **Details**
 *
 * The comment may follow an expression, `const x = expression`, `return
 * expression` or `console.log(expression)`, also where it ends after several
 * lines. It is an error if it follows anything else.
 */
export const rewrite = (block: Block, id: number): Rewritten => {
  const { code, file } = block
  const source = ts.createSourceFile("block.ts", code, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS)
  const problems: Array<Problem> = []
  const assertions: Array<number> = []
  const inserts: Array<{ readonly at: number; readonly text: string }> = []

  const comments: Array<{ readonly at: number; readonly line: number; readonly value: string }> = []
  const seen = new Set<number>()
  const subjects: Array<{ readonly end: number; readonly expression: ts.Expression }> = []
  const collect = (ranges: ReadonlyArray<ts.CommentRange> | undefined): void => {
    for (const { end, pos } of ranges ?? []) {
      const match = /^\/\/\s*=>\s*(.*)$/.exec(code.slice(pos, end))
      if (match === null || seen.has(pos)) continue
      seen.add(pos)
      const line = source.getLineAndCharacterOfPosition(pos).line + 1
      comments.push({ at: pos, line, value: (match[1] ?? "").trim() })
    }
  }
  const visit = (node: ts.Node): void => {
    collect(ts.getLeadingCommentRanges(code, node.getFullStart()))
    collect(ts.getTrailingCommentRanges(code, node.getEnd()))
    if (ts.isExpressionStatement(node)) {
      subjects.push({ end: node.end, expression: printed(node.expression) })
    } else if (ts.isVariableStatement(node) && node.declarationList.declarations.length === 1) {
      const initializer = node.declarationList.declarations[0]?.initializer
      if (initializer !== undefined) subjects.push({ end: node.end, expression: initializer })
    } else if (ts.isReturnStatement(node) && node.expression !== undefined) {
      subjects.push({ end: node.end, expression: node.expression })
    }
    for (const child of node.getChildren(source)) visit(child)
  }
  visit(source)

  for (const { at, line, value } of comments.sort((a, b) => a.at - b.at)) {
    const problem = (message: string) => problems.push({ file, line: block.line + line - 1, message })
    const subject = subjects.findLast(({ end }) => end <= at && /^[^\S\n]*;?[^\S\n]*$/.test(code.slice(end, at)))
    if (subject === undefined) {
      problem("`// =>` must follow an expression on its last line")
      continue
    }
    const parsed = ts.transpileModule(`(${value})`, { reportDiagnostics: true })
    if (value === "" || (parsed.diagnostics ?? []).length > 0) {
      problem(`\`${value}\` is no value that can be compared`)
      continue
    }
    assertions.push(line)
    inserts.push({ at: subject.expression.getStart(source), text: `${expectName}(${id}, ${line}, (` })
    inserts.push({ at: subject.expression.end, text: `), () => (${value}))` })
  }

  let rewritten = code
  for (const { at, text } of inserts.sort((a, b) => b.at - a.at)) {
    rewritten = rewritten.slice(0, at) + text + rewritten.slice(at)
  }
  return { code: rewritten, assertions, problems }
}

/** The argument of `console.log`, for it is the value that a reader sees. */
const printed = (expression: ts.Expression): ts.Expression =>
  ts.isCallExpression(expression) &&
  expression.expression.getText() === "console.log" &&
  expression.arguments.length === 1 &&
  expression.arguments[0] !== undefined &&
  !ts.isSpreadElement(expression.arguments[0])
    ? expression.arguments[0]
    : expression
