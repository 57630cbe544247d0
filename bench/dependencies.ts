/**
 * What is measured against what: calls through this package, through Effect's
 * own modules, through cockatiel and through opossum.
 */
import {
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  fallback,
  handleAll,
  retry,
  timeout,
  TimeoutStrategy,
  wrap
} from "cockatiel"
import { Data, Effect, Exit, Layer, Scope } from "effect"
import { CircuitBreaker as EffectBreaker } from "effect/persistence"
import { CircuitBreaker, CircuitBreakers, Policy, Telemetry, TripPolicy } from "effect-resilience"
import Opossum from "opossum"

/** Typed error of the dependency. */
export class Unavailable extends Data.TaggedError("Unavailable")<{}> {}

/** One error for all calls, so that making it is not measured. */
export const unavailable = new Unavailable()

export const sync = Effect.sync(() => 1)
export const failing: Effect.Effect<number, Unavailable> = Effect.suspend(() => Effect.fail(unavailable))
export const promised = async (): Promise<number> => 1
export const rejecting = (): Promise<number> => Promise.reject(unavailable)
export const asynchronous = Effect.promise(promised)
export const asynchronousFailing: Effect.Effect<number, Unavailable> = Effect.tryPromise({
  try: rejecting,
  catch: () => unavailable
})

/** Runs an effect many times in one fiber. */
export const inFiber =
  (effect: Effect.Effect<unknown, unknown>) =>
  (count: number): Promise<void> =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let i = 0; i < count; i++) yield* effect
      })
    )

/** Runs a function that returns promises many times. */
export const inTurn =
  (call: () => Promise<unknown>) =>
  async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await call()
  }

/** Runs a function whose promises are rejected many times. */
export const inTurnRejected =
  (call: () => Promise<unknown>) =>
  async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      try {
        await call()
      } catch {
        // What is measured is the rejection.
      }
    }
  }

const never = 1_000_000_000
const scope = Scope.makeUnsafe()

/** Breaker of this package that does not trip. */
export const ours = CircuitBreaker.makeUnsafe("closed", { trip: TripPolicy.consecutive(5), log: false })

/** Breaker of this package that lets every call fail. */
export const oursFailing = CircuitBreaker.makeUnsafe("failing", { trip: TripPolicy.consecutive(never), log: false })

/** Returns an open breaker of this package. */
export const oursOpen = async () => {
  const breaker = CircuitBreaker.makeUnsafe("open", { trip: TripPolicy.consecutive(1), openFor: "1 hour", log: false })
  await Effect.runPromise(Effect.exit(failing.pipe(CircuitBreaker.protect(breaker))))
  return breaker
}

/** Returns breakers of this package without telemetry, with it, with it but for latency, and after it. */
export const oursWithTelemetry = async () => {
  const breaker = async (telemetry: Layer.Layer<never>, owner: Scope.Scope) => {
    const context = await Effect.runPromise(
      Layer.build(Layer.provideMerge(telemetry, CircuitBreakers.layer)).pipe(
        Effect.provideService(Scope.Scope, owner),
        Effect.provideService(Layer.CurrentMemoMap, Layer.makeMemoMapUnsafe())
      )
    )
    return Effect.runPromise(
      CircuitBreaker.make("measured", { log: false }).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.provideContext(context)
      )
    )
  }
  const over = Scope.makeUnsafe()
  const ended = await breaker(Telemetry.layer(), over)
  await Effect.runPromise(Scope.close(over, Exit.void))
  return [
    await breaker(Layer.empty, scope),
    await breaker(Telemetry.layer(), scope),
    await breaker(Telemetry.layer({ latency: false }), scope),
    ended
  ] as const
}

/** Returns a breaker of Effect's own. */
export const effects = (failures: number): Promise<EffectBreaker.CircuitBreaker> =>
  Effect.runPromise(
    EffectBreaker.make({ tripPolicy: EffectBreaker.consecutive(failures), openDuration: "1 hour" }).pipe(
      Effect.provide(EffectBreaker.layerStoreMemory()),
      Effect.provideService(Scope.Scope, scope)
    )
  )

/** Returns an open breaker of Effect's own. */
export const effectsOpen = async () => {
  const breaker = await effects(1)
  await Effect.runPromise(Effect.exit(failing.pipe(breaker.execute({ key: "a" }))))
  return breaker
}

/** Returns a breaker of cockatiel. */
export const cockatiels = (failures: number) =>
  circuitBreaker(handleAll, { halfOpenAfter: 3_600_000, breaker: new ConsecutiveBreaker(failures) })

/** Returns an open breaker of cockatiel. */
export const cockatielsOpen = async () => {
  const breaker = cockatiels(1)
  await breaker.execute(rejecting).catch(() => {})
  return breaker
}

/** Returns a breaker of opossum. */
export const opossums = (call: () => Promise<number>, percentage: number) =>
  new Opossum(call, {
    timeout: false,
    errorThresholdPercentage: percentage,
    resetTimeout: 3_600_000,
    volumeThreshold: 1
  })

/** Returns an open breaker of opossum. */
export const opossumsOpen = () => {
  const breaker = opossums(promised, 50)
  breaker.open()
  return breaker
}

/** Stack of this package: fallback, retry, breaker, attempt timeout. */
export const oursStack = Policy.make({
  fallback: () => Effect.succeed(0),
  retry: { maxAttempts: 3 },
  breaker: ours,
  attemptTimeout: "1 second"
})

/** Returns the stack of Effect's own modules. */
export const effectsStack = async () => {
  const breaker = await effects(5)
  return <A, E>(self: Effect.Effect<A, E>) =>
    self.pipe(
      Effect.timeout("1 second"),
      breaker.execute({ key: "a" }),
      Effect.retry({ times: 2 }),
      Effect.catch(() => Effect.succeed(0))
    )
}

/** Returns the stack of cockatiel. */
export const cockatielsStack = () =>
  wrap(
    fallback(handleAll, 0),
    retry(handleAll, { maxAttempts: 2, backoff: new ExponentialBackoff() }),
    cockatiels(5),
    timeout(1000, TimeoutStrategy.Aggressive)
  )
