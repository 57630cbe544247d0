/**
 * A fleet: worker processes that share one circuit and call one upstream.
 *
 * ```ts
 * const upstream = yield* Upstream.make()                    // needs a Scope
 * const fleet = yield* Fleet.make({ upstream: upstream.url, store: { url }, workers: 6, rate: 20 })
 *
 * yield* upstream.become("fails")
 * yield* fleet.untilAll("Open")                              // fails with FleetError after 30 seconds
 * const { millis } = Fleet.spread(fleet.changes(), "Open")   // from the first worker that knew to the last
 * upstream.hits()                                            // each with worker, state and time
 *
 * const [first] = fleet.workers()                            // those that run
 * yield* first.holdOpen({ forMillis: 500, by: "ops" })       // succeeds once the worker did it
 * yield* first.kill                                          // SIGKILL
 * const [late] = yield* fleet.add(1, { rate: 50 })           // one more, with another setup
 * Fleet.totals(late.intervals())                             // counts and latencies of its calls
 * ```
 *
 * **Details**
 *
 * - `make` and `add` succeed once the workers have made their breaker and begun
 *   their calls. All processes boot first and begin together.
 * - What workers say is collected as it comes: nothing has to be read in time.
 *   `at` is `wallMillis`, which all processes of a machine have in common.
 * - Workers number the states of a circuit themselves. What is the same state is
 *   known by its `since`, to a few milliseconds.
 * - Waiting is `until`: a condition and a deadline. A worker that dies without
 *   being told to ends the wait, with what it printed last.
 * - When the scope closes all workers are killed. A worker whose parent is gone
 *   ends by itself.
 * - `store.url` is `postgres://...`, `redis://...` or `local`.
 */
import { Data, Duration, Effect, Schedule, Schema, Scope } from "effect"

import type { CircuitState } from "effect-resilience"
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Command, Report, wallMillis } from "./messages.ts"
import type { Changed, Interval, Setup } from "./messages.ts"

/**
 * Error of a worker that did not do what it was told, or of a fleet that did
 * not come to what was waited for.
 */
export class FleetError extends Data.TaggedError("FleetError")<{ readonly message: string }> {}

/**
 * What the workers of a fleet are to do. All but `upstream` and `store.url` has
 * a default.
 */
export interface Options {
  /** Where the calls go. */
  readonly upstream: string
  /** The store. Default of `namespace`: `"fleet"`. */
  readonly store: Omit<Setup["store"], "namespace"> & { readonly namespace?: string | undefined }
  /** First part of the workers' names, which are `w1`, `w2` and so on. Default: `"w"`. */
  readonly prefix?: string | undefined
  /** How many workers to begin with. Default: 3. */
  readonly workers?: number | undefined
  /** Calls a second and worker. Default: 20. */
  readonly rate?: number | undefined
  /** After how many milliseconds a call times out. Default: 250. */
  readonly callTimeout?: number | undefined
  /** How often workers report their calls, in milliseconds. Default: 250. */
  readonly reportEvery?: number | undefined
  /** Name of the breaker. Default: `"upstream"`. */
  readonly breaker?: string | undefined
  /** Options of the breaker. `log` is off where it is not given. */
  readonly options?: Setup["options"] | undefined
}

/**
 * Options of a hold.
 */
export interface HoldOptions {
  readonly forMillis?: number | undefined
  readonly reason?: string | undefined
  readonly by?: string | undefined
}

/**
 * A worker process, as its parent knows it.
 */
export interface Worker {
  readonly name: string
  readonly pid: number
  /** Whether the process runs. */
  readonly isAlive: () => boolean
  /** State of its circuit, as it said last. */
  readonly state: () => CircuitState.CircuitState
  /** Changes of its circuit so far. */
  readonly changes: () => ReadonlyArray<Changed>
  /** What it reported so far, the n-th report on. */
  readonly intervals: (from?: number) => ReadonlyArray<Interval>
  /** How its store was when it last reported. */
  readonly store: () => Interval["store"]
  /** Probes that hang in it, by `hangProbe`. */
  readonly probing: () => ReadonlyArray<Extract<Report, { readonly _tag: "Probing" }>>
  /** When it had begun, on `wallMillis`. */
  readonly startedAt: () => number
  /** Makes calls that fail without the upstream, and returns what became of each. */
  readonly fails: (times?: number) => Effect.Effect<ReadonlyArray<string>, FleetError>
  /** Makes calls that succeed without the upstream, and returns what became of each. */
  readonly works: (times?: number) => Effect.Effect<ReadonlyArray<string>, FleetError>
  readonly holdOpen: (options?: HoldOptions) => Effect.Effect<void, FleetError>
  readonly holdClosed: (options?: HoldOptions) => Effect.Effect<void, FleetError>
  readonly release: Effect.Effect<void, FleetError>
  readonly reset: Effect.Effect<void, FleetError>
  /** Makes so many calls a second from now on. */
  readonly setRate: (rate: number) => Effect.Effect<void, FleetError>
  /** Whether its next probe hangs once its request was answered, instead of ending. */
  readonly hangProbe: (hang: boolean) => Effect.Effect<void, FleetError>
  /** Reports its calls up to now. */
  readonly report: Effect.Effect<void, FleetError>
  /** Ends the process in good order. */
  readonly stop: Effect.Effect<void>
  /** Ends the process by SIGKILL. */
  readonly kill: Effect.Effect<void>
}

