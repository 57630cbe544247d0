import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Schema, SchemaTransformation, String } from "effect"
import * as Backoff from "../../src/policies/Backoff.ts"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Fallback from "../../src/policies/Fallback.ts"
import * as Health from "../../src/health/Health.ts"
import * as ConfigSchema from "../../src/core/internal/ConfigSchema.ts"
import * as Options from "../../src/core/Options.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as Retry from "../../src/policies/Retry.ts"
import * as Timeout from "../../src/policies/Timeout.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { issues } from "../suites/rules.ts"

type Env = { readonly [name: string]: string }

/** Reads options under the prefix P. */
const read = <T, E>(schema: Schema.Codec<T, E>, env: Env, upperCase = false): Exit.Exit<T, Config.ConfigError> => {
  const provider = ConfigProvider.fromEnv({ env })
  return Effect.runSyncExit(Config.schema(schema, "P").parse(upperCase ? Options.constantCase(provider) : provider))
}

/** Returns what reading fails with: a message with its path for each issue. */
const refusal = <T, E>(schema: Schema.Codec<T, E>, env: Env, upperCase = false): string => {
  const exit = read(schema, env, upperCase)
  if (Exit.isSuccess(exit)) return assert.fail(`read ${JSON.stringify(exit.value)}`)
  const [reason, ...rest] = exit.cause.reasons
  if (reason?._tag !== "Fail" || rest.length > 0) return assert.fail(`no typed error: ${JSON.stringify(exit.cause)}`)
  assert.strictEqual(reason.error.cause._tag, "SchemaError")
  return reason.error.cause.message
}

/** Returns the variables that hold a configuration. */
const variables = (json: unknown, name: string): Env =>
  typeof json === "object" && json !== null
    ? Object.fromEntries(
        Object.entries(json).flatMap(([key, value]) => Object.entries(variables(value, `${name}_${key}`)))
      )
    : { [name]: globalThis.String(json) }

const upper = (env: Env): Env =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [String.configCase(name), value]))

interface Case {
  readonly name: string
  readonly schema: Schema.Codec<unknown, unknown>
  /** Options as JSON holds them, and the same in the environment. */
  readonly json: unknown
  readonly env: Env
  /** Variables with a bad value, and the error. */
  readonly bad: ReadonlyArray<readonly [env: Env, error: string]>
  /** JSON with an unknown key, and the error. */
  readonly unknown: ReadonlyArray<readonly [json: unknown, error: string]>
}

const make = <T, E>(
  name: string,
  schema: Schema.Codec<T, E>,
  options: { readonly json: NoInfer<E>; readonly unknown: Case["unknown"] } & Pick<Case, "env" | "bad">
): Case => ({ name, schema, ...options })

const finite = "a finite duration > 0"
const retryKeys = "maxAttempts, backoff, maxElapsed, while, retryRefusals, maxRetryAfter"
const breakerKeys = "trip, openFor, maxOpenFor, halfOpen, failureIf, ignore, dryRun, log, keys"

