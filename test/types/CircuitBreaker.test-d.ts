import { Context, Data, Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import type { Duration } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as Outcome from "../../src/core/Outcome.ts"

class A extends Data.TaggedError("A")<{ readonly a: number }> {}
class B extends Data.TaggedError("B")<{ readonly b: number }> {}
class C extends Data.TaggedError("C")<{ readonly c: number }> {}
class Work extends Context.Service<Work, { readonly work: string }>()("Work") {}
class Cache extends Context.Service<Cache, { readonly cache: string }>()("Cache") {}
class Payments extends CircuitBreaker.Service<Payments>()("payments", { openFor: "10 seconds" }) {}
class Search extends CircuitBreaker.Service<Search>()("search") {}

declare const call: Effect.Effect<number, A | B, Work>
declare const safe: Effect.Effect<string>
declare const breaker: CircuitBreaker.CircuitBreaker
declare const either: CircuitBreaker.CircuitBreaker | typeof Payments

type Refused = CircuitBreaker.CircuitOpenError

describe("protect", () => {
  it("adds the refusal to the errors, and nothing for a breaker", () => {
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    expectTypeOf(CircuitBreaker.protect(call, breaker)).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work>>()
    expectTypeOf(safe.pipe(CircuitBreaker.protect(breaker))).toEqualTypeOf<Effect.Effect<string, Refused>>()
    expectTypeOf(CircuitBreaker.protect(safe, breaker)).toEqualTypeOf<Effect.Effect<string, Refused>>()
  })

  it("adds the breaker to the services for a class", () => {
    expectTypeOf(call.pipe(CircuitBreaker.protect(Payments))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work | Payments>
    >()
    expectTypeOf(CircuitBreaker.protect(call, Payments)).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work | Payments>
    >()
    expectTypeOf(CircuitBreaker.protect(safe, Search, {})).toEqualTypeOf<Effect.Effect<string, Refused, Search>>()
    expectTypeOf(safe.pipe(CircuitBreaker.protect(Search, { key: "a" }))).toEqualTypeOf<
      Effect.Effect<string, Refused, Search>
    >()
    expectTypeOf(CircuitBreaker.protect(safe, either)).toEqualTypeOf<Effect.Effect<string, Refused, Payments>>()
  })

  it("has what orElse has in place of the refusal", () => {
    const fallback = { orElse: (): Effect.Effect<null, C, Cache> => Effect.never }
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker, fallback))).toEqualTypeOf<
      Effect.Effect<number | null, A | B | C, Work | Cache>
    >()
    expectTypeOf(CircuitBreaker.protect(call, breaker, fallback)).toEqualTypeOf<
      Effect.Effect<number | null, A | B | C, Work | Cache>
    >()
    expectTypeOf(call.pipe(CircuitBreaker.protect(Payments, fallback))).toEqualTypeOf<
      Effect.Effect<number | null, A | B | C, Work | Cache | Payments>
    >()
    expectTypeOf(CircuitBreaker.protect(safe, Payments, { orElse: () => Effect.succeed(7) })).toEqualTypeOf<
      Effect.Effect<string | number, never, Payments>
    >()
    expectTypeOf(safe.pipe(CircuitBreaker.protect(breaker, { orElse: () => Effect.succeed("") }))).toEqualTypeOf<
      Effect.Effect<string>
    >()
  })

  it("gives orElse the refusal", () => {
    safe.pipe(
      CircuitBreaker.protect(breaker, {
        orElse: (error) => {
          expectTypeOf(error).toEqualTypeOf<Refused>()
          expectTypeOf(error.retryAfter).toEqualTypeOf<Duration.Duration | undefined>()
          expectTypeOf(error.openedAt).toEqualTypeOf<number | undefined>()
          expectTypeOf(error.state).toEqualTypeOf<"Open" | "HalfOpen" | "HeldOpen">()
          return Effect.void
        }
      })
    )
    // A refusal that orElse passes on is an error again.
    expectTypeOf(safe.pipe(CircuitBreaker.protect(breaker, { orElse: (error) => Effect.fail(error) }))).toEqualTypeOf<
      Effect.Effect<string, Refused>
    >()
  })

  it("data-first, gives the functions the value and the errors of the effect", () => {
    const result = CircuitBreaker.protect(call, Payments, {
      classify: (exit) => {
        expectTypeOf(exit).toEqualTypeOf<Exit.Exit<number, A | B>>()
        return Outcome.success
      }
    })
    expectTypeOf(result).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work | Payments>>()
    CircuitBreaker.protect(call, Payments, {
      failureIf: (error) => {
        expectTypeOf(error).toEqualTypeOf<A | B>()
        return true
      },
      ignore: (error) => {
        expectTypeOf(error).toEqualTypeOf<A | B>()
        return true
      }
    })
  })

  it("data-last, takes functions of what the effect has, or of more", () => {
    const options = { ignore: (error: A | B | C) => error._tag === "C" }
    expectTypeOf(call.pipe(CircuitBreaker.protect(Payments, options))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work | Payments>
    >()
    const classify = (exit: Exit.Exit<number, A | B>) => (Exit.isSuccess(exit) ? Outcome.success : Outcome.ignored)
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker, { classify }))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker, { ignore: "A" }))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker, { failureIf: ["A", "B"] }))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    // @ts-expect-error the effect fails with more than the function takes
    call.pipe(CircuitBreaker.protect(breaker, { ignore: (error: A) => error.a > 0 }))
    // @ts-expect-error the effect succeeds with another value than the function takes
    call.pipe(CircuitBreaker.protect(breaker, { classify: (_: Exit.Exit<string, unknown>) => Outcome.success }))
  })

  it("data-last, gives the functions the value and the errors of the effect", () => {
    const protectedCall = call.pipe(
      CircuitBreaker.protect(Payments, {
        failureIf: (error) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return true
        },
        ignore: (error) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return true
        },
        retryAfter: (error) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return undefined
        }
      })
    )
    expectTypeOf(protectedCall).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work | Payments>>()
    call.pipe(
      CircuitBreaker.protect(Payments, {
        classify: (exit) => {
          expectTypeOf(exit).toEqualTypeOf<Exit.Exit<number, A | B>>()
          return Outcome.success
        },
        orElse: () => Effect.void
      })
    )
  })

  it("refuses a tag that no error of the effect has", () => {
    // @ts-expect-error
    call.pipe(CircuitBreaker.protect(breaker, { ignore: "C" }))
    // @ts-expect-error
    call.pipe(CircuitBreaker.protect(breaker, { failureIf: ["A", "C"] }))
    // @ts-expect-error
    call.pipe(CircuitBreaker.protect(breaker, { ignore: "C", orElse: () => Effect.void }))
    // @ts-expect-error
    CircuitBreaker.protect(call, breaker, { ignore: "C" })
    // @ts-expect-error
    CircuitBreaker.protect(call, breaker, { ignore: "C", orElse: () => Effect.void })
    // @ts-expect-error
    safe.pipe(CircuitBreaker.protect(breaker, { ignore: "A" }))
    // @ts-expect-error
    Effect.fn("call")(() => call, CircuitBreaker.protect(breaker, { ignore: "C" }))
    // @ts-expect-error
    Outcome.classifier<number, A | B>({ ignore: "C" })
  })

  it("takes any tag where the errors are not known", () => {
    const unknown = Effect.fail<unknown>("error")
    unknown.pipe(CircuitBreaker.protect(breaker, { ignore: "C" }))
    CircuitBreaker.protect(unknown, breaker, { ignore: "C" })
    const shared: CircuitBreaker.ProtectOptions<unknown, unknown> = { ignore: ["A", "C"] }
    expectTypeOf(call.pipe(CircuitBreaker.protect(breaker, shared))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    expectTypeOf(CircuitBreaker.protect(call, breaker, shared)).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work>
    >()
    const reused = CircuitBreaker.protect(breaker, { ignore: ["A", "C"] })
    expectTypeOf(call.pipe(reused)).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work>>()
    expectTypeOf(reused(safe)).toEqualTypeOf<Effect.Effect<string, Refused>>()
  })

  it("stays generic in a generic function", () => {
    type Generic = <V, E, R>(self: Effect.Effect<V, E, R>) => Effect.Effect<V, E | Refused, R>
    const plain = <V, E, R>(self: Effect.Effect<V, E, R>) => self.pipe(CircuitBreaker.protect(breaker, { key: "a" }))
    expectTypeOf(plain).toEqualTypeOf<Generic>()
    const first = <V, E, R>(self: Effect.Effect<V, E, R>) => CircuitBreaker.protect(self, breaker)
    expectTypeOf(first).toEqualTypeOf<Generic>()
    const direct = <V, E, R>(self: Effect.Effect<V, E, R>) => CircuitBreaker.protect(breaker, { ignore: "A" })(self)
    expectTypeOf(direct).toEqualTypeOf<Generic>()
    const shared: CircuitBreaker.ProtectOptions<unknown, unknown> = { ignore: "A" }
    const piped = <V, E, R>(self: Effect.Effect<V, E, R>) => self.pipe(CircuitBreaker.protect(breaker, shared))
    expectTypeOf(piped).toEqualTypeOf<Generic>()
  })

  it("takes one of several effects, and one inside another where a type is expected", () => {
    const either = Effect.void as Effect.Effect<void> | Effect.Effect<never, A, Work>
    expectTypeOf(either.pipe(CircuitBreaker.protect(breaker))).toEqualTypeOf<Effect.Effect<void, A | Refused, Work>>()
    expectTypeOf(either.pipe(CircuitBreaker.protect(breaker, { key: "a", orElse: () => Effect.void }))).toEqualTypeOf<
      Effect.Effect<void, A, Work>
    >()
    expectTypeOf(CircuitBreaker.protect(either, breaker, { ignore: "A" })).toEqualTypeOf<
      Effect.Effect<void, A | Refused, Work>
    >()
    const nested: Effect.Effect<unknown, unknown> = CircuitBreaker.protect(
      CircuitBreaker.protect(safe, breaker, { ignore: () => true }),
      breaker,
      { ignore: "CircuitOpenError" }
    )
    expectTypeOf(nested).toEqualTypeOf<Effect.Effect<unknown, unknown>>()
  })

  it("applied to no effect yet is a function for any", () => {
    const protect = CircuitBreaker.protect(Payments)
    expectTypeOf(protect(call)).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work | Payments>>()
    expectTypeOf(protect(safe)).toEqualTypeOf<Effect.Effect<string, Refused, Payments>>()
  })

  it("the refusal is caught by its tag", () => {
    const caught = call.pipe(
      CircuitBreaker.protect(breaker),
      Effect.catchTag("CircuitOpenError", (error) => {
        expectTypeOf(error).toEqualTypeOf<Refused>()
        return Effect.succeed(error.breaker)
      })
    )
    expectTypeOf(caught).toEqualTypeOf<Effect.Effect<number | string, A | B, Work>>()
  })

  it("takes nothing but a breaker or its class", () => {
    // @ts-expect-error another service
    CircuitBreaker.protect(Work)
    // @ts-expect-error a name
    CircuitBreaker.protect("payments")
    // @ts-expect-error an option that there is not
    CircuitBreaker.protect(breaker, { keys: "a" })
    // @ts-expect-error a key that is no string
    CircuitBreaker.protect(breaker, { key: 1 })
  })
})

