import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, type Tracer } from "effect"
import { TestClock } from "effect/testing"
import * as Fallback from "../../src/policies/Fallback.ts"
import { invalid } from "../suites/rules.ts"

class Unavailable extends Data.TaggedError("Unavailable")<{ readonly host: string }> {
  override get message() {
    return `${this.host} is unavailable`
  }
}
class NotFound extends Data.TaggedError("NotFound")<{ readonly id: number }> {}

const unavailable = new Unavailable({ host: "db1" })
const notFound = new NotFound({ id: 1 })

const fails = <E>(error: E): Effect.Effect<string, E> => Effect.fail(error)
const both = Cause.combine(Cause.fail("no"), Cause.die("bug"))

/** Runs an effect in a span, and returns the attributes of the span. */
const spanned = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.Span> = []
    yield* Effect.currentSpan.pipe(
      Effect.tap((span) => Effect.sync(() => spans.push(span))),
      Effect.andThen(effect),
      Effect.withSpan("outer"),
      Effect.exit
    )
    return spans.map((span) => Object.fromEntries(span.attributes))
  })

/** An effect that counts how often it was run. */
const counted = <A, E>(effect: Effect.Effect<A, E>) => {
  const calls = { count: 0 }
  return { calls, effect: Effect.suspend(() => (calls.count++, effect)) }
}

/** The exit of an effect, for comparison with a cause that is not in its type. */
const exitOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<unknown, unknown>, never, R> =>
  Effect.exit(effect)

