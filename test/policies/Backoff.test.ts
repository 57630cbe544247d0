import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Exit, Fiber, Random, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Backoff from "../../src/policies/Backoff.ts"
import { invalid, thrown } from "../suites/rules.ts"

/** Runs a schedule `n` times and returns its delays in milliseconds, with `draw` for the random numbers. */
const drawn = (backoff: Backoff.Backoff, n: number, draw: () => number) =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(backoff)
    const delays: Array<number> = []
    for (let i = 0; i < n; i++) {
      const [output, delay] = yield* step(0, undefined)
      assert.strictEqual(output, delay)
      delays.push(Duration.toMillis(delay))
    }
    return delays
  }).pipe(Effect.provideService(Random.Random, { nextDoubleUnsafe: draw, nextIntUnsafe: () => 0 }))

const middle = () => 0.5
const highest = () => 1 - Number.EPSILON / 2
const millis = (backoff: Backoff.Backoff, n: number) => Backoff.delays(backoff, n).map(Duration.toMillis)

describe("delays without jitter", () => {
  const tables: ReadonlyArray<readonly [string, Backoff.Backoff, ReadonlyArray<number>]> = [
    [
      "exponential doubles",
      Backoff.exponential({ initial: 100, max: 1000, jitter: "none" }),
      [100, 200, 400, 800, 1000, 1000]
    ],
    [
      "exponential reaches max exactly",
      Backoff.exponential({ initial: 100, max: 400, jitter: "none" }),
      [100, 200, 400, 400]
    ],
    [
      "exponential stops just below the next power",
      Backoff.exponential({ initial: 100, max: 399, jitter: "none" }),
      [100, 200, 399, 399]
    ],
    [
      "exponential takes its factor",
      Backoff.exponential({ initial: 10, factor: 1.5, jitter: "none" }),
      [10, 15, 22.5, 33.75]
    ],
    [
      "exponential with factor 1 is constant",
      Backoff.exponential({ initial: 10, factor: 1, jitter: "none" }),
      [10, 10, 10]
    ],
    ["exponential with initial = max", Backoff.exponential({ initial: 10, max: 10, jitter: "none" }), [10, 10]],
    [
      "linear adds its increment",
      Backoff.linear({ initial: 10, increment: 25, max: 80, jitter: "none" }),
      [10, 35, 60, 80, 80]
    ],
    ["linear adds initial by default", Backoff.linear({ initial: 30, jitter: "none" }), [30, 60, 90]],
    ["linear can start at zero", Backoff.linear({ initial: 0, increment: 5, jitter: "none" }), [0, 5, 10]],
    [
      "fibonacci adds the two delays before",
      Backoff.fibonacci({ initial: 10, max: 100, jitter: "none" }),
      [10, 10, 20, 30, 50, 80, 100, 100]
    ],
    ["constant stays", Backoff.constant("1 second"), [1000, 1000, 1000]],
    ["constant can be zero", Backoff.constant({ delay: 0 }), [0, 0]]
  ]

  for (const [name, backoff, expected] of tables) {
    it.effect(`${name}: as a schedule`, () =>
      Effect.map(drawn(backoff, expected.length, middle), (delays) => assert.deepStrictEqual(delays, [...expected]))
    )

    it(`${name}: delays`, () => {
      assert.deepStrictEqual(millis(backoff, expected.length), [...expected])
      assert.deepStrictEqual(backoff.pipe(Backoff.delays(1)), [Duration.millis(expected[0] as number)])
    })
  }

  it("delays leaves jitter out", () => {
    const jitters = ["none", "full", "equal", Backoff.ratio(0.3)] as const
    for (const jitter of jitters) {
      assert.deepStrictEqual(millis(Backoff.exponential({ max: 300, jitter }), 3), [100, 200, 300])
      assert.deepStrictEqual(millis(Backoff.constant({ delay: 70, jitter }), 2), [70, 70])
    }
  })

  it("delays of decorrelated jitter are the longest that can be drawn", () => {
    assert.deepStrictEqual(
      millis(Backoff.exponential({ max: 1000, jitter: "decorrelated" }), 4),
      [300, 900, 1000, 1000]
    )
  })

  it("delays takes its count first in a pipe", () => {
    assert.deepStrictEqual(Backoff.delays(2)(Backoff.constant(7)).map(Duration.toMillis), [7, 7])
  })

  it("delays of zero attempts is empty, and a count that is none is refused", () => {
    assert.deepStrictEqual(Backoff.delays(Backoff.exponential(), 0), [])
    for (const count of [-1, 1.5, Number.NaN]) {
      assert.include(
        invalid(() => Backoff.delays(Backoff.exponential(), count)),
        { module: "Backoff", field: "count" }
      )
    }
  })
})

