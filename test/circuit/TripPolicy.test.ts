import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Equal, Schema } from "effect"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import * as Window from "../../src/circuit/internal/Window.ts"
import { invalid, issues } from "../suites/rules.ts"

type Tag = "Success" | "Failure" | "Ignored"
type Call = readonly [outcome: Tag, now?: number, elapsed?: number]

const letters = { s: "Success", f: "Failure", i: "Ignored" } as const

/** Outcomes from letters: s, f and i. */
const outcomes = (text: string): ReadonlyArray<Call> =>
  [...text].map((letter) => [letters[letter as keyof typeof letters]] as const)

const record = (policy: TripPolicy.TripPolicy, calls: ReadonlyArray<Call>) => {
  const window = TripPolicy.window(policy)
  return calls.map(([outcome, now = 0, elapsed = 0]) => TripPolicy.record(policy, window, outcome, elapsed, now))
}

/** Returns why each call made the policy trip. */
const run = (policy: TripPolicy.TripPolicy, calls: ReadonlyArray<Call>) =>
  record(policy, calls).map((trip) => trip?.reason)

/** Asserts what the data of a policy is. */
const isData = (policy: TripPolicy.TripPolicy, data: object) => {
  assert.deepStrictEqual<object>(policy, data)
  assert.strictEqual(JSON.stringify(policy), JSON.stringify(data))
}

/** Returns which call tripped first, counted from 1, or 0 where none did. */
const trippedAt = (policy: TripPolicy.TripPolicy, calls: ReadonlyArray<Call>) =>
  run(policy, calls).findIndex((reason) => reason !== undefined) + 1

describe("constructors", () => {
  it("fill in the defaults", () => {
    isData(TripPolicy.consecutive(), { _tag: "Consecutive", failures: 5 })
    isData(TripPolicy.consecutive(undefined), { _tag: "Consecutive", failures: 5 })
    isData(TripPolicy.failures({ count: 3, of: 10 }), {
      _tag: "Failures",
      count: 3,
      of: 10,
      minimumCalls: 3
    })
    const overTime = { ratio: 0.5, withinMillis: 60_000, minimumCalls: 10 }
    isData(TripPolicy.rate(), { _tag: "Rate", ...overTime })
    isData(TripPolicy.rate({}), { _tag: "Rate", ...overTime })
    isData(TripPolicy.rate({ ratio: undefined, within: undefined, minimumCalls: undefined }), {
      _tag: "Rate",
      ...overTime
    })
    isData(TripPolicy.slowCalls({ after: "2 seconds" }), {
      _tag: "SlowCalls",
      afterMillis: 2000,
      ...overTime
    })
    assert.deepStrictEqual(TripPolicy.defaults, { failures: 5, ratio: 0.5, within: "1 minute", minimumCalls: 10 })
  })

  it("keep what is given", () => {
    isData(TripPolicy.consecutive(1), { _tag: "Consecutive", failures: 1 })
    isData(TripPolicy.failures({ count: 3, of: 10, minimumCalls: 10 }), {
      _tag: "Failures",
      count: 3,
      of: 10,
      minimumCalls: 10
    })
    isData(TripPolicy.rate({ ratio: 1, within: Duration.seconds(3), minimumCalls: 1 }), {
      _tag: "Rate",
      ratio: 1,
      withinMillis: 3000,
      minimumCalls: 1
    })
    isData(TripPolicy.slowCalls({ after: 1, ratio: 0.8, within: 500, minimumCalls: 20 }), {
      _tag: "SlowCalls",
      afterMillis: 1,
      ratio: 0.8,
      withinMillis: 500,
      minimumCalls: 20
    })
  })

  it("take limits that are equal", () => {
    assert.strictEqual(TripPolicy.failures({ count: 1, of: 1 }).minimumCalls, 1)
    assert.strictEqual(TripPolicy.failures({ count: 5, of: 5, minimumCalls: 5 }).count, 5)
    assert.strictEqual(TripPolicy.failures({ count: 5, of: 9, minimumCalls: 1 }).minimumCalls, 1)
    assert.strictEqual(TripPolicy.failures({ count: 1, of: 1_000_000 }).of, 1_000_000)
  })

  it("equal data is an equal policy", () => {
    const one = TripPolicy.failures({ count: 3, of: 10 })
    assert.isTrue(Equal.equals(one, TripPolicy.failures({ count: 3, of: 10 })))
    assert.isFalse(Equal.equals(one, TripPolicy.failures({ count: 4, of: 10 })))
    assert.isTrue(Equal.equals(TripPolicy.any(one), TripPolicy.any(TripPolicy.failures({ count: 3, of: 10 }))))
  })

  it("any: lists its policies in order, those of another any among them", () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((n) => TripPolicy.consecutive(n)) as [
      TripPolicy.Consecutive,
      TripPolicy.Consecutive,
      TripPolicy.Consecutive,
      TripPolicy.Consecutive
    ]
    isData(TripPolicy.any(a, TripPolicy.any(b, TripPolicy.any(c)), d), {
      _tag: "Any",
      policies: [a, b, c, d]
    })
  })
})

