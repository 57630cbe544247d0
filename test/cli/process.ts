/**
 * Runs the program `resilience` as a process of its own.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { vi } from "vitest"

// A program takes a second to start, and many where the machine is busy.
vi.setConfig({ testTimeout: 240_000 })

const root = resolve(import.meta.dirname, "../..")
const main = join(root, "src/cli/main.ts")
// Most of the time of a run is the compiling of what it imports.
const cache = join(tmpdir(), "resilience-compile-cache")

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Options {
  readonly env?: Record<string, string> | undefined
  /** Module that is loaded first. */
  readonly preload?: string | undefined
  /** Called once the process runs. */
  readonly onStart?: (child: ChildProcess, out: () => string) => void
}

/** Runs it to its end. Nothing of this process's environment gets there but PATH. */
export const cli = (args: ReadonlyArray<string>, options: Options = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const preload = options.preload === undefined ? [] : ["--import", options.preload]
    const child = spawn(
      process.execPath,
      ["--conditions=effect-resilience-source", "--disable-warning=ExperimentalWarning", ...preload, main, ...args],
      {
        cwd: root,
        env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: cache, ...options.env },
        stdio: ["ignore", "pipe", "pipe"]
      }
    )
    let out = ""
    let err = ""
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (err += String(data)))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, out: out.trimEnd(), err: err.trimEnd() }))
    options.onStart?.(child, () => out)
  })

/** Does `first` once a process said something, and interrupts the process once it said `text`. */
export const interruptAt =
  (text: string, first: () => void): NonNullable<Options["onStart"]> =>
  (child, out) => {
    child.stdout?.once("data", first)
    child.stdout?.on("data", () => {
      if (out().includes(text)) child.kill("SIGINT")
    })
  }
