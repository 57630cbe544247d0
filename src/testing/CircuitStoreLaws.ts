/**
 * Laws of a circuit store, for authors of stores.
 *
 * **Details**
 *
 * - Every store passes them: the local one, and those that several processes
 *   share, with as many clients as there are.
 * - The clients and the store have one clock, as on one machine. A store that
 *   shares with other clocks passes too where these agree.
 * - A law fails with a `LawError` that shows what was expected and found, and
 *   the shortest history that was found to break it.
 *
 * **Example** (Holding a store to the laws)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CircuitStore } from "effect-resilience"
 * import { CircuitStoreLaws } from "effect-resilience/testing"
 *
 * const open = Effect.succeed(CircuitStoreLaws.liveFleet([CircuitStore.local], { settle: 0 }))
 * const [law] = CircuitStoreLaws.laws({ open })
 *
 * law?.name // => "a step gets the state of the cell, and what it returns is in the cell before update ends"
 * await Effect.runPromise(Effect.scoped(law?.check ?? Effect.void)) // => undefined
 * ```
 */
import * as Arbitrary from "effect/Arbitrary"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as CircuitState from "../circuit/CircuitState.ts"
import * as Rules from "../core/internal/Rules.ts"
import type * as CircuitStore from "../store/CircuitStore.ts"
import * as CircuitHistory from "./internal/CircuitHistory.ts"
import * as Law from "./Law.ts"

type Store = CircuitStore.CircuitStore["Service"]
type State = CircuitState.CircuitState

/**
 * Clients of one store that nobody has used yet.
 */
export interface Fleet {
  /** One for each process that shares the store. */
  readonly clients: ReadonlyArray<Store>
  /** Runs an effect to its end, and lets the time pass that it and the store wait for. */
  readonly drive: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Lets time pass on the store's clock and on those of its clients. */
  readonly sleep: (millis: number) => Effect.Effect<void>
  /** Ends when every client has every change that was made so far. */
  readonly settle: Effect.Effect<void>
}

const module = "CircuitStoreLaws"

/**
 * Options of a fleet.
 */
export interface FleetOptions {
  /** How long it takes until every client has a change. */
  readonly settle: Duration.Input
}

/**
 * Returns a fleet of clients that need real time, such as those of a server.
 */
export const liveFleet = (clients: ReadonlyArray<Store>, { settle }: FleetOptions): Fleet => ({
  clients,
  drive: (effect) => effect,
  sleep: Effect.sleep,
  settle: Effect.sleep(Rules.millis(module, "settle", settle, "zero"))
})

/**
 * Returns a fleet of clients on the `TestClock`, which it moves by a millisecond
 * as long as something waits.
 */
export const testFleet = (clients: ReadonlyArray<Store>, { settle }: FleetOptions): Fleet => ({
  clients,
  drive: (effect) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
      while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1)
      return yield* Fiber.join(fiber)
    }),
  sleep: TestClock.adjust,
  settle: TestClock.adjust(Rules.millis(module, "settle", settle, "zero"))
})

/**
 * Options of the laws.
 */
export interface Options<E = never, R = never> {
  /** Opens a fleet. Each law opens one of its own. */
  readonly open: Effect.Effect<Fleet, E, R | Scope.Scope>
  /** How many clients the fleets have. Default: 1. Laws of several need two, and some are stricter with three. */
  readonly clients?: number | undefined
  /** Random sequences that the law about events at one time draws, that about events in turn a tenth. Default: 2000. */
  readonly runs?: number | undefined
  /** Sequences that are under way at one time, each on a circuit of its own. Default: 50. */
  readonly concurrency?: number | undefined
  /** How long it may take until all clients have the last change of a sequence. Default: 2 seconds. */
  readonly patience?: Duration.Input | undefined
  /** Seed of the random sequences. Default: one of the `Random` of the fiber. */
  readonly seed?: string | number | undefined
}

/**
 * Values of the options that are not given.
 */
export const defaults = { clients: 1, runs: 2000, concurrency: 50, patience: "2 seconds" } as const

/**
 * Options, checked and with their defaults. Durations are in milliseconds.
 */