describe("Fallback.orElse", () => {
  it.effect("leaves a success alone", () =>
    Effect.gen(function* () {
      let calls = 0
      const value = yield* Effect.succeed(undefined).pipe(Fallback.orElse(() => Effect.sync(() => calls++)))
      assert.strictEqual(value, undefined)
      assert.strictEqual(calls, 0)
    })
  )

  it.effect("continues with the fallback, data-first and data-last", () =>
    Effect.gen(function* () {
      const f = (error: string) => Effect.succeed(`after ${error}`)
      assert.strictEqual(yield* fails("no").pipe(Fallback.orElse(f)), "after no")
      assert.strictEqual(yield* Fallback.orElse(fails("no"), f), "after no")
      assert.strictEqual(yield* Fallback.orElse(fails("no"), f, { source: "cache" }), "after no")
    })
  )

  it.effect("answers an error that is undefined, null, 0 or empty", () =>
    Effect.gen(function* () {
      for (const error of [undefined, null, 0, "", false]) {
        const exit = yield* exitOf(Fallback.orElse(fails(error), (error) => Effect.succeed([error])))
        assert.deepStrictEqual(exit, Exit.succeed([error]))
      }
    })
  )

  it.effect("lets a defect pass", () =>
    Effect.gen(function* () {
      const orElse = Fallback.orElse(() => Effect.succeed("fallback"))
      assert.deepStrictEqual(yield* exitOf(orElse(Effect.die("bug"))), Exit.die("bug"))
      assert.deepStrictEqual(yield* exitOf(orElse(Effect.failCause(both))), Exit.failCause(both))
    })
  )

  it.effect("answers a typed failure beside interruptions of other fibers, as Effect.catch does", () =>
    Effect.gen(function* () {
      const cause = Cause.combine(Cause.interrupt(1), Cause.fail("no"))
      assert.strictEqual(yield* Effect.failCause(cause).pipe(Effect.catch((error) => Effect.succeed(error))), "no")
      assert.strictEqual(yield* Effect.failCause(cause).pipe(Fallback.orElse((error) => Effect.succeed(error))), "no")
    })
  )

  it.effect("is not triggered by interruption", () =>
    Effect.gen(function* () {
      let calls = 0
      const count = () => Effect.sync(() => calls++)
      for (const answered of [Fallback.orElse(count), Fallback.orElse(count, { defects: true })]) {
        const fiber = yield* Effect.forkChild(answered(Effect.never), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        const own = yield* exitOf(answered(Effect.interrupt))
        assert.isTrue(Exit.isFailure(own) && Cause.hasInterruptsOnly(own.cause))
      }
      assert.strictEqual(calls, 0)
    })
  )

  it.effect("with a tag answers that error only", () =>
    Effect.gen(function* () {
      const load = (error: Unavailable | NotFound | string | null | undefined) => Effect.fail(error)
      const one = (error: Unavailable | NotFound) =>
        load(error).pipe(Fallback.orElse((error) => Effect.succeed(error.host), { if: "Unavailable" }))
      assert.strictEqual(yield* one(unavailable), "db1")
      assert.deepStrictEqual(yield* exitOf(one(notFound)), Exit.fail(notFound))
      const several = (error: Unavailable | NotFound | string | null | undefined) =>
        Fallback.orElse(load(error), () => Effect.succeed("fallback"), { if: ["Unavailable", "NotFound"] })
      assert.strictEqual(yield* several(unavailable), "fallback")
      assert.strictEqual(yield* several(notFound), "fallback")
      for (const error of ["NotFound", null, undefined]) {
        assert.deepStrictEqual(yield* exitOf(several(error)), Exit.fail(error))
      }
    })
  )

  it.effect("with a predicate or a refinement answers what it accepts", () =>
    Effect.gen(function* () {
      const even = (n: number) =>
        Effect.fail(n).pipe(Fallback.orElse((n) => Effect.succeed(-n), { if: (n) => n % 2 === 0 }))
      assert.strictEqual(yield* even(2), -2)
      assert.deepStrictEqual(yield* exitOf(even(3)), Exit.fail(3))
      const text = Fallback.orElse(fails<string | number>("no"), (text) => Effect.succeed(text), {
        if: (error: unknown): error is string => typeof error === "string"
      })
      assert.strictEqual(yield* text, "no")
    })
  )

  it.effect("keeps the original cause when the predicate throws", () =>
    Effect.gen(function* () {
      const exit = yield* fails("no").pipe(
        Fallback.orElse(() => Effect.succeed("fallback"), {
          if: (): boolean => {
            throw "bug"
          }
        }),
        exitOf
      )
      assert.deepStrictEqual(
        exit,
        Exit.failCause(Cause.fromReasons<unknown>([Cause.makeDieReason("bug"), Cause.makeFailReason("no")]))
      )
    })
  )

  it.effect("with defects hands over the cause of any failure", () =>
    Effect.gen(function* () {
      const orElse = Fallback.orElse((cause: Cause.Cause<string>) => Effect.succeed(cause), { defects: true })
      for (const cause of [Cause.fail("no"), Cause.die("bug"), both]) {
        assert.deepStrictEqual(yield* orElse(Effect.failCause(cause)), cause)
      }
    })
  )
})

describe("when the fallback fails too", () => {
  it.effect("its error is what the caller sees, and the original one follows", () =>
    Effect.gen(function* () {
      const failing = fails("original").pipe(Fallback.orElse(() => Effect.fail("fallback")))
      assert.strictEqual(yield* Effect.flip(failing), "fallback")
      assert.deepStrictEqual(
        yield* exitOf(failing),
        Exit.failCause(Cause.combine(Cause.fail("fallback"), Cause.fail("original")))
      )
    })
  )

  it.effect("with a defect, the original error follows it", () =>
    Effect.gen(function* () {
      const expected = Exit.failCause(
        Cause.fromReasons<unknown>([Cause.makeDieReason("bug"), Cause.makeFailReason("no")])
      )
      const dies = fails("no").pipe(Fallback.orElse(() => Effect.die("bug")))
      assert.deepStrictEqual(yield* exitOf(dies), expected)
      const throws = fails("no").pipe(
        Fallback.orElse((): Effect.Effect<string> => {
          throw "bug"
        })
      )
      assert.deepStrictEqual(yield* exitOf(throws), expected)
      const value = fails("no").pipe(
        Fallback.orElseSucceed((): string => {
          throw "bug"
        })
      )
      assert.deepStrictEqual(yield* exitOf(value), expected)
    })
  )

  it.effect("with the same error, it is there once", () =>
    Effect.gen(function* () {
      const again = Fallback.orElse(fails(unavailable), (error) => Effect.fail(error))
      assert.deepStrictEqual(yield* exitOf(again), Exit.fail(unavailable))
    })
  )

  it.effect("the defect of the original is kept where defects are answered", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.die("bug").pipe(
        Fallback.orElse(() => Effect.fail("no"), { defects: true }),
        exitOf
      )
      assert.deepStrictEqual(
        exit,
        Exit.failCause(Cause.fromReasons<unknown>([Cause.makeFailReason("no"), Cause.makeDieReason("bug")]))
      )
    })
  )

  it.effect("of several fallbacks the last comes first", () =>
    Effect.gen(function* () {
      const exit = yield* fails("one").pipe(
        Fallback.orElse(() => Effect.fail("two")),
        Fallback.orElse(() => Effect.fail("three")),
        exitOf
      )
      assert.deepStrictEqual(
        exit,
        Exit.failCause(Cause.fromReasons(["three", "two", "one"].map((error) => Cause.makeFailReason(error))))
      )
    })
  )

  it.effect("an interruption of the fallback stays an interruption", () =>
    Effect.gen(function* () {
      const own = yield* fails("no").pipe(
        Fallback.orElse(() => Effect.interrupt),
        exitOf
      )
      assert.isTrue(Exit.isFailure(own) && Cause.hasInterruptsOnly(own.cause))
      const fiber = yield* fails("no").pipe(
        Fallback.orElse(() => Effect.never),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("interruptions in the original cause do not follow", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.failCause(Cause.combine(Cause.interrupt(1), Cause.fail("no"))).pipe(
        Fallback.orElse(() => Effect.fail("fallback")),
        exitOf
      )
      assert.deepStrictEqual(exit, Exit.failCause(Cause.combine(Cause.fail("fallback"), Cause.fail("no"))))
    })
  )
})

describe("Fallback.orElseSucceed", () => {
  for (const value of [0, "", [], null, undefined, false, Number.NaN]) {
    it.effect(`${JSON.stringify(value)} is a default`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual<unknown>(yield* Fallback.orElseSucceed(fails("no"), () => value), value)
        assert.deepStrictEqual<unknown>(yield* fails("no").pipe(Fallback.orElseSucceed(() => value)), value)
      })
    )
  }

  it.effect("hands the error or the cause to the function", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fails("no").pipe(Fallback.orElseSucceed((error) => `after ${error}`)), "after no")
      assert.deepStrictEqual(
        yield* Effect.die("bug").pipe(Fallback.orElseSucceed((cause) => cause, { defects: true })),
        Cause.die("bug")
      )
      assert.deepStrictEqual(
        yield* exitOf(
          Fallback.orElseSucceed(Effect.fail<Unavailable | NotFound>(notFound), () => 0, { if: "Unavailable" })
        ),
        Exit.fail(notFound)
      )
    })
  )
})

