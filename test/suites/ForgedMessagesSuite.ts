/**
 * What somebody gets who may only send messages on the channel of a table: nothing.
 */
import { assert } from "@effect/vitest"
import { Effect, Logger, References } from "effect"
import type * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"
import type * as CircuitTable from "../../src/store/CircuitTable.ts"
import type { Ran } from "../cli/process.ts"
import * as Cells from "../support/cells.ts"

/** A server, and what one can do there. */
export interface Ground<E, R> {
  /** A process. It polls rarely, so what it hears of at once was told it. */
  readonly store: Effect.Effect<CircuitStore.CircuitStore["Service"], E, R>
  readonly table: CircuitTable.CircuitTable
  /** Sends a row as a message, as processes did that took it for the row. */
  readonly forge: (row: CircuitTable.Row) => Effect.Effect<void, E, R>
  /** Begins to listen, and returns the texts that came. */
  readonly listen: Effect.Effect<ReadonlyArray<string>, E, R>
  /** Sends any text. */
  readonly send: (text: string) => Effect.Effect<void, E, R>
  /** Runs `resilience`, as an operator does. */
  readonly cli: (...args: ReadonlyArray<string>) => Effect.Effect<Ran, E, R>
}

const config: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 5000, paceMillis: 100 }

const held = (as: "HeldOpen" | "HeldClosed", generation: number) =>
  JSON.stringify({ state: { _tag: as, generation, since: 1, by: "ada", reason: "forged" }, operation: "ada" })

/** Attacks two processes, and has an operator reset the circuit meanwhile. */
export const attack = <E, R>(open: Effect.Effect<Ground<E, R>, E, R>) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    yield* Effect.gen(function* () {
      const ground = yield* open
      const { table } = ground
      const stores = [yield* ground.store, yield* ground.store]
      const cells = stores.map((store) => {
        const cell = new Cells.Cell()
        store.attach(cell)
        return cell
      })
      const [first] = stores
      const [cell] = cells
      const heard = yield* ground.listen
      yield* Effect.sleep(300)
      assert.isDefined(first)
      yield* Cells.apply(first, cell!, { _tag: "Hold", as: "HeldOpen", reason: "told to nobody", by: "ada" }, config)
      yield* Cells.apply(first, cell!, { _tag: "Reset" }, config)
      yield* Effect.sleep(300)
      // Who may only listen learns which row was written.
      assert.isAbove(heard.length, 0)
      for (const text of heard) {
        const message = JSON.parse(text) as Readonly<Record<string, unknown>>
        assert.deepStrictEqual(
          Object.keys(message).filter((field) => field !== "space"),
          ["resourceKey", "version"]
        )
        assert.strictEqual(message["resourceKey"], "payments")
      }
      const rowOf = Effect.map(table.read(["payments"]), ({ rows }) => rows[0]!)
      const seen = () => cells.map(({ current, told }) => [current._tag, current.generation, told])
      const before = yield* rowOf
      const calm = seen()
      assert.deepStrictEqual(
        cells.map(({ current }) => current._tag),
        ["Closed", "Closed"]
      )

      for (const as of ["HeldOpen", "HeldClosed"] as const) {
        for (const version of [before.version + 1, Number.MAX_SAFE_INTEGER]) {
          const data = held(as, 1000)
          yield* ground.forge({ ...before, version, data, updatedAt: before.updatedAt + 1, updatedBy: "ada" })
          yield* Effect.sleep(200)
          assert.deepStrictEqual(seen(), calm, `after ${as} of version ${version}`)
        }
      }
      const garbage = ["", "{", "null", "[]", "x".repeat(7000), '{"space":1,"resourceKey":["payments"]}']
      for (const text of garbage) yield* ground.send(text)
      yield* ground.forge({ ...before, version: before.version + 5, data: "no JSON" })
      yield* Effect.sleep(200)
      assert.deepStrictEqual(seen(), calm, "after garbage")
      assert.deepStrictEqual(yield* rowOf, before)

      // Who releases what status does not show wrote the forgery into the table.
      const reset = yield* ground.cli("reset", "payments")
      assert.deepStrictEqual([reset.code, reset.err], [0, ""])
      yield* Effect.sleep(300)
      const entry = JSON.parse((yield* rowOf).data) as { readonly state: CircuitState.CircuitState }
      assert.deepInclude(entry.state, { _tag: "Closed" })
      assert.isBelow(entry.state.generation, 1000)
      for (const each of cells) assert.deepInclude(each.current, { _tag: "Closed", generation: entry.state.generation })

      // A hold that an operator makes still arrives, among a thousand lies about it.
      const { version } = yield* rowOf
      const lies = Effect.gen(function* () {
        for (let i = 0; i < 1000; i++) {
          yield* ground.forge({ ...before, version: version + i, data: held("HeldClosed", 2000 + i) })
        }
      })
      const hold = yield* Effect.all([ground.cli("hold-open", "payments", "--by", "bo", "--reason", "down"), lies], {
        concurrency: 2
      })
      assert.strictEqual(hold[0].code, 0, hold[0].err)
      for (let i = 0; i < 100 && cells.some(({ current }) => current._tag !== "HeldOpen"); i++) yield* Effect.sleep(100)
      for (const each of cells) assert.deepInclude(each.current, { _tag: "HeldOpen", by: "bo" })
      for (const each of cells) assert.notInclude(each.told.join(), "HeldClosed")
    }).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Info"))
    // One line of each process.
    const junk = lines.filter((line) => /messages/.test(line))
    assert.isAtMost(junk.length, 2, junk.join("\n"))
    assert.deepStrictEqual(
      lines.filter((line) => /cannot be read/.test(line)),
      []
    )
  }).pipe(Effect.scoped)
