import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Schedule, Schema } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { invalid } from "../suites/rules.ts"

const count = "an integer >= 1"
const ratio = "a ratio in (0, 1]"
const duration = "a finite duration > 0"
const tags = "a predicate, a tag or a list of at least one tag"
const name = "a non-empty string"

const notCounts: ReadonlyArray<unknown> = [0, -1, 1.5, Number.NaN, Infinity, -Infinity, "1", true, 2 ** 53, []]
const notRatios: ReadonlyArray<unknown> = [0, -0.1, 1.1, Number.NaN, Infinity, "0.5", null, true]
const notDurations: ReadonlyArray<unknown> = [
  0,
  -1,
  Number.NaN,
  Infinity,
  -Infinity,
  "0 seconds",
  "-1 seconds",
  "Infinity",
  "soon",
  "",
  {},
  true,
  Duration.zero,
  Duration.infinity
]

/** Options as code without types may give them. */
type Loose = Record<string, unknown>

interface Field {
  readonly field: string
  readonly rule: string
  readonly values: ReadonlyArray<unknown>
  readonly options: (value: unknown) => Loose
  /** Module that checks it, where it is another one. */
  readonly module?: string
}

const fields: ReadonlyArray<Field> = [
  { field: "openFor", rule: duration, values: notDurations, options: (openFor) => ({ openFor }) },
  { field: "maxOpenFor", rule: duration, values: notDurations, options: (maxOpenFor) => ({ maxOpenFor }) },
  { field: "halfOpen.probes", rule: count, values: notCounts, options: (probes) => ({ halfOpen: { probes } }) },
  {
    field: "halfOpen.successes",
    rule: count,
    values: [0, -1, 1.5, Number.NaN, Infinity, "1", true],
    options: (successes) => ({ halfOpen: { successes } })
  },
  {
    field: "halfOpen.successes.of",
    rule: count,
    values: [...notCounts, undefined],
    options: (of) => ({ halfOpen: { successes: { count: 1, of } } })
  },
  {
    field: "halfOpen.successes.count",
    rule: count,
    values: [...notCounts, undefined],
    options: (count) => ({ halfOpen: { successes: { count, of: 5 } } })
  },
  {
    field: "halfOpen.successes.ratio",
    rule: ratio,
    values: [...notRatios, undefined],
    options: (ratio) => ({ halfOpen: { successes: { ratio, of: 5 } } })
  },
  {
    field: "halfOpen.leaseFor",
    rule: duration,
    values: notDurations,
    options: (leaseFor) => ({ halfOpen: { leaseFor } })
  },
  { field: "halfOpen.pace", rule: duration, values: notDurations, options: (pace) => ({ halfOpen: { pace } }) },
  { field: "keys.max", rule: count, values: notCounts, options: (max) => ({ keys: { max } }) },
  { field: "keys.idleFor", rule: duration, values: notDurations, options: (idleFor) => ({ keys: { idleFor } }) },
  { field: "dryRun", rule: "true or false", values: ["true", 0, 1, {}], options: (dryRun) => ({ dryRun }) },
  { field: "log", rule: "true or false", values: ["false", 0, 1, {}], options: (log) => ({ log }) },
  {
    field: "failureIf",
    rule: tags,
    values: [[], 1, {}],
    options: (failureIf) => ({ failureIf }),
    module: "Outcome"
  },
  { field: "failureIf", rule: name, values: [""], options: (failureIf) => ({ failureIf }), module: "Outcome" },
  { field: "failureIf.1", rule: name, values: [""], options: (tag) => ({ failureIf: ["A", tag] }), module: "Outcome" },
  {
    field: "ignore",
    rule: tags,
    values: [[], 1, {}],
    options: (ignore) => ({ ignore }),
    module: "Outcome"
  },
  { field: "ignore", rule: name, values: [""], options: (ignore) => ({ ignore }), module: "Outcome" },
  { field: "ignore.1", rule: name, values: [""], options: (tag) => ({ ignore: ["A", tag] }), module: "Outcome" },
  {
    field: "classify",
    rule: "a function",
    values: ["A", {}, 1],
    options: (classify) => ({ classify }),
    module: "Outcome"
  },
  {
    field: "trip",
    rule: "a policy that TripPolicy made",
    values: [TripPolicy.consecutive, {}, { _tag: "Consecutive", failures: 3 }, "consecutive", 5],
    options: (trip) => ({ trip }),
    module: "TripPolicy"
  }
]

