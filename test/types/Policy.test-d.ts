import { Context, Data, Duration, Effect, Schedule, Schema, Scope } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"

class A extends Data.TaggedError("A")<{ readonly a: number }> {}
class B extends Data.TaggedError("B")<{ readonly b: number }> {}
class ScheduleError extends Data.TaggedError("ScheduleError") {}
class AnswerError extends Data.TaggedError("AnswerError") {}
class Work extends Context.Service<Work, { readonly work: string }>()("Work") {}
class Log extends Context.Service<Log, { readonly log: string }>()("Log") {}
class Pace extends Context.Service<Pace, { readonly pace: number }>()("Pace") {}
class Cache extends Context.Service<Cache, { readonly cache: string }>()("Cache") {}
class Payments extends CircuitBreaker.Service<Payments>()("payments") {}

type TimedOut = Timeout.TimeoutExceededError
type Refused = CircuitBreaker.CircuitOpenError

declare const call: Effect.Effect<number, A | B, Work>
declare const onlyA: Effect.Effect<number, A, Work>
declare const breaker: CircuitBreaker.CircuitBreaker
declare const demanding: Schedule.Schedule<string, unknown, ScheduleError, Pace>
declare const forA: Schedule.Schedule<number, A>
declare const cached: Effect.Effect<string, AnswerError, Cache>

describe("a policy", () => {
  it("is a function that adds its errors and services", () => {
    const policy = Policy.make({ deadline: "1 second", breaker: Payments })
    expectTypeOf(call.pipe(policy)).toEqualTypeOf<Effect.Effect<number, A | B | TimedOut | Refused, Work | Payments>>()
    expectTypeOf(policy(Effect.succeed("x"))).toEqualTypeOf<Effect.Effect<string, TimedOut | Refused, Payments>>()
    expectTypeOf(call.pipe(policy, policy)).toEqualTypeOf<
      Effect.Effect<number, A | B | TimedOut | Refused, Work | Payments>
    >()
    expectTypeOf([onlyA, onlyA].map((each) => policy(each))).toEqualTypeOf<
      Array<Effect.Effect<number, A | TimedOut | Refused, Work | Payments>>
    >()
  })

  it("keeps an error type that is not known yet", () => {
    const timed = Policy.make({ deadline: "1 second" })
    const use = <E, R>(self: Effect.Effect<string, E, R>): Effect.Effect<string, E | TimedOut, R> => self.pipe(timed)
    expectTypeOf(use(onlyA.pipe(Effect.map(String)))).toEqualTypeOf<Effect.Effect<string, A | TimedOut, Work>>()
    const answered = Policy.make({ fallback: () => cached })
    const never = <E>(self: Effect.Effect<string, E>): Effect.Effect<string, AnswerError, Cache> => self.pipe(answered)
    expectTypeOf(never(Effect.fail(1))).toEqualTypeOf<Effect.Effect<string, AnswerError, Cache>>()
  })

  it("is any policy, whatever its type", () => {
    expectTypeOf(Policy.make({ fallback: (error: A) => Effect.fail(error) })).toExtend<Policy.Any>()
    expectTypeOf(Policy.make({ deadline: 1, breaker: Payments })).toExtend<Policy.Any>()
    expectTypeOf(Policy.identity).toExtend<Policy.Any>()
    const u: unknown = Policy.identity
    if (Policy.isPolicy(u)) expectTypeOf(u).toEqualTypeOf<Policy.Any>()
  })

  it("can stand where one is expected that answers less, adds more or takes less", () => {
    expectTypeOf<Policy.Policy<number, A, Work, unknown, true>>().toExtend<
      Policy.Policy<number | string, A | B, Work | Log, A>
    >()
    expectTypeOf<Policy.Policy<never, never, never, unknown, "A" | "B">>().toExtend<
      Policy.Policy<never, never, never, unknown, "A">
    >()
    expectTypeOf<Policy.Policy<never, never, never, unknown, "A">>().not.toExtend<
      Policy.Policy<never, never, never, unknown, true>
    >()
    expectTypeOf<Policy.Policy<never, A>>().not.toExtend<Policy.Policy>()
    expectTypeOf<Policy.Policy<never, never, never, A>>().not.toExtend<Policy.Policy>()
  })
})

