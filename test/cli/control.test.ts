/**
 * The CLI on the control plane of an application, over HTTP.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Logger, Redacted, Schema } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import type { ServerResponse } from "node:http"
import { createServer as listen } from "node:net"
import type { AddressInfo, Server } from "node:net"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import * as Output from "../../src/cli/output/Output.ts"
import * as BoundedFetch from "../../src/cli/places/BoundedFetch.ts"
import { answer, env, eventually, serve, token } from "./control.ts"
import { cli, interruptAt } from "./process.ts"
import * as Support from "./support.ts"

const decode = <T, E>(schema: Schema.Codec<T, E>, text: string): T =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(text)

/** Runs the CLI with the token, and looks for the token in all that it prints. */
const run = (url: string, args: ReadonlyArray<string>, variables: Record<string, string> = env) =>
  Support.run(Support.world(), [...args, "--url", url], { env: variables }).pipe(
    Effect.tap(({ err, out }) => Effect.sync(() => assert.notInclude(out + err, token)))
  )

const why = ["--reason", "provider maintenance"]
const quick: CircuitBreaker.Options = { trip: TripPolicy.consecutive(1) }

const fail = (breaker: CircuitBreaker.CircuitBreaker, key?: string) =>
  Effect.flip(Effect.fail("down").pipe(CircuitBreaker.protect(breaker, { key })))
const stateOf = (breaker: CircuitBreaker.CircuitBreaker) => Effect.map(breaker.status, ({ state }) => state._tag)

/** An application with an open circuit, and a breaker with keys. */
const shop = Effect.gen(function* () {
  const server = yield* serve()
  const payments = yield* server.breaker("payments", quick)
  const search = yield* server.breaker("search", quick)
  for (const key of ["us", "eu"]) yield* Effect.void.pipe(CircuitBreaker.protect(search, { key }))
  yield* fail(payments)
  return { ...server, payments, search }
})

describe("a server that is not to be trusted", () => {
  const endless = (type: string, begin: string, chunk: string) =>
    answer((_, response) => {
      response.writeHead(200, { "content-type": type })
      response.write(begin)
      const more = () => {
        while (response.write(chunk)) if (response.destroyed) return
        response.once("drain", more)
      }
      more()
    })

  it.live("an answer without an end is given up early, by each way that it is read", () =>
    Effect.gen(function* () {
      const chunk = "a".repeat(64 * 1024)
      for (const [origin, args] of [
        [yield* endless("application/json", '{"circuits":"', chunk), ["status"]],
        [yield* endless("text/event-stream", "event: snapshot\ndata: ", chunk), ["watch"]],
        [yield* endless("text/event-stream", "event: snapshot\n", `data: ${chunk}\n`), ["watch"]]
      ] as const) {
        const { code, err } = yield* run(`http://${origin}/resilience`, args)
        assert.strictEqual(code, 1)
        assert.match(err, /the answer is (larger than 16 MB|not from a control plane of this version)/)
      }
    })
  )

  it.live("events are bounded each, and not together", () =>
    Effect.gen(function* () {
      const sent = `: ${"a".repeat(1024 * 1024)}\n\n`
      const stream = yield* Effect.promise(() =>
        BoundedFetch.make(() =>
          Promise.resolve(
            new Response(sent.repeat(20), { headers: { "content-type": "text/event-stream; charset=utf-8" } })
          )
        )("http://x")
      )
      assert.strictEqual((yield* Effect.promise(() => stream.text())).length, sent.length * 20)
      const whole = yield* Effect.promise(() =>
        BoundedFetch.make(() => Promise.resolve(new Response(sent.repeat(20))))("http://x")
      )
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => whole.text()))))
    })
  )

  it.live("a message of any size is one short line", () =>
    Effect.gen(function* () {
      for (const unit of ["a", "/", "://", "@", "a//b:c@", "password=", "\u0301"]) {
        const message = unit.repeat(1_000_000 / unit.length)
        const origin = yield* answer((_, response) => {
          response.writeHead(400, { "content-type": "application/json" })
          response.end(JSON.stringify({ _tag: "InvalidRequest", message }))
        })
        for (const args of [["status"], ["status", "--json"]]) {
          const { code, err } = yield* run(`http://${origin}/resilience`, args)
          assert.strictEqual(code, 1)
          assert.isBelow(err.length, 60_000)
        }
      }
    })
  )
})

