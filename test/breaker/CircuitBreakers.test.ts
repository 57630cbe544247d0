import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Option, Schedule, Scope, Stream } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Outcome from "../../src/core/Outcome.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { assertRefused, caller, quick } from "../support/circuits.ts"

/** Runs an effect with a registry of its own. */
const registered = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provide(effect, CircuitBreakers.layer)

const names = Effect.map(CircuitBreakers.list, (breakers) => breakers.map(({ name }) => name))

/** The conflict that a second breaker of the same name meets. */
const conflict = (one: CircuitBreaker.Options, two: CircuitBreaker.Options) =>
  Effect.gen(function* () {
    yield* CircuitBreaker.make("api", one)
    const exit = yield* Effect.exit(CircuitBreaker.make("api", two))
    if (Exit.isSuccess(exit)) return []
    const defect = Cause.squash(exit.cause)
    assert.instanceOf(defect, CircuitBreakers.BreakerConflictError)
    assert.isTrue(Cause.hasDies(exit.cause))
    if (!(defect instanceof CircuitBreakers.BreakerConflictError)) return []
    assert.deepStrictEqual([defect._tag, defect.breaker], ["BreakerConflictError", "api"])
    assert.strictEqual(defect.message, `Two breakers are named "api" and differ in ${defect.differences.join(", ")}`)
    return defect.differences
  }).pipe(Effect.scoped, registered)

const predicate = () => true

describe("breakers by name", () => {
  it.effect("are read and reset by hand", () =>
    Effect.gen(function* () {
      yield* caller(yield* CircuitBreaker.make("payments", quick)).fail
      const payments = yield* CircuitBreakers.get("payments")
      assert.strictEqual((yield* payments.status).state._tag, "Open")
      yield* CircuitBreakers.reset("payments")
      assert.strictEqual((yield* payments.status).state._tag, "Closed")
    }).pipe(registered)
  )

  it.effect("an unknown name is an error that says which names there are", () =>
    Effect.gen(function* () {
      const none = yield* Effect.flip(CircuitBreakers.get("payments"))
      assert.strictEqual(none._tag, "UnknownBreakerError")
      assert.deepStrictEqual([none.breaker, none.known], ["payments", []])
      assert.strictEqual(none.message, `No breaker is named "payments": there are none`)
      yield* CircuitBreaker.make("search")
      yield* CircuitBreaker.make("feed")
      for (const attempt of [
        CircuitBreakers.get("payments"),
        CircuitBreakers.holdOpen("payments"),
        CircuitBreakers.holdClosed("payments"),
        CircuitBreakers.release("payments"),
        CircuitBreakers.reset("payments")
      ]) {
        const some = yield* Effect.flip(attempt)
        assert.deepStrictEqual([some.breaker, some.known], ["payments", ["search", "feed"]])
        assert.strictEqual(some.message, `No breaker is named "payments": there are search, feed`)
      }
    }).pipe(registered)
  )

  it.effect("list and statuses are in order of registration, keys after their breaker", () =>
    Effect.gen(function* () {
      const b = yield* CircuitBreaker.make("b")
      yield* CircuitBreaker.make("a")
      yield* caller(b, { key: "tenant" }).succeed
      assert.deepStrictEqual(yield* names, ["b", "a"])
      assert.deepStrictEqual(
        (yield* CircuitBreakers.statuses).map(({ counts, key, name }) => [name, key, counts.calls]),
        [
          ["b", undefined, 0],
          ["b", "tenant", 1],
          ["a", undefined, 0]
        ]
      )
    }).pipe(registered)
  )

  it.effect("are held, released and reset, with key, reason, author and end", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("api", quick)
      const [own, tenant] = [caller(breaker), caller(breaker, { key: "tenant" })]
      yield* CircuitBreakers.holdOpen("api", { reason: "maintenance", by: "ada", for: "1 minute" })
      const { state } = yield* own.status
      assert.deepStrictEqual(state, {
        _tag: "HeldOpen",
        generation: 1,
        since: 0,
        until: 60_000,
        reason: "maintenance",
        by: "ada"
      })
      assertRefused(yield* tenant.succeed)
      yield* CircuitBreakers.release("api")
      yield* CircuitBreakers.holdClosed("api", { key: "tenant" })
      yield* tenant.fails(3)
      assert.deepStrictEqual([yield* own.state, yield* tenant.state], ["Closed", "HeldClosed"])
      yield* CircuitBreakers.release("api", { key: "tenant" })
      yield* tenant.fail
      yield* own.fail
      assert.deepStrictEqual([yield* own.state, yield* tenant.state], ["Open", "Open"])
      yield* CircuitBreakers.reset("api", { key: "tenant" })
      assert.deepStrictEqual([yield* own.state, yield* tenant.state], ["Open", "Closed"])
      yield* CircuitBreakers.reset("api")
      assert.strictEqual(yield* own.state, "Closed")
    }).pipe(registered)
  )
})