/**
 * Workers that share a circuit.
 */
export interface Fleet {
  /** Workers that run, in the order in which they were started. */
  readonly workers: () => ReadonlyArray<Worker>
  /** All workers that there ever were. */
  readonly everyone: () => ReadonlyArray<Worker>
  /** Starts more workers, with options of their own. */
  readonly add: (count: number, options?: Partial<Options>) => Effect.Effect<ReadonlyArray<Worker>, FleetError>
  /** Waits for a condition. Fails with what the workers are like where it does not come. Default of `within`: 30 seconds. */
  readonly until: (what: string, condition: () => boolean, within?: Duration.Input) => Effect.Effect<void, FleetError>
  /** Waits until the circuit of all workers that run has a state. */
  readonly untilAll: (
    tag: CircuitState.CircuitState["_tag"],
    within?: Duration.Input
  ) => Effect.Effect<void, FleetError>
  /** Waits until the calls that were admitted before have been answered, in all workers that run. */
  readonly untilSettled: Effect.Effect<void, FleetError>
  /** Changes of all workers, the earliest first. */
  readonly changes: () => ReadonlyArray<Changed & { readonly worker: string }>
  /** Ends all workers in good order. */
  readonly stop: Effect.Effect<void>
}

const program = fileURLToPath(new URL("worker.ts", import.meta.url))
const decode = Schema.decodeUnknownSync(Report)
const encode = Schema.encodeSync(Command)
const bootMillis = 60_000
const commandMillis = 30_000
const stopMillis = 5_000

// A command without what the fleet adds.
type Told<C = Command> = C extends unknown ? Omit<C, "id"> : never

class Process {
  readonly name: string
  readonly child: ChildProcess
  readonly changes: Array<Changed> = []
  readonly intervals: Array<Interval> = []
  readonly probing: Array<Extract<Report, { readonly _tag: "Probing" }>> = []
  booted = false
  startedAt = 0
  state: CircuitState.CircuitState | undefined
  /** How the process ended, or failed. */
  ended: string | undefined
  /** Whether it was told to end. */
  dismissed = false
  private readonly onExit = new Set<() => void>()
  private output = ""
  private commands = 0
  private readonly waiting = new Map<number, (done: Extract<Report, { readonly _tag: "Done" }>) => void>()

