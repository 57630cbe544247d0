/**
 * `resilience watch`: the circuits of the fleet, live.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as OpenPlace from "../places/OpenPlace.ts"
import * as Output from "../output/Output.ts"
import type * as Place from "../places/Place.ts"
import * as Print from "../output/Print.ts"
import * as Flags from "../Flags.ts"
import * as Selection from "./Selection.ts"

export const command = Command.make(
  "watch",
  { name: Selection.name.pipe(Argument.optional) },
  Effect.fnUntraced(function* ({ name }) {
    const place = yield* OpenPlace.open
    const { stdoutIsTerminal } = yield* Stdio.Stdio
    const json = yield* Flags.Json
    const viewer = json || !(yield* stdoutIsTerminal) ? yield* lines(place, json) : yield* screen(place)
    yield* place.watch(
      Option.match(name, {
        onNone: () => viewer,
        onSome: (pattern) => ({
          ...viewer,
          seen: (listing) => viewer.seen(Selection.selected(listing, pattern))
        })
      })
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Show the circuits of the fleet, live, until Ctrl-C"),
  Command.withExamples([
    { command: "resilience watch", description: "All circuits of the namespace" },
    { command: "resilience watch payments --json", description: "A line of JSON for each change of one circuit" }
  ])
)

/** Prints a line for each change. */
const lines = ({ kind }: Place.Place, json: boolean): Effect.Effect<Place.Viewer> =>
  Effect.sync(() => {
    let before: ReadonlyMap<string, Place.Listed> | undefined
    let away = false
    let warned = false
    const print = (change: (typeof Output.Sighting.Type)["change"], circuit: Output.Circuit, now: number) => {
      const at = Print.iso(now) ?? null
      if (json) return Print.json(Output.Sighting, { at, change, circuit }, "line")
      return Console.log(
        `${at ?? ""} ${Print.name(circuit.circuit)} ${change === "removed" ? "removed" : Output.line(circuit, now)}`
      )
    }
    return {
      seen: Effect.fnUntraced(function* (listing) {
        const { circuits, now, unlisted } = listing
        const after = new Map(circuits.map((each) => [each.circuit.circuit, each]))
        if (away) yield* Console.error(`resilience: the ${kind} answers again`)
        away = false
        if (!warned) yield* Selection.warn(listing)
        warned = unlisted > 0
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
          return Console.error(`resilience: ${message}`)
        })
    }
  })

/** Redraws the table in place. */
const screen = Effect.fnUntraced(function* ({ label }: Place.Place) {
  const terminal = yield* Terminal.Terminal
  const display = (text: string) => Effect.ignore(terminal.display(text))
  let last: Place.Listing = { now: 0, circuits: [], total: 0, unlisted: 0 }
  let problem: string | undefined
  yield* Effect.acquireRelease(display("\u001b[?25l\u001b[2J"), () => display("\u001b[?25h\n"))
  const draw = Effect.gen(function* () {
    const columns = Math.max(40, (yield* terminal.columns) || 80)
    const rows = Math.max(5, (yield* terminal.rows) || 24)
    const circuits = last.circuits.map(({ circuit }) => circuit)
    const all =
      circuits.length === 0
        ? [`No circuits in ${label}.`]
        : Output.table(circuits, last.now, columns).map((line) => Print.cut(line, columns))
    const room = rows - 3
    const shown = all.length <= room ? all : [...all.slice(0, room - 1), `... ${all.length - room + 1} more lines`]
    const foot = Print.cut(
      problem ??
        `${Output.summary(circuits)}${last.unlisted === 0 ? "" : `, ${last.unlisted} not listed`}, ${label}, ${Print.iso(last.now) ?? ""}. Ctrl-C to end.`,
      columns
    )
    // Each line clears the rest of the line below it: clearing the screen first would flicker.
    yield* display(`\u001b[H${[...shown, "", foot].map((line) => `${line}\u001b[K`).join("\n")}\u001b[J`)
  })
  return {
    seen: (seen: Place.Listing) =>
      Effect.suspend(() => {
        last = seen
        problem = undefined
        return draw
      }),
    away: (message: string) =>
      Effect.suspend(() => {
        problem = message
        return draw
      })
  }
})
