/**
 * Breaks PostgreSQL and Redis under the traffic of real processes, and checks
 * what `docs/fleet/guarantees.md` claims.
 *
 * ```sh
 * npm run chaos
 * npm run chaos -- postgres/frozen redis       # some cases, or all of a server
 * ```
 *
 * Ends with exit code 1 where a claim does not hold, and says which of which
 * case. Redis needs `redis-server` on the PATH.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Data, Effect } from "effect"
import type { Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Claims } from "./claims.ts"
import * as Emptied from "./emptied.ts"
import * as Faults from "./faults.ts"
import * as Late from "./late.ts"
import * as Outage from "./outage.ts"
import * as Partition from "./partition.ts"
import * as Rig from "./rig.ts"
import * as Servers from "./servers.ts"

/**
 * Error of a run in which a claim did not hold.
 */
class Refuted extends Data.TaggedError("Refuted")<{ readonly message: string }> {}

interface Case {
  readonly name: string
  readonly run: (claims: Claims) => Effect.Effect<void, { readonly message: string }, Scope.Scope>
}

interface Result {
  readonly name: string
  readonly claims: Claims
  readonly seconds: number
}

const ending = "the case comes to its end"

const casesOf = (rig: Rig.Rig, more: ReadonlyArray<Faults.Fault>): ReadonlyArray<Case> => {
  const faults = [...Faults.ofServer(rig.server, rig.proxies), ...more]
  const late = faults.filter(({ name }) => name === "stopped" || name === "frozen")
  const cases: ReadonlyArray<Case> = [
    ...faults.map((fault) => ({ name: fault.name, run: (claims: Claims) => Outage.run(rig, fault, claims) })),
    ...late.map((fault) => ({ name: `late-${fault.name}`, run: (claims: Claims) => Late.run(rig, fault, claims) })),
    { name: "one-cut-off", run: (claims) => Partition.run(rig, claims) },
    { name: "emptied", run: (claims) => Emptied.run(rig, claims) }
  ]
  return cases.map(({ name, run }) => ({ name: `${rig.server.name}/${name}`, run }))
}

const isChosen = (name: string): boolean => {
  const chosen = process.argv.slice(2)
  return chosen.length === 0 || chosen.some((each) => name === each || name.startsWith(`${each}/`))
}

const print = ({ claims, name, seconds }: Result) =>
  Console.log(
    [
      `${name} (${seconds.toFixed(0)} s)`,
      ...claims.all.map(({ claim, holds, measured }) => `  ${holds ? "ok  " : "FAIL"} ${claim}: ${measured}`)
    ].join("\n")
  )

/** How often a case is run on a machine that has no time for it. */
const attempts = 3

const runCase = (rig: Rig.Rig, { name, run }: Case) =>
  Effect.gen(function* () {
    for (let attempt = 1; ; attempt++) {
      const claims = new Claims()
      const start = performance.now()
      const marks = rig.marks()
      yield* Effect.scoped(run(claims)).pipe(
        Effect.catchCause((cause) => Effect.sync(() => claims.add(ending, false, Cause.pretty(cause))))
      )
      const seconds = (performance.now() - start) / 1000
      const isBusy = rig.isBusy(marks)
      const result = { name: isBusy ? `${name} (on a busy machine)` : name, claims, seconds }
      yield* print(result)
      const again = isBusy && claims.all.some(({ claim, holds }) => !holds && claim !== ending)
      if (!again || attempt >= attempts) return result
    }
  })

/** Runs the chosen cases of a server, one after the other. */
const runServer = <S extends Servers.Server>(
  name: S["name"],
  start: Effect.Effect<S, never, Scope.Scope>,
  control: Rig.Control,
  dir: string,
  more: (server: S) => ReadonlyArray<Faults.Fault> = () => []
) =>
  Effect.gen(function* () {
    // Without a chosen case the server is not started.
    if (process.argv.length > 2 && !process.argv.slice(2).some((each) => each.split("/")[0] === name)) return []
    const server = yield* start
    const rig = yield* Rig.make(server, control, dir)
    const all = casesOf(rig, more(server)).filter((each) => isChosen(each.name))
    yield* rig.calm
    yield* Effect.sleep(2000)
    yield* rig.leaks(new Claims())
    const results: Array<Result> = []
    for (const each of all) {
      const result = yield* runCase(rig, each)
      results.push(result)
      // What comes after a case that broke off says nothing.
      if (result.claims.all.some(({ claim }) => claim === ending)) break
    }
    return results
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  const start = performance.now()
  const dir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "resilience-chaos-"))),
    (dir) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
  )
  process.env["CHAOS_DIR"] = dir
  process.env["NODE_OPTIONS"] = `--expose-gc --import=${new URL("preload.ts", import.meta.url).href}`
  const control = yield* Rig.control
  const results = yield* Effect.all(
    [
      runServer("postgres", Servers.postgres, control, dir, Faults.ofPostgres),
      runServer("redis", Servers.redis, control, dir)
    ],
    { concurrency: 2 }
  )
  const all = results.flat()
  const refuted = all.flatMap(({ claims, name }) =>
    claims.all.filter(({ holds }) => !holds).map(({ claim, measured }) => `${name}: ${claim}: ${measured}`)
  )
  yield* Console.log(
    `\n${all.length} cases, ${all.reduce((sum, { claims }) => sum + claims.all.length, 0)} claims, ` +
      `${refuted.length} refuted, ${((performance.now() - start) / 1000).toFixed(0)} s`
  )
  if (all.length === 0) return yield* new Refuted({ message: `no such case: ${process.argv.slice(2).join(" ")}` })
  if (refuted.length > 0) return yield* new Refuted({ message: refuted.join("\n") })
})

NodeRuntime.runMain(Effect.scoped(program))
