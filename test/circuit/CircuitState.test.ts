import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import { issues } from "../suites/rules.ts"

type State = CircuitState.CircuitState

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 1000, paceMillis: 100 }

const closed: CircuitState.Closed = { _tag: "Closed", generation: 4, since: 5000, openings: 2, openMillis: 300 }
const open: CircuitState.Open = {
  _tag: "Open",
  generation: 5,
  since: 5000,
  openings: 3,
  openMillis: 300,
  reason: "3 failures"
}
const halfOpen: CircuitState.HalfOpen = {
  _tag: "HalfOpen",
  generation: 6,
  since: 5000,
  openings: 3,
  openMillis: 300,
  reason: "3 failures",
  permits: 1,
  leases: [{ permit: 1, since: 5000, until: 6000 }],
  successes: 0,
  failures: 0,
  ignoredAt: 5000,
  notBefore: 5000
}
/** Half-open with no probe under way. */
const idle: CircuitState.HalfOpen = { ...halfOpen, leases: [] }
const heldOpen: CircuitState.Held = {
  _tag: "HeldOpen",
  generation: 7,
  since: 5000,
  until: undefined,
  reason: "r",
  by: "b"
}
const heldClosed: CircuitState.Held = { ...heldOpen, _tag: "HeldClosed" }

const states: ReadonlyArray<readonly [name: string, state: State]> = [
  ["initial", CircuitState.initial],
  ["closed", closed],
  ["open", open],
  ["half-open", halfOpen],
  ["half-open, idle", idle],
  ["held open", heldOpen],
  ["held open, for a time", { ...heldOpen, until: 5600 }],
  ["held closed", heldClosed],
  ["held closed, for a time", { ...heldClosed, until: 5600 }]
]

const admit: CircuitState.Event = { _tag: "Admit" }
const trip = (generation: number): CircuitState.Event => ({ _tag: "Trip", generation, openMillis: 700, reason: "why" })
const settle = (
  outcome: "Success" | "Failure" | "Ignored",
  generation: number = halfOpen.generation,
  permit = 1
): CircuitState.Event => ({ _tag: "Settle", generation, permit, outcome, openMillis: 700, reason: "why" })
const hold = (as: CircuitState.Held["_tag"], forMillis?: number): CircuitState.Event => ({
  _tag: "Hold",
  as,
  forMillis,
  reason: "r2",
  by: "b2"
})
const release: CircuitState.Event = { _tag: "Release" }
const reset: CircuitState.Event = { _tag: "Reset" }

const admitted = (generation: number, permit = 0): CircuitState.Decision => ({ _tag: "Admitted", generation, permit })
const refused = (retryAt?: number): CircuitState.Decision => ({ _tag: "Refused", retryAt })
const done: CircuitState.Decision = { _tag: "Done" }

const clean = (generation: number, since: number): State => ({
  _tag: "Closed",
  generation,
  since,
  openings: 0,
  openMillis: 0
})
const opened = (generation: number, since: number, openings: number): CircuitState.Open => ({
  _tag: "Open",
  generation,
  since,
  openings,
  openMillis: 700,
  reason: "why"
})
const tried = (generation: number, now: number, openMillis = 300): State => ({
  ...halfOpen,
  generation,
  since: now,
  openMillis,
  leases: [{ permit: 1, since: now, until: now + 1000 }],
  ignoredAt: now,
  notBefore: now
})

type Row = readonly [
  name: string,
  state: State,
  event: CircuitState.Event,
  now: number,
  /** The state after it, or `same` for the identical one. */
  next: State | "same",
  decision: CircuitState.Decision,
  config?: Partial<CircuitState.Config>
]

const check = (rows: ReadonlyArray<Row>) => {
  for (const [name, state, event, now, next, decision, changed] of rows) {
    it(name, () => {
      const before = structuredClone(state)
      const [after, answer] = CircuitState.transition(state, event, now, { ...config, ...changed })
      if (next === "same") assert.strictEqual(after, state)
      else assert.deepStrictEqual(after, next)
      assert.deepStrictEqual(answer, decision)
      assert.deepStrictEqual(state, before, "the state that was given is as it was")
    })
  }
}