describe("make", () => {
  it("adds nothing without slots, or with slots that are undefined", () => {
    expectTypeOf(Policy.make({})).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ fallback: undefined })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ deadline: undefined })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ retry: undefined })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ breaker: undefined })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ attemptTimeout: undefined })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(
      Policy.make({
        fallback: undefined,
        deadline: undefined,
        retry: undefined,
        breaker: undefined,
        attemptTimeout: undefined
      })
    ).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(call.pipe(Policy.make({}))).toEqualTypeOf<typeof call>()
  })

  it("adds the error of a deadline", () => {
    type Expected = Policy.Policy<never, TimedOut>
    expectTypeOf(Policy.make({ deadline: "1 second" })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ deadline: 1000 })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ deadline: { seconds: 1 } })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ deadline: Duration.seconds(1) })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ deadline: { after: "1 second", operation: "x" } })).toEqualTypeOf<Expected>()
    const options: Timeout.Options = { after: "1 second" }
    expectTypeOf(Policy.make({ deadline: options })).toEqualTypeOf<Expected>()
    const settings: Timeout.Resolved = Timeout.resolve("1 second")
    expectTypeOf(Policy.make({ deadline: settings })).toEqualTypeOf<Expected>()
  })

  it("adds the error of an attempt timeout", () => {
    type Expected = Policy.Policy<never, TimedOut>
    expectTypeOf(Policy.make({ attemptTimeout: "1 second" })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ attemptTimeout: { after: { seconds: 1 } } })).toEqualTypeOf<Expected>()
    expectTypeOf(Policy.make({ attemptTimeout: 1, deadline: undefined })).toEqualTypeOf<Expected>()
  })

  it("adds the error of a breaker, and the service of its class", () => {
    expectTypeOf(Policy.make({ breaker })).toEqualTypeOf<Policy.Policy<never, Refused>>()
    expectTypeOf(Policy.make({ breaker: Payments })).toEqualTypeOf<Policy.Policy<never, Refused, Payments>>()
    expectTypeOf(Policy.make({ breaker: { source: breaker, key: "a" } })).toEqualTypeOf<Policy.Policy<never, Refused>>()
    expectTypeOf(Policy.make({ breaker: { source: Payments, key: "a" } })).toEqualTypeOf<
      Policy.Policy<never, Refused, Payments>
    >()
    expectTypeOf(
      Policy.make({ breaker: { source: Payments, classify: () => ({ _tag: "Success" as const }), ignore: undefined } })
    ).toEqualTypeOf<Policy.Policy<never, Refused, Payments>>()
  })

  it("takes the errors that the functions of a breaker take", () => {
    expectTypeOf(
      Policy.make({ breaker: { source: breaker, failureIf: (error: A) => error.a > 0, ignore: "A" } })
    ).toEqualTypeOf<Policy.Policy<never, Refused, never, A>>()
    // @ts-expect-error no error that the policy takes has the tag
    Policy.make({ breaker: { source: breaker, failureIf: (error: A) => error.a > 0, ignore: "B" } })
    Policy.make({
      breaker: {
        source: breaker,
        failureIf: (error) => {
          expectTypeOf(error).toEqualTypeOf<unknown>()
          return true
        }
      }
    })
  })

  it("adds nothing for a retry without errors and services", () => {
    expectTypeOf(Policy.make({ retry: {} })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ retry: { maxAttempts: 5, while: ["A", "Z"] } })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ retry: { while: "A", backoff: Backoff.constant(1) } })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.make({ retry: { while: Retry.tags("A") } })).toEqualTypeOf<Policy.Policy>()
    const shared: Retry.Options = { maxAttempts: 4 }
    expectTypeOf(Policy.make({ retry: shared })).toEqualTypeOf<Policy.Policy>()
    const decoded = Schema.decodeUnknownSync(Retry.Config)({})
    expectTypeOf(Policy.make({ retry: decoded })).toEqualTypeOf<Policy.Policy>()
  })

  it("checks tags where the errors are said", () => {
    expectTypeOf(
      Policy.make({ retry: { while: ["A", "B"] } satisfies Retry.Options<A | B>, attemptTimeout: 1 })
    ).toEqualTypeOf<Policy.Policy<never, TimedOut>>()
    // @ts-expect-error
    Policy.make({ retry: { while: "C" } satisfies Retry.Options<A | B> })
    // @ts-expect-error
    Policy.retry<A | B>({ while: "C" })
    // @ts-expect-error
    Policy.circuitBreaker<never, A | B>({ source: breaker, ignore: "C" })
  })

  it("adds the errors and services of a schedule, and the services of onRetry", () => {
    expectTypeOf(Policy.make({ retry: { backoff: demanding } })).toEqualTypeOf<
      Policy.Policy<never, ScheduleError, Pace>
    >()
    expectTypeOf(Policy.make({ retry: { onRetry: () => Effect.asVoid(Log) } })).toEqualTypeOf<
      Policy.Policy<never, never, Log>
    >()
    expectTypeOf(Policy.make({ retry: { backoff: demanding, onRetry: () => Effect.asVoid(Log) } })).toEqualTypeOf<
      Policy.Policy<never, ScheduleError, Pace | Log>
    >()
    const shared: Retry.Options<A, ScheduleError, Pace, Log> = {}
    expectTypeOf(Policy.make({ retry: shared })).toEqualTypeOf<Policy.Policy<never, ScheduleError, Pace | Log, A>>()
  })

  it("takes the errors that the functions of a retry take", () => {
    expectTypeOf(Policy.make({ retry: { while: (error: A) => error.a > 0 } })).toEqualTypeOf<
      Policy.Policy<never, never, never, A>
    >()
    expectTypeOf(Policy.make({ retry: { backoff: forA, while: (error: A) => error.a > 0 } })).toEqualTypeOf<
      Policy.Policy<never, never, never, A>
    >()
    Policy.make({
      retry: {
        while: (error) => {
          expectTypeOf(error).toEqualTypeOf<unknown>()
          return true
        },
        onRetry: (failed) => {
          expectTypeOf(failed).toEqualTypeOf<Retry.FailedAttempt<unknown>>()
          return Effect.void
        }
      }
    })
    const policy = Policy.make({ retry: { while: (error: A) => error.a > 0 } })
    expectTypeOf(onlyA.pipe(policy)).toEqualTypeOf<typeof onlyA>()
    // @ts-expect-error B is no A
    call.pipe(policy)
  })

  it("answers all errors with a fallback", () => {
    const policy = Policy.make({
      fallback: (error) => {
        expectTypeOf(error).toEqualTypeOf<unknown>()
        return cached
      }
    })
    expectTypeOf(policy).toEqualTypeOf<Policy.Policy<string, AnswerError, Cache, unknown, true>>()
    expectTypeOf(call.pipe(policy)).toEqualTypeOf<Effect.Effect<number | string, AnswerError, Work | Cache>>()
    expectTypeOf(Policy.make({ fallback: { orElse: () => cached, source: "cache" } })).toEqualTypeOf<typeof policy>()
    expectTypeOf(Policy.make({ fallback: () => Effect.never })).toEqualTypeOf<
      Policy.Policy<never, never, never, unknown, true>
    >()
    expectTypeOf(Policy.make({ fallback: () => Effect.succeed<unknown>(1) })).toEqualTypeOf<
      Policy.Policy<unknown, never, never, unknown, true>
    >()
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    expectTypeOf(call.pipe(Policy.make({ fallback: () => Effect.succeed<any>(1) }))).toEqualTypeOf<
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      Effect.Effect<any, never, Work>
    >()
  })

  it("refuses effects with errors that the fallback does not take", () => {
    const policy = Policy.make({ fallback: (error: A) => Effect.succeed(error.a) })
    expectTypeOf(policy).toEqualTypeOf<Policy.Policy<number, never, never, A, true>>()
    expectTypeOf(onlyA.pipe(policy)).toEqualTypeOf<Effect.Effect<number, never, Work>>()
    expectTypeOf(Effect.succeed("x").pipe(policy)).toEqualTypeOf<Effect.Effect<string | number>>()
    // @ts-expect-error B is no A
    call.pipe(policy)
  })

  it("answers the errors that a fallback names, and keeps the others", () => {
    const one = Policy.make({ fallback: { orElse: () => cached, if: "A" } })
    expectTypeOf(one).toEqualTypeOf<Policy.Policy<string, AnswerError, Cache, unknown, "A">>()
    expectTypeOf(call.pipe(one)).toEqualTypeOf<Effect.Effect<number | string, B | AnswerError, Work | Cache>>()
    const two = Policy.make({ fallback: { orElse: () => cached, if: ["A", "TimeoutExceededError"] }, deadline: 1 })
    expectTypeOf(call.pipe(two)).toEqualTypeOf<Effect.Effect<number | string, B | AnswerError, Work | Cache>>()
    const other = Policy.make({ fallback: { orElse: () => cached, if: "A" }, deadline: 1 })
    expectTypeOf(call.pipe(other)).toEqualTypeOf<
      Effect.Effect<number | string, B | TimedOut | AnswerError, Work | Cache>
    >()
    expectTypeOf(Effect.fail("untagged").pipe(one)).toEqualTypeOf<Effect.Effect<string, string | AnswerError, Cache>>()
    Policy.make({ fallback: { orElse: (error: { readonly _tag: "A" }) => Effect.succeed(error._tag), if: "A" } })
    // @ts-expect-error an error with the tag need not have the property
    Policy.make({ fallback: { orElse: (error: A) => Effect.succeed(error.a), if: "A" } })
  })

  it("answers no error for certain where the tags are not known", () => {
    const tags: ReadonlyArray<string> = ["A"]
    const policy = Policy.make({ fallback: { orElse: () => cached, if: tags } })
    expectTypeOf(call.pipe(policy)).toEqualTypeOf<Effect.Effect<number | string, A | B | AnswerError, Work | Cache>>()
    expectTypeOf(Policy.fallback({ orElse: () => cached, if: tags })).toEqualTypeOf<
      Policy.Policy<string, AnswerError, Cache>
    >()
  })

  it("answers for certain only where the fallback is there for certain", () => {
    const slots: { fallback: (() => typeof cached) | undefined } = { fallback: undefined }
    const policy = Policy.make(slots)
    expectTypeOf(call.pipe(policy)).toEqualTypeOf<Effect.Effect<number | string, A | B | AnswerError, Work | Cache>>()
    const maybe: { deadline?: Duration.Input; breaker?: typeof Payments } = {}
    expectTypeOf(Policy.make(maybe)).toEqualTypeOf<Policy.Policy<never, TimedOut | Refused, Payments>>()
  })

  it("adds what all slots together add", () => {
    const slots = {
      attemptTimeout: "1 second",
      breaker: Payments,
      retry: { backoff: demanding, onRetry: () => Effect.asVoid(Log) },
      deadline: "5 seconds"
    } as const
    const policy = Policy.make(slots)
    expectTypeOf(policy).toEqualTypeOf<
      Policy.Policy<never, TimedOut | Refused | ScheduleError, Payments | Pace | Log>
    >()
    const answered = Policy.make({ ...slots, fallback: () => cached })
    expectTypeOf(answered).toEqualTypeOf<
      Policy.Policy<string, AnswerError, Payments | Pace | Log | Cache, unknown, true>
    >()
    expectTypeOf(call.pipe(answered)).toEqualTypeOf<
      Effect.Effect<number | string, AnswerError, Work | Payments | Pace | Log | Cache>
    >()
  })

  it("refuses functions that do not take the errors of the slots inside", () => {
    // @ts-expect-error the fallback gets the TimeoutExceededError
    Policy.make({ fallback: (error: A) => Effect.succeed(error.a), deadline: 1 })
    // @ts-expect-error the fallback gets the TimeoutExceededError
    Policy.make({ fallback: (error: A) => Effect.succeed(error.a), attemptTimeout: 1 })
    // @ts-expect-error the fallback gets the CircuitOpenError
    Policy.make({ fallback: (error: A) => Effect.succeed(error.a), breaker })
    // @ts-expect-error the fallback gets the ScheduleError
    Policy.make({ fallback: (error: A) => Effect.succeed(error.a), retry: { backoff: demanding } })
    // @ts-expect-error the retry gets the TimeoutExceededError
    Policy.make({ retry: { while: (error: A) => error.a > 0 }, attemptTimeout: 1 })
    // @ts-expect-error the retry gets the CircuitOpenError
    Policy.make({ retry: { while: (error: A) => error.a > 0 }, breaker })
    // @ts-expect-error the schedule gets the CircuitOpenError
    Policy.make({ retry: { backoff: forA }, breaker })
    // @ts-expect-error the breaker gets the TimeoutExceededError
    Policy.make({ breaker: { source: breaker, ignore: (error: A) => error.a > 0 }, attemptTimeout: 1 })
    expectTypeOf(
      Policy.make({
        fallback: (error: A | TimedOut | Refused) => Effect.succeed(error._tag),
        retry: { while: (error: A | TimedOut | Refused) => error._tag === "A" },
        breaker: { source: breaker, ignore: (error: A | TimedOut) => error._tag === "A" },
        attemptTimeout: 1,
        deadline: 1
      })
    ).toEqualTypeOf<
      Policy.Policy<"A" | "TimeoutExceededError" | "CircuitOpenError", never, never, A | TimedOut, true>
    >()
    // The deadline is outside the retry.
    Policy.make({ retry: { while: (error: A) => error.a > 0 }, deadline: 1 })
  })

  it("refuses what no slot takes", () => {
    // @ts-expect-error
    Policy.make({ deadlin: 1 })
    // @ts-expect-error
    Policy.make({ deadline: true })
    // @ts-expect-error
    Policy.make({ deadline: { after: 1, opration: "x" } })
    // @ts-expect-error
    Policy.make({ retry: { maxAttempts: "3" } })
    // @ts-expect-error
    Policy.make({ retry: { maxAttempts: 3, maxAttempt: 3 } })
    // @ts-expect-error
    Policy.make({ retry: { onRetry: () => Effect.fail("no") } })
    // @ts-expect-error
    Policy.make({ fallback: "x" })
    // @ts-expect-error
    Policy.make({ fallback: () => "x" })
    // @ts-expect-error
    Policy.make({ fallback: { if: "A" } })
    // @ts-expect-error
    Policy.make({ fallback: { orElse: () => cached, iff: "A" } })
    // @ts-expect-error
    Policy.make({ breaker: "payments" })
    // @ts-expect-error
    Policy.make({ breaker: Work })
    // @ts-expect-error
    Policy.make({ breaker: { key: "a" } })
    // @ts-expect-error
    Policy.make({ breaker: { source: breaker, kee: "a" } })
    // @ts-expect-error the fallback slot answers refusals
    Policy.make({ breaker: { source: breaker, orElse: () => cached } })
  })
})

