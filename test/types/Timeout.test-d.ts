import { Context, Duration, Effect, Schema } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as Timeout from "../../src/policies/Timeout.ts"

class Db extends Context.Service<Db, { readonly url: string }>()("test/Db") {}
class Cache extends Context.Service<Cache, { readonly url: string }>()("test/Cache") {}
declare const query: Effect.Effect<string, "query", Db>
declare const cached: Effect.Effect<number, "cache", Cache>

describe("Timeout", () => {
  it("timeout adds its error and nothing else", () => {
    type Expected = Effect.Effect<string, "query" | Timeout.TimeoutExceededError, Db>
    expectTypeOf(query.pipe(Timeout.timeout("2 seconds"))).toEqualTypeOf<Expected>()
    expectTypeOf(query.pipe(Timeout.timeout({ after: 1, operation: "query" }))).toEqualTypeOf<Expected>()
    expectTypeOf(Timeout.timeout(query, "2 seconds")).toEqualTypeOf<Expected>()
    expectTypeOf(Timeout.timeout(query, "2 seconds", { operation: "query" })).toEqualTypeOf<Expected>()
    expectTypeOf(Timeout.timeout(query, { after: Duration.seconds(1) })).toEqualTypeOf<Expected>()
  })

  it("a timeout is a function that can be kept", () => {
    const limited = Timeout.timeout("2 seconds")
    expectTypeOf(limited(query)).toEqualTypeOf<Effect.Effect<string, "query" | Timeout.TimeoutExceededError, Db>>()
    expectTypeOf(limited(cached)).toEqualTypeOf<Effect.Effect<number, "cache" | Timeout.TimeoutExceededError, Cache>>()
  })

  it("orElse adds what the fallback has, and no error of its own", () => {
    type Expected = Effect.Effect<string | number, "query" | "cache", Db | Cache>
    expectTypeOf(query.pipe(Timeout.orElse("2 seconds", () => cached))).toEqualTypeOf<Expected>()
    expectTypeOf(Timeout.orElse(query, "2 seconds", () => cached)).toEqualTypeOf<Expected>()
    Timeout.orElse(query, "2 seconds", (error) => {
      expectTypeOf(error).toEqualTypeOf<Timeout.TimeoutExceededError>()
      return cached
    })
    query.pipe(
      Timeout.orElse("2 seconds", (error) => {
        expectTypeOf(error).toEqualTypeOf<Timeout.TimeoutExceededError>()
        return cached
      })
    )
  })

  it("orElseSucceed adds the default, and no error", () => {
    expectTypeOf(query.pipe(Timeout.orElseSucceed("2 seconds", () => null))).toEqualTypeOf<
      Effect.Effect<string | null, "query", Db>
    >()
    expectTypeOf(Timeout.orElseSucceed(query, "2 seconds", () => 0)).toEqualTypeOf<
      Effect.Effect<string | number, "query", Db>
    >()
    expectTypeOf(Effect.never.pipe(Timeout.orElseSucceed("2 seconds", (error) => error.operation))).toEqualTypeOf<
      Effect.Effect<string | undefined>
    >()
  })

  it("a default is a function, not a value", () => {
    // @ts-expect-error
    Timeout.orElseSucceed(query, "2 seconds", null)
    // @ts-expect-error
    query.pipe(Timeout.orElseSucceed("2 seconds", 0))
  })

  it("an error has its fields", () => {
    expectTypeOf<Timeout.TimeoutExceededError["_tag"]>().toEqualTypeOf<"TimeoutExceededError">()
    expectTypeOf<Timeout.TimeoutExceededError["operation"]>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Timeout.TimeoutExceededError["after"]>().toEqualTypeOf<Duration.Duration>()
  })

  it("Config decodes to options", () => {
    expectTypeOf<Schema.Schema.Type<typeof Timeout.Config>>().toExtend<Timeout.Options>()
    expectTypeOf(Timeout.resolve("1 second")).toEqualTypeOf<Timeout.Resolved>()
  })
})
