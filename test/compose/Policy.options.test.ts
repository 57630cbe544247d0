import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Duration, Effect, Exit, Schema, Scope } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as CircuitBreakers from "../../src/breaker/CircuitBreakers.ts"
import * as Options from "../../src/core/Options.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { invalid } from "../suites/rules.ts"

describe("bad options", () => {
  const breaker = CircuitBreaker.makeUnsafe("api")
  const orElse = () => Effect.void
  const duration = "a finite duration > 0"

  const bad: ReadonlyArray<[slots: Record<string, unknown>, field: string, value: unknown, rule: string]> = [
    ...[0, -1, Number.NaN, Infinity, "soon", "0 seconds", "Infinity", {}, null, true].flatMap((value) =>
      ["deadline", "attemptTimeout"].flatMap((slot): typeof bad => [
        [{ [slot]: value }, slot, value, duration],
        [{ [slot]: { after: value } }, `${slot}.after`, value, duration]
      ])
    ),
    [{ deadline: { after: 1, operation: "" } }, "deadline.operation", "", "a non-empty string"],
    [{ attemptTimeout: { after: 1, operation: " " } }, "attemptTimeout.operation", " ", "a non-empty string"],
    ...[0, -1, 1.5, Number.NaN, "3"].map((value): (typeof bad)[number] => [
      { retry: { maxAttempts: value } },
      "retry.maxAttempts",
      value,
      "an integer >= 1"
    ]),
    [
      { retry: { maxAttempts: Infinity } },
      "retry.maxAttempts",
      Infinity,
      "an integer >= 1, or Infinity together with maxElapsed"
    ],
    [{ retry: { maxElapsed: 0 } }, "retry.maxElapsed", 0, duration],
    [{ retry: { maxRetryAfter: "x" } }, "retry.maxRetryAfter", "x", duration],
    [{ retry: { backoff: "1 second" } }, "retry.backoff", "1 second", "a Schedule"],
    [{ retry: { while: "" } }, "retry.while", "", "a non-empty string"],
    [{ retry: { while: [] } }, "retry.while", [], "a predicate, a tag or a list of at least one tag"],
    [{ retry: { onRetry: 1 } }, "retry.onRetry", 1, "a function"],
    [{ retry: { retryAfter: 1 } }, "retry.retryAfter", 1, "a function"],
    [{ retry: { retryRefusals: "yes" } }, "retry.retryRefusals", "yes", "true or false"],
    ...[3, null, "3"].map((value): (typeof bad)[number] => [{ retry: value }, "retry", value, "an object"]),
    ...[1, null, "payments", { key: "a" }, orElse].map((value): (typeof bad)[number] => [
      { breaker: value },
      "breaker",
      value,
      "a breaker or its class"
    ]),
    [{ breaker: { source: "payments" } }, "breaker.source", "payments", "a breaker or its class"],
    [
      { breaker: { source: breaker, kee: "a" } },
      "breaker.kee",
      "a",
      "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
    ],
    [
      { breaker: { source: breaker, orElse } },
      "breaker.orElse",
      orElse,
      "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
    ],
    [
      { breaker: { source: breaker, ignore: [] } },
      "breaker.ignore",
      [],
      "a predicate, a tag or a list of at least one tag"
    ],
    [
      { breaker: { source: breaker, classify: orElse, failureIf: "A" } },
      "breaker.failureIf",
      "A",
      "absent where classify is given"
    ],
    ...[1, null, "cached"].map((value): (typeof bad)[number] => [{ fallback: value }, "fallback", value, "a function"]),
    [{ fallback: { if: "A" } }, "fallback.orElse", undefined, "a function"],
    [{ fallback: { orElse: 1 } }, "fallback.orElse", 1, "a function"],
    [{ fallback: { orElse, source: "" } }, "fallback.source", "", "a non-empty string"],
    [{ fallback: { orElse, if: "" } }, "fallback.if", "", "a non-empty string"],
    [{ fallback: { orElse, if: [] } }, "fallback.if", [], "a predicate, a tag or a list of at least one tag"],
    [{ fallback: { orElse, defects: true } }, "fallback.defects", true, "absent (the keys are if, source)"],
    [{ timeout: 1 }, "timeout", 1, "absent (the keys are fallback, deadline, retry, breaker, attemptTimeout)"]
  ]

  it.each(bad)("make refuses %o", (slots, field, value, rule) => {
    assert.deepStrictEqual(
      invalid(() => Policy.make(slots as {})),
      { module: "Policy", field, value, rule }
    )
  })

  it("make refuses what is no object", () => {
    for (const value of [undefined, null, 1, "x"]) {
      assert.deepStrictEqual(
        invalid(() => Policy.make(value as unknown as {})),
        { module: "Policy", field: "slots", value, rule: "an object" }
      )
    }
  })

  it("the message says slot, rule and value", () => {
    try {
      Policy.make({ retry: { maxAttempts: 0 } })
      assert.fail("no error was thrown")
    } catch (error) {
      assert.strictEqual((error as Error).message, "Policy: retry.maxAttempts must be an integer >= 1, got 0")
    }
  })

  it("make passes on what an option itself throws", () => {
    const broken = new Error("broken")
    const retry = {
      get maxAttempts(): number {
        throw broken
      }
    }
    assert.throws(() => Policy.make({ retry }), broken)
  })

  it("single policies name the module of the layer", () => {
    const cases: ReadonlyArray<[build: () => unknown, module: string, field: string, value: unknown, rule: string]> = [
      [() => Policy.timeout(0), "Timeout", "after", 0, duration],
      [() => Policy.retry({ maxAttempts: 0 }), "Retry", "maxAttempts", 0, "an integer >= 1"],
      [() => Policy.retry(null as unknown as {}), "Retry", "options", null, "an object"],
      [() => Policy.circuitBreaker("x" as never), "CircuitBreaker", "source", "x", "a breaker or its class"],
      [() => Policy.fallback("x" as never), "Fallback", "orElse", "x", "a function"],
      [
        () => Policy.fallback({ orElse, iff: "A" } as never),
        "Fallback",
        "iff",
        "A",
        "absent (the keys are if, source)"
      ],
      [
        () => Policy.circuitBreaker({ source: breaker, kee: "a" } as never),
        "CircuitBreaker",
        "kee",
        "a",
        "absent (the keys are key, classify, failureIf, ignore, retryAfter)"
      ]
    ]
    for (const [build, module, field, value, rule] of cases) {
      assert.deepStrictEqual(invalid(build), { module, field, value, rule })
    }
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownSync(Policy.Config)
  const json = {
    deadline: "10 seconds",
    retry: { maxAttempts: 4, backoff: { type: "exponential", initial: "100 millis", max: "5 seconds" }, while: "A" },
    breaker: {
      name: "payments",
      options: { trip: { type: "failures", count: 3, of: 10 }, openFor: "20 seconds", halfOpen: { probes: 2 } }
    },
    attemptTimeout: { after: 2000, operation: "charge" }
  }

  it.effect("decodes from JSON to the policy that make makes", () =>
    Effect.gen(function* () {
      const policy = yield* Policy.fromConfig(decode(JSON.parse(JSON.stringify(json))))
      const breaker = yield* CircuitBreaker.make("payments", {
        trip: TripPolicy.failures({ count: 3, of: 10 }),
        openFor: "20 seconds",
        halfOpen: { probes: 2 }
      })
      const expected = Policy.make({
        deadline: "10 seconds",
        retry: {
          maxAttempts: 4,
          backoff: Backoff.exponential({ initial: "100 millis", max: "5 seconds" }),
          while: "A"
        },
        breaker,
        attemptTimeout: { after: "2 seconds", operation: "charge" }
      })
      assert.deepStrictEqual(policy.layers, expected.layers)
    })
  )

  it.effect("of nothing is the policy that changes nothing, and a name is enough for a breaker", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* Policy.fromConfig(decode({}))).layers, [])
      const policy = yield* Policy.fromConfig(decode({ breaker: { name: "payments" } }))
      assert.deepStrictEqual(policy.layers, Policy.make({ breaker: CircuitBreaker.makeUnsafe("payments") }).layers)
    })
  )

  it.effect("encodes to JSON that decodes to the same policy", () =>
    Effect.gen(function* () {
      for (const input of [
        json,
        {},
        { deadline: 5 },
        { attemptTimeout: "1 minute" },
        { retry: { maxAttempts: "Infinity", maxElapsed: "1 minute", maxRetryAfter: 10, retryRefusals: true } },
        { retry: { while: ["A", "B"], backoff: { type: "constant", delay: 5 } } },
        { breaker: { name: "a", options: { failureIf: ["A"], keys: { max: 5 }, log: false } } }
      ]) {
        const config = decode(input)
        const encoded: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Policy.Config)(config)))
        const [first, second] = yield* Effect.scoped(
          Effect.all([Policy.fromConfig(config), Policy.fromConfig(decode(encoded))])
        )
        assert.deepStrictEqual(second.layers, first.layers)
        assert.deepStrictEqual(Schema.encodeSync(Policy.Config)(decode(encoded)), encoded)
      }
    })
  )

  it.effect("reads the environment like JSON", () =>
    Effect.gen(function* () {
      const read = (env: Record<string, string>) =>
        Config.schema(Policy.Config, "PAYMENTS").parse(Options.constantCase(ConfigProvider.fromEnv({ env })))
      const config = yield* read({
        PAYMENTS_DEADLINE: "10 seconds",
        PAYMENTS_RETRY_MAX_ATTEMPTS: "4",
        PAYMENTS_RETRY_BACKOFF_TYPE: "exponential",
        PAYMENTS_RETRY_BACKOFF_INITIAL: "100 millis",
        PAYMENTS_RETRY_BACKOFF_MAX: "5 seconds",
        PAYMENTS_RETRY_WHILE: "A",
        PAYMENTS_BREAKER_NAME: "payments",
        PAYMENTS_BREAKER_OPTIONS_TRIP_TYPE: "failures",
        PAYMENTS_BREAKER_OPTIONS_TRIP_COUNT: "3",
        PAYMENTS_BREAKER_OPTIONS_TRIP_OF: "10",
        PAYMENTS_BREAKER_OPTIONS_OPEN_FOR: "20 seconds",
        PAYMENTS_BREAKER_OPTIONS_HALF_OPEN_PROBES: "2",
        PAYMENTS_ATTEMPT_TIMEOUT_AFTER: "2000",
        PAYMENTS_ATTEMPT_TIMEOUT_OPERATION: "charge"
      })
      const [fromEnv, fromJson] = yield* Effect.all([Policy.fromConfig(config), Policy.fromConfig(decode(json))])
      assert.deepStrictEqual(fromEnv.layers, fromJson.layers)
      const error = yield* Effect.flip(read({ PAYMENTS_DEADLINE: "0 seconds" }))
      assert.include(String(error), "Policy: deadline must be a finite duration > 0, got 0 millis")
      assert.include(String(error), '["deadline"]')
    })
  )

  const bad: ReadonlyArray<[json: unknown, path: ReadonlyArray<string>, message: string]> = [
    [{ deadlin: 1 }, ["deadlin"], "unknown key, expected one of deadline, retry, breaker, attemptTimeout"],
    [{ fallback: "x" }, ["fallback"], "unknown key, expected one of deadline, retry, breaker, attemptTimeout"],
    [{ deadline: 0 }, ["deadline"], "Policy: deadline must be a finite duration > 0, got 0 millis"],
    [{ attemptTimeout: -1 }, ["attemptTimeout"], "Policy: attemptTimeout must be a finite duration > 0, got -1 millis"],
    [{ deadline: "Infinity" }, ["deadline"], "Policy: deadline must be a finite duration > 0, got Infinity"],
    [{ deadline: "soon" }, ["deadline"], "Expected a valid Duration string"],
    [{ deadline: { after: 0 } }, ["deadline", "after"], "Timeout: after must be a finite duration > 0, got 0 millis"],
    [
      { deadline: { after: 1, operation: "" } },
      ["deadline", "operation"],
      "Timeout: operation must be a non-empty string"
    ],
    [{ deadline: { after: 1, x: 1 } }, ["deadline", "x"], "unknown key, expected one of after, operation"],
    [{ deadline: {} }, ["deadline", "after"], "Missing key"],
    [{ retry: { maxAttempts: 0 } }, ["retry", "maxAttempts"], "Retry: maxAttempts must be an integer >= 1, got 0"],
    [{ retry: { maxAttempt: 1 } }, ["retry", "maxAttempt"], "unknown key"],
    [
      { retry: { backoff: { type: "exponential", initial: -1 } } },
      ["retry", "backoff", "initial"],
      "Backoff: initial must be a finite duration > 0, got -1"
    ],
    [{ retry: { backoff: { type: "x" } } }, ["retry", "backoff", "type"], "Backoff: type must be"],
    [{ breaker: {} }, ["breaker", "name"], "Missing key"],
    [{ breaker: { name: " " } }, ["breaker", "name"], 'Policy: name must be a non-empty string, got " "'],
    [{ breaker: { name: "a", key: "b" } }, ["breaker", "key"], "unknown key, expected one of name, options"],
    [
      { breaker: { name: "a", options: { openFor: 0 } } },
      ["breaker", "options", "openFor"],
      "CircuitBreaker: openFor must be a finite duration > 0, got 0 millis"
    ],
    [
      { breaker: { name: "a", options: { halfOpen: { probes: 1.5 } } } },
      ["breaker", "options", "halfOpen", "probes"],
      "CircuitBreaker: halfOpen.probes must be an integer >= 1, got 1.5"
    ],
    [
      { breaker: { name: "a", options: { trip: { type: "failures", count: 5, of: 3 } } } },
      ["breaker", "options", "trip", "count"],
      "TripPolicy: count must be at most of (3), got 5"
    ],
    [{ breaker: { name: "a", options: { classify: "x" } } }, ["breaker", "options", "classify"], "unknown key"]
  ]

  it.effect.each(bad)("says where %o is wrong", ([input, path, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Schema.decodeUnknownEffect(Policy.Config)(input))
      assert.instanceOf(error, Schema.SchemaError)
      assert.include(error.message, message)
      assert.include(error.message, `at ${path.map((key) => `["${key}"]`).join("")}`)
    })
  )

  it.effect("registers its breaker where the registry is in the context, while the scope is open", () =>
    Effect.gen(function* () {
      const names = Effect.map(CircuitBreakers.list, (breakers) => breakers.map(({ name }) => name))
      const scope = yield* Scope.make()
      const config = decode({ breaker: { name: "payments", options: { trip: { type: "consecutive", failures: 1 } } } })
      const policy = yield* Scope.provide(Policy.fromConfig(config), scope)
      assert.deepStrictEqual(yield* names, ["payments"])
      yield* Effect.flip(Effect.fail("x").pipe(policy))
      const registered = yield* CircuitBreakers.get("payments")
      assert.strictEqual((yield* registered.status).state._tag, "Open")
      // The same options under the same name are the same circuit.
      const again = yield* Scope.provide(Policy.fromConfig(config), scope)
      assert.strictEqual((yield* Effect.flip(Effect.void.pipe(again)))._tag, "CircuitOpenError")
      yield* CircuitBreakers.reset("payments")
      yield* Effect.void.pipe(again)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )

  it.effect("refuses the name of another breaker that has other options", () =>
    Effect.gen(function* () {
      yield* Policy.fromConfig(decode({ breaker: { name: "payments" } }))
      const exit = yield* Effect.exit(
        Policy.fromConfig(decode({ breaker: { name: "payments", options: { openFor: "5 seconds" } } }))
      )
      const defect = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason)?.defect : undefined
      assert.instanceOf(defect, CircuitBreakers.BreakerConflictError)
      assert.include(defect.message, "openFor: 30000 | 5000")
    }).pipe(Effect.provide(CircuitBreakers.layer))
  )

  it.effect("needs no registry", () =>
    Effect.gen(function* () {
      const config = decode({ breaker: { name: "payments", options: { trip: { type: "consecutive", failures: 1 } } } })
      const one = yield* Policy.fromConfig(config)
      const other = yield* Policy.fromConfig(config)
      yield* Effect.flip(Effect.fail("x").pipe(one))
      assert.strictEqual((yield* Effect.flip(Effect.void.pipe(one)))._tag, "CircuitOpenError")
      // Without a registry each has its own.
      yield* Effect.void.pipe(other)
    })
  )

  it("fromConfig refuses what was not decoded and is wrong", () => {
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig({ deadline: Duration.zero })),
      { module: "Policy", field: "deadline", value: Duration.zero, rule: "a finite duration > 0" }
    )
    const both = { breaker: { name: "a" }, retry: { maxAttempts: 0 } }
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig(both)),
      { module: "Policy", field: "retry.maxAttempts", value: 0, rule: "an integer >= 1" }
    )
    assert.deepStrictEqual(
      invalid(() => Policy.fromConfig({ breaker: { name: "" } })),
      { module: "CircuitBreaker", field: "name", value: "", rule: "a non-empty string" }
    )
  })
})