describe("permit", () => {
  it("needs a scope, and the breaker for a class", () => {
    expectTypeOf(CircuitBreaker.permit(breaker)).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.Permit, Refused, Scope.Scope>
    >()
    expectTypeOf(CircuitBreaker.permit(Payments, { key: "a" })).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.Permit, Refused, Payments | Scope.Scope>
    >()
  })

  it("is settled by effects that need and fail with nothing", () => {
    expectTypeOf<CircuitBreaker.Permit["succeed"]>().toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf<CircuitBreaker.Permit["ignore"]>().toEqualTypeOf<Effect.Effect<void>>()
    expectTypeOf<ReturnType<CircuitBreaker.Permit["fail"]>>().toEqualTypeOf<Effect.Effect<void>>()
  })
})

describe("make", () => {
  it("needs a scope, and a store where it is shared", () => {
    expectTypeOf(CircuitBreaker.make("api")).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, Scope.Scope>
    >()
    expectTypeOf(CircuitBreaker.makeShared("api")).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, CircuitStore.CircuitStore | Scope.Scope>
    >()
    expectTypeOf(CircuitBreaker.makeUnsafe("api")).toEqualTypeOf<CircuitBreaker.CircuitBreaker>()
  })

  it("takes any schedule without services and errors for the open time", () => {
    CircuitBreaker.make("api", { openFor: Backoff.exponential() })
    // @ts-expect-error an option that there is not
    CircuitBreaker.make("api", { nonsense: 1 })
    // @ts-expect-error no trip policy
    CircuitBreaker.make("api", { trip: 5 })
  })
})