const cases: ReadonlyArray<Case> = [
  make("Backoff.Config", Backoff.Config, {
    json: { type: "exponential", initial: "50 millis", factor: 1.5, max: 2000, jitter: { ratio: 0.1 } },
    env: { P_type: "exponential", P_initial: "50 millis", P_factor: "1.5", P_max: "2000", P_jitter_ratio: "0.1" },
    bad: [
      [
        { P_type: "cubic" },
        `Backoff: type must be one of exponential, linear, fibonacci, constant, got "cubic"\n  at ["P"]["type"]`
      ],
      [{ P_type: "linear", P_max: "soon" }, `Backoff: max must be ${finite}, got "soon"\n  at ["P"]["max"]`],
      [
        { P_type: "exponential", P_factor: "x" },
        `Backoff: factor must be a finite number >= 1, got "x"\n  at ["P"]["factor"]`
      ],
      [
        { P_type: "constant", P_delay: "1 second", P_max: "5" },
        `Backoff: max must be absent (the keys are delay, jitter), got 5\n  at ["P"]["max"]`
      ],
      [
        { P_type: "linear", P_jitter_ratio: "2" },
        `Backoff: jitter.ratio must be a ratio in (0, 1], got 2\n  at ["P"]["jitter"]["ratio"]`
      ],
      [
        { P_type: "linear", P_jitter_ratio: "1", P_jitter_share: "1" },
        `Backoff: jitter.share must be absent (the keys are _tag, ratio), got "1"\n  at ["P"]["jitter"]["share"]`
      ],
      [
        { P_type: "linear", P_base: "2" },
        `Backoff: base must be absent (the keys are initial, increment, max, jitter), got "2"\n  at ["P"]["base"]`
      ]
    ],
    unknown: [
      [{ type: "fibonacci", base: 2 }, "base: Backoff: base must be absent (the keys are initial, max, jitter), got 2"]
    ]
  }),
  make("TripPolicy.Config", TripPolicy.Config, {
    json: {
      type: "any",
      policies: [
        { type: "consecutive", failures: 3 },
        { type: "slowCalls", after: "2 seconds", ratio: 0.8, within: 60_000, minimumCalls: 20 },
        { type: "any", policies: [{ type: "failures", count: 3, of: 10 }, { type: "rate" }] }
      ]
    },
    env: {
      P_type: "any",
      P_policies_0_type: "consecutive",
      P_policies_0_failures: "3",
      P_policies_1_type: "slowCalls",
      P_policies_1_after: "2 seconds",
      P_policies_1_ratio: "0.8",
      P_policies_1_within: "60000",
      P_policies_1_minimumCalls: "20",
      P_policies_2_type: "any",
      P_policies_2_policies_0_type: "failures",
      P_policies_2_policies_0_count: "3",
      P_policies_2_policies_0_of: "10",
      P_policies_2_policies_1_type: "rate"
    },
    bad: [
      [
        { P_type: "failures", P_count: "4", P_of: "3" },
        `TripPolicy: count must be at most of (3), got 4\n  at ["P"]["count"]`
      ],
      [
        { P_type: "failures", P_count: "few", P_of: "3" },
        `TripPolicy: count must be an integer >= 1, got "few"\n  at ["P"]["count"]`
      ],
      [
        { P_type: "any", P_policies_0_type: "rate", P_policies_1_type: "rate", P_policies_1_ratio: "2" },
        `TripPolicy: policies.1.ratio must be a ratio in (0, 1], got 2\n  at ["P"]["policies"]["1"]["ratio"]`
      ],
      [
        { P_type: "any", P_policies_0_type: "rate", P_policies_0_share: "1" },
        `TripPolicy: policies.0.share must be absent (the keys are ratio, within, minimumCalls), got "1"\n  at ["P"]["policies"]["0"]["share"]`
      ],
      [{ P_type: "any", P_policies: "rate" }, `Expected array\n  at ["P"]["policies"]`],
      [{ P_type: "any", P_policies_0: "rate" }, `Expected object\n  at ["P"]["policies"][0]`],
      // Nothing is shifted into the gap.
      [{ P_type: "any", P_policies_1_type: "rate" }, `Expected object\n  at ["P"]["policies"][0]`],
      [
        { P_count: "3" },
        `TripPolicy: type must be one of consecutive, failures, rate, slowCalls, any, got undefined\n  at ["P"]["type"]`
      ]
    ],
    unknown: [
      [
        { type: "rate", share: 1 },
        "share: TripPolicy: share must be absent (the keys are ratio, within, minimumCalls), got 1"
      ],
      [
        { type: "any", policies: [{ type: "consecutive", count: 1 }] },
        "policies.0.count: TripPolicy: policies.0.count must be absent (the keys are failures), got 1"
      ]
    ]
  }),
  make("Retry.Config", Retry.Config, {
    json: {
      maxAttempts: "Infinity",
      backoff: { type: "linear", increment: 50, jitter: "equal" },
      maxElapsed: "10 seconds",
      while: ["Unavailable", "404"],
      retryRefusals: true,
      maxRetryAfter: 500
    },
    env: {
      P_maxAttempts: "Infinity",
      P_backoff_type: "linear",
      P_backoff_increment: "50",
      P_backoff_jitter: "equal",
      P_maxElapsed: "10 seconds",
      P_while_0: "Unavailable",
      P_while_1: "404",
      P_retryRefusals: "true",
      P_maxRetryAfter: "500"
    },
    bad: [
      [{ P_maxAttempts: "0" }, `Retry: maxAttempts must be an integer >= 1, got 0\n  at ["P"]["maxAttempts"]`],
      [{ P_maxAttempts: "many" }, `Expected number | "Infinity"\n  at ["P"]["maxAttempts"]`],
      [{ P_retryRefusals: "maybe" }, `Expected boolean\n  at ["P"]["retryRefusals"]`],
      [{ P_maxElapsed: "soon" }, `Expected a valid Duration string\n  at ["P"]["maxElapsed"]`],
      [{ P_backoff: "linear" }, `Expected object\n  at ["P"]["backoff"]`],
      [
        { P_backoff_type: "linear", P_backoff_increment: "0" },
        `Backoff: increment must be ${finite}, got 0\n  at ["P"]["backoff"]["increment"]`
      ],
      [{ P_maxAttempt: "3" }, `unknown key, expected one of ${retryKeys}\n  at ["P"]["maxAttempt"]`]
    ],
    unknown: [
      [{ attempts: 3 }, `attempts: unknown key, expected one of ${retryKeys}`],
      [
        { backoff: { type: "linear", base: 2 } },
        "backoff.base: Backoff: base must be absent (the keys are initial, increment, max, jitter), got 2"
      ]
    ]
  }),
  make("Timeout.Config", Timeout.Config, {
    json: { after: "2 seconds", operation: "404" },
    env: { P_after: "2 seconds", P_operation: "404" },
    bad: [
      [{ P_after: "0" }, `Timeout: after must be ${finite}, got 0 millis\n  at ["P"]["after"]`],
      [{ P_after: "Infinity" }, `Timeout: after must be ${finite}, got Infinity\n  at ["P"]["after"]`],
      [{ P_operation: "search" }, `Missing key\n  at ["P"]["after"]`],
      [{ P_after: "1 second", P_name: "x" }, `unknown key, expected one of after, operation\n  at ["P"]["name"]`]
    ],
    unknown: [[{ after: 1, name: "x" }, "name: unknown key, expected one of after, operation"]]
  }),
  make("CircuitBreaker.Config", CircuitBreaker.Config, {
    json: {
      trip: { type: "rate", ratio: 0.2, minimumCalls: 7 },
      openFor: { type: "exponential", initial: "1 second" },
      maxOpenFor: "10 minutes",
      halfOpen: { probes: 2, successes: { count: 2, of: 3 }, leaseFor: "5 seconds", pace: 250 },
      failureIf: ["Unavailable"],
      ignore: "NotFound",
      dryRun: true,
      log: false,
      keys: { max: 100, idleFor: "5 minutes" }
    },
    env: {
      P_trip_type: "rate",
      P_trip_ratio: "0.2",
      P_trip_minimumCalls: "7",
      P_openFor_type: "exponential",
      P_openFor_initial: "1 second",
      P_maxOpenFor: "10 minutes",
      P_halfOpen_probes: "2",
      P_halfOpen_successes_count: "2",
      P_halfOpen_successes_of: "3",
      P_halfOpen_leaseFor: "5 seconds",
      P_halfOpen_pace: "250",
      P_failureIf_0: "Unavailable",
      P_ignore: "NotFound",
      P_dryRun: "true",
      P_log: "false",
      P_keys_max: "100",
      P_keys_idleFor: "5 minutes"
    },
    bad: [
      [
        { P_halfOpen_probes: "1.5" },
        `CircuitBreaker: halfOpen.probes must be an integer >= 1, got 1.5\n  at ["P"]["halfOpen"]["probes"]`
      ],
      [{ P_halfOpen_probes: "x" }, `Expected number\n  at ["P"]["halfOpen"]["probes"]`],
      [{ P_halfOpen: "2" }, `Expected object\n  at ["P"]["halfOpen"]`],
      [
        { P_halfOpen_successes_ratio: "1.5", P_halfOpen_successes_of: "4" },
        `CircuitBreaker: halfOpen.successes.ratio must be a ratio in (0, 1], got 1.5\n  at ["P"]["halfOpen"]["successes"]["ratio"]`
      ],
      [
        { P_trip_type: "consecutive", P_trip_failures: "0" },
        `TripPolicy: failures must be an integer >= 1, got 0\n  at ["P"]["trip"]["failures"]`
      ],
      [{ P_openFor: "soon" }, `Expected a valid Duration string\n  at ["P"]["openFor"]`],
      [
        { P_openFor_type: "linear", P_openFor_max: "x" },
        `Backoff: max must be ${finite}, got "x"\n  at ["P"]["openFor"]["max"]`
      ],
      [
        { P_openFor: "2 hours", P_maxOpenFor: "1 hour" },
        `CircuitBreaker: openFor must be at most maxOpenFor (3600000 ms), got 7200000 millis\n  at ["P"]["openFor"]`
      ],
      [{ P_open_for: "1 second" }, `unknown key, expected one of ${breakerKeys}\n  at ["P"]["open"]`]
    ],
    unknown: [
      [{ timeout: 1 }, `timeout: unknown key, expected one of ${breakerKeys}`],
      [{ halfOpen: { probe: 1 } }, "halfOpen.probe: unknown key, expected one of probes, successes, leaseFor, pace"],
      [
        { halfOpen: { successes: { of: 3, ratios: 1 } } },
        "halfOpen.successes.ratios: unknown key, expected one of count, ratio, of"
      ]
    ]
  }),
  make("Policy.Config", Policy.Config, {
    json: {
      deadline: "10 seconds",
      retry: { maxAttempts: 4, backoff: { type: "constant", delay: 5 } },
      breaker: { name: "payments", options: { openFor: "20 seconds", halfOpen: { probes: 2 } } },
      attemptTimeout: { after: 750, operation: "charge" }
    },
    env: {
      P_deadline: "10 seconds",
      P_retry_maxAttempts: "4",
      P_retry_backoff_type: "constant",
      P_retry_backoff_delay: "5",
      P_breaker_name: "payments",
      P_breaker_options_openFor: "20 seconds",
      P_breaker_options_halfOpen_probes: "2",
      P_attemptTimeout_after: "750",
      P_attemptTimeout_operation: "charge"
    },
    bad: [
      [
        { P_breaker_name: "payments", P_breaker_options_halfOpen_pace: "0" },
        `CircuitBreaker: halfOpen.pace must be ${finite}, got 0 millis\n  at ["P"]["breaker"]["options"]["halfOpen"]["pace"]`
      ],
      [{ P_breaker_options_openFor: "1 second" }, `Missing key\n  at ["P"]["breaker"]["name"]`],
      [
        { P_retry_maxAttempts: "1.5" },
        `Retry: maxAttempts must be an integer >= 1, got 1.5\n  at ["P"]["retry"]["maxAttempts"]`
      ],
      [{ P_deadline_after: "0" }, `Timeout: after must be ${finite}, got 0 millis\n  at ["P"]["deadline"]["after"]`],
      [{ P_url: "x" }, `unknown key, expected one of deadline, retry, breaker, attemptTimeout\n  at ["P"]["url"]`]
    ],
    unknown: [
      [{ timeout: 1 }, "timeout: unknown key, expected one of deadline, retry, breaker, attemptTimeout"],
      [{ breaker: { name: "a", option: {} } }, "breaker.option: unknown key, expected one of name, options"],
      [{ retry: { attempts: 1 } }, `retry.attempts: unknown key, expected one of ${retryKeys}`]
    ]
  }),
  make("Health.Config", Health.Config, {
    json: { version: "1.0", timeout: "2 seconds", ttl: 0, concurrency: 3, schedule: "1 minute" },
    env: { P_version: "1.0", P_timeout: "2 seconds", P_ttl: "0", P_concurrency: "3", P_schedule: "1 minute" },
    bad: [
      [{ P_concurrency: "0" }, `Health: concurrency must be an integer >= 1, got 0\n  at ["P"]["concurrency"]`],
      [{ P_concurrency: "all" }, `Expected "unbounded" | number\n  at ["P"]["concurrency"]`],
      [{ P_timeout: "0 seconds" }, `Health: timeout must be ${finite}, got 0 millis\n  at ["P"]["timeout"]`],
      [
        { P_checks_cache: "x" },
        `unknown key, expected one of version, timeout, ttl, concurrency, schedule\n  at ["P"]["checks"]`
      ]
    ],
    unknown: [[{ checks: {} }, "checks: unknown key, expected one of version, timeout, ttl, concurrency, schedule"]]
  }),
  make("Health.CheckConfig", Health.CheckConfig, {
    json: { timeout: 500, critical: false, kinds: ["liveness", "startup"], ttl: "1 second" },
    env: {
      P_timeout: "500",
      P_critical: "false",
      P_kinds_0: "liveness",
      P_kinds_1: "startup",
      P_ttl: "1 second"
    },
    bad: [
      [{ P_critical: "no" }, `Expected boolean\n  at ["P"]["critical"]`],
      [
        { P_kinds_0: "liveness", P_kinds_1: "ready" },
        `Expected "liveness" | "readiness" | "startup"\n  at ["P"]["kinds"][1]`
      ],
      [{ P_kinds: "liveness" }, `Expected array\n  at ["P"]["kinds"]`],
      [{ P_timeout: "0" }, `Health: timeout must be ${finite}, got 0 millis\n  at ["P"]["timeout"]`],
      [{ P_name: "x" }, `unknown key, expected one of timeout, critical, kinds, ttl\n  at ["P"]["name"]`]
    ],
    unknown: [[{ name: "x" }, "name: unknown key, expected one of timeout, critical, kinds, ttl"]]
  })
]

