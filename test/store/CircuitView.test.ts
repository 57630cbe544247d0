import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitView from "../../src/store/internal/CircuitView.ts"

type State = CircuitState.CircuitState

const now = 10_000
const closed = (since: number): State => ({ _tag: "Closed", generation: 4, since, openings: 1, openMillis: 1000 })
const open = (since: number, openMillis = 60_000): State => ({
  _tag: "Open",
  generation: 3,
  since,
  openings: 1,
  openMillis,
  reason: "down"
})
const halfOpen = (since: number): State => ({
  _tag: "HalfOpen",
  generation: 4,
  since,
  openings: 1,
  openMillis: 1000,
  reason: "down",
  permits: 1,
  leases: [{ permit: 1, since, until: since + 500 }],
  successes: 0,
  failures: 0,
  ignoredAt: since,
  notBefore: since
})
const held = (since: number, until?: number, _tag: CircuitState.Held["_tag"] = "HeldOpen"): State => ({
  _tag,
  generation: 9,
  since,
  until,
  by: "ops"
})

describe("keepsMine", () => {
  const cases: ReadonlyArray<readonly [rule: string, mine: State, theirs: State, expected: boolean]> = [
    ["my trip is news for a fleet that is closed", open(9000), closed(1000), true],
    ["my trip is news for a fleet that never was anything but closed", open(9000), CircuitState.initial, true],
    ["my trip at the moment when they closed holds", open(9000), closed(9000), true],
    ["a fleet that closed after my trip has recovered", open(8000), closed(9000), false],
    ["a live open of theirs is not overwritten by a closed one that is newer", closed(9500), open(9000), false],
    ["a live open of theirs is not overwritten by a closed one that is older", closed(500), open(9000), false],
    ["of two live open ones theirs stays", open(9500), open(9000), false],
    ["an open one of theirs that is over gives way to my recovery", closed(9500), open(8000, 1000), true],
    ["an open one of theirs that ends now is over", closed(9999), open(9000, 1000), true],
    ["an open one of theirs that ends in a moment is not", closed(9999), open(9000, 1001), false],
    ["an open one of theirs that is over gives way to my probing", halfOpen(9500), open(8000, 1000), true],
    ["my open one that is over gives way to their recovery", open(8000, 1000), closed(9500), false],
    ["their probing is newer than my trip", open(9000), halfOpen(9500), false],
    ["my trip is newer than their probing", open(9500), halfOpen(9000), true],
    ["of two half-open ones of one time theirs stays", halfOpen(9000), halfOpen(9000), false],
    ["of two closed ones of one time theirs stays", closed(9000), closed(9000), false],
    ["the later of two closed ones holds", closed(9001), closed(9000), true],
    ["their hold goes before my newer trip", open(9500), held(1000), false],
    ["my hold goes before their newer trip", held(1000), open(9500), true],
    ["my hold goes before their newer recovery", held(1000), closed(9500), true],
    ["the later of two holds holds", held(2000), held(1000), true],
    ["the earlier of two holds gives way", held(1000), held(2000), false],
    ["of two holds of one time theirs stays", held(1000), held(1000), false],
    ["a hold of theirs with an end goes before my newer trip until then", open(9500), held(1000, now + 1), false],
    ["a hold of mine with an end goes before their newer trip until then", held(1000, now + 1), open(9500), true],
    ["a circuit of theirs that closed a moment ago gives way to my recovery", closed(9900), closed(9500), true],
    ["a hold of theirs that is over goes before nothing", closed(9500), held(1000, 9000), true],
    ["a hold of theirs that ends now is over", open(9500), held(1000, now), true],
    ["a hold of mine that is over goes before nothing", held(1000, 9000), open(9500), false]
  ]
  for (const [rule, mine, theirs, expected] of cases) {
    it(rule, () => assert.strictEqual(CircuitView.keepsMine(mine, theirs, now), expected))
  }

  it.prop(
    "of two states at most one is kept by its own process against the other",
    [CircuitState.CircuitState, CircuitState.CircuitState],
    ([a, b]) => {
      assert.isFalse(CircuitView.keepsMine(a, b, now) && CircuitView.keepsMine(b, a, now))
    }
  )
})