describe("status", () => {
  it.live("shows the circuits by name, without who changed them, and where they are", () =>
    Effect.gen(function* () {
      const { url } = yield* shop
      const { code, err, out } = yield* run(url, ["status"])
      assert.deepStrictEqual([code, err], [0, ""])
      assert.deepStrictEqual(
        out.split("\n").map((line) => line.replace(/\d+s/, "Ns").replace(/in \d+s/, "in Ns")),
        [
          "CIRCUIT    STATE   SINCE   FAILURES  NEXT PROBE",
          "payments   OPEN    Ns ago         1  in Ns",
          "    opened: 1 consecutive failure, the last with down",
          "search     CLOSED  -              -  -",
          "search:eu  CLOSED  -              -  -",
          "search:us  CLOSED  -              -  -",
          "",
          `4 circuits: 3 closed, 1 open, control plane ${url}`
        ]
      )
    })
  )

  it.live("prints the JSON of a table, with null for what a control plane does not tell", () =>
    Effect.gen(function* () {
      const { url } = yield* shop
      const { circuits, ...status } = decode(Output.Status, (yield* run(`${url}/`, ["status", "--json"])).out)
      assert.deepInclude(status, { namespace: null, controlPlane: url, total: 4 })
      assert.deepStrictEqual(
        circuits.map(({ circuit, key, name, state }) => [circuit, name, key, state]),
        [
          ["payments", "payments", null, "OPEN"],
          ["search", "search", null, "CLOSED"],
          ["search:eu", "search", "eu", "CLOSED"],
          ["search:us", "search", "us", "CLOSED"]
        ]
      )
      assert.deepInclude(circuits[0], { changedAt: null, changedBy: null, failures: 1, heldBy: null })
    })
  )

  it.live("shows those that a pattern stands for, and refuses a name that no circuit has", () =>
    Effect.gen(function* () {
      const { url } = yield* shop
      const { circuits, total } = decode(Output.Status, (yield* run(url, ["status", "search:*", "--json"])).out)
      assert.deepStrictEqual([circuits.map(({ circuit }) => circuit), total], [["search:eu", "search:us"], 4])
      const missing = yield* run(url, ["status", "payment"])
      assert.deepStrictEqual(missing, {
        code: 3,
        out: "",
        err: `resilience: no circuit in control plane ${url} is named payment: did you mean payments?`
      })
      assert.strictEqual((yield* run(url, ["status", "x*"])).code, 3)
    })
  )

  it.live("says where circuits are left out, and finds one of them by its name", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve()
      const search = yield* breaker("search", { keys: { max: 3000 } })
      for (let key = 0; key < 2005; key++) {
        yield* Effect.void.pipe(CircuitBreaker.protect(search, { key: String(key) }))
      }
      const { err, out } = yield* run(url, ["status", "--json"])
      const { circuits, total } = decode(Output.Status, out)
      assert.deepStrictEqual([circuits.length, total], [2000, 2006])
      assert.strictEqual(err, "resilience: only 2000 of 2006 circuits are listed")
      const last = yield* run(url, ["hold-open", "search:2004", ...why])
      assert.deepStrictEqual([last.code, last.err], [0, ""])
      assert.match(last.out, /^search:2004: CLOSED -> HELD OPEN/)
      assert.strictEqual((yield* run(url, ["status", "search:2005"])).code, 3)
    })
  )
})