export interface Resolved<E = never, R = never> {
  readonly open: Effect.Effect<Fleet, E, R | Scope.Scope>
  readonly clients: number
  readonly runs: number
  readonly concurrency: number
  readonly patience: number
  /** Absent where none is given: each law draws its own. */
  readonly seed: string | number | undefined
}

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = <E = never, R = never>(options: Options<E, R>): Resolved<E, R> => {
  const count = (option: "clients" | "runs" | "concurrency") =>
    Rules.count(module, option, options[option] ?? defaults[option])
  return {
    open: Effect.isEffect(options.open) ? options.open : Rules.reject(module, "open", options.open, "an Effect"),
    clients: count("clients"),
    runs: count("runs"),
    concurrency: count("concurrency"),
    patience: Rules.millis(module, "patience", options.patience ?? defaults.patience),
    seed: options.seed
  }
}

const machine: CircuitState.Config = { probes: 1, needed: 1, of: 1, leaseMillis: 500, paceMillis: 50 }
const openMillis = 200

const admit: CircuitState.Event = { _tag: "Admit" }
const reset: CircuitState.Event = { _tag: "Reset" }
const trip: CircuitState.Event = { _tag: "Trip", generation: 0, openMillis, reason: "tripped" }
const hold: CircuitState.Event = { _tag: "Hold", as: "HeldOpen", reason: "maintenance", by: "ops" }

/** Applies an event through a store. */
const apply = (store: Store, cell: CircuitStore.Cell, event: CircuitState.Event, config = machine) =>
  Effect.clockWith((clock) =>
    store.update(cell, clock.currentTimeMillisUnsafe(), (state, at) =>
      CircuitState.transition(state, event, at, config)
    )
  )

/** Returns a cell that a store has begun to keep in step. */
const attached = (store: Store, name?: string, key?: string): CircuitHistory.Cell => {
  const cell = new CircuitHistory.Cell(name, key)
  store.attach(cell)
  return cell
}

