/**
 * How options and configurations are refused.
 */
import { assert } from "@effect/vitest"
import { Exit, Schema, SchemaIssue } from "effect"
import { InvalidOptionError } from "../../src/core/Options.ts"

/** Returns the `InvalidOptionError` that `build` throws. */
export const thrown = (build: () => unknown): InvalidOptionError => {
  try {
    build()
  } catch (error) {
    if (error instanceof InvalidOptionError) return error
    throw error
  }
  return assert.fail("no error was thrown")
}

/** Returns the fields of the `InvalidOptionError` that `build` throws. */
export const invalid = (build: () => unknown): Pick<InvalidOptionError, "module" | "field" | "value" | "rule"> => {
  const { field, module, rule, value } = thrown(build)
  return { module, field, value, rule }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Returns `path: message` for each issue that decoding `json` has. */
export const issues = <T, E>(schema: Schema.Codec<T, E>, json: unknown): ReadonlyArray<string> => {
  const exit = Schema.decodeUnknownExit(schema)(json)
  if (Exit.isSuccess(exit)) return assert.fail(`decoded to ${JSON.stringify(exit.value)}`)
  return exit.cause.reasons.flatMap((reason) => {
    if (reason._tag !== "Fail") return assert.fail(`not a SchemaError: ${String(reason)}`)
    return format(reason.error.issue).issues.map(
      (issue) =>
        `${(issue.path ?? []).map((key) => (typeof key === "object" ? key.key : key)).join(".")}: ${issue.message}`
    )
  })
}
