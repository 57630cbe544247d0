/**
 * The laws of a circuit store. Every store passes them: the local one, and
 * those that several processes share, with as many clients as there are.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Fiber, Schema } from "effect"
import type { Scope } from "effect"
import * as CircuitState from "../../src/CircuitState.ts"
import type * as CircuitStore from "../../src/CircuitStore.ts"

type Store = CircuitStore.CircuitStore["Service"]
type State = CircuitState.CircuitState

/** The clients of one store that nobody has used yet. */
export interface Fleet {
  /** One for each process that shares the store. */
  readonly clients: ReadonlyArray<Store>
  /** Runs an effect to its end, and lets the time pass that it needs. */
  readonly drive: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
  /** Lets time pass on the store's clock and on those of its clients. */
  readonly sleep: (millis: number) => Effect.Effect<void>
  /** Ends when every client has heard of every change that was made so far. */
  readonly settle: Effect.Effect<void>
}

export interface SuiteOptions {
  /** How many clients the fleet has. Default: 1. Laws of several need two, and some are stricter with three. */
  readonly clients?: number | undefined
  /** Whether the store needs real time, and not the TestClock. Default: false. */
  readonly live?: boolean | undefined
}

/** A cell, with what its store told it. */
class TestCell implements CircuitStore.Cell {
  readonly name: string
  readonly key: string | undefined
  current: State = CircuitState.initial
  /** Changes by others, and whether the cell had been written by then. */
  readonly told: Array<{ readonly before: State; readonly after: State; readonly written: boolean }> = []

  constructor(name = "payments", key?: string) {
    this.name = name
    this.key = key
  }

  changed(before: State, after: State): Effect.Effect<void> {
    return Effect.sync(() => {
      this.told.push({ before, after, written: same(this.current, after) })
    })
  }
}

/** As a row would hold it: without keys that are undefined. */
const plain = (state: State): unknown => JSON.parse(JSON.stringify(state))
const same = (a: State, b: State) => JSON.stringify(a) === JSON.stringify(b)

const machine: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 500, paceMillis: 50 }
const openMillis = 200

const admit: CircuitState.Event = { _tag: "Admit" }
const reset: CircuitState.Event = { _tag: "Reset" }
const trip = (generation: number): CircuitState.Event => ({ _tag: "Trip", generation, openMillis, reason: "tripped" })
const hold: CircuitState.Event = { _tag: "Hold", as: "HeldOpen", reason: "maintenance", by: "ops" }
const settle = (
  generation: number,
  permit: number,
  outcome: "Success" | "Failure" | "Ignored"
): CircuitState.Event => ({
  _tag: "Settle",
  generation,
  permit,
  outcome,
  openMillis,
  reason: "probed"
})

/** Applies an event through a store. */
const apply = (store: Store, cell: TestCell, event: CircuitState.Event, config = machine) =>
  Effect.clockWith((clock) =>
    store.update(cell, clock.currentTimeMillisUnsafe(), (state, at) =>
      CircuitState.transition(state, event, at, config)
    )
  )

/** States of every kind, with and without what is optional. */
const states: ReadonlyArray<State> = [
  { _tag: "Closed", generation: 1, since: 1_700_000_000_000.5, openings: 3, openMillis: 1234.567 },
  { _tag: "Open", generation: 2, since: 5, openings: 1, openMillis: 200, reason: `it's "down"; -- \\ \n ☃ 𝕏` },
  {
    _tag: "HalfOpen",
    generation: 3,
    since: 6,
    openings: 1,
    openMillis: 200,
    reason: "",
    permits: 7,
    leases: [
      { permit: 3, since: 6, until: 506 },
      { permit: 7, since: 7.25, until: 507.25 }
    ],
    successes: 2,
    failures: 1,
    ignoredAt: 8,
    notBefore: 58
  },
  { _tag: "HeldOpen", generation: 4, since: 9, until: 1_800_000_000_000, reason: "maintenance", by: "ops" },
  { _tag: "HeldClosed", generation: 5, since: 10, until: undefined, reason: undefined, by: undefined },
  { _tag: "HeldOpen", generation: 6, since: 11 }
]

