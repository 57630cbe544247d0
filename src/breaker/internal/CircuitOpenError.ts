/**
 * Error of calls that a circuit refused.
 *
 * **Details**
 *
 * A circuit makes it without a stack: recording one takes a hundred times as
 * long as the rest of a refusal, and it leads into the fiber's run loop.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import type * as CircuitState from "../../circuit/CircuitState.ts"
import * as StateNames from "../../circuit/internal/StateNames.ts"
import * as Text from "../../core/internal/Text.ts"
import * as Refusal from "../../core/Refusal.ts"

/**
 * Details of a refusal.
 */
export interface CircuitOpenDetails {
  /** Name of the breaker. */
  readonly breaker: string
  /** Key of the circuit, absent for the breaker's own. */
  readonly key: string | undefined
  /** State that refused the call. */
  readonly state: "Open" | "HalfOpen" | "HeldOpen"
  /** When the circuit took that state, in milliseconds since the epoch. */
  readonly since: number
  /**
   * Rule that opened the circuit, or why it is held. What the last failure said
   * belongs to another caller: it is the `cause` in the state of `status`.
   */
  readonly reason: string | undefined
  /** Who holds the circuit open. */
  readonly by: string | undefined
  /** Milliseconds until a call may next be admitted, absent where it is unknown. */
  readonly retryAfterMillis: number | undefined
}

/**
 * Error of a call that a circuit refused. The call did not run.
 */
export class CircuitOpenError extends Data.TaggedError("CircuitOpenError")<CircuitOpenDetails> {
  /** Marks the error as a refusal. */
  get [Refusal.TypeId](): Refusal.TypeId {
    return Refusal.TypeId
  }

  /** When the circuit opened, in milliseconds since the epoch, where it is open. */
  get openedAt(): number | undefined {
    return this.state === "HalfOpen" ? undefined : this.since
  }

  /** How long until a call may next be admitted, absent where it is unknown. */
  get retryAfter(): Duration.Duration | undefined {
    return this.retryAfterMillis === undefined ? undefined : Duration.millis(this.retryAfterMillis)
  }

  override get message(): string {
    const { breaker, by, key, reason, retryAfterMillis, state } = this
    const isTimed = retryAfterMillis !== undefined
    const at = iso(this.since)
    const since = at === null ? "" : ` since ${at}`
    const probes =
      state === "HalfOpen" ? ` and ${isTimed ? "waits before the next probe" : "its probes are taken"}` : ""
    return `Circuit ${Text.label(breaker, key)} ${at === null ? "is" : "has been"} ${StateNames.words[state]}${Text.why(by, reason, since + probes)}${isTimed ? ` (next call in ${retryAfterMillis} ms)` : ""}`
  }
}

// Writes a time, and reads none. `DateTime` would add 1.2 KB to every breaker, and `toISOString` may throw.
// eslint-disable-next-line no-restricted-globals
const iso = (millis: number): string | null => new Date(millis).toJSON()

/**
 * Creates the error of a circuit without a stack.
 */
export const make = (
  breaker: string,
  key: string | undefined,
  state: CircuitState.CircuitState,
  retryAt: number | undefined,
  now: number
): CircuitOpenError => new Stackless(breaker, key, state as Refusing, retryAt, now) // others refuse nothing

type Refusing = CircuitState.Open | CircuitState.HalfOpen | (CircuitState.Held & { readonly _tag: "HeldOpen" })

// Not the constructor of `Error`, which records a stack.
const Stackless = function (
  this: { -readonly [K in keyof CircuitOpenDetails | "_tag"]: CircuitOpenError[K] },
  breaker: string,
  key: string | undefined,
  state: Refusing,
  retryAt: number | undefined,
  now: number
) {
  this._tag = "CircuitOpenError"
  this.breaker = breaker
  this.key = key
  this.state = state._tag
  this.since = state.since
  this.reason = state.reason
  this.by = state._tag === "HeldOpen" ? state.by : undefined
  this.retryAfterMillis = retryAt === undefined ? undefined : Math.max(0, retryAt - now)
} as unknown as new (
  breaker: string,
  key: string | undefined,
  state: Refusing,
  retryAt: number | undefined,
  now: number
) => CircuitOpenError // a function is a constructor, which its type does not say
Stackless.prototype = CircuitOpenError.prototype
