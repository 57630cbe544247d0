/**
 * Prometheus for tests: the `prometheus` and `promtool` that are on the PATH.
 *
 * **Details**
 *
 * - `promtool` runs the tool and returns what it says.
 * - `serve` starts a server in a folder of its own that scrapes one target. It
 *   ends with the scope, and with the process that runs the tests.
 * - `describePrometheus` skips, and says why, where the programs are missing.
 */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Effect, Schedule, Schema } from "effect"
import { freePort } from "./port.ts"
import { orSkip } from "./skip.ts"

const hasBinaries = ["prometheus", "promtool"].every((program) => spawnSync(program, ["--version"]).status === 0)

/** Describes tests that need Prometheus, or skips them. */
export const describePrometheus = orSkip(hasBinaries, "no prometheus and promtool on the PATH")

/** Runs promtool. */
export const promtool = (args: ReadonlyArray<string>, input?: string) =>
  Effect.sync(() => {
    const { status, stderr, stdout } = spawnSync("promtool", args, { encoding: "utf8", input })
    return { status, output: stdout + stderr }
  })

class PrometheusError extends Data.TaggedError("PrometheusError")<{ readonly message: string }> {}

const Samples = Schema.Struct({
  data: Schema.Struct({
    result: Schema.Array(
      Schema.Struct({
        metric: Schema.Record(Schema.String, Schema.String),
        value: Schema.Tuple([Schema.Number, Schema.String])
      })
    )
  })
})

const Alerts = Schema.Struct({
  data: Schema.Struct({
    alerts: Schema.Array(Schema.Struct({ labels: Schema.Record(Schema.String, Schema.String), state: Schema.String }))
  })
})

// The shell outlives the tests where they are killed: its input ends with them.
const script = `
prometheus --config.file="$1/prometheus.yml" --storage.tsdb.path="$1/data" --web.listen-address="127.0.0.1:$2" --log.level=error &
pid=$!
cat >/dev/null
kill -KILL $pid 2>/dev/null
wait
`

/** Starts a Prometheus that scrapes a target (host:port) every second by these rules. */
export const serve = Effect.fnUntraced(function* (target: string, rules: string) {
  const port = yield* Effect.promise(freePort)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "prometheus-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  )
  writeFileSync(join(folder, "rules.yml"), rules)
  writeFileSync(
    join(folder, "prometheus.yml"),
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 200ms }
rule_files: [rules.yml]
scrape_configs: [{ job_name: demo, static_configs: [{ targets: ["${target}"] }] }]
`
  )
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("sh", ["-c", script, "sh", folder, String(port)], { stdio: ["pipe", "ignore", "inherit"] })
    ),
    (shell) =>
      Effect.callback<void>((resume) => {
        if (shell.exitCode !== null) return resume(Effect.void)
        shell.on("exit", () => resume(Effect.void))
        shell.stdin.end()
      })
  )
  const get = (path: string) =>
    Effect.tryPromise({
      try: async (signal) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal })
        const text = await response.text()
        if (!response.ok) throw new Error(`${response.status}: ${text}`)
        return text
      },
      catch: (error) => new PrometheusError({ message: `${path}: ${String(error)}` })
    })
  yield* Effect.retry(get("/-/ready"), { schedule: Schedule.spaced("100 millis"), times: 300 })
  const json = <T, E>(schema: Schema.Codec<T, E>, path: string) =>
    Effect.flatMap(get(path), Schema.decodeUnknownEffect(Schema.fromJsonString(schema)))
  return {
    /** Returns what an expression gives now. */
    query: (expression: string) =>
      Effect.map(json(Samples, `/api/v1/query?query=${encodeURIComponent(expression)}`), ({ data }) => data.result),
    /** Returns the names and circuits of the alerts that fire, in order. */
    firing: Effect.map(json(Alerts, "/api/v1/alerts"), ({ data }) =>
      data.alerts
        .filter(({ state }) => state === "firing")
        .map(({ labels }) => `${labels["alertname"]} ${labels["circuit_name"] ?? labels["check"] ?? ""}`.trim())
        .sort()
    )
  }
})