describe("changes", () => {
  it.live("hold-open refuses the calls of the application, until release", () =>
    Effect.gen(function* () {
      const { logs, search, url } = yield* shop
      const call = Effect.exit(Effect.succeed("ran").pipe(CircuitBreaker.protect(search)))
      const held = yield* run(url, ["hold-open", "search", "--for", "10m", ...why])
      assert.deepStrictEqual([held.code, held.err], [0, ""])
      assert.match(held.out, /^search: CLOSED -> HELD OPEN for 10m, until \d{4}-\S+Z, by root: provider maintenance$/)
      assert.strictEqual((yield* call)._tag, "Failure")
      assert.match(
        (yield* run(url, ["status", "search"])).out,
        /held by root, ends in (10m|9m 5\ds): provider maintenance/
      )
      const released = yield* run(url, ["release", "search", "--reason", "it is over", "--by", "ada"])
      assert.deepStrictEqual(released, { code: 0, out: "search: HELD OPEN -> CLOSED", err: "" })
      assert.strictEqual((yield* call)._tag, "Success")
      assert.include(logs, 'Control plane: release "search" by ada: it is over')
    })
  )

  it.live("hold-closed and reset change what a pattern stands for, and print JSON", () =>
    Effect.gen(function* () {
      const { payments, url } = yield* shop
      const held = yield* run(url, ["hold-closed", "pay*", "--by", "ada", "--json", ...why])
      const said = decode(Output.Changes, held.out)
      assert.deepInclude(said, { namespace: null, controlPlane: url, action: "hold-closed" })
      const [change] = said.changes
      assert.deepStrictEqual([said.changes.length, change?.changed, change?.before.state], [1, true, "OPEN"])
      assert.deepInclude(change?.after, {
        circuit: "payments",
        state: "HELD_CLOSED",
        heldBy: "ada",
        heldUntil: null,
        reason: "provider maintenance",
        changedBy: null
      })
      assert.strictEqual(yield* stateOf(payments), "HeldClosed")
      const reset = yield* run(url, ["reset", "*", ...why])
      assert.deepStrictEqual(reset.out.split("\n"), [
        "payments: HELD CLOSED -> CLOSED",
        "search: CLOSED, counts reset",
        "search:eu: CLOSED, counts reset",
        "search:us: CLOSED, counts reset"
      ])
    })
  )

  it.live("release says what is not held, and what its breaker holds", () =>
    Effect.gen(function* () {
      const { search, url } = yield* shop
      yield* CircuitBreaker.holdOpen(search)
      const { code, out } = yield* run(url, ["release", "*:*", ...why])
      assert.deepStrictEqual(
        [code, ...out.split("\n")],
        [
          0,
          "search:eu: HELD OPEN, held with its breaker, nothing changed",
          "search:us: HELD OPEN, held with its breaker, nothing changed"
        ]
      )
      const other = yield* run(url, ["release", "payments", ...why])
      assert.strictEqual(other.out, "payments: OPEN, not held, nothing changed")
    })
  )

  it.live("names that need escapes reach the circuit that they name", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve()
      const odd = yield* breaker("a:b%", quick)
      yield* Effect.void.pipe(CircuitBreaker.protect(odd, { key: "k:1\n" }))
      const { out } = yield* run(url, ["hold-open", "*:*", ...why])
      assert.match(out, /^a%003ab%0025:k%003a1%000a: CLOSED -> HELD OPEN/)
      assert.strictEqual(yield* stateOf(odd), "Closed")
    })
  )

  it.live(
    "more changes than a minute may have come to their end, and it says that it waits",
    () =>
      Effect.gen(function* () {
        const { breaker, url } = yield* serve()
        // 60 changes of all, and the 10 that are kept for holds.
        for (let each = 0; each < 73; each++) yield* breaker(`b${each}`)
        const { code, err, out } = yield* run(url, ["hold-open", "*", ...why])
        assert.strictEqual(code, 0)
        assert.strictEqual(err, "resilience: the control plane limits changes: the others follow as it allows")
        assert.lengthOf(out.split("\n"), 73)
      }),
    20_000
  )

  for (const command of ["hold-open", "hold-closed", "release", "reset"]) {
    it.live(`${command} without a reason is bad usage, before anything is sent`, () =>
      Effect.gen(function* () {
        let requests = 0
        const origin = yield* answer((_, response) => {
          requests++
          response.end()
        })
        const url = `http://${origin}/resilience`
        const { code, err, out } = yield* run(url, [command, "payments"])
        assert.deepStrictEqual([code, out, requests], [2, "", 0])
        assert.strictEqual(err, `resilience: --reason is required: control plane ${url} logs it`)
        for (const bad of [
          ["--reason", " "],
          ["--reason", "two\nlines"],
          ["--reason", "maintenance\u200b"],
          [...why, "--by", "ada\u202e"],
          ["--reason", "x".repeat(501)],
          [...why, "--by", "x".repeat(101)]
        ]) {
          const refused = yield* run(url, [command, "payments", ...bad])
          assert.deepStrictEqual([refused.code, requests], [2, 0])
          assert.match(
            refused.err,
            /^resilience: (--(reason|by) must be one line of at most \d+ characters, not blank|Invalid value for flag --(reason|by): [^]* Expected: one line that is not blank, whose every character is seen)/
          )
          assert.notMatch(refused.err, /[\u200b\u202e]/)
        }
      })
    )
  }

  for (const command of ["release", "reset"]) {
    it.effect(`${command} takes a reason for a store too, and says that it is not kept`, () =>
      Effect.gen(function* () {
        const fleet = Support.world()
        yield* Support.put(fleet, "payments", CircuitState.hold(CircuitState.initial, { as: "HeldOpen" }, 1))
        const { code, err, out } = yield* Support.run(fleet, [command, "payments", ...why])
        assert.deepStrictEqual([code, err], [0, `resilience: a store does not keep the reason of a ${command}`])
        assert.include(out, "HELD OPEN -> CLOSED")
        const silent = yield* Support.run(fleet, [command, "payments"])
        assert.deepStrictEqual([silent.code, silent.err], [0, ""])
      })
    )
  }
})