for (const { bad, env, json, name, schema, unknown } of cases) {
  describe(name, () => {
    const encode = Schema.encodeSync(schema)
    const fromJson = Schema.decodeUnknownSync(schema)(json)
    const expected = JSON.stringify(encode(fromJson))

    const assertRead = (exit: Exit.Exit<unknown, unknown>) => {
      if (Exit.isFailure(exit)) return assert.fail(globalThis.String(exit.cause))
      // A backoff is compared by what it was made of.
      assert.strictEqual(JSON.stringify(encode(exit.value)), expected)
    }

    it("reads from the environment what it reads from JSON", () => {
      assertRead(read(schema, env))
    })

    it("reads names in upper case", () => {
      assertRead(read(schema, upper(env), true))
    })

    it("takes all of its JSON from variables named by their path", () => {
      assertRead(read(schema, variables(json, "P")))
      assert.deepStrictEqual(variables(json, "P"), env)
    })

    it("reads from the environment what it writes", () => {
      const written: unknown = JSON.parse(expected, (key, value: unknown) => (key === "_tag" ? undefined : value))
      assertRead(read(schema, variables(written, "P")))
      assertRead(read(schema, upper(variables(written, "P")), true))
    })

    it("reads from the text of other providers", () => {
      const provider = ConfigProvider.fromUnknown({ P: json })
      assertRead(Effect.runSyncExit(Config.schema(schema, "P").parse(provider)))
    })

    it("reads JSON that it writes", () => {
      assert.strictEqual(JSON.stringify(encode(Schema.decodeUnknownSync(schema)(JSON.parse(expected)))), expected)
    })

    for (const [env, error] of bad) {
      it(`refuses ${JSON.stringify(env)}`, () => {
        assert.strictEqual(refusal(schema, env), error)
      })
    }

    for (const [json, error] of unknown) {
      it(`refuses the unknown key of ${JSON.stringify(json)}`, () => {
        assert.deepStrictEqual(issues(schema, json), [error])
      })
    }

    it("is absent where there is no variable, so that a default may be given", () => {
      const config = Config.schema(schema, "P").pipe(Config.withDefault("the default"))
      assert.strictEqual(Effect.runSync(config.parse(ConfigProvider.fromEnv({ env: { Q_after: "1" } }))), "the default")
    })
  })
}