  constructor(name: string) {
    this.name = name
    this.child = fork(program, [], {
      execArgv: ["--conditions=effect-resilience-source"],
      // Half of the time that a process takes to boot is to compile what others compiled before.
      env: { NODE_COMPILE_CACHE: join(tmpdir(), "node-compile-cache"), ...process.env },
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    })
    const collect = (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-2000)
    }
    this.child.stdout?.on("data", collect)
    this.child.stderr?.on("data", collect)
    this.child.on("message", (message) => this.hear(decode(message)))
    this.child.on("error", (error) => {
      this.ended ??= error.message
    })
    this.child.on("exit", (code, signal) => {
      this.ended ??= signal === null ? `exit code ${code}` : signal
      for (const hear of this.onExit) hear()
    })
  }

  private hear(report: Report): void {
    switch (report._tag) {
      case "Booted":
        this.booted = true
        return
      case "Changed":
        this.state = report.to
        this.changes.push(report)
        return
      case "Interval":
        this.state = report.state
        this.intervals.push(report)
        return
      case "Probing":
        this.probing.push(report)
        return
      case "Done":
        this.waiting.get(report.id)?.(report)
        return
      case "Failed":
        this.ended ??= report.message
        return
    }
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined
  }

  /** Whether it ended, and nobody told it to. */
  get isLost(): boolean {
    return !this.dismissed && (this.ended !== undefined || !this.isRunning)
  }

  get describe(): string {
    const how = this.ended === undefined ? (this.state?._tag ?? "not begun") : `ended: ${this.ended}`
    const last = this.isLost && this.output !== "" ? `\n${this.output.trimEnd()}` : ""
    return `${this.name} ${how}${last}`
  }

  tell(told: Told): Effect.Effect<Extract<Report, { readonly _tag: "Done" }>, FleetError> {
    const id = ++this.commands
    return Effect.callback<Extract<Report, { readonly _tag: "Done" }>, FleetError>((resume) => {
      const failed = () => resume(Effect.fail(new FleetError({ message: `${told._tag}: ${this.describe}` })))
      if (!this.isRunning || !this.child.connected) return failed()
      this.waiting.set(id, (done) => {
        this.waiting.delete(id)
        this.onExit.delete(failed)
        resume(Effect.succeed(done))
      })
      this.onExit.add(failed)
      this.child.send(encode({ ...told, id }), (error) => {
        if (error !== null) failed()
      })
      return Effect.sync(() => {
        this.waiting.delete(id)
        this.onExit.delete(failed)
      })
    }).pipe(
      Effect.timeoutOrElse({
        duration: commandMillis,
        orElse: () =>
          Effect.fail(new FleetError({ message: `${told._tag}: no answer in ${commandMillis} ms, ${this.describe}` }))
      })
    )
  }

  /** Ends the process, and waits for that. */
  readonly kill: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.dismissed = true
    if (!this.isRunning) return resume(Effect.void)
    this.onExit.add(() => resume(Effect.void))
    this.child.kill("SIGKILL")
  })

  readonly stop: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.dismissed = true
    if (!this.isRunning || !this.child.connected) return resume(Effect.void)
    this.onExit.add(() => resume(Effect.void))
    this.child.send(encode({ _tag: "Stop", id: ++this.commands }), () => undefined)
  }).pipe(Effect.timeoutOption(stopMillis), Effect.andThen(Effect.suspend(() => this.kill)))
}

/**
 * Starts a fleet, until the scope closes.
 */
export const make = (options: Options): Effect.Effect<Fleet, FleetError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const processes: Array<Process> = []
    const workers = new Map<Process, Worker>()
    let names = 0

    const until: Fleet["until"] = (what, condition, within = "30 seconds") =>
      Effect.suspend(() => {
        const lost = processes.filter(({ isLost }) => isLost)
        return lost.length > 0
          ? Effect.fail(new FleetError({ message: `${what}: lost ${lost.map(({ describe }) => describe).join("\n")}` }))
          : Effect.sync(condition)
      }).pipe(
        Effect.repeat({ until: (reached) => reached, schedule: Schedule.spaced(10) }),
        Effect.timeoutOrElse({
          duration: within,
          orElse: () =>
            Effect.fail(
              new FleetError({
                message: `${what}: not within ${Duration.format(Duration.fromInputUnsafe(within))}; ${processes
                  .map(({ describe }) => describe)
                  .join(", ")}`
              })
            )
        }),
        Effect.asVoid
      )

    const begin = (process: Process, { store, ...rest }: Options) =>
      Effect.map(
        process.tell({
          _tag: "Start",
          setup: {
            worker: process.name,
            upstream: rest.upstream,
            rate: rest.rate ?? 20,
            callTimeout: rest.callTimeout ?? 250,
            reportEvery: rest.reportEvery ?? 250,
            breaker: rest.breaker ?? "upstream",
            options: { log: false, ...rest.options },
            store: { ...store, namespace: store.namespace ?? "fleet" }
          }
        }),
        ({ at }) => {
          process.startedAt = at
        }
      )

    const add: Fleet["add"] = (count, overrides) =>
      Effect.gen(function* () {
        const all = { ...options, ...overrides }
        const more = yield* Effect.forEach(Array.from({ length: count }), () =>
          Effect.acquireRelease(
            Effect.sync(() => {
              const process = new Process(`${all.prefix ?? "w"}${++names}`)
              processes.push(process)
              return process
            }),
            ({ kill }) => kill
          )
        )
        yield* until("all workers boot", () => more.every(({ booted }) => booted), bootMillis)
        yield* Effect.forEach(more, (process) => begin(process, all), { concurrency: "unbounded", discard: true })
        return more.map((process) => {
          const worker = workerOf(process)
          workers.set(process, worker)
          return worker
        })
      }).pipe(Scope.provide(scope))

    const fleet: Fleet = {
      workers: () => [...workers].flatMap(([process, worker]) => (process.dismissed ? [] : [worker])),
      everyone: () => [...workers.values()],
      add,
      until,
      untilAll: (tag, within) =>
        until(`all ${tag}`, () => fleet.workers().every((worker) => worker.state()._tag === tag), within),
      // What a worker reports from now on is how it is from now on: a request may wait to be accepted for long.
      untilSettled: Effect.suspend(() => {
        const marks = fleet.workers().map((worker) => [worker, worker.intervals().length] as const)
        return until("all calls are answered", () =>
          marks.every(([worker, from]) => worker.intervals(from).some(({ inFlight }) => inFlight === 0))
        )
      }),
      changes: () =>
        processes
          .flatMap(({ changes, name }) => changes.map((change) => ({ ...change, worker: name })))
          .sort((a, b) => a.at - b.at),
      stop: Effect.suspend(() =>
        Effect.forEach(processes, ({ stop }) => stop, { concurrency: "unbounded", discard: true })
      )
    }
    yield* add(options.workers ?? 3)
    return fleet
  })