/** Where options are given. All check them when the breaker or its class is made, and not when it is used. */
const builds: ReadonlyArray<[string, (options: Loose) => unknown]> = [
  ["resolve", (options) => CircuitBreaker.resolve(options)],
  ["make", (options) => CircuitBreaker.make("api", options)],
  ["makeShared", (options) => CircuitBreaker.makeShared("api", options)],
  ["makeUnsafe", (options) => CircuitBreaker.makeUnsafe("api", options)],
  ["Service", (options) => CircuitBreaker.Service()("api", options)]
]

describe("bad options", () => {
  for (const { field, module = "CircuitBreaker", options, rule, values } of fields) {
    it(`${field} must be ${rule}`, () => {
      for (const value of values) {
        for (const [, build] of builds) {
          assert.deepStrictEqual(
            invalid(() => build(options(value))),
            { module, field, value, rule }
          )
        }
      }
    })
  }

  const combinations: ReadonlyArray<[string, Loose, ReturnType<typeof invalid>]> = [
    [
      "more successes than probes among which they are sought could never close",
      { halfOpen: { successes: { count: 4, of: 3 } } },
      {
        module: "CircuitBreaker",
        field: "halfOpen.successes.count",
        value: 4,
        rule: "at most of (3), or the circuit could never close"
      }
    ],
    [
      "a count and a ratio of successes",
      { halfOpen: { successes: { count: 1, ratio: 0.5, of: 3 } } },
      {
        module: "CircuitBreaker",
        field: "halfOpen.successes",
        value: { count: 1, ratio: 0.5, of: 3 },
        rule: "a count or a ratio, not both"
      }
    ],
    [
      "an open time above its bound",
      { openFor: "11 seconds", maxOpenFor: "10 seconds" },
      {
        module: "CircuitBreaker",
        field: "openFor",
        value: "11 seconds",
        rule: "at most maxOpenFor (10000 ms)"
      }
    ],
    [
      "a bound below the default open time",
      { maxOpenFor: "10 seconds" },
      {
        module: "CircuitBreaker",
        field: "openFor",
        value: "30 seconds",
        rule: "at most maxOpenFor (10000 ms)"
      }
    ],
    [
      "classify beside failureIf",
      { classify: Outcome.classify, failureIf: "A" },
      { module: "Outcome", field: "failureIf", value: "A", rule: "absent where classify is given" }
    ],
    [
      "classify beside ignore",
      { classify: Outcome.classify, ignore: "A" },
      { module: "Outcome", field: "ignore", value: "A", rule: "absent where classify is given" }
    ]
  ]
  for (const [name, options, expected] of combinations) {
    it(name, () => {
      for (const [, build] of builds) {
        assert.deepStrictEqual(
          invalid(() => build(options)),
          expected
        )
      }
    })
  }

  it("an empty name", () => {
    for (const value of ["", " ", "\n\t", 1, null, undefined, {}]) {
      const name = value as string
      for (const build of [
        () => CircuitBreaker.make(name),
        () => CircuitBreaker.makeShared(name),
        () => CircuitBreaker.makeUnsafe(name),
        () => CircuitBreaker.Service()(name)
      ]) {
        assert.deepStrictEqual(invalid(build), {
          module: "CircuitBreaker",
          field: "name",
          value,
          rule: "a non-empty string"
        })
      }
    }
  })

  it("options of one call are checked when protect is applied", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    for (const options of [{ ignore: "" }, { failureIf: [] }, { classify: Outcome.classify, ignore: "A" }]) {
      for (const build of [
        () => CircuitBreaker.protect(breaker, options),
        () => CircuitBreaker.protect(Effect.void, breaker, options)
      ]) {
        assert.strictEqual(invalid(build).module, "Outcome")
      }
    }
  })

  it("the time of a hold", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    for (const value of notDurations) {
      const options = { for: value as Duration.Input }
      for (const build of [
        () => CircuitBreaker.holdOpen(breaker, options),
        () => CircuitBreaker.holdClosed(breaker, options),
        () => CircuitBreakers.holdOpen("api", options),
        () => CircuitBreakers.holdClosed("api", options)
      ]) {
        assert.deepStrictEqual(invalid(build), { module: "CircuitBreaker", field: "for", value, rule: duration })
      }
    }
  })

  it("of a protected call: orElse must be a function", () => {
    const breaker = CircuitBreaker.makeUnsafe("api")
    const options = { orElse: "no results" } as never
    const expected = { module: "CircuitBreaker", field: "orElse", value: "no results", rule: "a function" }
    assert.deepStrictEqual(
      invalid(() => CircuitBreaker.protect(breaker, options)),
      expected
    )
    assert.deepStrictEqual(
      invalid(() => CircuitBreaker.protect(Effect.void, breaker, options)),
      expected
    )
  })
})

