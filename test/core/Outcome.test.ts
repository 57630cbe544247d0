import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Data, Duration, Exit, Schema } from "effect"
import * as Outcome from "../../src/core/Outcome.ts"
import * as Refusal from "../../src/core/Refusal.ts"
import { invalid } from "../suites/rules.ts"

class NotFound extends Data.TaggedError("NotFound")<{}> {}
class Unavailable extends Data.TaggedError("Unavailable")<{ readonly retryAfter?: unknown }> {}
class Refused extends Data.TaggedError("Refused")<{ readonly retryAfter: Duration.Duration | undefined }> {
  readonly [Refusal.TypeId]: Refusal.TypeId = Refusal.TypeId
}

const failed: Outcome.Outcome = { _tag: "Failure", retryAfter: undefined }
const failedFor = (retryAfter: Duration.Input): Outcome.Outcome => ({
  _tag: "Failure",
  retryAfter: Duration.fromInputUnsafe(retryAfter)
})

const refused = new Refused({ retryAfter: Duration.seconds(9) })
const fail = <E>(error: E): Cause.Cause<E> => Cause.fail(error)
const interrupt = Cause.interrupt(1)
const die = Cause.die(new Error("a defect"))
const all = (...causes: ReadonlyArray<Cause.Cause<unknown>>): Exit.Exit<unknown, unknown> =>
  Exit.failCause(causes.reduce((a, b) => Cause.combine(a, b), Cause.empty))

describe("constructors", () => {
  it("make the three outcomes", () => {
    assert.deepStrictEqual(Outcome.success, { _tag: "Success" })
    assert.deepStrictEqual(Outcome.ignored, { _tag: "Ignored" })
    assert.deepStrictEqual(Outcome.failure(), failed)
    assert.deepStrictEqual(Outcome.failure({}), failed)
    assert.deepStrictEqual(Outcome.failure({ retryAfter: undefined }), failed)
  })

  it("make a failure with a hint", () => {
    assert.deepStrictEqual(Outcome.failure({ retryAfter: "2 seconds" }), failedFor("2 seconds"))
    assert.deepStrictEqual(Outcome.failure({ retryAfter: 1500 }), failedFor(1500))
  })

  // A classifier passes on what a dependency sent: it must not make a defect of the call's error.
  for (const retryAfter of [0, -1, Number.NaN, Infinity, "Infinity", "soon", null]) {
    it(`make a failure without the hint ${String(retryAfter)}`, () => {
      assert.deepStrictEqual(Outcome.failure({ retryAfter: retryAfter as never }), failed)
    })
  }
})

