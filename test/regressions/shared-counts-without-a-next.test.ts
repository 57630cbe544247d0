// A row whose generation is the highest number was read as a state, and none could be written over it: each call and each
// operator of that circuit met a defect in every process, and views of other circuits that waited to be written were lost.
// A row of which only the text was spoilt was written over with generation 1, which was older than what others knew: a hold
// that an operator had ended came back.
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Scope } from "effect"
import { SqlClient } from "effect/sql"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitMigration from "../../src/store/CircuitMigration.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableSql from "../../src/store/CircuitTableSql.ts"
import * as Cells from "../support/cells.ts"
import * as Sqlite from "../support/sqlite.ts"

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }

const spoilt = (state: CircuitState.CircuitState) => JSON.stringify({ state, operation: "somebody" })

interface Ground {
  readonly table: CircuitTable.CircuitTable
  /** Two processes with the circuit `payments`. */
  readonly processes: ReadonlyArray<{
    readonly cell: Cells.Cell
    readonly apply: (event: CircuitState.Event) => Effect.Effect<unknown>
  }>
  /** Starts another process. */
  readonly start: Effect.Effect<Ground["processes"][number], unknown, Scope.Scope>
  readonly spoil: (data: string, versions: number) => Effect.Effect<unknown, unknown>
  /** States of the row and of the views. */
  readonly states: Effect.Effect<ReadonlyArray<string | undefined>, unknown>
}

const ground: Effect.Effect<Ground, unknown, Scope.Scope> = Effect.gen(function* () {
  const sql = yield* Sqlite.make()
  const within = Effect.provideService(SqlClient.SqlClient, sql)
  yield* within(CircuitMigration.apply())
  const table = yield* within(CircuitTableSql.make())
  const process = Effect.gen(function* () {
    const store = yield* CircuitStoreTable.make(table, { pollEvery: "100 millis", log: false })
    const cell = new Cells.Cell()
    store.attach(cell)
    return { cell, apply: (event: CircuitState.Event) => Cells.apply(store, cell, event, config) }
  })
  const processes = [yield* process, yield* process]
  yield* Effect.sleep(200)
  return {
    table,
    processes,
    start: process,
    spoil: (data, versions) =>
      sql`UPDATE resilience_circuits SET data = ${data}, version = version + ${versions}, updated_at = ${Date.now()}`,
    states: Effect.map(Effect.delay(table.read(["payments"]), "400 millis"), ({ rows }) => [
      CircuitTable.decode(rows[0]?.data ?? "")?.state._tag,
      ...processes.map(({ cell }) => cell.current._tag)
    ])
  }
})

const { MAX_SAFE_INTEGER: highest } = Number

const counts: { readonly [what: string]: CircuitState.CircuitState } = {
  "the generation of a closed circuit": { ...CircuitState.initial, generation: highest },
  "the generation of a hold": { _tag: "HeldOpen", generation: highest, since: 1 },
  "the last generation that is read": { _tag: "HeldClosed", generation: 2 ** 50, since: 1 },
  openings: { ...CircuitState.initial, generation: 3, openings: highest },
  permits: {
    _tag: "HalfOpen",
    generation: 5,
    since: 1,
    openings: 1,
    openMillis: 1,
    reason: "tripped",
    permits: highest,
    leases: [],
    successes: 0,
    failures: highest,
    ignoredAt: 1,
    notBefore: 1
  }
}

// They wait for polls, each for those of its own table.
describe("a count without a next", { concurrent: true }, () => {
  for (const [what, state] of Object.entries(counts)) {
    it.live(`${what}, too high to go on from, is healed`, () =>
      Effect.gen(function* () {
        const { processes, spoil, states } = yield* ground
        const [a, b] = processes
        assert.isDefined(a)
        assert.isDefined(b)
        yield* a.apply({ _tag: "Hold", as: "HeldOpen", by: "ops" })
        yield* a.apply({ _tag: "Reset" })
        yield* spoil(spoilt(state), 1)
        yield* Effect.sleep(400)
        for (const one of [a, b, a]) {
          yield* one.apply({ _tag: "Admit" })
          yield* one.apply({ _tag: "Hold", as: "HeldOpen", by: "ops" })
          assert.deepStrictEqual(yield* states, ["HeldOpen", "HeldOpen", "HeldOpen"])
          yield* one.apply({ _tag: "Release" })
          assert.deepStrictEqual(yield* states, ["Closed", "Closed", "Closed"])
        }
      }).pipe(Effect.scoped)
    )
  }

  it.live("a hold that was ended over a spoilt text stays ended", () =>
    Effect.gen(function* () {
      const { processes, spoil, states, table } = yield* ground
      yield* processes[0]?.apply({ _tag: "Hold", as: "HeldOpen", by: "ops" }) ?? Effect.void
      assert.deepStrictEqual(yield* states, ["HeldOpen", "HeldOpen", "HeldOpen"])
      yield* spoil("{", 0)
      yield* CircuitTable.update(table, "payments", "ops", (state, now) => [CircuitState.reset(state, now), undefined])
      assert.deepStrictEqual(yield* states, ["Closed", "Closed", "Closed"])
    }).pipe(Effect.scoped)
  )

  it.live("a hold that a process ended over a spoilt text, which did not know it, stays ended", () =>
    Effect.gen(function* () {
      const { processes, spoil, start, states } = yield* ground
      yield* processes[0]?.apply({ _tag: "Hold", as: "HeldOpen", by: "ops" }) ?? Effect.void
      assert.deepStrictEqual(yield* states, ["HeldOpen", "HeldOpen", "HeldOpen"])
      yield* spoil("{", 0)
      const other = yield* start
      yield* Effect.sleep(300)
      yield* other.apply({ _tag: "Reset" })
      assert.deepStrictEqual(yield* states, ["Closed", "Closed", "Closed"])
      yield* other.apply({ _tag: "Hold", as: "HeldClosed", by: "ops" })
      assert.deepStrictEqual(yield* states, ["HeldClosed", "HeldClosed", "HeldClosed"])
    }).pipe(Effect.scoped)
  )

  it.live("the highest generation that is read is no end for the command line", () =>
    Effect.gen(function* () {
      const { processes, spoil, states, table } = yield* ground
      yield* processes[0]?.apply({ _tag: "Reset" }) ?? Effect.void
      yield* spoil(spoilt({ _tag: "HeldOpen", generation: 2 ** 50, since: 1 }), 1)
      const apply = (step: (state: CircuitState.CircuitState, now: number) => CircuitState.CircuitState) =>
        CircuitTable.update(table, "payments", "ops", (state, now) => [step(state, now), undefined])
      assert.deepStrictEqual(yield* states, ["HeldOpen", "HeldOpen", "HeldOpen"])
      yield* apply(CircuitState.reset)
      assert.deepStrictEqual((yield* states).slice(1), ["Closed", "Closed"])
      for (let i = 0; i < 2; i++) {
        yield* apply((state, now) => CircuitState.hold(state, { as: "HeldOpen" }, now))
        assert.deepStrictEqual(yield* states, ["HeldOpen", "HeldOpen", "HeldOpen"])
        yield* apply(CircuitState.reset)
        assert.deepStrictEqual(yield* states, ["Closed", "Closed", "Closed"])
      }
    }).pipe(Effect.scoped)
  )
})