describe("single policies", () => {
  it("have the types of the slots", () => {
    expectTypeOf(Policy.identity).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.timeout("1 second")).toEqualTypeOf<Policy.Policy<never, TimedOut>>()
    expectTypeOf(Policy.retry()).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.retry({ maxAttempts: 2, while: "A" })).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.retry({ backoff: demanding, onRetry: () => Effect.asVoid(Log) })).toEqualTypeOf<
      Policy.Policy<never, ScheduleError, Pace | Log>
    >()
    expectTypeOf(Policy.retry({ while: (error: A) => error.a > 0 })).toEqualTypeOf<
      Policy.Policy<never, never, never, A>
    >()
    expectTypeOf(Policy.circuitBreaker(breaker)).toEqualTypeOf<Policy.Policy<never, Refused>>()
    expectTypeOf(Policy.circuitBreaker(Payments)).toEqualTypeOf<Policy.Policy<never, Refused, Payments>>()
    expectTypeOf(Policy.circuitBreaker({ source: Payments, ignore: (error: A) => error.a > 0 })).toEqualTypeOf<
      Policy.Policy<never, Refused, Payments, A>
    >()
    expectTypeOf(Policy.fallback(() => cached)).toEqualTypeOf<
      Policy.Policy<string, AnswerError, Cache, unknown, true>
    >()
    expectTypeOf(Policy.fallback((error: A) => Effect.succeed(error.a))).toEqualTypeOf<
      Policy.Policy<number, never, never, A, true>
    >()
    expectTypeOf(Policy.fallback({ orElse: () => cached, if: ["A", "B"] })).toEqualTypeOf<
      Policy.Policy<string, AnswerError, Cache, unknown, "A" | "B">
    >()
    // @ts-expect-error an error with the tag need not have the property
    Policy.fallback({ orElse: (error: A) => Effect.succeed(error.a), if: "A" })
  })
})