describe("Admit", () => {
  check([
    ["initial admits", CircuitState.initial, admit, 0, "same", admitted(0)],
    ["closed admits", closed, admit, 5000, "same", admitted(4)],
    ["closed admits on a clock that was set back", closed, admit, 0, "same", admitted(4)],

    ["open refuses when it opens", open, admit, 5000, "same", refused(5300)],
    ["open refuses a moment before its time is over", open, admit, 5299, "same", refused(5300)],
    ["open refuses less than a millisecond before its time is over", open, admit, 5299.999, "same", refused(5300)],
    ["open admits a probe when its time is over", open, admit, 5300, tried(6, 5300), admitted(6, 1)],
    ["open admits a probe after its time", open, admit, 5301, tried(6, 5301), admitted(6, 1)],
    ["open admits a probe long after its time", open, admit, 9e12, tried(6, 9e12), admitted(6, 1)],
    [
      "open admits a probe on a clock that was set back before it opened",
      open,
      admit,
      4999,
      tried(6, 4999),
      admitted(6, 1)
    ],
    [
      "open for no time admits a probe at once",
      { ...open, openMillis: 0 },
      admit,
      5000,
      tried(6, 5000, 0),
      admitted(6, 1)
    ],

    ["half-open refuses while its probe runs", halfOpen, admit, 5000, "same", refused()],
    ["half-open refuses a moment before the lease ends", halfOpen, admit, 5999, "same", refused()],
    [
      "half-open admits another probe when the lease ends",
      halfOpen,
      admit,
      6000,
      { ...halfOpen, permits: 2, leases: [{ permit: 2, since: 6000, until: 7000 }] },
      admitted(6, 2)
    ],
    [
      "half-open admits another probe on a clock that was set back before the lease began",
      halfOpen,
      admit,
      4999,
      { ...halfOpen, permits: 2, leases: [{ permit: 2, since: 4999, until: 5999 }] },
      admitted(6, 2)
    ],
    [
      "half-open admits as many probes as it may",
      halfOpen,
      admit,
      5001,
      { ...halfOpen, permits: 2, leases: [...halfOpen.leases, { permit: 2, since: 5001, until: 6001 }] },
      admitted(6, 2),
      { probes: 2 }
    ],
    [
      "half-open refuses one more",
      { ...halfOpen, permits: 2, leases: [...halfOpen.leases, { permit: 2, since: 5001, until: 6001 }] },
      admit,
      5002,
      "same",
      refused(),
      { probes: 2 }
    ],
    [
      "half-open replaces only the probe whose lease ended",
      { ...halfOpen, permits: 2, leases: [...halfOpen.leases, { permit: 2, since: 5001, until: 6001 }] },
      admit,
      6000,
      {
        ...halfOpen,
        permits: 3,
        leases: [
          { permit: 2, since: 5001, until: 6001 },
          { permit: 3, since: 6000, until: 7000 }
        ]
      },
      admitted(6, 3),
      { probes: 2 }
    ],
    [
      "half-open with a permit free admits",
      idle,
      admit,
      5001,
      { ...idle, permits: 2, leases: [{ permit: 2, since: 5001, until: 6001 }] },
      admitted(6, 2)
    ],
    [
      "half-open waits after an ignored probe",
      { ...idle, ignoredAt: 5400, notBefore: 5500 },
      admit,
      5400,
      "same",
      refused(5500)
    ],
    [
      "half-open waits until just before",
      { ...idle, ignoredAt: 5400, notBefore: 5500 },
      admit,
      5499,
      "same",
      refused(5500)
    ],
    [
      "half-open has waited long enough",
      { ...idle, ignoredAt: 5400, notBefore: 5500 },
      admit,
      5500,
      {
        ...idle,
        ignoredAt: 5400,
        notBefore: 5500,
        permits: 2,
        leases: [{ permit: 2, since: 5500, until: 6500 }]
      },
      admitted(6, 2)
    ],
    [
      "half-open does not wait on a clock that was set back before the ignored probe",
      { ...idle, ignoredAt: 5400, notBefore: 5500 },
      admit,
      5399,
      {
        ...idle,
        ignoredAt: 5400,
        notBefore: 5500,
        permits: 2,
        leases: [{ permit: 2, since: 5399, until: 6399 }]
      },
      admitted(6, 2)
    ],
    [
      "half-open that waits and has no permit does not say when",
      { ...halfOpen, ignoredAt: 5400, notBefore: 5500 },
      admit,
      5450,
      "same",
      refused()
    ],
    [
      "half-open keeps what its probes said",
      { ...idle, successes: 1, failures: 2 },
      admit,
      5001,
      { ...idle, successes: 1, failures: 2, permits: 2, leases: [{ permit: 2, since: 5001, until: 6001 }] },
      admitted(6, 2),
      { needed: 3, of: 6 }
    ],

    ["held open refuses", heldOpen, admit, 9e12, "same", refused()],
    ["held open for a time refuses until then", { ...heldOpen, until: 5600 }, admit, 5599, "same", refused(5600)],
    ["held open for a time is closed after it", { ...heldOpen, until: 5600 }, admit, 5600, clean(8, 5600), admitted(8)],
    [
      "held open for a time refuses on a clock that was set back",
      { ...heldOpen, until: 5600 },
      admit,
      0,
      "same",
      refused(5600)
    ],
    ["held closed admits", heldClosed, admit, 9e12, "same", admitted(7)],
    ["held closed for a time admits until then", { ...heldClosed, until: 5600 }, admit, 5599, "same", admitted(7)],
    [
      "held closed for a time is closed after it",
      { ...heldClosed, until: 5600 },
      admit,
      5600,
      clean(8, 5600),
      admitted(8)
    ]
  ])
})

