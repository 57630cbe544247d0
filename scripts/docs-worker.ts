/**
 * Process that imports one block after the other and reports on each.
 */
import { isDeepStrictEqual, inspect } from "node:util"
import { pathToFileURL } from "node:url"
import { Equal } from "effect"
import { expectName } from "./docs-blocks.ts"

/** What the parent asks for. */
export interface Job {
  readonly id: number
  readonly path: string
  /** Lines whose assertion must be reached. */
  readonly assertions: ReadonlyArray<number>
}

/** Something that went wrong in a block; without a line where nobody knows. */
export interface Failure {
  readonly line: number | undefined
  readonly message: string
}

/** What the parent hears. */
export interface Outcome {
  readonly id: number
  readonly failures: ReadonlyArray<Failure>
  readonly output: string
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null

/**
 * Compares a value with the one written in a comment, as its printed form would
 * read: the class of an object and keys that hold `undefined` do not count,
 * where the comment says a plain object.
 */
const same = (actual: unknown, expected: unknown): boolean => {
  if (Object.is(actual, expected) || isDeepStrictEqual(actual, expected)) return true
  if (!isObject(actual) || !isObject(expected)) return false
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((each, index) => same(actual[index], each))
    )
  }
  const prototype: unknown = Object.getPrototypeOf(expected)
  if (prototype !== Object.prototype && prototype !== null) return Equal.equals(actual, expected)
  if (Array.isArray(actual)) return false
  const keys = new Set(
    [...Object.keys(actual), ...Object.keys(expected)].filter(
      (key) => actual[key] !== undefined || expected[key] !== undefined
    )
  )
  return [...keys].every((key) => same(actual[key], expected[key]))
}

const current: {
  id: number
  path: string
  output: string
  readonly failures: Array<Failure>
  readonly waiting: Set<number>
} = { id: -1, path: "", output: "", failures: [], waiting: new Set() }

Object.assign(globalThis, {
  [expectName]: (id: number, line: number, actual: unknown, expected: () => unknown): unknown => {
    if (id !== current.id) return actual
    current.waiting.delete(line)
    const value = expected()
    if (!same(actual, value)) {
      const print = (each: unknown) => inspect(each, { depth: 8, breakLength: 120 })
      current.failures.push({ line, message: `expected ${print(value)}\n  but got ${print(actual)}` })
    }
    return actual
  }
})

const fail = (error: unknown): void => {
  const text = error instanceof Error ? (error.stack ?? error.message) : `thrown: ${inspect(error)}`
  const line = text.split(current.path)[1]?.match(/^:(\d+)/)?.[1]
  const readable = text
    .split("\n")
    .filter((each) => !/^\s+at .*(?:node:internal|node_modules|docs-worker)/.test(each))
    .slice(0, 12)
    .join("\n")
  current.failures.push({ line: line === undefined ? undefined : Number(line), message: readable })
}
process.on("uncaughtException", fail)
process.on("unhandledRejection", fail)

const capture = (chunk: unknown): boolean => {
  current.output += String(chunk)
  return true
}
process.stdout.write = capture
process.stderr.write = capture

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

process.on("message", (job: Job) => {
  void (async () => {
    Object.assign(current, { id: job.id, path: job.path, output: "", failures: [], waiting: new Set(job.assertions) })
    try {
      await import(pathToFileURL(job.path).href)
    } catch (error) {
      fail(error)
    }
    await sleep(0)
    // Assertions in a callback or a forked fiber come later.
    for (let tries = 0; tries < 100 && current.waiting.size > 0 && current.failures.length === 0; tries++) {
      await sleep(20)
    }
    if (current.failures.length === 0) {
      for (const line of current.waiting) current.failures.push({ line, message: "this assertion is never reached" })
    }
    const outcome: Outcome = { id: job.id, failures: current.failures, output: current.output }
    process.send?.(outcome)
  })()
})
