import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Reachability from "../../src/store/internal/Reachability.ts"

const { Reachability: Table } = Reachability

describe("Reachability", () => {
  it("a table answers until it fails, and is away until it answers", () => {
    const table = new Table(10)
    assert.deepInclude(table.status, { reachable: true, since: 10 })
    table.failed("refused", 20)
    assert.isTrue(table.isAway)
    assert.deepInclude(table.status, { reachable: false, since: 20 })
    table.answered(50)
    assert.isFalse(table.isAway)
    assert.deepInclude(table.status, { reachable: true, since: 50 })
  })

  it("says what is new: the first failure, and the first answer with how long there was none", () => {
    const table = new Table(0)
    assert.isUndefined(table.answered(10))
    assert.isTrue(table.failed("refused", 20))
    assert.isFalse(table.failed("refused", 30))
    assert.strictEqual(table.answered(50), 30)
    assert.isUndefined(table.answered(60))
    assert.strictEqual(table.status.since, 50)
  })

  it("counts operations and errors, also those that do not say that the table is away", () => {
    const table = new Table(0)
    assert.deepStrictEqual(table.status, { reachable: true, since: 0, operations: 0, errors: 0, lastError: undefined })
    table.asked()
    table.asked()
    table.noted("the feed is gone")
    assert.deepInclude(table.status, { reachable: true, operations: 2, errors: 1, lastError: "the feed is gone" })
    table.failed("refused", 10)
    table.failed("timeout", 20)
    assert.deepInclude(table.status, { operations: 2, errors: 3, lastError: "timeout" })
  })

  it.effect("who waits for an outage, or for its end, continues with it", () =>
    Effect.gen(function* () {
      const table = new Table(0)
      const told: Array<string> = []
      const wait = Effect.gen(function* () {
        for (;;) {
          yield* table.lost
          told.push("lost")
          yield* table.back
          told.push("back")
        }
      })
      yield* Effect.forkChild(wait, { startImmediately: true })
      yield* table.back
      assert.deepStrictEqual(told, [])
      for (const now of [10, 20]) {
        table.failed("refused", now)
        yield* Effect.yieldNow
        table.answered(now + 5)
        yield* Effect.yieldNow
      }
      assert.deepStrictEqual(told, ["lost", "back", "lost", "back"])
    })
  )
})
