/**
 * Bytes: of a call through a closed circuit, of a call in flight, of a circuit.
 * Runs with a young generation so large that nothing is collected in between.
 */
import { Effect, Fiber } from "effect"
import { CircuitBreaker } from "effect-resilience"
import * as On from "./dependencies.ts"

const collect = (): number => {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const times = 9

const medianOf = async (one: () => Promise<number>): Promise<number> => {
  const all: Array<number> = []
  for (let i = 0; i < times; i++) all.push(await one())
  return all.sort((a, b) => a - b)[times >> 1] ?? Number.NaN
}

const bytesPerCall = (effect: Effect.Effect<unknown, unknown>, count = 200_000): Promise<number> => {
  const body = Effect.gen(function* () {
    for (let i = 0; i < 100_000; i++) yield* effect
    collect()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < count; i++) yield* effect
    return (process.memoryUsage().heapUsed - before) / count
  })
  return medianOf(() => Effect.runPromise(body))
}

const bytesInFlight = (effect: Effect.Effect<unknown, unknown>): Promise<number> => {
  const count = 20_000
  return medianOf(() =>
    Effect.runPromise(
      Effect.gen(function* () {
        const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
        const before = collect()
        for (let i = 0; i < count; i++) fibers.push(yield* Effect.forkChild(effect, { startImmediately: true }))
        const bytes = (collect() - before) / count
        yield* Fiber.interruptAll(fibers)
        return bytes
      })
    )
  )
}

const bytesPerCircuit = async (call: (key: string) => Effect.Effect<unknown, unknown>): Promise<number> => {
  const keys = Array.from({ length: 10_000 }, (_, i) => `key-${i}-${Math.random()}`)
  const before = collect()
  await Effect.runPromise(Effect.forEach(keys, call, { discard: true }))
  return (collect() - before) / keys.length
}

// Waits inside another operation, as the calls of a service do: the stack of a
// fiber is made with its first frame.
const never = Effect.callback<number>(() => {})
const waiting = (effect: Effect.Effect<number, unknown>) => Effect.map(effect, (value) => value + 1)
const effect = await On.effects(5)

const circuits = async (call: (key: string) => Effect.Effect<unknown, unknown>): Promise<number> => {
  await Effect.runPromise(call("first"))
  return bytesPerCircuit(call)
}

const keyed = CircuitBreaker.makeUnsafe("keyed", { log: false, keys: { max: 1_000_000 } })
const key = { key: "a" }

// What was optimised for one of them changes what another one takes, so each
// runs in a process of its own.
const all: Readonly<Record<string, () => Promise<number>>> = {
  "closed call bare": () => bytesPerCall(On.sync),
  "closed call ours": () => bytesPerCall(On.sync.pipe(CircuitBreaker.protect(On.ours))),
  "closed call effect": () => bytesPerCall(On.sync.pipe(effect.execute(key)), 20_000),
  "in flight bare": () => bytesInFlight(waiting(never)),
  "in flight ours": () => bytesInFlight(waiting(never.pipe(CircuitBreaker.protect(On.ours)))),
  "in flight effect": () => bytesInFlight(waiting(never.pipe(effect.execute(key)))),
  "circuit ours": () => circuits((key) => On.sync.pipe(CircuitBreaker.protect(keyed, { key }))),
  "circuit effect": () => circuits((key) => On.sync.pipe(effect.execute({ key })))
}

const measured = all[process.argv[2] ?? ""]
if (measured === undefined) throw new Error(`nothing is named ${process.argv[2]}`)
console.log(await measured())
process.exit(0)
