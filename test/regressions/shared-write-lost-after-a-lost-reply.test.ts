// The reply to a write was lost, and the next write, which came to bring the row and the view together, was lost as well
// or came too late. The row was not known again for the first write: a hold began twice, and a probe lost its permit.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as MemoryTable from "../support/memory-table.ts"
import * as SharedClient from "../support/shared-client.ts"

const machine = { probes: 2, needed: 3, of: 3, leaseMillis: 60_000, paceMillis: 100 }

type Write = CircuitTable.CircuitTable["write"]

/** Writes of which the first is done and nothing says so. `then` is how the second goes. */
const faulty = (
  write: Write,
  then: (first: Effect.Effect<unknown, CircuitTable.TableError>, second: Write) => Write
) => {
  let writes = 0
  let first: Effect.Effect<unknown, CircuitTable.TableError> = Effect.void
  const faulty: Write = (draft, expected) => {
    writes++
    if (writes === 1) {
      first = write(draft, expected)
      return Effect.never
    }
    return writes === 2 ? then(first, write)(draft, expected) : write(draft, expected)
  }
  return faulty
}

const run = (event: CircuitState.Event, then: Parameters<typeof faulty>[1]) =>
  Effect.gen(function* () {
    const { rows, table } = MemoryTable.make()
    let write = table.write
    const { apply, cell } = yield* SharedClient.open(
      { ...table, write: (draft, expected) => write(draft, expected) },
      machine
    )
    yield* apply({ _tag: "Trip", generation: 0, openMillis: 1000, reason: "down" })
    yield* TestClock.adjust(1000)
    yield* apply({ _tag: "Admit" })

    write = faulty(table.write, then)
    const updated = yield* Effect.forkChild(apply(event), { startImmediately: true })
    yield* TestClock.adjust(100)
    yield* Fiber.join(updated)
    yield* TestClock.adjust("10 seconds")
    const { generation } = SharedClient.stateOf(rows)!
    assert.strictEqual(cell.current.generation, generation)
    return generation
  })

const hold = { _tag: "Hold", as: "HeldOpen" } as const
const admit = { _tag: "Admit" } as const

describe("a write of which nobody knows whether it was done", () => {
  const lost = new CircuitTable.TableError({ message: "connection refused" })

  it.effect("is known again where the one after it was lost", () =>
    Effect.gen(function* () {
      for (const [event, generation] of [
        [hold, 3],
        [admit, 2]
      ] as const) {
        const found = yield* run(event, (first) => () => Effect.andThen(first, Effect.fail(lost)))
        assert.strictEqual(found, generation, event._tag)
      }
    })
  )

  it.effect("is known again where it was done late, before the one after it", () =>
    Effect.gen(function* () {
      for (const [event, generation] of [
        [hold, 3],
        [admit, 2]
      ] as const) {
        const found = yield* run(
          event,
          (first, second) => (draft, expected) => Effect.andThen(first, second(draft, expected))
        )
        assert.strictEqual(found, generation, event._tag)
      }
    })
  )
})