describe("bad options", () => {
  const counts = [0, -1, 1.5, Number.NaN, Infinity, "3", null]
  const ratios = [0, -0.5, 1.01, 50, Number.NaN, Infinity, "0.5", null]
  const durations = [0, -1, Number.NaN, Infinity, "0 seconds", "-1 second", "soon", "Infinity", null, {}]
  const overTime = [
    ...ratios.map((ratio) => [{ ratio }, "ratio", ratio, "a ratio in (0, 1]"] as const),
    ...durations.map((within) => [{ within }, "within", within, "a finite duration > 0"] as const),
    ...counts.map((minimumCalls) => [{ minimumCalls }, "minimumCalls", minimumCalls, "an integer >= 1"] as const)
  ]
  const table: ReadonlyArray<
    readonly [
      name: "consecutive" | "failures" | "rate" | "slowCalls" | "any",
      options: unknown,
      field: string,
      value: unknown,
      rule: string
    ]
  > = [
    ...counts.map((failures) => ["consecutive", failures, "failures", failures, "an integer >= 1"] as const),
    ...counts.map(
      (count) => ["failures", { count, of: 10, minimumCalls: 3 }, "count", count, "an integer >= 1"] as const
    ),
    ...counts.map((of) => ["failures", { count: 3, of }, "of", of, "an integer >= 1"] as const),
    ...counts.map(
      (minimumCalls) =>
        ["failures", { count: 3, of: 10, minimumCalls }, "minimumCalls", minimumCalls, "an integer >= 1"] as const
    ),
    ["failures", { count: 3 }, "of", undefined, "an integer >= 1"],
    ["failures", { of: 3 }, "count", undefined, "an integer >= 1"],
    ["failures", { count: 11, of: 10 }, "count", 11, "at most of (10)"],
    ["failures", { count: 3, of: 10, minimumCalls: 11 }, "minimumCalls", 11, "at most of (10)"],
    ["failures", { count: 3, of: 1_000_001 }, "of", 1_000_001, "at most 1000000"],
    ["failures", { count: 3, of: Number.MAX_SAFE_INTEGER }, "of", Number.MAX_SAFE_INTEGER, "at most 1000000"],
    ...overTime.map((row) => ["rate", ...row] as const),
    ...overTime.map(([options, ...rest]) => ["slowCalls", { after: "1 second", ...options }, ...rest] as const),
    ...[...durations, undefined].map(
      (after) => ["slowCalls", { after }, "after", after, "a finite duration > 0"] as const
    ),
    ["any", 5, "policies.0", 5, "a policy that TripPolicy made"],
    ["any", null, "policies.0", null, "a policy that TripPolicy made"],
    ["any", { _tag: "Other" }, "policies.0", { _tag: "Other" }, "a policy that TripPolicy made"],
    [
      "any",
      { _tag: "Consecutive", failures: 3 },
      "policies.0",
      { _tag: "Consecutive", failures: 3 },
      "a policy that TripPolicy made"
    ]
  ]
  for (const [name, options, field, value, rule] of table) {
    it(`${name}: ${typeof options === "object" ? JSON.stringify(options) : String(options)}`, () => {
      assert.deepStrictEqual(
        invalid(() => (TripPolicy[name] as (options: unknown) => unknown)(options)),
        { module: "TripPolicy", field, value, rule }
      )
    })
  }

  it("any: no policy", () => {
    assert.deepStrictEqual(
      invalid(() => TripPolicy.any()),
      { module: "TripPolicy", field: "policies", value: [], rule: "a list of at least one policy" }
    )
  })

  it("any: the place of a bad policy is counted among those that it is made of", () => {
    const bad = { _tag: "Rate" }
    // What no function made has to be passed by force.
    const any = { _tag: "Any", policies: [TripPolicy.consecutive(), bad] } as never
    assert.deepStrictEqual(
      invalid(() => TripPolicy.any(TripPolicy.rate(), any)),
      { module: "TripPolicy", field: "policies.2", value: bad, rule: "a policy that TripPolicy made" }
    )
  })
})

// A function, so that a constructor that fails is a test that fails.
const policies = (): ReadonlyArray<TripPolicy.TripPolicy> => [
  TripPolicy.consecutive(3),
  TripPolicy.failures({ count: 3, of: 10, minimumCalls: 5 }),
  TripPolicy.rate({ ratio: 0.3, within: "10 seconds", minimumCalls: 7 }),
  TripPolicy.slowCalls({ after: "2 seconds", ratio: 0.8, within: "1 minute", minimumCalls: 20 }),
  TripPolicy.any(TripPolicy.consecutive(3)),
  TripPolicy.any(TripPolicy.failures({ count: 1, of: 2 }), TripPolicy.slowCalls({ after: 10 }), TripPolicy.rate())
]

