/**
 * Type-checks and runs every TypeScript block of the Markdown files and of the
 * doc comments in src, and checks the links between the Markdown files and the tests that they name.
 *
 * Run by `npm run docs:check`; `npm run docs:check -- docs/policies/retry.md src/policies/Retry.ts`
 * looks at these files only.
 */
import { execFile, fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join, relative, resolve } from "node:path"
import { fromDocComments, fromMarkdown, rewrite } from "./docs-blocks.ts"
import type { Block, Problem } from "./docs-blocks.ts"
import { checkLinks, checkTests } from "./docs-links.ts"
import type { Job, Outcome } from "./docs-worker.ts"

const limitMillis = 15_000
const condition = "effect-resilience-source"

const root = resolve(import.meta.dirname, "..")
const work = join(root, "build", `docs-check-${process.pid}`)
const started = performance.now()

const problems: Array<Problem> = []
const blocks: Array<Block> = []

const only = process.argv.slice(2).map((file) => relative(root, resolve(file)))
const chosen = (pattern: string | ReadonlyArray<string>) =>
  globSync(pattern, { cwd: root })
    .filter((file) => only.length === 0 || only.includes(file))
    .sort()

const markdown = chosen(["*.md", "docs/**/*.md", "examples/**/*.md", "bench/**/*.md"])
const sources = chosen("src/**/*.ts")
for (const file of [...markdown, ...sources]) {
  const text = readFileSync(join(root, file), "utf8")
  const extracted = file.endsWith(".md") ? fromMarkdown(file, text) : fromDocComments(file, text)
  blocks.push(...extracted.blocks)
  problems.push(...extracted.problems)
  if (file.endsWith(".md")) problems.push(...checkLinks(root, file, text), ...checkTests(root, file, text))
}

const inBlock = (block: Block, line: number, message: string, column?: number): Problem => ({
  file: block.file,
  line: block.line + line - 1,
  ...(column === undefined ? {} : { column: column + block.indent }),
  // A stack trace names the file that was made of the block.
  message: message.replaceAll(
    /(?:file:\/\/)?[^\s()]*\/(?:run|test)\/(\d+)(?:\.test)?\.ts:(\d+)/g,
    (path: string, id: string, row: string) => {
      const owner = blocks[Number(id)]
      return owner === undefined ? path : `${owner.file}:${owner.line + Number(row) - 1}`
    }
  )
})

const write = (path: string, text: string): string => {
  mkdirSync(join(work, path, ".."), { recursive: true })
  writeFileSync(join(work, path), text)
  return join(work, path)
}

const exec = (args: ReadonlyArray<string>) =>
  new Promise<string>((done) => {
    execFile(process.execPath, args, { cwd: root, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) =>
      done(stdout + stderr)
    )
  })

/** All blocks in one program, under the options of the project. */
const checkTypes = async (): Promise<void> => {
  for (const [id, block] of blocks.entries()) write(`types/${id}.ts`, block.code)
  const config = write(
    "types/tsconfig.json",
    JSON.stringify({
      extends: "../../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["./*.ts", "../../../bench/**/*.d.ts"]
    })
  )
  const tsc = join(root, "node_modules/@typescript/native/bin/tsc")
  const output = await exec([tsc, "--noEmit", "--pretty", "false", "-p", config])
  let last: Problem | undefined
  for (const line of output.split("\n")) {
    const match = /^(.+?)\((\d+),(\d+)\): error (.*)$/.exec(line)
    if (match === null) {
      // Lines that go on with the message before.
      if (last !== undefined && line.startsWith(" ")) {
        const longer = { ...last, message: `${last.message}\n${line}` }
        problems[problems.indexOf(last)] = longer
        last = longer
      } else if (line.startsWith("error ")) {
        problems.push({ file: "tsconfig.json", line: 1, message: line })
      }
      continue
    }
    const [, path = "", row = "", column = "", message = ""] = match
    const block = /types\/(\d+)\.ts$/.exec(path.replaceAll("\\", "/"))?.[1]
    const owner = block === undefined ? undefined : blocks[Number(block)]
    last =
      owner === undefined
        ? { file: path, line: Number(row), column: Number(column), message }
        : inBlock(owner, Number(row), message, Number(column))
    problems.push(last)
  }
}