describe("Trip", () => {
  check([
    ["opens a circuit that never was open", CircuitState.initial, trip(0), 9, opened(1, 9, 1), done],
    ["opens a closed circuit", closed, trip(4), 5299, opened(5, 5299, 3), done],
    ["begins to count openings again once it was closed as long", closed, trip(4), 5300, opened(5, 5300, 1), done],
    ["begins to count openings again later", closed, trip(4), 9000, opened(5, 9000, 1), done],
    ["continues counting on a clock that was set back", closed, trip(4), 0, opened(5, 0, 3), done],
    ["of an older generation changes nothing", closed, trip(3), 5300, "same", done],
    ["of a newer generation changes nothing", closed, trip(5), 5300, "same", done],
    ["of an open circuit changes nothing", open, trip(5), 5001, "same", done],
    ["of a half-open circuit changes nothing", halfOpen, trip(6), 5001, "same", done],
    ["of a circuit held open changes nothing", heldOpen, trip(7), 5001, "same", done],
    ["of a circuit held closed changes nothing", heldClosed, trip(7), 5001, "same", done]
  ])
})

describe("Settle", () => {
  const two = {
    ...halfOpen,
    permits: 2,
    leases: [...halfOpen.leases, { permit: 2, since: 5001, until: 6001 }]
  }
  const recovered = (now: number): State => ({ ...closed, generation: 7, openings: 3, since: now })
  check([
    ["a success closes", halfOpen, settle("Success"), 5050, recovered(5050), done],
    [
      "a failure opens again, one opening more",
      halfOpen,
      settle("Failure"),
      5050,
      { ...opened(7, 5050, 4), failures: 1 },
      done
    ],
    [
      "an ignored probe gives its permit back, and the next one waits",
      halfOpen,
      settle("Ignored"),
      5050,
      { ...idle, ignoredAt: 5050, notBefore: 5150 },
      done
    ],
    [
      "an ignored probe leaves the others theirs",
      two,
      settle("Ignored", 6, 2),
      5050,
      { ...two, leases: halfOpen.leases, ignoredAt: 5050, notBefore: 5150 },
      done,
      { probes: 2 }
    ],
    [
      "a success short of what is needed is counted",
      halfOpen,
      settle("Success"),
      5050,
      { ...idle, successes: 1 },
      done,
      { needed: 2, of: 2 }
    ],
    [
      "the success that is needed closes",
      { ...halfOpen, successes: 1 },
      settle("Success"),
      5050,
      recovered(5050),
      done,
      { needed: 2, of: 2 }
    ],
    [
      "a failure opens again where all have to succeed",
      { ...halfOpen, successes: 1 },
      settle("Failure"),
      5050,
      { ...opened(7, 5050, 4), failures: 1 },
      done,
      { needed: 2, of: 2 }
    ],
    [
      "a failure that leaves enough probes is counted",
      { ...halfOpen, failures: 1 },
      settle("Failure"),
      5050,
      { ...idle, failures: 2 },
      done,
      { needed: 3, of: 5 }
    ],
    [
      "a failure that leaves too few opens again",
      { ...halfOpen, failures: 2 },
      settle("Failure"),
      5050,
      { ...opened(7, 5050, 4), failures: 3 },
      done,
      { needed: 3, of: 5 }
    ],
    [
      "a success after failures closes",
      { ...halfOpen, failures: 2, successes: 2 },
      settle("Success"),
      5050,
      recovered(5050),
      done,
      { needed: 3, of: 5 }
    ],
    [
      "an ignored probe is counted for neither",
      { ...halfOpen, failures: 2, successes: 2 },
      settle("Ignored"),
      5050,
      { ...idle, failures: 2, successes: 2, ignoredAt: 5050, notBefore: 5150 },
      done,
      { needed: 3, of: 5 }
    ],
    [
      "a success leaves a wait as it is",
      { ...halfOpen, ignoredAt: 5020, notBefore: 5120 },
      settle("Success"),
      5050,
      { ...idle, successes: 1, ignoredAt: 5020, notBefore: 5120 },
      done,
      { needed: 2, of: 2 }
    ],
    ["the outcome of a probe whose lease ended counts", halfOpen, settle("Success"), 99_999, recovered(99_999), done],
    [
      "the outcome of a probe that was replaced counts, and leaves the other its permit",
      { ...halfOpen, permits: 2, leases: [{ permit: 2, since: 6000, until: 7000 }] },
      settle("Success", 6, 1),
      6050,
      { ...halfOpen, permits: 2, leases: [{ permit: 2, since: 6000, until: 7000 }], successes: 1 },
      done,
      { needed: 2, of: 2 }
    ],
    ["of an older generation changes nothing", halfOpen, settle("Failure", 5), 5050, "same", done],
    ["of a newer generation changes nothing", halfOpen, settle("Success", 7), 5050, "same", done],
    ["in a closed circuit changes nothing", closed, settle("Failure", 4), 5050, "same", done],
    ["in an open circuit changes nothing", open, settle("Success", 5), 5050, "same", done],
    ["in a circuit held open changes nothing", heldOpen, settle("Success", 7), 5050, "same", done],
    ["in a circuit held closed changes nothing", heldClosed, settle("Failure", 7), 5050, "same", done]
  ])
})