describe("check, isTripPolicy", () => {
  it("return what a constructor made", () => {
    for (const policy of policies()) {
      assert.strictEqual(TripPolicy.check(policy), policy)
      assert.isTrue(TripPolicy.isTripPolicy(policy))
    }
  })

  it("know a policy of another copy of the package by its key", () => {
    assert.isTrue(TripPolicy.isTripPolicy({ ["~effect-resilience/TripPolicy"]: {} }))
  })

  const others = [
    null,
    undefined,
    5,
    "consecutive",
    {},
    [],
    { _tag: "Other" },
    // Copies of data, which do nothing.
    { ...TripPolicy.consecutive(3) },
    JSON.parse(JSON.stringify(TripPolicy.rate())) as unknown,
    structuredClone(TripPolicy.any(TripPolicy.consecutive())) as unknown
  ]
  for (const value of others) {
    it(`refuse ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(
        invalid(() => TripPolicy.check(value as never)),
        { module: "TripPolicy", field: "trip", value, rule: "a policy that TripPolicy made" }
      )
      assert.isFalse(TripPolicy.isTripPolicy(value))
    })
  }
})

describe("slowAfterMillis, isTimed, window", () => {
  const slow = (after: number) => TripPolicy.slowCalls({ after })
  const table: ReadonlyArray<
    readonly [name: string, policy: () => TripPolicy.TripPolicy, slowAfter: number, timed: boolean]
  > = [
    ["consecutive", () => TripPolicy.consecutive(), Infinity, false],
    ["failures", () => TripPolicy.failures({ count: 1, of: 2 }), Infinity, false],
    ["rate", () => TripPolicy.rate(), Infinity, true],
    ["slowCalls", () => slow(20), 20, true],
    [
      "any of counts",
      () => TripPolicy.any(TripPolicy.consecutive(), TripPolicy.failures({ count: 1, of: 2 })),
      Infinity,
      false
    ],
    ["any with a rate", () => TripPolicy.any(TripPolicy.consecutive(), TripPolicy.rate()), Infinity, true],
    ["any: the least", () => TripPolicy.any(slow(20), TripPolicy.consecutive(), slow(10), slow(30)), 10, true]
  ]
  for (const [name, policy, slowAfter, timed] of table) {
    it(name, () => {
      assert.strictEqual(TripPolicy.slowAfterMillis(policy()), slowAfter)
      assert.strictEqual(TripPolicy.isTimed(policy()), timed)
    })
  }

  it("each policy has its window", () => {
    assert.instanceOf(TripPolicy.window(TripPolicy.consecutive()), Window.Streak)
    const last = TripPolicy.window(TripPolicy.failures({ count: 3, of: 17 }))
    assert.isTrue(last instanceof Window.LastCalls && last.size === 17)
    assert.instanceOf(TripPolicy.window(TripPolicy.rate()), Window.LastTime)
    assert.instanceOf(TripPolicy.window(slow(5)), Window.LastTime)
    const several = TripPolicy.window(TripPolicy.any(TripPolicy.consecutive(), TripPolicy.rate()))
    assert.isTrue(Array.isArray(several) && several.length === 2)
  })

  it("a window is new each time", () => {
    const policy = TripPolicy.consecutive(1)
    assert.notStrictEqual(TripPolicy.window(policy), TripPolicy.window(policy))
  })
})

describe("consecutive", () => {
  const table: ReadonlyArray<readonly [failures: number, calls: string, at: number]> = [
    [1, "f", 1],
    [1, "ssf", 3],
    [1, "sisis", 0],
    [2, "f", 0],
    [2, "ff", 2],
    [2, "fsf", 0],
    [2, "fsff", 4],
    [3, "ff", 0],
    [3, "fff", 3],
    [3, "ffsff", 0],
    [3, "ffsfff", 6],
    [3, "fifif", 5],
    [3, "ffi", 0],
    [3, "iii", 0]
  ]
  for (const [failures, calls, at] of table) {
    it(`${failures}: ${calls} trips at ${at}`, () => {
      assert.strictEqual(trippedAt(TripPolicy.consecutive(failures), outcomes(calls)), at)
    })
  }

  it("says how many", () => {
    assert.deepStrictEqual(run(TripPolicy.consecutive(2), outcomes("fff")), [
      undefined,
      "2 consecutive failures",
      "3 consecutive failures"
    ])
    assert.deepStrictEqual(run(TripPolicy.consecutive(1), outcomes("f")), ["1 consecutive failure"])
  })
})

describe("failures", () => {
  const table: ReadonlyArray<
    readonly [count: number, of: number, minimumCalls: number | undefined, calls: string, at: number]
  > = [
    // 3 of 10 trips at the third failure, whatever the ratio is then.
    [3, 10, undefined, "ff", 0],
    [3, 10, undefined, "fff", 3],
    [3, 10, undefined, "fsfsf", 5],
    [3, 10, undefined, "fsssssfsss", 0],
    [3, 10, undefined, "fsssssfssf", 10],
    // The first failure leaves the window with the eleventh call.
    [3, 10, undefined, "fsssssfsssf", 0],
    [3, 10, undefined, "fsssssfsssff", 12],
    // 5 of 10 is not 1 of 2.
    [5, 10, undefined, "fsfsfsf", 0],
    [5, 10, undefined, "fsfsfsfsf", 9],
    // Ignored calls take no place in the window.
    [2, 3, undefined, "fiiiiif", 7],
    [2, 3, undefined, "fsif", 4],
    [2, 3, undefined, "fssif", 0],
    // At least so many calls.
    [1, 4, 3, "ff", 0],
    [1, 4, 3, "fff", 3],
    [1, 4, 3, "fsf", 3],
    [1, 4, 3, "ffi", 0],
    // With a full window only.
    [2, 4, 4, "fff", 0],
    [2, 4, 4, "ffff", 4],
    [2, 4, 4, "ffss", 4],
    [2, 4, 4, "fsss", 0],
    [1, 1, undefined, "sf", 2],
    [1, 1, undefined, "ss", 0]
  ]
  for (const [count, of, minimumCalls, calls, at] of table) {
    it(`${count} of ${of}${minimumCalls === undefined ? "" : `, at least ${minimumCalls} calls`}: ${calls} trips at ${at}`, () => {
      assert.strictEqual(trippedAt(TripPolicy.failures({ count, of, minimumCalls }), outcomes(calls)), at)
    })
  }

  it("says how many of how many", () => {
    assert.deepStrictEqual(run(TripPolicy.failures({ count: 2, of: 3 }), outcomes("sffs")), [
      undefined,
      undefined,
      "2 failures in the last 3 calls",
      "2 failures in the last 3 calls"
    ])
    assert.deepStrictEqual(
      run(TripPolicy.failures({ count: 2, of: 3 }), outcomes("ff")).at(-1),
      "2 failures in the last 2 calls"
    )
    assert.deepStrictEqual(run(TripPolicy.failures({ count: 1, of: 3 }), outcomes("f")), [
      "1 failure in the last 1 call"
    ])
  })
})

describe("rate", () => {
  const policy = (ratio: number, minimumCalls: number) => TripPolicy.rate({ ratio, within: 1000, minimumCalls })

  const counts: ReadonlyArray<readonly [ratio: number, minimumCalls: number, calls: string, at: number]> = [
    [0.5, 4, "fff", 0],
    [0.5, 4, "ffff", 4],
    [0.5, 4, "ssff", 4],
    [0.5, 4, "sssf", 0],
    // One failure of four, two of five, three of six.
    [0.5, 4, "sssfff", 6],
    [0.5, 4, "sssff", 0],
    // A success is the call that makes up the minimum.
    [0.5, 4, "fffs", 4],
    [1, 2, "ff", 2],
    [1, 2, "fsf", 0],
    [0.3, 10, "fffsssssss", 10],
    [0.3, 10, "ffssssssss", 0],
    [0.001, 1, "sss", 0],
    [0.001, 1, "sssf", 4],
    [0.5, 2, "fi", 0],
    [0.5, 2, "fif", 3],
    [0.5, 1, "iii", 0]
  ]
  for (const [ratio, minimumCalls, calls, at] of counts) {
    it(`${ratio} of at least ${minimumCalls}: ${calls} trips at ${at}`, () => {
      assert.strictEqual(trippedAt(policy(ratio, minimumCalls), outcomes(calls)), at)
    })
  }

  it("reaches every ratio of two whole numbers exactly", () => {
    for (let calls = 1; calls <= 100; calls++) {
      for (let failed = 1; failed <= calls; failed++) {
        const all = outcomes("s".repeat(calls - failed) + "f".repeat(failed))
        if (trippedAt(policy(failed / calls, calls), all) !== calls) assert.fail(`${failed} of ${calls}`)
      }
    }
  })

  const times: ReadonlyArray<readonly [first: number, second: number, at: number]> = [
    [0, 999, 2],
    [0, 1000, 0],
    [0, 1001, 0],
    [99, 999, 2],
    [100, 1099, 2],
    [100, 1100, 0]
  ]
  for (const [first, second, at] of times) {
    it(`failures at ${first} and ${second} within 1000 ms trip at ${at}`, () => {
      assert.strictEqual(
        trippedAt(policy(1, 2), [
          ["Failure", first],
          ["Failure", second]
        ]),
        at
      )
    })
  }

  it("does not look at how long a call takes", () => {
    assert.strictEqual(trippedAt(policy(0.5, 1), [["Success", 0, 1e9]]), 0)
  })

  it("counts no ignored call, however long it takes", () => {
    assert.strictEqual(trippedAt(policy(0.5, 2), [["Failure"], ["Ignored", 0, 1e9], ["Ignored", 0, 0]]), 0)
  })

  it("says how many of how many", () => {
    assert.deepStrictEqual(run(policy(0.5, 2), outcomes("sf")), [undefined, "1 of 2 calls in 1000 ms failed"])
  })
})

describe("slowCalls", () => {
  const policy = (ratio: number, minimumCalls: number) =>
    TripPolicy.slowCalls({ after: 100, ratio, within: 1000, minimumCalls })

  const table: ReadonlyArray<readonly [outcome: Tag, elapsed: number, at: number]> = [
    ["Success", 99, 0],
    ["Success", 100, 1],
    ["Success", 101, 1],
    ["Failure", 99, 0],
    ["Failure", 100, 1],
    ["Failure", 101, 1],
    // An outer timeout must not hide a hang.
    ["Ignored", 99, 0],
    ["Ignored", 100, 1],
    ["Ignored", 101, 1],
    ["Success", -5, 0]
  ]
  for (const [outcome, elapsed, at] of table) {
    it(`a ${outcome} after ${elapsed} ms is ${at === 1 ? "" : "not "}slow`, () => {
      assert.strictEqual(trippedAt(policy(1, 1), [[outcome, 0, elapsed]]), at)
    })
  }

  it("counts calls that were not slow, failed ones too, and no ignored one", () => {
    const slow = ["Success", 0, 100] as const
    assert.strictEqual(trippedAt(policy(0.5, 3), [slow, ["Success"], ["Success"], slow]), 4)
    assert.strictEqual(trippedAt(policy(0.5, 3), [slow, ["Failure"], ["Failure"], slow]), 4)
    assert.strictEqual(trippedAt(policy(0.5, 3), [slow, ["Ignored"], ["Ignored"], slow]), 0)
    assert.strictEqual(trippedAt(policy(0.5, 3), [slow, ["Ignored"], ["Ignored"], slow, slow]), 5)
  })

  it("looks at the time that the window covers", () => {
    const slow = (now: number) => ["Success", now, 100] as const
    assert.strictEqual(trippedAt(policy(1, 2), [slow(0), slow(999)]), 2)
    assert.strictEqual(trippedAt(policy(1, 2), [slow(0), slow(1000)]), 0)
  })

  it("says how many of how many", () => {
    assert.deepStrictEqual(run(policy(0.5, 2), [["Success"], ["Ignored", 0, 100]]), [
      undefined,
      "1 of 2 calls in 1000 ms slow"
    ])
  })
})

describe("any", () => {
  const make = () =>
    TripPolicy.any(
      TripPolicy.failures({ count: 2, of: 3 }),
      TripPolicy.consecutive(2),
      TripPolicy.slowCalls({ after: 100, ratio: 1, within: 1000, minimumCalls: 1 })
    )

  it("trips with the first of its policies that does, and gives its reason", () => {
    assert.deepStrictEqual(run(make(), outcomes("sfsf")), [
      undefined,
      undefined,
      undefined,
      "2 failures in the last 3 calls"
    ])
    assert.strictEqual(run(make(), outcomes("ff")).at(-1), "2 failures in the last 2 calls")
    const reversed = TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 2, of: 3 }))
    assert.strictEqual(run(reversed, outcomes("ff")).at(-1), "2 consecutive failures")
    assert.strictEqual(run(make(), [["Success", 0, 100]]).at(-1), "1 of 1 calls in 1000 ms slow")
  })

  it("counts every call in every window, also after one of them tripped", () => {
    const policy = make()
    const window = TripPolicy.window(policy)
    for (const outcome of ["Failure", "Failure", "Failure"] as const) TripPolicy.record(policy, window, outcome, 0, 0)
    assert.deepStrictEqual(TripPolicy.read(policy, window, 0), [
      { policy: "Failures", hits: 3, calls: 3 },
      { policy: "Consecutive", hits: 3, calls: 3 },
      { policy: "SlowCalls", hits: 0, calls: 3 }
    ])
  })

  it("trips where none of its policies would alone at another time", () => {
    const rare = TripPolicy.any(TripPolicy.consecutive(3), TripPolicy.failures({ count: 4, of: 10 }))
    assert.strictEqual(trippedAt(rare, outcomes("ffsffs")), 5)
    assert.strictEqual(trippedAt(rare, outcomes("fsfsfsff")), 7)
  })
})

describe("a trip", () => {
  it("says how many failures, or slow calls, the window had", () => {
    const failures = (policy: TripPolicy.TripPolicy, calls: ReadonlyArray<Call>) =>
      record(policy, calls).map((trip) => trip?.failures)
    assert.deepStrictEqual(failures(TripPolicy.consecutive(2), outcomes("sff")), [undefined, undefined, 2])
    assert.deepStrictEqual(failures(TripPolicy.failures({ count: 2, of: 9 }), outcomes("fsf")), [
      undefined,
      undefined,
      2
    ])
    assert.deepStrictEqual(failures(TripPolicy.rate({ minimumCalls: 3 }), outcomes("fsf")), [undefined, undefined, 2])
    assert.deepStrictEqual(
      failures(TripPolicy.slowCalls({ after: 10, minimumCalls: 2 }), [["Failure"], ["Success", 0, 10]]),
      [undefined, 1]
    )
    assert.deepStrictEqual(
      failures(TripPolicy.any(TripPolicy.consecutive(9), TripPolicy.failures({ count: 1, of: 9 })), outcomes("f")),
      [1]
    )
  })
})

describe("read", () => {
  it("says what the windows have counted, and changes no count", () => {
    const table: ReadonlyArray<readonly [policy: TripPolicy.TripPolicy, hits: number, calls: number]> = [
      [TripPolicy.consecutive(9), 2, 2],
      [TripPolicy.failures({ count: 4, of: 4 }), 3, 4],
      [TripPolicy.rate({ within: 1000 }), 3, 5],
      [TripPolicy.slowCalls({ after: 100, within: 1000 }), 1, 5]
    ]
    for (const [policy, hits, calls] of table) {
      const window = TripPolicy.window(policy)
      for (const [outcome, now, elapsed] of [
        ["Success", 0, 100],
        ["Failure", 0, 0],
        ["Success", 0, 0],
        ["Failure", 50, 0],
        ["Failure", 99, 0]
      ] as const) {
        TripPolicy.record(policy, window, outcome, elapsed, now)
      }
      for (const now of [99, 500, 999]) {
        assert.deepStrictEqual(TripPolicy.read(policy, window, now), [{ policy: policy._tag, hits, calls }])
      }
    }
  })

  it("leaves out what is older than the window", () => {
    const policy = TripPolicy.any(TripPolicy.rate({ within: 1000 }), TripPolicy.consecutive())
    const window = TripPolicy.window(policy)
    TripPolicy.record(policy, window, "Failure", 0, 0)
    assert.deepStrictEqual(TripPolicy.read(policy, window, 1000), [
      { policy: "Rate", hits: 0, calls: 0 },
      { policy: "Consecutive", hits: 1, calls: 1 }
    ])
  })
})

describe("JSON", () => {
  const table: ReadonlyArray<readonly [json: TripPolicy.TripPolicy | object, policy: () => TripPolicy.TripPolicy]> = [
    [{ type: "consecutive" }, () => TripPolicy.consecutive()],
    [{ type: "consecutive", failures: 3 }, () => TripPolicy.consecutive(3)],
    [{ type: "failures", count: 3, of: 10 }, () => TripPolicy.failures({ count: 3, of: 10 })],
    [
      { type: "failures", count: 3, of: 10, minimumCalls: 10 },
      () => TripPolicy.failures({ count: 3, of: 10, minimumCalls: 10 })
    ],
    [{ type: "rate" }, () => TripPolicy.rate()],
    [
      { type: "rate", ratio: 0.2, within: "10 seconds", minimumCalls: 5 },
      () => TripPolicy.rate({ ratio: 0.2, within: "10 seconds", minimumCalls: 5 })
    ],
    [{ type: "rate", within: 10_000 }, () => TripPolicy.rate({ within: "10 seconds" })],
    [{ type: "slowCalls", after: "2 seconds" }, () => TripPolicy.slowCalls({ after: "2 seconds" })],
    [
      { type: "slowCalls", after: 10, ratio: 1, within: 50, minimumCalls: 1 },
      () => TripPolicy.slowCalls({ after: 10, ratio: 1, within: 50, minimumCalls: 1 })
    ],
    [
      { type: "any", policies: [{ type: "consecutive" }, { type: "any", policies: [{ type: "rate" }] }] },
      () => TripPolicy.any(TripPolicy.consecutive(), TripPolicy.rate())
    ]
  ]
  for (const [json, policy] of table) {
    it(`reads ${JSON.stringify(json)}`, () => {
      assert.deepStrictEqual(Schema.decodeUnknownSync(TripPolicy.Config)(json), policy())
    })
  }

  it("reads what it writes", () => {
    for (const policy of policies()) {
      const json = Schema.encodeSync(TripPolicy.Config)(policy)
      assert.deepStrictEqual(json, TripPolicy.describe(policy))
      const text: unknown = JSON.parse(JSON.stringify(json))
      assert.deepStrictEqual(text, json)
      assert.deepStrictEqual(Schema.decodeUnknownSync(TripPolicy.Config)(text), policy)
    }
  })

  it("writes the options of the constructors, durations as milliseconds", () => {
    assert.deepStrictEqual(policies().map(TripPolicy.describe), [
      { type: "consecutive", failures: 3 },
      { type: "failures", count: 3, of: 10, minimumCalls: 5 },
      { type: "rate", ratio: 0.3, within: 10_000, minimumCalls: 7 },
      { type: "slowCalls", after: 2000, ratio: 0.8, within: 60_000, minimumCalls: 20 },
      { type: "any", policies: [{ type: "consecutive", failures: 3 }] },
      {
        type: "any",
        policies: [
          { type: "failures", count: 1, of: 2, minimumCalls: 1 },
          { type: "slowCalls", after: 10, ratio: 0.5, within: 60_000, minimumCalls: 10 },
          { type: "rate", ratio: 0.5, within: 60_000, minimumCalls: 10 }
        ]
      }
    ])
  })

  const types = "one of consecutive, failures, rate, slowCalls, any"
  const bad: ReadonlyArray<readonly [json: unknown, field: string, value: unknown, rule: string]> = [
    [{}, "type", undefined, types],
    [{ type: "Consecutive" }, "type", "Consecutive", types],
    [{ type: null, failures: 3 }, "type", null, types],
    [{ type: "consecutive", failures: 0 }, "failures", 0, "an integer >= 1"],
    [{ type: "consecutive", failures: "3" }, "failures", "3", "an integer >= 1"],
    [{ type: "consecutive", failures: null }, "failures", null, "an integer >= 1"],
    [{ type: "consecutive", count: 3 }, "count", 3, "absent (the keys are failures)"],
    [{ type: "failures", count: 3 }, "of", undefined, "an integer >= 1"],
    [{ type: "failures", of: 3 }, "count", undefined, "an integer >= 1"],
    [{ type: "failures", count: 3, of: 2 }, "count", 3, "at most of (2)"],
    [{ type: "failures", count: 1, of: 2, minimumCalls: null }, "minimumCalls", null, "an integer >= 1"],
    [{ type: "failures", count: 1, of: 2, ratio: 0.5 }, "ratio", 0.5, "absent (the keys are count, of, minimumCalls)"],
    [{ type: "rate", ratio: 1.5 }, "ratio", 1.5, "a ratio in (0, 1]"],
    [{ type: "rate", ratio: null }, "ratio", null, "a ratio in (0, 1]"],
    [{ type: "rate", within: "soon" }, "within", "soon", "a finite duration > 0"],
    [{ type: "rate", within: null }, "within", null, "a finite duration > 0"],
    [{ type: "rate", minimumCalls: 0.5 }, "minimumCalls", 0.5, "an integer >= 1"],
    [{ type: "rate", after: 5 }, "after", 5, "absent (the keys are ratio, within, minimumCalls)"],
    [{ type: "slowCalls" }, "after", undefined, "a finite duration > 0"],
    [{ type: "slowCalls", after: 0 }, "after", 0, "a finite duration > 0"],
    [{ type: "slowCalls", after: 5, ratio: 0 }, "ratio", 0, "a ratio in (0, 1]"],
    [
      { type: "slowCalls", after: 5, failures: 1 },
      "failures",
      1,
      "absent (the keys are after, ratio, within, minimumCalls)"
    ],
    [{ type: "any" }, "policies", undefined, "a list of policies"],
    [{ type: "any", policies: { type: "rate" } }, "policies", { type: "rate" }, "a list of policies"],
    [{ type: "any", policies: [] }, "policies", [], "a list of at least one policy"],
    [{ type: "any", policies: [{ type: "rate" }, 5] }, "policies.1", 5, "an object"],
    [{ type: "any", policies: [null] }, "policies.0", null, "an object"],
    [{ type: "any", policies: [[]] }, "policies.0", [], "an object"],
    [{ type: "any", policies: [], ratio: 1 }, "ratio", 1, "absent (the keys are policies)"],
    [
      { type: "any", policies: [{ type: "rate" }, { type: "consecutive", failures: 0 }] },
      "policies.1.failures",
      0,
      "an integer >= 1"
    ],
    [
      { type: "any", policies: [{ type: "any", policies: [{ type: "rate" }, { type: "rate", ratio: 2 }] }] },
      "policies.0.policies.1.ratio",
      2,
      "a ratio in (0, 1]"
    ]
  ]
  for (const [json, field, value, rule] of bad) {
    it(`refuses ${JSON.stringify(json)}`, () => {
      assert.deepStrictEqual(
        invalid(() => TripPolicy.fromJson(json as never)),
        { module: "TripPolicy", field, value, rule }
      )
      const { message } = (() => {
        try {
          return TripPolicy.fromJson(json as never) as never
        } catch (error) {
          return error as Error
        }
      })()
      assert.deepStrictEqual(issues(TripPolicy.Config, json), [`${field}: ${message}`])
    })
  }

  for (const json of [null, undefined, "consecutive", 5, []]) {
    it(`refuses ${JSON.stringify(json)}`, () => assert.isNotEmpty(issues(TripPolicy.Config, json)))
  }

  it("does not write what is no policy", () => {
    for (const value of [{ _tag: "Consecutive", failures: 0 }, { _tag: "Other" }, null, { type: "rate" }]) {
      assert.throws(() => Schema.encodeUnknownSync(TripPolicy.Config)(value))
    }
  })
})

describe("properties", () => {
  const between = (minimum: number, maximum: number) =>
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
  const calls = Arbitrary.array(
    Arbitrary.all({
      outcome: Arbitrary.schema(Schema.Literals(["Success", "Failure", "Failure", "Ignored"])),
      slow: Arbitrary.schema(Schema.Boolean),
      step: Arbitrary.schema(Schema.Literals([0, 0, 100, 100, 900, 1000, 1100]))
    }),
    { minLength: 20, maxLength: 60 }
  )

  it.prop(
    "each policy agrees with its definition on the list of all calls",
    { n: between(1, 6), extra: between(0, 4), minimum: between(1, 6), percent: between(1, 100), calls },
    ({ calls, extra, minimum, n, percent }) => {
      const of = n + extra
      const ratio = percent / 100
      const overTime = { ratio, within: 1000, minimumCalls: minimum }
      const all = [
        TripPolicy.consecutive(n),
        TripPolicy.failures({ count: n, of, minimumCalls: Math.min(minimum, of) }),
        TripPolicy.rate(overTime),
        TripPolicy.slowCalls({ after: 50, ...overTime })
      ] as const
      const combined = TripPolicy.any(...all)
      const windows = all.map(TripPolicy.window)
      const anyWindow = TripPolicy.window(combined)
      const seen: Array<{ readonly outcome: Tag; readonly slow: boolean; readonly at: number }> = []
      let now = 0
      for (const { outcome, slow, step } of calls) {
        now += step
        seen.push({ outcome, slow, at: now })
        const said = seen.filter((call) => call.outcome !== "Ignored")
        const recent = seen.filter((call) => now - call.at < 1000)
        const reaches = (hits: number, among: number) => among >= minimum && hits / among >= ratio
        const last = said.slice(-of)
        const lastFailed = last.filter((call) => call.outcome === "Failure").length
        const recentSaid = recent.filter((call) => call.outcome !== "Ignored")
        const expected = [
          said.length >= n && said.slice(-n).every((call) => call.outcome === "Failure"),
          lastFailed >= n && last.length >= Math.min(minimum, of),
          reaches(recentSaid.filter((call) => call.outcome === "Failure").length, recentSaid.length),
          reaches(
            recent.filter((call) => call.slow).length,
            recent.filter((call) => call.outcome !== "Ignored" || call.slow).length
          )
        ]
        // A call that a policy does not count trips nothing.
        const counts = [
          outcome !== "Ignored",
          outcome !== "Ignored",
          outcome !== "Ignored",
          outcome !== "Ignored" || slow
        ]
        const elapsed = slow ? 50 : 49
        const tripped = all.map(
          (policy, i) => TripPolicy.record(policy, windows[i] as Window.Window, outcome, elapsed, now) !== undefined
        )
        const anyTripped = TripPolicy.record(combined, anyWindow, outcome, elapsed, now) !== undefined
        assert.deepStrictEqual(
          tripped,
          expected.map((trips, i) => trips && counts[i] === true)
        )
        assert.strictEqual(anyTripped, tripped.includes(true))
      }
      return true
    },
    { arbitrary: { runs: 300, size: 300 } }
  )

  it.prop(
    "ignored calls change no count",
    { calls },
    ({ calls }) =>
      [
        TripPolicy.consecutive(1000),
        TripPolicy.failures({ count: 1000, of: 1000 }),
        TripPolicy.rate({ within: 1e9, minimumCalls: 1000 }),
        TripPolicy.slowCalls({ after: 50, within: 1e9, minimumCalls: 1000 })
      ].every((policy) => {
        const window = TripPolicy.window(policy)
        return calls.every(({ outcome }) => {
          const before = TripPolicy.read(policy, window, 0)
          TripPolicy.record(policy, window, outcome, 0, 0)
          const after = TripPolicy.read(policy, window, 0)
          if (outcome === "Ignored") assert.deepStrictEqual(after, before)
          return true
        })
      }),
    { arbitrary: { runs: 100 } }
  )
})