describe("watch", () => {
  const watching = (args: ReadonlyArray<string>) =>
    Effect.forkChild(Support.run(Support.world(), ["watch", "--json", ...args], { env, shared: true }), {
      startImmediately: true
    })
  const seen = Effect.map(TestConsole.logLines, (lines) =>
    lines.map((line) => {
      const { change, circuit } = decode(Output.Sighting, String(line))
      return `${change} ${circuit.circuit} ${circuit.state}`
    })
  )
  const sees = (line: string) =>
    eventually(
      `sees ${line}`,
      Effect.map(seen, (lines) => lines.includes(line))
    )

  it.live("prints what is present, and what is changed, added and removed, within a second", () =>
    Effect.gen(function* () {
      const { breaker, payments, search, url } = yield* shop
      const fiber = yield* watching(["--url", url])
      yield* sees("present search:us CLOSED")
      // It is told at once, and no later than the list is looked at again.
      yield* CircuitBreaker.reset(payments)
      yield* Effect.timeout(sees("changed payments CLOSED"), "1 second")
      yield* CircuitBreaker.holdOpen(search, { key: "eu" })
      yield* Effect.timeout(sees("changed search:eu HELD_OPEN"), "1 second")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* breaker("orders")
          yield* sees("added orders CLOSED")
        })
      )
      // Calls change counts, which are no state.
      yield* Effect.void.pipe(CircuitBreaker.protect(payments))
      yield* Effect.sleep("1200 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* seen, [
        "present payments OPEN",
        "present search CLOSED",
        "present search:eu CLOSED",
        "present search:us CLOSED",
        "changed payments CLOSED",
        "changed search:eu HELD_OPEN",
        "added orders CLOSED"
      ])
      assert.deepStrictEqual(yield* TestConsole.errorLines, [])
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("shows only what a pattern stands for, and keys as their held breaker", () =>
    Effect.gen(function* () {
      const { payments, search, url } = yield* shop
      const fiber = yield* watching(["search:*", "--url", url])
      yield* sees("present search:us CLOSED")
      yield* CircuitBreaker.reset(payments)
      yield* CircuitBreaker.holdOpen(search)
      yield* sees("changed search:us HELD_OPEN")
      yield* CircuitBreaker.holdClosed(search, { key: "us" })
      yield* Effect.sleep("300 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* seen, [
        "present search:eu CLOSED",
        "present search:us CLOSED",
        "changed search:eu HELD_OPEN",
        "changed search:us HELD_OPEN"
      ])
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live(
    "continues through a restart of the server, and says so",
    () =>
      Effect.gen(function* () {
        const first = yield* serve()
        yield* first.breaker("payments")
        yield* first.breaker("old")
        const fiber = yield* watching(["--url", first.url])
        yield* sees("present payments CLOSED")
        yield* first.stop
        yield* Effect.sleep("1200 millis")
        const second = yield* serve({ port: first.port })
        const payments = yield* second.breaker("payments", quick)
        yield* fail(payments)
        yield* sees("changed payments OPEN")
        yield* CircuitBreaker.reset(payments)
        yield* sees("changed payments CLOSED")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(yield* seen, [
          "present old CLOSED",
          "present payments CLOSED",
          "changed payments OPEN",
          "removed old CLOSED",
          "changed payments CLOSED"
        ])
        const [away, back, ...more] = yield* TestConsole.errorLines
        assert.match(String(away), /^resilience: .*control plane http.*; trying again every few seconds$/)
        assert.deepStrictEqual([back, more], ["resilience: the control plane answers again", []])
      }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])])),
    20_000
  )

  const snapshot = `event: snapshot\ndata: ${JSON.stringify({ at: 0, circuits: [], total: 0 })}\n\n`

  it.effect("opens a stream again that has been silent for a minute, whose end nobody heard of", () =>
    Effect.gen(function* () {
      let asked = 0
      const origin = yield* answer((_, response) => {
        asked++
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(snapshot)
      })
      const asks = (times: number) =>
        TestClock.withLive(
          Effect.andThen(
            eventually(
              `asks ${times} times`,
              Effect.sync(() => asked === times)
            ),
            Effect.sleep("200 millis")
          )
        )
      const fiber = yield* watching(["--url", `http://${origin}/resilience`])
      yield* asks(1)
      yield* TestClock.adjust("59 seconds")
      yield* asks(1)
      yield* TestClock.adjust("2 seconds")
      yield* asks(2)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  const alive = (everyMillis: number) => `event: alive\ndata: ${JSON.stringify({ at: 0, everyMillis })}\n\n`

  it.effect("opens a stream again that is silent for longer than its signs of life allow, and no sooner", () =>
    Effect.gen(function* () {
      const streams: Array<ServerResponse> = []
      const origin = yield* answer((_, response) => {
        streams.push(response)
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(snapshot + alive(120_000))
      })
      const asked = (times: number) =>
        TestClock.withLive(
          Effect.andThen(
            eventually(
              `asks ${times} times`,
              Effect.sync(() => streams.length === times)
            ),
            Effect.sleep("200 millis")
          )
        )
      const fiber = yield* watching(["--url", `http://${origin}/resilience`])
      yield* asked(1)
      yield* TestClock.adjust("4 minutes")
      yield* asked(1)
      streams[0]?.write(alive(10_000))
      yield* TestClock.withLive(Effect.sleep("200 millis"))
      yield* TestClock.adjust("24 seconds")
      yield* asked(1)
      yield* TestClock.adjust("2 seconds")
      yield* asked(2)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("takes a stream for alive in which nothing but signs of life come", () =>
    Effect.gen(function* () {
      const rare = { updates: "1 hour", activity: "1 hour" } as const
      const { breaker, url } = yield* serve({ ...rare, heartbeat: "100 millis" })
      yield* breaker("payments")
      const fiber = yield* watching(["--url", url])
      yield* sees("present payments CLOSED")
      yield* Effect.sleep("6 seconds")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* TestConsole.errorLines, [])
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("says that the connection broke where it did", () =>
    Effect.gen(function* () {
      let asked = 0
      const origin = yield* answer((_, response) => {
        asked++
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(snapshot)
        if (asked === 1) setTimeout(() => response.destroy(), 500)
      })
      const url = `http://${origin}/resilience`
      const fiber = yield* watching(["--url", url])
      yield* eventually(
        "says both",
        Effect.map(TestConsole.errorLines, (lines) => lines.length === 2)
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* TestConsole.errorLines, [
        `resilience: cannot reach control plane ${url}: connection closed; trying again every few seconds`,
        "resilience: the control plane answers again"
      ])
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("asks less and less often while there is no answer", () =>
    Effect.gen(function* () {
      let asked = 0
      const origin = yield* answer((_, response) => {
        response.writeHead(asked++ === 0 ? 200 : 503, { "content-type": "text/event-stream" })
        if (asked === 1) response.write(snapshot)
        setTimeout(() => response.end(), asked === 1 ? 500 : 0)
      })
      const fiber = yield* watching(["--url", `http://${origin}/resilience`])
      yield* Effect.sleep("4500 millis")
      yield* Fiber.interrupt(fiber)
      assert.isAtLeast(asked, 3)
      assert.isAtMost(asked, 4)
      assert.lengthOf(yield* TestConsole.errorLines, 1)
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("says where circuits are left out", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve({ circuits: 1 })
      for (const name of ["a", "b", "c"]) yield* breaker(name)
      const fiber = yield* watching(["--url", url])
      yield* sees("present a CLOSED")
      yield* Effect.sleep("1200 millis")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* TestConsole.errorLines, ["resilience: only 1 of 3 circuits are listed"])
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("ends where the token is refused, also after a restart", () =>
    Effect.gen(function* () {
      const first = yield* serve()
      const wrong = { RESILIENCE_CONTROL_TOKEN: "another-token-of-somebody" }
      assert.strictEqual((yield* run(first.url, ["watch"], wrong)).code, 1)
      const fiber = yield* watching(["--url", first.url])
      yield* Effect.sleep("500 millis")
      yield* first.stop
      yield* serve({ port: first.port, token: Redacted.make("a-token-that-is-a-new-one") })
      const { code } = yield* Fiber.join(fiber)
      assert.strictEqual(code, 1)
      assert.include(String((yield* TestConsole.errorLines).at(-1)), "was refused")
    }).pipe(Effect.provide([TestConsole.layer, Logger.layer([])]))
  )

  it.live("draws the table at a terminal", () =>
    Effect.gen(function* () {
      const { url } = yield* shop
      const shown: Array<string> = []
      const fiber = yield* Effect.forkChild(
        Support.run(Support.world(), ["watch", "--url", url], { env, columns: 100, shown }),
        { startImmediately: true }
      )
      yield* eventually(
        "draws",
        Effect.sync(() => shown.join("").includes(`4 circuits: 3 closed, 1 open, control plane ${url}`))
      )
      const drawn = shown.length
      // The times go on where nothing happens.
      yield* eventually(
        "draws again",
        Effect.sync(() => shown.length > drawn + 1)
      )
      yield* Fiber.interrupt(fiber)
    })
  )
})

describe("errors", () => {
  const status = (code: number, headers: Record<string, string> = {}, body = "") =>
    Effect.map(
      answer((_, response) => {
        response.writeHead(code, headers)
        response.end(body)
      }),
      (origin) => `http://${origin}/resilience`
    )
  const page = "<!doctype html><h1>Hello</h1>"
  const html = { "content-type": "text/html" }

  for (const [name, url, line] of [
    ["403", status(403, html, page), "not allowed (AT)"],
    ["404", status(404, html, page), "there is no control plane at URL"],
    ["413 of a proxy", status(413, html, page), "the request is too large (AT)"],
    ["415", status(415), "the server refuses JSON (AT)"],
    ["429", status(429, { "retry-after": "7" }), "too many requests: try again in 7s (AT)"],
    ["503 of a proxy", status(503, html, page), "the server answered 503 (AT)"],
    ["a page", status(200, html, page), "the answer is not from a control plane of this version (AT)"],
    [
      "JSON of something else",
      status(200, { "content-type": "application/json" }, "{}"),
      "the answer is not from a control plane of this version (AT)"
    ],
    [
      "a redirect",
      status(302, { location: "http://127.0.0.1:1/login" }),
      "there is no control plane at URL: the answer is a redirect (302)"
    ],
    [
      "an error that repeats the token",
      status(
        403,
        { "content-type": "application/json" },
        JSON.stringify({ _tag: "Forbidden", message: `no ${token}\nat all` })
      ),
      "not allowed: no *** (AT)"
    ]
  ] as const) {
    it.live(`fails in one line for ${name}`, () =>
      Effect.gen(function* () {
        const at = yield* url
        const { code, err, out } = yield* run(at, ["status"])
        assert.deepStrictEqual([code, out], [1, ""])
        assert.strictEqual(err, `resilience: ${line.replace("AT", `control plane ${at}`).replace("URL", at)}`)
        const { error } = decode(Output.Failed, (yield* run(at, ["watch", "--json"])).err)
        assert.strictEqual(error.exitCode, 1)
      })
    )
  }

  it.live("fails where the token is missing or wrong, and names the variable", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const none = yield* run(url, ["status"], {})
      assert.deepStrictEqual(none, {
        code: 1,
        out: "",
        err: `resilience: a token is required: set RESILIENCE_CONTROL_TOKEN (control plane ${url})`
      })
      const wrong = yield* run(url, ["status"], { RESILIENCE_CONTROL_TOKEN: "another-token-of-somebody" })
      assert.strictEqual(
        wrong.err,
        `resilience: the token in RESILIENCE_CONTROL_TOKEN was refused (control plane ${url})`
      )
    })
  )

  it.live("shows without a token what everybody may read, and says that nothing can be changed", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve({ token: undefined })
      yield* breaker("payments")
      assert.strictEqual((yield* run(url, ["status"], {})).code, 0)
      const { code, err } = yield* run(url, ["reset", "payments", ...why], {})
      assert.deepStrictEqual(
        [code, err],
        [1, `resilience: the control plane is read-only: it is mounted without a token (control plane ${url})`]
      )
    })
  )

  it.live("fails where the first change is one too many", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve({ limits: { changesPerMinute: 1 } })
      yield* breaker("payments")
      assert.strictEqual((yield* run(url, ["reset", "payments", ...why])).code, 0)
      const { code, err } = yield* run(url, ["reset", "payments", ...why])
      assert.strictEqual(code, 1)
      assert.match(err, /^resilience: too many requests: try again in (1m|\d+s) \(control plane /)
    })
  )

  it.live("says what was changed before a circuit that is gone, with exit code 3", () =>
    Effect.gen(function* () {
      const { breaker, url } = yield* serve()
      yield* breaker("b")
      const json = { "content-type": "application/json" }
      const origin = yield* answer((request, response) => {
        void (async () => {
          const chunks: Array<string> = []
          for await (const chunk of request.setEncoding("utf8")) chunks.push(String(chunk))
          const body = chunks.join("")
          if (body.includes('"name":"c"')) {
            response.writeHead(404, json)
            response.end(JSON.stringify({ _tag: "UnknownCircuit", message: "No breaker has that name", name: "c" }))
            return
          }
          const answer = await fetch(`${url}${(request.url ?? "").replace("/resilience", "")}`, {
            method: request.method ?? "GET",
            headers: { ...json, authorization: `Bearer ${token}` },
            ...(body === "" ? undefined : { body })
          })
          const text = await answer.text()
          response.writeHead(answer.status, json)
          // One more circuit is listed than there is.
          const circuits = /"circuits":\[(\{.*\})\]/.exec(text)?.[1]
          response.end(
            circuits === undefined
              ? text
              : text.replace(circuits, `${circuits},${circuits.replace('"name":"b"', '"name":"c"')}`)
          )
        })()
      })
      const proxied = `http://${origin}/resilience`
      const { code, err, out } = yield* run(proxied, ["reset", "*", ...why])
      assert.deepStrictEqual([code, out], [3, "b: CLOSED, counts reset"])
      assert.strictEqual(
        err,
        `resilience: the circuit no longer exists: No breaker has that name (control plane ${proxied})`
      )
    })
  )

  it.live("fails where nobody listens, and where TLS is not spoken", () =>
    Effect.gen(function* () {
      const { port, stop, url } = yield* serve()
      const tls = yield* run(`https://127.0.0.1:${port}/resilience`, ["status"])
      assert.strictEqual(tls.code, 1)
      assert.match(tls.err, /^resilience: the TLS connection was refused: [^\n]+\(control plane https:[^\n]+\)$/)
      yield* stop
      for (const command of [["status"], ["watch"], ["reset", "payments", ...why]]) {
        assert.deepStrictEqual(yield* run(url, command), {
          code: 1,
          out: "",
          err: `resilience: cannot reach control plane ${url}: connection refused`
        })
      }
    })
  )

  it.live("fails where what answers does not speak HTTP", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<Server>((resume) => {
          const server = listen((socket) => {
            socket.on("error", () => undefined)
            socket.end("-ERR unknown command\r\n")
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      // It listens at an address with a port.
      const { port } = server.address() as AddressInfo
      const url = `http://127.0.0.1:${port}/resilience`
      const { code, err } = yield* run(url, ["status"])
      assert.strictEqual(code, 1)
      assert.match(err, /^resilience: [^\n]*HTTP[^\n]* \(control plane [^\n]*\)$/)
      assert.notInclude(err, "unknown command")
    })
  )

  for (const [command, line] of [
    [["status"], "no answer in time"],
    [["watch"], "no answer in time"]
  ] as const) {
    it.effect(`${command.join(" ")} gives up where there is no answer in ten seconds`, () =>
      Effect.gen(function* () {
        let asked = 0
        const origin = yield* answer(() => asked++)
        const url = `http://${origin}/resilience`
        const fiber = yield* Effect.forkChild(run(url, command), { startImmediately: true })
        yield* TestClock.withLive(
          eventually(
            "asks",
            Effect.sync(() => asked > 0)
          )
        )
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(yield* Fiber.join(fiber), {
          code: 1,
          out: "",
          err: `resilience: ${line}: control plane ${url}`
        })
      })
    )
  }

  it.effect("watch gives up where a stream does not begin, as behind a proxy that holds it back", () =>
    Effect.gen(function* () {
      let asked = 0
      const origin = yield* answer((_, response) => {
        asked++
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.flushHeaders()
      })
      const fiber = yield* Effect.forkChild(run(`http://${origin}/resilience`, ["watch"]), { startImmediately: true })
      yield* TestClock.withLive(
        Effect.andThen(
          eventually(
            "asks",
            Effect.sync(() => asked > 0)
          ),
          Effect.sleep("200 millis")
        )
      )
      yield* TestClock.adjust("11 seconds")
      const { code, err } = yield* Fiber.join(fiber)
      assert.strictEqual(code, 1)
      assert.include(err, "no answer in time")
    })
  )
})

describe("usage", () => {
  for (const args of [
    ["setup", "--yes", "--url", "https://orders.internal/resilience"],
    ["status", "--url", "https://orders.internal/resilience", "--namespace", "blue"],
    ["status", "--url", "https://orders.internal/resilience", "--table", "other"],
    ["status", "--url", "https://ada:hunter2@orders.internal/resilience"],
    ["status", "--url", "https://orders.internal/resilience?token=hunter2"],
    ["status", "--url", "https://hunter2 x/"],
    ["status", "--url", "ftp://ada:hunter2@orders.internal"],
    ["status", "--url", "orders.internal/hunter2"]
  ]) {
    it.effect(`ends with 2 for ${JSON.stringify(args)}, and says no password`, () =>
      Effect.gen(function* () {
        const fleet = Support.world()
        const { code, err, out } = yield* Support.run(fleet, args, { env: {} })
        assert.deepStrictEqual([code, out, fleet.opened.length], [2, "", 0])
        assert.match(err, /^resilience: (--url|--namespace|--table) [^\n]*$/)
        assert.notInclude(err, "hunter2")
      })
    )
  }

  it.effect("refuses a token that cannot be sent, and does not print it", () =>
    Effect.gen(function* () {
      const { code, err } = yield* Support.run(Support.world(), ["status", "--url", "http://127.0.0.1:1"], {
        env: { RESILIENCE_CONTROL_TOKEN: "hunter2\nhunter3" }
      })
      assert.strictEqual(code, 2)
      assert.match(err, /^resilience: RESILIENCE_CONTROL_TOKEN must hold [^\n]*$/)
      assert.notInclude(err, "hunter")
    })
  )

  it.live("takes the address from the environment, over that of a store and under --url", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const fleet = Support.world()
      const variables = { ...env, RESILIENCE_CONTROL_URL: url, RESILIENCE_DATABASE_URL: Support.url }
      const { err, out } = yield* Support.run(fleet, ["status"], { env: variables })
      assert.deepStrictEqual([err, out, fleet.opened.length], ["", `No circuits in control plane ${url}.`, 0])
      yield* Support.run(fleet, ["status", "--url", Support.url], { env: variables })
      yield* Support.run(fleet, ["setup", "--yes"], { env: variables })
      yield* Support.run(fleet, ["status"], { env: { ...variables, RESILIENCE_CONTROL_URL: " " } })
      assert.lengthOf(fleet.opened, 3)
      const bad = yield* Support.run(fleet, ["status"], { env: { ...variables, RESILIENCE_CONTROL_URL: Support.url } })
      assert.strictEqual(bad.code, 2)
      assert.match(bad.err, /^resilience: RESILIENCE_CONTROL_URL must be an http or https URL/)
    })
  )

  it.live("says where the prefix is missing in the address", () =>
    Effect.gen(function* () {
      const { port } = yield* serve()
      const { code, err } = yield* run(`http://127.0.0.1:${port}`, ["status"])
      assert.strictEqual(code, 1)
      assert.include(err, "its prefix is part of the address")
    })
  )
})

describe("the program", () => {
  it.live(
    "holds a circuit of a running application, watches it, and needs no driver of a store",
    () =>
      Effect.gen(function* () {
        const { search, url } = yield* shop
        const variables = { ...env, RESILIENCE_CONTROL_URL: url }
        const watched = yield* Effect.promise(() =>
          cli(["watch", "search", "--json"], {
            env: variables,
            onStart: interruptAt(
              "HELD_OPEN",
              () => void cli(["hold-open", "search", "--by", "ada", ...why], { env: variables })
            )
          })
        )
        assert.deepStrictEqual([watched.code, watched.err], [130, ""])
        assert.deepStrictEqual(
          watched.out.split("\n").map((line) => decode(Output.Sighting, line).circuit.state),
          ["CLOSED", "HELD_OPEN"]
        )
        assert.deepInclude((yield* search.status).state, { _tag: "HeldOpen", by: "ada" })
      }),
    60_000
  )
})