describe("shift", () => {
  const states = [closed(5), open(6), halfOpen(7), held(8), held(8, 9), held(8, 9, "HeldClosed")]
  const isState = Schema.is(CircuitState.CircuitState)

  it("returns the identical state where nothing moves", () => {
    for (const state of states) assert.strictEqual(CircuitView.shift(state, 0, 0), state)
  })

  it("moves every time and the generation", () => {
    assert.deepStrictEqual(
      states.map((state) => CircuitView.shift(state, 100, 10)),
      [
        { ...closed(105), generation: 14 },
        { ...open(106), generation: 13 },
        { ...halfOpen(107), generation: 14 },
        { ...held(108), generation: 19 },
        { ...held(108, 109), generation: 19 },
        { ...held(108, 109, "HeldClosed"), generation: 19 }
      ]
    )
  })

  it("moves the times of votes", () => {
    const voted = { ...CircuitState.initial, votes: [{ by: "a", at: 5 }] }
    assert.deepStrictEqual(CircuitView.shift(voted, 100, 0), { ...voted, votes: [{ by: "a", at: 105 }] })
  })

  it("does not make a time of none", () => {
    assert.deepStrictEqual(CircuitView.shift(CircuitState.initial, 100, 0), CircuitState.initial)
  })

  it.prop(
    "is undone by the opposite",
    [CircuitState.CircuitState, Schema.Literals([1, -7, 3_600_000])],
    ([state, by]) => {
      const rounded: State = JSON.parse(
        JSON.stringify(state, (_, value: unknown) => (typeof value === "number" ? Math.round(value % 1e9) : value))
      )
      if (!isState(rounded) || rounded.since === -by) return
      assert.deepStrictEqual(CircuitView.shift(CircuitView.shift(rounded, by, 2), -by, -2), rounded)
    }
  )
})

describe("isSame", () => {
  const states = [closed(5), open(6), halfOpen(7), held(8), held(8, 9), held(8, 9, "HeldClosed")]

  it("takes a copy for the same state", () => {
    for (const state of states) assert.isTrue(CircuitView.isSame(state, structuredClone(state)))
  })

  it("takes what is absent and what is undefined for the same", () => {
    assert.isTrue(CircuitView.isSame(CircuitState.initial, { ...CircuitState.initial, votes: undefined }))
  })

  it("tells states apart", () => {
    for (const a of states) {
      for (const b of states) assert.strictEqual(CircuitView.isSame(a, b), a === b)
    }
  })

  it("tells states of one kind and generation apart", () => {
    const voted = (by: string): State => ({ ...CircuitState.initial, votes: [{ by, at: 5 }] })
    assert.isFalse(CircuitView.isSame(voted("a"), voted("b")))
    assert.isFalse(CircuitView.isSame(halfOpen(7), { ...halfOpen(7), leases: [] } as State))
    assert.isFalse(CircuitView.isSame(open(6), { ...open(6), generation: 4 }))
  })
})

describe("what an error said", () => {
  const evident = (state: State, cause?: string): State => ({ ...state, cause }) as State // those that have one

  it("makes no difference between two states", () => {
    for (const state of [open(6), halfOpen(7)]) {
      assert.isTrue(CircuitView.isSame(evident(state, "boom"), state))
      assert.isTrue(CircuitView.isSame(evident(state, "boom"), evident(state, "bang")))
    }
  })

  it("is left out of a state that has it, and nothing else is", () => {
    for (const state of [open(6), halfOpen(7)]) {
      assert.deepStrictEqual(CircuitView.withoutCause(evident(state, "boom")), evident(state))
    }
  })

  it("leaves a state without it as it is", () => {
    for (const state of [closed(5), open(6), evident(open(6)), halfOpen(7), held(8)]) {
      assert.strictEqual(CircuitView.withoutCause(state), state)
    }
  })
})
