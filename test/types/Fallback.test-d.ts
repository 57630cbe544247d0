import { Cause, Context, Data, Effect } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Fallback from "../../src/policies/Fallback.ts"

class Db extends Context.Service<Db, { readonly url: string }>()("test/Db") {}
class Cache extends Context.Service<Cache, { readonly url: string }>()("test/Cache") {}
class Log extends Context.Service<Log, { readonly url: string }>()("test/Log") {}
class Unavailable extends Data.TaggedError("Unavailable")<{ readonly host: string }> {}
class NotFound extends Data.TaggedError("NotFound")<{ readonly id: number }> {}
class Empty extends Data.TaggedError("Empty")<{}> {}

declare const load: Effect.Effect<string, Unavailable | NotFound | "text", Db>
declare const cached: Effect.Effect<number, Empty, Cache>
declare const isNotFound: (error: unknown) => error is NotFound
declare const log: Effect.Effect<void, never, Log>

describe("orElse", () => {
  it("removes all typed errors and adds what the fallback has", () => {
    type Expected = Effect.Effect<string | number, Empty, Db | Cache>
    expectTypeOf(load.pipe(Fallback.orElse(() => cached))).toEqualTypeOf<Expected>()
    expectTypeOf(Fallback.orElse(load, () => cached)).toEqualTypeOf<Expected>()
    expectTypeOf(load.pipe(Fallback.orElse(() => cached, { source: "cache" }))).toEqualTypeOf<Expected>()
    expectTypeOf(Fallback.orElse(load, () => cached, {})).toEqualTypeOf<Expected>()
  })

  it("hands every error to the function", () => {
    load.pipe(
      Fallback.orElse((error) => {
        expectTypeOf(error).toEqualTypeOf<Unavailable | NotFound | "text">()
        return cached
      })
    )
    Fallback.orElse(load, (error) => {
      expectTypeOf(error).toEqualTypeOf<Unavailable | NotFound | "text">()
      return cached
    })
  })

  it("with a tag removes that error only", () => {
    type Expected = Effect.Effect<string | number, NotFound | "text" | Empty, Db | Cache>
    const last = load.pipe(
      Fallback.orElse(
        (error) => {
          expectTypeOf(error).toEqualTypeOf<Unavailable>()
          return cached
        },
        { if: "Unavailable" }
      )
    )
    const first = Fallback.orElse(
      load,
      (error) => {
        expectTypeOf(error).toEqualTypeOf<Unavailable>()
        return cached
      },
      { if: "Unavailable" }
    )
    expectTypeOf(last).toEqualTypeOf<Expected>()
    expectTypeOf(first).toEqualTypeOf<Expected>()
  })

  it("with tags removes those errors only", () => {
    type Expected = Effect.Effect<string | number, "text" | Empty, Db | Cache>
    const last = load.pipe(
      Fallback.orElse(
        (error) => {
          expectTypeOf(error).toEqualTypeOf<Unavailable | NotFound>()
          return cached
        },
        { if: ["Unavailable", "NotFound"] }
      )
    )
    expectTypeOf(last).toEqualTypeOf<Expected>()
    expectTypeOf(Fallback.orElse(load, () => cached, { if: ["Unavailable", "NotFound"] })).toEqualTypeOf<Expected>()
  })

  it("with a refinement removes what it refines", () => {
    type Expected = Effect.Effect<string | number, Unavailable | "text" | Empty, Db | Cache>
    const last = load.pipe(
      Fallback.orElse(
        (error) => {
          expectTypeOf(error).toEqualTypeOf<NotFound>()
          return cached
        },
        { if: isNotFound }
      )
    )
    expectTypeOf(last).toEqualTypeOf<Expected>()
    expectTypeOf(
      Fallback.orElse(load, () => cached, { if: (error): error is NotFound => error instanceof NotFound })
    ).toEqualTypeOf<Expected>()
    expectTypeOf(
      load.pipe(Fallback.orElse(() => cached, { if: (error) => error instanceof NotFound }))
    ).toEqualTypeOf<Expected>()
  })

  it("with a predicate removes nothing", () => {
    type Expected = Effect.Effect<string | number, Unavailable | NotFound | "text" | Empty, Db | Cache>
    const last = load.pipe(
      Fallback.orElse(
        (error) => {
          expectTypeOf(error).toEqualTypeOf<Unavailable | NotFound | "text">()
          return cached
        },
        {
          if: (error) => {
            expectTypeOf(error).toEqualTypeOf<Unavailable | NotFound | "text">()
            return Math.abs(1) > 0
          }
        }
      )
    )
    expectTypeOf(last).toEqualTypeOf<Expected>()
    expectTypeOf(Fallback.orElse(load, () => cached, { if: (): boolean => true })).toEqualTypeOf<Expected>()
  })

  it("with defects hands the cause to the function", () => {
    type Expected = Effect.Effect<string | number, Empty, Db | Cache>
    const last = load.pipe(
      Fallback.orElse(
        (cause) => {
          expectTypeOf(cause).toEqualTypeOf<Cause.Cause<Unavailable | NotFound | "text">>()
          return cached
        },
        { defects: true }
      )
    )
    const first = Fallback.orElse(
      load,
      (cause) => {
        expectTypeOf(cause).toEqualTypeOf<Cause.Cause<Unavailable | NotFound | "text">>()
        return cached
      },
      { defects: true }
    )
    expectTypeOf(last).toEqualTypeOf<Expected>()
    expectTypeOf(first).toEqualTypeOf<Expected>()
  })

  it("refuses tags that no error has, and `if` beside `defects`", () => {
    // @ts-expect-error
    Fallback.orElse(load, () => cached, { if: "Empty" })
    // @ts-expect-error
    Fallback.orElse(load, () => cached, { if: ["Unavailable", "Empty"] })
    // @ts-expect-error
    Fallback.orElse(load, () => cached, { if: [] })
    // @ts-expect-error
    load.pipe(Fallback.orElse(() => cached, { if: "Empty" }))
    // @ts-expect-error
    Fallback.orElse(load, () => cached, { if: "Unavailable", defects: true })
  })

  it("takes a function whose parameter has a type", () => {
    expectTypeOf(load.pipe(Fallback.orElse((_error: unknown) => cached))).toEqualTypeOf<
      Effect.Effect<string | number, Empty, Db | Cache>
    >()
    expectTypeOf(load.pipe(Fallback.orElse((_error: Unavailable) => cached, { if: "Unavailable" }))).toEqualTypeOf<
      Effect.Effect<string | number, NotFound | "text" | Empty, Db | Cache>
    >()
    // @ts-expect-error
    load.pipe(Fallback.orElse((_error: NotFound) => cached))
  })

  it("can be kept and used for several effects", () => {
    const orCached = Fallback.orElse(() => cached)
    expectTypeOf(orCached(load)).toEqualTypeOf<Effect.Effect<string | number, Empty, Db | Cache>>()
    expectTypeOf(orCached(Effect.fail(1))).toEqualTypeOf<Effect.Effect<number, Empty, Cache>>()
  })
})