describe("Fallback.chain", () => {
  it.effect("succeeds with the first source that does, and tries none after it", () =>
    Effect.gen(function* () {
      const primary = counted(fails("no"))
      const backup = counted(Effect.succeed("backup"))
      const cache = counted(Effect.succeed("cache"))
      const value = yield* Fallback.chain([
        Fallback.source("primary", primary.effect),
        Fallback.source("backup", backup.effect),
        Fallback.source("cache", cache.effect)
      ])
      assert.strictEqual(value, "backup")
      assert.deepStrictEqual([primary.calls.count, backup.calls.count, cache.calls.count], [1, 1, 0])
    })
  )

  it.effect("takes a source that is made when it is tried", () =>
    Effect.gen(function* () {
      let made = 0
      const lazy = (effect: Effect.Effect<string, string>) => () => {
        made++
        return effect
      }
      const chain = Fallback.chain([
        Fallback.source("primary", lazy(fails("no"))),
        Fallback.source("backup", lazy(Effect.succeed("backup"))),
        Fallback.source("cache", lazy(Effect.succeed("cache")))
      ])
      assert.strictEqual(made, 0)
      assert.strictEqual(yield* chain, "backup")
      assert.strictEqual(made, 2)
      assert.strictEqual(yield* chain, "backup")
      assert.strictEqual(made, 4)
    })
  )

  it.effect("takes a source that throws as a defect", () =>
    Effect.gen(function* () {
      const chain = Fallback.chain(
        [
          Fallback.source("primary", fails("no")),
          Fallback.source("backup", (): Effect.Effect<string> => {
            throw "bug"
          })
        ],
        { default: () => "default" }
      )
      assert.deepStrictEqual(
        yield* exitOf(chain),
        Exit.failCause(Cause.fromReasons<never>([Cause.makeDieReason("bug"), Cause.makeFailReason("no") as never]))
      )
    })
  )

  it.effect("fails with the cause of every source", () =>
    Effect.gen(function* () {
      const primary = Cause.fail(unavailable)
      const backup = Cause.combine(Cause.fail("no"), Cause.fail("really"))
      const error = yield* Effect.flip(
        Fallback.chain([
          Fallback.source("primary", Effect.failCause(primary)),
          Fallback.source("backup", Effect.failCause(backup)),
          Fallback.source("cache", fails(notFound))
        ])
      )
      assert.instanceOf(error, Fallback.FallbackExhaustedError)
      assert.strictEqual(error._tag, "FallbackExhaustedError")
      assert.deepStrictEqual<unknown>(error.failures, [
        { source: "primary", cause: primary },
        { source: "backup", cause: backup },
        { source: "cache", cause: Cause.fail(notFound) }
      ])
      assert.strictEqual(
        error.message,
        "Every source failed: primary (Unavailable: db1 is unavailable), backup (no; really), cache (NotFound)"
      )
      assert.strictEqual(error.cause, unavailable)
    })
  )

  for (const value of [0, "", [], null, undefined, false]) {
    it.effect(`ends with a default that is ${JSON.stringify(value)}`, () =>
      Effect.gen(function* () {
        const chain = Fallback.chain([Fallback.source("primary", fails("no"))], { default: () => value })
        assert.deepStrictEqual<unknown>(yield* chain, value)
        assert.deepStrictEqual<unknown>(yield* Fallback.chain([], { default: () => value }), value)
      })
    )
  }

  it.effect("makes the default anew each time, and only when it is needed", () =>
    Effect.gen(function* () {
      let made = 0
      const make = () => ++made
      const failing = Fallback.chain([Fallback.source("primary", fails("no"))], { default: make })
      assert.strictEqual(yield* Fallback.chain([Fallback.source("primary", Effect.succeed(0))], { default: make }), 0)
      assert.strictEqual(yield* failing, 1)
      assert.strictEqual(yield* failing, 2)
    })
  )

  it.effect("keeps what failed when the default throws, also where defects are answered", () =>
    Effect.gen(function* () {
      for (const defects of [false, true]) {
        const chain = Fallback.chain([Fallback.source("primary", fails("no"))], {
          defects,
          default: (): string => {
            throw "bug"
          }
        })
        assert.deepStrictEqual<unknown>(
          yield* exitOf(chain),
          Exit.failCause(Cause.fromReasons<unknown>([Cause.makeDieReason("bug"), Cause.makeFailReason("no")]))
        )
      }
    })
  )

  it.effect("ends at a defect, and keeps what failed before it", () =>
    Effect.gen(function* () {
      const last = counted(Effect.succeed("cache"))
      const chain = Fallback.chain(
        [
          Fallback.source("primary", fails("one")),
          Fallback.source("backup", fails("two")),
          Fallback.source("buggy", Effect.die("bug")),
          Fallback.source("cache", last.effect)
        ],
        { default: () => "default" }
      )
      assert.deepStrictEqual<unknown>(
        yield* exitOf(chain),
        Exit.failCause(
          Cause.fromReasons<unknown>([
            Cause.makeDieReason("bug"),
            Cause.makeFailReason("two"),
            Cause.makeFailReason("one")
          ])
        )
      )
      assert.strictEqual(last.calls.count, 0)
    })
  )

  it.effect("with defects continues after one", () =>
    Effect.gen(function* () {
      const sources = [
        Fallback.source("primary", Effect.die("bug")),
        Fallback.source("backup", Effect.failCause(both))
      ] as const
      assert.strictEqual(yield* Fallback.chain(sources, { defects: true, default: () => "default" }), "default")
      const error = yield* Effect.flip(Fallback.chain(sources, { defects: true }))
      assert.deepStrictEqual<unknown>(error, new Fallback.FallbackExhaustedError({ failures: error.failures }))
      assert.deepStrictEqual<unknown>(
        error.failures.map((failure) => failure.cause),
        [Cause.die("bug"), both]
      )
    })
  )

  it.effect("with `if` ends at a failure that is not chosen, and keeps what failed before it", () =>
    Effect.gen(function* () {
      const last = counted(Effect.succeed("cache"))
      const chain = Fallback.chain(
        [
          Fallback.source("primary", fails(unavailable)),
          Fallback.source("backup", fails(notFound)),
          Fallback.source("cache", last.effect)
        ],
        { if: "Unavailable", default: () => "default" }
      )
      assert.deepStrictEqual<unknown>(
        yield* exitOf(chain),
        Exit.failCause(Cause.fromReasons<unknown>([Cause.makeFailReason(notFound), Cause.makeFailReason(unavailable)]))
      )
      assert.strictEqual(last.calls.count, 0)
    })
  )

  it.effect("keeps what failed when the predicate throws", () =>
    Effect.gen(function* () {
      const chain = Fallback.chain(
        [Fallback.source("primary", fails("one")), Fallback.source("backup", fails("two"))],
        {
          if: (error): boolean => {
            if (error === "two") throw "bug"
            return true
          },
          default: () => "default"
        }
      )
      assert.deepStrictEqual(
        yield* exitOf(chain),
        Exit.failCause(
          Cause.fromReasons<unknown>([
            Cause.makeDieReason("bug"),
            Cause.makeFailReason("two"),
            Cause.makeFailReason("one")
          ])
        )
      )
    })
  )

  it.effect("with `if` and defects continues after both", () =>
    Effect.gen(function* () {
      const chain = Fallback.chain(
        [
          Fallback.source("primary", fails<Unavailable | NotFound>(unavailable)),
          Fallback.source("backup", Effect.die("bug"))
        ],
        { if: "Unavailable", defects: true, default: () => "default" }
      )
      assert.strictEqual(yield* chain, "default")
      const other = Fallback.chain([Fallback.source("primary", fails<Unavailable | NotFound>(notFound))], {
        if: "Unavailable",
        defects: true,
        default: () => "default"
      })
      assert.deepStrictEqual(yield* exitOf(other), Exit.fail(notFound))
    })
  )

  it.effect("ends when it is interrupted", () =>
    Effect.gen(function* () {
      for (const defects of [false, true]) {
        const last = counted(Effect.succeed("cache"))
        const fiber = yield* Fallback.chain(
          [
            Fallback.source("primary", fails("no")),
            Fallback.source("backup", Effect.never),
            Fallback.source("cache", last.effect)
          ],
          { defects, default: () => "default" }
        ).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Fiber.interrupt(fiber)
        const exit = yield* Fiber.await(fiber)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
        const own = yield* exitOf(
          Fallback.chain([Fallback.source("primary", Effect.interrupt), Fallback.source("cache", last.effect)], {
            defects
          })
        )
        assert.isTrue(Exit.isFailure(own) && Cause.hasInterruptsOnly(own.cause))
        assert.strictEqual(last.calls.count, 0)
      }
    })
  )

  it.effect("tries the sources one after the other", () =>
    Effect.gen(function* () {
      const slow = (error: string) => Effect.delay(Effect.fail(error), "1 second")
      const fiber = yield* Fallback.chain(
        [Fallback.source("primary", slow("one")), Fallback.source("backup", slow("two"))],
        { default: () => "default" }
      ).pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed("default"))
    })
  )

  it.effect("holds no state from one run to the next", () =>
    Effect.gen(function* () {
      const chain = Fallback.chainServed(
        [Fallback.source("primary", fails("no")), Fallback.source("backup", fails("no"))],
        { default: () => "default" }
      )
      const runs = yield* Effect.all([chain, chain, chain], { concurrency: 3 })
      assert.deepStrictEqual(
        runs.map((run) => run.failures.length),
        [2, 2, 2]
      )
    })
  )
})

