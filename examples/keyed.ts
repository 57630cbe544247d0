/**
 * One circuit for each tenant: a failing database of one tenant does not affect
 * the calls of the others.
 */
import { CircuitBreaker, CircuitBreakers, Health, TripPolicy } from "effect-resilience"
import { Data, Effect, Layer } from "effect"
import assert from "node:assert/strict"

class Broken extends Data.TaggedError("Broken")<{ readonly tenant: string }> {}

class Tenants extends CircuitBreaker.Service<Tenants>()("tenants", {
  trip: TripPolicy.consecutive(2),
  openFor: "1 minute",
  // An open circuit is never forgotten. Others are, after an hour or if there are too many.
  keys: { max: 1_000, idleFor: "1 hour" }
}) {}

const query = (tenant: string): Effect.Effect<string, Broken> =>
  tenant === "acme" ? new Broken({ tenant }) : Effect.succeed(`rows of ${tenant}`)

const guarded = (tenant: string) => query(tenant).pipe(CircuitBreaker.protect(Tenants, { key: tenant }))

const outcome = (tenant: string) =>
  guarded(tenant).pipe(Effect.catchTag(["Broken", "CircuitOpenError"], (error) => Effect.succeed(error._tag)))

const program = Effect.gen(function* () {
  const acme = [yield* outcome("acme"), yield* outcome("acme"), yield* outcome("acme")]
  assert.deepEqual(acme, ["Broken", "Broken", "CircuitOpenError"])
  assert.equal(yield* outcome("globex"), "rows of globex")

  // An operator takes one tenant out, with a reason, and then all of them.
  yield* CircuitBreakers.holdOpen("tenants", { key: "globex", reason: "migration", by: "ops", for: "10 minutes" })
  const held = yield* Effect.flip(guarded("globex"))
  assert.ok(held._tag === "CircuitOpenError")
  assert.deepEqual([held.key, held.state, held.reason, held.by], ["globex", "HeldOpen", "migration", "ops"])
  console.log(held.message)
  assert.equal(yield* outcome("initech"), "rows of initech")

  yield* CircuitBreakers.holdOpen("tenants", { reason: "maintenance" })
  assert.equal(yield* outcome("initech"), "CircuitOpenError")
  yield* CircuitBreakers.release("tenants")
  assert.equal(yield* outcome("initech"), "rows of initech")
  assert.equal(yield* outcome("globex"), "CircuitOpenError")
  yield* CircuitBreakers.release("tenants", { key: "globex" })
  assert.equal(yield* outcome("globex"), "rows of globex")

  const states = (yield* CircuitBreaker.statuses(Tenants)).map(({ key, state }) => `${key ?? "(all)"} ${state._tag}`)
  console.log(states.join(", "))
  assert.deepEqual(states, ["(all) Closed", "acme Open", "globex Closed", "initech Closed"])

  const health = yield* Health.run("tenants")
  assert.equal(health.status, "degraded")
  console.log(health.message)
})

const HealthLive = Health.layer({ checks: { tenants: Health.fromBreaker(Tenants) } })

await Effect.runPromise(
  program.pipe(Effect.provide(HealthLive.pipe(Layer.provideMerge(Layer.merge(Tenants.layer, CircuitBreakers.layer)))))
)