describe("hint", () => {
  const some: ReadonlyArray<readonly [Duration.Input, Duration.Duration]> = [
    [Duration.seconds(2), Duration.seconds(2)],
    [Duration.nanos(1n), Duration.nanos(1n)],
    [1, Duration.millis(1)],
    [0.5, Duration.millis(0.5)],
    [1n, Duration.nanos(1n)],
    ["5 seconds", Duration.seconds(5)],
    [{ seconds: 1, milliseconds: 500 }, Duration.millis(1500)],
    [[2, 0], Duration.seconds(2)],
    [Duration.infinity, Duration.infinity],
    [Number.POSITIVE_INFINITY, Duration.infinity],
    ["Infinity", Duration.infinity],
    [{ seconds: Number.MAX_VALUE }, Duration.infinity]
  ]
  for (const [retryAfter, expected] of some) {
    const shown = typeof retryAfter === "bigint" ? `${retryAfter}n` : JSON.stringify(retryAfter)
    it(`is the duration above zero in \`retryAfter\`: ${shown}`, () => {
      for (const hint of [
        Outcome.hint({ retryAfter }),
        Outcome.hint(new Unavailable({ retryAfter })),
        Outcome.hint("an error", () => retryAfter)
      ]) {
        assert.isTrue(hint !== undefined && Duration.equals(hint, expected))
      }
    })
  }

  it("is the very Duration that the error holds", () => {
    const retryAfter = Duration.seconds(2)
    assert.strictEqual(Outcome.hint({ retryAfter }), retryAfter)
  })

  it("is what the function reads, whatever the property holds", () => {
    const error = { retryAfter: "9 seconds", wait: 2 }
    assert.deepStrictEqual(
      Outcome.hint(error, ({ wait }) => Duration.seconds(wait)),
      Duration.seconds(2)
    )
    assert.isUndefined(Outcome.hint(error, () => undefined))
  })

  it("of a refusal is what its getter computes", () => {
    const left = [3, 0]
    const refusal = {
      [Refusal.TypeId]: Refusal.TypeId,
      get retryAfter() {
        return Duration.seconds(left.shift() ?? -1)
      }
    }
    assert.deepStrictEqual(Outcome.hint(refusal), Duration.seconds(3))
    assert.isUndefined(Outcome.hint(refusal))
  })

  it("is nothing where reading it throws", () => {
    const bug = () => {
      throw new Error("from the error")
    }
    assert.isUndefined(Outcome.hint(Object.defineProperty({}, "retryAfter", { get: bug })))
    assert.isUndefined(Outcome.hint({ retryAfter: Object.defineProperty({}, "seconds", { get: bug }) }))
    assert.isUndefined(Outcome.hint(new Proxy({}, { has: bug })))
  })

  it("lets a function that throws throw", () => {
    assert.throws(
      () =>
        Outcome.hint("x", () => {
          throw new RangeError("from the function")
        }),
      RangeError
    )
  })

  const none: ReadonlyArray<unknown> = [
    { retryAfter: Duration.zero },
    { retryAfter: Duration.seconds(-1) },
    { retryAfter: Duration.negativeInfinity },
    { retryAfter: 0 },
    { retryAfter: -5 },
    { retryAfter: Number.NaN },
    { retryAfter: Number.NEGATIVE_INFINITY },
    { retryAfter: "120" },
    { retryAfter: "Wed, 21 Oct 2026 07:28:00 GMT" },
    { retryAfter: true },
    { retryAfter: () => 5 },
    { retryAfter: new Date(5) },
    { retryAfter: ["5 seconds"] },
    { retryAfter: { seconds: Number.NaN } },
    { retryAfter: undefined },
    { retryAfter: null },
    {},
    null,
    undefined,
    "retryAfter",
    5
  ]
  for (const error of none) {
    it(`is nothing of ${typeof error} ${JSON.stringify(error)}`, () => {
      assert.isUndefined(Outcome.hint(error))
      const given = typeof error === "object" && error !== null && "retryAfter" in error ? error.retryAfter : undefined
      assert.isUndefined(Outcome.hint("an error", () => given as Duration.Input | undefined))
    })
  }
})