/** Each block as a module of its own, in a few processes that import one after the other. */
const runBlocks = async (): Promise<void> => {
  const jobs: Array<Job> = []
  for (const [id, block] of blocks.entries()) {
    if (block.mode !== "run") continue
    const rewritten = rewrite(block, id)
    problems.push(...rewritten.problems)
    jobs.push({ id, path: write(`run/${id}.ts`, rewritten.code), assertions: rewritten.assertions })
  }
  const start = (): ChildProcess =>
    fork(join(import.meta.dirname, "docs-worker.ts"), {
      cwd: root,
      execArgv: [`--conditions=${condition}`],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
  const worker = async (): Promise<void> => {
    let child: ChildProcess | undefined
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const { id } = job
      const block = blocks[id] as Block
      child ??= start()
      const running = child
      const outcome = await new Promise<Outcome | string>((done) => {
        const timer = setTimeout(() => done(`it did not finish in ${limitMillis / 1000} seconds`), limitMillis)
        const onMessage = (message: unknown) => settle(message as Outcome)
        const onExit = (code: number | null) => settle(`it ended the process with code ${code}`)
        const settle = (result: Outcome | string) => {
          clearTimeout(timer)
          running.off("message", onMessage)
          running.off("exit", onExit)
          done(result)
        }
        running.on("message", onMessage)
        running.on("exit", onExit)
        running.send(job)
      })
      if (typeof outcome === "string") {
        problems.push(inBlock(block, 1, outcome))
        running.kill("SIGKILL")
        child = undefined
        continue
      }
      for (const failure of outcome.failures) problems.push(inBlock(block, failure.line ?? 1, failure.message))
      if (outcome.failures.length > 0 && outcome.output !== "") {
        problems.push(inBlock(block, 1, `it printed:\n${outcome.output.trimEnd()}`))
      }
    }
    child?.kill("SIGKILL")
  }
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker))
}

interface TestReport {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly message?: string
    readonly assertionResults: ReadonlyArray<{
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

/** Blocks that import the test runner, run by it. */
const runTests = async (): Promise<void> => {
  const tests = [...blocks.entries()].filter(([, block]) => block.mode === "test")
  if (tests.length === 0) return
  for (const [id, block] of tests) {
    for (const [index, line] of block.code.split("\n").entries()) {
      if (/\/\/\s*=>/.test(line)) problems.push(inBlock(block, index + 1, "a test asserts with `assert`, not `// =>`"))
    }
    write(`test/${id}.test.ts`, block.code)
  }
  const report = join(work, "test/report.json")
  const config = write(
    "test/vitest.config.ts",
    `export default {
  root: ${JSON.stringify(root)},
  ssr: { resolve: { conditions: ["${condition}", "node", "import", "module", "default"] } },
  test: { include: [${JSON.stringify(`${relative(root, join(work, "test"))}/*.test.ts`)}], exclude: [] }
}`
  )
  const output = await exec([
    join(root, "node_modules/vitest/vitest.mjs"),
    "run",
    `--config=${config}`,
    "--reporter=json",
    `--outputFile=${report}`
  ])
  let results: TestReport["testResults"]
  try {
    results = (JSON.parse(readFileSync(report, "utf8")) as TestReport).testResults
  } catch {
    problems.push({ file: "vitest", line: 1, message: output })
    return
  }
  for (const [id, block] of tests) {
    const result = results.find(({ name }) => name.endsWith(`/test/${id}.test.ts`))
    const messages = result?.assertionResults.flatMap(({ failureMessages }) => failureMessages) ?? []
    if (result?.message !== undefined && result.message !== "" && messages.length === 0) messages.push(result.message)
    if (messages.length === 0 && !(result?.assertionResults ?? []).some(({ status }) => status === "passed")) {
      messages.push("no test of this block was run")
    }
    for (const message of messages) {
      const line = new RegExp(`/test/${id}\\.test\\.ts:(\\d+)`).exec(message)?.[1]
      problems.push(inBlock(block, Number(line ?? 1), message.split("\n").slice(0, 6).join("\n")))
    }
  }
}

try {
  await Promise.all([checkTypes(), runBlocks().then(runTests)])
} finally {
  rmSync(work, { recursive: true, force: true })
}

problems.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
for (const { column, file, line, message } of problems) {
  console.error(`${file}:${line}${column === undefined ? "" : `:${column}`} ${message}`)
}
const count = (mode: Block["mode"]) => blocks.filter((block) => block.mode === mode).length
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  `docs: ${blocks.length} blocks type-checked, ${count("run")} run, ${count("test")} run as tests, ` +
    `links of ${markdown.length} Markdown files followed, ${problems.length} problems, ${seconds} s`
)
process.exit(problems.length === 0 ? 0 : 1)
