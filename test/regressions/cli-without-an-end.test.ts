// A server that refused each change but the first as too early, with no time to wait or with ages, kept the command line going
// without an end. One that reported new circuits for ever filled the memory of `watch`.
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as ControlListing from "../../src/cli/places/ControlListing.ts"
import { answer, env } from "../cli/control.ts"
import { cli } from "../cli/process.ts"

const held = (reason: string): CircuitState.CircuitState => ({ _tag: "HeldOpen", generation: 1, since: 1, reason })

const circuit = (name: string, state: CircuitState.CircuitState) => ({
  name,
  state,
  dryRun: false,
  counts: { calls: 0, successes: 0, failures: 0, ignored: 0, slow: 0, refused: 0, changes: 0 },
  inFlight: 0,
  windows: [],
  recent: []
})

it.live("a server that asks to wait again and again", () =>
  Effect.forEach(
    [
      [1, 12],
      [0, 2],
      [-1e15, 2],
      [1e15, 2]
    ] as const,
    ([retryAfter, most]) =>
      Effect.gen(function* () {
        let changes = 0
        const at = yield* answer((request, response) => {
          request.resume()
          const json = (status: number, body: unknown) => {
            response.writeHead(status, { "content-type": "application/json" })
            response.end(JSON.stringify(body))
          }
          const circuits = ["a1", "a2"].map((name) => circuit(name, held("why")))
          if (request.method === "GET") return json(200, { at: 1, total: 2, circuits })
          changes++
          return changes === 1
            ? json(200, circuits[0])
            : json(429, { _tag: "TooManyRequests", message: "too many", retryAfter })
        })
        const args = ["reset", "a*", "--reason", "why", "--url", `http://${at}`]
        const ran = yield* Effect.promise(() => cli(args, { env }))
        assert.strictEqual(ran.code, 1, String(retryAfter))
        assert.include(ran.err, "too many requests")
        assert.strictEqual(changes, most, String(retryAfter))
      }),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.scoped)
)

it("circuits that a stream reports are as many and as large as those of a control plane", () => {
  const sight = new ControlListing.Sight()
  for (let i = 0; i < 30; i++) {
    const circuits = Array.from({ length: 100 }, (_, j) => circuit(`n${i}-${j}`, held("why")))
    sight.take({ event: "update", data: { at: 1, total: 3000, circuits, gone: [] } }, 1)
  }
  assert.deepInclude(sight.listing(1), { total: 3000, unlisted: 1000 })
  const known = circuit("n0-0", held("x".repeat(100_000)))
  sight.take({ event: "update", data: { at: 1, total: 3000, circuits: [known], gone: [] } }, 1)
  assert.lengthOf(sight.listing(1).circuits, 1999)
  sight.take({ event: "update", data: { at: 1, total: 1, circuits: [], gone: [{ name: "n0-1" }] } }, 1)
  assert.lengthOf(sight.listing(1).circuits, 1998)
})