const events = Arbitrary.array(
  Arbitrary.all({
    client: Arbitrary.schema(Schema.Literals([0, 1, 2])),
    kind: Arbitrary.schema(
      Schema.Literals(["Admit", "Admit", "Admit", "Trip", "Trip", "Settle", "Settle", "Hold", "Release", "Reset"])
    ),
    outcome: Arbitrary.schema(Schema.Literals(["Success", "Failure", "Ignored"])),
    stale: Arbitrary.schema(Schema.Literals([0, 0, 0, 1])),
    wait: Arbitrary.schema(Schema.Literals([0, 0, 1, 50, 199, 200, 500]))
  }),
  { minLength: 20, maxLength: 60 }
)

/** Defines the tests of the laws for a store. `open` makes a new one for each test. */
export const suite = (
  name: string,
  open: Effect.Effect<Fleet, never, Scope.Scope>,
  { clients = 1, live = false }: SuiteOptions = {}
): void => {
  const law = (
    rule: string,
    body: (fleet: Fleet, ...stores: [Store, Store, Store]) => Effect.Effect<void, unknown, Scope.Scope>
  ) =>
    (live ? it.live : it.effect)(rule, () =>
      Effect.gen(function* () {
        const fleet = yield* open
        assert.lengthOf(fleet.clients, clients)
        // Where there are fewer than three clients, one of them is several.
        const store = (i: number) => fleet.clients[i % clients] as Store
        yield* body(fleet, store(0), store(1), store(2))
      })
    )

  describe(`laws of a circuit store: ${name}`, () => {
    law(
      "a step gets the state of the cell, and what it returns is in the cell before update ends",
      ({ drive }, store) =>
        Effect.gen(function* () {
          const cell = new TestCell()
          store.attach(cell)
          const first = yield* drive(apply(store, cell, trip(0)))
          assert.strictEqual(cell.current._tag, "Open")
          assert.deepStrictEqual(plain(cell.current), plain(first.after))
          const second = yield* drive(apply(store, cell, reset))
          assert.deepStrictEqual(plain(second.before), plain(first.after))
          assert.deepStrictEqual(plain(cell.current), plain(second.after))
        })
    )

    law("update says what was before, what is after, and what the step answered", ({ drive }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        const { after, answer, before } = yield* drive(
          store.update(cell, 0, (state) => [{ ...state, generation: state.generation + 1 }, ["an answer", state._tag]])
        )
        assert.deepStrictEqual(plain(before), plain(CircuitState.initial))
        assert.deepStrictEqual(plain(after), { ...CircuitState.initial, generation: 1 })
        assert.deepStrictEqual(answer, ["an answer", "Closed"])
      })
    )

    law("a step that returns the state that it got leaves the very same in the cell", ({ drive, settle }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        yield* drive(apply(store, cell, hold))
        yield* settle
        const { current } = cell
        const { after, answer, before } = yield* drive(apply(store, cell, admit))
        yield* settle
        // What a circuit has counted belongs to the state: an equal one would make it forget.
        assert.strictEqual(cell.current, current)
        assert.deepStrictEqual(plain(after), plain(before))
        assert.strictEqual(answer._tag, "Refused")
        assert.deepStrictEqual(cell.told, [])
      })
    )

    law("a store does not tell a cell of its own changes", ({ drive, settle }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        for (const event of [trip(0), hold, reset]) yield* drive(apply(store, cell, event))
        yield* settle
        assert.deepStrictEqual(cell.told, [])
        assert.strictEqual(cell.current.generation, 3)
      })
    )

    law("a state comes back as it was", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        for (const state of states) {
          yield* drive(store.update(cell, 0, () => [state, undefined]))
          const { before } = yield* drive(store.update(cell, 0, (each) => [each, undefined]))
          assert.deepStrictEqual(plain(before), plain(state))
        }
        if (other === store) return
        const late = new TestCell()
        other.attach(late)
        yield* settle
        assert.deepStrictEqual(plain(late.current), plain(states.at(-1) as State))
      })
    )

    law("circuits of other names and keys are other circuits", ({ drive }, store) =>
      Effect.gen(function* () {
        const names: ReadonlyArray<readonly [name: string, key?: string]> = [
          ["a"],
          ["a", ""],
          ["a", "b"],
          ["a:b"],
          ["a/b"],
          ["ab"],
          ["a", "undefined"],
          ["a", "null"],
          ["A"],
          ["a "],
          ["a", "b:c"],
          ["a:b", "c"],
          ["a", "b\u0000c"],
          ["'; DROP TABLE circuits; --", "%_*?[a]{b}"]
        ]
        const cells = names.map(([name, key]) => new TestCell(name, key))
        for (const cell of cells) store.attach(cell)
        for (const [i, cell] of cells.entries()) {
          yield* drive(store.update(cell, 0, (state) => [{ ...state, generation: i + 1 }, undefined]))
        }
        for (const [i, cell] of cells.entries()) {
          const { before } = yield* drive(store.update(cell, 0, (state) => [state, undefined]))
          assert.strictEqual(before.generation, i + 1, JSON.stringify(names[i]))
        }
      })
    )

    law("no update is lost among many at one time", ({ clients, drive, settle }) =>
      Effect.gen(function* () {
        const cells = clients.map((store) => {
          const cell = new TestCell()
          store.attach(cell)
          return [store, cell] as const
        })
        const updates = Array.from({ length: 10 }, () => cells.map(([store, cell]) => apply(store, cell, reset))).flat()
        const applied = yield* drive(Effect.all(updates, { concurrency: "unbounded" }))
        yield* settle
        const after = applied.map((each) => each.after.generation).sort((a, b) => a - b)
        assert.deepStrictEqual(
          after,
          Array.from(updates, (_, i) => i + 1)
        )
        for (const [, cell] of cells) assert.strictEqual(cell.current.generation, updates.length)
      })
    )

    law("times are numbers that do not fall", ({ drive, sleep }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        let latest = Number.NEGATIVE_INFINITY
        for (let i = 0; i < 5; i++) {
          const { answer } = yield* drive(
            Effect.clockWith((clock) => store.update(cell, clock.currentTimeMillisUnsafe(), (state, at) => [state, at]))
          )
          assert.isTrue(Number.isFinite(answer))
          assert.isAtLeast(answer, i === 0 ? latest : latest + 10)
          latest = answer
          yield* sleep(10)
        }
      })
    )

    law("a step that throws changes nothing, and the store goes on", ({ drive }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        const exit = yield* drive(
          Effect.exit(
            Effect.suspend(() =>
              store.update(cell, 0, () => {
                throw new RangeError("a mistake in the step")
              })
            )
          )
        )
        assert.isTrue(Exit.hasDies(exit))
        assert.deepStrictEqual(plain(cell.current), plain(CircuitState.initial))
        const { after } = yield* drive(apply(store, cell, reset))
        assert.strictEqual(after.generation, 1)
      })
    )

    law("an update that is interrupted was applied once or not at all", ({ drive, settle, sleep }, store) =>
      Effect.gen(function* () {
        for (const millis of [0, 1, 5, 10, 15, 20, 30]) {
          const cell = new TestCell(`interrupted after ${millis}`)
          store.attach(cell)
          const fiber = yield* Effect.forkChild(apply(store, cell, reset), { startImmediately: true })
          yield* sleep(millis)
          yield* drive(Fiber.interrupt(fiber))
          yield* settle
          const { before } = yield* drive(apply(store, cell, reset))
          assert.oneOf(before.generation, [0, 1])
          assert.strictEqual(cell.current.generation, before.generation + 1)
        }
      })
    )

    law("a cell that is detached can still be updated", ({ drive }, store) =>
      Effect.gen(function* () {
        const cell = new TestCell()
        store.attach(cell)
        yield* drive(apply(store, cell, trip(0)))
        store.detach(cell)
        const { after } = yield* drive(apply(store, cell, reset))
        assert.strictEqual(after.generation, 2)
        assert.strictEqual(cell.current.generation, 2)
      })
    )

    law(
      "any events come to what the machine says, one after the other, from any client",
      ({ clients, drive, settle, sleep }) =>
        Effect.gen(function* () {
          let circuits = 0
          const result = yield* Arbitrary.checkEffect(
            events,
            (sequence) =>
              Effect.gen(function* () {
                const name = `circuit ${circuits++}`
                const cells = clients.map((store) => {
                  const cell = new TestCell(name)
                  store.attach(cell)
                  return cell
                })
                let expected: State = CircuitState.initial
                let admission = { generation: 0, permit: 0 }
                for (const { client, kind, outcome, stale, wait } of sequence) {
                  if (wait > 0) yield* sleep(wait)
                  const i = client % clients.length
                  const cell = cells[i] as TestCell
                  const generation = expected.generation - stale
                  const event =
                    kind === "Trip"
                      ? trip(generation)
                      : kind === "Settle"
                        ? settleOf(admission, outcome)
                        : kind === "Hold"
                          ? hold
                          : ({ _tag: kind } as const)
                  let at = 0
                  const applied = yield* drive(
                    Effect.clockWith((clock) =>
                      (clients[i] as Store).update(cell, clock.currentTimeMillisUnsafe(), (state, now) => {
                        at = now
                        return CircuitState.transition(state, event, now, machine)
                      })
                    )
                  )
                  const [next, decision] = CircuitState.transition(expected, event, at, machine)
                  // Whatever the client knew, the step gets the latest state.
                  assert.deepStrictEqual(plain(applied.before), plain(expected))
                  assert.deepStrictEqual(plain(applied.after), plain(next))
                  assert.deepStrictEqual(applied.answer, decision)
                  assert.deepStrictEqual(plain(cell.current), plain(next))
                  if (decision._tag === "Admitted") admission = decision
                  expected = next
                }
                yield* settle
                for (const [i, cell] of cells.entries()) {
                  assert.deepStrictEqual(plain(cell.current), plain(expected))
                  ;(clients[i] as Store).detach(cell)
                }
                return true
              }).pipe(Effect.catchDefect(Effect.fail)),
            { runs: live ? 5 : 30, size: 300, maxShrinks: 100 }
          )
          const failure = Arbitrary.formatCheckFailure(result)
          if (failure !== undefined) assert.fail(failure)
        })
    )

    if (clients < 2) return

    law(
      "a change reaches the other clients: the cell is written, and then told once",
      ({ clients, drive, settle }, store) =>
        Effect.gen(function* () {
          const cells = clients.map((each) => {
            const cell = new TestCell()
            each.attach(cell)
            return cell
          })
          const [own, ...others] = cells as [TestCell, ...Array<TestCell>]
          yield* settle
          const { after, before } = yield* drive(apply(store, own, trip(0)))
          yield* settle
          assert.deepStrictEqual(own.told, [])
          for (const cell of others) {
            assert.deepStrictEqual(plain(cell.current), plain(after))
            assert.lengthOf(cell.told, 1)
            assert.deepStrictEqual(plain(cell.told[0]?.before as State), plain(before))
            assert.deepStrictEqual(plain(cell.told[0]?.after as State), plain(after))
            assert.isTrue(cell.told[0]?.written)
          }
        })
    )

    law("a step that changes nothing reaches nobody", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const own = new TestCell()
        const far = new TestCell()
        store.attach(own)
        other.attach(far)
        yield* drive(apply(store, own, hold))
        yield* settle
        const { current } = far
        assert.lengthOf(far.told, 1)
        yield* drive(apply(store, own, admit))
        yield* settle
        assert.strictEqual(far.current, current)
        assert.lengthOf(far.told, 1)
      })
    )

    law("a change of one circuit is none of another", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const cells = [new TestCell("a"), new TestCell("a", "k"), new TestCell("b", "k")]
        for (const cell of cells) other.attach(cell)
        const own = new TestCell("a", "k")
        store.attach(own)
        yield* drive(apply(store, own, trip(0)))
        yield* settle
        assert.deepStrictEqual(
          cells.map((cell) => [cell.current._tag, cell.told.length]),
          [
            ["Closed", 0],
            ["Open", 1],
            ["Closed", 0]
          ]
        )
      })
    )

    law("a cell that is attached later comes to the state that there is", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const own = new TestCell()
        store.attach(own)
        yield* drive(apply(store, own, hold))
        yield* settle
        const late = new TestCell()
        other.attach(late)
        yield* settle
        assert.deepStrictEqual(plain(late.current), plain(own.current))
      })
    )

    law("a cell that is detached hears no more", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const own = new TestCell()
        const gone = new TestCell()
        store.attach(own)
        other.attach(gone)
        yield* settle
        other.detach(gone)
        yield* drive(apply(store, own, trip(0)))
        yield* settle
        assert.strictEqual(gone.current, CircuitState.initial)
        assert.deepStrictEqual(gone.told, [])
      })
    )

    for (const probes of [1, 2]) {
      law(
        `of all calls in the fleet that ask at one time, as many are probes as may be: ${probes}`,
        ({ clients, drive, settle, sleep }, store) =>
          Effect.gen(function* () {
            const config = { ...machine, probes, needed: 3, of: 3 }
            const cells = clients.map((each) => {
              const cell = new TestCell()
              each.attach(cell)
              return [each, cell] as const
            })
            const ask = drive(
              Effect.all(
                Array.from({ length: 4 }, () => cells.map(([each, cell]) => apply(each, cell, admit, config))).flat(),
                { concurrency: "unbounded" }
              )
            )
            const permits = (asked: Effect.Success<typeof ask>) =>
              asked.flatMap(({ answer }) => (answer._tag === "Admitted" ? [answer.permit] : []))
            yield* drive(apply(store, cells[0]?.[1] as TestCell, trip(0), config))
            yield* settle
            yield* sleep(openMillis)
            const from = (permit: number) => Array.from({ length: probes }, (_, i) => permit + i)
            assert.deepStrictEqual(permits(yield* ask).toSorted(), from(1))
            assert.deepStrictEqual(permits(yield* ask), [])
            // A probe that never settles loses its lease, whoever it was.
            yield* sleep(machine.leaseMillis)
            assert.deepStrictEqual(permits(yield* ask).toSorted(), from(probes + 1))
          })
      )
    }

    law("what a client says of an older generation changes nothing for the others", ({ drive, settle }, store, other) =>
      Effect.gen(function* () {
        const own = new TestCell()
        const stale = new TestCell()
        store.attach(own)
        other.attach(stale)
        yield* settle
        const { after: open } = yield* drive(apply(store, own, trip(0)))
        // The other client may not have heard, and trips as well.
        const { after } = yield* drive(apply(other, stale, trip(0)))
        assert.deepStrictEqual(plain(after), plain(open))
        yield* settle
        assert.deepStrictEqual(plain(own.current), plain(open))
        assert.deepStrictEqual(plain(stale.current), plain(open))
      })
    )

    law("a view only moves forward, and each change is told once", ({ clients, drive, settle }) =>
      Effect.gen(function* () {
        const views = clients.map((store) => {
          const cell = new TestCell()
          const heard: Array<readonly [from: number, to: number]> = []
          const seen: Array<number> = []
          const watch = Object.defineProperty(cell, "current", {
            get: () => state,
            set: (next: State) => {
              state = next
              seen.push(next.generation)
            }
          })
          let state: State = CircuitState.initial
          store.attach(watch)
          const update = Effect.map(apply(store, watch, reset), ({ after, before }) => {
            heard.push([before.generation, after.generation])
          })
          return { cell: watch, heard, seen, update }
        })
        yield* settle
        for (let round = 0; round < 5; round++) {
          yield* drive(
            Effect.all(
              views.flatMap(({ update }) => [update, update]),
              { concurrency: "unbounded" }
            )
          )
        }
        yield* settle
        const last = 10 * clients.length
        for (const { cell, heard, seen } of views) {
          assert.deepStrictEqual(
            seen,
            seen.toSorted((a, b) => a - b)
          )
          assert.strictEqual(cell.current.generation, last)
          const told = cell.told.map(({ after, before }) => [before.generation, after.generation] as const)
          const all = [...heard, ...told].sort(([a], [b]) => a - b)
          // What is told and what it did itself leave no gap and do not overlap.
          assert.deepStrictEqual(
            all.map(([from]) => from),
            [0, ...all.map(([, to]) => to)].slice(0, -1)
          )
          assert.strictEqual(all.at(-1)?.[1], last)
        }
      })
    )
  })
}

const settleOf = (
  { generation, permit }: { readonly generation: number; readonly permit: number },
  outcome: "Success" | "Failure" | "Ignored"
) => settle(generation, permit, outcome)