const described = (options?: CircuitBreaker.Options) =>
  CircuitBreaker.describe(CircuitBreaker.makeUnsafe("api", options))

describe("good options", () => {
  it("are the defaults where they are not given, or undefined", () => {
    const undefinedOptions: CircuitBreaker.Options = {
      trip: undefined,
      openFor: undefined,
      maxOpenFor: undefined,
      halfOpen: { probes: undefined, successes: undefined, leaseFor: undefined, pace: undefined },
      classify: undefined,
      failureIf: undefined,
      ignore: undefined,
      retryAfter: undefined,
      dryRun: undefined,
      log: undefined,
      keys: { max: undefined, idleFor: undefined }
    }
    const expected = {
      trip: { type: "consecutive", failures: 5 },
      openFor: 30_000,
      maxOpenFor: 3_600_000,
      halfOpen: { probes: 1, successes: 1, leaseFor: 30_000, pace: 1_000 },
      dryRun: false,
      log: true,
      keys: { max: 10_000, idleFor: 3_600_000 }
    } as const
    for (const options of [undefined, {}, undefinedOptions, { halfOpen: {}, keys: {} }]) {
      assert.deepStrictEqual(described(options), { name: "api", ...expected })
    }
  })

  it("may be at their limits", () => {
    const limits: ReadonlyArray<CircuitBreaker.Options> = [
      { openFor: 1, maxOpenFor: 1 },
      { halfOpen: { probes: 1, successes: { count: 3, of: 3 } } },
      { halfOpen: { probes: 10, successes: { ratio: 1, of: 1 } } },
      { halfOpen: { leaseFor: 1, pace: 1 }, keys: { max: 1, idleFor: 1 } },
      { openFor: "2 days" },
      { openFor: Schedule.forever },
      { openFor: Backoff.constant(0) }
    ]
    for (const options of limits) CircuitBreaker.resolve(options)
  })

  it("more successes than probes at a time is no contradiction: probes go on one after the other", () => {
    assert.deepStrictEqual(CircuitBreaker.resolve({ halfOpen: { probes: 2, successes: 5 } }).halfOpen, {
      probes: 2,
      successes: 5,
      leaseFor: 30_000,
      pace: 1_000
    })
  })

  it("an open time above an hour raises the bound with it", () => {
    assert.strictEqual(CircuitBreaker.resolve({ openFor: "2 hours" }).maxOpenFor, 7_200_000)
  })
})