describe("jitter", () => {
  const lowest = () => 0
  const tables: ReadonlyArray<
    readonly [
      string,
      Backoff.Backoff,
      low: ReadonlyArray<number>,
      mid: ReadonlyArray<number>,
      high: ReadonlyArray<number>
    ]
  > = [
    [
      "none",
      Backoff.exponential({ max: 400, jitter: "none" }),
      [100, 200, 400, 400],
      [100, 200, 400, 400],
      [100, 200, 400, 400]
    ],
    [
      "full",
      Backoff.exponential({ max: 400, jitter: "full" }),
      [0, 0, 0, 0],
      [50, 100, 200, 200],
      [100, 200, 400, 400]
    ],
    [
      "equal",
      Backoff.exponential({ max: 400, jitter: "equal" }),
      [50, 100, 200, 200],
      [75, 150, 300, 300],
      [100, 200, 400, 400]
    ],
    [
      "ratio(0.1)",
      Backoff.exponential({ max: 400, jitter: Backoff.ratio(0.1) }),
      [90, 180, 360, 360],
      [100, 200, 380, 380],
      [110, 220, 400, 400]
    ],
    [
      "ratio(0.1) where the upper end is cut off",
      Backoff.exponential({ max: 210, jitter: Backoff.ratio(0.1) }),
      [90, 180, 189],
      [100, 195, 199.5],
      [110, 210, 210]
    ],
    ["ratio(1)", Backoff.linear({ max: 300, jitter: Backoff.ratio(1) }), [0, 0, 0], [100, 150, 150], [200, 300, 300]],
    [
      "decorrelated",
      Backoff.exponential({ max: 2000, jitter: "decorrelated" }),
      [100, 100, 100, 100],
      [200, 350, 575, 912.5],
      [300, 900, 2000, 2000]
    ],
    [
      "decorrelated with a factor",
      Backoff.exponential({ factor: 2, max: 2000, jitter: "decorrelated" }),
      [100, 100],
      [150, 200],
      [200, 400]
    ],
    ["full of fibonacci", Backoff.fibonacci({ max: 300, jitter: "full" }), [0, 0, 0], [50, 50, 100], [100, 100, 200]],
    ["equal of constant", Backoff.constant({ delay: 80, jitter: "equal" }), [40, 40], [60, 60], [80, 80]],
    [
      "ratio of constant, which has no max",
      Backoff.constant({ delay: 100, jitter: Backoff.ratio(0.2) }),
      [80, 80],
      [100, 100],
      [120, 120]
    ]
  ]

  for (const [name, backoff, low, mid, high] of tables) {
    it.effect(`${name}: lowest, middle and highest draw`, () =>
      Effect.gen(function* () {
        const close = (actual: ReadonlyArray<number>, expected: ReadonlyArray<number>) => {
          assert.strictEqual(actual.length, expected.length)
          actual.forEach((delay, i) => assert.closeTo(delay, expected[i] as number, 1e-9))
        }
        close(yield* drawn(backoff, low.length, lowest), low)
        close(yield* drawn(backoff, mid.length, middle), mid)
        close(yield* drawn(backoff, high.length, highest), high)
      })
    )
  }

  it.effect("comes from the fiber's Random", () =>
    Effect.gen(function* () {
      const run = (seed: string) =>
        Effect.gen(function* () {
          const step = yield* Schedule.toStep(Backoff.exponential())
          return [yield* step(0, 0), yield* step(0, 0)].map(([delay]) => Duration.toMillis(delay))
        }).pipe(Random.withSeed(seed))
      assert.deepStrictEqual(yield* run("a"), yield* run("a"))
      assert.notDeepEqual(yield* run("a"), yield* run("b"))
    })
  )
})