describe("Fallback.chainServed", () => {
  it.effect("tells the source that served, and those that failed before it", () =>
    Effect.gen(function* () {
      const served = (primary: Effect.Effect<string, string>, backup: Effect.Effect<string, string>) =>
        Fallback.chainServed([Fallback.source("primary", primary), Fallback.source("backup", backup)], {
          default: () => null
        })
      assert.deepStrictEqual(yield* served(Effect.succeed("a"), fails("no")), {
        source: "primary",
        failures: [],
        value: "a"
      })
      assert.deepStrictEqual(yield* served(fails("no"), Effect.succeed("b")), {
        source: "backup",
        failures: [{ source: "primary", cause: Cause.fail("no") }],
        value: "b"
      })
      assert.deepStrictEqual(yield* served(fails("no"), fails("neither")), {
        source: "default",
        failures: [
          { source: "primary", cause: Cause.fail("no") },
          { source: "backup", cause: Cause.fail("neither") }
        ],
        value: null
      })
    })
  )

  it.effect("fails like chain", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Fallback.chainServed([Fallback.source("primary", fails("no"))]))
      assert.strictEqual(error.message, "Every source failed: primary (no)")
      assert.deepStrictEqual(yield* Fallback.chainServed([], { default: () => 0 }), {
        source: "default",
        failures: [],
        value: 0
      })
    })
  )
})

