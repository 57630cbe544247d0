/**
 * Errors of commands: a line for the operator and an exit code.
 */
import * as Data from "effect/Data"

export const exitCodes = {
  done: { code: 0, means: "done, even if nothing had to be changed" },
  failed: {
    code: 1,
    means:
      "failed: the store or control plane is unreachable or refused the request, there is no table, or no terminal for a confirmation"
  },
  usage: { code: 2, means: "bad usage: an unknown command or flag, a bad value, a bad configuration" },
  unknown: { code: 3, means: "no circuit has that name" },
  interrupted: { code: 130, means: "ended by Ctrl-C, the normal end of `resilience watch`" }
} as const

/**
 * Error of a command, shown to the operator as one line.
 */
export class Failure extends Data.TaggedError("Failure")<{
  readonly kind: "failed" | "usage" | "unknown"
  /** One line, without secrets. */
  readonly message: string
}> {}

/**
 * Returns the error of a command that could not be carried out.
 */
export const failed = (message: string): Failure => new Failure({ kind: "failed", message })

/**
 * Returns the error of a command with a bad argument or configuration.
 */
export const usage = (message: string): Failure => new Failure({ kind: "usage", message })

/**
 * Returns the error of a command whose name matches no circuit.
 */
export const unknown = (message: string): Failure => new Failure({ kind: "unknown", message })
