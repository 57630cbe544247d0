import { Context, DateTime, Duration, Effect, Layer, Schedule, Schema, Scope, Stream } from "effect"
import { describe, expectTypeOf, it } from "vitest"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Health from "../../src/health/Health.ts"

class Database extends Context.Service<Database, { readonly ping: Effect.Effect<void, "down"> }>()("Database") {}
class Cache extends Context.Service<Cache, { readonly ping: Effect.Effect<boolean> }>()("Cache") {}

const database = Health.check(Database.use((database) => database.ping))
const cache = Health.check(
  Cache.use((cache) => cache.ping),
  { critical: false }
)

describe("check", () => {
  it("needs what its effect needs, without its scope", () => {
    expectTypeOf(database).toEqualTypeOf<Health.Check<Database>>()
    expectTypeOf(Health.check(Effect.void)).toEqualTypeOf<Health.Check>()
    expectTypeOf(
      Health.check(
        Effect.acquireRelease(
          Database.use((d) => d.ping),
          () => Effect.void
        )
      )
    ).toEqualTypeOf<Health.Check<Database>>()
  })

  it("refuses what is no effect", () => {
    // @ts-expect-error a function is no effect
    expectTypeOf(Health.check).toBeCallableWith(() => true)
    // @ts-expect-error a kind is one of three words
    expectTypeOf(Health.check).toBeCallableWith(Effect.void, { kinds: ["ready"] })
  })
})

describe("layer", () => {
  it("needs what its checks need", () => {
    expectTypeOf(Health.layer()).toEqualTypeOf<Layer.Layer<Health.Health>>()
    expectTypeOf(Health.layer({ version: "1" })).toEqualTypeOf<Layer.Layer<Health.Health>>()
    expectTypeOf(Health.layer({ checks: { database } })).toEqualTypeOf<Layer.Layer<Health.Health, never, Database>>()
    expectTypeOf(Health.layer({ checks: { database, cache, up: Health.check(Effect.void) } })).toEqualTypeOf<
      Layer.Layer<Health.Health, never, Database | Cache>
    >()
  })

  it("takes a schedule or a duration, and needs what the schedule needs", () => {
    expectTypeOf(Health.layer({ schedule: "30 seconds" })).toEqualTypeOf<Layer.Layer<Health.Health>>()
    expectTypeOf(Health.layer({ schedule: Schedule.spaced("1 second") })).toEqualTypeOf<Layer.Layer<Health.Health>>()
    const needy = Schedule.tap(Schedule.spaced("1 second"), () => Effect.asVoid(Cache))
    expectTypeOf(Health.layer({ checks: { database }, schedule: needy })).toEqualTypeOf<
      Layer.Layer<Health.Health, never, Database | Cache>
    >()
  })

  it("refuses what is no check", () => {
    // @ts-expect-error an effect is no check
    Health.layer({ checks: { database: Effect.void } })
    // @ts-expect-error a function is no check
    Health.layer({ checks: { database: () => true } })
  })

  it("takes a configuration", () => {
    const config = Schema.decodeUnknownSync(Health.Config)({})
    expectTypeOf<typeof Health.Config.Encoded>().toEqualTypeOf<Health.ConfigJson>()
    expectTypeOf<typeof Health.CheckConfig.Encoded>().toEqualTypeOf<Health.CheckConfigJson>()
    expectTypeOf(Health.layer({ ...config, checks: { cache } })).toEqualTypeOf<
      Layer.Layer<Health.Health, never, Cache>
    >()
    const options = Schema.decodeUnknownSync(Health.CheckConfig)({})
    expectTypeOf(Health.check(Effect.void, options)).toEqualTypeOf<Health.Check>()
  })
})

describe("register", () => {
  it("has no typed error and needs a scope and what the check needs", () => {
    expectTypeOf(Health.register("database", database)).toEqualTypeOf<
      Effect.Effect<void, never, Health.Health | Scope.Scope | Database>
    >()
    expectTypeOf(Health.register("up", Health.check(Effect.void))).toEqualTypeOf<
      Effect.Effect<void, never, Health.Health | Scope.Scope>
    >()
  })

  it("refuses what is no check", () => {
    // @ts-expect-error a function is no check
    expectTypeOf(Health.register).toBeCallableWith("database", () => true)
    // @ts-expect-error the check is missing
    expectTypeOf(Health.register).toBeCallableWith("database")
  })
})