describe("Service", () => {
  it("is a service that is a breaker, with its layers", () => {
    expectTypeOf<(typeof Payments)["Service"]>().toEqualTypeOf<CircuitBreaker.CircuitBreaker>()
    expectTypeOf(Payments.layer).toEqualTypeOf<Layer.Layer<Payments>>()
    expectTypeOf(Payments.layerShared).toEqualTypeOf<Layer.Layer<Payments, never, CircuitStore.CircuitStore>>()
    expectTypeOf(Payments.key).toEqualTypeOf<"effect-resilience/CircuitBreaker/payments">()
    expectTypeOf(Payments.breaker).toEqualTypeOf<"payments">()
    expectTypeOf(Payments.pipe((self) => Effect.map(self, (made) => made))).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, Payments>
    >()
  })

  it("two classes are two services", () => {
    const both = call.pipe(CircuitBreaker.protect(Payments), CircuitBreaker.protect(Search))
    expectTypeOf(both).toEqualTypeOf<Effect.Effect<number, A | B | Refused, Work | Payments | Search>>()
    expectTypeOf(both.pipe(Effect.provide(Payments.layer))).toEqualTypeOf<
      Effect.Effect<number, A | B | Refused, Work | Search>
    >()
  })
})

describe("what is read and done", () => {
  it("needs nothing for a breaker, and the breaker for a class", () => {
    expectTypeOf(CircuitBreaker.status(breaker)).toEqualTypeOf<Effect.Effect<CircuitBreaker.Status>>()
    expectTypeOf(CircuitBreaker.status(Payments, { key: "a" })).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.Status, never, Payments>
    >()
    expectTypeOf(breaker.status).toEqualTypeOf<Effect.Effect<CircuitBreaker.Status>>()
    expectTypeOf(CircuitBreaker.statuses(Payments)).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<CircuitBreaker.Status>, never, Payments>
    >()
    expectTypeOf(CircuitBreaker.changes(breaker)).toEqualTypeOf<Stream.Stream<CircuitBreaker.Change>>()
    expectTypeOf(CircuitBreaker.changes(Payments)).toEqualTypeOf<
      Stream.Stream<CircuitBreaker.Change, never, Payments>
    >()
    expectTypeOf(CircuitBreaker.breaker(Payments)).toEqualTypeOf<
      Effect.Effect<CircuitBreaker.CircuitBreaker, never, Payments>
    >()
    for (const operate of [CircuitBreaker.holdOpen, CircuitBreaker.holdClosed]) {
      expectTypeOf(operate(breaker, { for: "1 minute", reason: "", by: "", key: "" })).toEqualTypeOf<
        Effect.Effect<void>
      >()
      expectTypeOf(operate(Payments)).toEqualTypeOf<Effect.Effect<void, never, Payments>>()
    }
    for (const operate of [CircuitBreaker.release, CircuitBreaker.reset]) {
      expectTypeOf(operate(breaker, { key: "" })).toEqualTypeOf<Effect.Effect<void>>()
      expectTypeOf(operate(Payments)).toEqualTypeOf<Effect.Effect<void, never, Payments>>()
    }
  })

  it("by name needs the registry, and fails for an unknown name", () => {
    type ByName<T> = Effect.Effect<T, CircuitBreakers.UnknownBreakerError, CircuitBreakers.CircuitBreakers>
    expectTypeOf(CircuitBreakers.get("api")).toEqualTypeOf<ByName<CircuitBreaker.CircuitBreaker>>()
    expectTypeOf(CircuitBreakers.holdOpen("api", { for: 1 })).toEqualTypeOf<ByName<void>>()
    expectTypeOf(CircuitBreakers.holdClosed("api")).toEqualTypeOf<ByName<void>>()
    expectTypeOf(CircuitBreakers.release("api")).toEqualTypeOf<ByName<void>>()
    expectTypeOf(CircuitBreakers.reset("api", { key: "a" })).toEqualTypeOf<ByName<void>>()
    expectTypeOf(CircuitBreakers.list).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<CircuitBreaker.CircuitBreaker>, never, CircuitBreakers.CircuitBreakers>
    >()
    expectTypeOf(CircuitBreakers.statuses).toEqualTypeOf<
      Effect.Effect<ReadonlyArray<CircuitBreaker.Status>, never, CircuitBreakers.CircuitBreakers>
    >()
    expectTypeOf(CircuitBreakers.changes).toEqualTypeOf<
      Stream.Stream<CircuitBreaker.Change, never, CircuitBreakers.CircuitBreakers>
    >()
    expectTypeOf(CircuitBreakers.layer).toEqualTypeOf<Layer.Layer<CircuitBreakers.CircuitBreakers>>()
  })
})

