/**
 * Holds the mutants that no test noticed against scripts/mutation-survivors.json,
 * which gives the reason for each. Run by `npm run mutation` after Stryker; fails
 * on a survivor without a reason, and on a reason without a survivor.
 */
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"

/** Mutant in the report of Stryker. */
interface Mutant {
  readonly mutatorName: string
  readonly replacement: string
  readonly status: string
  readonly location: {
    readonly start: { readonly line: number; readonly column: number }
    readonly end: { readonly line: number; readonly column: number }
  }
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: ReadonlyArray<Mutant> }>>
}

/** Survivor with its reason. */
interface Explained {
  readonly file: string
  /** Code that was replaced. */
  readonly code: string
  readonly replacement: string
  readonly reason: string
}

const root = resolve(import.meta.dirname, "..")
const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8")) as unknown
const report = read("reports/mutation.json") as Report
const explained = read("scripts/mutation-survivors.json") as ReadonlyArray<Explained>

const oneLine = (text: string) => text.replaceAll(/\s+/g, " ").trim()
const replaced = (source: string, { end, start }: Mutant["location"]): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line)
  const last = lines.length - 1
  return lines
    .map((line, index) => line.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined))
    .join("\n")
}

const used = new Set<Explained>()
let open = 0
for (const [file, { mutants, source }] of Object.entries(report.files)) {
  for (const mutant of mutants) {
    if (mutant.status !== "Survived" && mutant.status !== "NoCoverage") continue
    const code = oneLine(replaced(source, mutant.location))
    const replacement = oneLine(mutant.replacement)
    const entry = explained.find(
      (each) => each.file === file && oneLine(each.code) === code && oneLine(each.replacement) === replacement
    )
    console.log(`${file}:${mutant.location.start.line} ${mutant.mutatorName}: ${code} -> ${replacement}`)
    if (entry === undefined) open++
    else used.add(entry)
    console.log(`  ${entry?.reason ?? "NO REASON: write a test, or say why in scripts/mutation-survivors.json"}`)
  }
}
const stale = explained.filter((entry) => !used.has(entry))
for (const { code, file, replacement } of stale) {
  console.log(`${file}: ${code} -> ${replacement}\n  NO SURVIVOR: take it out of scripts/mutation-survivors.json`)
}
console.log(`mutation: ${used.size} survivors with a reason, ${open} without, ${stale.length} reasons too many`)
process.exit(open === 0 && stale.length === 0 ? 0 : 1)
