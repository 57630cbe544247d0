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

const perCall = {
  bare: await bytesPerCall(On.sync),
  ours: await bytesPerCall(On.sync.pipe(CircuitBreaker.protect(On.ours))),
  effect: await bytesPerCall(On.sync.pipe(effect.execute({ key: "a" })), 20_000)
}
const inFlight = {
  bare: await bytesInFlight(waiting(never)),
  ours: await bytesInFlight(waiting(never.pipe(CircuitBreaker.protect(On.ours)))),
  effect: await bytesInFlight(waiting(never.pipe(effect.execute({ key: "a" }))))
}
const keyed = CircuitBreaker.makeUnsafe("keyed", { log: false, keys: { max: 1_000_000 } })
await Effect.runPromise(On.sync.pipe(CircuitBreaker.protect(keyed, { key: "first" })))
const circuit = {
  ours: await bytesPerCircuit((key) => On.sync.pipe(CircuitBreaker.protect(keyed, { key }))),
  effect: await bytesPerCircuit((key) => On.sync.pipe(effect.execute({ key })))
}

console.log(
  JSON.stringify({
    "closed call": { ours: perCall.ours - perCall.bare, effect: perCall.effect - perCall.bare },
    "in flight": { ours: inFlight.ours - inFlight.bare, effect: inFlight.effect - inFlight.bare },
    circuit
  })
)