describe("Hold, Release, Reset", () => {
  const held = (_tag: CircuitState.Held["_tag"], generation: number, until?: number): State => ({
    _tag,
    generation,
    since: 5050,
    until,
    reason: "r2",
    by: "b2"
  })
  check(
    states.flatMap(([name, state]): ReadonlyArray<Row> => {
      const next = state.generation + 1
      const isHeld = state === heldOpen || state === heldClosed || "until" in state
      return [
        [`${name}: hold open`, state, hold("HeldOpen"), 5050, held("HeldOpen", next), done],
        [`${name}: hold open for a time`, state, hold("HeldOpen", 0.5), 5050, held("HeldOpen", next, 5050.5), done],
        [`${name}: hold closed`, state, hold("HeldClosed"), 5050, held("HeldClosed", next), done],
        [`${name}: hold closed for a time`, state, hold("HeldClosed", 60), 5050, held("HeldClosed", next, 5110), done],
        [`${name}: release`, state, release, 5050, isHeld ? clean(next, 5050) : "same", done],
        [`${name}: reset`, state, reset, 5050, clean(next, 5050), done]
      ]
    })
  )

  it("a hold keeps a reason and an author of any length, cut", () => {
    const long = { _tag: "Hold", as: "HeldOpen", reason: "r".repeat(1e6), by: "b".repeat(1e6) } as const
    const [cut] = CircuitState.transition(CircuitState.initial, long, 5, config)
    assert.deepInclude(cut, { reason: `${"r".repeat(499)}…`, by: `${"b".repeat(99)}…` })
    const [kept] = CircuitState.transition(
      CircuitState.initial,
      { ...long, reason: "r".repeat(500), by: "b".repeat(100) },
      5,
      config
    )
    assert.deepInclude(kept, { reason: "r".repeat(500), by: "b".repeat(100) })
  })

  it("a hold without reason, author and end keeps none", () => {
    const [state] = CircuitState.transition(closed, { _tag: "Hold", as: "HeldOpen" }, 5050, config)
    assert.deepStrictEqual(JSON.parse(JSON.stringify(state)), { _tag: "HeldOpen", generation: 5, since: 5050 })
  })
})

describe("isHeld, openUntil, nextOpening, liveLeases, refusal", () => {
  it("isHeld", () => {
    assert.deepStrictEqual(
      states.map(([name, state]) => [name, CircuitState.isHeld(state)]),
      states.map(([name]) => [name, name.startsWith("held")])
    )
  })

  it("openUntil is when the open time is over", () => assert.strictEqual(CircuitState.openUntil(open), 5300))

  it("nextOpening", () => {
    const table: ReadonlyArray<readonly [state: State, now: number, opening: number]> = [
      [CircuitState.initial, 0, 1],
      [closed, 5000, 3],
      [closed, 5299, 3],
      [closed, 5300, 1],
      [closed, 5301, 1],
      [closed, 0, 3],
      [open, 9000, 4],
      [halfOpen, 9000, 4],
      [heldOpen, 9000, 1],
      [heldClosed, 9000, 1]
    ]
    assert.deepStrictEqual(
      table.map(([state, now]) => CircuitState.nextOpening(state, now)),
      table.map(([, , opening]) => opening)
    )
  })

  it("liveLeases", () => {
    const leases = [
      { permit: 1, since: 5000, until: 6000 },
      { permit: 2, since: 5001, until: 6001 }
    ]
    const live = (now: number) => CircuitState.liveLeases({ ...halfOpen, leases }, now).map((lease) => lease.permit)
    assert.deepStrictEqual([4999, 5000, 5001, 5999, 6000, 6001].map(live), [[], [1], [1, 2], [1, 2], [2], []])
  })

  it("initial is closed, and never was anything else", () => {
    assert.deepStrictEqual(CircuitState.initial, { ...clean(0, 0), _tag: "Closed" })
  })

  for (const [name, state] of states) {
    it(`refusal says what an admission would meet: ${name}`, () => {
      for (const now of [0, 4999, 5000, 5001, 5299, 5300, 5599, 5600, 5999, 6000, 9e12]) {
        const [, decision] = CircuitState.transition(state, admit, now, config)
        const refusal = CircuitState.refusal(state, now, config)
        assert.deepStrictEqual(refusal, decision._tag === "Refused" ? decision : undefined)
      }
    })
  }
})

