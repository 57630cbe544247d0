import { assert, describe, it } from "@effect/vitest"
import * as Model from "../../dashboard/model.ts"
import type * as ControlApi from "../../src/control/ControlApi.ts"
import { circuit, closed, halfOpen, held, open } from "./circuits.ts"

const snapshot = (circuits: ReadonlyArray<ControlApi.Circuit>, at = 1000): Model.Event => ({
  event: "snapshot",
  data: { at, circuits, total: circuits.length }
})
const change = (name: string, to: ControlApi.Change["to"], at = 1000, key?: string): ControlApi.Change => ({
  at,
  name,
  ...(key === undefined ? {} : { key }),
  from: closed,
  to
})
const activity = (periods: number, ...circuits: ControlApi.Activity["circuits"]): Model.Event => ({
  event: "activity",
  data: { at: 1000, everyMillis: 5000, periods, circuits }
})
const after = (...events: ReadonlyArray<Model.Event>): Model.Model =>
  events.reduce((model, event) => Model.apply(model, event, 400), Model.empty)
const names = (circuits: Iterable<ControlApi.Circuit>) =>
  Array.from(circuits, ({ key, name }) => (key === undefined ? name : `${name} ${key}`))

const odd = ["__proto__", "constructor", "", " ", '"', "\\", '","', "a\u0000b", "\u2028", "💥"]

describe("ids", () => {
  it("differ for all names and keys, however odd", () => {
    const all = odd.flatMap((name) => [{ name }, ...odd.map((key) => ({ name, key }))])
    assert.strictEqual(new Set(all.map(Model.idOf)).size, all.length)
  })

  it("of a circuit with an empty key is not the breaker's", () => {
    assert.notStrictEqual(Model.idOf({ name: "a", key: "" }), Model.idOf({ name: "a" }))
  })

  it("of changes differ by circuit, generation and time", () => {
    const changes = [
      change("a", open),
      change("a", halfOpen),
      change("a", open, 1001),
      change("b", open),
      change("a", open, 1000, "")
    ]
    assert.strictEqual(new Set(changes.map(Model.idOfChange)).size, changes.length)
  })
})

describe("events", () => {
  it("a sign of life says how far the server's clock is ahead, and nothing else", () => {
    const before = after(snapshot([circuit("a")]))
    const model = Model.apply(before, { event: "alive", data: { at: 9000, everyMillis: 15_000 } }, 400)
    assert.deepStrictEqual(model, { ...before, aheadMillis: 8600 })
  })

  it("an event of a newer server changes nothing", () => {
    const before = after(snapshot([circuit("a")]))
    // What another version of the definition would encode.
    const event = { event: "weather", data: { at: 9000 } } as unknown as Model.Event
    assert.strictEqual(Model.apply(before, event, 400), before)
  })

  it("a snapshot replaces the circuits and what they did, and keeps the changes", () => {
    const before = after(
      snapshot([circuit("a"), circuit("b")]),
      { event: "change", data: change("a", open) },
      activity(1, { name: "a", successes: [1], failures: [0], refused: [0] })
    )
    const model = Model.apply(before, snapshot([circuit("c")]), 400)
    assert.deepStrictEqual(names(model.circuits.values()), ["c"])
    assert.strictEqual(model.total, 1)
    assert.strictEqual(model.activity.size, 0)
    assert.strictEqual(model.receivedPeriods, 0)
    assert.strictEqual(model.changes.length, 1)
  })

  it("an update replaces circuits in their place, adds new ones and drops those that are gone", () => {
    const model = after(snapshot([circuit("a"), circuit("b"), circuit("c")]), {
      event: "update",
      data: {
        at: 2000,
        circuits: [circuit("d"), circuit("a", { state: open })],
        gone: [{ name: "b" }, { name: "unknown", key: "x" }],
        total: 7
      }
    })
    assert.deepStrictEqual(names(model.circuits.values()), ["a", "c", "d"])
    assert.strictEqual(model.circuits.get(Model.idOf({ name: "a" }))?.state._tag, "Open")
    assert.strictEqual(model.total, 7)
  })

  it("does not change what it is given", () => {
    const model = after(snapshot([circuit("a")]))
    Model.apply(
      model,
      { event: "update", data: { at: 1, circuits: [circuit("b")], gone: [{ name: "a" }], total: 1 } },
      1
    )
    Model.apply(model, { event: "change", data: change("a", open) }, 1)
    assert.deepStrictEqual(names(model.circuits.values()), ["a"])
    assert.strictEqual(model.circuits.get(Model.idOf({ name: "a" }))?.state, closed)
    assert.deepStrictEqual(model.changes, [])
  })

  it("a change moves the circuit at once, with the time of its next probe", () => {
    const model = after(snapshot([circuit("a", { inFlight: 3 })]), { event: "change", data: change("a", open) })
    const changed = model.circuits.get(Model.idOf({ name: "a" }))
    assert.deepStrictEqual(changed, circuit("a", { inFlight: 3, state: open, retryAt: 31_000 }))
  })

  it("a change to another state than open leaves no time of a next probe", () => {
    for (const to of [closed, halfOpen, held]) {
      const model = after(snapshot([circuit("a", { state: open, retryAt: 31_000 })]), {
        event: "change",
        data: change("a", to)
      })
      assert.deepStrictEqual(model.circuits.get(Model.idOf({ name: "a" })), circuit("a", { state: to }))
    }
  })

  it("a change of a circuit that is not listed is news, and lists nothing", () => {
    const model = after(snapshot([circuit("a")]), { event: "change", data: change("a", open, 1000, "eu") })
    assert.deepStrictEqual(names(model.circuits.values()), ["a"])
    assert.strictEqual(model.changes.length, 1)
    assert.deepStrictEqual(model.news, { count: 1, last: change("a", open, 1000, "eu") })
  })

  it("tell how far the server's clock is ahead or behind", () => {
    const at = (at: number) => after(snapshot([], at)).aheadMillis
    assert.deepStrictEqual([at(400), at(3_600_400), at(-3_599_600)], [0, 3_600_000, -3_600_000])
    assert.strictEqual(after(snapshot([]), activity(1)).aheadMillis, 600)
    const model = after(snapshot([]), { event: "change", data: change("a", open, 1400) })
    assert.strictEqual(model.aheadMillis, 1000)
  })
})

