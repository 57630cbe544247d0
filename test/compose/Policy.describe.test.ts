import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as Policy from "../../src/compose/Policy.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import * as Retry from "../../src/policies/Retry.ts"

describe("describe", () => {
  class Payments extends CircuitBreaker.Service<Payments>()("payments") {}

  const full = Policy.make({
    fallback: () => Effect.void,
    deadline: "10 seconds",
    retry: {},
    breaker: Payments,
    attemptTimeout: { after: "2 seconds", operation: "charge" }
  })

  it("says every parameter and default as text", () => {
    assert.deepStrictEqual(Policy.describe(full).split("\n"), [
      "fallback: if=all, defects=false, source=fallback",
      "└─ deadline: after=10000, operation=none",
      "   └─ retry: maxAttempts=3, backoff.type=exponential, backoff.initial=100, backoff.max=60000, " +
        "backoff.factor=2, backoff.jitter=full, maxElapsed=none, while=every error, retryRefusals=false, " +
        "maxRetryAfter=60000, retryAfter=error.retryAfter, onRetry=none",
      `      └─ circuit breaker: ${described(CircuitBreaker.describe(Payments))}`,
      "         └─ attempt timeout: after=2000, operation=charge",
      "            └─ call"
    ])
    assert.strictEqual(Policy.describe(full, "text"), Policy.describe(full))
    assert.strictEqual(Policy.describe(Policy.identity), "call")
  })

  // Independent of the order in which the breaker lists its options.
  const described = (parameters: object, prefix = ""): string =>
    Object.entries(parameters)
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]: [string, unknown]) =>
        typeof value === "object" && value !== null
          ? Object.values(value).some((each) => each !== undefined)
            ? [described(value, `${prefix}${name}.`)]
            : []
          : [`${prefix}${name}=${String(value)}`]
      )
      .join(", ")

  it("says the parameters of a breaker", () => {
    const text = Policy.describe(Policy.circuitBreaker({ source: Payments, key: "eu", ignore: "NotFound" }))
    for (const part of [
      "name=payments",
      "trip.type=consecutive",
      "trip.failures=5",
      "openFor=30000",
      "maxOpenFor=3600000",
      "halfOpen.probes=1",
      "dryRun=false",
      "log=true",
      "keys.max=10000",
      "keys.idleFor=3600000",
      "key=eu",
      "ignore=NotFound"
    ]) {
      assert.include(text, part)
    }
    const breaker = CircuitBreaker.makeUnsafe("of any", {
      trip: TripPolicy.any(TripPolicy.consecutive(2), TripPolicy.failures({ count: 3, of: 10 }))
    })
    assert.include(
      Policy.describe(Policy.make({ breaker })),
      "name=of any, trip.type=any, trip.policies.0.type=consecutive, trip.policies.0.failures=2, trip.policies.1.type=failures, trip.policies.1.count=3, trip.policies.1.of=10"
    )
  })

  it("is data that JSON holds without loss", () => {
    const policy = Policy.compose(
      full,
      Policy.retry({ maxAttempts: Infinity, maxElapsed: 5, backoff: Schedule.spaced(1), while: ["A", "B"] }),
      Policy.fallback({ orElse: () => Effect.void, if: ["A"], source: "cache" })
    )
    const description = Policy.describe(policy, "json")
    assert.deepStrictEqual(JSON.parse(JSON.stringify(description)), description)
    assert.deepStrictEqual(
      description.layers.map(({ kind }) => kind),
      ["fallback", "deadline", "retry", "circuit breaker", "attempt timeout", "retry", "fallback"]
    )
    assert.deepStrictEqual(description.layers[1], {
      kind: "deadline",
      parameters: { after: 10_000, operation: "none" }
    })
    assert.deepStrictEqual(description.layers[2]?.parameters, {
      ...Retry.describe(),
      maxElapsed: "none",
      while: "every error",
      retryAfter: "error.retryAfter",
      onRetry: "none"
    })
    assert.deepInclude(description.layers[5]?.parameters, {
      maxAttempts: "Infinity",
      maxElapsed: 5,
      backoff: "a schedule",
      while: ["A", "B"]
    })
    assert.deepStrictEqual(description.layers[6]?.parameters, { if: ["A"], defects: false, source: "cache" })
    assert.deepStrictEqual(description.layers, policy.layers)
  })

  it("is a Mermaid flowchart", () => {
    const policy = Policy.compose(Policy.timeout("1 second"), Policy.timeout({ after: "2 seconds", operation: "b" }))
    assert.deepStrictEqual(Policy.describe(policy, "mermaid").split("\n"), [
      "flowchart LR",
      '  l0["timeout<br/>after=1000<br/>operation=none"]',
      '  l1["timeout<br/>after=2000<br/>operation=b"]',
      '  l2["call"]',
      "  l0 --> l1",
      "  l1 --> l2",
      '  w0>"warning#58; the timeout is not shorter than the timeout around it, so it never ends first"]',
      "  w0 -.- l1"
    ])
    assert.strictEqual(Policy.describe(Policy.identity, "mermaid"), 'flowchart LR\n  l0["call"]')
  })

  // Parsed by Mermaid 11.12 too, with these names among others.
  const names = [
    'quo"te',
    "<b>bold</b>",
    "`code`",
    "%%{init: {}}%%",
    "#quot;",
    "a; b",
    "style a:b#c;",
    "two\nlines",
    "] --> l0",
    "end",
    "\\",
    "漢字 é 😀",
    "a\u2028b"
  ]

  it.each(names)("escapes a name in Mermaid: %o", (name) => assertFlowchart(name))

  it.prop("every name makes a flowchart", [Schema.String], ([name]) => {
    if (name.trim() !== "") assertFlowchart(name)
  })

  const assertFlowchart = (name: string) => {
    const breaker = CircuitBreaker.makeUnsafe(name)
    const text = Policy.describe(
      Policy.compose(
        Policy.timeout(1),
        Policy.timeout({ after: 1, operation: name }),
        Policy.circuitBreaker({ source: breaker, key: name })
      ),
      "mermaid"
    )
    const [first, ...lines] = text.split("\n")
    assert.strictEqual(first, "flowchart LR")
    const safe =
      /^ {2}(?:l\d+\["(?:<br\/>|#\d+;|[\p{L}\p{N} .,=_/()[\]-])+"\]|w\d+>"(?:#\d+;|[\p{L}\p{N} .,=_/()[\]-])+"\]|l\d+ --> l\d+|w\d+ -\.- l\d+)$/u
    for (const line of lines) assert.match(line, safe)
    // What Mermaid shows is the name, in quotes where it needs some.
    const shown = (lines[2] ?? "").replaceAll(/#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    assert.isTrue(
      shown.includes(`name=${name}<br/>`) || shown.includes(`name=${JSON.stringify(name)}<br/>`),
      `${shown} has not the name ${name}`
    )
  }

  it("quotes what would not read as one value", () => {
    const values: ReadonlyArray<[operation: string, shown: string]> = [
      ["charge", "charge"],
      ["charge an order", "charge an order"],
      ["é/漢:1.2_3-4", "é/漢:1.2_3-4"],
      ["a, b", '"a, b"'],
      ["a b=c", '"a b=c"'],
      [" a", '" a"'],
      ["a  b", '"a  b"'],
      ["a ", '"a "']
    ]
    for (const [operation, shown] of values) {
      assert.include(Policy.describe(Policy.timeout({ after: 1, operation })), `timeout: after=1, operation=${shown}\n`)
    }
    assert.include(Policy.describe(Policy.retry({ while: "A" })), ', while=["A"], ')
  })

  it("keeps a name on its line of text", () => {
    const breaker = CircuitBreaker.makeUnsafe("a\n└─ call, b=c")
    const text = Policy.describe(Policy.make({ breaker }))
    assert.strictEqual(text.split("\n").length, 2)
    assert.include(text, 'name="a\\n└─ call, b=c", ')
  })
})

