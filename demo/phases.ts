/**
 * The script of the demo: what the upstream does, for how long, and which
 * states the circuit has to reach because of it.
 */

/**
 * What an upstream does with a request: it answers, answers late, breaks, does
 * not answer, or answers slowly that there are too many requests.
 */
export type Mode = "works" | "slow" | "fails" | "hangs" | "overloaded"

/**
 * States of a circuit that the demo looks for.
 */
export type State = "Closed" | "HalfOpen" | "Open"

/**
 * Part of the script.
 */
export interface Phase {
  readonly name: string
  readonly mode: Mode
  readonly millis: number
  /** State that the circuit reaches in this phase, if it has to. */
  readonly reaches: State | undefined
}

/**
 * The phases in order. A phase that breaks something is long enough to open the
 * circuit and to try it again, and one that repairs it is long enough for two
 * rounds of probes.
 */
export const phases: ReadonlyArray<Phase> = [
  { name: "works", mode: "works", millis: 3_000, reaches: undefined },
  { name: "fails", mode: "fails", millis: 4_000, reaches: "Open" },
  { name: "recovers", mode: "works", millis: 4_000, reaches: "Closed" },
  { name: "hangs", mode: "hangs", millis: 4_500, reaches: "Open" },
  { name: "recovers", mode: "works", millis: 4_000, reaches: "Closed" },
  { name: "overloaded", mode: "overloaded", millis: 4_000, reaches: "Open" },
  { name: "recovers", mode: "works", millis: 4_000, reaches: "Closed" }
]

/**
 * How long a phase may last until its state is reached, on a slow machine.
 */
export const graceMillis = 2_500

/**
 * How long all of the demo may take.
 */
export const limitMillis = 38_000
