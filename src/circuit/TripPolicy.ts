/**
 * Trip policies: when a closed circuit opens.
 *
 * **Details**
 *
 * - A policy is plain data with a `Schema`, so it can be stored, compared and
 *   read from JSON. What it does is beside the data, in a property that is not
 *   enumerable: an app bundles the policies that it names and no others.
 * - `consecutive` counts failures in a row, `failures` those among the last
 *   calls, `rate` their share over time, `slowCalls` the share of slow calls
 *   over time, and `any` opens when one of several policies does.
 * - Counts are literal: 5 of 10 is five failures among ten calls, and not one
 *   among two.
 * - Ignored outcomes count for nothing. A call that is interrupted after
 *   `slowCalls.after` counts as slow, so an outer timeout cannot hide a hang.
 *
 * **Gotchas**
 *
 * A copy of a policy's data is not a policy. Store what `describe` returns, and read
 * it with `fromJson`.
 *
 * **Example** (Opening at the third failure among ten calls, or when most calls are slow)
 *
 * ```ts
 * import { TripPolicy } from "effect-resilience"
 *
 * const trip = TripPolicy.any(
 *   TripPolicy.failures({ count: 3, of: 10 }),
 *   TripPolicy.slowCalls({ after: "2 seconds", ratio: 0.8, within: "1 minute", minimumCalls: 20 })
 * )
 *
 * trip.policies.map((policy) => policy._tag) // => ["Failures", "SlowCalls"]
 * ```
 */