/** States of every kind, with and without the optional fields. */
const states: ReadonlyArray<State> = [
  { _tag: "Closed", generation: 1, since: 1_700_000_000_000.5, openings: 3, openMillis: 1234.567 },
  { _tag: "Closed", generation: 1, since: 4, openings: 3, openMillis: 5, votes: [{ by: "a: \u2603", at: 3.5 }] },
  { _tag: "Open", generation: 2, since: 5, openings: 1, openMillis: 200, reason: `it's "down"; -- \\ \n ☃ 𝕏` },
  { _tag: "Open", generation: 2, since: 5, openings: 1, openMillis: 200, reason: "", failures: 7 },
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

// What a sequence works by: short enough to wait for on a real clock.
const short = { openMillis: 20, leaseMillis: 60, paceMillis: 10, holdMillis: 15 }

/** One command of a sequence. */
interface Command {
  /** How long to wait before it. */
  readonly wait: number
  /** Whether all that is under way has to end before it. */
  readonly alone: boolean
  readonly client: number
  readonly kind: "Admit" | "Trip" | "Settle" | "HoldOpen" | "HoldClosed" | "Release" | "Reset"
  readonly outcome: "Success" | "Failure" | "Ignored"
  /** Which of what is outstanding, and how old a generation. */
  readonly pick: number
  /** How long after its begin it is interrupted, or -1 for never. */
  readonly cut: number
  readonly forever: boolean
}

/** Sequence of commands on one circuit. */
interface Sequence {
  readonly probes: number
  readonly needed: number
  readonly spare: number
  readonly commands: ReadonlyArray<Command>
}

const one = <const L extends ReadonlyArray<string | number | boolean>>(values: L) =>
  Arbitrary.schema(Schema.Literals(values))

const sequences = (maxLength: number): Arbitrary.Arbitrary<Sequence> =>
  Arbitrary.all({
    probes: one([1, 1, 2, 3]),
    needed: one([1, 1, 2]),
    spare: one([0, 0, 1]),
    commands: Arbitrary.array(
      Arbitrary.all({
        wait: one([0, 0, 0, 0, 0, 1, 2, 5, 10, short.openMillis, short.openMillis, short.leaseMillis]),
        alone: one([false, false, false, true]),
        client: one([0, 1, 2]),
        kind: one([
          ...(["Admit", "Admit", "Admit", "Admit", "Admit", "Admit", "Trip", "Trip", "Trip", "Trip"] as const),
          ...(["Settle", "Settle", "Settle", "Settle", "HoldOpen", "HoldClosed", "Release", "Reset"] as const)
        ]),
        outcome: one(["Success", "Failure", "Ignored"]),
        pick: one([0, 0, 0, 0, 1, 2]),
        cut: one([-1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 3]),
        forever: one([true, false])
      }),
      { minLength: 1, maxLength }
    )
  })

/** Plays a sequence on a circuit of its own, and waits until all clients have seen the end. */
const play = (
  clients: ReadonlyArray<Store>,
  name: string,
  { commands, needed, probes, spare }: Sequence,
  { inTurn, patience }: { readonly inTurn: boolean; readonly patience: number }
): Effect.Effect<boolean, Law.LawError> =>
  Effect.gen(function* () {
    const cells = clients.map((store) => attached(store, name))
    const config = {
      probes,
      needed,
      of: needed + spare,
      leaseMillis: short.leaseMillis,
      paceMillis: short.paceMillis
    }
    const history = { config, cells, operations: new Array<CircuitHistory.Operation>() }
    // Who was admitted has the permit until it settles.
    const outstanding = cells.map(() => new Array<{ readonly generation: number; readonly permit: number }>())
    let ticks = 0
    const order = () => ticks++
    const running: Array<Fiber.Fiber<void>> = []
    for (const command of commands) {
      const { alone, cut, outcome, pick, wait } = command
      if (wait > 0) yield* Effect.sleep(wait)
      if (alone || inTurn) yield* Fiber.awaitAll(running.splice(0))
      const client = command.client % clients.length
      const store = clients[client] as Store // it is one of them
      const cell = cells[client] as CircuitHistory.Cell // there is one for each client
      const permits = outstanding[client] ?? []
      const event = ((): CircuitState.Event | undefined => {
        switch (command.kind) {
          case "Trip":
            return { ...trip, openMillis: short.openMillis, generation: Math.max(0, cell.current.generation - pick) }
          case "Settle": {
            const [permit] = permits.splice(pick % Math.max(1, permits.length), 1)
            if (permit === undefined) return undefined
            const { generation, permit: id } = permit
            return { _tag: "Settle", generation, permit: id, outcome, openMillis: short.openMillis, reason: "probed" }
          }
          case "HoldOpen":
          case "HoldClosed": {
            const as = command.kind === "HoldOpen" ? "HeldOpen" : "HeldClosed"
            return { ...hold, as, ...(command.forever ? undefined : { forMillis: short.holdMillis }) }
          }
          default:
            return { _tag: command.kind }
        }
      })()
      if (event === undefined) continue
      const update = Effect.map(
        CircuitHistory.apply(store, history, client, event, { waited: wait, order }),
        ({ applied }) => {
          if (applied?.answer._tag === "Admitted" && applied.answer.permit > 0) permits.push(applied.answer)
        }
      )
      const fiber = yield* Effect.forkChild(update, { startImmediately: true })
      running.push(fiber)
      if (cut >= 0 && !inTurn) {
        running.push(
          yield* Effect.forkChild(Effect.andThen(Effect.sleep(cut), Fiber.interrupt(fiber)), { startImmediately: true })
        )
      }
    }
    yield* Fiber.awaitAll(running)
    let verdict = CircuitHistory.verify(history)
    for (let waited = 0; verdict?.late === true && waited < patience; waited += 10) {
      yield* Effect.sleep(10)
      verdict = CircuitHistory.verify(history)
    }
    for (const [i, store] of clients.entries()) store.detach(cells[i] as CircuitHistory.Cell) // one for each client
    return verdict === undefined ? true : yield* Effect.fail(verdict.error)
  })

/**
 * Returns the laws of a store. Laws that need several clients are among them
 * where there are at least two.
 *
 * **Example** (In a test file)
 *
 * ```ts
 * import { describe, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { CircuitStore } from "effect-resilience"
 * import { CircuitStoreLaws } from "effect-resilience/testing"
 *
 * const open = Effect.succeed(CircuitStoreLaws.testFleet([CircuitStore.local], { settle: 0 }))
 *
 * describe("laws of my store", () => {
 *   for (const law of CircuitStoreLaws.laws({ open, runs: 20 })) it.effect(law.name, () => law.check)
 * })
 * ```
 */
export const laws = <E = never, R = never>(options: Options<E, R>): ReadonlyArray<Law.Law<E, R>> => {
  const { clients, concurrency, open, patience, runs, seed } = resolve(options)
  const all: Array<Law.Law<E, R>> = []

  const law = (
    name: string,
    body: (fleet: Fleet, ...stores: [Store, Store, Store]) => Effect.Effect<void, Law.LawError, Scope.Scope>
  ): void => {
    all.push({
      name,
      check: Effect.gen(function* () {
        const fleet = yield* open
        yield* Law.same(fleet.clients.length, clients, "the number of clients")
        // Where there are fewer than three clients, one of them is several.
        const store = (i: number) => fleet.clients[i % clients] as Store // there are as many as expected
        yield* body(fleet, store(0), store(1), store(2))
      })
    })
  }

  const random = (name: string, inTurn: boolean, sequence: Arbitrary.Arbitrary<Sequence>, runs: number): void => {
    law(name, ({ clients, drive }) => {
      let circuits = 0
      const search = Arbitrary.checkEffect(
        sequence,
        (each) => play(clients, `circuit ${circuits++}`, each, { inTurn, patience }),
        { runs, concurrency, seed, size: 300, maxShrinks: 100 }
      )
      return Effect.flatMap(drive(search), Law.passed)
    })
  }

  law("a step gets the state of the cell, and what it returns is in the cell before update ends", ({ drive }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      const first = yield* drive(apply(store, cell, trip))
      yield* Law.same(cell.current._tag, "Open", "the cell after a trip")
      yield* Law.same(cell.current, first.after, "the cell after a trip")
      const second = yield* drive(apply(store, cell, reset))
      yield* Law.same(second.before, first.after, "what the second step got")
      yield* Law.same(cell.current, second.after, "the cell after a reset")
    })
  )

  law("update says what was before, what is after, and what the step answered", ({ drive }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      const applied = yield* drive(
        store.update(cell, 0, (state) => [{ ...state, generation: state.generation + 1 }, ["an answer", state._tag]])
      )
      const { initial } = CircuitState
      const expected = { before: initial, after: { ...initial, generation: 1 }, answer: ["an answer", "Closed"] }
      yield* Law.same(applied, expected, "what update says")
    })
  )

  law("a step that returns the state that it got leaves the very same in the cell", ({ drive, settle }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      yield* drive(apply(store, cell, hold))
      yield* settle
      const { current } = cell
      const { after, answer, before } = yield* drive(apply(store, cell, admit))
      yield* settle
      // What a circuit has counted belongs to the state: an equal one would make it forget.
      yield* Law.holds(cell.current === current, "the cell has the identical state", cell.current)
      yield* Law.same(after, before, "the state after the step")
      yield* Law.same(answer._tag, "Refused", "the answer")
      yield* Law.same(cell.told, [], "what the cell was told")
    })
  )

  law("a store does not tell a cell of its own changes", ({ drive, settle }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      for (const event of [trip, hold, reset]) yield* drive(apply(store, cell, event))
      yield* settle
      yield* Law.same(cell.told, [], "what the cell was told")
      yield* Law.same(cell.current.generation, 3, "the generation")
    })
  )

  law("a state comes back as it was", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const cell = attached(store)
      for (const state of states) {
        yield* drive(store.update(cell, 0, () => [state, undefined]))
        const { before } = yield* drive(store.update(cell, 0, (each) => [each, undefined]))
        yield* Law.same(before, state, "what the next step got")
      }
      if (other === store) return
      const late = attached(other)
      yield* settle
      yield* Law.same(late.current, states.at(-1), "the cell of another client")
    })
  )

  law("circuits of other names and keys are other circuits", ({ drive }, store) =>
    Effect.gen(function* () {
      const cells = names.map(([name, key]) => attached(store, name, key))
      for (const [i, cell] of cells.entries()) {
        yield* drive(store.update(cell, 0, (state) => [{ ...state, generation: i + 1 }, undefined]))
      }
      for (const [i, cell] of cells.entries()) {
        const { before } = yield* drive(store.update(cell, 0, (state) => [state, undefined]))
        yield* Law.same(before.generation, i + 1, `the generation of ${JSON.stringify(names[i])}`)
      }
    })
  )

  law("no update is lost among many at one time", ({ clients, drive, settle }) =>
    Effect.gen(function* () {
      const cells = clients.map((store) => [store, attached(store)] as const)
      const updates = Array.from({ length: 10 }, () => cells.map(([store, cell]) => apply(store, cell, reset))).flat()
      const applied = yield* drive(Effect.all(updates, { concurrency: "unbounded" }))
      yield* settle
      const after = applied.map((each) => each.after.generation).toSorted((a, b) => a - b)
      const expected = Array.from(updates, (_, i) => i + 1)
      yield* Law.same(after, expected, "the generations that the updates came to")
      for (const [, cell] of cells) yield* Law.same(cell.current.generation, updates.length, "the generation of a cell")
    })
  )

  law("times are numbers that do not fall", ({ drive, sleep }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      let least = Number.NEGATIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        const { answer } = yield* drive(
          Effect.clockWith((clock) => store.update(cell, clock.currentTimeMillisUnsafe(), (state, at) => [state, at]))
        )
        yield* Law.holds(Number.isFinite(answer) && answer >= least, `the time is at least ${least}`, answer)
        least = answer + 9
        yield* sleep(10)
      }
    })
  )

  law("a step that throws changes nothing, and the store continues", ({ drive }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      const exit = yield* drive(
        Effect.exit(
          Effect.suspend(() =>
            store.update(cell, 0, () => {
              throw new RangeError("a mistake in the step")
            })
          )
        )
      )
      yield* Law.holds(Exit.hasDies(exit), "update dies with what the step threw", exit._tag)
      yield* Law.same(cell.current, CircuitState.initial, "the cell")
      const { after } = yield* drive(apply(store, cell, reset))
      yield* Law.same(after.generation, 1, "the generation after another step")
    })
  )

  law("an update that is interrupted was applied once or not at all", ({ drive, settle, sleep }, store) =>
    Effect.gen(function* () {
      for (const millis of [0, 1, 5, 10, 15, 20, 30]) {
        const cell = attached(store, `interrupted after ${millis}`)
        const fiber = yield* Effect.forkChild(apply(store, cell, reset), { startImmediately: true })
        yield* sleep(millis)
        yield* drive(Fiber.interrupt(fiber))
        yield* settle
        const { before } = yield* drive(apply(store, cell, reset))
        yield* Law.holds(before.generation <= 1, "the generation is 0 or 1", before.generation)
        yield* Law.same(cell.current.generation, before.generation + 1, "the generation after another step")
      }
    })
  )

  law("a cell that is detached can still be updated", ({ drive }, store) =>
    Effect.gen(function* () {
      const cell = attached(store)
      yield* drive(apply(store, cell, trip))
      store.detach(cell)
      const { after } = yield* drive(apply(store, cell, reset))
      yield* Law.same([after.generation, cell.current.generation], [2, 2], "the generations of the update and the cell")
    })
  )

  law("an eager update comes into the cell, and then to the others", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const cell = attached(store)
      const far = attached(other)
      yield* settle
      const update = Effect.clockWith((clock) =>
        store.update(
          cell,
          clock.currentTimeMillisUnsafe(),
          (state, at) => CircuitState.transition(state, hold, at, machine),
          { eager: true }
        )
      )
      const { after } = yield* drive(update)
      yield* Law.same([after._tag, cell.current._tag], ["HeldOpen", "HeldOpen"], "the update and the cell")
      yield* settle
      const tags = [cell.current._tag, store === other ? "HeldOpen" : far.current._tag]
      yield* Law.same(tags, ["HeldOpen", "HeldOpen"], "both cells once all have heard")
      yield* Law.same(cell.told, [], "what the cell was told")
      const { before } = yield* drive(apply(store, cell, admit))
      yield* Law.same(before._tag, "HeldOpen", "what the next step got")
    })
  )

  random(
    "any events come to what the machine says, one after the other, from any client",
    true,
    sequences(30),
    Math.ceil(runs / 10)
  )
  random("any events at one time come to what the machine says of them in some order", false, sequences(18), runs)

  if (clients < 2) return all

  law(
    "a change reaches the other clients: the cell is written, and then told once",
    ({ clients, drive, settle }, store) =>
      Effect.gen(function* () {
        const [own, ...others] = clients.map((each) => attached(each)) as [
          // There are at least two.
          CircuitHistory.Cell,
          ...Array<CircuitHistory.Cell>
        ]
        yield* settle
        const { after, before } = yield* drive(apply(store, own, trip))
        yield* settle
        yield* Law.same(own.told, [], "what the client's own cell was told")
        for (const cell of others) {
          yield* Law.same(cell.current, after, "the cell of another client")
          yield* Law.same(cell.told, [{ before, after, written: true }], "what the cell of another client was told")
        }
      })
  )

  law("a step that changes nothing reaches nobody", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const own = attached(store)
      const far = attached(other)
      yield* drive(apply(store, own, hold))
      yield* settle
      const { current } = far
      yield* Law.same(far.told.length, 1, "how often the other cell was told of the hold")
      yield* drive(apply(store, own, admit))
      yield* settle
      yield* Law.holds(far.current === current, "the other cell has the identical state", far.current)
      yield* Law.same(far.told.length, 1, "how often the other cell was told")
    })
  )

  law("a change of one circuit is none of another", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const cells = [attached(other, "a"), attached(other, "a", "k"), attached(other, "b", "k")]
      const own = attached(store, "a", "k")
      yield* drive(apply(store, own, trip))
      yield* settle
      const seen = cells.map((cell) => [cell.current._tag, cell.told.length])
      const expected = [
        ["Closed", 0],
        ["Open", 1],
        ["Closed", 0]
      ]
      yield* Law.same(seen, expected, "three cells of the other client")
    })
  )

  law("a cell that is attached later comes to the state that there is", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const own = attached(store)
      yield* drive(apply(store, own, hold))
      yield* settle
      const late = attached(other)
      yield* settle
      yield* Law.same(late.current, own.current, "the cell that was attached later")
    })
  )

  law("a cell that is detached hears no more", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const own = attached(store)
      const gone = attached(other)
      yield* settle
      other.detach(gone)
      yield* drive(apply(store, own, trip))
      yield* settle
      yield* Law.same(gone.current, CircuitState.initial, "the cell that was detached")
      yield* Law.same(gone.told, [], "what it was told")
    })
  )

  for (const probes of [1, 2]) {
    law(
      `of all calls in the fleet that ask at one time, as many are probes as may be: ${probes}`,
      ({ clients, drive, settle, sleep }, store) =>
        Effect.gen(function* () {
          const config = { ...machine, probes, needed: 3, of: 3 }
          const cells = clients.map((each) => [each, attached(each)] as const)
          const ask = drive(
            Effect.all(
              Array.from({ length: 4 }, () => cells.map(([each, cell]) => apply(each, cell, admit, config))).flat(),
              { concurrency: "unbounded" }
            )
          )
          const permits = (asked: Effect.Success<typeof ask>) =>
            asked.flatMap(({ answer }) => (answer._tag === "Admitted" ? [answer.permit] : [])).toSorted((a, b) => a - b)
          const [first] = cells
          if (first !== undefined) yield* drive(apply(store, first[1], trip, config))
          yield* settle
          yield* sleep(openMillis)
          const from = (permit: number) => Array.from({ length: probes }, (_, i) => permit + i)
          yield* Law.same(permits(yield* ask), from(1), "the permits of all that asked")
          yield* Law.same(permits(yield* ask), [], "the permits of all that asked again")
          // A probe that never settles loses its lease, whoever it was.
          yield* sleep(machine.leaseMillis)
          yield* Law.same(permits(yield* ask), from(probes + 1), "the permits of all that asked after the leases")
        })
    )
  }

  law("what a client says of an older generation changes nothing for the others", ({ drive, settle }, store, other) =>
    Effect.gen(function* () {
      const own = attached(store)
      const stale = attached(other)
      yield* settle
      const { after: open } = yield* drive(apply(store, own, trip))
      // The other client may not have heard, and trips as well.
      const { after } = yield* drive(apply(other, stale, trip))
      yield* Law.same(after, open, "the state after the second trip")
      yield* settle
      yield* Law.same(own.current, open, "the cell of the client that tripped")
      yield* Law.same(stale.current, open, "the cell of the other client")
    })
  )

  law("a view only moves forward, and each change is told once", ({ clients, drive, settle }) =>
    Effect.gen(function* () {
      const cells = clients.map((store) => attached(store))
      const history = { config: machine, cells, operations: new Array<CircuitHistory.Operation>() }
      let ticks = 0
      const options = { waited: 0, order: () => ticks++ }
      yield* settle
      for (let round = 0; round < 5; round++) {
        const updates = clients.flatMap((store, i) => {
          const update = CircuitHistory.apply(store, history, i, reset, options)
          return [update, update]
        })
        yield* drive(Effect.all(updates, { concurrency: "unbounded" }))
      }
      yield* settle
      const verdict = CircuitHistory.verify(history)
      if (verdict !== undefined) yield* Effect.fail(verdict.error)
      for (const cell of cells)
        yield* Law.same(cell.current.generation, 10 * clients.length, "the generation of a cell")
    })
  )

  return all
}