describe("compose", () => {
  const timeout = Policy.timeout("1 second")
  const guard = Policy.circuitBreaker(Payments)
  const retry = Policy.retry({ onRetry: () => Effect.asVoid(Log) })
  const answerA = Policy.fallback({ orElse: () => cached, if: "A" })
  const answer = Policy.fallback(() => cached)

  it("joins any number of policies", () => {
    expectTypeOf(Policy.compose()).toEqualTypeOf<Policy.Policy>()
    expectTypeOf(Policy.compose(timeout)).toEqualTypeOf<Policy.Policy<never, TimedOut>>()
    expectTypeOf(Policy.compose(timeout, guard)).toEqualTypeOf<Policy.Policy<never, TimedOut | Refused, Payments>>()
    expectTypeOf(Policy.compose(timeout, guard, retry)).toEqualTypeOf<
      Policy.Policy<never, TimedOut | Refused, Payments | Log>
    >()
    expectTypeOf(Policy.compose(answerA, timeout, guard, retry)).toEqualTypeOf<
      Policy.Policy<string, TimedOut | Refused | AnswerError, Payments | Log | Cache, unknown, "A">
    >()
    expectTypeOf(Policy.compose(Policy.identity, answer, timeout, guard, retry)).toEqualTypeOf<
      Policy.Policy<string, AnswerError, Payments | Log | Cache, unknown, true>
    >()
    expectTypeOf(
      Policy.compose(Policy.make({ deadline: 1 }), answer, timeout, guard, retry, Policy.make({}))
    ).toEqualTypeOf<Policy.Policy<string, TimedOut | AnswerError, Payments | Log | Cache, unknown, true>>()
    expectTypeOf(
      Policy.compose(Policy.identity, Policy.identity, Policy.identity, answer, timeout, guard, retry, Policy.make({}))
    ).toEqualTypeOf<Policy.Policy<string, AnswerError, Payments | Log | Cache, unknown, true>>()
  })

  it("adds the errors of policies outside a fallback", () => {
    expectTypeOf(call.pipe(Policy.compose(timeout, answer, guard))).toEqualTypeOf<
      Effect.Effect<number | string, TimedOut | AnswerError, Work | Payments | Cache>
    >()
  })

  it("asks nothing of errors that the inside answers", () => {
    const forA = Policy.retry({ while: (error: A) => error.a > 0 })
    const answerB = Policy.fallback({ orElse: () => Effect.succeed("b"), if: "B" })
    const policy = Policy.compose(forA, answerB)
    expectTypeOf(call.pipe(policy)).toEqualTypeOf<Effect.Effect<number | string, A, Work>>()
    const all = Policy.compose(
      forA,
      Policy.fallback((error: A | B) => new A({ a: error._tag.length }))
    )
    expectTypeOf(call.pipe(all)).toEqualTypeOf<Effect.Effect<number, A, Work>>()
    const noneLeft = Policy.compose(
      forA,
      Policy.fallback(() => Effect.succeed("any"))
    )
    expectTypeOf(Effect.fail("other").pipe(noneLeft)).toEqualTypeOf<Effect.Effect<string>>()
    // @ts-expect-error the inside answers no B
    call.pipe(Policy.compose(forA, answerA))
  })

  it("refuses a policy that does not take the errors of those inside it", () => {
    const forA = Policy.retry({ while: (error: A) => error.a > 0 })
    // @ts-expect-error it gets the TimeoutExceededError
    Policy.compose(forA, timeout)
    // @ts-expect-error it gets the CircuitOpenError
    Policy.compose(timeout, forA, Policy.identity, guard)
    const forAnswerOfA = Policy.fallback((error: A) => Effect.succeed(error.a))
    // @ts-expect-error it gets the AnswerError
    Policy.compose(forAnswerOfA, answer)
    expectTypeOf(Policy.compose(timeout, forA)).toEqualTypeOf<Policy.Policy<never, TimedOut, never, A>>()
    type Misfit = Parameters<typeof Policy.compose<[typeof forA, typeof timeout]>>
    expectTypeOf<Misfit[0]>().toExtend<Policy.DoesNotTake<TimedOut>>()
  })

  it("leaves the types of policies that are made in place as they are", () => {
    expectTypeOf(
      Policy.compose(
        Policy.fallback({ orElse: () => cached, if: "A" }),
        Policy.retry({ while: ["A", "Z"] }),
        Policy.circuitBreaker({ source: Payments, ignore: "A" }),
        Policy.make({ retry: { while: "A" }, fallback: { orElse: () => cached, if: "B" } })
      )
    ).toEqualTypeOf<Policy.Policy<string, Refused | AnswerError, Payments | Cache, unknown, "A" | "B">>()
    const list: ReadonlyArray<Policy.Any> = [
      Policy.fallback({ orElse: (error) => Effect.succeed(error), if: "A" }),
      Policy.retry({ while: "A" }),
      Policy.circuitBreaker({
        source: Payments,
        ignore: (error) => {
          expectTypeOf(error).toEqualTypeOf<unknown>()
          return true
        }
      }),
      Policy.make({ retry: { while: "A" }, fallback: { orElse: () => cached, if: "B" } })
    ]
    expectTypeOf(list[0]).toEqualTypeOf<Policy.Any | undefined>()
    Policy.describe(Policy.retry({ while: "A" }))
    Policy.describe(Policy.make({ retry: { while: "A" } }))
  })

  it("takes a list whose length is not known", () => {
    const list: ReadonlyArray<typeof timeout | typeof guard> = [timeout, guard]
    expectTypeOf(Policy.compose(...list)).toEqualTypeOf<Policy.Policy<never, TimedOut | Refused, Payments>>()
    const answers: ReadonlyArray<typeof answer> = [answer]
    expectTypeOf(Policy.compose(...answers)).toEqualTypeOf<Policy.Policy<string, AnswerError, Cache>>()
  })

  it("refuses what is no policy", () => {
    // @ts-expect-error
    Policy.compose(Timeout.timeout("1 second"))
    // @ts-expect-error
    Policy.compose(timeout, undefined)
  })
})

describe("describe", () => {
  it("returns text, or data for JSON", () => {
    expectTypeOf(Policy.describe(Policy.identity)).toEqualTypeOf<string>()
    expectTypeOf(Policy.describe(Policy.identity, "text")).toEqualTypeOf<string>()
    expectTypeOf(Policy.describe(Policy.identity, "mermaid")).toEqualTypeOf<string>()
    expectTypeOf(Policy.describe(Policy.identity, "json")).toEqualTypeOf<Policy.Description>()
    // @ts-expect-error
    Policy.describe(Policy.identity, "xml")
    // @ts-expect-error
    Policy.describe(Effect.void)
  })
})

describe("Config", () => {
  it("decodes to what fromConfig takes", () => {
    expectTypeOf(Schema.decodeUnknownSync(Policy.Config)({})).toEqualTypeOf<Policy.Config>()
    expectTypeOf(Policy.fromConfig({})).toEqualTypeOf<
      Effect.Effect<Policy.Policy<never, TimedOut | Refused>, never, Scope.Scope>
    >()
  })
})