describe("Fallback.chainTo", () => {
  it.effect("has the effect as its first source", () =>
    Effect.gen(function* () {
      const rest = [Fallback.source("cache", fails("empty"))] as const
      assert.strictEqual(yield* Effect.succeed("a").pipe(Fallback.chainTo(rest)), "a")
      assert.strictEqual(yield* fails("no").pipe(Fallback.chainTo(rest, { default: () => "default" })), "default")
      assert.strictEqual(
        (yield* Effect.flip(Fallback.chainTo(fails("no"), rest))).message,
        "Every source failed: primary (no), cache (empty)"
      )
      assert.strictEqual(
        (yield* Effect.flip(fails("no").pipe(Fallback.chainTo(rest, { name: "db" })))).message,
        "Every source failed: db (no), cache (empty)"
      )
      assert.strictEqual(yield* fails("no").pipe(Fallback.chainTo([], { default: () => 0 })), 0)
    })
  )

  it.effect("can be kept and used for several effects", () =>
    Effect.gen(function* () {
      const orCached = Fallback.chainTo([Fallback.source("cache", Effect.succeed("cached"))])
      assert.strictEqual(yield* orCached(fails("no")), "cached")
      assert.strictEqual(yield* orCached(Effect.succeed(1)), 1)
    })
  )
})