describe("names in upper case", () => {
  it("have words where the key has a capital, also in the prefix", () => {
    const provider = Options.constantCase(
      ConfigProvider.fromEnv({
        env: {
          PAYMENTS_POLICY_BREAKER_NAME: "payments",
          PAYMENTS_POLICY_BREAKER_OPTIONS_OPEN_FOR: "20 seconds",
          PAYMENTS_POLICY_BREAKER_OPTIONS_HALF_OPEN_LEASE_FOR: "5 seconds",
          PAYMENTS_POLICY_ATTEMPT_TIMEOUT_AFTER: "2 seconds",
          PAYMENTS_URL: "http://localhost"
        }
      })
    )
    for (const prefix of ["PAYMENTS_POLICY", "paymentsPolicy", ["PAYMENTS", "POLICY"], ["payments", "policy"]]) {
      const config = Effect.runSync(Config.schema(Policy.Config, prefix).parse(provider))
      assert.deepStrictEqual(Schema.encodeSync(Policy.Config)(config), {
        breaker: { name: "payments", options: { openFor: "20000 millis", halfOpen: { leaseFor: "5000 millis" } } },
        attemptTimeout: { after: "2000 millis" }
      })
    }
  })

  it("find lists", () => {
    const env = { P_KINDS_0: "startup", P_KINDS_1: "liveness" }
    const exit = read(Health.CheckConfig, env, true)
    assert.deepStrictEqual(Exit.isSuccess(exit) && exit.value, { kinds: ["startup", "liveness"] })
  })

  it("leave single words as they are with the provider of Effect", () => {
    const provider = ConfigProvider.constantCase(ConfigProvider.fromEnv({ env: { P_MAX_ATTEMPTS: "4", P_WHILE: "A" } }))
    assert.deepStrictEqual(Effect.runSync(Config.schema(Retry.Config, "P").parse(provider)), {
      maxAttempts: 4,
      while: Retry.tags("A")
    })
  })

  it("that no option is found under are refused, as a provider that does not find an object must not lose it", () => {
    const env = { P_OPEN_FOR: "1 second", P_HALF_OPEN_PROBES: "2" }
    const provider = ConfigProvider.constantCase(ConfigProvider.fromEnv({ env }))
    const error = Effect.runSync(Effect.flip(Config.schema(CircuitBreaker.Config, "P").parse(provider)))
    assert.strictEqual(error.cause.message, `unknown key, expected one of ${breakerKeys}\n  at ["P"]["HALF"]`)
    assert.isTrue(Exit.isSuccess(read(CircuitBreaker.Config, env, true)))
  })

  for (const [env, path] of [
    [{ P_OPENFOR: "1 second" }, `["OPENFOR"]`],
    [{ P_OPEN: "1 second" }, `["OPEN"]`],
    [{ P_OPEN_FO: "1 second" }, `["OPEN"]`],
    [{ P_OPEN_FOR: "1 second", P_OPE: "1 second" }, `["OPE"]`],
    [{ P_KEYS_MAXIMUM: "1" }, `["keys"]["MAXIMUM"]`],
    [{ P_HALF_OPEN_PROBE: "1" }, `["halfOpen"]["PROBE"]`],
    [{ P_: "1" }, `[""]`]
  ] as const) {
    it(`refuse ${JSON.stringify(env)}`, () => {
      assert.match(refusal(CircuitBreaker.Config, env, true), /^unknown key, expected one of [\w, ]+\n {2}at /)
      assert.include(refusal(CircuitBreaker.Config, env, true), `at ["P"]${path}`)
    })
  }

  it("may be in lower case, where a provider makes them so", () => {
    const env = { p_open_for: "1 second", p_half_open_probes: "2" }
    const provider = ConfigProvider.mapInput(ConfigProvider.fromEnv({ env }), (path) =>
      path.flatMap((key): ConfigProvider.Path => (typeof key === "string" ? String.snakeCase(key).split("_") : [key]))
    )
    const { halfOpen } = Effect.runSync(Config.schema(CircuitBreaker.Config, "P").parse(provider))
    assert.deepStrictEqual(halfOpen, { probes: 2 })
  })

  it("refuse keys of policies in a list", () => {
    const env = { P_TYPE: "any", P_POLICIES_0_TYPE: "rate", P_POLICIES_0_MINIMUM_CALLS: "3", P_POLICIES_0_SHARE: "1" }
    assert.strictEqual(
      refusal(TripPolicy.Config, env, true),
      `TripPolicy: policies.0.SHARE must be absent (the keys are ratio, within, minimumCalls), got "1"\n  at ["P"]["policies"]["0"]["SHARE"]`
    )
  })

  it("are unknown keys in JSON", () => {
    assert.deepStrictEqual(issues(CircuitBreaker.Config, { OPEN: 1, openFor: "1 second" }), [
      `OPEN: unknown key, expected one of ${breakerKeys}`
    ])
  })
})

