/**
 * Runs the checks that need no test, side by side, and prints each with its
 * time. Run by `npm run check`.
 */
import { spawn } from "node:child_process"
import { resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const checks = [
  "check:types",
  "check:lint",
  "check:format",
  "check:imports",
  "check:surface",
  "check:api",
  "check:cli-docs",
  "check:dashboard"
]

const run = (name: string) =>
  new Promise<boolean>((done) => {
    const started = performance.now()
    const child = spawn("npm", ["run", "--silent", name], { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const collect = (chunk: Buffer) => void (output += chunk.toString())
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.on("close", (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`)
      if (code !== 0) console.log(output.trimEnd())
      done(code === 0)
    })
  })

const results = await Promise.all(checks.map(run))
process.exit(results.every(Boolean) ? 0 : 1)