describe("times that are no whole numbers", () => {
  // Delays with jitter are such, and epoch milliseconds leave few digits for the fraction.
  const since = 1_700_000_000_000
  const lengths = Array.from({ length: 200 }, (_, i) => 1000 + i * 7.123456789)

  it("an open circuit stays open for as long", () => {
    for (const openMillis of lengths) {
      const state = { ...open, since, openMillis }
      assert.isDefined(CircuitState.refusal(state, since, config))
      assert.isDefined(CircuitState.refusal(state, since + Math.floor(openMillis) - 1, config))
      assert.isUndefined(CircuitState.refusal(state, since + Math.ceil(openMillis), config))
    }
  })

  it("a lease and a wait last as long", () => {
    for (const millis of lengths) {
      const machine = { ...config, leaseMillis: millis, paceMillis: millis }
      const [probing] = CircuitState.transition({ ...open, openMillis: 0 }, admit, since, machine)
      assert.isDefined(CircuitState.refusal(probing, since, machine))
      assert.isUndefined(CircuitState.refusal(probing, since + Math.ceil(millis), machine))
      const [waiting] = CircuitState.transition(probing, settle("Ignored"), since, machine)
      assert.isDefined(CircuitState.refusal(waiting, since, machine))
      assert.isUndefined(CircuitState.refusal(waiting, since + Math.ceil(millis), machine))
    }
  })
})

describe("the schema of a state", () => {
  const decode = Schema.decodeUnknownSync(CircuitState.CircuitState)
  const json = (state: State): unknown =>
    JSON.parse(JSON.stringify(Schema.encodeSync(CircuitState.CircuitState)(state)))

  for (const [name, state] of [
    ...states,
    ["held open, without reason and author", { _tag: "HeldOpen", generation: 1, since: 0 }],
    [
      "half-open, with several leases",
      { ...halfOpen, leases: [...halfOpen.leases, { permit: 9, since: 1.5, until: 2.5 }] }
    ],
    ["open, at a fraction of a millisecond", { ...open, since: 5000.25, openMillis: 0.5 }],
    ["closed, before 1970", { ...closed, since: -1 }]
  ] as const) {
    it(`reads what it writes: ${name}`, () => {
      const read = decode(json(state))
      assert.deepStrictEqual(json(read), json(state))
      // A hold may have lost keys that were undefined; the rest is the same.
      assert.deepStrictEqual(CircuitState.isHeld(state) ? { ...state, ...read } : read, state)
    })
  }

  const rows: ReadonlyArray<readonly [name: string, row: unknown]> = [
    ["null", null],
    ["a string", "Closed"],
    ["a list", [closed]],
    ["no tag", { ...closed, _tag: undefined }],
    ["an unknown tag", { ...closed, _tag: "CLOSED" }],
    ...["generation", "since", "openings", "openMillis"].flatMap((field) => [
      [`closed without ${field}`, { ...closed, [field]: undefined }] as const,
      [`open with ${field} null`, { ...open, [field]: null }] as const,
      [`half-open with ${field} a string`, { ...halfOpen, [field]: "5" }] as const
    ]),
    ...["permits", "leases", "successes", "failures", "ignoredAt", "notBefore", "reason"].map(
      (field) => [`half-open without ${field}`, { ...halfOpen, [field]: undefined }] as const
    ),
    ["a negative generation", { ...closed, generation: -1 }],
    ["a fraction of a generation", { ...closed, generation: 0.5 }],
    ["a negative number of openings", { ...closed, openings: -1 }],
    ["a negative open time", { ...open, openMillis: -1 }],
    ["an infinite open time", { ...open, openMillis: Infinity }],
    ["a time that is no number", { ...open, since: Number.NaN }],
    ["an infinite time", { ...closed, since: -Infinity }],
    ["open without reason", { ...open, reason: undefined }],
    ["open with a reason that is no text", { ...open, reason: 5 }],
    ["negative permits", { ...halfOpen, permits: -1 }],
    ["a fraction of a success", { ...halfOpen, successes: 0.5 }],
    ["negative failures", { ...halfOpen, failures: -1 }],
    ["leases that are no list", { ...halfOpen, leases: {} }],
    ["a lease that is none", { ...halfOpen, leases: [null] }],
    ["a lease without permit", { ...halfOpen, leases: [{ since: 1, until: 2 }] }],
    ["a lease without begin", { ...halfOpen, leases: [{ permit: 1, until: 2 }] }],
    ["a lease without end", { ...halfOpen, leases: [{ permit: 1, since: 1 }] }],
    ["a lease with an infinite end", { ...halfOpen, leases: [{ permit: 1, since: 1, until: Infinity }] }],
    ["a wait without end", { ...halfOpen, notBefore: Infinity }],
    ["a hold without generation", { ...heldOpen, generation: undefined }],
    ["a hold without begin", { ...heldClosed, since: undefined }],
    ["a hold until never", { ...heldOpen, until: Infinity }],
    ["a hold until null", { ...heldClosed, until: null }],
    ["a hold for a reason that is no text", { ...heldOpen, reason: 5 }],
    ["a hold by a number", { ...heldClosed, by: 5 }]
  ]
  for (const [name, row] of rows) {
    it(`refuses ${name}`, () => assert.isNotEmpty(issues(CircuitState.CircuitState, row)))
  }
})