describe("as a schedule", () => {
  it.effect("starts at initial in each run", () =>
    Effect.gen(function* () {
      const backoff = Backoff.exponential({ jitter: "none" })
      assert.deepStrictEqual(yield* drawn(backoff, 3, middle), [100, 200, 400])
      assert.deepStrictEqual(yield* drawn(backoff, 3, middle), [100, 200, 400])
      const first = yield* Schedule.toStep(backoff)
      const second = yield* Schedule.toStep(backoff)
      yield* first(0, 0)
      assert.strictEqual(Duration.toMillis((yield* second(0, 0))[0]), 100)
      assert.strictEqual(Duration.toMillis((yield* first(0, 0))[0]), 200)
    })
  )

  it.effect("paces Effect.retry", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const failing = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        times.push(now)
        return Effect.fail("no")
      })
      const schedule = Backoff.fibonacci({ initial: "1 second", jitter: "none" })
      const fiber = yield* Effect.forkChild(Effect.retry(failing, { schedule, times: 4 }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("no"))
      assert.deepStrictEqual(times, [0, 1000, 2000, 4000, 7000])
    })
  )

  it("is told apart from other schedules", () => {
    assert.isTrue(Backoff.isBackoff(Backoff.linear()))
    assert.isTrue(Schedule.isSchedule(Backoff.linear()))
    for (const other of [
      Schedule.forever,
      Schedule.upTo(Backoff.linear(), { times: 2 }),
      null,
      undefined,
      {},
      "full"
    ]) {
      assert.isFalse(Backoff.isBackoff(other))
    }
  })
})

