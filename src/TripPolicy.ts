/**
 * Trip policies: when a closed circuit opens.
 *
 * **Details**
 *
 * - A policy is plain data with a `Schema`, so it can be stored, compared and
 *   read from JSON.
 * - `consecutive` counts failures in a row, `failures` those among the last
 *   calls, `rate` their share over time, `slowCalls` the share of slow calls
 *   over time, and `any` opens when one of several policies does.
 * - Counts are literal: 5 of 10 is five failures among ten calls, and not one
 *   among two.
 * - Ignored outcomes count for nothing. A call that is interrupted after
 *   `slowCalls.after` counts as slow, so an outer timeout cannot hide a hang.
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
import { isObject } from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Options from "./Options.ts"
import * as Window from "./Window.ts"

/**
 * Policy that opens after `failures` failures in a row, in order of completion.
 */
export interface Consecutive {
  readonly _tag: "Consecutive"
  readonly failures: number
}

/**
 * Policy that opens at `count` failures among the last `of` calls, once
 * `minimumCalls` have been counted.
 */
export interface Failures {
  readonly _tag: "Failures"
  readonly count: number
  readonly of: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when the share of failures among the calls of the last
 * `withinMillis` reaches `ratio`, once `minimumCalls` have been counted.
 */
export interface Rate {
  readonly _tag: "Rate"
  readonly ratio: number
  readonly withinMillis: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when the share of calls that took `afterMillis` or longer
 * among the calls of the last `withinMillis` reaches `ratio`, once
 * `minimumCalls` have been counted.
 */
export interface SlowCalls {
  readonly _tag: "SlowCalls"
  readonly afterMillis: number
  readonly ratio: number
  readonly withinMillis: number
  readonly minimumCalls: number
}

/**
 * Policy that opens when one of its policies does.
 */
export interface Any {
  readonly _tag: "Any"
  readonly policies: ReadonlyArray<Consecutive | Failures | Rate | SlowCalls>
}

/**
 * Policy that says when a closed circuit opens.
 */
export type TripPolicy = Consecutive | Failures | Rate | SlowCalls | Any

/**
 * Values that options have where they are not given.
 */
export const defaults = {
  failures: 5,
  ratio: 0.5,
  within: "1 minute",
  minimumCalls: 10
} as const

const module = "TripPolicy"

/**
 * Creates the policy that opens after `failures` (default 5) failures in a row.
 */
export const consecutive = (failures: number = defaults.failures): Consecutive =>
  check({ _tag: "Consecutive", failures })

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
}): Failures => check({ _tag: "Failures", count, of, minimumCalls })

/**
 * Creates the policy that opens when the share of failures over time reaches a
 * ratio.
 *
 * **Details**
 *
 * `ratio` (default 0.5) is in (0, 1], `within` (default 1 minute) is how far
 * back calls count, `minimumCalls` (default 10) how many must have been
 * counted.
 */
export const rate = ({
  ratio = defaults.ratio,
  within = defaults.within,
  minimumCalls = defaults.minimumCalls
}: {
  readonly ratio?: number | undefined
  readonly within?: Duration.Input | undefined
  readonly minimumCalls?: number | undefined
} = {}): Rate => check({ _tag: "Rate", ratio, withinMillis: Options.millis(module, "within", within), minimumCalls })

/**
 * Creates the policy that opens when the share of slow calls over time reaches
 * a ratio.
 *
 * **Details**
 *
 * A call is slow when it took `after` or longer, whether it failed or not. The
 * other options are those of `rate`.
 */
export const slowCalls = ({
  after,
  ...options
}: {
  readonly after: Duration.Input
  readonly ratio?: number | undefined
  readonly within?: Duration.Input | undefined
  readonly minimumCalls?: number | undefined
}): SlowCalls => ({ ...rate(options), _tag: "SlowCalls", afterMillis: Options.millis(module, "after", after) })

/**
 * Creates the policy that opens when one of several policies does.
 */
export const any = (...policies: ReadonlyArray<TripPolicy>): Any =>
  check({ _tag: "Any", policies: policies.flatMap((policy) => (policy?._tag === "Any" ? policy.policies : [policy])) })

const maxCalls = 1_000_000

/**
 * Returns the policy, and throws an `InvalidOptionError` for data that no
 * constructor makes.
 */