describe("Config", () => {
  it("decodes to options that make takes", () => {
    const config = Schema.decodeUnknownSync(CircuitBreaker.Config)({})
    expectTypeOf(config).toEqualTypeOf<CircuitBreaker.Config>()
    expectTypeOf(config).toExtend<CircuitBreaker.Options>()
    expectTypeOf(config).not.toHaveProperty("classify")
    expectTypeOf(config).not.toHaveProperty("retryAfter")
    CircuitBreaker.make("api", config)
    class FromConfig extends CircuitBreaker.Service<FromConfig>()("config", config) {}
    expectTypeOf(FromConfig.layer).toEqualTypeOf<Layer.Layer<FromConfig>>()
  })
})

describe("Outcome", () => {
  it("the reader of a hint gets the error", () => {
    const options: Outcome.Options<number, A> = {
      retryAfter: (error) => {
        expectTypeOf(error).toEqualTypeOf<A>()
        return error.a
      }
    }
    expectTypeOf(options.retryAfter).toEqualTypeOf<Outcome.RetryAfter<A> | undefined>()
    expectTypeOf(Outcome.hint(new A({ a: 1 }), (error) => error.a)).toEqualTypeOf<Duration.Duration | undefined>()
    // @ts-expect-error it is not the error that the function takes
    Outcome.hint(new A({ a: 1 }), ({ b }: B) => b)
    // @ts-expect-error a Date is no duration
    Outcome.hint(new A({ a: 1 }), () => new Date())
    const breaker = CircuitBreaker.makeUnsafe("api")
    CircuitBreaker.protect(Effect.fail(new A({ a: 1 })), breaker, { retryAfter: ({ a }) => a })
    Effect.fail(new A({ a: 1 })).pipe(CircuitBreaker.protect(breaker, { retryAfter: ({ a }: A) => a }))
    // @ts-expect-error it may get other errors
    Effect.fail("other").pipe(CircuitBreaker.protect(breaker, { retryAfter: ({ a }: A) => a }))
    // @ts-expect-error the options of a breaker get errors of any type
    CircuitBreaker.make("api", { retryAfter: ({ a }: A) => a })
  })

  it("classify is a function of an exit", () => {
    expectTypeOf(Outcome.classify).toEqualTypeOf<Outcome.Classify>()
    expectTypeOf(Outcome.classifier<number, A>({ ignore: (error) => error.a === 1 })).toEqualTypeOf<
      Outcome.Classify<number, A>
    >()
  })
})