describe("classify", () => {
  const table: ReadonlyArray<readonly [name: string, exit: Exit.Exit<unknown, unknown>, outcome: Outcome.Outcome]> = [
    ["a value", Exit.succeed(1), Outcome.success],
    ["undefined", Exit.succeed(undefined), Outcome.success],
    ["an error as a value", Exit.succeed(new NotFound()), Outcome.success],
    ["a typed error", Exit.fail(new NotFound()), failed],
    ["the error undefined", Exit.fail(undefined), failed],
    ["a defect", Exit.die("a defect"), failed],
    ["an error with a hint", Exit.fail(new Unavailable({ retryAfter: Duration.seconds(3) })), failedFor("3 seconds")],
    ["an error with an infinite hint", Exit.fail(new Unavailable({ retryAfter: Duration.infinity })), failed],
    ["an error with a hint that is none", Exit.fail(new Unavailable({ retryAfter: "soon" })), failed],
    ["an error with a hint as text", Exit.fail(new Unavailable({ retryAfter: "3 seconds" })), failedFor("3 seconds")],
    ["interruption", Exit.interrupt(1), Outcome.ignored],
    ["interruption by two", all(interrupt, Cause.interrupt(2)), Outcome.ignored],
    ["a refusal", Exit.fail(refused), Outcome.ignored],
    ["a refusal, and interruption", all(fail(refused), interrupt), Outcome.ignored],
    ["interruption, and a refusal", all(interrupt, fail(refused)), Outcome.ignored],
    ["interruption, and an error", all(interrupt, fail("x")), failed],
    ["an error, and interruption", all(fail("x"), interrupt), failed],
    ["interruption, and a defect", all(interrupt, die), failed],
    ["a refusal, and a defect", all(fail(refused), die), failed],
    ["a refusal, and an error", all(fail(refused), fail("x")), failed],
    [
      "a refusal, and an error with a hint",
      all(fail(refused), fail(new Unavailable({ retryAfter: Duration.seconds(3) }))),
      failedFor("3 seconds")
    ],
    [
      "two errors, of which the first has the hint",
      all(fail({ retryAfter: Duration.seconds(3) }), fail("x")),
      failedFor(3000)
    ],
    ["a defect that looks like a refusal", Exit.die(refused), failed],
    ["a failure for no reason", Exit.failCause(Cause.empty), failed]
  ]
  for (const [name, exit, outcome] of table) {
    it(`${outcome._tag}: ${name}`, () => {
      assert.deepStrictEqual(Outcome.classify(exit), outcome)
      // Options that say nothing are the default.
      assert.strictEqual(Outcome.classifier({}), Outcome.classify)
      assert.deepStrictEqual(Outcome.classifier({ failureIf: () => true, ignore: () => false })(exit), outcome)
    })
  }

  it("a retryAfter of a refusal is no hint", () => {
    assert.deepStrictEqual(Outcome.classify(Exit.fail(refused)), Outcome.ignored)
  })
})

describe("matcher", () => {
  it("is the predicate itself", () => {
    const predicate = (error: string) => error === "x"
    assert.strictEqual(Outcome.matcher(predicate), predicate)
  })

  const errors: ReadonlyArray<readonly [error: unknown, one: boolean, several: boolean]> = [
    [new NotFound(), true, true],
    [new Unavailable({}), false, true],
    [{ _tag: "NotFound" }, true, true],
    [{ _tag: "Other" }, false, false],
    [{ _tag: 5 }, false, false],
    [{ tag: "NotFound" }, false, false],
    ["NotFound", false, false],
    [undefined, false, false],
    [null, false, false]
  ]
  const one = Outcome.matcher("NotFound")
  const several = Outcome.matcher(["NotFound", "Unavailable"])
  for (const [error, isOne, isSeveral] of errors) {
    it(`by tag: ${JSON.stringify(error)}`, () => {
      assert.strictEqual(one(error), isOne)
      assert.strictEqual(several(error), isSeveral)
    })
  }

  it("looks for a whole tag", () => {
    assert.isFalse(Outcome.matcher("NotFoundAnywhere")({ _tag: "NotFound" }))
    assert.isFalse(Outcome.matcher(["NotFoundAnywhere"])({ _tag: "NotFound" }))
  })
})