describe("describe", () => {
  it("returns name and options of a breaker and of its class as plain data", () => {
    const options: CircuitBreaker.Options = {
      trip: TripPolicy.failures({ count: 3, of: 10 }),
      openFor: Backoff.exponential({ initial: "1 second", max: "1 minute", jitter: "none" }),
      ignore: ["NotFound"],
      failureIf: () => true
    }
    const described = {
      name: "api",
      trip: { type: "failures", count: 3, of: 10, minimumCalls: 3 },
      openFor: { type: "exponential", initial: 1_000, max: 60_000, factor: 2, jitter: "none" },
      maxOpenFor: 3_600_000,
      halfOpen: { probes: 1, successes: 1, leaseFor: 30_000, pace: 1_000 },
      failureIf: "a function",
      ignore: ["NotFound"],
      dryRun: false,
      log: true,
      keys: { max: 10_000, idleFor: 3_600_000 }
    } as const
    assert.deepStrictEqual(CircuitBreaker.describe(CircuitBreaker.makeUnsafe("api", options)), described)
    assert.deepStrictEqual(CircuitBreaker.describe(CircuitBreaker.Service()("api", options)), described)
    assert.deepStrictEqual(JSON.parse(JSON.stringify(described)), described)
  })

  it("says what options cannot be shown", () => {
    const { classify, openFor } = CircuitBreaker.describe(
      CircuitBreaker.makeUnsafe("api", { openFor: Schedule.spaced(1), classify: Outcome.classify })
    )
    assert.deepStrictEqual([openFor, classify], ["a schedule", "a function"])
    const hinted = CircuitBreaker.makeUnsafe("api", { retryAfter: () => "5 seconds" })
    assert.deepStrictEqual(CircuitBreaker.describe(hinted).retryAfter, "a function")
    const called = CircuitBreaker.describe(CircuitBreaker.makeUnsafe("api"), { retryAfter: () => "5 seconds" })
    assert.deepStrictEqual(called.retryAfter, "a function")
  })

  it("knows only the key of a class that somebody else made", () => {
    for (const properties of [{}, { options: 1 }, { breaker: "api" }]) {
      const other = Object.assign(Context.Service<"Api", CircuitBreaker.CircuitBreaker>("Api"), properties)
      assert.deepStrictEqual(CircuitBreaker.describe(other), { name: "Api" })
    }
  })

  it("returns the options of a call with those of its breaker", () => {
    const { failureIf, ignore, key } = CircuitBreaker.describe(CircuitBreaker.makeUnsafe("api", { ignore: "A" }), {
      key: "tenant",
      failureIf: "B"
    })
    assert.deepStrictEqual([key, failureIf, ignore], ["tenant", "B", undefined])
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownExit(CircuitBreaker.Config)

  const whole = {
    trip: {
      type: "any",
      policies: [
        { type: "consecutive", failures: 3 },
        { type: "slowCalls", after: "2 seconds", ratio: 0.5, within: "1 minute", minimumCalls: 10 }
      ]
    },
    openFor: { type: "exponential", initial: "1 second", max: "1 minute", factor: 2, jitter: "full" },
    maxOpenFor: "10 minutes",
    halfOpen: { probes: 2, successes: { ratio: 0.5, of: 4 }, leaseFor: "5 seconds", pace: 250 },
    failureIf: ["Unavailable"],
    ignore: "NotFound",
    dryRun: true,
    log: false,
    keys: { max: 100, idleFor: "5 minutes" }
  }

  it("reads every option", () => {
    const decoded = decode(whole)
    assert.isTrue(Exit.isSuccess(decoded))
    if (Exit.isFailure(decoded)) return
    assert.deepStrictEqual(described(decoded.value), {
      name: "api",
      trip: {
        type: "any",
        policies: [
          { type: "consecutive", failures: 3 },
          { type: "slowCalls", after: 2_000, ratio: 0.5, within: 60_000, minimumCalls: 10 }
        ]
      },
      openFor: { type: "exponential", initial: 1_000, max: 60_000, factor: 2, jitter: "full" },
      maxOpenFor: 600_000,
      halfOpen: { probes: 2, successes: { count: 2, of: 4 }, leaseFor: 5_000, pace: 250 },
      failureIf: ["Unavailable"],
      ignore: "NotFound",
      dryRun: true,
      log: false,
      keys: { max: 100, idleFor: 300_000 }
    })
  })

  const roundTrips: ReadonlyArray<[string, Loose]> = [
    ["nothing", {}],
    ["everything", whole],
    ["an open time in milliseconds", { openFor: 1_500 }],
    ["an open time as text", { openFor: "90 seconds" }],
    ["successes as a number", { halfOpen: { successes: 3 } }],
    ["successes as a count", { halfOpen: { successes: { count: 2, of: 3 } } }]
  ]
  for (const [name, json] of roundTrips) {
    it(`round trip: ${name}`, () => {
      const config = Schema.decodeUnknownSync(CircuitBreaker.Config)(json)
      const written: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(CircuitBreaker.Config)(config)))
      const again = Schema.decodeUnknownSync(CircuitBreaker.Config)(written)
      assert.deepStrictEqual(described(again), described(config), JSON.stringify(written))
    })
  }

  it("with no option is the defaults of the constructor", () => {
    const config = Schema.decodeUnknownSync(CircuitBreaker.Config)({})
    assert.deepStrictEqual(described(config), described())
  })

  it("the defaults are options as well", () => {
    assert.deepStrictEqual(
      described(Schema.decodeUnknownSync(CircuitBreaker.Config)(CircuitBreaker.defaults)),
      described()
    )
  })

  const text = "Expected a valid Duration string"
  const bad: ReadonlyArray<[json: unknown, ...issues: ReadonlyArray<string>]> = [
    [1, "Expected object"],
    [
      { nonsense: 1 },
      `unknown key, expected one of trip, openFor, maxOpenFor, halfOpen, failureIf, ignore, dryRun, log, keys\n  at ["nonsense"]`
    ],
    [{ openFor: "soon" }, `${text}\n  at ["openFor"]`],
    [{ openFor: 0 }, `CircuitBreaker: openFor must be ${duration}, got 0 millis\n  at ["openFor"]`],
    [{ openFor: -1 }, `CircuitBreaker: openFor must be ${duration}, got -1 millis\n  at ["openFor"]`],
    [{ openFor: "Infinity" }, `CircuitBreaker: openFor must be ${duration}, got Infinity\n  at ["openFor"]`],
    [
      { openFor: { type: "exponential", factor: 0 } },
      `Backoff: factor must be a finite number >= 1, got 0\n  at ["openFor"]["factor"]`
    ],
    [{ openFor: { type: "linear", max: "x" } }, `Backoff: max must be ${duration}, got "x"\n  at ["openFor"]["max"]`],
    [
      { openFor: { type: "constant", delay: 1, nope: 1 } },
      `Backoff: nope must be absent (the keys are delay, jitter), got 1\n  at ["openFor"]["nope"]`
    ],
    [
      { openFor: { initial: 1 } },
      `Backoff: type must be one of exponential, linear, fibonacci, constant, got undefined\n  at ["openFor"]["type"]`
    ],
    [
      { openFor: "2 hours", maxOpenFor: "1 hour" },
      `CircuitBreaker: openFor must be at most maxOpenFor (3600000 ms), got 7200000 millis\n  at ["openFor"]`
    ],
    [{ maxOpenFor: "x" }, `${text}\n  at ["maxOpenFor"]`],
    [{ halfOpen: null }, `Expected object\n  at ["halfOpen"]`],
    [
      { halfOpen: { nope: 1 } },
      `unknown key, expected one of probes, successes, leaseFor, pace\n  at ["halfOpen"]["nope"]`
    ],
    [
      { halfOpen: { probes: 0 } },
      `CircuitBreaker: halfOpen.probes must be ${count}, got 0\n  at ["halfOpen"]["probes"]`
    ],
    [{ halfOpen: { probes: "1" } }, `Expected number\n  at ["halfOpen"]["probes"]`],
    [
      { halfOpen: { successes: 1.5 } },
      `CircuitBreaker: halfOpen.successes must be ${count}, got 1.5\n  at ["halfOpen"]["successes"]`
    ],
    [
      { halfOpen: { successes: { count: 4, of: 3 } } },
      `CircuitBreaker: halfOpen.successes.count must be at most of (3), or the circuit could never close, got 4\n  at ["halfOpen"]["successes"]["count"]`
    ],
    [
      { halfOpen: { successes: { ratio: 2, of: 3 } } },
      `CircuitBreaker: halfOpen.successes.ratio must be ${ratio}, got 2\n  at ["halfOpen"]["successes"]["ratio"]`
    ],
    [
      { halfOpen: { successes: { count: 1, of: 0 } } },
      `CircuitBreaker: halfOpen.successes.of must be ${count}, got 0\n  at ["halfOpen"]["successes"]["of"]`
    ],
    [
      { halfOpen: { successes: { of: 3 } } },
      `CircuitBreaker: halfOpen.successes must be a count or a ratio, not both, got {"of":3}\n  at ["halfOpen"]["successes"]`
    ],
    [{ halfOpen: { successes: { count: 1 } } }, `Missing key\n  at ["halfOpen"]["successes"]["of"]`],
    [
      { halfOpen: { successes: { count: 1, off: 3 } } },
      `unknown key, expected one of count, ratio, of\n  at ["halfOpen"]["successes"]["off"]`
    ],
    [
      { halfOpen: { leaseFor: 0 } },
      `CircuitBreaker: halfOpen.leaseFor must be ${duration}, got 0 millis\n  at ["halfOpen"]["leaseFor"]`
    ],
    [{ halfOpen: { pace: "x" } }, `${text}\n  at ["halfOpen"]["pace"]`],
    [
      { trip: { type: "consecutive", failures: 0 } },
      `TripPolicy: failures must be ${count}, got 0\n  at ["trip"]["failures"]`
    ],
    [
      { trip: { type: "nope" } },
      `TripPolicy: type must be one of consecutive, failures, rate, slowCalls, any, got "nope"\n  at ["trip"]["type"]`
    ],
    [{ failureIf: [] }, `Outcome: failureIf must be ${tags}, got []\n  at ["failureIf"]`],
    [{ ignore: "" }, `Outcome: ignore must be ${name}, got ""\n  at ["ignore"]`],
    [{ ignore: 1 }, `Expected string | array\n  at ["ignore"]`],
    [{ dryRun: "yes" }, `Expected boolean\n  at ["dryRun"]`],
    [{ log: 1 }, `Expected boolean\n  at ["log"]`],
    [{ keys: { max: 0 } }, `CircuitBreaker: keys.max must be ${count}, got 0\n  at ["keys"]["max"]`],
    [
      { keys: { idleFor: "0 seconds" } },
      `CircuitBreaker: keys.idleFor must be ${duration}, got 0 millis\n  at ["keys"]["idleFor"]`
    ],
    [{ keys: { nope: 1 } }, `unknown key, expected one of max, idleFor\n  at ["keys"]["nope"]`]
  ]
  for (const [json, ...issues] of bad) {
    it(`${JSON.stringify(json)} is an error with its path`, () => {
      const exit = decode(json)
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isSuccess(exit)) return
      const error = Cause.squash(exit.cause) as Schema.SchemaError
      assert.strictEqual(error._tag, "SchemaError")
      assert.strictEqual(error.message, issues.join("\n"))
    })
  }
})
