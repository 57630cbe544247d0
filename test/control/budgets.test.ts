// What uses up the budget of changes, and whose.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { ChangeBudgets } from "../../src/control/internal/ChangeBudgets.ts"
import { secret, serve } from "../support/control.ts"

const payload = { name: "payments", reason: "maintenance", by: "ada" }
const statusOf = (response: Effect.Effect<Response>) => Effect.map(response, ({ status }) => status)

describe("the budget of changes", () => {
  it.live("is not used up by requests that are refused", () =>
    Effect.gen(function* () {
      const { breaker, post } = yield* serve(
        ControlPlane.layer({ token: Redacted.make(secret), limits: { changesPerMinute: 1, holdsPerMinute: 1 } })
      )
      yield* breaker("payments")
      const refused: ReadonlyArray<readonly [status: number, body: unknown, headers?: Record<string, string>]> = [
        [415, payload, { "content-type": "text/plain" }],
        [413, { ...payload, reason: "x".repeat(20_000) }],
        [400, { ...payload, reason: "" }],
        [400, "{"],
        [400, { name: "payments", reason: "maintenance" }],
        [404, { ...payload, name: "nobody" }],
        [403, payload, { origin: "https://evil.example" }],
        [401, payload, { authorization: "" }]
      ]
      for (const [status, body, headers] of refused) {
        for (let i = 0; i < 3; i++) assert.strictEqual(yield* statusOf(post("/reset", body, headers)), status)
      }
      assert.strictEqual(yield* statusOf(post("/reset", payload)), 200)
      assert.strictEqual(yield* statusOf(post("/reset", payload)), 429)
    })
  )

  it.live("leaves holds to an operator, whatever others and the operator have used up", () =>
    Effect.gen(function* () {
      const [ada, bo] = ["token-of-ada-0123456789", "token-of-bo-0123456789"] as const
      const { breaker, post } = yield* serve(
        ControlPlane.layer({
          token: { ada: Redacted.make(ada), bo: Redacted.make(bo) },
          limits: { changesPerMinute: 3, operatorChangesPerMinute: 2, holdsPerMinute: 1 }
        })
      )
      const payments = yield* breaker("payments")
      const by = (token: string, path: string) => statusOf(post(path, payload, { authorization: `Bearer ${token}` }))
      assert.deepStrictEqual(
        [yield* by(ada, "/reset"), yield* by(ada, "/reset"), yield* by(ada, "/reset")],
        [200, 200, 429]
      )
      assert.deepStrictEqual([yield* by(bo, "/reset"), yield* by(bo, "/reset")], [200, 429])
      assert.deepStrictEqual([yield* by(bo, "/hold-open"), yield* by(bo, "/hold-open")], [200, 429])
      assert.deepStrictEqual([yield* by(ada, "/hold-closed"), yield* by(ada, "/release")], [200, 429])
      assert.strictEqual((yield* payments.status).state._tag, "HeldClosed")
    })
  )

  it.live("is one for each operator whom the application names", () =>
    Effect.gen(function* () {
      const own = Layer.succeed(ControlApi.Authorization, (httpEffect) =>
        Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
          Effect.provideService(httpEffect, ControlApi.Operator, { name: headers["x-user"] })
        )
      )
      const { breaker, post } = yield* serve(
        ControlPlane.layerAuthorized({ limits: { operatorChangesPerMinute: 1 } }).pipe(Layer.provide(own))
      )
      yield* breaker("payments")
      const by = (user: string) => statusOf(post("/reset", payload, { "x-user": user }))
      assert.deepStrictEqual([yield* by("ada"), yield* by("ada"), yield* by("bo")], [200, 429, 200])
    })
  )

  it.live("requests that are refused have a limit of their own for each operator", () =>
    Effect.gen(function* () {
      const [ada, bo] = ["token-of-ada-0123456789", "token-of-bo-0123456789"] as const
      const { breaker, post } = yield* serve(
        ControlPlane.layer({ token: { ada: Redacted.make(ada), bo: Redacted.make(bo) }, limits: { readsPerSecond: 2 } })
      )
      yield* breaker("payments")
      const by = (token: string, body: unknown) => statusOf(post("/reset", body, { authorization: `Bearer ${token}` }))
      const statuses = yield* Effect.forEach(Array(12).fill("{"), (body) => by(ada, body), { concurrency: "unbounded" })
      assert.includeMembers(statuses, [400, 429])
      assert.strictEqual(yield* by(bo, payload), 200)
    })
  )
})

describe("budgets", () => {
  const limits = { changesPerMinute: 3, operatorChangesPerMinute: 2, holdsPerMinute: 1 }

  it("say after how long there is one again, and give it then", () => {
    const budgets = new ChangeBudgets(limits)
    assert.deepStrictEqual([budgets.take("ada", false, 0), budgets.take("ada", false, 0)], [0, 0])
    assert.strictEqual(budgets.take("ada", false, 10_000), 20_000)
    assert.strictEqual(budgets.take("ada", false, 29_999), 1)
    assert.strictEqual(budgets.take("ada", false, 30_000), 0)
    assert.strictEqual(budgets.take("ada", false, 30_000), 30_000)
  })

  it("hold more than their number at no time, and lose nothing to a clock that is set back", () => {
    const budgets = new ChangeBudgets(limits)
    const taken = (now: number) =>
      Array.from({ length: 9 }, () => budgets.take("ada", false, now)).filter((wait) => wait === 0).length
    assert.deepStrictEqual([taken(0), taken(3_600_000), taken(0), taken(60_000)], [2, 2, 0, 2])
  })

  it("of all operators together bound those of each, and the reserve is for holds", () => {
    const budgets = new ChangeBudgets(limits)
    for (const operator of ["ada", "ada", "bo"]) assert.strictEqual(budgets.take(operator, false, 0), 0)
    assert.isAbove(budgets.take("bo", false, 0), 0)
    assert.isAbove(budgets.take("cy", false, 0), 0)
    for (const operator of ["ada", "bo", "cy", undefined]) {
      assert.strictEqual(budgets.take(operator, true, 0), 0)
      assert.isAbove(budgets.take(operator, true, 0), 0)
    }
  })

  it("keep nothing of operators who have used nothing up", () => {
    const budgets = new ChangeBudgets({ changesPerMinute: 1e6, operatorChangesPerMinute: 2, holdsPerMinute: 1 })
    for (let i = 0; i < 10_000; i++) budgets.take(`user ${i}`, true, i * 100)
    assert.isBelow(budgets.size, 2_500)
    for (let i = 0; i < 10_000; i++) budgets.take(`user ${i}`, true, 1e6)
    assert.isBelow(budgets.size, 2_500)
  })
})
