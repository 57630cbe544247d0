/**
 * Runs the CLI in this process, on a table in memory.
 */
import { Effect, FileSystem, Layer, Option, Path, Queue, Stdio, Terminal } from "effect"
import { TestConsole } from "effect/testing"
import { ChildProcessSpawner } from "effect/process"
import * as ConfigProvider from "effect/ConfigProvider"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Cli from "../../src/cli/Cli.ts"
import * as Drivers from "../../src/cli/places/Drivers.ts"
import * as Failure from "../../src/cli/output/Failure.ts"
import * as Stores from "../../src/cli/places/Stores.ts"
import * as MemoryTable from "../support/memory-table.ts"

/** A password that must be in no output. */
export const password = "hunter2+/secret"

export const url = `postgres://app:${encodeURIComponent(password)}@db.example:5433/orders?sslmode=require`

export interface World {
  readonly memory: MemoryTable.MemoryTable
  /** Targets that were connected to. */
  readonly opened: Array<Stores.Target>
  readonly layer: Layer.Layer<Stores.Stores>
}

export const world = (faults: Partial<MemoryTable.Faults> = {}): World => {
  const memory = MemoryTable.make(faults)
  const opened: Array<Stores.Target> = []
  let outcome: "created" | "current" = "created"
  return {
    memory,
    opened,
    layer: Layer.succeed(Stores.Stores, {
      open: (target) =>
        Effect.sync(() => {
          opened.push(target)
          return { table: memory.table, explain: (error) => Failure.failed(error.message) }
        }),
      setup: (target) =>
        Effect.sync(() => {
          opened.push(target)
          const was = outcome
          outcome = "current"
          return was
        }),
      operator: "root"
    })
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

const key = (name: string): Terminal.UserInput => ({
  input: Option.some(name),
  key: { name, ctrl: false, meta: false, shift: false }
})

/** What a command prints and ends with. `answer` are the keys that a person at a terminal types. */
export const run = (
  world: World,
  args: ReadonlyArray<string>,
  options: {
    readonly env?: Record<string, string>
    readonly answer?: string
    readonly columns?: number
    /** What is drawn on the terminal. */
    readonly shown?: Array<string>
    /** Prints to the test's own console. */
    readonly shared?: boolean
  } = {}
): Effect.Effect<Ran> => {
  const terminal = options.answer !== undefined || options.columns !== undefined
  const shown = options.shown ?? []
  const platform = Layer.mergeAll(
    FileSystem.layerNoop({}),
    Path.layer,
    Stdio.layerTest({
      stdinIsTerminal: Effect.succeed(terminal),
      stdoutIsTerminal: Effect.succeed(terminal)
    }),
    Layer.succeed(
      Terminal.Terminal,
      Terminal.make({
        columns: Effect.succeed(options.columns ?? 80),
        rows: Effect.succeed(24),
        size: Effect.die("unused"),
        readInput: Effect.gen(function* () {
          const queue = yield* Queue.unbounded<Terminal.UserInput>()
          for (const char of options.answer ?? "") yield* Queue.offer(queue, key(char))
          return queue
        }),
        readLine: Effect.die("unused"),
        display: (text) => Effect.sync(() => void shown.push(text))
      })
    ),
    Layer.succeed(
      ChildProcessSpawner.ChildProcessSpawner,
      ChildProcessSpawner.make(() => Effect.die("unused"))
    )
  )
  return Effect.gen(function* () {
    const code = yield* Cli.run(args, "1.2.3")
    const out = [...shown, ...(yield* TestConsole.logLines)].join("\n")
    return { code, out, err: (yield* TestConsole.errorLines).join("\n") }
  }).pipe(
    Effect.provide([
      world.layer,
      Drivers.http,
      platform,
      ConfigProvider.layer(ConfigProvider.fromEnv({ env: options.env ?? { RESILIENCE_DATABASE_URL: url } }))
    ]),
    options.shared === true ? (effect) => effect : Effect.provide(TestConsole.layer, { local: true })
  )
}

/** Writes a circuit in some state. */
export const put = (world: World, resourceKey: string, state: CircuitState.CircuitState, by = "web-1") =>
  Effect.orDie(CircuitTable.update(world.memory.table, resourceKey, by, () => [state, undefined]))

export const open: CircuitState.Open = {
  _tag: "Open",
  generation: 1,
  since: 0,
  openings: 1,
  openMillis: 30_000,
  reason: "5 consecutive failures",
  failures: 5
}
