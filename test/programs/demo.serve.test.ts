import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import { FetchHttpClient } from "effect/http"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { resolve } from "node:path"
import * as ControlClient from "../../src/control/ControlClient.ts"

const main = resolve(import.meta.dirname, "../../demo/main.ts")

/** Runs the demo as a process, which is killed when the scope closes. */
const run = (...flags: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, ["--conditions=effect-resilience-source", main, ...flags], {
        env: { ...process.env, NO_COLOR: "1" }
      })
      const demo = { child, output: "", exit: once(child, "close") }
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (bytes: Buffer) => (demo.output += bytes.toString()))
      }
      return demo
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Waits until a demo says where it is, and returns the address. */
const addressOf = (demo: Effect.Success<ReturnType<typeof run>>) =>
  Effect.sync(() => {
    assert.isNull(demo.child.exitCode, demo.output)
    return demo.output.includes("Ctrl-C")
  }).pipe(
    Effect.repeat({ until: (isThere) => isThere, schedule: Schedule.spaced("20 millis") }),
    Effect.map(() => /^Dashboard +(\S+)$/m.exec(demo.output)?.[1] ?? "")
  )

describe("demo --serve", () => {
  it.live(
    "serves the circuits of its running traffic, which a hold refuses",
    () =>
      Effect.gen(function* () {
        const token = "a-token-of-the-demo"
        const demo = yield* run("--serve", "--port", "0", "--token", token)
        const url = yield* addressOf(demo)
        const page = yield* Effect.promise(() => fetch(url))
        assert.include(yield* Effect.promise(() => page.text()), "<title>Circuits</title>")
        const alive = yield* Effect.promise(() => fetch(new URL("/livez", url)))
        assert.strictEqual(alive.status, 200)

        const { circuits, operations } = yield* ControlClient.make({ url, token: Redacted.make(token) })
        const listed = yield* circuits.list({ query: {} })
        assert.includeMembers(
          listed.circuits.map(({ name }) => name),
          ["prices", "payments", "search", "mail", "recommendations"]
        )
        const prices = Effect.map(circuits.get({ query: { name: "prices" } }), ({ circuit }) => circuit)
        const { refused } = (yield* operations.holdOpen({
          payload: { name: "prices", reason: "to see", by: "a test" }
        })).counts
        yield* prices.pipe(
          Effect.filterOrFail(
            ({ counts, state }) => state._tag === "HeldOpen" && counts.refused > refused,
            () => "no call was refused"
          ),
          Effect.retry({ times: 600, schedule: Schedule.spaced("50 millis") })
        )
      }).pipe(Effect.provide(FetchHttpClient.layer)),
    120_000
  )

  it.live(
    "ends by itself after the time that it is given",
    () =>
      Effect.gen(function* () {
        const demo = yield* run("--serve", "--port", "0", "--for", "500 millis")
        yield* Effect.promise(() => demo.exit)
        assert.strictEqual(demo.child.exitCode, 0, demo.output)
      }),
    120_000
  )

  it.live(
    "Ctrl-C ends it, also while a stream of events is read",
    () =>
      Effect.gen(function* () {
        const token = "a-token-of-the-demo"
        const demo = yield* run("--serve", "--port", "0", "--token", token)
        const url = yield* addressOf(demo)
        const stream = yield* Effect.promise(() =>
          fetch(`${url}/events`, { headers: { authorization: `Bearer ${token}` } })
        )
        const began = performance.now()
        demo.child.kill("SIGINT")
        yield* Effect.promise(() => demo.exit)
        assert.strictEqual(demo.child.exitCode, 130, demo.output)
        assert.isBelow(performance.now() - began, 15_000)
        yield* Effect.promise(() => stream.text().catch(() => ""))
      }),
    120_000
  )

  it.live(
    "a port that is taken and flags that are wrong are one line each",
    () =>
      Effect.gen(function* () {
        const first = yield* run("--serve", "--port", "0")
        const { port } = new URL(yield* addressOf(first))
        const second = yield* run("--serve", "--port", port)
        const others = yield* Effect.all([
          run("--sreve"),
          run("--port", "4000"),
          run("--serve", "--port", "x"),
          run("--serve", "--for", "long"),
          run("--serve", "--port", "0", "--token", "short")
        ])
        yield* Effect.promise(() => Promise.all([second, ...others].map(({ exit }) => exit)))
        const lines = [second, ...others].map(({ output }) => /^The demo failed: (.*)$/m.exec(output)?.[1] ?? output)
        const rules = [
          /^port \d+: .*EADDRINUSE/,
          /'--sreve'/,
          /^--port goes with/,
          /^--port must/,
          /^--for must/,
          /token must/
        ]
        rules.forEach((rule, i) => assert.match(lines[i] ?? "", rule))
        for (const { child } of [second, ...others]) assert.strictEqual(child.exitCode, 1)
      }),
    120_000
  )
})