describe("spec", () => {
  it("holds the defaults", () => {
    assert.deepStrictEqual(Backoff.exponential()[Backoff.TypeId], {
      type: "exponential",
      initial: 100,
      max: 60_000,
      factor: 2,
      jitter: "full"
    })
    assert.deepStrictEqual(Backoff.linear()[Backoff.TypeId], {
      type: "linear",
      initial: 100,
      max: 60_000,
      increment: 100,
      jitter: "full"
    })
    assert.deepStrictEqual(Backoff.fibonacci()[Backoff.TypeId], {
      type: "fibonacci",
      initial: 100,
      max: 60_000,
      jitter: "full"
    })
    assert.deepStrictEqual(Backoff.constant(1)[Backoff.TypeId], { type: "constant", delay: 1, jitter: "none" })
    assert.include(Backoff.exponential({ jitter: "decorrelated" })[Backoff.TypeId], { factor: 3 })
  })

  it("takes undefined as not given", () => {
    assert.deepStrictEqual(
      Backoff.exponential({ initial: undefined, factor: undefined, max: undefined, jitter: undefined })[Backoff.TypeId],
      Backoff.exponential()[Backoff.TypeId]
    )
  })

  it("reads every kind of duration", () => {
    assert.include(Backoff.exponential({ initial: "2 seconds", max: { minutes: 2 } })[Backoff.TypeId], {
      initial: 2000,
      max: 120_000
    })
    assert.include(Backoff.constant({ seconds: 3 })[Backoff.TypeId], { delay: 3000 })
    assert.include(Backoff.constant({ delay: Duration.minutes(1) })[Backoff.TypeId], { delay: 60_000 })
  })

  it("does not follow later changes of a ratio", () => {
    const jitter = { _tag: "Ratio" as const, ratio: 0.1 }
    const backoff = Backoff.constant({ delay: 1, jitter })
    jitter.ratio = 7
    assert.deepStrictEqual(backoff[Backoff.TypeId].jitter, { _tag: "Ratio", ratio: 0.1 })
  })

  it("makes the same backoff again", () => {
    for (const backoff of [
      Backoff.exponential({ jitter: "decorrelated" }),
      Backoff.linear({ initial: 0, increment: "2 seconds", jitter: Backoff.ratio(0.5) }),
      Backoff.fibonacci({ jitter: "equal" }),
      Backoff.constant({ delay: 0.25, jitter: "full" })
    ]) {
      assert.deepStrictEqual(Backoff.make(backoff[Backoff.TypeId])[Backoff.TypeId], backoff[Backoff.TypeId])
    }
  })

  it("initial 1 second, factor 2, max 60 seconds, full jitter by default", () => {
    const backoff = Backoff.exponential({ initial: "1 second", factor: 2, max: "60 seconds" })
    assert.deepStrictEqual(millis(backoff, 8), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    assert.strictEqual(backoff[Backoff.TypeId].jitter, "full")
  })

  it.effect("initial 100 millis, factor 2, max 60 seconds, jitter ratio 0.1", () =>
    Effect.gen(function* () {
      const backoff = Backoff.exponential({
        initial: "100 millis",
        factor: 2,
        max: "60 seconds",
        jitter: Backoff.ratio(0.1)
      })
      const low = yield* drawn(backoff, 3, () => 0)
      const high = yield* drawn(backoff, 3, highest)
      assert.deepStrictEqual(low.map(Math.round), [90, 180, 360])
      assert.deepStrictEqual(high.map(Math.round), [110, 220, 440])
    })
  )

  it("initial 2 seconds, factor 2, max 10 seconds, jitter ratio 0.2; and a constant delay", () => {
    const exponential = Backoff.exponential({
      initial: "2 seconds",
      max: "10 seconds",
      factor: 2,
      jitter: Backoff.ratio(0.2)
    })
    assert.deepStrictEqual(millis(exponential, 4), [2000, 4000, 8000, 10_000])
    assert.deepStrictEqual(millis(Backoff.constant("3 seconds"), 2), [3000, 3000])
  })
})

describe("properties", () => {
  const Numbers = Schema.Struct({
    initial: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5000 })),
    extra: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })),
    factor: Schema.Finite.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
    ratio: Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1 })),
    seed: Schema.String
  })
  type Numbers = (typeof Numbers)["Type"]

  const growing = ({ extra, factor, initial }: Numbers, jitter: Backoff.Jitter) => {
    const max = initial + extra
    return [
      Backoff.exponential({ initial, factor, max, jitter }),
      Backoff.linear({ initial, increment: factor, max, jitter }),
      Backoff.fibonacci({ initial, max, jitter })
    ]
  }

  const seeded = (backoff: Backoff.Backoff, n: number, seed: string) =>
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(backoff)
      const delays: Array<number> = []
      for (let i = 0; i < n; i++) delays.push(Duration.toMillis((yield* step(0, 0))[0]))
      return delays
    }).pipe(Random.withSeed(seed))

  it.effect.prop("every delay is within [0, max] and within the range of its jitter", [Numbers], ([numbers]) =>
    Effect.gen(function* () {
      const { extra, factor, initial, ratio, seed } = numbers
      const max = initial + extra
      const jitters = ["none", "full", "equal", Backoff.ratio(ratio)] as const
      for (const jitter of jitters) {
        for (const backoff of growing(numbers, jitter)) {
          const plain = millis(backoff, 25)
          const delays = yield* seeded(backoff, 25, seed)
          delays.forEach((delay, i) => {
            const base = plain[i] as number
            const low =
              jitter === "none" ? base : jitter === "full" ? 0 : jitter === "equal" ? base / 2 : base * (1 - ratio)
            const high = typeof jitter === "string" ? base : Math.min(max, base * (1 + ratio))
            assert.isTrue(low >= 0 && low <= delay && delay <= high && high <= max, `${low} <= ${delay} <= ${high}`)
          })
        }
      }
      let previous = initial
      const decorrelated = Backoff.exponential({ initial, factor, max, jitter: "decorrelated" })
      for (const delay of yield* seeded(decorrelated, 25, seed)) {
        assert.isTrue(delay >= initial && delay <= Math.min(max, previous * factor))
        previous = delay
      }
    })
  )

  it.prop("without jitter no delay is shorter than the one before", [Numbers], ([numbers]) => {
    for (const backoff of growing(numbers, "none")) {
      const delays = millis(backoff, 40)
      assert.deepStrictEqual(
        delays,
        delays.toSorted((a, b) => a - b)
      )
      assert.strictEqual(delays[0], numbers.initial)
    }
  })

  it.effect.prop("jitter spreads its draws over the whole range", [Schema.String], ([seed]) =>
    Effect.gen(function* () {
      for (const [jitter, low, high] of [
        ["full", 0, 1000],
        ["equal", 500, 1000],
        [Backoff.ratio(0.2), 800, 1200]
      ] as const) {
        const delays = yield* seeded(Backoff.constant({ delay: 1000, jitter }), 400, seed)
        const quarter = (high - low) / 4
        for (let i = 0; i < 4; i++) {
          const within = delays.filter((delay) => delay >= low + i * quarter && delay < low + (i + 1) * quarter)
          assert.isAbove(within.length, 40)
        }
      }
    })
  )

  it.prop("a spec in JSON decodes to the same backoff", [Numbers], ([numbers]) => {
    for (const backoff of growing(numbers, Backoff.ratio(numbers.ratio))) {
      const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Backoff.Config)(backoff)))
      const decoded = Schema.decodeUnknownSync(Backoff.Config)(json)
      assert.deepStrictEqual(decoded[Backoff.TypeId], backoff[Backoff.TypeId])
    }
  })
})

