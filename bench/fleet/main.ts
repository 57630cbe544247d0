/**
 * Benchmark of shared circuits, on a PostgreSQL and a Redis of its own. Prints a
 * table, writes `bench/fleet.json` and `bench/fleet.md`, and with `--check`
 * exits with 1 where a limit is missed.
 *
 *     npm run bench:fleet [-- --check]
 */
import { NodeRedis } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { CircuitMigration, CircuitStoreTable, CircuitTableRedis, CircuitTableSql } from "effect-resilience/store"
import type { CircuitStore } from "effect-resilience"
import { Context, Effect, Layer, Redacted } from "effect"
import { Redis } from "effect/persistence"
import { Reactivity } from "effect/reactivity"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import * as os from "node:os"
import * as Postgres from "../../test/support/postgres.ts"
import * as RedisServer from "../../test/support/redis.ts"
import { measureCalls } from "./calls.ts"
import { instances, measureOutage } from "./outage.ts"
import { time } from "./timing.ts"

const rounds = 200

interface Line {
  readonly what: string
  readonly value: number
  readonly must: number | undefined
  readonly note: string
}

const lines: Array<Line> = []
const say = (what: string, value: number, must: number | undefined, note: string): void => {
  lines.push({ what, value, must, note })
  const verdict = must === undefined ? "" : value <= must ? `, must ${must}  ok` : `, must ${must}  MISSED`
  console.log(`${what}: ${Number(value.toPrecision(3))}${verdict}  (${note})`)
}

const percentile = (numbers: ReadonlyArray<number>, share: number): number =>
  [...numbers].sort((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? Number.NaN
const fixed = (millis: number) => `${millis.toFixed(2)} ms`

const program = Effect.gen(function* () {
  const postgres = yield* Postgres.start
  const hasRedis = spawnSync("redis-server", ["--version"]).status === 0
  const redis = hasRedis ? yield* RedisServer.serve : undefined
  if (redis === undefined) console.log("Redis is left out: there is no redis-server on the PATH")

  const url = yield* postgres.database
  const sql = yield* Layer.build(
    PgClient.layer({ url: Redacted.make(url), maxConnections: 10 }).pipe(Layer.provideMerge(Reactivity.layer))
  )
  const sqlTable = (namespace: string) => Effect.provideContext(CircuitTableSql.make({ namespace }), sql)
  yield* Effect.provideContext(CircuitMigration.apply(), sql)
  const client =
    redis === undefined ? undefined : Context.get(yield* Layer.build(NodeRedis.layer({ url: redis.url })), Redis.Redis)
  const redisTable = (namespace: string, service: Context.Service.Shape<typeof Redis.Redis>) =>
    Effect.provideService(CircuitTableRedis.make({ namespace }), Redis.Redis, service)

  console.log("\n--- healthy calls")
  const stores: Record<string, CircuitStore.CircuitStore["Service"]> = {
    postgres: yield* CircuitStoreTable.make(yield* sqlTable("calls"), { log: false })
  }
  if (client !== undefined) {
    stores["redis"] = yield* CircuitStoreTable.make(yield* redisTable("calls", client), { log: false })
  }
  const calls = yield* measureCalls(stores, client)
  for (const [name, { high, low, median }] of Object.entries(calls.againstLocal)) {
    say(`${name}: a shared healthy call against a local one`, median, 1.2, `${low.toFixed(2)} to ${high.toFixed(2)}`)
  }
  if (calls.againstEffect !== undefined) {
    const { high, low, median } = calls.againstEffect
    say(
      "redis: a healthy call against Effect's own Redis store",
      median,
      1 / 20,
      `${low.toFixed(5)} to ${high.toFixed(5)}`
    )
  }
  for (const [name, { calls: during, idle }] of Object.entries(calls.operations)) {
    say(
      `${name}: operations on the path of 100 000 healthy calls`,
      Math.max(0, during - idle - 2),
      0,
      `${during} polls and sweeps beside the calls, ${idle} while idle as long`
    )
  }

  for (const [name, address] of [["postgres", url], ...(redis === undefined ? [] : [["redis", redis.url]])] as const) {
    console.log(`\n--- from a trip to the last of 6 processes, ${name}`)
    const { bare, trips } = yield* Effect.promise(() => time(address ?? "", rounds))
    const [trip, message] = [percentile(trips, 0.99), percentile(bare, 0.99)]
    say(
      `${name}: p99 from a trip to the last of 6 processes against a bare message`,
      trip / message,
      5,
      `p99 ${fixed(trip)} against ${fixed(message)}, median ${fixed(percentile(trips, 0.5))} against ${fixed(percentile(bare, 0.5))}`
    )
  }

  for (const [name, table] of [
    ["postgres", yield* sqlTable("outage")] as const,
    ...(client === undefined ? [] : [["redis", yield* redisTable("outage", client)] as const])
  ]) {
    console.log(`\n--- ${instances} instances in an outage, ${name}`)
    const outage = yield* Effect.scoped(measureOutage(table))
    const episodes = `${outage.episodes} half-open episodes, ${outage.probes} probes`
    say(`${name}: operations an instance and second in an outage`, outage.rate, 1, episodes)
    say(`${name}: the same in the busiest second`, outage.busiest, undefined, episodes)
    say(`${name}: probes over the limit`, outage.above, 0, episodes)
  }
})

await Effect.runPromise(Effect.scoped(program))

const machine = { node: process.version, cpus: `${os.cpus().length} x ${os.cpus()[0]?.model ?? "unknown"}` }
writeFileSync("bench/fleet.json", `${JSON.stringify({ machine, lines }, undefined, 2)}\n`)
writeFileSync(
  "bench/fleet.md",
  [
    "# Benchmark of shared circuits",
    "",
    `Node ${machine.node}, ${machine.cpus}. Written by \`npm run bench:fleet\`.`,
    "",
    "| what | measured | must | |",
    "| --- | --- | --- | --- |",
    ...lines.map(
      ({ must, note, value, what }) => `| ${what} | ${Number(value.toPrecision(3))} | ${must ?? ""} | ${note} |`
    ),
    ""
  ].join("\n")
)
const missed = lines.filter(({ must, value }) => must !== undefined && !(value <= must))
for (const { must, value, what } of missed) console.log(`MISSED ${what} is ${value}, must be at most ${must}`)
process.exit(process.argv.includes("--check") && missed.length > 0 ? 1 : 0)
