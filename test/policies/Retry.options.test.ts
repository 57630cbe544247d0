import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Schedule, Schema } from "effect"
import * as Retry from "../../src/policies/Retry.ts"
import { invalid } from "../suites/rules.ts"
import { Unavailable, NotFound, scripted, settle } from "./attempts.ts"

describe("describe", () => {
  it("holds the defaults", () => {
    assert.deepStrictEqual(Retry.describe(), {
      maxAttempts: 3,
      backoff: { type: "exponential", initial: 100, max: 60_000, factor: 2, jitter: "full" },
      retryRefusals: false,
      maxRetryAfter: 60_000
    })
    assert.deepStrictEqual(Retry.describe(Retry.defaults), Retry.describe({}))
  })

  it("holds what was given", () => {
    const description = Retry.describe({
      maxAttempts: Number.POSITIVE_INFINITY,
      backoff: Schedule.forever,
      maxElapsed: "2 seconds",
      while: (error: string) => error === "no",
      retryRefusals: true,
      maxRetryAfter: "5 seconds",
      retryAfter: () => undefined,
      onRetry: () => Effect.void
    })
    assert.deepStrictEqual(description, {
      maxAttempts: "Infinity",
      backoff: "a schedule",
      maxElapsed: 2000,
      while: "a function",
      retryRefusals: true,
      maxRetryAfter: 5000,
      retryAfter: "a function",
      onRetry: "a function"
    })
  })

  it("holds tags", () => {
    assert.deepStrictEqual(Retry.describe({ while: "A" }).while, ["A"])
    assert.deepStrictEqual(Retry.describe({ while: ["A", "B"] }).while, ["A", "B"])
    assert.deepStrictEqual(Retry.describe({ while: Retry.tags("A", "B") }).while, ["A", "B"])
  })

  it("is plain data", () => {
    const description = Retry.describe({ maxAttempts: Number.POSITIVE_INFINITY, maxElapsed: 1, while: ["A"] })
    assert.deepStrictEqual(JSON.parse(JSON.stringify(description)), description)
  })
})

describe("bad options", () => {
  // Types are broken on purpose: the options may come from JavaScript.
  const bad = (value: unknown) => value as never
  const duration = "a finite duration > 0"
  const table: ReadonlyArray<readonly [options: object, field: string, value: unknown, rule: string]> = [
    ...[0, -1, 1.5, Number.NaN, "3", null].map(
      (value) => [{ maxAttempts: value }, "maxAttempts", value, "an integer >= 1"] as const
    ),
    [
      { maxAttempts: Number.POSITIVE_INFINITY },
      "maxAttempts",
      Number.POSITIVE_INFINITY,
      "an integer >= 1, or Infinity together with maxElapsed"
    ],
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, "soon", "Infinity", null, true].flatMap(
      (value): ReadonlyArray<readonly [object, string, unknown, string]> => [
        [{ maxElapsed: value }, "maxElapsed", value, duration],
        [{ maxRetryAfter: value }, "maxRetryAfter", value, duration]
      ]
    ),
    ...[null, "1 second", 5, {}].map((value) => [{ backoff: value }, "backoff", value, "a Schedule"] as const),
    ...["false", 0, null].map((value) => [{ retryRefusals: value }, "retryRefusals", value, "true or false"] as const),
    ...["", " "].flatMap((value): ReadonlyArray<readonly [object, string, unknown, string]> => [
      [{ while: value }, "while", value, "a non-empty string"],
      [{ while: ["A", value] }, "while.1", value, "a non-empty string"]
    ]),
    [{ while: ["A", 3] }, "while.1", 3, "a non-empty string"],
    ...[[], 3, null, {}, true].map(
      (value) => [{ while: value }, "while", value, "a predicate, a tag or a list of at least one tag"] as const
    ),
    ...["x", 3, null, {}].flatMap((value): ReadonlyArray<readonly [object, string, unknown, string]> => [
      [{ retryAfter: value }, "retryAfter", value, "a function"],
      [{ onRetry: value }, "onRetry", value, "a function"]
    ])
  ]

  for (const [options, field, value, rule] of table) {
    it(`${field} ${typeof value === "string" ? JSON.stringify(value) : String(value)} is refused when the retry is built`, () => {
      for (const build of [
        () => Retry.retry(bad(options)),
        () => Retry.retry(Effect.void, bad(options)),
        () => Retry.retryOrExhausted(bad(options)),
        () => Retry.retryUntil(bad({ until: () => true, ...options })),
        () => Retry.describe(bad(options))
      ]) {
        const error = invalid(build)
        assert.strictEqual(error.module, "Retry")
        assert.strictEqual(error.field, field)
        assert.deepStrictEqual(error.value, value)
        assert.strictEqual(error.rule, rule)
      }
    })
  }

  it("retryUntil without a function as until is refused", () => {
    for (const until of [undefined, null, "done", true]) {
      for (const build of [
        () => Retry.retryUntil(bad({ until })),
        () => Retry.retryUntil(Effect.void, bad({ until }))
      ]) {
        assert.include(invalid(build), { module: "Retry", field: "until", value: until, rule: "a function" })
      }
    }
    assert.include(
      invalid(() => Retry.retryUntil(bad(undefined))),
      { field: "until", value: undefined }
    )
  })

  it("tags are plain data", () => {
    assert.deepStrictEqual(Retry.tags("A", "B"), { _tag: "Tags", tags: ["A", "B"] })
  })

  it("tags without a tag are refused", () => {
    assert.include(
      invalid(() => Retry.tags()),
      { module: "Retry", field: "while" }
    )
    assert.include(
      invalid(() => Retry.tags("A", "")),
      { module: "Retry", field: "while.1", value: "" }
    )
  })

  it("undefined is not given", () => {
    const options = {
      maxAttempts: undefined,
      backoff: undefined,
      maxElapsed: undefined,
      while: undefined,
      retryRefusals: undefined,
      maxRetryAfter: undefined,
      retryAfter: undefined,
      onRetry: undefined
    }
    assert.deepStrictEqual(Retry.describe(options), Retry.describe())
  })
})

