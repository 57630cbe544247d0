/**
 * The rows of the benchmark. Each one runs in a process of its own.
 */
import { Effect } from "effect"
import { CircuitBreaker, Retry, Timeout, TripPolicy } from "effect-resilience"
import * as On from "./dependencies.ts"
import type { Cases, Samples } from "./measure.ts"
import { attacks, samples as readSamples } from "./reads/samples.ts"

/** Limit of a row: what the first costs above its base, against what the second does above its own. */
export interface Limit {
  readonly of: string
  readonly against: string
  readonly must?: number
  readonly stretch?: number
}

/** Row of the benchmark. */
export interface Row {
  readonly title: string
  /** Case that each case is compared with. */
  readonly base: Readonly<Record<string, string>>
  readonly limits: ReadonlyArray<Limit>
  /** Limits of what the first costs, its base included, against what the second does. */
  readonly whole?: ReadonlyArray<Limit>
  readonly cases: () => Promise<Cases>
  /** Measures the row itself, where it is not a matter of operations one after the other. */
  readonly samples?: () => Promise<Samples>
}

const many = 100_000
const few = 10_000

export const rows: Readonly<Record<string, Row>> = {
  closed: {
    title: "closed, success, sync dependency",
    base: { ours: "bare", "ours, built per call": "bare, built per call", effect: "bare" },
    limits: [{ of: "ours", against: "effect", must: 1 / 20, stretch: 1 / 50 }],
    cases: async () => {
      const effect = await On.effects(5)
      const protect = CircuitBreaker.protect(On.ours)
      const suspended = Effect.suspend(() => On.sync)
      return {
        bare: { count: many, run: On.inFiber(On.sync) },
        "bare, built per call": { count: many, run: On.inFiber(suspended) },
        ours: { count: many, run: On.inFiber(protect(On.sync)) },
        "ours, built per call": { count: many, run: On.inFiber(Effect.suspend(() => protect(On.sync))) },
        effect: { count: few, run: On.inFiber(On.sync.pipe(effect.execute({ key: "a" }))) }
      }
    }
  },
  closedAsync: {
    title: "closed, success, promise as dependency",
    base: { ours: "bare", effect: "bare", cockatiel: "await", opossum: "await" },
    limits: [{ of: "ours", against: "cockatiel", must: 1.5, stretch: 1 }],
    cases: async () => {
      const effect = await On.effects(5)
      const cockatiel = On.cockatiels(5)
      const opossum = On.opossums(On.promised, 50)
      return {
        bare: { count: many, run: On.inFiber(On.asynchronous) },
        ours: { count: many, run: On.inFiber(On.asynchronous.pipe(CircuitBreaker.protect(On.ours))) },
        effect: { count: few, run: On.inFiber(On.asynchronous.pipe(effect.execute({ key: "a" }))) },
        await: { count: many, run: On.inTurn(On.promised) },
        cockatiel: { count: many, run: On.inTurn(() => cockatiel.execute(On.promised)) },
        opossum: { count: few, run: On.inTurn(() => opossum.fire()) }
      }
    }
  },
  closedOther: {
    title: "closed, success, other trip policies",
    base: { consecutive: "bare", failures: "bare", rate: "bare", slowCalls: "bare", key: "bare" },
    limits: [],
    cases: async () => {
      const through = (trip: TripPolicy.TripPolicy, options?: CircuitBreaker.KeyOptions) =>
        On.inFiber(
          On.sync.pipe(CircuitBreaker.protect(CircuitBreaker.makeUnsafe("any", { trip, log: false }), options))
        )
      return {
        bare: { count: many, run: On.inFiber(On.sync) },
        consecutive: { count: many, run: through(TripPolicy.consecutive()) },
        failures: { count: many, run: through(TripPolicy.failures({ count: 5, of: 100 })) },
        rate: { count: many, run: through(TripPolicy.rate()) },
        slowCalls: { count: many, run: through(TripPolicy.slowCalls({ after: "1 second" })) },
        key: { count: many, run: through(TripPolicy.consecutive(), { key: "a" }) }
      }
    }
  },
  telemetry: {
    title: "closed, success, sync dependency, with telemetry",
    base: { without: "bare", provided: "bare", "without latency": "bare", ended: "bare" },
    limits: [],
    whole: [
      { of: "provided", against: "without", must: 2 },
      { of: "without latency", against: "without", stretch: 1.1 },
      { of: "ended", against: "without", stretch: 1.1 }
    ],
    cases: async () => {
      const [without, provided, counted, ended] = await On.oursWithTelemetry()
      const through = (breaker: CircuitBreaker.CircuitBreaker) =>
        On.inFiber(On.sync.pipe(CircuitBreaker.protect(breaker)))
      return {
        bare: { count: many, run: On.inFiber(On.sync) },
        without: { count: many, run: through(without) },
        provided: { count: many, run: through(provided) },
        "without latency": { count: many, run: through(counted) },
        ended: { count: many, run: through(ended) }
      }
    }
  },
  open: {
    title: "open: a refusal with its full typed error",
    base: { ours: "bare failure", effect: "bare failure", cockatiel: "await rejection", opossum: "await rejection" },
    limits: [
      { of: "ours", against: "effect", must: 1 / 20, stretch: 1 / 100 },
      { of: "ours", against: "cockatiel", must: 1 / 4 }
    ],
    cases: async () => {
      const [ours, effect, cockatiel] = await Promise.all([On.oursOpen(), On.effectsOpen(), On.cockatielsOpen()])
      const opossum = On.opossumsOpen()
      return {
        "bare failure": { count: many, run: On.inFiber(Effect.exit(On.failing)) },
        ours: { count: many, run: On.inFiber(Effect.exit(On.sync.pipe(CircuitBreaker.protect(ours)))) },
        effect: { count: few / 2, run: On.inFiber(Effect.exit(On.sync.pipe(effect.execute({ key: "a" })))) },
        "await rejection": { count: few, run: On.inTurnRejected(On.rejecting) },
        cockatiel: { count: few, run: On.inTurnRejected(() => cockatiel.execute(On.promised)) },
        opossum: { count: few / 2, run: On.inTurnRejected(() => opossum.fire()) }
      }
    }
  },
  failure: {
    title: "closed, failure with a typed error",
    base: { ours: "bare", effect: "bare", cockatiel: "await rejection" },
    limits: [{ of: "ours", against: "effect", must: 1 / 15 }],
    cases: async () => {
      const effect = await On.effects(1_000_000_000)
      const cockatiel = On.cockatiels(1_000_000_000)
      return {
        bare: { count: many, run: On.inFiber(Effect.exit(On.failing)) },
        ours: { count: many, run: On.inFiber(Effect.exit(On.failing.pipe(CircuitBreaker.protect(On.oursFailing)))) },
        effect: { count: few, run: On.inFiber(Effect.exit(On.failing.pipe(effect.execute({ key: "a" })))) },
        "await rejection": { count: few, run: On.inTurnRejected(On.rejecting) },
        cockatiel: { count: few, run: On.inTurnRejected(() => cockatiel.execute(On.rejecting)) }
      }
    }
  },
  retry: {
    title: "retry, first attempt succeeds",
    base: { ours: "bare", effect: "bare" },
    limits: [{ of: "ours", against: "effect", must: 1 / 10, stretch: 1 / 30 }],
    cases: async () => ({
      bare: { count: many, run: On.inFiber(On.sync) },
      ours: { count: many, run: On.inFiber(On.sync.pipe(Retry.retry({ maxAttempts: 3 }))) },
      effect: { count: few, run: On.inFiber(On.sync.pipe(Effect.retry({ times: 2 }))) }
    })
  },
  timeout: {
    title: "timeout not reached, sync dependency",
    base: { ours: "bare", effect: "bare" },
    limits: [{ of: "ours", against: "effect", must: 1, stretch: 1 / 3 }],
    cases: async () => ({
      bare: { count: many, run: On.inFiber(On.sync) },
      ours: { count: few, run: On.inFiber(On.sync.pipe(Timeout.timeout("1 second"))) },
      effect: { count: few, run: On.inFiber(On.sync.pipe(Effect.timeout("1 second"))) }
    })
  },
  timeoutAsync: {
    title: "timeout not reached, promise as dependency",
    base: { ours: "bare", effect: "bare" },
    limits: [{ of: "ours", against: "effect", must: 1, stretch: 1 / 3 }],
    cases: async () => ({
      bare: { count: few, run: On.inFiber(On.asynchronous) },
      ours: { count: few, run: On.inFiber(On.asynchronous.pipe(Timeout.timeout("1 second"))) },
      effect: { count: few, run: On.inFiber(On.asynchronous.pipe(Effect.timeout("1 second"))) }
    })
  },
  stack: {
    title: "retry + breaker + timeout + fallback, sync dependency",
    base: { ours: "bare", effect: "bare" },
    limits: [{ of: "ours", against: "effect", must: 1 / 2, stretch: 1 / 5 }],
    cases: async () => {
      const effect = await On.effectsStack()
      return {
        bare: { count: many, run: On.inFiber(On.sync) },
        ours: { count: few, run: On.inFiber(On.sync.pipe(On.oursStack)) },
        effect: { count: few, run: On.inFiber(effect(On.sync)) }
      }
    }
  },
  stackAsync: {
    title: "retry + breaker + timeout + fallback, promise as dependency",
    base: { ours: "bare", effect: "bare", cockatiel: "await" },
    limits: [
      { of: "ours", against: "effect", must: 1 / 2, stretch: 1 / 5 },
      { of: "ours", against: "cockatiel", must: 1 / 2, stretch: 1 / 4 }
    ],
    cases: async () => {
      const effect = await On.effectsStack()
      const cockatiel = On.cockatielsStack()
      return {
        bare: { count: few, run: On.inFiber(On.asynchronous) },
        ours: { count: few, run: On.inFiber(On.asynchronous.pipe(On.oursStack)) },
        effect: { count: few, run: On.inFiber(effect(On.asynchronous)) },
        await: { count: few, run: On.inTurn(On.promised) },
        cockatiel: { count: few, run: On.inTurn(() => cockatiel.execute(On.promised)) }
      }
    }
  },
  fibers10k: fibers(10_000),
  fibers100k: fibers(100_000),
  keys: {
    title: "10 000 keys, random access",
    base: { ours: "bare", effect: "bare", cockatiel: "await" },
    limits: [],
    cases: async () => {
      const keys = Array.from({ length: 10_000 }, (_, i) => `key-${i}`)
      const pick = (() => {
        let state = 1
        return () => {
          state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
          return keys[state % keys.length] as string
        }
      })()
      const breaker = CircuitBreaker.makeUnsafe("keyed", { log: false })
      const effect = await On.effects(5)
      const cockatiel = new Map(keys.map((key) => [key, On.cockatiels(5)]))
      const each = (run: (key: string) => Effect.Effect<unknown, unknown>) =>
        On.inFiber(Effect.suspend(() => run(pick())))
      return {
        bare: { count: many, run: each(() => On.sync) },
        ours: { count: many, run: each((key) => On.sync.pipe(CircuitBreaker.protect(breaker, { key }))) },
        effect: { count: few, run: each((key) => On.sync.pipe(effect.execute({ key }))) },
        await: { count: many, run: On.inTurn(() => (pick(), On.promised())) },
        cockatiel: {
          count: many,
          run: On.inTurn(() => (cockatiel.get(pick()) ?? On.cockatiels(5)).execute(On.promised))
        }
      }
    }
  },
  reads: {
    title: "99th percentile of a probe while a client asks the control plane as fast as it can, with 100 000 keys",
    base: {},
    limits: [],
    whole: Object.keys(attacks).map((name) => ({ of: name, against: "idle", must: 5 })),
    cases: () => Promise.resolve({}),
    samples: readSamples
  }
}

function fibers(count: number): Row {
  return {
    title: `${count / 1000}k fibers at once, each yielding once`,
    base: { ours: "bare", effect: "bare", cockatiel: "promises" },
    limits: [],
    cases: async () => {
      const effect = await On.effects(5)
      const cockatiel = On.cockatiels(5)
      const yielding = Effect.as(Effect.yieldNow, 1)
      const all = (self: Effect.Effect<unknown, unknown>) => (n: number) =>
        Effect.runPromise(
          Effect.all(
            Array.from({ length: n }, () => self),
            { concurrency: "unbounded", discard: true }
          )
        )
      const later = () => new Promise<number>((resolve) => setImmediate(() => resolve(1)))
      return {
        bare: { count, run: all(yielding) },
        ours: { count, run: all(yielding.pipe(CircuitBreaker.protect(On.ours))) },
        effect: { count, run: all(yielding.pipe(effect.execute({ key: "a" }))) },
        promises: { count, run: (n) => Promise.all(Array.from({ length: n }, later)) },
        cockatiel: { count, run: (n) => Promise.all(Array.from({ length: n }, () => cockatiel.execute(later))) }
      }
    }
  }
}