describe("orElseSucceed", () => {
  it("removes the errors and adds the value", () => {
    expectTypeOf(load.pipe(Fallback.orElseSucceed(() => null))).toEqualTypeOf<Effect.Effect<string | null, never, Db>>()
    expectTypeOf(Fallback.orElseSucceed(load, () => 0)).toEqualTypeOf<Effect.Effect<string | number, never, Db>>()
    expectTypeOf(load.pipe(Fallback.orElseSucceed((error) => error, { if: "NotFound" }))).toEqualTypeOf<
      Effect.Effect<string | NotFound, Unavailable | "text", Db>
    >()
    expectTypeOf(Fallback.orElseSucceed(load, (cause) => cause, { defects: true })).toEqualTypeOf<
      Effect.Effect<string | Cause.Cause<Unavailable | NotFound | "text">, never, Db>
    >()
    expectTypeOf(load.pipe(Fallback.orElseSucceed((cause) => cause, { defects: true }))).toEqualTypeOf<
      Effect.Effect<string | Cause.Cause<Unavailable | NotFound | "text">, never, Db>
    >()
  })

  it("takes a function, not a value", () => {
    // @ts-expect-error
    Fallback.orElseSucceed(load, null)
    // @ts-expect-error
    load.pipe(Fallback.orElseSucceed(0))
  })
})

