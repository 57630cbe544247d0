/**
 * Random commands of three clients, some of them interrupted, while their table is
 * slow, hangs, fails, writes late, loses replies or rows, or has a clock that jumps.
 */
import { describe, it } from "@effect/vitest"
import { Arbitrary, Clock, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitHistory from "../../src/testing/internal/CircuitHistory.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import type * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Law from "../../src/testing/Law.ts"
import { runs } from "../suites/CircuitStoreSuite.ts"
import * as MemoryTable from "../support/memory-table.ts"

type State = CircuitState.CircuitState

const timeout = 100
const pollEvery = 1000
const hour = 3_600_000
/** What an estimate of the table's clock may be wrong by, and what an operation takes while nothing is wrong. */
const near = 60
const openMillis = 2000
const config: CircuitState.Config = { probes: 3, needed: 3, of: 3, leaseMillis: 1500, paceMillis: 50 }

const kinds = [
  ...(["Admit", "Admit", "Admit", "Admit", "Trip", "Trip", "Settle", "Settle", "Settle", "Hold"] as const),
  ...([
    "Release",
    "Reset",
    "Slow",
    "Hang",
    "Down",
    "LoseReplies",
    "HangReplies",
    "Late",
    "Deaf",
    "Cut",
    "Clock",
    "Heal"
  ] as const),
  ...(["Heal", "Restart", "Backup", "Restore", "Interrupt", "Interrupt"] as const)
] as const

const one = <const L extends ReadonlyArray<string | number | boolean>>(values: L) =>
  Arbitrary.schema(Schema.Literals(values))

/** A table with which nothing is wrong. */
const well = {
  takes: 0,
  frozen: false,
  down: false,
  losesReplies: false,
  hangsReplies: false,
  late: false,
  deaf: false
}

const commands = Arbitrary.array(
  Arbitrary.all({
    kind: one(kinds),
    wait: one([0, 0, 0, 0, 1, 5, 20, 50, 100, 500, 2000]),
    client: one([0, 1, 2]),
    /** Whether a fault is that of all clients. */
    all: one([false, true]),
    outcome: one(["Success", "Success", "Success", "Failure", "Ignored"]),
    eager: one([false, false, true]),
    takes: one([40, 150, 400]),
    ahead: one([0, hour, -hour, 30 * hour, -30 * hour, 700, -700])
  }),
  { minLength: 1, maxLength: 30 }
)
type ElementOf<A> = A extends Arbitrary.Arbitrary<ReadonlyArray<infer T>> ? T : never
type Command = ElementOf<typeof commands>

/** An update, as it went. */
interface Update {
  readonly client: number
  readonly event: CircuitState.Event
  readonly eager: boolean
  readonly began: number
  /** Nobody knows whether it was done, or when. */
  interrupted?: boolean
  ended?: number
  exit?: Exit.Exit<CircuitStore.Applied<CircuitState.Decision>>
}

const table = (sequence: ReadonlyArray<Command>) =>
  sequence
    .map(({ ahead, all, client, eager, kind, outcome, takes, wait }) => {
      const isFault = ["Slow", "Hang", "Down", "LoseReplies", "HangReplies", "Late", "Deaf"].includes(kind)
      const whom = isFault && all ? "all" : String(client)
      const what = kind === "Settle" ? outcome : kind === "Slow" ? takes : kind === "Clock" ? ahead : ""
      return `+${wait}`.padEnd(7) + whom.padEnd(5) + `${kind} ${what}${eager ? " eager" : ""}`
    })
    .join("\n")

const run = (sequence: ReadonlyArray<Command>): Effect.Effect<boolean, Law.LawError> =>
  Effect.gen(function* () {
    // Its clock may be set back by days, and a version is a time.
    const memory = MemoryTable.make({ takes: 4, varies: true, ahead: 10_000 * hour })
    const clients = yield* Effect.all(
      Array.from({ length: 3 }, () => {
        const { faults, table } = memory.client()
        return Effect.map(CircuitStoreTable.make(table, { timeout, pollEvery, spread: 0, log: false }), (store) => ({
          faults,
          store,
          cell: new CircuitHistory.Cell(),
          permits: new Array<{ readonly generation: number; readonly permit: number }>()
        }))
      })
    )
    for (const { cell, store } of clients) store.attach(cell)
    yield* Effect.sleep(50)

    const updates: Array<Update> = []
    const jumps: Array<number> = []
    /** How far the clock jumped, all in all. */
    let jumped = 0
    const lines: Array<string> = []
    const fail = (what: string, found: unknown, expected: unknown) =>
      Effect.fail(Law.broken(what, found, expected, `${table(sequence)}\n\n${lines.join("\n")}`))
    let backup = new Map(memory.rows)
    let restored = -1
    // Rows that are lost, where the clock is set back too, could get versions that they had, and nobody can tell.
    let setBack = false
    let lost = false
    const running: Array<Fiber.Fiber<void>> = []
    const started = yield* Clock.currentTimeMillis

    const update = (client: number, event: CircuitState.Event, eager: boolean) =>
      Effect.gen(function* () {
        const { cell, permits, store } = clients[client]!
        const began = yield* Clock.currentTimeMillis
        const entry: Update = { client, event, eager, began }
        updates.push(entry)
        entry.exit = yield* store
          .update(cell, began, (state, now) => CircuitState.transition(state, event, now, config), { eager })
          .pipe(
            Effect.onInterrupt(() => Effect.sync(() => void (entry.interrupted = true))),
            Effect.exit
          )
        entry.ended = yield* Clock.currentTimeMillis
        if (Exit.isSuccess(entry.exit)) {
          const { after, answer, before } = entry.exit.value
          if (answer._tag === "Admitted" && answer.permit > 0) permits.push(answer)
          const times = `${began - started}-${entry.ended - started}`
          lines.push(
            `${times} ${client} ${event._tag}: ${CircuitHistory.brief(before)} to ${CircuitHistory.brief(after)}`
          )
        }
      })

    for (const { ahead, all, client, eager, kind, outcome, takes, wait } of sequence) {
      yield* Effect.sleep(wait)
      const { cell, faults: own, permits } = clients[client]!
      const faults = all ? memory.faults : own
      let event: CircuitState.Event | undefined
      switch (kind) {
        case "Slow":
          faults.takes = takes
          break
        case "Hang":
          faults.frozen = true
          break
        case "Down":
          faults.down = true
          break
        case "LoseReplies":
          faults.losesReplies = true
          break
        case "HangReplies":
          faults.hangsReplies = true
          break
        case "Late":
          faults.late = true
          break
        case "Interrupt": {
          const fiber = running.findLast((each) => each.pollUnsafe() === undefined)
          if (fiber !== undefined) yield* Fiber.interrupt(fiber)
          break
        }
        case "Deaf":
          faults.deaf = true
          break
        case "Cut":
          yield* memory.cutFeeds
          break
        case "Clock":
          // A clock that goes back and forth between two polls hides what was written meanwhile until all rows are read.
          if ((setBack && ahead > 0) || (lost && ahead < 0)) break
          memory.faults.ahead += ahead
          setBack ||= ahead < 0
          jumps.push(yield* Clock.currentTimeMillis)
          jumped += Math.abs(ahead)
          break
        case "Heal":
          for (const each of [memory.faults, ...clients.map((each) => each.faults)]) {
            Object.assign(each, well)
          }
          memory.faults.takes = 4
          break
        case "Restart":
          if (setBack) break
          lost = true
          // A process that has not heard of a hold may be the first to write its row again.
          if (new Set(clients.map((each) => each.cell.current._tag)).size > 1) restored = updates.length
          yield* memory.restart(new Map())
          break
        case "Backup":
          backup = new Map(memory.rows)
          break
        case "Restore":
          if (setBack) break
          lost = true
          yield* memory.restart(backup)
          restored = updates.length
          break
        case "Trip":
          event = { _tag: "Trip", generation: cell.current.generation, openMillis, reason: "tripped" }
          break
        case "Settle": {
          const permit = permits.shift()
          if (permit !== undefined) {
            const { generation, permit: id } = permit
            event = { _tag: "Settle", generation, permit: id, outcome, openMillis, reason: "probed" }
          }
          break
        }
        case "Hold":
          event = { _tag: "Hold", as: "HeldOpen" }
          break
        case "Release":
        case "Reset":
        case "Admit":
          event = { _tag: kind }
      }
      if (event !== undefined) {
        // A permit is asked for, and an outcome is that of one.
        const isProbes = event._tag === "Admit" || event._tag === "Settle"
        running.push(yield* Effect.forkChild(update(client, event, eager && !isProbes), { startImmediately: true }))
      }
    }

    // All faults end.
    for (const each of [memory.faults, ...clients.map((each) => each.faults)]) {
      Object.assign(each, well)
    }
    memory.faults.takes = 4
    yield* Effect.sleep(2 * 1.25 * pollEvery + 3 * timeout + 200)
    for (const { cell, store } of clients) {
      const status = yield* store.status
      lines.push(`${CircuitHistory.brief(cell.current)} since ${cell.current.since}, ${Law.text(status)}`)
    }
    for (const { after, at } of memory.writes) {
      lines.push(
        `${at - started - 10_000 * hour} written: ${CircuitHistory.brief(CircuitTable.decode(after.data)!.state)}`
      )
    }

    for (const { began, client, eager, ended, event, exit, interrupted } of updates) {
      if (interrupted) continue
      const what = `update ${event._tag} of client ${client} at ${began - started}`
      if (ended === undefined || exit === undefined) return yield* fail(what, "waits", "it to end")
      if (Exit.isFailure(exit)) return yield* fail(what, exit, "Success")
      // Each in the queue may ask twice, and again where another client was faster.
      const overlapping = updates.filter((each) => each.began <= ended && (each.ended ?? Infinity) >= began)
      const most = eager ? 0 : 2 * timeout * (overlapping.length + 1)
      if (ended - began > most) return yield* fail(what, `${ended - began} ms`, `at most ${most} ms`)
    }

    yield* Fiber.interruptAll(running)

    // All clients and the row agree.
    const row = memory.rows.get("payments")
    const shared = row && CircuitTable.decode(row.data)?.state
    for (const [i, { cell, store }] of clients.entries()) {
      const { pending, reachable } = yield* store.status
      if (pending > 0 || !reachable) return yield* fail(`client ${i} is in step`, { pending, reachable }, "it to hold")
      if (shared === undefined) {
        if (cell.current._tag !== "Closed") return yield* fail(`client ${i} has a row`, cell.current, "Closed")
        continue
      }
      const counts = ({ _tag, ...state }: State) =>
        _tag === "HalfOpen" && "leases" in state ? [_tag, state.permits, state.successes, state.failures] : [_tag]
      if (Law.text(counts(cell.current)) !== Law.text(counts(shared))) {
        return yield* fail(`client ${i} agrees with the row`, cell.current, shared)
      }
      const drift = shared.since - cell.current.since - memory.faults.ahead
      // What was read before the clock jumped, and written after that, has times of the clock as it was.
      const written = memory.writes.map(({ ahead, at }) => at - ahead)
      const hasJumped = jumps.some((jump) => written.some((at) => Math.abs(at - jump) <= 2 * timeout))
      if (shared.since !== 0 && Math.abs(drift) > near && !hasJumped) {
        return yield* fail(`client ${i} agrees with the row on times`, drift, `at most ${near} ms`)
      }
    }

    // A live Open is never overwritten by a Closed that is older.
    for (const { after, at, before } of memory.writes) {
      const was = before && CircuitTable.decode(before.data)?.state
      const is = CircuitTable.decode(after.data)?.state
      if (was?._tag !== "Open" || is?._tag !== "Closed") continue
      const isLive = at >= was.since && at < CircuitState.openUntil(was)
      // A state that a process came to alone, before the clock jumped, has a time of the clock as it was.
      if (isLive && is.since < was.since - near - jumped) return yield* fail("a live Open in the row stays", is, was)
    }

    // Nobody ended the last hold, before or after it reached the table.
    const hold = updates.findLast(({ event }) => event._tag === "Hold")
    const isHeld =
      hold !== undefined &&
      !hold.interrupted &&
      updates.indexOf(hold) >= restored &&
      !updates.some(
        ({ ended = Infinity, event }) => (event._tag === "Release" || event._tag === "Reset") && ended >= hold.began
      )
    if (isHeld && clients.some(({ cell }) => cell.current._tag !== "HeldOpen")) {
      const tags = clients.map(({ cell }) => cell.current._tag)
      return yield* fail("a hold survives", tags, "HeldOpen")
    }

    // It began once.
    const isCalm = restored < 0 && !lost && jumps.length === 0
    const mayEnd = updates.some(({ event }) => event._tag === "Release" || event._tag === "Reset")
    if (isCalm && !mayEnd && updates.filter(({ event }) => event._tag === "Hold").length === 1) {
      const begun = new Set(
        memory.writes.flatMap(({ after }) => {
          const state = CircuitTable.decode(after.data)!.state
          return state._tag === "HeldOpen" ? [state.generation] : []
        })
      )
      if (begun.size > 1) return yield* fail("a hold begins once", [...begun], "one generation")
    }

    for (const [i, { cell }] of clients.entries()) {
      const own = updates.filter(({ client }) => client === i)
      // A permit is given once.
      const given = own.flatMap(({ exit }) => {
        const answer = exit !== undefined && Exit.isSuccess(exit) ? exit.value.answer : undefined
        return answer?._tag === "Admitted" && answer.permit > 0 ? [`${answer.generation}/${answer.permit}`] : []
      })
      if (isCalm && new Set(given).size < given.length) {
        return yield* fail(`client ${i} is given a permit once`, given, "no two that are the same")
      }
      // A view only moves forward, its changes are told apart by generations, and all of them are told.
      const told = new Set([
        0,
        ...cell.told.map(({ after }) => after.generation),
        ...own.flatMap(({ exit }) => (exit && Exit.isSuccess(exit) ? [exit.value.after.generation] : []))
      ])
      let latest: State = CircuitState.initial
      for (const state of cell.seen) {
        const { generation } = state
        if (generation < latest.generation || (generation === latest.generation && state._tag !== latest._tag)) {
          return yield* fail(
            `the view of client ${i} moves forward`,
            CircuitHistory.brief(state),
            CircuitHistory.brief(latest)
          )
        }
        latest = state
        if (!told.has(generation) && !own.some(({ interrupted }) => interrupted)) {
          return yield* fail(`client ${i} is told of each change`, [...told], CircuitHistory.brief(state))
        }
      }
    }

    // A probe is counted once.
    for (const { cell } of clients) {
      for (const state of cell.seen) {
        if (state._tag !== "HalfOpen" || jumps.length > 0) continue
        const settled = (outcome: string) =>
          updates.filter(
            ({ began, event }) => event._tag === "Settle" && event.outcome === outcome && began >= state.since - near
          ).length
        if (state.successes > settled("Success") || state.failures > settled("Failure")) {
          const found = `${state.successes} successes and ${state.failures} failures`
          return yield* fail("a probe is counted once", found, `${settled("Success")} and ${settled("Failure")}`)
        }
      }
    }
    // A poll may be under way.
    for (let i = 0; i < 10 && memory.running() > 0; i++) yield* Effect.sleep(5)
    if (memory.running() > 0) return yield* fail("operations under way", memory.running(), 0)
    if (memory.listeners() !== 3) return yield* fail("clients that listen", memory.listeners(), 3)
    return true
  }).pipe(Effect.scoped)

const check = (options: Arbitrary.CheckOptions) =>
  Effect.gen(function* () {
    const search = Arbitrary.checkEffect(commands, run, { size: 300, maxShrinks: 300, ...options })
    const fiber = yield* Effect.forkChild(Effect.flatMap(search, Law.passed), { startImmediately: true })
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(1000)
    yield* Fiber.join(fiber)
  })

describe("CircuitStoreTable over a table with faults", () => {
  it.effect(
    "no update waits long or fails, and after the faults all agree",
    () => check({ runs: Math.ceil(runs / 4), concurrency: 50 }),
    Math.max(600_000, 100 * runs)
  )
})