describe("ConfigSchema.struct", () => {
  const plain = Schema.Struct({ count: Schema.Finite })
  const schema = ConfigSchema.struct({
    count: Schema.optionalKey(Schema.Number),
    text: Schema.optionalKey(Schema.String),
    flag: Schema.optionalKey(Schema.Boolean),
    level: Schema.optionalKey(Schema.Literals([1, 2, "high"])),
    list: Schema.optionalKey(Schema.Array(Schema.Finite)),
    inner: Schema.optionalKey(
      ConfigSchema.struct({ list: Schema.Array(ConfigSchema.struct({ count: Schema.Number })) })
    ),
    either: Schema.optionalKey(Schema.Union([Schema.Number, ConfigSchema.struct({ count: Schema.Number })])),
    plain: Schema.optionalKey(plain),
    later: Schema.optionalKey(Schema.suspend(() => plain))
  })

  const table: ReadonlyArray<readonly [env: Env, value: object]> = [
    [{ P_count: "1.5" }, { count: 1.5 }],
    [{ P_count: "-1e3" }, { count: -1000 }],
    [{ P_text: "1.5" }, { text: "1.5" }],
    [{ P_text: "true" }, { text: "true" }],
    [{ P_flag: "false" }, { flag: false }],
    [{ P_level: "2" }, { level: 2 }],
    [{ P_level: "high" }, { level: "high" }],
    [{ P_list_0: "5", P_list_1: "6" }, { list: [5, 6] }],
    [{ P_inner_list_0_count: "1", P_inner_list_1_count: "2" }, { inner: { list: [{ count: 1 }, { count: 2 }] } }],
    [{ P_either: "1" }, { either: 1 }],
    [{ P_either_count: "1" }, { either: { count: 1 } }],
    [{ P_plain_count: "1" }, { plain: { count: 1 } }],
    [{ P_later_count: "1" }, { later: { count: 1 } }]
  ]
  for (const [env, value] of table) {
    it(`reads ${JSON.stringify(env)}`, () => {
      assert.deepStrictEqual(read(schema, env), Exit.succeed(value))
      assert.deepStrictEqual(read(schema, upper(env), true), Exit.succeed(value))
    })
  }

  const keys = "count, text, flag, level, list, inner, either, plain, later"
  const bad: ReadonlyArray<readonly [env: Env, error: string]> = [
    [{ P_count: "one" }, `Expected number\n  at ["P"]["count"]`],
    [{ P_flag: "yes" }, `Expected boolean\n  at ["P"]["flag"]`],
    [{ P_level: "3" }, `Expected 1 | 2 | "high"\n  at ["P"]["level"]`],
    [{ P_inner: "x" }, `Expected object\n  at ["P"]["inner"]`],
    [{ P_inner_list_0_count: "x" }, `Expected number\n  at ["P"]["inner"]["list"][0]["count"]`],
    [
      { P_inner_list_0_count: "1", P_inner_list_0_counts: "1" },
      `unknown key, expected one of count\n  at ["P"]["inner"]["list"][0]["counts"]`
    ],
    [{ P_list_0: "1", P_list_1: "x" }, `Expected a string representing a finite number\n  at ["P"]["list"][1]`],
    [{ P_plain_count: "x" }, `Expected a string representing a finite number\n  at ["P"]["plain"]["count"]`],
    [{ P_later_count: "x" }, `Expected a string representing a finite number\n  at ["P"]["later"]["count"]`],
    [
      { P_a: "1", P_b_c: "1" },
      `unknown key, expected one of ${keys}\n  at ["P"]["a"]\nunknown key, expected one of ${keys}\n  at ["P"]["b"]`
    ]
  ]
  for (const [env, error] of bad) {
    it(`refuses ${JSON.stringify(env)}`, () => {
      assert.strictEqual(refusal(schema, env), error)
    })
  }

  it("refuses keys that every object inherits", () => {
    for (const key of ["constructor", "toString"]) {
      assert.include(refusal(schema, { [`P_${key}`]: "1" }), `at ["P"]["${key}"]`)
    }
  })

  it("takes an empty variable for none", () => {
    assert.deepStrictEqual(read(schema, { P_count: "", P_text: "a" }), Exit.succeed({ text: "a" }))
  })

  it("writes text for the environment", () => {
    const text = Schema.encodeSync(Schema.toCodecStringTree(schema))({
      count: 1,
      flag: true,
      inner: { list: [{ count: 2 }] }
    })
    assert.deepStrictEqual(text, { count: "1", flag: "true", inner: { list: [{ count: "2" }] } })
  })

  it("can be part of another schema", () => {
    const whole = Schema.Struct({ url: Schema.String, retry: Schema.optionalKey(Retry.Config) })
    assert.deepStrictEqual(
      read(whole, { P_url: "http://localhost", P_retry_maxAttempts: "4" }),
      Exit.succeed({ url: "http://localhost", retry: { maxAttempts: 4 } })
    )
  })

  it("can be one of several", () => {
    const off = Schema.Literal("off").pipe(
      Schema.decodeTo(
        Schema.Undefined,
        SchemaTransformation.transform({ decode: () => undefined, encode: () => "off" as const })
      )
    )
    const schema = Schema.Struct({ retry: Schema.Union([off, Retry.Config]) })
    assert.deepStrictEqual(read(schema, { P_retry: "off" }), Exit.succeed({ retry: undefined }))
    assert.deepStrictEqual(read(schema, { P_retry_maxAttempts: "4" }), Exit.succeed({ retry: { maxAttempts: 4 } }))
  })

  it("can hold a value that is one of several", () => {
    const schema = ConfigSchema.struct({ trip: Schema.Union([Schema.Literal("off"), TripPolicy.Config]) })
    assert.deepStrictEqual(read(schema, { P_trip: "off" }), Exit.succeed({ trip: "off" as const }))
    const consecutive = { P_trip_type: "consecutive", P_trip_failures: "4" }
    assert.deepStrictEqual(read(schema, consecutive), Exit.succeed({ trip: TripPolicy.consecutive(4) }))
    assert.include(refusal(schema, { ...consecutive, P_trip_failures: "0" }), "failures must be an integer >= 1, got 0")
  })
})

describe("Fallback.Config", () => {
  it("gives options that `Policy.fallback` takes", () => {
    const options = Schema.decodeUnknownSync(Fallback.Config)({ if: ["A"], source: "cache" })
    const policy = Policy.fallback({ orElse: () => Effect.succeed(1), ...options })
    const call = (tag: "A" | "B") => Effect.runSyncExit(policy(Effect.fail({ _tag: tag })))
    assert.deepStrictEqual(call("A"), Exit.succeed(1))
    assert.deepStrictEqual(call("B"), Exit.fail({ _tag: "B" as const }))
    assert.deepStrictEqual(policy.layers[0]?.parameters, { if: ["A"], defects: false, source: "cache" })
  })
})