describe("the same name", () => {
  const same: ReadonlyArray<[string, CircuitBreaker.Options, CircuitBreaker.Options]> = [
    ["with the same options", { openFor: "10 seconds" }, { openFor: "10 seconds" }],
    ["with the same options in other words", { openFor: "60 seconds" }, { openFor: { minutes: 1 } }],
    ["with defaults and with their values", {}, { trip: TripPolicy.consecutive(5), openFor: 30_000, log: true }],
    ["with the same backoff", { openFor: Backoff.exponential() }, { openFor: Backoff.exponential() }],
    ["with the same predicate", { ignore: predicate }, { ignore: predicate }],
    ["with the same reader of hints", { retryAfter: Outcome.hint }, { retryAfter: Outcome.hint }],
    ["with the same tags", { ignore: ["A"], failureIf: ["B"] }, { ignore: ["A"], failureIf: ["B"] }]
  ]
  for (const [name, one, two] of same) {
    it.effect(`${name} is the same circuit`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* CircuitBreaker.make("api", one), yield* CircuitBreaker.make("api", two))
        assert.deepStrictEqual(yield* names, ["api"])
      }).pipe(registered)
    )
  }

  const spaced = Schedule.spaced("1 second")
  const differing: ReadonlyArray<[CircuitBreaker.Options, CircuitBreaker.Options, ...string: ReadonlyArray<string>]> = [
    [
      { trip: TripPolicy.consecutive(3) },
      {},
      `trip: {"type":"consecutive","failures":3} | {"type":"consecutive","failures":5}`
    ],
    [{ openFor: "10 seconds" }, { openFor: "11 seconds" }, "openFor: 10000 | 11000"],
    [{ openFor: spaced }, { openFor: "1 second" }, `openFor: "a schedule" | 1000`],
    [{ openFor: spaced }, { openFor: Schedule.spaced("1 second") }, "openFor: another function"],
    [{ maxOpenFor: "2 hours" }, {}, "maxOpenFor: 7200000 | 3600000"],
    [
      { halfOpen: { probes: 2 } },
      {},
      `halfOpen: {"probes":2,"successes":1,"leaseFor":30000,"pace":1000} | {"probes":1,"successes":1,"leaseFor":30000,"pace":1000}`
    ],
    [{ ignore: "A" }, { ignore: "B" }, `ignore: "A" | "B"`],
    [{ ignore: predicate }, {}, `ignore: "a function" | none`],
    [{ ignore: predicate }, { ignore: () => true }, "ignore: another function"],
    [{ failureIf: predicate }, { failureIf: () => true }, "failureIf: another function"],
    [
      { failureIf: predicate, ignore: predicate },
      { failureIf: predicate, ignore: () => true },
      "ignore: another function"
    ],
    [{ classify: Outcome.classify }, { classify: () => Outcome.success }, "classify: another function"],
    [{ retryAfter: Outcome.hint }, { retryAfter: () => 5 }, "retryAfter: another function"],
    [{ retryAfter: Outcome.hint }, {}, `retryAfter: "a function" | none`],
    [{ dryRun: true }, {}, "dryRun: true | false"],
    [{ log: false }, {}, "log: false | true"],
    [{ keys: { max: 5 } }, {}, `keys: {"max":5,"idleFor":3600000} | {"max":10000,"idleFor":3600000}`],
    [{ dryRun: true, openFor: "1 second" }, { openFor: "2 seconds" }, "openFor: 1000 | 2000", "dryRun: true | false"]
  ]
  for (const [one, two, ...differences] of differing) {
    it.effect(`with another policy is an error that names the difference: ${differences.join(", ")}`, () =>
      Effect.map(conflict(one, two), (found) => assert.deepStrictEqual(found, differences))
    )
  }

  it.effect("a conflict leaves the first breaker as it was", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("api", quick)
      yield* caller(breaker).fail
      yield* Effect.exit(Effect.scoped(CircuitBreaker.make("api")))
      assert.strictEqual(yield* CircuitBreakers.get("api"), breaker)
      assert.strictEqual(yield* caller(breaker).state, "Open")
      // The scope of the one that was refused takes nothing with it.
      assert.deepStrictEqual(yield* names, ["api"])
    }).pipe(registered)
  )

  it.effect("of two classes with other options is an error when their layers are built", () =>
    Effect.gen(function* () {
      class One extends CircuitBreaker.Service<One>()("api", { openFor: "1 second" }) {}
      class Two extends CircuitBreaker.Service<Two>()("api", { openFor: "2 seconds" }) {}
      const exit = yield* Effect.exit(Effect.provide(Effect.void, Layer.merge(One.layer, Two.layer)))
      assert.isTrue(
        Exit.isFailure(exit) &&
          exit.cause.reasons.some((reason) => Cause.isDieReason(reason) && String(reason.defect).includes("openFor: "))
      )
    })
  )

  it.effect("of two classes with the same options is one breaker", () =>
    Effect.gen(function* () {
      class One extends CircuitBreaker.Service<One>()("api", quick) {}
      class Two extends CircuitBreaker.Service<Two>()("api", quick) {}
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* One, yield* Two)
        assert.strictEqual((yield* CircuitBreakers.list).length, 1)
      }).pipe(Effect.provide(Layer.mergeAll(One.layer, Two.layer, CircuitBreakers.layer)))
    })
  )
})