describe("reports", () => {
  it("fail only where names are given", () => {
    expectTypeOf(Health.report).toEqualTypeOf<Effect.Effect<Health.Report, never, Health.Health>>()
    expectTypeOf(Health.reportFor({ kind: "liveness", fresh: true })).toEqualTypeOf<
      Effect.Effect<Health.Report, never, Health.Health>
    >()
    expectTypeOf(Health.reportFor({ only: ["a"] })).toEqualTypeOf<
      Effect.Effect<Health.Report, Health.UnknownCheckError, Health.Health>
    >()
    expectTypeOf(Health.reportFor({ kind: "readiness", exclude: ["a"] })).toEqualTypeOf<
      Effect.Effect<Health.Report, Health.UnknownCheckError, Health.Health>
    >()
    const options: Health.ReportOptions = {}
    expectTypeOf(Health.reportFor(options)).toEqualTypeOf<
      Effect.Effect<Health.Report, Health.UnknownCheckError, Health.Health>
    >()
    expectTypeOf(Health.run("a")).toEqualTypeOf<
      Effect.Effect<Health.CheckReport, Health.UnknownCheckError, Health.Health>
    >()
    type Waiting<E = never> = Effect.Effect<Health.Report, Health.NotHealthyError | E, Health.Health>
    expectTypeOf(Health.waitUntilHealthy()).toEqualTypeOf<Waiting>()
    expectTypeOf(
      Health.waitUntilHealthy({ kind: "readiness", interval: 1, timeout: 1, atLeast: "degraded" })
    ).toEqualTypeOf<Waiting>()
    expectTypeOf(Health.waitUntilHealthy({ only: undefined })).toEqualTypeOf<Waiting>()
    expectTypeOf(Health.waitUntilHealthy({ only: ["a"] })).toEqualTypeOf<Waiting<Health.UnknownCheckError>>()
    expectTypeOf(Health.waitUntilHealthy({ timeout: 1, exclude: ["a"] })).toEqualTypeOf<
      Waiting<Health.UnknownCheckError>
    >()
    const wait: Health.WaitOptions = {}
    expectTypeOf(Health.waitUntilHealthy(wait)).toEqualTypeOf<Waiting<Health.UnknownCheckError>>()
  })

  it("are what their schemas say", () => {
    expectTypeOf<typeof Health.Report.Type>().toEqualTypeOf<Health.Report>()
    expectTypeOf<typeof Health.Report.Encoded>().toEqualTypeOf<Health.ReportJson>()
    expectTypeOf<typeof Health.CheckReport.Type>().toEqualTypeOf<Health.CheckReport>()
    expectTypeOf<Health.Report["uptime"]>().toEqualTypeOf<Duration.Duration>()
    expectTypeOf<Health.Report["timestamp"]>().toEqualTypeOf<DateTime.Utc>()
  })

  it("the errors carry their fields", () => {
    expectTypeOf<Health.UnknownCheckError["known"]>().toEqualTypeOf<ReadonlyArray<string>>()
    expectTypeOf<Health.NotHealthyError["report"]>().toEqualTypeOf<Health.Report>()
  })
})

describe("drain and changes", () => {
  it("need the instance, scoped ones a scope too", () => {
    expectTypeOf(Health.drain).toEqualTypeOf<Effect.Effect<void, never, Health.Health>>()
    expectTypeOf(Health.undrain).toEqualTypeOf<Effect.Effect<void, never, Health.Health>>()
    expectTypeOf(Health.isDraining).toEqualTypeOf<Effect.Effect<boolean, never, Health.Health>>()
    expectTypeOf(Health.drainScoped).toEqualTypeOf<Effect.Effect<void, never, Health.Health | Scope.Scope>>()
    expectTypeOf(Health.changes).toEqualTypeOf<Stream.Stream<Health.Change, never, Health.Health>>()
  })
})

describe("fromBreaker", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments") {}

  it("needs the breaker that its class stands for", () => {
    expectTypeOf(Health.fromBreaker(Payments)).toEqualTypeOf<Health.Check<Payments>>()
    expectTypeOf(Health.fromBreaker(CircuitBreaker.makeUnsafe("b"))).toEqualTypeOf<Health.Check>()
    expectTypeOf(Health.layer({ checks: { database, payments: Health.fromBreaker(Payments) } })).toEqualTypeOf<
      Layer.Layer<Health.Health, never, Database | Payments>
    >()
  })
})