describe("Config", () => {
  const decode = Schema.decodeUnknownEffect(Retry.Config)

  it.effect("reads every option", () =>
    Effect.gen(function* () {
      const options = yield* decode({
        maxAttempts: 5,
        backoff: { type: "constant", delay: "2 seconds" },
        maxElapsed: "10 seconds",
        while: ["Unavailable", "Timeout"],
        retryRefusals: true,
        maxRetryAfter: 3000
      })
      assert.deepStrictEqual(Retry.describe(options), {
        ...Retry.describe(),
        maxAttempts: 5,
        backoff: { type: "constant", delay: 2000, jitter: "none" },
        maxElapsed: 10_000,
        while: ["Unavailable", "Timeout"],
        retryRefusals: true,
        maxRetryAfter: 3000
      })
      const unavailable = scripted(Exit.fail(new Unavailable({})))
      const notFound = scripted(Exit.fail(new NotFound()))
      yield* settle(Retry.retry(unavailable.effect, options))
      yield* settle(notFound.effect.pipe(Retry.retry(options)))
      assert.deepStrictEqual([unavailable.starts, notFound.starts.length], [[0, 2000, 4000, 6000, 8000], 1])
    })
  )

  it.effect("has the defaults of retry", () =>
    Effect.map(decode({}), (options) => assert.deepStrictEqual(Retry.describe(options), Retry.describe()))
  )

  it.effect("reads a single tag and infinite attempts", () =>
    Effect.gen(function* () {
      const options = yield* decode({ maxAttempts: "Infinity", maxElapsed: "1 second", while: "A" })
      assert.include(Retry.describe(options), { maxAttempts: "Infinity", maxElapsed: 1000 })
      assert.deepStrictEqual(Retry.describe(options).while, ["A"])
    })
  )

  it.effect("encodes what it decodes", () =>
    Effect.gen(function* () {
      for (const json of [
        {},
        { maxAttempts: 2, while: ["A"], backoff: { type: "fibonacci" }, retryRefusals: false },
        { maxAttempts: "Infinity", maxElapsed: "1 second", maxRetryAfter: 5 }
      ]) {
        const options = yield* decode(json)
        const encoded: unknown = JSON.parse(JSON.stringify(yield* Schema.encodeEffect(Retry.Config)(options)))
        assert.deepStrictEqual(Retry.describe(yield* decode(encoded)), Retry.describe(options))
      }
    })
  )

  it.effect("reads an environment variable, and names it in the error", () =>
    Effect.gen(function* () {
      const read = (value: string) =>
        Config.schema(Schema.fromJsonString(Retry.Config), "RETRY").parse(
          ConfigProvider.fromEnv({ env: { RETRY: value } })
        )
      assert.include(Retry.describe(yield* read(`{ "maxAttempts": 4 }`)), { maxAttempts: 4 })
      const error = yield* Effect.flip(read(`{ "backoff": { "type": "linear", "factor": 2 } }`))
      assert.include(error.message, `["RETRY"]["backoff"]["factor"]`)
    })
  )

  const table: ReadonlyArray<readonly [json: unknown, path: string, message: string]> = [
    [{ attempts: 3 }, `["attempts"]`, "unknown key"],
    [{ onRetry: "log" }, `["onRetry"]`, "unknown key"],
    [{ maxAttempts: 0 }, `["maxAttempts"]`, "Retry: maxAttempts must be an integer >= 1, got 0"],
    [{ maxAttempts: 1.5 }, `["maxAttempts"]`, "Retry: maxAttempts must be an integer >= 1, got 1.5"],
    [{ maxAttempts: "3" }, `["maxAttempts"]`, "Expected"],
    [{ maxAttempts: "Infinity" }, `["maxAttempts"]`, "Infinity together with maxElapsed"],
    [{ maxElapsed: "soon" }, `["maxElapsed"]`, ""],
    [{ maxElapsed: 0 }, `["maxElapsed"]`, "Retry: maxElapsed must be a finite duration > 0"],
    [{ maxRetryAfter: "Infinity" }, `["maxRetryAfter"]`, "Retry: maxRetryAfter must be a finite duration > 0"],
    [{ while: [] }, `["while"]`, "a list of at least one tag"],
    [{ while: ["A", ""] }, `["while"]["1"]`, "a non-empty string"],
    [{ while: 3 }, `["while"]`, "Expected"],
    [{ retryRefusals: "yes" }, `["retryRefusals"]`, "Expected"],
    [{ backoff: { type: "cubic" } }, `["backoff"]["type"]`, "Backoff: type must be one of"],
    [{ backoff: { type: "exponential", factor: 0 } }, `["backoff"]["factor"]`, "Backoff: factor must be"],
    [{ backoff: { type: "exponential", base: 2 } }, `["backoff"]["base"]`, "Backoff: base must be absent"]
  ]
  for (const [json, path, message] of table) {
    it.effect(`refuses ${JSON.stringify(json)} at ${path}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(decode(json))
        assert.strictEqual(error._tag, "SchemaError")
        assert.include(error.message, path)
        assert.include(error.message, message)
      })
    )
  }
})