describe("classifier", () => {
  const notFound = Exit.fail(new NotFound())
  const unavailable = Exit.fail(new Unavailable({ retryAfter: Duration.seconds(3) }))
  const text = Exit.fail("text")
  const isTagged = (error: unknown) => typeof error === "object"

  const table: ReadonlyArray<
    readonly [name: string, options: Outcome.Options, exit: Exit.Exit<unknown, unknown>, outcome: Outcome.Outcome]
  > = [
    ["failureIf counts what it matches", { failureIf: isTagged }, notFound, failed],
    ["failureIf ignores the rest", { failureIf: isTagged }, text, Outcome.ignored],
    ["failureIf by tag counts it", { failureIf: "NotFound" }, notFound, failed],
    ["failureIf by tag ignores others", { failureIf: "NotFound" }, unavailable, Outcome.ignored],
    ["failureIf by tags counts each", { failureIf: ["NotFound", "Unavailable"] }, unavailable, failedFor("3 seconds")],
    ["failureIf leaves defects failures", { failureIf: () => false }, Exit.die(new NotFound()), failed],
    ["failureIf leaves interruption ignored", { failureIf: () => true }, Exit.interrupt(1), Outcome.ignored],
    ["failureIf does not count a refusal", { failureIf: () => true }, Exit.fail(refused), Outcome.ignored],
    ["failureIf leaves values successes", { failureIf: () => true }, Exit.succeed(new NotFound()), Outcome.success],
    ["ignore ignores what it matches", { ignore: isTagged }, notFound, Outcome.ignored],
    ["ignore counts the rest", { ignore: isTagged }, text, failed],
    ["ignore by tag", { ignore: "NotFound" }, notFound, Outcome.ignored],
    ["ignore by tag counts others", { ignore: "NotFound" }, unavailable, failedFor("3 seconds")],
    ["ignore by tags", { ignore: ["NotFound", "Unavailable"] }, unavailable, Outcome.ignored],
    ["ignore leaves defects failures", { ignore: () => true }, Exit.die(new NotFound()), failed],
    ["ignore does not count a refusal", { ignore: () => false }, Exit.fail(refused), Outcome.ignored],
    ["ignore leaves values successes", { ignore: () => true }, Exit.succeed(1), Outcome.success],
    ["both: ignored before counted", { failureIf: isTagged, ignore: "NotFound" }, notFound, Outcome.ignored],
    ["both: counted", { failureIf: isTagged, ignore: "NotFound" }, unavailable, failedFor("3 seconds")],
    ["both: neither", { failureIf: isTagged, ignore: "NotFound" }, text, Outcome.ignored],
    ["an ignored error, and a counted one", { ignore: "NotFound" }, all(fail(new NotFound()), fail("x")), failed],
    ["an ignored error, and a defect", { ignore: "NotFound" }, all(fail(new NotFound()), die), failed],
    [
      "an ignored error, and interruption",
      { ignore: "NotFound" },
      all(fail(new NotFound()), interrupt),
      Outcome.ignored
    ],
    ["two ignored errors", { ignore: () => true }, all(fail("x"), fail("y")), Outcome.ignored],
    ["retryAfter reads the hint", { retryAfter: () => "7 seconds" }, text, failedFor("7 seconds")],
    ["retryAfter replaces the property", { retryAfter: () => 5 }, unavailable, failedFor(5)],
    ["retryAfter that finds none", { retryAfter: () => undefined }, unavailable, failed],
    ["retryAfter that finds no duration", { retryAfter: () => "soon" as never }, unavailable, failed],
    ["retryAfter is the default itself", { retryAfter: Outcome.hint }, unavailable, failedFor("3 seconds")],
    ["retryAfter with failureIf", { failureIf: "NotFound", retryAfter: () => 5 }, notFound, failedFor(5)],
    ["retryAfter with failureIf that ignores", { failureIf: "A", retryAfter: () => 5 }, notFound, Outcome.ignored],
    ["retryAfter with ignore", { ignore: "NotFound", retryAfter: () => 5 }, text, failedFor(5)],
    ["retryAfter with ignore that ignores", { ignore: "NotFound", retryAfter: () => 5 }, notFound, Outcome.ignored],
    ["retryAfter leaves defects without a hint", { retryAfter: () => 5 }, Exit.die("x"), failed],
    ["retryAfter leaves values successes", { retryAfter: () => 5 }, Exit.succeed(1), Outcome.success]
  ]
  for (const [name, options, exit, outcome] of table) {
    it(name, () => assert.deepStrictEqual(Outcome.classifier(options)(exit), outcome))
  }

  it("ignored errors give no hint", () => {
    const classify = Outcome.classifier({ ignore: "Unavailable" })
    assert.deepStrictEqual(classify(all(fail(new Unavailable({ retryAfter: Duration.seconds(3) })), fail("x"))), failed)
  })

  it("classify decides alone", () => {
    const classify: Outcome.Classify = (exit) => (Exit.isSuccess(exit) ? Outcome.failure() : Outcome.success)
    assert.strictEqual(Outcome.classifier({ classify }), classify)
    assert.strictEqual(Outcome.classifier({ classify, failureIf: undefined, ignore: undefined }), classify)
  })

  it("lets a predicate that throws throw", () => {
    const classify = Outcome.classifier({
      ignore: () => {
        throw new RangeError("from the predicate")
      }
    })
    assert.throws(() => classify(text), RangeError, "from the predicate")
  })

  it("gives retryAfter the errors that count, and no refusal", () => {
    const seen: Array<unknown> = []
    const classify = Outcome.classifier({
      ignore: "NotFound",
      retryAfter: (error) => void seen.push(error)
    })
    for (const exit of [notFound, text, Exit.fail(refused), Exit.die("x"), Exit.interrupt(1)]) classify(exit)
    assert.deepStrictEqual(seen, ["text"])
  })

  it("lets a retryAfter that throws throw", () => {
    const classify = Outcome.classifier({
      retryAfter: () => {
        throw new RangeError("from retryAfter")
      }
    })
    assert.throws(() => classify(text), RangeError, "from retryAfter")
  })
})

