/**
 * What many processes ask of a store while the dependency that they call is
 * down: 200 simulated instances, each with a store, a circuit and traffic.
 */
import { CircuitBreaker, CircuitStore, TripPolicy } from "effect-resilience"
import { CircuitStoreTable } from "effect-resilience/store"
import type { CircuitTable } from "effect-resilience/store"
import { Effect } from "effect"
import type { Scope } from "effect"

export const instances = 200
const seconds = 30
const openFor = 2000

export interface Outage {
  /** Operations an instance and second, on average. */
  readonly rate: number
  /** Operations of all instances in the busiest second, an instance. */
  readonly busiest: number
  /** Half-open episodes. */
  readonly episodes: number
  /** Calls that reached the dependency while the circuit was half-open. */
  readonly probes: number
  /** Probes that ran while as many as may run did already. */
  readonly above: number
}

/** Lets all instances hear through one listener: they would be as many connections else. */
const shareFeed = (table: CircuitTable.CircuitTable) =>
  Effect.gen(function* () {
    if (table.listen === undefined) return table
    const all = new Set<(hint: CircuitTable.Hint) => void>()
    const listening = yield* table.listen((hint) => all.forEach((hear) => hear(hint)))
    yield* Effect.forkScoped(listening)
    const listen = (hear: (hint: CircuitTable.Hint) => void) =>
      Effect.as(
        Effect.acquireRelease(
          Effect.sync(() => all.add(hear)),
          () => Effect.sync(() => all.delete(hear))
        ),
        Effect.never
      )
    return { ...table, listen }
  })

export const measureOutage = (
  table: CircuitTable.CircuitTable
): Effect.Effect<Outage, CircuitTable.TableError, Scope.Scope> =>
  Effect.gen(function* () {
    const perSecond: Array<number> = []
    let start = Number.POSITIVE_INFINITY
    const count =
      <A extends ReadonlyArray<unknown>, B>(operation: (...args: A) => B) =>
      (...args: A): B => {
        const second = Math.floor((performance.now() - start) / 1000)
        if (second >= 0) perSecond[second] = (perSecond[second] ?? 0) + 1
        return operation(...args)
      }
    const feed = yield* shareFeed(table)
    const counted: CircuitTable.CircuitTable = {
      ...feed,
      read: count(feed.read),
      changes: count(feed.changes),
      write: count(feed.write)
    }
    let down = false
    let running = 0
    let above = 0
    let probes = 0
    let episodes = 0
    const dependency = (breaker: CircuitBreaker.CircuitBreaker) =>
      Effect.suspend(() => {
        if (!down) return Effect.void
        if (breaker.main.current._tag !== "HalfOpen") return Effect.fail("down")
        probes++
        running++
        if (running > 1) above++
        return Effect.andThen(Effect.sleep(50), Effect.fail("down")).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              running--
            })
          )
        )
      })
    yield* Effect.forEach(
      Array.from({ length: instances }),
      (_, i) =>
        Effect.gen(function* () {
          const store = yield* CircuitStoreTable.make(counted, { instance: `instance ${i}`, log: false })
          const breaker = yield* Effect.provideService(
            CircuitBreaker.makeShared("upstream", { trip: TripPolicy.consecutive(5), openFor, log: false }),
            CircuitStore.CircuitStore,
            store
          )
          if (i === 0) breaker.listeners.add(({ to }) => void (episodes += to._tag === "HalfOpen" ? 1 : 0))
          // Twenty calls a second.
          yield* Effect.forkScoped(
            Effect.forever(Effect.delay(Effect.ignore(CircuitBreaker.protect(dependency(breaker), breaker)), 50))
          )
        }),
      { concurrency: "unbounded", discard: true }
    )
    yield* Effect.sleep(8000)
    start = performance.now()
    down = true
    yield* Effect.sleep(seconds * 1000)
    const measured = perSecond.slice(0, seconds)
    start = Number.POSITIVE_INFINITY
    down = false
    return {
      rate: measured.reduce((a, b) => a + b, 0) / seconds / instances,
      busiest: Math.max(...measured) / instances,
      episodes,
      probes,
      above
    }
  })
