/**
 * Random histories of a circuit: a policy and a sequence of commands, steered
 * so that they lead somewhere.
 */
import { Arbitrary, Schema } from "effect"
import type { Outcome, Policy, Trip } from "./Model.ts"

export type Command =
  | { readonly _tag: "Admit" }
  /** Settles the n-th latest of the admissions that have not settled. */
  | { readonly _tag: "Settle"; readonly pick: number; readonly outcome: Outcome; readonly hint: number }
  | { readonly _tag: "Wait"; readonly millis: number }
  | { readonly _tag: "Hold"; readonly as: "HeldOpen" | "HeldClosed"; readonly forMillis: number | undefined }
  | { readonly _tag: "Release" }
  | { readonly _tag: "Reset" }

export interface History {
  readonly policy: Policy
  readonly commands: ReadonlyArray<Command>
}

const one = <const L extends ReadonlyArray<string | number | boolean>>(values: L) =>
  Arbitrary.schema(Schema.Literals(values))

/**
 * Every duration is a multiple of this one, and windows over time have slots of
 * it: then what a window counts is exact, whatever its slots are.
 */
const unit = 100

const within = 10 * unit
const slow = 3 * unit
const pace = 2 * unit
const lease = 6 * unit
const openings = [4 * unit, 8 * unit, 16 * unit]
const maxOpenFor = 12 * unit
const hold = 7 * unit

const trip: Arbitrary.Arbitrary<ReadonlyArray<Trip>> = Arbitrary.all({
  kind: one(["consecutive", "consecutive", "failures", "rate", "slowCalls", "any"]),
  n: one([1, 2, 3]),
  extra: one([0, 1, 3]),
  minimumCalls: one([1, 2, 3]),
  ratio: one([0.25, 0.5, 1])
}).pipe(
  Arbitrary.map(({ extra, kind, minimumCalls, n, ratio }) => {
    const of = n + extra
    const trips: { readonly [K in Trip["_tag"]]: Trip } = {
      consecutive: { _tag: "consecutive", n },
      failures: { _tag: "failures", count: n, of, minimumCalls: Math.min(minimumCalls, of) },
      rate: { _tag: "rate", ratio, within, minimumCalls },
      slowCalls: { _tag: "slowCalls", after: slow, ratio, within, minimumCalls }
    }
    return kind === "any" ? Object.values(trips) : [trips[kind]]
  })
)

const policy: Arbitrary.Arbitrary<Policy> = Arbitrary.all({
  trip,
  lengths: one([1, 3, 3]),
  probes: one([1, 1, 2, 3]),
  needed: one([1, 1, 2, 2, 3]),
  spare: one([0, 0, 1, 2, 3]),
  dryRun: one([false, false, false, false, true])
}).pipe(
  Arbitrary.map(({ dryRun, lengths, needed, probes, spare, trip }) => ({
    trip,
    openFor: openings.slice(0, lengths),
    maxOpenFor,
    probes,
    needed,
    of: needed + spare,
    leaseFor: lease,
    pace,
    dryRun
  }))
)

// Every time there is, the unit before and the one after.
const waits = [
  0,
  1,
  ...[pace, slow, lease, ...openings, maxOpenFor, hold, within].flatMap((at) => [-1, 0, 1].map((by) => at / unit + by))
]

const kinds = {
  Admit: 30,
  Settle: 34,
  Wait: 26,
  Hold: 4,
  Release: 3,
  Reset: 2
} as const

const command: Arbitrary.Arbitrary<Command> = Arbitrary.all({
  kind: one(
    // As often as its weight says.
    Object.entries(kinds).flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind as keyof typeof kinds))
  ),
  pick: one([0, 0, 0, 0, 1, 2, 5]),
  outcome: one(["Success", "Success", "Success", "Failure", "Failure", "Failure", "Failure", "Failure", "Ignored"]),
  hint: one([0, 0, 0, 6 * unit, 20 * unit]),
  wait: one(waits),
  as: one(["HeldOpen", "HeldClosed"]),
  forever: one([true, false, false])
}).pipe(
  Arbitrary.map(({ as, forever, hint, kind, outcome, pick, wait }): Command => {
    switch (kind) {
      case "Settle":
        return { _tag: "Settle", pick, outcome, hint }
      case "Wait":
        return { _tag: "Wait", millis: wait * unit }
      case "Hold":
        return { _tag: "Hold", as, forMillis: forever ? undefined : hold }
      default:
        return { _tag: kind }
    }
  })
)

/** Policies with 20 to 60 commands. */
export const history: Arbitrary.Arbitrary<History> = Arbitrary.all({
  policy,
  commands: Arbitrary.array(command, { minLength: 20, maxLength: 60 })
})