describe("the attribute of the current span", () => {
  const primary = Fallback.source("primary", fails("no"))
  const cases: ReadonlyArray<[string, Effect.Effect<unknown, unknown>, Record<string, unknown>]> = [
    ["is not set by a first source", Fallback.chain([Fallback.source("primary", Effect.succeed(1))]), {}],
    [
      "is the source that served",
      Fallback.chain([primary, Fallback.source("backup", Effect.succeed(1))]),
      { "resilience.fallback.source": "backup" }
    ],
    [
      "is the default",
      Fallback.chainServed([primary], { default: () => 0 }),
      { "resilience.fallback.source": "default" }
    ],
    [
      "is the source that served beside a hook",
      Fallback.chain([primary], { default: () => 0, onFallback: () => Effect.void }),
      { "resilience.fallback.source": "default" }
    ],
    ["is not set when nothing served", Fallback.chain([primary]), {}],
    [
      "is the source after an effect",
      Fallback.chainTo(fails("no"), [Fallback.source("cache", Effect.succeed(1))]),
      { "resilience.fallback.source": "cache" }
    ],
    [
      "is a fallback without a name",
      Fallback.orElse(fails("no"), () => Effect.succeed(1)),
      { "resilience.fallback.source": "fallback" }
    ],
    [
      "is the name of a fallback",
      Fallback.orElseSucceed(fails("no"), () => 1, { source: "queue" }),
      { "resilience.fallback.source": "queue" }
    ],
    ["is not set by a success", Fallback.orElse(Effect.succeed(1), () => Effect.succeed(1)), {}],
    ["is not set by a fallback that fails", Fallback.orElse(fails("no"), () => Effect.fail(1)), {}]
  ]
  for (const [name, effect, attributes] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* spanned(effect), [attributes])
      })
    )
  }

  it.effect("needs no span", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* fails("no").pipe(Fallback.orElseSucceed(() => 1)), 1)
    })
  )
})

