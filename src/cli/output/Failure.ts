/**
 * How a command of the CLI fails: a line for the operator and an exit code.
 */
import * as Data from "effect/Data"

/**
 * Exit codes, and what they mean.
 */
export const exitCodes = {
  done: { code: 0, means: "done, also where nothing had to be changed" },
  failed: {
    code: 1,
    means: "failed: the store or control plane cannot be reached or refused, or there is no table, or nobody to ask"
  },
  usage: { code: 2, means: "bad usage: an unknown command or flag, a bad value, a bad configuration" },
  unknown: { code: 3, means: "no circuit has that name" },
  interrupted: { code: 130, means: "ended by Ctrl-C, which is how `resilience watch` ends" }
} as const

/**
 * Error of a command, shown to the operator as one line.
 */
export class Failure extends Data.TaggedError("Failure")<{
  readonly kind: "failed" | "usage" | "unknown"
  /** What failed, in one line and without secrets. */
  readonly message: string
}> {}

/**
 * Returns the error of a command that did not do what it was asked for.
 */
export const failed = (message: string): Failure => new Failure({ kind: "failed", message })

/**
 * Returns the error of a command that was given what it cannot use.
 */
export const usage = (message: string): Failure => new Failure({ kind: "usage", message })

/**
 * Returns the error of a command that was given the name of no circuit.
 */
export const unknown = (message: string): Failure => new Failure({ kind: "unknown", message })
