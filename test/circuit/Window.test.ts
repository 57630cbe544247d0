import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as Window from "../../src/circuit/internal/Window.ts"

const hits = Arbitrary.array(Arbitrary.schema(Schema.Boolean), { maxLength: 300 })
const between = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const count = (values: ReadonlyArray<boolean>) => values.filter((value) => value).length

describe("Streak", () => {
  it("begins at zero, counts hits in a row, and ends with a call that is none", () => {
    const window = new Window.Streak()
    assert.strictEqual(window.hits, 0)
    const seen = [true, true, true, false, false, true].map((hit) => {
      window.record(hit)
      return window.hits
    })
    assert.deepStrictEqual(seen, [1, 2, 3, 0, 0, 1])
  })

  it.prop(
    "is the number of hits since the last call that was none",
    { values: hits },
    ({ values }) => {
      const window = new Window.Streak()
      return values.every((hit, i) => {
        window.record(hit)
        return window.hits === i - values.lastIndexOf(false, i)
      })
    },
    { arbitrary: { runs: 200, size: 300 } }
  )
})

describe("LastCalls", () => {
  it("holds no calls at first", () => {
    const window = new Window.LastCalls(3)
    assert.deepStrictEqual([window.calls, window.hits, window.size], [0, 0, 3])
  })

  // Words of 32 bits hold the calls: sizes around their ends.
  for (const size of [1, 2, 31, 32, 33, 63, 64, 65, 1000]) {
    it(`size ${size}: forgets a hit with the call after ${size} others, and not before`, () => {
      const window = new Window.LastCalls(size)
      window.record(true)
      for (let i = 1; i < size; i++) window.record(false)
      assert.deepStrictEqual([window.calls, window.hits], [size, 1])
      window.record(false)
      assert.deepStrictEqual([window.calls, window.hits], [size, 0])
    })

    it(`size ${size}: is full of hits after ${size} of them, and empty of them after ${size} others`, () => {
      const window = new Window.LastCalls(size)
      for (let i = 1; i <= size + 2; i++) {
        window.record(true)
        assert.deepStrictEqual([window.calls, window.hits], [Math.min(i, size), Math.min(i, size)])
      }
      for (let i = 1; i <= size + 2; i++) {
        window.record(false)
        assert.deepStrictEqual([window.calls, window.hits], [size, Math.max(size - i, 0)])
      }
    })
  }

  it("keeps one bit a call", () => {
    assert.strictEqual(new Window.LastCalls(1024)["bits"].byteLength, 128)
    assert.strictEqual(new Window.LastCalls(1025)["bits"].byteLength, 132)
  })

  it.prop(
    "agrees with an array of the last calls",
    { size: between(1, 100), values: hits },
    ({ size, values }) => {
      const window = new Window.LastCalls(size)
      return values.every((hit, i) => {
        window.record(hit)
        const last = values.slice(Math.max(0, i + 1 - size), i + 1)
        return window.calls === last.length && window.hits === count(last)
      })
    },
    { arbitrary: { runs: 500, size: 300 } }
  )
})

