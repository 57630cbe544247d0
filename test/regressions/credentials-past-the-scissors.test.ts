/**
 * Texts that were written without a cut of credentials: logs of defects, messages
 * of retries and fallbacks, refused options, names of operations, rows and states
 * of earlier versions, messages of a table of somebody else, and the log of an
 * operator's reason.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlListing from "../../src/cli/places/ControlListing.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { jsonSafe } from "../../src/core/internal/Json.ts"
import * as Health from "../../src/health/Health.ts"
import * as HealthRoutes from "../../src/health/HealthRoutes.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as CircuitStore from "../../src/store/CircuitStore.ts"
import * as CircuitStoreTable from "../../src/store/CircuitStoreTable.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CliSupport from "../cli/support.ts"
import { collectLogs, quick } from "../support/circuits.ts"
import { secret, serve } from "../support/control.ts"
import * as MemoryTable from "../support/memory-table.ts"

const password = "hunter2"
const told = `connect postgres://app:${password}@db/pay failed`
const cut = "connect postgres://***@db/pay failed"
const error = new Error(told)

const hides = (...shown: ReadonlyArray<unknown>) => {
  for (const each of shown) assert.notInclude(typeof each === "string" ? each : inspect(each, { depth: 9 }), password)
}

const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const { layer, lines } = collectLogs()
    return Effect.as(Effect.provide(effect, layer), lines)
  })

describe("no credentials are", () => {
  it.effect("in the log of a listener that throws, which keeps its stack", () =>
    Effect.gen(function* () {
      const lines = yield* logged(
        Effect.gen(function* () {
          const breaker = yield* CircuitBreaker.make("payments", quick)
          breaker.listeners.add(() => {
            throw error
          })
          yield* CircuitBreaker.holdOpen(breaker)
        })
      )
      hides(lines)
      const { message } = lines[0] ?? assert.fail("no line")
      assert.include(message, cut)
      assert.include(message, "credentials-past-the-scissors")
    })
  )

  it.effect("in the log of health checks that are no longer scheduled", () =>
    Effect.gen(function* () {
      const dies = Schedule.modifyDelay(Schedule.spaced("1 second"), () => Effect.die(error))
      const lines = yield* logged(
        Effect.andThen(
          Effect.exit(Layer.build(Health.layer({ checks: { a: Health.check(Effect.void) }, schedule: dies }))),
          TestClock.adjust("5 seconds")
        )
      )
      hides(lines)
      assert.include(lines[0]?.message, cut)
    }).pipe(Effect.scoped)
  )

  it.live("in the log of a function for details that fails", () =>
    Effect.gen(function* () {
      const routes = HealthRoutes.layer({ details: () => Effect.die(error) })
      const { logs, origin } = yield* serve(Layer.provide(routes, Health.layer({ checks: {} })))
      yield* Effect.promise(() => fetch(`${origin}/livez`))
      hides(logs)
      assert.include(String(logs[0]?.message), cut)
    })
  )

  it.live("in the log of an operator's name and reason", () =>
    Effect.gen(function* () {
      const { breaker, logs, post } = yield* serve(ControlPlane.layer({ token: Redacted.make(secret) }))
      yield* breaker("payments", quick)
      for (const action of ["hold-open", "release", "reset"]) {
        const { status } = yield* post(`/${action}`, { name: "payments", reason: told, by: `ada password=${password}` })
        assert.strictEqual(status, 200)
      }
      hides(logs)
      assert.include(String(logs[0]?.message), cut)
    })
  )

  it.effect("in the log and the status of a store whose table says them", () =>
    Effect.gen(function* () {
      const { table } = MemoryTable.make()
      const failing = Effect.fail(new CircuitTable.TableError({ message: `${told}\nError forged` }))
      const layer = CircuitStoreTable.layer(Effect.succeed({ ...table, read: () => failing, changes: () => failing }))
      const lines = yield* logged(
        Effect.gen(function* () {
          const { status } = yield* CircuitStore.CircuitStore
          assert.include((yield* status).lastError, cut)
          hides(yield* status)
        }).pipe(Effect.provide(layer))
      )
      hides(lines)
      assert.deepStrictEqual(
        lines.map(({ message }) => message),
        [`Circuit store does not answer, circuits continue alone: ${cut}\\u000aError forged`]
      )
    })
  )

  it.effect("in messages of retries, fallbacks and timeouts", () =>
    Effect.gen(function* () {
      const failing = Effect.fail(error)
      const exhausted = yield* Effect.flip(Retry.retryOrExhausted(failing, { maxAttempts: 1 }))
      const unserved = yield* Effect.flip(
        Fallback.chain([Fallback.source("a", failing), Fallback.source("b", failing)])
      )
      const waiting = yield* Effect.forkChild(
        Effect.flip(Timeout.timeout(Effect.never, "1 second", { operation: told }))
      )
      yield* TestClock.adjust("2 seconds")
      const late = yield* Fiber.join(waiting)
      for (const { message } of [exhausted, unserved, late]) {
        hides(message)
        assert.include(message, cut)
      }
    })
  )

  it("in descriptions of policies", () => {
    const policy = Policy.timeout({ after: "1 second", operation: told })
    hides(Policy.describe(policy), Policy.describe(policy, "json"), Policy.describe(policy, "mermaid"))
  })

  it("in the message about an option that is refused", () => {
    for (const openFor of [`postgres://app:${password}@db`, { password }]) {
      try {
        CircuitBreaker.resolve({ openFor: openFor as never }) // no duration
        assert.fail("accepted")
      } catch (refused) {
        assert.instanceOf(refused, Error)
        assert.include(refused.message, "openFor must be")
        hides(refused.message)
      }
    }
  })

  it("in details of health checks, whose names say what is a secret", () => {
    const details = {
      password,
      nested: { token: [password, { a: 1 }], by: "ada" },
      [told]: true,
      is: { secret: true },
      headers: ["x-api-key", password, "accept", "*"],
      error: Object.assign(new Error(told), { name: told })
    }
    assert.deepStrictEqual(jsonSafe(details), {
      password: "***",
      nested: { token: ["***", { a: "***" }], by: "ada" },
      [cut]: true,
      is: { secret: true },
      headers: ["x-api-key", "***", "accept", "*"],
      error: { name: cut, message: cut }
    })
  })
})

describe("what another version or somebody else wrote", () => {
  const old = { generation: 4, since: 5, openings: 1, openMillis: 60_000_000 }
  const row = (state: object, version = 7): CircuitTable.Row => ({
    resourceKey: "payments",
    version,
    data: JSON.stringify({ state, operation: "x" }),
    updatedBy: "far",
    updatedAt: 5
  })
  const opened = { ...old, _tag: "Open", reason: `5 consecutive failures, the last with Error: ${told}` }
  const held = { _tag: "HeldOpen", generation: 4, since: 5, reason: told, by: `ada password=${password}` }

  for (const [name, state] of Object.entries({ opened, held })) {
    it.effect(`is cut in the view, the log and the refusals: ${name}`, () =>
      Effect.gen(function* () {
        const { rows, table } = MemoryTable.make()
        rows.set("payments", row(state))
        const lines = yield* logged(
          Effect.gen(function* () {
            const breaker = yield* CircuitBreaker.makeShared("payments", { ...quick, log: true })
            yield* TestClock.adjust("1 second")
            const { state } = yield* CircuitBreaker.status(breaker)
            assert.notStrictEqual(state._tag, "Closed")
            assert.include(inspect(state), cut)
            hides(state)
            const refused = yield* Effect.flip(CircuitBreaker.protect(Effect.void, breaker))
            hides(refused.message)
            if (state._tag === "HeldOpen") assert.include(refused.message, cut)
          }).pipe(Effect.scoped, Effect.provide(CircuitStoreTable.layer(Effect.succeed(table))))
        )
        assert.isAbove(lines.length, 0)
        hides(lines)
      })
    )

    it.live(`is cut in what the CLI prints: ${name}`, () =>
      Effect.gen(function* () {
        const world = CliSupport.world()
        world.memory.rows.set("payments", row(state))
        for (const args of [
          ["status"],
          ["status", "--json"],
          ["hold-open", "payments", "--by", `password=${password}`]
        ]) {
          const { code, err, out } = yield* CliSupport.run(world, args)
          assert.strictEqual(code, 0, err)
          hides(out, err)
          if (args[0] === "status") assert.include(out.replace(/\s+/g, " "), cut)
        }
        hides(JSON.stringify(world.memory.rows.get("payments")))
      })
    )

    it(`is cut in what the CLI prints of a control plane: ${name}`, () => {
      const circuit = ControlListing.circuit({ name: "payments", state: state as never }, 10)
      hides(circuit)
      assert.include(inspect(circuit), cut)
    })
  }
})