const workerOf = (process: Process): Worker => {
  const done = (told: Told) => Effect.asVoid(process.tell(told))
  const call =
    (outcome: "fails" | "works") =>
    (times = 1) =>
      Effect.map(process.tell({ _tag: "Call", outcome, times }), ({ tags }) => tags)
  const last = () => {
    const interval = process.intervals.at(-1)
    if (interval === undefined) throw new Error(`${process.name} has not begun`)
    return interval
  }
  return {
    name: process.name,
    pid: process.child.pid ?? 0,
    isAlive: () => process.isRunning,
    state: () => process.state ?? last().state,
    changes: () => [...process.changes],
    intervals: (from = 0) => process.intervals.slice(from),
    store: () => last().store,
    probing: () => [...process.probing],
    startedAt: () => process.startedAt,
    fails: call("fails"),
    works: call("works"),
    holdOpen: (options) => done({ _tag: "Hold", as: "HeldOpen", ...options }),
    holdClosed: (options) => done({ _tag: "Hold", as: "HeldClosed", ...options }),
    release: done({ _tag: "Release" }),
    reset: done({ _tag: "Reset" }),
    setRate: (rate) => done({ _tag: "Rate", rate }),
    hangProbe: (hang) => done({ _tag: "HangProbe", hang }),
    report: done({ _tag: "Report" }),
    stop: process.stop,
    kill: process.kill
  }
}

/**
 * What became of the calls of some time.
 */
export interface Totals {
  readonly calls: number
  readonly ok: number
  readonly failed: number
  readonly refused: number
  /** How long the calls that were admitted took, in milliseconds. */
  readonly latencies: ReadonlyArray<number>
  /** How long the refused calls took, in milliseconds. */
  readonly refusals: ReadonlyArray<number>
}

/**
 * Returns what became of the calls of several reports, of one worker or of many.
 */
export const totals = (intervals: ReadonlyArray<Interval>): Totals => {
  const ok = intervals.flatMap((interval) => interval.ok)
  const failed = intervals.flatMap((interval) => interval.failed)
  const refusals = intervals.flatMap((interval) => interval.refused)
  return {
    calls: ok.length + failed.length + refusals.length,
    ok: ok.length,
    failed: failed.length,
    refused: refusals.length,
    latencies: [...ok, ...failed],
    refusals
  }
}

/**
 * Returns the value that a share of the values does not exceed, or `undefined`
 * where there are none.
 */
export const percentile = (values: ReadonlyArray<number>, share: number): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * share) - 1)]

/**
 * Returns when each worker first came to a state at or after `since`, and how
 * long it took from the first of them to the last.
 */
export const spread = (
  changes: ReadonlyArray<Changed & { readonly worker: string }>,
  tag: CircuitState.CircuitState["_tag"],
  since = 0
): { readonly first: number; readonly last: number; readonly millis: number; readonly workers: number } => {
  const first = new Map<string, number>()
  for (const { at, to, worker } of changes) {
    if (at >= since && to._tag === tag && !first.has(worker)) first.set(worker, at)
  }
  const times = [...first.values()]
  const [from, to] = [Math.min(...times), Math.max(...times)]
  return { first: from, last: to, millis: to - from, workers: times.length }
}

export { wallMillis }
