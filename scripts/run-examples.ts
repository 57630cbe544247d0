/**
 * Runs each file of examples as a program: it must end by itself with exit code
 * 0. Run by `npm run examples`; `npm run examples -- http` runs those whose
 * name contains the word.
 */
import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { availableParallelism } from "node:os"
import { resolve } from "node:path"

const limitMillis = 30_000
const root = resolve(import.meta.dirname, "..")
const words = process.argv.slice(2)
const files = globSync("examples/*.ts", { cwd: root, exclude: ["**/*.d.ts"] })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()

const run = (file: string) =>
  new Promise<boolean>((done) => {
    const started = performance.now()
    execFile(
      process.execPath,
      ["--conditions=effect-resilience-source", file],
      { cwd: root, timeout: limitMillis, killSignal: "SIGKILL", maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const millis = Math.round(performance.now() - started)
        console.log(`${error === null ? "ok    " : "FAILED"} ${file} (${millis} ms)`)
        if (error !== null) {
          console.log(stdout + stderr)
          console.log(
            `${file}: ${error.killed === true ? `ended after ${limitMillis / 1000} seconds` : `exit code ${error.code}`}`
          )
        }
        done(error === null)
      }
    )
  })

if (files.length === 0) {
  console.error("no example to run")
  process.exit(1)
}
const waiting = [...files]
const results: Array<boolean> = []
const worker = async (): Promise<void> => {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) results.push(await run(file))
}
await Promise.all(Array.from({ length: availableParallelism() }, worker))
console.log(`examples: ${results.filter(Boolean).length} of ${files.length} ended well`)
process.exit(results.every(Boolean) ? 0 : 1)
