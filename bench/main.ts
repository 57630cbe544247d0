/**
 * Measures every row in a process of its own, writes `bench/results.json` and
 * `bench/results.md`, and with `--check` exits with 1 where a limit is missed.
 *
 *     npm run bench [-- [--check] [row ...]]
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { cpus, loadavg } from "node:os"
import { join } from "node:path"
import { added, ratios, type Samples, summarize, type Summary } from "./measure.ts"
import { type Limit, type Row, rows } from "./rows.ts"

const here = import.meta.dirname
const only = process.argv.slice(2).filter((word) => !word.startsWith("--"))
const check = process.argv.includes("--check")
const nodeOptions = ["--expose-gc", "--conditions=effect-resilience-source", "--no-warnings"]

const run = (file: string, args: ReadonlyArray<string> = [], options: ReadonlyArray<string> = []): unknown =>
  JSON.parse(
    execFileSync(process.execPath, [...nodeOptions, ...options, join(here, file), ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 26
    })
  )

interface Compared extends Limit {
  readonly ratio: Summary
}

interface Result {
  readonly title: string
  readonly nanos: Readonly<Record<string, Summary>>
  readonly added: Readonly<Record<string, Summary>>
  readonly ratios: ReadonlyArray<Compared>
}

const compare = (limit: Limit, series: Samples): Compared => ({
  ...limit,
  ratio: summarize(ratios(series[limit.of] ?? [], series[limit.against] ?? []))
})

const evaluate = (row: Row, samples: Samples): Result => {
  const above = Object.fromEntries(
    Object.entries(row.base).map(([name, base]) => [name, added(samples, name, base)] as const)
  )
  const summaries = (series: Samples) =>
    Object.fromEntries(Object.entries(series).map(([name, numbers]) => [name, summarize(numbers)] as const))
  return {
    title: row.title,
    nanos: summaries(samples),
    added: summaries(above),
    ratios: [
      ...row.limits.map((limit) => compare(limit, above)),
      ...(row.whole ?? []).map((limit) => compare(limit, samples))
    ]
  }
}

const wanted = (name: string) => only.length === 0 || only.includes(name)
const misses: Array<string> = []
const results: Record<string, Result> = {}

for (const [name, row] of Object.entries(rows)) {
  if (!wanted(name)) continue
  const result = evaluate(row, run("row.ts", [name]) as Samples)
  results[name] = result
  console.log(`\n${result.title}`)
  for (const [measured, { high, low, median }] of Object.entries(result.nanos)) {
    const above = result.added[measured]
    console.log(
      `  ${measured.padEnd(24)} ${median.toFixed(0).padStart(7)} ns  (${low.toFixed(0)}..${high.toFixed(0)})` +
        (above === undefined ? "" : `  +${above.median.toFixed(0)} ns`)
    )
  }
  for (const { against, must, of, ratio, stretch } of result.ratios) {
    const missed = must !== undefined && !(ratio.median <= must)
    if (missed)
      misses.push(`${name}: ${of} / ${against} is ${ratio.median.toFixed(3)}, must be at most ${must.toFixed(3)}`)
    console.log(
      `  ${of} / ${against} = ${ratio.median.toFixed(3)} (${ratio.low.toFixed(3)}..${ratio.high.toFixed(3)})` +
        `, must ${must?.toFixed(3) ?? "-"}, stretch ${stretch?.toFixed(3) ?? "-"}  ${missed ? "MISSED" : "ok"}`
    )
  }
}

interface Bytes {
  readonly [what: string]: {
    readonly ours: number
    readonly effect: number
    readonly must: number
    readonly stretch?: number
  }
}

const bytes = (): Bytes => {
  // What stays on the heap does not depend on the compilers, but where they stand when it is measured does.
  const interpreted = ["--no-opt", "--no-maglev", "--no-sparkplug"]
  const memory = (name: string) =>
    Number(
      run("memory.ts", [name], ["--max-semi-space-size=512", ...(name.startsWith("in flight") ? interpreted : [])])
    )
  const row = (what: string, must: number, stretch: number, base: number) => ({
    ours: Math.round(memory(`${what} ours`) - base),
    effect: Math.round(memory(`${what} effect`) - base),
    must,
    stretch
  })
  const bundle = run("bundle.ts") as { ours: number; effect: number }
  return {
    "closed call": row("closed call", 128, 64, memory("closed call bare")),
    "in flight": row("in flight", 128, 64, memory("in flight bare")),
    circuit: row("circuit", 256, 160, 0),
    bundle: {
      ours: bundle.ours,
      effect: bundle.effect,
      must: Math.floor(bundle.effect * 0.4),
      stretch: Math.floor(bundle.effect * 0.25)
    }
  }
}

const measured = wanted("bytes") ? bytes() : {}
for (const [what, { effect, must, ours, stretch }] of Object.entries(measured)) {
  const missed = !(ours <= must)
  if (missed) misses.push(`bytes: ${what} is ${ours} B, must be at most ${must} B`)
  console.log(
    `\n${what}: ${ours} B, Effect's own ${effect} B, must ${must} B, stretch ${stretch ?? "-"}  ${missed ? "MISSED" : "ok"}`
  )
}

if (only.length === 0) {
  const version = (name: string): string =>
    (JSON.parse(readFileSync(join(here, "..", "node_modules", name, "package.json"), "utf8")) as { version: string })
      .version
  const about = {
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
    load: loadavg()[0]?.toFixed(2) ?? "unknown",
    effect: version("effect"),
    cockatiel: version("cockatiel"),
    opossum: version("opossum")
  }
  writeFileSync(join(here, "results.json"), JSON.stringify({ about, results, bytes: measured }, null, 2) + "\n")
  writeFileSync(join(here, "results.md"), markdown(about))
}

function markdown(about: Readonly<Record<string, string>>): string {
  const number = (summary: Summary | undefined) => (summary === undefined ? "" : summary.median.toFixed(0))
  const ratio = ({ against, must, of, ratio, stretch }: Compared) =>
    `${of} / ${against} = **${ratio.median.toFixed(3)}** (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})` +
    (must === undefined ? "" : `, must ${must.toFixed(3)}`) +
    (stretch === undefined ? "" : `, stretch ${stretch.toFixed(3)}`)
  return [
    "# Results of `npm run bench`",
    "",
    Object.entries(about)
      .map(([what, value]) => `${what} ${value}`)
      .join(", ") + ".",
    "",
    "Nanoseconds an operation: median of interleaved rounds, and what the case adds to its base. Ratios are of what",
    "is added, and with telemetry of the whole, round by round: median and quartiles. `bench/rows.ts` says what each case does.",
    "",
    ...Object.values(results).flatMap((result) => [
      `## ${result.title}`,
      "",
      "| case | ns | added |",
      "| --- | --: | --: |",
      ...Object.entries(result.nanos).map(
        ([name, nanos]) => `| ${name} | ${number(nanos)} | ${number(result.added[name])} |`
      ),
      "",
      ...result.ratios.flatMap((compared) => [`- ${ratio(compared)}`]),
      ...(result.ratios.length === 0 ? [] : [""])
    ]),
    "## Bytes",
    "",
    "| what | ours | Effect's own | must | stretch |",
    "| --- | --: | --: | --: | --: |",
    ...Object.entries(measured).map(
      ([what, row]) => `| ${what} | ${row.ours} | ${row.effect} | ${row.must} | ${row.stretch ?? ""} |`
    ),
    ""
  ].join("\n")
}

if (misses.length > 0) {
  console.log(`\nMissed:\n${misses.map((miss) => `  ${miss}`).join("\n")}`)
  if (check) process.exit(1)
} else {
  console.log("\nEvery limit holds.")
}