import type * as Duration from "effect/Duration"
import { hasProperty, isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as Window from "./internal/Window.ts"

export type { Window } from "./internal/Window.ts"

/**
 * Key of the functions of a policy.
 */
export const TypeId = "~effect-resilience/TripPolicy"

/**
 * Part that all policies have.
 */
export interface Policy<Tag extends string> {
  readonly _tag: Tag
  readonly [TypeId]: Methods<TripPolicy, Window.Window>
}

/**
 * Policy that opens after `failures` failures in a row, in order of completion.
 */
export interface Consecutive extends Policy<"Consecutive"> {
  readonly failures: number
}

/**
 * Policy that opens at `count` failures among the last `of` calls, once
 * `minimumCalls` have been counted.
 */
export interface Failures extends Policy<"Failures"> {
  readonly count: number
  readonly of: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when the share of failures among the calls of the last
 * `withinMillis` reaches `ratio`, once `minimumCalls` have been counted.
 */
export interface Rate extends Policy<"Rate"> {
  readonly ratio: number
  readonly withinMillis: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when the share of calls that took `afterMillis` or longer
 * among the calls of the last `withinMillis` reaches `ratio`, once
 * `minimumCalls` have been counted.
 */
export interface SlowCalls extends Policy<"SlowCalls"> {
  readonly afterMillis: number
  readonly ratio: number
  readonly withinMillis: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when one of its policies does.
 */
export interface Any extends Policy<"Any"> {
  readonly policies: ReadonlyArray<Exclude<TripPolicy, Any>>
}

/**
 * Policy that says when a closed circuit opens.
 */
export type TripPolicy = Consecutive | Failures | Rate | SlowCalls | Any

/**
 * Why a circuit has to open.
 */
export interface Trip {
  readonly reason: string
  /** Failures, or slow calls, in the window. */
  readonly failures: number
}

/**
 * Count of a window.
 */
export interface Count {
  readonly policy: TripPolicy["_tag"]
  /** Failures, or slow calls. */
  readonly hits: number
  readonly calls: number
}

/**
 * Functions of the policies of one kind. A window is one that they made for that
 * policy.
 */
export interface Methods<P, W> {
  /** Returns whether the policy needs to know when calls end, or how long they take. */
  isTimed(policy: P): boolean
  /** Returns how long a call must take to be slow, in milliseconds. */
  slowAfterMillis(policy: P): number
  /** Creates the window that the policy looks at. */
  window(policy: P): W
  /** Counts a call in the window and returns why the circuit has to open, if it has. */
  record(policy: P, window: W, outcome: Outcome, elapsed: number, now: number): Trip | undefined
  /** Returns what the window has counted. */
  read(policy: P, window: W, now: number): ReadonlyArray<Count>
  /** Returns the policy as JSON. */
  describe(policy: P): ConfigJson
}

type Outcome = "Success" | "Failure" | "Ignored"

/**
 * Options where none are given.
 */
export const defaults = {
  failures: 5,
  ratio: 0.5,
  within: "1 minute",
  minimumCalls: 10
} as const

const module = "TripPolicy"

// All policies of a kind have the same methods, so equal data is an equal policy.
const make = <P extends TripPolicy, W extends Window.Window>(data: Omit<P, typeof TypeId>, methods: Methods<P, W>): P =>
  Object.defineProperty(data, TypeId, { value: methods }) as P // it has the property now

const no = () => false
const yes = () => true
const never = () => Number.POSITIVE_INFINITY

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/**
 * Creates the policy that opens after `failures` (default 5) failures in a row.
 */
export const consecutive = (failures: number = defaults.failures): Consecutive =>
  make({ _tag: "Consecutive", failures: Rules.count(module, "failures", failures) }, consecutiveMethods)

const consecutiveMethods: Methods<Consecutive, Window.Streak> = {
  isTimed: no,
  slowAfterMillis: never,
  window: () => new Window.Streak(),
  record({ failures }, streak, outcome) {
    if (outcome === "Ignored") return undefined
    streak.record(outcome === "Failure")
    const { hits } = streak
    return hits >= failures ? { reason: plural(hits, "consecutive failure"), failures: hits } : undefined
  },
  read: ({ _tag }, { hits }) => [{ policy: _tag, hits, calls: hits }],
  describe: ({ failures }) => ({ type: "consecutive", failures })
}

const maxCalls = 1_000_000

/**
 * Creates the policy that opens at `count` failures among the last `of` calls.
 *
 * **Details**
 *
 * - `of` is at most a million: a circuit keeps one bit for each.
 * - `minimumCalls` is how many calls must have been counted: by default `count`,
 *   so the first `count` failures open; `of` waits for a full window.
 */
export const failures = ({
  count,
  of,
  minimumCalls = count
}: {
  readonly count: number
  readonly of: number
  readonly minimumCalls?: number | undefined
}): Failures => {
  Rules.count(module, "of", of)
  if (of > maxCalls) Rules.reject(module, "of", of, `at most ${maxCalls}`)
  for (const [field, value] of Object.entries({ count, minimumCalls })) {
    Rules.count(module, field, value)
    if (value > of) Rules.reject(module, field, value, `at most of (${of})`)
  }
  return make({ _tag: "Failures", count, of, minimumCalls }, failuresMethods)
}

const failuresMethods: Methods<Failures, Window.LastCalls> = {
  isTimed: no,
  slowAfterMillis: never,
  window: ({ of }) => new Window.LastCalls(of),
  record({ count, minimumCalls }, last, outcome) {
    if (outcome === "Ignored") return undefined
    last.record(outcome === "Failure")
    const { calls, hits } = last
    return hits >= count && calls >= minimumCalls
      ? { reason: `${plural(hits, "failure")} in the last ${plural(calls, "call")}`, failures: hits }
      : undefined
  },
  read: ({ _tag }, { calls, hits }) => [{ policy: _tag, hits, calls }],
  describe: ({ count, minimumCalls, of }) => ({ type: "failures", count, of, minimumCalls })
}

/**
 * Options of the policies that count a share of calls over time.
 */
export interface ShareOptions {
  /** Share that opens the circuit, in (0, 1]. Default: 0.5. */
  readonly ratio?: number | undefined
  /** How far back calls count, more than zero. Default: 1 minute. */
  readonly within?: Duration.Input | undefined
  /** Calls that must have been counted, at least 1. Default: 10. */
  readonly minimumCalls?: number | undefined
}

const checkShare = ({
  ratio = defaults.ratio,
  within = defaults.within,
  minimumCalls = defaults.minimumCalls
}: ShareOptions) => ({
  ratio: Rules.ratio(module, "ratio", ratio),
  withinMillis: Rules.millis(module, "within", within),
  minimumCalls: Rules.count(module, "minimumCalls", minimumCalls)
})

const lastTime = ({ withinMillis }: Rate | SlowCalls) => new Window.LastTime(withinMillis)

const readShare = ({ _tag }: Rate | SlowCalls, last: Window.LastTime, now: number): ReadonlyArray<Count> => {
  last.advance(now)
  return [{ policy: _tag, hits: last.hits, calls: last.calls }]
}

const recordShare = (
  { minimumCalls, ratio, withinMillis }: Rate | SlowCalls,
  last: Window.LastTime,
  hit: boolean,
  outcome: Outcome,
  now: number,
  word: string
): Trip | undefined => {
  // An interrupted call says nothing, unless it was slow already.
  if (outcome === "Ignored" && !hit) return undefined
  last.record(hit, now)
  const { calls, hits } = last
  return calls >= minimumCalls && hits / calls >= ratio
    ? { reason: `${hits} of ${calls} calls in ${withinMillis} ms ${word}`, failures: hits }
    : undefined
}

/**
 * Creates the policy that opens when the share of failures over time reaches a
 * ratio.
 */
export const rate = (options: ShareOptions = {}): Rate => make({ _tag: "Rate", ...checkShare(options) }, rateMethods)

const rateMethods: Methods<Rate, Window.LastTime> = {
  isTimed: yes,
  slowAfterMillis: never,
  window: lastTime,
  record: (policy, last, outcome, _, now) => recordShare(policy, last, outcome === "Failure", outcome, now, "failed"),
  read: readShare,
  describe: ({ minimumCalls, ratio, withinMillis }) => ({ type: "rate", ratio, within: withinMillis, minimumCalls })
}

/**
 * Creates the policy that opens when the share of slow calls over time reaches
 * a ratio.
 *
 * **Details**
 *
 * A call is slow when it took `after` or longer, whether it failed or not.
 */
export const slowCalls = ({ after, ...options }: ShareOptions & { readonly after: Duration.Input }): SlowCalls =>
  make(
    { _tag: "SlowCalls", afterMillis: Rules.millis(module, "after", after), ...checkShare(options) },
    slowCallsMethods
  )

const slowCallsMethods: Methods<SlowCalls, Window.LastTime> = {
  isTimed: yes,
  window: lastTime,
  slowAfterMillis: ({ afterMillis }) => afterMillis,
  record: (policy, last, outcome, elapsed, now) =>
    recordShare(policy, last, elapsed >= policy.afterMillis, outcome, now, "slow"),
  read: readShare,
  describe: ({ afterMillis, minimumCalls, ratio, withinMillis }) => ({
    type: "slowCalls",
    after: afterMillis,
    ratio,
    within: withinMillis,
    minimumCalls
  })
}

/**
 * Creates the policy that opens when one of several policies does.
 */
export const any = (...policies: ReadonlyArray<TripPolicy>): Any => {
  const flat = policies.flatMap((policy) => (policy?._tag === "Any" ? policy.policies : [policy]))
  if (flat.length === 0) Rules.reject(module, "policies", flat, "a list of at least one policy")
  flat.forEach((policy, i) => check(policy, `policies.${i}`))
  return make({ _tag: "Any", policies: flat }, anyMethods)
}

const anyMethods: Methods<Any, ReadonlyArray<Window.Window>> = {
  isTimed: ({ policies }) => policies.some(isTimed),
  slowAfterMillis: ({ policies }) => Math.min(...policies.map(slowAfterMillis)),
  window: ({ policies }) => policies.map(window),
  record({ policies }, windows, outcome, elapsed, now) {
    let first: Trip | undefined
    policies.forEach((policy, i) => {
      // Every window counts every call, also after one of them tripped. There is one for each policy.
      const trip = record(policy, windows[i] as Window.Window, outcome, elapsed, now)
      first ??= trip
    })
    return first
  },
  // There is a window for each policy.
  read: ({ policies }, windows, now) => policies.flatMap((each, i) => read(each, windows[i] as Window.Window, now)),
  describe: ({ policies }) => ({ type: "any", policies: policies.map(describe) })
}

/**
 * Returns whether a value is a trip policy.
 */
export const isTripPolicy = (u: unknown): u is TripPolicy => hasProperty(u, TypeId)

/**
 * Returns the policy, and throws an `InvalidOptionError` for what no function
 * of this module made. `field` is the name of the option.
 */
export const check = <P extends TripPolicy>(policy: P, field = "trip"): P =>
  isTripPolicy(policy) ? policy : Rules.reject(module, field, policy, "a policy that TripPolicy made")

/**
 * Returns how long a call must take to be slow, in milliseconds, or `Infinity`
 * where the policy counts no slow calls.
 */
export const slowAfterMillis = (policy: TripPolicy): number => policy[TypeId].slowAfterMillis(policy)

/**
 * Returns whether a policy needs to know when calls end, or how long they take.
 */
export const isTimed = (policy: TripPolicy): boolean => policy[TypeId].isTimed(policy)

/**
 * Creates the window that a policy looks at.
 */
export const window = (policy: TripPolicy): Window.Window => policy[TypeId].window(policy)

/**
 * Counts a call in the policy's window and returns why the circuit has to open,
 * or `undefined` where it has not.
 *
 * **Details**
 *
 * `outcome` is what the call said, `elapsed` how long it took and `now` when it
 * ended, in milliseconds. The window must be one that `window` made for the
 * same policy.
 */
export const record = (
  policy: TripPolicy,
  counted: Window.Window,
  outcome: Outcome,
  elapsed: number,
  now: number
): Trip | undefined => policy[TypeId].record(policy, counted, outcome, elapsed, now)

/**
 * Returns what the windows of a policy have counted, at `now` in milliseconds.
 */
export const read = (policy: TripPolicy, counted: Window.Window, now: number): ReadonlyArray<Count> =>
  policy[TypeId].read(policy, counted, now)

/**
 * Policy in JSON: the name of its constructor and the options of that
 * constructor.
 */
export type ConfigJson =
  | { readonly type: "consecutive"; readonly failures?: number }
  | { readonly type: "failures"; readonly count: number; readonly of: number; readonly minimumCalls?: number }
  | {
      readonly type: "rate"
      readonly ratio?: number
      readonly within?: ConfigSchema.DurationJson
      readonly minimumCalls?: number
    }
  | {
      readonly type: "slowCalls"
      readonly after: ConfigSchema.DurationJson
      readonly ratio?: number
      readonly within?: ConfigSchema.DurationJson
      readonly minimumCalls?: number
    }
  | { readonly type: "any"; readonly policies: ReadonlyArray<ConfigJson> }

/**
 * Reads a policy from JSON.
 *
 * **Details**
 *
 * The object has a `type` (`"consecutive"`, `"failures"`, `"rate"`,
 * `"slowCalls"` or `"any"`) and the options of that constructor, with durations
 * as strings such as `"1 minute"` or as milliseconds. Throws an
 * `InvalidOptionError` for anything else.
 */
export const fromJson = (json: Rules.Json): TripPolicy => {
  const { type, ...rest } = json
  // The constructors check each value, whatever its type.
  const options = rest as never
  const allow = (...keys: ReadonlyArray<string>) => Rules.keys(module, rest, keys)
  switch (type) {
    case "consecutive":
      allow("failures")
      return consecutive(rest["failures"] as never)
    case "failures":
      allow("count", "of", "minimumCalls")
      return failures(options)
    case "rate":
      allow("ratio", "within", "minimumCalls")
      return rate(options)
    case "slowCalls":
      allow("after", "ratio", "within", "minimumCalls")
      return slowCalls(options)
    case "any": {
      allow("policies")
      const { policies } = rest
      if (!Array.isArray(policies)) return Rules.reject(module, "policies", policies, "a list of policies")
      return any(
        ...policies.map((policy: unknown, i) =>
          isObject(policy)
            ? Rules.at(`policies.${i}`, () => fromJson(policy))
            : Rules.reject(module, `policies.${i}`, policy, "an object")
        )
      )
    }
    default:
      return Rules.reject(module, "type", type, "one of consecutive, failures, rate, slowCalls, any")
  }
}

/**
 * Returns a policy as the JSON that `Config` and `fromJson` read.
 */
export const describe = (policy: TripPolicy): ConfigJson => policy[TypeId].describe(policy)

/**
 * Schema of a trip policy in JSON, as `fromJson` reads it, or in the environment
 * through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<TripPolicy, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.parsed(
    {
      type: Schema.String,
      failures: Schema.Number,
      count: Schema.Number,
      of: Schema.Number,
      minimumCalls: Schema.Number,
      ratio: Schema.Number,
      within: ConfigSchema.DurationInput,
      after: ConfigSchema.DurationInput,
      policies: Schema.Array(Schema.suspend(() => Config))
    },
    isTripPolicy,
    fromJson,
    describe
  ))()