describe("a registered breaker", () => {
  it.effect("leaves when its scope closes", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.andThen(CircuitBreaker.make("api"), names))
      assert.deepStrictEqual(yield* names, [])
      yield* Effect.flip(CircuitBreakers.get("api"))
    }).pipe(registered)
  )

  it.effect("stays until the last of its scopes closes, in any order, and its name is free then", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* Scope.make(), yield* Scope.make()]
      const make = (scope: Scope.Scope) => Effect.provideService(CircuitBreaker.make("api", quick), Scope.Scope, scope)
      const breaker = yield* make(one)
      assert.strictEqual(yield* make(two), breaker)
      yield* caller(breaker).fail
      yield* Scope.close(one, Exit.void)
      assert.strictEqual(yield* CircuitBreakers.get("api"), breaker)
      assertRefused(yield* caller(breaker).succeed)
      yield* Scope.close(two, Exit.void)
      assert.deepStrictEqual(yield* names, [])
      assert.strictEqual(breaker.listeners.size, 0)
      const next = yield* CircuitBreaker.make("api", { log: false })
      assert.notStrictEqual(next, breaker)
      assert.strictEqual(yield* caller(next).state, "Closed")
    }).pipe(registered)
  )

  it.effect("whose making was interrupted is not there", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.scoped(CircuitBreaker.make("api")))
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* names, [])
    }).pipe(registered)
  )
})

describe("make", () => {
  it.effect("registers where there is a registry, and not where there is none", () =>
    Effect.gen(function* () {
      const alone = yield* CircuitBreaker.make("api")
      assert.notStrictEqual(yield* CircuitBreaker.make("api"), alone)
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* names, [])
        const breaker = yield* CircuitBreaker.make("api")
        assert.notStrictEqual(breaker, alone)
        assert.strictEqual(yield* CircuitBreakers.get("api"), breaker)
      }).pipe(registered)
    })
  )

  it.effect("makeUnsafe stands in no registry", () =>
    Effect.gen(function* () {
      CircuitBreaker.makeUnsafe("api")
      assert.deepStrictEqual(yield* names, [])
    }).pipe(registered)
  )

  it.effect("a registry that somebody made is one of its own", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* CircuitBreakers.make, yield* CircuitBreakers.make]
      const within = (registry: typeof one) => Effect.provideService(CircuitBreakers.CircuitBreakers, registry)
      yield* within(one)(CircuitBreaker.make("api"))
      assert.deepStrictEqual([yield* within(one)(names), yield* within(two)(names)], [["api"], []])
    })
  )
})