export const check = <P extends TripPolicy>(policy: P): P => {
  const data: TripPolicy = policy
  switch (data?._tag) {
    case "Consecutive":
      Options.count(module, "failures", data.failures)
      break
    case "Failures":
      Options.count(module, "of", data.of)
      if (data.of > maxCalls) Options.reject(module, "of", data.of, `at most ${maxCalls}`)
      for (const field of ["count", "minimumCalls"] as const) {
        Options.count(module, field, data[field])
        if (data[field] > data.of) Options.reject(module, field, data[field], `at most of (${data.of})`)
      }
      break
    case "SlowCalls":
      Options.above(module, "afterMillis", data.afterMillis, 0)
      checkOverTime(data)
      break
    case "Rate":
      checkOverTime(data)
      break
    case "Any":
      if (!Array.isArray(data.policies) || data.policies.length === 0) {
        Options.reject(module, "policies", data.policies, "a list of at least one policy")
      }
      data.policies.forEach((each, i) => {
        if (!["Consecutive", "Failures", "Rate", "SlowCalls"].includes(each?._tag)) {
          Options.reject(module, `policies.${i}`, each, "a trip policy that is not any")
        }
        Options.at(`policies.${i}`, () => check(each))
      })
      break
    default:
      Options.reject(module, "trip", policy, "a trip policy")
  }
  return policy
}

const checkOverTime = (policy: Rate | SlowCalls): void => {
  Options.ratio(module, "ratio", policy.ratio)
  Options.above(module, "withinMillis", policy.withinMillis, 0)
  Options.count(module, "minimumCalls", policy.minimumCalls)
}

/**
 * Returns how long a call must take to be slow, in milliseconds, or `Infinity`
 * where the policy does not look at that.
 */
export const slowAfterMillis = (policy: TripPolicy): number =>
  policy._tag === "SlowCalls"
    ? policy.afterMillis
    : policy._tag === "Any"
      ? Math.min(...policy.policies.map(slowAfterMillis))
      : Number.POSITIVE_INFINITY

/**
 * Returns whether a policy looks at when calls end, or at how long they take.
 */
export const isTimed = (policy: TripPolicy): boolean =>
  policy._tag === "Any" ? policy.policies.some(isTimed) : policy._tag === "Rate" || policy._tag === "SlowCalls"

/**
 * Creates the window that a policy looks at.
 */
export const window = (policy: TripPolicy): Window.Window => {
  switch (policy._tag) {
    case "Consecutive":
      return new Window.Streak()
    case "Failures":
      return new Window.LastCalls(policy.of)
    case "Any":
      return policy.policies.map(window)
    default:
      return new Window.LastTime(policy.withinMillis)
  }
}

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
  outcome: "Success" | "Failure" | "Ignored",
  elapsed: number,
  now: number
): string | undefined => {
  // The window is one that `window` made for this policy.
  const failed = outcome === "Failure"
  switch (policy._tag) {
    case "Consecutive": {
      if (outcome === "Ignored") return undefined
      const streak = counted as Window.Streak
      streak.record(failed)
      return streak.hits >= policy.failures ? `${streak.hits} consecutive failures` : undefined
    }
    case "Failures": {
      if (outcome === "Ignored") return undefined
      const last = counted as Window.LastCalls
      last.record(failed)
      return last.hits >= policy.count && last.calls >= policy.minimumCalls
        ? `${last.hits} failures in the last ${last.calls} calls`
        : undefined
    }
    case "Any": {
      const windows = counted as ReadonlyArray<Window.Window>
      let reason: string | undefined
      for (let i = 0; i < policy.policies.length; i++) {
        // Every window counts every call, also after one of them tripped.
        const tripped = record(policy.policies[i] as TripPolicy, windows[i] as Window.Window, outcome, elapsed, now)
        reason ??= tripped
      }
      return reason
    }
    default: {
      const slow = policy._tag === "SlowCalls"
      const hit = slow ? elapsed >= policy.afterMillis : failed
      // An interrupted call says nothing, unless it was slow already.
      if (outcome === "Ignored" && !(slow && hit)) return undefined
      const last = counted as Window.LastTime
      last.record(hit, now)
      return last.calls >= policy.minimumCalls && last.hits / last.calls >= policy.ratio
        ? `${last.hits} of ${last.calls} calls in ${policy.withinMillis} ms ${slow ? "slow" : "failed"}`
        : undefined
    }
  }
}