describe("bad options", () => {
  const positive = "a finite duration > 0"
  const zero = "a finite duration >= 0"
  const jitterRule = `"none", "full", "equal" or a ratio ("decorrelated" grows from the delay before it, so it is for exponential only)`
  // Types are broken on purpose: the options may come from JavaScript.
  const bad = (value: unknown) => value as never
  const table: ReadonlyArray<readonly [string, () => unknown, field: string, value: unknown, rule: string]> = [
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, "soon", "-1 seconds", "Infinity", null, true, {}].flatMap(
      (value): ReadonlyArray<readonly [string, () => unknown, string, unknown, string]> => [
        ["exponential", () => Backoff.exponential({ initial: bad(value) }), "initial", value, positive],
        ["exponential", () => Backoff.exponential({ max: bad(value) }), "max", value, positive],
        ["fibonacci", () => Backoff.fibonacci({ initial: bad(value) }), "initial", value, positive],
        ["fibonacci", () => Backoff.fibonacci({ max: bad(value) }), "max", value, positive],
        ["linear", () => Backoff.linear({ increment: bad(value) }), "increment", value, positive],
        ["linear", () => Backoff.linear({ initial: 0, increment: 1, max: bad(value) }), "max", value, positive]
      ]
    ),
    ...[-1, Number.NaN, Number.POSITIVE_INFINITY, "soon", "-1 seconds", null, true].flatMap(
      (value): ReadonlyArray<readonly [string, () => unknown, string, unknown, string]> => [
        ["linear", () => Backoff.linear({ initial: bad(value), increment: 1 }), "initial", value, zero],
        ["constant", () => Backoff.constant(bad(value)), "delay", value, zero],
        ["constant", () => Backoff.constant({ delay: bad(value) }), "delay", value, zero]
      ]
    ),
    ["constant", () => Backoff.constant(bad({ delay: undefined })), "delay", undefined, zero],
    ["linear", () => Backoff.linear({ initial: 0 }), "increment", 0, positive],
    ["exponential", () => Backoff.exponential({ initial: 101, max: 100 }), "max", 100, "at least initial (101 ms)"],
    [
      "exponential",
      () => Backoff.exponential({ initial: "2 minutes" }),
      "max",
      "1 minute",
      "at least initial (120000 ms)"
    ],
    ["linear", () => Backoff.linear({ initial: 101, max: 100 }), "max", 100, "at least initial (101 ms)"],
    ["fibonacci", () => Backoff.fibonacci({ initial: 101, max: 100 }), "max", 100, "at least initial (101 ms)"],
    ...[0, 0.99, -2, Number.NaN, Number.POSITIVE_INFINITY, "2", null].map(
      (value) =>
        [
          "exponential",
          () => Backoff.exponential({ factor: bad(value) }),
          "factor",
          value,
          "a finite number >= 1"
        ] as const
    ),
    ...["some", "", null, 0.1, true, {}, { _tag: "Other", ratio: 0.1 }].flatMap(
      (value): ReadonlyArray<readonly [string, () => unknown, string, unknown, string]> => [
        [
          "exponential",
          () => Backoff.exponential({ jitter: bad(value) }),
          "jitter",
          value,
          `"none", "full", "equal", "decorrelated" or a ratio`
        ],
        ["linear", () => Backoff.linear({ jitter: bad(value) }), "jitter", value, jitterRule],
        ["fibonacci", () => Backoff.fibonacci({ jitter: bad(value) }), "jitter", value, jitterRule],
        ["constant", () => Backoff.constant({ delay: 1, jitter: bad(value) }), "jitter", value, jitterRule]
      ]
    ),
    ["linear", () => Backoff.linear({ jitter: bad("decorrelated") }), "jitter", "decorrelated", jitterRule],
    ["fibonacci", () => Backoff.fibonacci({ jitter: bad("decorrelated") }), "jitter", "decorrelated", jitterRule],
    [
      "constant",
      () => Backoff.constant({ delay: 1, jitter: bad("decorrelated") }),
      "jitter",
      "decorrelated",
      jitterRule
    ],
    ...[0, -0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY, "0.1"].flatMap(
      (value): ReadonlyArray<readonly [string, () => unknown, string, unknown, string]> => [
        ["ratio", () => Backoff.ratio(bad(value)), "ratio", value, "a ratio in (0, 1]"],
        [
          "exponential",
          () => Backoff.exponential({ jitter: { _tag: "Ratio", ratio: bad(value) } }),
          "jitter.ratio",
          value,
          "a ratio in (0, 1]"
        ]
      ]
    ),
    [
      "ratio",
      () => Backoff.exponential({ jitter: bad({ _tag: "Ratio", ratio: 0.1, share: 1 }) }),
      "jitter.share",
      1,
      "absent (the keys are _tag, ratio)"
    ],
    [
      "make",
      () => Backoff.make(bad({ type: "cubic" })),
      "type",
      "cubic",
      "one of exponential, linear, fibonacci, constant"
    ],
    ["make", () => Backoff.make(bad({})), "type", undefined, "one of exponential, linear, fibonacci, constant"],
    [
      "make",
      () => Backoff.make(bad({ type: "exponential", base: 2 })),
      "base",
      2,
      "absent (the keys are initial, factor, max, jitter)"
    ],
    [
      "make",
      () => Backoff.make(bad({ type: "linear", factor: 2 })),
      "factor",
      2,
      "absent (the keys are initial, increment, max, jitter)"
    ],
    [
      "make",
      () => Backoff.make(bad({ type: "fibonacci", factor: 2 })),
      "factor",
      2,
      "absent (the keys are initial, max, jitter)"
    ],
    [
      "make",
      () => Backoff.make(bad({ type: "constant", delay: 1, max: 2 })),
      "max",
      2,
      "absent (the keys are delay, jitter)"
    ]
  ]

  for (const [name, build, field, value, rule] of table) {
    it(`${name}: ${field} ${String(typeof value === "object" ? JSON.stringify(value) : value)}`, () => {
      const error = invalid(build)
      assert.strictEqual(error.module, "Backoff")
      assert.strictEqual(error.field, field)
      assert.deepStrictEqual(error.value, value)
      assert.strictEqual(error.rule, rule)
    })
  }

  it("says what was wrong", () => {
    assert.strictEqual(
      thrown(() => Backoff.exponential({ factor: 0.5 })).message,
      "Backoff: factor must be a finite number >= 1, got 0.5"
    )
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownEffect(Backoff.Config)

  it.effect("reads every constructor", () =>
    Effect.gen(function* () {
      const table: ReadonlyArray<readonly [unknown, Backoff.Backoff]> = [
        [{ type: "exponential" }, Backoff.exponential()],
        [
          { type: "exponential", initial: "200 millis", factor: 3, max: 5000, jitter: "decorrelated" },
          Backoff.exponential({ initial: 200, factor: 3, max: "5 seconds", jitter: "decorrelated" })
        ],
        [
          { type: "linear", initial: 5, increment: "1 second", jitter: { _tag: "Ratio", ratio: 0.1 } },
          Backoff.linear({ initial: 5, increment: 1000, jitter: Backoff.ratio(0.1) })
        ],
        [{ type: "fibonacci", max: "2 seconds" }, Backoff.fibonacci({ max: 2000 })],
        [{ type: "constant", delay: "1 second", jitter: "equal" }, Backoff.constant({ delay: 1000, jitter: "equal" })]
      ]
      for (const [json, expected] of table) {
        const backoff = yield* decode(json)
        assert.deepStrictEqual(backoff[Backoff.TypeId], expected[Backoff.TypeId])
      }
      assert.deepStrictEqual(yield* drawn(yield* decode({ type: "linear", jitter: "none" }), 2, middle), [100, 200])
    })
  )

  it.effect("refuses with the path of the field", () =>
    Effect.gen(function* () {
      const table: ReadonlyArray<readonly [unknown, message: string, path: string]> = [
        [{ type: "cubic" }, "type must be one of exponential, linear, fibonacci, constant", `["type"]`],
        [{}, "type must be one of exponential, linear, fibonacci, constant", `["type"]`],
        [{ type: "exponential", initial: "soon" }, "initial must be a finite duration > 0", `["initial"]`],
        [{ type: "exponential", initial: 500, max: 100 }, "max must be at least initial", `["max"]`],
        [{ type: "exponential", base: 2 }, "base must be absent", `["base"]`],
        [{ type: "linear", jitter: "decorrelated" }, "jitter must be", `["jitter"]`],
        [{ type: "linear", jitter: { _tag: "Ratio", ratio: 3 } }, "must be a ratio in (0, 1]", `["jitter"]["ratio"]`]
      ]
      for (const [json, message, path] of table) {
        const error = yield* Effect.flip(decode(json))
        assert.strictEqual(error._tag, "SchemaError")
        assert.include(error.message, message)
        assert.include(error.message, `at ${path}`)
      }
    })
  )

  it.effect("refuses what is no object", () =>
    Effect.gen(function* () {
      for (const json of [null, "exponential", 3, undefined]) {
        assert.strictEqual((yield* Effect.flip(decode(json)))._tag, "SchemaError")
      }
    })
  )
})