describe("onFallback", () => {
  it.effect("is run once when something else than the first source has served", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const onFallback = (fallback: Fallback.Fallback<string>) => Effect.sync(() => seen.push(fallback))
      const backup = [Fallback.source("primary", fails("no")), Fallback.source("backup", Effect.succeed(1))] as const
      const failing = [Fallback.source("primary", fails("no"))] as const
      assert.strictEqual(yield* Fallback.chain(backup, { onFallback }), 1)
      assert.strictEqual(yield* Fallback.chain(failing, { onFallback, default: () => 2 }), 2)
      yield* Fallback.chain([Fallback.source("primary", Effect.succeed(1))], { onFallback })
      yield* Effect.flip(Fallback.chain(failing, { onFallback }))
      const failures = [{ source: "primary", cause: Cause.fail("no") }]
      assert.deepStrictEqual(seen, [
        { source: "backup", failures },
        { source: "default", failures }
      ])
    })
  )

  it.effect("is awaited", () =>
    Effect.gen(function* () {
      const fiber = yield* Fallback.chain([Fallback.source("primary", fails("no"))], {
        default: () => 1,
        onFallback: () => Effect.sleep("1 second")
      }).pipe(Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(fiber.pollUnsafe(), Exit.succeed(1))
    })
  )
})

describe("plain data", () => {
  it("shows the parameters and defaults of orElse", () => {
    assert.deepStrictEqual(Fallback.resolve(), { if: undefined, defects: false, source: "fallback" })
    assert.deepStrictEqual(Fallback.describe(), { source: "fallback" })
    assert.deepStrictEqual(Fallback.describe({ if: "A", source: "cache" }), { if: ["A"], source: "cache" })
    assert.deepStrictEqual(Fallback.describe({ if: ["A", "B"] }).if, ["A", "B"])
    assert.deepStrictEqual(Fallback.describe({ if: () => true }).if, "a function")
    assert.deepStrictEqual(Fallback.describe({ defects: true }), { defects: true, source: "fallback" })
  })

  it("shows the parameters and defaults of a chain", () => {
    const sources = [Fallback.source("primary", Effect.void), Fallback.source("backup", Effect.void)]
    assert.deepStrictEqual(Fallback.describeChain(sources), { sources: ["primary", "backup"], defects: false })
    assert.deepStrictEqual(
      Fallback.describeChain(
        sources,
        { default: () => null, onFallback: () => Effect.void, if: ["A"], defects: true },
        "first"
      ),
      {
        sources: ["first", "primary", "backup"],
        if: ["A"],
        defects: true,
        onFallback: "a function",
        default: "a function"
      }
    )
  })
})

