#!/usr/bin/env node
/**
 * Entry of the program `resilience`.
 */
import { createRequire } from "node:module"
import { userInfo } from "node:os"
import process from "node:process"

/** Ends quietly if the reader of the output is gone, as in `resilience status | head`. */
const onPipeClosed = (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1)
}
process.stdout.on("error", onPipeClosed)
process.stderr.on("error", onPipeClosed)

const operator = (): string => {
  try {
    return userInfo().username
  } catch {
    // The user of a container may have no name.
    return process.env["USER"] ?? "unknown"
  }
}

const load = async () => {
  try {
    return await Promise.all([
      import("@effect/platform-node/NodeRuntime"),
      import("@effect/platform-node/NodeServices")
    ])
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND"
    process.stderr.write(
      missing
        ? "resilience: needs @effect/platform-node: npm install @effect/platform-node\n"
        : `resilience: @effect/platform-node cannot be loaded: ${String(error)}\n`
    )
    process.exit(1)
  }
}

const [NodeRuntime, NodeServices] = await load()
const { main } = await import("./program.ts")

// The package.json is the same distance from src and from dist.
const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string }

main({
  args: process.argv.slice(2),
  version,
  operator: operator(),
  services: NodeServices.layer,
  runMain: NodeRuntime.runMain
})
