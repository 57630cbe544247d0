/**
 * One process of a fleet: it calls an upstream at a rate, through a breaker
 * that it shares, and does what its parent tells it over IPC. `fleet.ts` starts
 * it, `messages.ts` has the messages. It ends with its parent.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as CircuitBreaker from "effect-resilience/CircuitBreaker"
import * as CircuitStore from "effect-resilience/CircuitStore"
import * as Timeout from "effect-resilience/Timeout"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Agent, get } from "node:http"
import { flushCompileCache } from "node:module"
import { Command, Report, wallMillis } from "./messages.ts"
import type { Interval, Setup } from "./messages.ts"
import * as Stores from "./stores.ts"

const decode = Schema.decodeUnknownSync(Command)
const encode = Schema.encodeSync(Report)
const optionsOf = Schema.decodeUnknownSync(CircuitBreaker.Config)

const tell = (report: Report): void => {
  // The parent may be gone, and this process is about to be.
  if (process.connected) process.send?.(encode(report))
}

type Outcome = "ok" | "failed" | "refused"

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Outcome | undefined =>
  Exit.match(exit, {
    onSuccess: () => "ok",
    onFailure: (cause) => {
      if (Cause.hasInterruptsOnly(cause)) return undefined
      const error = Cause.findError(cause)
      return Result.isSuccess(error) && error.success instanceof CircuitBreaker.CircuitOpenError ? "refused" : "failed"
    }
  })

const agent = new Agent({ keepAlive: true })

/** Sends a request, and fails where it is not answered by a status below 400. */
const request = (url: string, headers: Readonly<Record<string, string>>): Effect.Effect<void, string> =>
  Effect.callback((resume) => {
    const sent = get(url, { agent, headers }, (response) => {
      const { statusCode = 0 } = response
      response.resume().on("end", () => resume(statusCode < 400 ? Effect.void : Effect.fail(`status ${statusCode}`)))
    })
    sent.on("error", (error) => resume(Effect.fail(error.message)))
    return Effect.sync(() => void sent.destroy())
  })

/** Begins to work, and returns what carries out the commands that follow. */
const begin = (
  setup: Setup
): Effect.Effect<
  (command: Exclude<Command, { readonly _tag: "Start" | "Stop" }>) => Effect.Effect<ReadonlyArray<string>>,
  never,
  CircuitStore.CircuitStore | Scope.Scope
> =>
  Effect.gen(function* () {
    const store = yield* CircuitStore.CircuitStore
    const random = yield* Random.next
    const breaker = yield* CircuitBreaker.makeShared(setup.breaker, optionsOf(setup.options))
    // Called in the same turn in which the change is made, so that the time is that of the change.
    breaker.listeners.add(({ from, to }) => tell({ _tag: "Changed", at: wallMillis(), from, to }))

    let hangs = false
    const ask = Effect.gen(function* () {
      const { state } = yield* breaker.status
      const headers = { "x-worker": setup.worker, "x-state": state._tag, "x-since": String(state.since) }
      yield* Timeout.timeout(request(setup.upstream, headers), setup.callTimeout, { operation: "upstream" })
      if (!hangs || state._tag !== "HalfOpen") return
      tell({ _tag: "Probing", at: wallMillis(), since: state.since })
      yield* Effect.never
    })

    const latencies: { readonly [outcome in Outcome]: Array<number> } = { ok: [], failed: [], refused: [] }
    const measured = <E>(work: Effect.Effect<void, E>) =>
      Effect.suspend(() => {
        const start = performance.now()
        return Effect.map(Effect.exit(CircuitBreaker.protect(work, breaker)), (exit) => {
          const outcome = outcomeOf(exit)
          if (outcome !== undefined) latencies[outcome].push(Math.round((performance.now() - start) * 1000) / 1000)
          return outcome ?? "interrupted"
        })
      })

    const calls = yield* FiberSet.make<string>()
    const steady = (rate: number): Effect.Effect<never> =>
      rate <= 0
        ? Effect.never
        : Effect.gen(function* () {
            const every = 1000 / rate
            // Workers that begin together do not call together.
            let due = performance.now() + random * every
            for (;;) {
              const now = performance.now()
              if (due > now) yield* Effect.sleep(due - now)
              // A late call is made up for, not those of a process that was stopped.
              else if (now - due > 1000) due = now
              due += every
              yield* FiberSet.run(calls, measured(ask))
            }
          })
    const traffic = yield* FiberHandle.make<never>()

    const report = Effect.gen(function* () {
      const { inFlight, state } = yield* breaker.status
      const interval: Interval = {
        _tag: "Interval",
        at: wallMillis(),
        ok: latencies.ok.splice(0),
        failed: latencies.failed.splice(0),
        refused: latencies.refused.splice(0),
        inFlight,
        state,
        store: yield* store.status
      }
      tell(interval)
    })
    yield* report
    yield* Effect.forkScoped(Effect.forever(Effect.delay(report, setup.reportEvery)))
    yield* FiberHandle.run(traffic, steady(setup.rate))

    const nothing: ReadonlyArray<string> = []
    return (command) => {
      switch (command._tag) {
        case "Call": {
          const work = command.outcome === "works" ? Effect.void : Effect.fail("told to fail")
          return Effect.forEach(Array.from({ length: command.times }), () => measured(work))
        }
        case "Hold": {
          const { as, by, forMillis, reason } = command
          const hold = as === "HeldOpen" ? CircuitBreaker.holdOpen : CircuitBreaker.holdClosed
          return Effect.as(hold(breaker, { for: forMillis, reason, by }), nothing)
        }
        case "Release":
          return Effect.as(CircuitBreaker.release(breaker), nothing)
        case "Reset":
          return Effect.as(CircuitBreaker.reset(breaker), nothing)
        case "Rate":
          return Effect.as(FiberHandle.run(traffic, steady(command.rate)), nothing)
        case "HangProbe":
          return Effect.sync(() => {
            hangs = command.hang
            return nothing
          })
        case "Report":
          return Effect.as(report, nothing)
      }
    }
  })

const worker = Effect.gen(function* () {
  const commands = yield* Queue.unbounded<Command>()
  process.on("message", (message) => void Queue.offerUnsafe(commands, decode(message)))
  process.on("disconnect", () => process.exit())
  tell({ _tag: "Booted", at: wallMillis() })
  // A process that is killed would leave nothing to those after it.
  flushCompileCache()
  let carryOut: Effect.Success<ReturnType<typeof begin>> | undefined
  for (;;) {
    const command = yield* Queue.take(commands)
    if (command._tag === "Stop") return
    let tags: ReadonlyArray<string> = []
    if (command._tag === "Start") {
      const context = yield* Layer.build(Stores.layer(command.setup.worker, command.setup.store))
      carryOut = yield* Effect.provideContext(begin(command.setup), context)
    } else if (carryOut !== undefined) {
      tags = yield* carryOut(command)
    }
    tell({ _tag: "Done", id: command.id, at: wallMillis(), tags })
  }
})

worker.pipe(
  Effect.scoped,
  Effect.tapCause((cause) =>
    Effect.sync(() => tell({ _tag: "Failed", at: wallMillis(), message: Cause.pretty(cause) }))
  ),
  Effect.ensuring(Effect.sync(() => process.disconnect())),
  NodeRuntime.runMain
)
