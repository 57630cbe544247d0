import { Context, Data, Duration, Effect, Schedule } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as Retry from "../../src/policies/Retry.ts"

class A extends Data.TaggedError("A")<{ readonly a: number }> {}
class B extends Data.TaggedError("B")<{ readonly b: number }> {}
class ScheduleError extends Data.TaggedError("ScheduleError") {}
class Work extends Context.Service<Work, { readonly work: string }>()("Work") {}
class Log extends Context.Service<Log, { readonly log: string }>()("Log") {}
class Pace extends Context.Service<Pace, { readonly pace: number }>()("Pace") {}

declare const call: Effect.Effect<number, A | B, Work>
declare const demanding: Schedule.Schedule<string, unknown, ScheduleError, Pace>
declare const forA: Schedule.Schedule<number, A>

describe("retry", () => {
  it("keeps value, error and services", () => {
    expectTypeOf(call.pipe(Retry.retry())).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(call.pipe(Retry.retry({ maxAttempts: 5 }))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retry(call)).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retry(call, { maxAttempts: 5, backoff: Backoff.exponential() })).toEqualTypeOf<
      Effect.Effect<number, A | B, Work>
    >()
  })

  it("adds the errors and services of the schedule and the services of onRetry", () => {
    const options = { backoff: demanding, onRetry: () => Effect.asVoid(Log) }
    expectTypeOf(call.pipe(Retry.retry(options))).toEqualTypeOf<
      Effect.Effect<number, A | B | ScheduleError, Work | Pace | Log>
    >()
    expectTypeOf(Retry.retry(call, options)).toEqualTypeOf<
      Effect.Effect<number, A | B | ScheduleError, Work | Pace | Log>
    >()
  })

  it("gives the functions the error of the effect", () => {
    call.pipe(
      Retry.retry({
        while: (error) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return true
        },
        retryAfter: (error) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return undefined
        },
        onRetry: (failed) => {
          expectTypeOf(failed).toEqualTypeOf<Retry.FailedAttempt<A | B>>()
          expectTypeOf(failed.delay).toEqualTypeOf<Duration.Duration>()
          return Effect.void
        },
        backoff: Backoff.exponential()
      })
    )
    Retry.retry(call, {
      while: (error) => {
        expectTypeOf(error).toEqualTypeOf<A | B>()
        return true
      },
      backoff: demanding
    })
  })

  it("takes a refinement, a tag or tags of the error", () => {
    const isA = (error: A | B): error is A => error._tag === "A"
    expectTypeOf(call.pipe(Retry.retry({ while: isA }))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(call.pipe(Retry.retry({ while: "A" }))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(call.pipe(Retry.retry({ while: ["A", "B"] }))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retry(call, { while: ["A"] })).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
  })

  it("refuses a tag that the error does not have", () => {
    // @ts-expect-error
    call.pipe(Retry.retry({ while: "C" }))
    // @ts-expect-error
    call.pipe(Retry.retry({ while: ["A", "C"] }))
    // @ts-expect-error
    Retry.retry(call, { while: "C" })
  })

  it("refuses a predicate that cannot take the error", () => {
    // @ts-expect-error
    call.pipe(Retry.retry({ while: (error: A) => error.a > 0 }))
    // @ts-expect-error
    Retry.retry(call, { while: (error: A) => error.a > 0 })
  })

  it("refuses a schedule that cannot take the error", () => {
    // @ts-expect-error
    call.pipe(Retry.retry({ backoff: forA }))
    expectTypeOf(Effect.fail(new A({ a: 1 })).pipe(Retry.retry({ backoff: forA }))).toEqualTypeOf<
      Effect.Effect<never, A>
    >()
  })

  it("refuses an onRetry that can fail", () => {
    // @ts-expect-error
    call.pipe(Retry.retry({ onRetry: () => Effect.fail("no") }))
  })

  it("is one function for every effect when it is built on its own", () => {
    const twice = Retry.retry({ maxAttempts: 2, while: ["A", "Z"], onRetry: ({ attempt }) => Effect.log(attempt) })
    expectTypeOf(twice(call)).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(twice(Effect.succeed("x"))).toEqualTypeOf<Effect.Effect<string>>()
    expectTypeOf(Effect.fail(1).pipe(twice)).toEqualTypeOf<Effect.Effect<never, number>>()
    const onlyA = Retry.retry({ while: (error: A) => error.a > 0 })
    expectTypeOf(onlyA(Effect.fail(new A({ a: 1 })))).toEqualTypeOf<Effect.Effect<never, A>>()
    expectTypeOf(onlyA(Effect.succeed(1))).toEqualTypeOf<Effect.Effect<number>>()
    // @ts-expect-error
    onlyA(call)
  })

  it("takes options that are shared by many effects", () => {
    const shared: Retry.Options = { maxAttempts: 4, while: ["A", "Z"] }
    expectTypeOf(call.pipe(Retry.retry(shared))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retry(call, shared)).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retryOrExhausted(call, shared)).toEqualTypeOf<
      Effect.Effect<number, A | B | Retry.RetryExhaustedError<A | B>, Work>
    >()
  })

  it("takes decoded configuration", () => {
    const config: Retry.ConfigOptions = { while: Retry.tags("A", "Z") }
    expectTypeOf(call.pipe(Retry.retry(config))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    expectTypeOf(Retry.retry(call, config)).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    const onRetry = (failed: Retry.FailedAttempt<A | B>) => Effect.log(failed.error._tag)
    expectTypeOf(call.pipe(Retry.retry({ ...config, onRetry }))).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
    call.pipe(
      Retry.retry({
        ...config,
        onRetry: ({ error }) => {
          expectTypeOf(error).toEqualTypeOf<A | B>()
          return Effect.void
        }
      })
    )
  })

  it("stays generic in a generic function", () => {
    const policy = <V, E, R>(self: Effect.Effect<V, E, R>) => self.pipe(Retry.retry({ maxAttempts: 2 }))
    expectTypeOf(policy(call)).toEqualTypeOf<Effect.Effect<number, A | B, Work>>()
  })

  it("gives up the types of its options", () => {
    const options = { backoff: demanding, onRetry: () => Effect.asVoid(Log) } satisfies Retry.Options<
      never,
      unknown,
      unknown,
      unknown
    >
    type Parts = typeof options extends Retry.Options<never, infer SE, infer SR, infer OR> ? [SE, SR, OR] : never
    expectTypeOf<Parts>().toEqualTypeOf<[ScheduleError, Pace, Log]>()
  })
})