describe("LastTime", () => {
  // A window of 1000 ms has slots of 100 ms.
  const at = (window: Window.LastTime, now: number) => {
    window.advance(now)
    return [window.calls, window.hits]
  }

  it("holds no calls at first", () => {
    const window = new Window.LastTime(1000)
    assert.deepStrictEqual([window.calls, window.hits], [0, 0])
    assert.deepStrictEqual(at(window, 5), [0, 0])
  })

  it("counts calls, and the hits among them", () => {
    const window = new Window.LastTime(1000)
    for (const [hit, now] of [
      [true, 0],
      [false, 1],
      [true, 99],
      [true, 100],
      [false, 950]
    ] as const) {
      window.record(hit, now)
    }
    assert.deepStrictEqual([window.calls, window.hits], [5, 3])
  })

  const forgets: ReadonlyArray<readonly [recordedAt: number, last: number, first: number]> = [
    // The call is counted at `last`, and no more at `first`.
    [0, 999, 1000],
    [1, 999, 1000],
    [99, 999, 1000],
    [100, 1099, 1100],
    [1_700_000_000_000, 1_700_000_000_999, 1_700_000_001_000],
    [1_700_000_000_050, 1_700_000_000_999, 1_700_000_001_000],
    [-1, 899, 900],
    [-100, 899, 900]
  ]
  for (const [recordedAt, last, first] of forgets) {
    it(`counts a call of ${recordedAt} until ${last}, and not at ${first}`, () => {
      const window = new Window.LastTime(1000)
      window.record(true, recordedAt)
      assert.deepStrictEqual(at(window, last), [1, 1])
      assert.deepStrictEqual(at(window, first), [0, 0])
    })
  }

  it("forgets a tenth of the window at a time", () => {
    const window = new Window.LastTime(1000)
    for (let now = 0; now < 1000; now += 50) window.record(now % 100 === 0, now)
    assert.deepStrictEqual([window.calls, window.hits], [20, 10])
    for (let slot = 1; slot <= 10; slot++) {
      assert.deepStrictEqual(at(window, 900 + slot * 100), [20 - slot * 2, 10 - slot])
    }
  })

  for (const passed of [1000, 1001, 1050, 1100, 10_000, 1e12]) {
    it(`forgets all when ${passed} ms pass at once`, () => {
      const window = new Window.LastTime(1000)
      for (let now = 0; now < 1000; now += 100) window.record(true, now)
      window.record(false, 900 + passed)
      assert.deepStrictEqual([window.calls, window.hits], [1, 0])
    })
  }

  for (const passed of [1, 99, 100, 101, 500, 900]) {
    it(`forgets some when ${passed} ms pass at once`, () => {
      const window = new Window.LastTime(1000)
      for (let now = 0; now < 1000; now += 100) window.record(true, now)
      window.record(false, 900 + passed)
      const left = 10 - Math.floor(passed / 100)
      assert.deepStrictEqual([window.calls, window.hits], [left + 1, left])
    })
  }

  describe("a clock that is set back", () => {
    for (const now of [4999, 4950, 4900, 4850, 4200, 4100]) {
      it(`from 5000 to ${now}: keeps counting`, () => {
        const window = new Window.LastTime(1000)
        window.record(true, 5000)
        window.record(true, now)
        assert.deepStrictEqual([window.calls, window.hits], [2, 2])
        // Both leave with the slot of the latest time.
        assert.deepStrictEqual(at(window, 5999), [2, 2])
        assert.deepStrictEqual(at(window, 6000), [0, 0])
      })
    }

    for (const now of [4099, 4001, 4000, 1000, 0, -5000]) {
      it(`from 5000 to ${now}: begins to count again`, () => {
        const window = new Window.LastTime(1000)
        for (let before = 4100; before <= 5000; before += 100) window.record(true, before)
        window.record(true, now)
        assert.deepStrictEqual([window.calls, window.hits], [1, 1])
        const slot = Math.floor(now / 100) * 100
        assert.deepStrictEqual(at(window, slot + 999), [1, 1])
        assert.deepStrictEqual(at(window, slot + 1000), [0, 0])
      })
    }
  })

  for (const millis of [0.001, 0.1, 1, 3, 7, 10, 86_400_000 * 365]) {
    it(`a window of ${millis} ms counts now and forgets after its time`, () => {
      const window = new Window.LastTime(millis)
      const now = 1_700_000_000_000
      window.record(true, now)
      window.record(false, now)
      assert.deepStrictEqual(at(window, now), [2, 1])
      window.record(true, now + Math.ceil(millis))
      assert.deepStrictEqual([window.calls, window.hits], [1, 1])
    })
  }

  it("ends where slots are too small for whole numbers", () => {
    const window = new Window.LastTime(0.00005)
    const now = 1_700_000_000_000
    for (let i = 0; i < 10_000; i++) window.record(true, now + i / 4096)
    assert.isAtLeast(window.calls, 1)
  })

  const steps = Arbitrary.array(
    Arbitrary.all({
      hit: Arbitrary.schema(Schema.Boolean),
      step: Arbitrary.schema(
        Schema.Literals([0, 0, 1, 2, 98, 99, 100, 101, 450, 899, 900, 901, 999, 1000, 1001, 2500])
      ),
      read: Arbitrary.schema(Schema.Boolean)
    }),
    { minLength: 20, maxLength: 60 }
  )

  it.prop(
    "holds every call of the last 90 % of its time, and none before all of its time",
    { start: between(0, 2000), steps },
    ({ start, steps }) => {
      const window = new Window.LastTime(1000)
      const calls: Array<{ readonly hit: boolean; readonly at: number }> = []
      let now = start
      return steps.every(({ hit, read, step }) => {
        now += step
        if (read) window.advance(now)
        else {
          window.record(hit, now)
          calls.push({ hit, at: now })
        }
        const since = (time: number) => calls.filter((call) => call.at > time)
        const surely = since(now - 901)
        const atMost = since(now - 1000)
        const hitsOf = (some: typeof calls) => some.filter((call) => call.hit).length
        return (
          surely.length <= window.calls &&
          window.calls <= atMost.length &&
          hitsOf(surely) <= window.hits &&
          window.hits <= hitsOf(atMost)
        )
      })
    },
    { arbitrary: { runs: 500, size: 300 } }
  )

  it.prop(
    "is exact where time passes in tenths of it",
    { start: between(0, 20), steps },
    ({ start, steps }) => {
      const window = new Window.LastTime(1000)
      const calls: Array<{ readonly hit: boolean; readonly at: number }> = []
      let now = start * 100
      return steps.every(({ hit, step }) => {
        now += Math.round(step / 100) * 100
        window.record(hit, now)
        calls.push({ hit, at: now })
        const counted = calls.filter((call) => now - call.at < 1000)
        return window.calls === counted.length && window.hits === count(counted.map((call) => call.hit))
      })
    },
    { arbitrary: { runs: 500, size: 300 } }
  )

  it.prop(
    "whatever the clock did, it never counts what was not there, and forgets all once a window passes",
    {
      steps: Arbitrary.array(
        Arbitrary.all({
          hit: Arbitrary.schema(Schema.Boolean),
          now: Arbitrary.schema(Schema.Literals([0, 50, 500, 999, 1000, 1900, 5000, 5100, 6000, 1e12, -3000]))
        }),
        { minLength: 20, maxLength: 60 }
      )
    },
    ({ steps }) => {
      const window = new Window.LastTime(1000)
      let recorded = 0
      let hits = 0
      let highest = Number.NEGATIVE_INFINITY
      for (const { hit, now } of steps) {
        window.record(hit, now)
        recorded++
        if (hit) hits++
        highest = Math.max(highest, now)
        if (window.calls < 1 || window.calls > recorded || window.hits < 0) return false
        if (window.hits > Math.min(window.calls, hits)) return false
      }
      assert.deepStrictEqual(at(window, highest + 1000), [0, 0])
      window.record(true, highest + 1000)
      assert.deepStrictEqual([window.calls, window.hits], [1, 1])
      return true
    },
    { arbitrary: { runs: 500, size: 300 } }
  )
})