describe("chain", () => {
  const sources = [Fallback.source("primary", load), Fallback.source("backup", () => cached)] as const
  type Errors = Unavailable | NotFound | "text" | Empty

  it("has every value and service, and the exhausted error", () => {
    type Expected = Effect.Effect<string | number, Fallback.FallbackExhaustedError<Errors>, Db | Cache>
    expectTypeOf(Fallback.chain(sources)).toEqualTypeOf<Expected>()
    expectTypeOf(
      Fallback.chain([Fallback.source("primary", load), { name: "backup", effect: cached }])
    ).toEqualTypeOf<Expected>()
    expectTypeOf(Fallback.chain(sources, { defects: true, default: undefined })).toEqualTypeOf<Expected>()
  })

  it("with a default has its value and no error", () => {
    expectTypeOf(Fallback.chain(sources, { default: () => null })).toEqualTypeOf<
      Effect.Effect<string | number | null, never, Db | Cache>
    >()
    expectTypeOf(Fallback.chain([], { default: () => 1 })).toEqualTypeOf<Effect.Effect<number>>()
  })

  it("with `if` fails with what is not chosen", () => {
    expectTypeOf(Fallback.chain(sources, { if: "Unavailable" })).toEqualTypeOf<
      Effect.Effect<string | number, NotFound | "text" | Empty | Fallback.FallbackExhaustedError<Errors>, Db | Cache>
    >()
    expectTypeOf(Fallback.chain(sources, { if: ["Unavailable", "Empty"], default: () => 0 })).toEqualTypeOf<
      Effect.Effect<string | number, NotFound | "text", Db | Cache>
    >()
    expectTypeOf(Fallback.chain(sources, { if: isNotFound, default: () => 0 })).toEqualTypeOf<
      Effect.Effect<string | number, Unavailable | "text" | Empty, Db | Cache>
    >()
    expectTypeOf(
      Fallback.chain(sources, {
        if: (error) => {
          expectTypeOf(error).toEqualTypeOf<Errors>()
          return Math.abs(1) > 0
        },
        onFallback: (fallback) => Effect.log(fallback.source),
        default: () => 0
      })
    ).toEqualTypeOf<Effect.Effect<string | number, Errors, Db | Cache>>()
    // @ts-expect-error
    Fallback.chain(sources, { if: "Unknown" })
  })

  it("adds the services of the hook and hands it the failures", () => {
    expectTypeOf(
      Fallback.chain(sources, {
        default: () => 0,
        onFallback: (fallback) => {
          expectTypeOf(fallback).toEqualTypeOf<Fallback.Fallback<Errors>>()
          return log
        }
      })
    ).toEqualTypeOf<Effect.Effect<string | number, never, Db | Cache | Log>>()
    expectTypeOf(Fallback.chain(sources, { onFallback: () => log })).toEqualTypeOf<
      Effect.Effect<string | number, Fallback.FallbackExhaustedError<Errors>, Db | Cache | Log>
    >()
    // @ts-expect-error
    Fallback.chain(sources, { onFallback: () => cached })
  })

  it("served comes with its source", () => {
    expectTypeOf(Fallback.chainServed(sources)).toEqualTypeOf<
      Effect.Effect<Fallback.Served<string | number, Errors>, Fallback.FallbackExhaustedError<Errors>, Db | Cache>
    >()
    expectTypeOf(Fallback.chainServed(sources, { default: () => null })).toEqualTypeOf<
      Effect.Effect<Fallback.Served<string | number | null, Errors>, never, Db | Cache>
    >()
  })

  it("to sources has the errors of the first effect too", () => {
    const rest = [Fallback.source("backup", cached)] as const
    type Exhausted = Effect.Effect<string | number, Fallback.FallbackExhaustedError<Errors>, Db | Cache>
    expectTypeOf(load.pipe(Fallback.chainTo(rest))).toEqualTypeOf<Exhausted>()
    expectTypeOf(load.pipe(Fallback.chainTo(rest, { name: "db" }))).toEqualTypeOf<Exhausted>()
    expectTypeOf(Fallback.chainTo(load, rest)).toEqualTypeOf<Exhausted>()
    type Defaulted = Effect.Effect<string | number | null, never, Db | Cache>
    expectTypeOf(load.pipe(Fallback.chainTo(rest, { default: () => null }))).toEqualTypeOf<Defaulted>()
    expectTypeOf(Fallback.chainTo(load, rest, { default: () => null })).toEqualTypeOf<Defaulted>()
    type Chosen = Effect.Effect<string | number, "text" | NotFound | Empty, Db | Cache>
    expectTypeOf(load.pipe(Fallback.chainTo(rest, { default: () => 0, if: "Unavailable" }))).toEqualTypeOf<Chosen>()
    expectTypeOf(Fallback.chainTo(load, rest, { default: () => 0, if: "Unavailable" })).toEqualTypeOf<Chosen>()
    load.pipe(
      Fallback.chainTo(rest, {
        default: () => 0,
        onFallback: (fallback) => {
          expectTypeOf(fallback).toEqualTypeOf<Fallback.Fallback<Errors>>()
          return log
        }
      })
    )
  })

  it("keeps the types of the causes", () => {
    expectTypeOf<Fallback.FallbackExhaustedError<Errors>["failures"]>().toEqualTypeOf<
      ReadonlyArray<Fallback.FailedSource<Errors>>
    >()
    expectTypeOf<Fallback.FallbackExhaustedError<Errors>["_tag"]>().toEqualTypeOf<"FallbackExhaustedError">()
    expectTypeOf<Fallback.FailedSource<Errors>["cause"]>().toEqualTypeOf<Cause.Cause<Errors>>()
  })
})
