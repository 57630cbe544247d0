import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import { graceMillis, limitMillis, phases } from "../../demo/phases.ts"
import * as Print from "../../demo/report.ts"
import { steady, Tally } from "../../demo/traffic.ts"
import type { CircuitState, Health } from "../../src/index.ts"

const plain = Print.paint(false)

const advanced =
  (by: Duration.Input) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(self, { startImmediately: true })
      yield* TestClock.adjust(by)
      return yield* Fiber.join(fiber)
    })

const open: CircuitState.Open = {
  _tag: "Open",
  generation: 1,
  since: 0,
  openings: 1,
  openMillis: 1_500,
  reason: "5 consecutive failures"
}

describe("the script of the demo", () => {
  it("ends in less than 40 seconds, also where two phases need all of their grace", () => {
    const millis = phases.reduce((sum, phase) => sum + phase.millis, 0)
    assert.isAtMost(millis + 2 * graceMillis, limitMillis)
    assert.isBelow(limitMillis, 40_000)
  })

  it("lets the upstream fail, hang and be overloaded, begins working and ends recovered", () => {
    assert.sameMembers([...new Set(phases.map(({ mode }) => mode))], ["works", "fails", "hangs", "overloaded"])
    assert.deepInclude(phases[0], { mode: "works" })
    assert.deepInclude(phases.at(-1), { mode: "works", reaches: "Closed" })
  })

  it("asks for an open circuit wherever the upstream breaks, and for a closed one wherever it recovers", () => {
    for (const { mode, reaches } of phases.slice(1)) assert.strictEqual(reaches, mode === "works" ? "Closed" : "Open")
  })
})

describe("what the demo prints", () => {
  for (const [values, share, expected] of [
    [[], 0.5, undefined],
    [[7], 0.5, 7],
    [[7], 0.99, 7],
    [[3, 1, 2], 0.5, 2],
    [[4, 3, 2, 1], 0.5, 2],
    [[1, 2], 0, 1],
    [Array.from({ length: 100 }, (_, i) => i + 1), 0.99, 99],
    [Array.from({ length: 101 }, (_, i) => i + 1), 0.99, 100]
  ] as const) {
    it(`percentile ${share} of ${values.length} values is ${expected}`, () => {
      assert.strictEqual(Print.percentile(values, share), expected)
    })
  }

  it("has a row under its head", () => {
    const counts = { calls: 20, ok: 3, fallback: 17, failed: 0, retries: 2 }
    const row = { ...counts, phase: "recovers", hits: 5, refused: 16, latencies: [1.2, 30.6], state: "HalfOpen" }
    assert.deepStrictEqual(
      [Print.head(plain), Print.row(plain, 7_549, row)],
      [
        "  time  phase       calls    ok  fallback  refused  retries  upstream  p50 ms  p99 ms  state",
        "   7.5  recovers       20     3        17       16        2         5       1      31  HalfOpen"
      ]
    )
  })

  it("shows that nothing ended in half a second", () => {
    const counts = { calls: 0, ok: 0, fallback: 0, failed: 0, retries: 0 }
    const row = { ...counts, phase: "hangs", hits: 20, refused: 0, latencies: [], state: "Closed" }
    assert.match(Print.row(plain, 11_500, row), /  20       -       -  Closed$/)
  })

  it("says which circuit changed, and of one that opened why and for how long", () => {
    const closed: CircuitState.Closed = { _tag: "Closed", generation: 0, since: 0, openings: 0, openMillis: 0 }
    assert.deepStrictEqual(
      [
        Print.change(plain, 3_100, { name: "prices", key: undefined, from: closed, to: open }),
        Print.change(plain, 4_600, { name: "prices", key: undefined, from: open, to: closed }),
        Print.change(plain, 9_000, { name: "search", key: "asia", from: open, to: closed })
      ],
      [
        "   3.1  circuit prices Closed -> Open for 1500 ms: 5 consecutive failures",
        "   4.6  circuit prices Open -> Closed",
        "   9.0  circuit search:asia Open -> Closed"
      ]
    )
  })

  it("shows a health report with its checks", () => {
    const timestamp = DateTime.makeUnsafe(0)
    const report: Health.Report = {
      status: "degraded",
      version: "0.1.0",
      uptime: Duration.millis(3_900),
      timestamp,
      checks: [
        {
          name: "prices",
          status: "degraded",
          critical: true,
          message: "open",
          latency: Duration.zero,
          checkedAt: timestamp
        },
        {
          name: "cache",
          status: "healthy",
          critical: true,
          details: { items: 8 },
          latency: Duration.zero,
          checkedAt: timestamp
        }
      ]
    }
    assert.deepStrictEqual(Print.health(plain, 3_500, "during", report).split("\n"), [
      "   3.5  health during degraded, version 0.1.0, up 3 s",
      "        prices   degraded  open",
      `        cache    healthy  {"items":8}`
    ])
  })

  it("sets calls with policies beside those without", () => {
    const withPolicies = { calls: 4, ok: 2, fallback: 2, failed: 0, hits: 2, latencies: [1, 2, 3, 4] }
    const without = { calls: 4, ok: 1, fallback: 0, failed: 3, hits: 4, latencies: [10, 20, 30, 4_000] }
    assert.deepStrictEqual(Print.totals(plain, withPolicies, without).split("\n"), [
      "                         with policies       without",
      "calls                                4             4",
      "answered by the upstream             2             1",
      "answered by the cache                2             0",
      "failed calls                         0             3",
      "upstream hits                        2             4",
      "p50                               2 ms         20 ms",
      "p99                               4 ms       4000 ms"
    ])
  })

  it("has colours only where they are asked for", () => {
    const row = { phase: "works", calls: 0, ok: 0, fallback: 0, refused: 0, retries: 0, hits: 0, latencies: [] }
    assert.notInclude(Print.row(plain, 0, { ...row, state: "Open" }), "\u001b")
    assert.include(Print.row(Print.paint(true), 0, { ...row, state: "Open" }), "\u001b[31mOpen\u001b[0m")
  })
})

describe("the traffic of the demo", () => {
  it.effect("is counted by who answered, and by what failed", () =>
    Effect.gen(function* () {
      const tally = new Tally()
      yield* tally
        .measured(Effect.delay(Effect.succeed({ source: "upstream" }), "20 millis"))
        .pipe(advanced("20 millis"))
      const before = tally.counts()
      yield* tally.measured(Effect.succeed({ source: "cache" }))
      yield* tally.measured(Effect.fail("out of order"))
      yield* tally.countRetry
      assert.deepStrictEqual(before, { calls: 1, ok: 1, fallback: 0, failed: 0, retries: 0, latencies: [20] })
      assert.deepStrictEqual(tally.counts(before), {
        calls: 2,
        ok: 0,
        fallback: 1,
        failed: 1,
        retries: 1,
        latencies: [0, 0]
      })
      assert.strictEqual(tally.counts().calls, 3)
    })
  )

  it.effect("starts calls at their times, whether others have ended or not", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const calls = yield* FiberSet.make<void>()
      const call = (n: number) => [
        Effect.andThen(
          Effect.sync(() => void started.push(n)),
          Effect.never
        )
      ]
      yield* Effect.forkScoped(steady(calls, 25, call), { startImmediately: true })
      assert.deepStrictEqual(started, [0])
      yield* TestClock.adjust("24 millis")
      assert.deepStrictEqual(started, [0])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(started, [0, 1])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(started, [0, 1, 2, 3, 4, 5])
    })
  )
})