describe("retryOrExhausted", () => {
  it("adds RetryExhaustedError of the error", () => {
    expectTypeOf(call.pipe(Retry.retryOrExhausted())).toEqualTypeOf<
      Effect.Effect<number, A | B | Retry.RetryExhaustedError<A | B>, Work>
    >()
    expectTypeOf(Retry.retryOrExhausted(call, { backoff: demanding, onRetry: () => Log })).toEqualTypeOf<
      Effect.Effect<number, A | B | ScheduleError | Retry.RetryExhaustedError<A | B>, Work | Pace | Log>
    >()
  })

  it("is caught by its tag", () => {
    const caught = call.pipe(
      Retry.retryOrExhausted({ while: "A" }),
      Effect.catchTag("RetryExhaustedError", (error) => {
        expectTypeOf(error.lastError).toEqualTypeOf<A | B>()
        expectTypeOf(error.elapsed).toEqualTypeOf<Duration.Duration>()
        return Effect.succeed("gone")
      })
    )
    expectTypeOf(caught).toEqualTypeOf<Effect.Effect<number | string, A | B, Work>>()
  })
})

describe("retryUntil", () => {
  type Job = { readonly state: "running" } | { readonly state: "done"; readonly result: number }
  type Done = Extract<Job, { readonly state: "done" }>
  const poll: Effect.Effect<Job, A, Work> = Effect.never

  it("inside another where a type is expected adds no services", () => {
    const until = (n: string) => n !== ""
    const nested: Effect.Effect<unknown, unknown> = Retry.retryUntil(Retry.retryUntil(Effect.succeed(""), { until }), {
      until
    })
    expectTypeOf(nested).toEqualTypeOf<Effect.Effect<unknown, unknown>>()
  })

  it("gives until the value, and the others the error or the value", () => {
    const polled = poll.pipe(
      Retry.retryUntil({
        until: (job) => {
          expectTypeOf(job).toEqualTypeOf<Job>()
          return job.state === "running" || job.result > 3
        },
        while: (error) => {
          expectTypeOf(error).toEqualTypeOf<A>()
          return true
        },
        onRetry: ({ error }) => {
          expectTypeOf(error).toEqualTypeOf<A | Retry.UnacceptedValue<Job>>()
          return Log
        }
      })
    )
    expectTypeOf(polled).toEqualTypeOf<
      Effect.Effect<Job, A | Retry.RetryExhaustedError<A | Retry.UnacceptedValue<Job>>, Work | Log>
    >()
  })

  it("narrows the value by a refinement", () => {
    const isDone = (job: Job): job is Done => job.state === "done"
    type Result = Effect.Effect<Done, A | Retry.RetryExhaustedError<A | Retry.UnacceptedValue<Job>>, Work>
    expectTypeOf(poll.pipe(Retry.retryUntil({ until: isDone, while: "A" }))).toEqualTypeOf<Result>()
    expectTypeOf(Retry.retryUntil(poll, { until: isDone })).toEqualTypeOf<Result>()
    expectTypeOf(poll.pipe(Retry.retryUntil({ until: (job) => job.state === "done" }))).toEqualTypeOf<Result>()
  })

  it("keeps the value of each effect when it is built on its own", () => {
    const once = Retry.retryUntil({ until: () => true })
    expectTypeOf(once(Effect.succeed(1))).toEqualTypeOf<
      Effect.Effect<number, Retry.RetryExhaustedError<Retry.UnacceptedValue<number>>>
    >()
  })

  it("refuses an until that cannot take the value", () => {
    // @ts-expect-error
    poll.pipe(Retry.retryUntil({ until: (value: string) => value === "" }))
    // @ts-expect-error
    poll.pipe(Retry.retryUntil({}))
  })
})

describe("Backoff", () => {
  it("is a schedule of durations for any input", () => {
    expectTypeOf(Backoff.exponential()).toExtend<Schedule.Schedule<Duration.Duration>>()
    expectTypeOf(call.pipe(Effect.retry(Backoff.constant("1 second")))).toEqualTypeOf<
      Effect.Effect<number, A | B, Work>
    >()
  })

  it("has decorrelated jitter for exponential only", () => {
    Backoff.exponential({ jitter: "decorrelated" })
    // @ts-expect-error
    Backoff.linear({ jitter: "decorrelated" })
    // @ts-expect-error
    Backoff.fibonacci({ jitter: "decorrelated" })
    // @ts-expect-error
    Backoff.constant({ delay: 1, jitter: "decorrelated" })
  })

  it("has a spec that make takes", () => {
    expectTypeOf<Backoff.Resolved>().toExtend<Backoff.Input>()
  })
})