describe("bad options", () => {
  const classify: Outcome.Classify = () => Outcome.success
  const predicate = () => true
  const matchRule = "a predicate, a tag or a list of at least one tag"
  const tagRule = "a non-empty string"
  const table: ReadonlyArray<readonly [options: object, field: string, value: unknown, rule: string]> = [
    [{ classify, failureIf: predicate }, "failureIf", predicate, "absent where classify is given"],
    [{ classify, ignore: "NotFound" }, "ignore", "NotFound", "absent where classify is given"],
    [{ classify, retryAfter: predicate }, "retryAfter", predicate, "absent where classify is given"],
    ...["5 seconds", 5, null, {}].map((value) => [{ retryAfter: value }, "retryAfter", value, "a function"] as const),
    [{ classify: "Success" }, "classify", "Success", "a function"],
    [{ classify: null }, "classify", null, "a function"],
    ...(["failureIf", "ignore"] as const).flatMap((field) => [
      ...[[], 5, null, true, {}].map((value) => [{ [field]: value }, field, value, matchRule] as const),
      [{ [field]: "" }, field, "", tagRule] as const,
      ...["", 5].map((value) => [{ [field]: ["NotFound", value] }, `${field}.1`, value, tagRule] as const),
      [{ [field]: [predicate] }, `${field}.0`, predicate, tagRule] as const
    ])
  ]
  for (const [options, field, value, rule] of table) {
    it(`${Object.keys(options).join(" with ")}: ${JSON.stringify(value) ?? "a function"}`, () => {
      assert.deepStrictEqual(
        invalid(() => Outcome.classifier(options)),
        { module: "Outcome", field, value, rule }
      )
    })
  }
})

describe("properties", () => {
  const reason = Arbitrary.schema(Schema.Literals(["error", "ignored error", "refusal", "defect", "interruption"]))
  const causes = {
    error: fail("error"),
    "ignored error": fail("ignored"),
    refusal: fail(refused),
    defect: die,
    interruption: interrupt
  }

  it.prop(
    "a failure is ignored exactly where no reason counts, whatever the order",
    { reasons: Arbitrary.array(reason, { minLength: 1, maxLength: 6 }) },
    ({ reasons }) => {
      const classify = Outcome.classifier({ ignore: (error) => error === "ignored" })
      const outcome = classify(all(...reasons.map((each) => causes[each])))
      return outcome._tag === (reasons.some((each) => each === "error" || each === "defect") ? "Failure" : "Ignored")
    },
    { arbitrary: { runs: 500 } }
  )
})