describe("layers", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments", quick) {}
  class Search extends CircuitBreaker.Service<Search>()("search", quick) {}

  it.effect("all layers of an application share one registry", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* names).toSorted(), ["payments", "search"])
      assert.strictEqual(yield* CircuitBreakers.get("payments"), yield* Payments)
    }).pipe(Effect.provide(Layer.mergeAll(Payments.layer, Search.layer, CircuitBreakers.layer)))
  )

  it.effect("also where they are provided one within the other", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* names).toSorted(), ["payments", "search"])
    }).pipe(Effect.provide(Payments.layer), Effect.provide(Search.layer), Effect.provide(CircuitBreakers.layer))
  )

  it.effect("also beside services that use a breaker of their own making", () =>
    Effect.gen(function* () {
      class Client extends Context.Service<Client, CircuitBreaker.CircuitBreaker>()("Client") {
        static readonly layer = Layer.effect(Client, CircuitBreaker.make("client")).pipe(
          Layer.provide(CircuitBreakers.layer)
        )
      }
      yield* Effect.gen(function* () {
        assert.deepStrictEqual((yield* names).toSorted(), ["client", "payments"])
        assert.strictEqual(yield* CircuitBreakers.get("client"), yield* Client)
      }).pipe(Effect.provide(Layer.mergeAll(Client.layer, Payments.layer, CircuitBreakers.layer)))
    })
  )

  it.effect("the breaker of a layer leaves with it", () =>
    Effect.gen(function* () {
      yield* Effect.provide(Effect.void, Payments.layer)
      assert.deepStrictEqual(yield* names, [])
    }).pipe(registered)
  )
})

describe("changes", () => {
  const summary = ({ from, key, name, to }: CircuitBreaker.Change) => [name, key, from._tag, to._tag]

  it.effect("of all breakers, those that come later and their keys included, to every subscriber", () =>
    Effect.gen(function* () {
      const one = yield* CircuitBreaker.make("one", quick)
      const collect = Effect.forkChild(Stream.runCollect(Stream.take(CircuitBreakers.changes, 3)), {
        startImmediately: true
      })
      const subscribers = [yield* collect, yield* collect]
      yield* caller(one).fail
      const two = yield* CircuitBreaker.make("two", quick)
      yield* caller(two, { key: "tenant" }).fail
      yield* CircuitBreakers.reset("one")
      for (const subscriber of subscribers) {
        assert.deepStrictEqual([...(yield* Fiber.join(subscriber))].map(summary), [
          ["one", undefined, "Closed", "Open"],
          ["two", "tenant", "Closed", "Open"],
          ["one", undefined, "Open", "Closed"]
        ])
      }
    }).pipe(registered)
  )

  it.effect("end with their subscriber, and with the breaker that left", () =>
    Effect.gen(function* () {
      const { listeners } = yield* CircuitBreakers.CircuitBreakers
      const seen: Array<unknown> = []
      const listener = (change: CircuitBreaker.Change) => void seen.push(summary(change))
      listeners.add(listener)
      const breaker = yield* Effect.scoped(
        Effect.tap(CircuitBreaker.make("api", quick), (breaker) => caller(breaker).fail)
      )
      // It left the registry, which hears no more of it.
      yield* CircuitBreaker.reset(breaker)
      listeners.delete(listener)
      yield* caller(yield* CircuitBreaker.make("api", quick)).fail
      assert.deepStrictEqual(seen, [["api", undefined, "Closed", "Open"]])
    }).pipe(registered)
  )

  it.effect("a listener that throws fails no call and keeps no other from hearing", () =>
    Effect.gen(function* () {
      const { listeners } = yield* CircuitBreakers.CircuitBreakers
      const seen: Array<unknown> = []
      listeners.add(() => {
        throw new Error("bug")
      })
      listeners.add((change) => seen.push(summary(change)))
      const breaker = yield* CircuitBreaker.make("api", quick)
      breaker.listeners.add((change) => seen.push(summary(change)))
      assert.deepStrictEqual(yield* caller(breaker).fail, Exit.fail("boom"))
      assert.strictEqual(seen.length, 2)
    }).pipe(registered)
  )

  it.effect("a breaker that two scopes registered is heard once", () =>
    Effect.gen(function* () {
      const { listeners } = yield* CircuitBreakers.CircuitBreakers
      const seen: Array<unknown> = []
      listeners.add((change) => seen.push(summary(change)))
      const breaker = yield* CircuitBreaker.make("api", quick)
      yield* CircuitBreaker.make("api", quick)
      yield* caller(breaker).fail
      assert.strictEqual(seen.length, 1)
    }).pipe(registered)
  )

  it.effect("from the moment the stream is run", () =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make("api", quick)
      const stream = CircuitBreakers.changes
      yield* caller(breaker).fail
      const fiber = yield* Effect.forkChild(Stream.runHead(stream), { startImmediately: true })
      yield* CircuitBreaker.holdOpen(breaker)
      assert.strictEqual(Option.getOrThrow(yield* Fiber.join(fiber)).to._tag, "HeldOpen")
    }).pipe(registered)
  )
})