/**
 * Returns what the windows of a policy have counted, at `now` in milliseconds.
 */
export const read = (
  policy: TripPolicy,
  counted: Window.Window,
  now: number
): ReadonlyArray<{ readonly policy: TripPolicy["_tag"]; readonly hits: number; readonly calls: number }> => {
  // The window is one that `window` made for this policy.
  switch (policy._tag) {
    case "Any": {
      const windows = counted as ReadonlyArray<Window.Window>
      // There is a window for each policy.
      return policy.policies.flatMap((each, i) => read(each, windows[i] as Window.Window, now))
    }
    case "Consecutive": {
      const { hits } = counted as Window.Streak
      return [{ policy: policy._tag, hits, calls: hits }]
    }
    default: {
      const last = counted as Window.LastCalls | Window.LastTime
      if (last instanceof Window.LastTime) last.advance(now)
      return [{ policy: policy._tag, hits: last.hits, calls: last.calls }]
    }
  }
}

/**
 * Policy as it stands in JSON: the name of its constructor and the options of
 * that constructor.
 */
export type ConfigJson =
  | { readonly type: "consecutive"; readonly failures?: number }
  | { readonly type: "failures"; readonly count: number; readonly of: number; readonly minimumCalls?: number }
  | {
      readonly type: "rate"
      readonly ratio?: number
      readonly within?: Options.DurationJson
      readonly minimumCalls?: number
    }
  | {
      readonly type: "slowCalls"
      readonly after: Options.DurationJson
      readonly ratio?: number
      readonly within?: Options.DurationJson
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
export const fromJson = (json: Options.Json): TripPolicy => {
  const { type, ...rest } = json
  // The constructors check each value, whatever its type.
  const options = rest as never
  const allow = (...keys: ReadonlyArray<string>) => Options.keys(module, rest, keys)
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
      if (!Array.isArray(policies)) return Options.reject(module, "policies", policies, "a list of policies")
      return any(
        ...policies.map((policy: unknown, i) =>
          isObject(policy)
            ? Options.at(`policies.${i}`, () => fromJson(policy))
            : Options.reject(module, `policies.${i}`, policy, "an object")
        )
      )
    }
    default:
      return Options.reject(module, "type", type, "one of consecutive, failures, rate, slowCalls, any")
  }
}

/**
 * Writes a policy as the JSON that `fromJson` reads.
 */
export const toJson = (policy: TripPolicy): ConfigJson => {
  switch (policy._tag) {
    case "Consecutive":
      return { type: "consecutive", failures: policy.failures }
    case "Failures":
      return { type: "failures", count: policy.count, of: policy.of, minimumCalls: policy.minimumCalls }
    case "Rate":
      return { type: "rate", ratio: policy.ratio, within: policy.withinMillis, minimumCalls: policy.minimumCalls }
    case "SlowCalls":
      return {
        type: "slowCalls",
        after: policy.afterMillis,
        ratio: policy.ratio,
        within: policy.withinMillis,
        minimumCalls: policy.minimumCalls
      }
    case "Any":
      return { type: "any", policies: policy.policies.map(toJson) }
  }
}

/**
 * Returns whether a value is a trip policy.
 */
export const isTripPolicy = (u: unknown): u is TripPolicy => {
  try {
    // `check` looks at data of any type.
    check(u as TripPolicy)
    return true
  } catch {
    return false
  }
}

/**
 * Schema of a trip policy in JSON, as `fromJson` reads it, or in the environment
 * through `Config.schema` of Effect.
 */
export const Config: Schema.Codec<TripPolicy, ConfigJson> = /* @__PURE__ */ (() =>
  Options.parsed(
    {
      type: Schema.String,
      failures: Schema.Number,
      count: Schema.Number,
      of: Schema.Number,
      minimumCalls: Schema.Number,
      ratio: Schema.Number,
      within: Options.DurationInput,
      after: Options.DurationInput,
      policies: Schema.Array(Schema.suspend(() => Config))
    },
    isTripPolicy,
    fromJson,
    toJson
  ))()