describe("warnings", () => {
  const breaker = CircuitBreaker.makeUnsafe("api")
  const slow = CircuitBreaker.makeUnsafe("slow", { trip: TripPolicy.slowCalls({ after: "1 second" }) })
  const slowToo = CircuitBreaker.makeUnsafe("slow too", {
    trip: TripPolicy.any(TripPolicy.consecutive(5), TripPolicy.slowCalls({ after: "1 second" }))
  })
  const several = CircuitBreaker.makeUnsafe("several", {
    trip: TripPolicy.any(TripPolicy.consecutive(5), TripPolicy.failures({ count: 3, of: 10 }))
  })
  const fallback = Policy.fallback(() => Effect.void)
  const named = Policy.fallback({ orElse: () => Effect.void, if: "NotFound" })
  const retry = Policy.retry()
  const guard = Policy.circuitBreaker(breaker)
  const timeout = Policy.timeout("1 second")
  const longer = Policy.timeout("2 seconds")

  const compose = Policy.compose as (...policies: ReadonlyArray<Policy.Any>) => Policy.Any
  const warnings = (...policies: ReadonlyArray<Policy.Any>) => Policy.describe(compose(...policies), "json").warnings

  const hidden = (from: string, pronoun = "it") => `the fallback inside the ${from} hides every failure from ${pronoun}`
  const outside =
    "the circuit breaker ignores calls that a timeout outside it interrupts: put a timeout inside, or count slow calls"
  const late = (inner: string, outer: string) =>
    `the ${inner} is not shorter than the ${outer} around it, so it never ends first`

  it("the canonical order has none", () => {
    const slots = {
      fallback: () => Effect.void,
      deadline: "10 seconds",
      retry: {},
      breaker,
      attemptTimeout: "1 second"
    } as const
    const names = Object.keys(slots) as Array<keyof typeof slots>
    for (let subset = 0; subset < 2 ** names.length; subset++) {
      const chosen = Object.fromEntries(
        names.filter((_, i) => (subset & (1 << i)) !== 0).map((name) => [name, slots[name]])
      )
      const { warnings } = Policy.describe(Policy.make(chosen), "json")
      // Without an attempt timeout, nothing tells the breaker that a call hangs.
      const hangs = "deadline" in chosen && "breaker" in chosen && !("attemptTimeout" in chosen)
      assert.deepStrictEqual(warnings, hangs ? [outside] : [], Object.keys(chosen).join(", "))
    }
  })

  it("a fallback inside a retry or a breaker hides failures", () => {
    assert.deepStrictEqual(warnings(retry, fallback), [hidden("retry")])
    assert.deepStrictEqual(warnings(guard, fallback), [hidden("circuit breaker")])
    assert.deepStrictEqual(warnings(retry, guard, fallback), [hidden("retry and the circuit breaker", "them")])
    assert.deepStrictEqual(warnings(fallback, retry, guard), [])
    assert.deepStrictEqual(warnings(timeout, fallback), [])
  })

  it("a fallback that names its errors is meant", () => {
    assert.deepStrictEqual(warnings(retry, guard, named), [])
  })

  it("a retry inside a breaker continues", () => {
    assert.deepStrictEqual(warnings(guard, retry), [
      "the retry inside the circuit breaker continues while the dependency fails, and counts as one call"
    ])
    assert.deepStrictEqual(warnings(retry, guard), [])
  })

  it("a retry inside a retry multiplies", () => {
    assert.deepStrictEqual(warnings(retry, Policy.retry({ maxAttempts: 2 })), [
      "the retry inside a retry multiplies the attempts"
    ])
  })

  it("a timeout outside a breaker hides that calls hang, unless one is inside or slow calls count", () => {
    assert.deepStrictEqual(warnings(timeout, guard), [outside])
    assert.deepStrictEqual(warnings(longer, guard, timeout), [])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(several)), [outside])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(slow)), [])
    assert.deepStrictEqual(warnings(timeout, Policy.circuitBreaker(slowToo)), [])
    assert.deepStrictEqual(warnings(guard, timeout), [])
  })

  it("a timeout that is not shorter than the one around it never ends first", () => {
    assert.deepStrictEqual(warnings(timeout, longer), [late("timeout", "timeout")])
    assert.deepStrictEqual(warnings(longer, timeout), [])
    assert.deepStrictEqual(warnings(Policy.make({ deadline: 10, attemptTimeout: 10 })), [
      late("attempt timeout", "deadline")
    ])
    assert.deepStrictEqual(warnings(Policy.make({ deadline: 10, attemptTimeout: 9 })), [])
    assert.deepStrictEqual(warnings(timeout, Policy.make({ deadline: 2000, attemptTimeout: 1500 })), [
      late("deadline", "timeout"),
      late("attempt timeout", "timeout")
    ])
  })

  it("stand in the text and in the flowchart, at their layer", () => {
    const policy = compose(guard, retry)
    assert.match(Policy.describe(policy).split("\n").at(-1) ?? "", /^warning: the retry inside the circuit breaker/)
    assert.match(Policy.describe(policy, "mermaid"), / {2}w0>"warning#58; the retry inside .*"\]\n {2}w0 -\.- l1$/)
  })
})