describe("bad options", () => {
  const self = fails("no")
  const succeed = () => Effect.succeed(1)
  const source = Fallback.source("primary", self)
  const named = (name: unknown) => ({ name: name as string, effect: self })
  const nonEmpty = "a non-empty string"
  const aTag = "a predicate, a tag or a list of at least one tag"
  const unique = "a name that nothing else in the chain has"
  const cases: ReadonlyArray<[string, () => unknown, string, unknown, string]> = [
    ["orElse with null", () => Fallback.orElse(null as never), "orElse", null, "a function"],
    ["orElse with an effect", () => Fallback.orElse(self, succeed() as never), "orElse", succeed(), "a function"],
    ["orElseSucceed with null", () => Fallback.orElseSucceed(null as never), "orElseSucceed", null, "a function"],
    ["orElseSucceed with 0", () => Fallback.orElseSucceed(self, 0 as never), "orElseSucceed", 0, "a function"],
    ["an empty source name", () => Fallback.orElse(succeed, { source: "" }), "source", "", nonEmpty],
    ["a source name that is no text", () => Fallback.orElse(succeed, { source: 1 as never }), "source", 1, nonEmpty],
    ["an empty tag", () => Fallback.orElse(succeed, { if: "" as never }), "if", "", nonEmpty],
    ["an empty tag in a list", () => Fallback.orElse(succeed, { if: ["A", " "] as never }), "if.1", " ", nonEmpty],
    ["no tags", () => Fallback.orElse(succeed, { if: [] as never }), "if", [], aTag],
    ["`if` that is a number", () => Fallback.orElse(succeed, { if: 1 as never }), "if", 1, aTag],
    ["`if` that is null", () => Fallback.orElseSucceed(() => 1, { if: null as never }), "if", null, aTag],
    ["`defects` that is 1", () => Fallback.orElse(succeed, { defects: 1 as never }), "defects", 1, "true or false"],
    [
      "`if` beside `defects`",
      () => Fallback.orElse(succeed, { if: "A", defects: true } as never),
      "if",
      "A",
      "absent beside `defects`"
    ],
    ["a source without a name", () => Fallback.source("", self), "name", "", nonEmpty],
    [
      "a source without an effect",
      () => Fallback.source("primary", 1 as never),
      "effect",
      1,
      "an Effect or a function that returns one"
    ],
    [
      "an empty chain without default",
      () => Fallback.chain([]),
      "sources",
      [],
      "at least one source, or there must be a default"
    ],
    [
      "an empty chain without default, served",
      () => Fallback.chainServed([]),
      "sources",
      [],
      "at least one source, or there must be a default"
    ],
    [
      "an empty chain after an effect",
      () => Fallback.chainTo([]),
      "sources",
      [],
      "at least one source, or there must be a default"
    ],
    ["sources that are no array", () => Fallback.chain({} as never), "sources", {}, "an array of sources"],
    ["sources that are no array", () => Fallback.chainTo({} as never), "sources", {}, "an array of sources"],
    ["an empty name", () => Fallback.chain([source, named(" ")]), "sources.1.name", " ", nonEmpty],
    ["a name that is no text", () => Fallback.chain([named(7)]), "sources.0.name", 7, nonEmpty],
    ["a name twice", () => Fallback.chain([source, source]), "sources.1.name", "primary", unique],
    ["the name of the effect", () => Fallback.chainTo([source]), "sources.0.name", "primary", unique],
    [
      "the name of the default",
      () => Fallback.chain([named("default")], { default: () => 1 }),
      "sources.0.name",
      "default",
      unique
    ],
    [
      "an effect that is none",
      () => Fallback.chain([{ name: "primary", effect: 1 as never }]),
      "sources.0.effect",
      1,
      "an Effect"
    ],
    [
      "a default that is null",
      () => Fallback.chain([source], { default: null as never }),
      "default",
      null,
      "a function"
    ],
    ["a default that is 0", () => Fallback.chainServed([source], { default: 0 as never }), "default", 0, "a function"],
    [
      "a hook that is no function",
      () => Fallback.chain([source], { onFallback: Effect.void as never }),
      "onFallback",
      Effect.void,
      "a function"
    ],
    ["an empty name of the effect", () => Fallback.chainTo([source], { name: "" }), "name", "", nonEmpty],
    ["a bad tag in a chain", () => Fallback.chain([source], { if: [] as never }), "if", [], aTag],
    [
      "`defects` of a chain that is text",
      () => Fallback.chainTo([named("a")], { defects: "yes" as never }),
      "defects",
      "yes",
      "true or false"
    ]
  ]
  for (const [name, build, field, value, rule] of cases) {
    it(`refuses ${name}: ${field}`, () => {
      assert.deepStrictEqual(invalid(build), { module: "Fallback", field, value, rule })
    })
  }

  it.effect("accepts a source named default in a chain without one", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Fallback.chain([Fallback.source("default", Effect.succeed(1))]), 1)
    })
  )
})

describe("examples", () => {
  const chain = (
    primary: Effect.Effect<string, string>,
    backup: Effect.Effect<string, string>,
    cache: Effect.Effect<string, string>
  ) =>
    Fallback.chainServed(
      [Fallback.source("primary", primary), Fallback.source("backup", backup), Fallback.source("cache", cache)],
      { default: () => "default" }
    ).pipe(Effect.map(({ source, value }) => [source, value]))

  it.effect("a chain of primary, backup, cache and default", () =>
    Effect.gen(function* () {
      const down = fails("down")
      assert.deepStrictEqual(yield* chain(Effect.succeed("p"), down, down), ["primary", "p"])
      assert.deepStrictEqual(yield* chain(down, Effect.succeed("b"), down), ["backup", "b"])
      assert.deepStrictEqual(yield* chain(down, down, Effect.succeed("c")), ["cache", "c"])
      assert.deepStrictEqual(yield* chain(down, down, down), ["default", "default"])
    })
  )

  it.effect("functions in sequence until one succeeds, or a default", () =>
    Effect.gen(function* () {
      const functions = [() => fails("down"), () => Effect.succeed("second"), () => Effect.succeed("third")]
      const sources = functions.map((f, i) => Fallback.source(`function ${i + 1}`, f))
      assert.strictEqual(yield* Fallback.chain(sources), "second")
      assert.strictEqual(yield* Fallback.chain(sources.slice(0, 1), { default: () => "default" }), "default")
    })
  )
})