describe("properties", () => {
  type Command =
    | { readonly _tag: "Admit" }
    | { readonly _tag: "Trip"; readonly stale: boolean }
    | { readonly _tag: "Settle"; readonly pick: number; readonly outcome: "Success" | "Failure" | "Ignored" }
    | { readonly _tag: "Hold"; readonly as: CircuitState.Held["_tag"]; readonly forMillis: number | undefined }
    | { readonly _tag: "Release" }
    | { readonly _tag: "Reset" }
    | { readonly _tag: "Wait"; readonly millis: number }

  // Around the lease (1000), the wait (100), the open times (300) and the holds (600).
  const durations = [0, 1, 99, 100, 101, 299, 300, 301, 599, 600, 601, 999, 1000, 1001]
  const jumps = [-1_000_000, -1001, -300, -1, 1_000_000, 1e10]

  const literals = <const L extends ReadonlyArray<string | number>>(values: L) =>
    Arbitrary.schema(Schema.Literals(values))

  const command = (waits: ReadonlyArray<number>): Arbitrary.Arbitrary<Command> =>
    Arbitrary.all({
      // Most commands are those that lead somewhere: admissions, time, and the latest probe's outcome.
      kind: literals([
        ..."Admit,Admit,Admit,Admit,Wait,Wait,Wait,Settle,Settle,Settle,Settle,Trip,Trip,Trip,Stale,Hold,Release,Reset".split(
          ","
        )
      ]),
      pick: literals([0, 0, 0, 1, 2, 5]),
      outcome: literals(["Success", "Success", "Success", "Failure", "Ignored"]),
      as: literals(["HeldOpen", "HeldClosed"]),
      limited: Arbitrary.schema(Schema.Boolean),
      millis: literals(waits)
    }).pipe(
      Arbitrary.map(({ as, kind, limited, millis, outcome, pick }): Command => {
        switch (kind) {
          case "Trip":
            return { _tag: "Trip", stale: false }
          case "Stale":
            return { _tag: "Trip", stale: true }
          case "Settle":
            return { _tag: "Settle", pick, outcome }
          case "Hold":
            return { _tag: "Hold", as, forMillis: limited ? 600 : undefined }
          case "Wait":
            return { _tag: "Wait", millis }
          default:
            return { _tag: kind as "Admit" | "Release" | "Reset" }
        }
      })
    )

  const machine: Arbitrary.Arbitrary<CircuitState.Config> = Arbitrary.all({
    probes: literals([1, 1, 2, 3]),
    needed: literals([1, 1, 2, 3]),
    spare: literals([0, 0, 1, 2])
  }).pipe(
    Arbitrary.map(({ needed, probes, spare }) => ({
      probes,
      needed,
      of: needed + spare,
      leaseMillis: 1000,
      paceMillis: 100
    }))
  )

  const history = (waits: ReadonlyArray<number>) => ({
    machine,
    commands: Arbitrary.array(command(waits), { minLength: 20, maxLength: 60 })
  })

  interface Step {
    readonly before: State
    readonly event: CircuitState.Event
    readonly now: number
    readonly after: State
    readonly decision: CircuitState.Decision
  }

  /** Runs the commands, and returns each step that was taken, and where it ended. */
  const play = (commands: ReadonlyArray<Command>, config: CircuitState.Config) => {
    let state = CircuitState.initial as State
    let now = 10_000_000
    const running: Array<{ readonly generation: number; readonly permit: number }> = []
    const steps: Array<Step> = []
    const step = (event: CircuitState.Event) => {
      const before = state
      const [after, decision] = CircuitState.transition(before, event, now, config)
      state = after
      if (decision._tag === "Admitted") running.unshift(decision)
      steps.push({ before, event, now, after, decision })
    }
    for (const command of commands) {
      switch (command._tag) {
        case "Wait":
          now += command.millis
          break
        case "Trip":
          step({
            _tag: "Trip",
            generation: state.generation - (command.stale ? 1 : 0),
            openMillis: 300,
            reason: "tripped"
          })
          break
        case "Settle": {
          const [admission] = running.splice(command.pick, 1)
          if (admission === undefined) break
          const { generation, permit } = admission
          const { outcome } = command
          step({ _tag: "Settle", generation, permit, outcome, openMillis: 300, reason: "probed" })
          break
        }
        default:
          step(command)
      }
    }
    return { steps, state, now }
  }

  const legal = [
    "Closed -Trip-> Open",
    "Open -Admit-> HalfOpen",
    "HalfOpen -Settle-> Open",
    "HalfOpen -Settle-> Closed",
    "HeldOpen -Admit-> Closed",
    "HeldClosed -Admit-> Closed",
    "HeldOpen -Release-> Closed",
    "HeldClosed -Release-> Closed",
    ...["Closed", "Open", "HalfOpen", "HeldOpen", "HeldClosed"].flatMap((from) => [
      `${from} -Reset-> Closed`,
      `${from} -Hold-> HeldOpen`,
      `${from} -Hold-> HeldClosed`
    ])
  ]
  const edge = ({ after, before, event }: Step) => `${before._tag} -${event._tag}-> ${after._tag}`
  const isEdge = ({ after, before }: Step) => before.generation !== after.generation

  const options = { arbitrary: { runs: 300, size: 300 } }

  const holds = (name: string, law: (step: Step, config: CircuitState.Config) => boolean | undefined) => {
    for (const [clock, waits] of [
      ["", durations],
      [", on a clock that jumps", [...durations, ...jumps]]
    ] as const) {
      it.prop(
        name + clock,
        history(waits),
        ({ commands, machine }) => {
          const { steps } = play(commands, machine)
          for (const step of steps) {
            if (law(step, machine) === false) return assert.fail(JSON.stringify(step, undefined, 1))
          }
          return true
        },
        options
      )
    }
  }

  holds("only legal edges are taken", (step) => {
    return isEdge(step) ? legal.includes(edge(step)) : step.before._tag === step.after._tag
  })

  it.effect("the sequences of these properties take every legal edge", () =>
    Effect.gen(function* () {
      const sample = yield* Arbitrary.sampleEffect(Arbitrary.all(history(durations)), { count: 300, size: 300 })
      const steps = sample.flatMap(({ commands, machine }) => play(commands, machine).steps)
      assert.deepStrictEqual([...new Set(steps.filter(isEdge).map(edge))].sort(), [...legal].sort())
    })
  )

  holds("the generation never falls, and rises by one on every edge", ({ after, before }) =>
    after._tag === before._tag && !CircuitState.isHeld(after) && after._tag !== "Closed"
      ? after.generation === before.generation
      : after.generation === before.generation + (after === before ? 0 : 1)
  )

  holds("an outcome of another generation returns the identical state", ({ after, before, event }) =>
    (event._tag === "Trip" || event._tag === "Settle") && event.generation !== before.generation
      ? after === before
      : undefined
  )

  holds("an outcome does not move a circuit that is held or open", ({ after, before, event }) =>
    (event._tag === "Trip" || event._tag === "Settle") && (CircuitState.isHeld(before) || before._tag === "Open")
      ? after === before
      : undefined
  )

  holds(
    "a refusal and a release of what is not held return the identical state",
    ({ after, before, decision, event }) =>
      decision._tag === "Refused" || (event._tag === "Release" && !CircuitState.isHeld(before))
        ? after === before
        : undefined
  )

  holds("no more probes have a lease than may", ({ after, now }, { probes }) =>
    after._tag === "HalfOpen" ? CircuitState.liveLeases(after, now).length <= probes : undefined
  )

  holds("a probe has a lease, and no two have the same permit", ({ after, decision, event, now }) => {
    if (after._tag !== "HalfOpen") return undefined
    const permits = after.leases.map((lease) => lease.permit)
    if (new Set(permits).size !== permits.length || permits.some((permit) => permit > after.permits)) return false
    return event._tag === "Admit" && decision._tag === "Admitted"
      ? CircuitState.liveLeases(after, now).some((lease) => lease.permit === decision.permit)
      : undefined
  })

  holds("an ignored probe changes no count and no state but the leases and the wait", ({ after, before, event }) => {
    if (event._tag !== "Settle" || event.outcome !== "Ignored") return undefined
    if (after._tag !== "HalfOpen" || before._tag !== "HalfOpen") return after === before
    const { ignoredAt, leases, notBefore } = before
    assert.deepStrictEqual({ ...after, ignoredAt, leases, notBefore }, before)
    return true
  })

  // Where the clock was set back, a lease or a wait that counts as over may count again when the clock gets there.
  const isAhead = (state: State, now: number) =>
    state._tag === "HalfOpen" && (state.ignoredAt > now || state.leases.some((lease) => lease.since > now))

  holds(
    "what is refused until a time is admitted then, if nothing else happens",
    ({ after, decision, now }, machine) =>
      decision._tag === "Refused" && decision.retryAt !== undefined && !isAhead(after, now)
        ? CircuitState.refusal(after, decision.retryAt, machine) === undefined
        : undefined
  )

  holds(
    "what is refused is refused for no longer than the longest of its times",
    ({ after, decision, now }, machine) => {
      if (decision._tag !== "Refused" || CircuitState.isHeld(after) || isAhead(after, now)) return undefined
      return (
        CircuitState.refusal(after, now + 1000, machine) === undefined &&
        (decision.retryAt === undefined || (decision.retryAt > now && decision.retryAt <= now + 1000))
      )
    }
  )

  holds("the schema reads what it writes", ({ after }) => {
    const row: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(CircuitState.CircuitState)(after)))
    const read = Schema.decodeUnknownSync(CircuitState.CircuitState)(row)
    assert.deepStrictEqual(JSON.stringify(read), JSON.stringify(after))
    return true
  })

  for (const [clock, waits] of [
    ["", durations],
    [", however the clock jumped", [...durations, ...jumps]]
  ] as const) {
    it.prop(
      `a circuit that gets only successes closes again, whatever happened before${clock}`,
      history(waits),
      ({ commands, machine }) => {
        const played = play(commands, machine)
        let { now, state } = played
        if (CircuitState.isHeld(state)) [state] = CircuitState.transition(state, release, now, machine)
        // Each round: a call is admitted or refused, and succeeds at once; then the longest wait there is passes.
        let rounds = 0
        while (state._tag !== "Closed") {
          if (++rounds > machine.of + 1) return assert.fail(`still ${JSON.stringify(state)}`)
          const [next, decision] = CircuitState.transition(state, admit, now, machine)
          state = next
          if (decision._tag === "Admitted") {
            const { generation, permit } = decision
            const event = {
              _tag: "Settle",
              generation,
              permit,
              outcome: "Success",
              openMillis: 300,
              reason: ""
            } as const
            ;[state] = CircuitState.transition(state, event, now, machine)
          }
          now += 1000
        }
        return true
      },
      options
    )
  }
})

describe("the evidence of an opening", () => {
  const cause = "Error: connection reset"
  const halfOpenAt = (now: number): CircuitState.HalfOpen => ({
    ...halfOpen,
    since: now,
    leases: [{ permit: 1, since: now, until: now + 1000 }],
    ignoredAt: now,
    notBefore: now
  })
  const evident: CircuitState.Open = { ...opened(5, 5000, 3), cause }
  check([
    [
      "trip keeps it beside the rule",
      closed,
      { _tag: "Trip", generation: 4, openMillis: 700, reason: "why", cause },
      5000,
      evident,
      done
    ],
    [
      "the first probe carries it along",
      { ...evident, openMillis: 300 },
      admit,
      5700,
      { ...halfOpenAt(5700), cause, reason: "why" },
      admitted(6, 1)
    ],
    [
      "a probe that succeeds ends it",
      { ...halfOpen, cause },
      settle("Success"),
      5000,
      { ...CircuitState.initial, generation: 7, since: 5000, openings: 3, openMillis: 300 },
      done
    ]
  ])

  it("a probe that fails without one leaves none", () => {
    const [after] = CircuitState.transition({ ...halfOpen, cause }, settle("Failure"), 5000, config)
    assert.isFalse("cause" in after)
  })
})
