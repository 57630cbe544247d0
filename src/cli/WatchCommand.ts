/**
 * `resilience watch`: the circuits of the fleet, live.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import type * as CircuitTable from "../CircuitTable.ts"
import * as Fleet from "./Fleet.ts"
import * as Pattern from "./Pattern.ts"
import * as Print from "./Print.ts"
import * as Settings from "./Settings.ts"
import * as StatusCommand from "./StatusCommand.ts"
import * as Store from "./Store.ts"

/** How often the table is read where nothing is heard. */
const every = 1000
/** How long to gather what is heard. */
const pause = 100

/**
 * Shows the circuits of the fleet until it is interrupted.
 */
export const command = Command.make(
  "watch",
  { name: StatusCommand.name.pipe(Argument.optional) },
  Effect.fnUntraced(function* ({ name }) {
    const { explain, namespace, table } = yield* Store.open
    const { stdoutIsTerminal } = yield* Stdio.Stdio
    const json = yield* Settings.Json
    const show = json || !(yield* stdoutIsTerminal) ? yield* lines(json) : yield* screen(namespace)
    const read = Effect.map(Effect.mapError(table.changes(undefined), explain), ({ now, rows }) => {
      const keys = rows.map((row) => row.resourceKey)
      const selected = Option.isSome(name) ? new Set(Pattern.select(name.value, keys)) : undefined
      const shown = selected === undefined ? rows : rows.filter((row) => selected.has(row.resourceKey))
      return { now, circuits: shown.map((row) => ({ version: row.version, circuit: Fleet.circuit(row, now) })) }
    })
    yield* show.seen(yield* read)
    const heard = yield* Queue.sliding<void>(1)
    yield* Effect.forkScoped(hear(table, heard))
    yield* Effect.forever(
      Queue.take(heard).pipe(
        Effect.andThen(Effect.sleep(pause)),
        Effect.timeoutOption(every),
        Effect.andThen(read),
        Effect.flatMap(show.seen),
        Effect.catch((failure) => show.away(failure.message))
      )
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show the circuits of the fleet, live, until Ctrl-C"),
  Command.withExamples([
    { command: "resilience watch", description: "All circuits of the namespace" },
    { command: "resilience watch payments --json", description: "A line of JSON for each change of one circuit" }
  ])
)

/** Wakes whoever waits, whenever the table says that something changed. */
const hear = (table: CircuitTable.CircuitTable, heard: Queue.Queue<void>): Effect.Effect<never> =>
  (table.listen === undefined
    ? Effect.never
    : Effect.scoped(
        Effect.flatMap(table.listen, (feed) =>
          Effect.forever(
            Effect.andThen(
              Queue.take(feed),
              Effect.sync(() => Queue.offerUnsafe(heard, undefined))
            )
          )
        )
      )
  ).pipe(
    Effect.ignoreCause,
    // Reading goes on meanwhile.
    Effect.andThen(Effect.sleep(every)),
    Effect.forever
  )

interface Seen {
  readonly now: number
  readonly circuits: ReadonlyArray<{ readonly version: number; readonly circuit: Fleet.Circuit }>
}

interface Show {
  readonly seen: (seen: Seen) => Effect.Effect<void>
  readonly away: (message: string) => Effect.Effect<void>
}

/** Prints a line for each change. */
const lines = (json: boolean): Effect.Effect<Show> =>
  Effect.sync(() => {
    let before: ReadonlyMap<string, Seen["circuits"][number]> | undefined
    let away = false
    const print = (change: (typeof Fleet.Sighting.Type)["change"], circuit: Fleet.Circuit, now: number) => {
      const at = Print.iso(now) ?? null
      if (json) return Print.json(Fleet.Sighting, { at, change, circuit }, "line")
      return Console.log(
        `${at ?? ""} ${Print.safe(circuit.circuit)} ${change === "removed" ? "removed" : Fleet.line(circuit, now)}`
      )
    }
    return {
      seen: Effect.fnUntraced(function* ({ circuits, now }) {
        const after = new Map(circuits.map((each) => [each.circuit.circuit, each]))
        if (away) yield* Console.error("resilience: the store answers again")
        away = false
        for (const { circuit, version } of after.values()) {
          const last = before?.get(circuit.circuit)
          if (last?.version === version) continue
          yield* print(before === undefined ? "present" : last === undefined ? "added" : "changed", circuit, now)
        }
        for (const { circuit } of before?.values() ?? []) {
          if (!after.has(circuit.circuit)) yield* print("removed", circuit, now)
        }
        before = after
      }),
      away: (message) =>
        Effect.suspend(() => {
          if (away) return Effect.void
          away = true
          return Console.error(`resilience: ${message}; trying again every second`)
        })
    }
  })

/** Draws the table over and over. */
const screen = Effect.fnUntraced(function* (namespace: string) {
  const terminal = yield* Terminal.Terminal
  const display = (text: string) => Effect.ignore(terminal.display(text))
  let last: Seen = { now: 0, circuits: [] }
  let problem: string | undefined
  yield* Effect.acquireRelease(display("\u001b[?25l\u001b[2J"), () => display("\u001b[?25h\n"))
  const draw = Effect.gen(function* () {
    const columns = Math.max(40, (yield* terminal.columns) || 80)
    const rows = Math.max(5, (yield* terminal.rows) || 24)
    const circuits = last.circuits.map(({ circuit }) => circuit)
    const all =
      circuits.length === 0
        ? [`No circuits in namespace ${Print.safe(namespace)}.`]
        : Fleet.table(circuits, last.now, columns).map((line) => Print.cut(line, columns))
    const room = rows - 3
    const shown = all.length <= room ? all : [...all.slice(0, room - 1), `... ${all.length - room + 1} more lines`]
    const foot = Print.cut(
      problem ??
        `${Fleet.summary(circuits)}, namespace ${Print.safe(namespace)}, ${Print.iso(last.now) ?? ""}. Ctrl-C ends.`,
      columns
    )
    // Each line clears what it leaves of the one before, so that nothing flickers.
    yield* display(`\u001b[H${[...shown, "", foot].map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`)
  })
  return {
    seen: (seen: Seen) =>
      Effect.suspend(() => {
        last = seen
        problem = undefined
        return draw
      }),
    away: (message: string) =>
      Effect.suspend(() => {
        problem = `${message}; trying again every second`
        return draw
      })
  }
})