describe("changes", () => {
  it("are in order of time, the newest first, and each is there once", () => {
    const first = change("a", open, 1)
    const second = change("a", halfOpen, 2)
    const third = change("b", open, 2)
    const streamed = after({ event: "change", data: second })
    // The same change, as it is written by another encoder.
    const again = { to: second.to, from: second.from, name: second.name, at: second.at }
    const model = Model.withChanges(streamed, [first, again, third])
    assert.deepStrictEqual(model.changes.map(Model.idOfChange), [third, second, first].map(Model.idOfChange))
    assert.strictEqual(model.news.count, 1)
  })

  it("are at most 200, the newest of them", () => {
    const told = Array.from({ length: 250 }, (_, i) => change("a", open, i))
    const { changes } = Model.withChanges(Model.empty, told)
    assert.deepStrictEqual([changes.length, changes[0]?.at, changes.at(-1)?.at], [200, 249, 50])
  })
})

describe("activity", () => {
  const of = (model: Model.Model, name: string) => model.activity.get(Model.idOf({ name }))

  it("moves by a period at a time, and always has 60 of them", () => {
    const model = after(
      activity(2, { name: "a", successes: [1, 2], failures: [0, 0], refused: [0, 0] }),
      activity(1, { name: "a", successes: [3], failures: [4], refused: [5] })
    )
    assert.deepStrictEqual(of(model, "a")?.successes.slice(-4), [0, 1, 2, 3])
    assert.deepStrictEqual(of(model, "a")?.failures.slice(-2), [0, 4])
    assert.strictEqual(of(model, "a")?.refused.length, 60)
    assert.strictEqual(model.receivedPeriods, 3)
  })

  it("of a circuit that is younger than the periods begins later", () => {
    const model = after(activity(3, { name: "a", successes: [7], failures: [0], refused: [0] }))
    assert.deepStrictEqual(of(model, "a")?.successes.slice(-3), [0, 0, 7])
  })

  it("of a circuit that did nothing moves on, and is forgotten when nothing is left of it", () => {
    const one = { name: "a", successes: [1], failures: [0], refused: [0] }
    const quiet = (times: number) => after(activity(1, one), ...Array.from({ length: times }, () => activity(1)))
    assert.strictEqual(of(quiet(59), "a")?.successes[0], 1)
    assert.isUndefined(of(quiet(60), "a"))
  })

  it("makes rates of the last periods", () => {
    const model = after(
      activity(3, { name: "a", successes: [100, 6, 3], failures: [100, 0, 1], refused: [100, 0, 20] })
    )
    assert.deepStrictEqual(Model.rates(of(model, "a"), 2, 5000), { calls: 1, failed: 0.1, refused: 2 })
    assert.deepStrictEqual(Model.rates(undefined, 2, 5000), { calls: 0, failed: undefined, refused: 0 })
  })
})

describe("selection", () => {
  const circuits = [
    circuit("orders"),
    circuit("search"),
    circuit("Payments", { state: held }),
    circuit("search", { key: "eu", state: open }),
    circuit("orders", { key: "EU" }),
    circuit("mail", { state: halfOpen }),
    circuit("pricing", { state: { ...held, _tag: "HeldClosed" } })
  ]

  it("counts circuits by group", () =>
    assert.deepStrictEqual(Model.counts(circuits), { open: 1, "half-open": 1, held: 2, closed: 3 }))

  it("puts the most urgent first, and keys after their breaker", () =>
    assert.deepStrictEqual(names(Model.select(circuits, undefined, "")), [
      "search eu",
      "mail",
      "Payments",
      "pricing",
      "orders",
      "orders EU",
      "search"
    ]))

  it("finds texts in names and keys, in any case", () => {
    assert.deepStrictEqual(names(Model.select(circuits, undefined, " eu ")), ["search eu", "orders EU"])
    assert.deepStrictEqual(names(Model.select(circuits, undefined, "PAY")), ["Payments"])
    assert.deepStrictEqual(names(Model.select(circuits, "closed", "orders e")), ["orders EU"])
    assert.deepStrictEqual(names(Model.select(circuits, "open", "mail")), [])
  })

  it("says why a circuit is not closed, where somebody said so", () =>
    assert.deepStrictEqual([closed, open, halfOpen, held, { ...held, reason: "a test" }].map(Model.why), [
      undefined,
      "5 consecutive failures",
      "5 consecutive failures",
      undefined,
      "a test"
    ]))
})
