/**
 * What a fleet and its workers say to each other: schemas of the messages.
 */
import * as CircuitBreaker from "effect-resilience/CircuitBreaker"
import * as CircuitState from "effect-resilience/CircuitState"
import * as Schema from "effect/Schema"

/**
 * Returns the time in milliseconds since the epoch, with fractions. Processes of
 * one machine have it in common.
 */
export const wallMillis = (): number => performance.timeOrigin + performance.now()

/**
 * What a worker is to do.
 */
export const Setup = Schema.Struct({
  /** Name of the worker, in the rows that it writes and in its requests. */
  worker: Schema.String,
  /** Where its calls go. */
  upstream: Schema.String,
  /** Calls a second: none at 0. */
  rate: Schema.Finite,
  /** After how many milliseconds a call times out. */
  callTimeout: Schema.Finite,
  /** How often to report counts, in milliseconds. */
  reportEvery: Schema.Finite,
  /** The store: `url` begins with `postgres:` or `redis:`, or is `local` for a circuit of its own. */
  store: Schema.Struct({
    url: Schema.String,
    namespace: Schema.String,
    timeout: Schema.optional(Schema.Finite),
    pollEvery: Schema.optional(Schema.Finite),
    quorum: Schema.optional(Schema.Finite),
    voteWindow: Schema.optional(Schema.Finite)
  }),
  /** Name of the breaker that all calls go through. */
  breaker: Schema.String,
  /** Options of that breaker, as they stand in JSON. */
  options: Schema.toEncoded(CircuitBreaker.Config)
})
export type Setup = typeof Setup.Type

/**
 * What a fleet tells a worker. Each is answered by `Done` with the same `id`.
 */
export const Command = Schema.Union([
  /** Begins to work. The first command, given once. */
  Schema.TaggedStruct("Start", { id: Schema.Int, setup: Setup }),
  /** Makes calls through the circuit, one after the other, that fail or succeed without the upstream. */
  Schema.TaggedStruct("Call", { id: Schema.Int, outcome: Schema.Literals(["fails", "works"]), times: Schema.Int }),
  /** Does to the circuit what an operator does. */
  Schema.TaggedStruct("Hold", {
    id: Schema.Int,
    as: Schema.Literals(["HeldOpen", "HeldClosed"]),
    forMillis: Schema.optional(Schema.Finite),
    reason: Schema.optional(Schema.String),
    by: Schema.optional(Schema.String)
  }),
  Schema.TaggedStruct("Release", { id: Schema.Int }),
  Schema.TaggedStruct("Reset", { id: Schema.Int }),
  /** Makes so many calls a second from now on. */
  Schema.TaggedStruct("Rate", { id: Schema.Int, rate: Schema.Finite }),
  /** Whether the next probe, once its request was answered, says `Probing` and never ends. */
  Schema.TaggedStruct("HangProbe", { id: Schema.Int, hang: Schema.Boolean }),
  /** Reports counts and status now. */
  Schema.TaggedStruct("Report", { id: Schema.Int }),
  /** Ends the process, with all that it has open closed. */
  Schema.TaggedStruct("Stop", { id: Schema.Int })
])
export type Command = typeof Command.Type

const Latencies = Schema.Array(Schema.Finite)

/**
 * What became of the calls of some time, and how the worker is at its end.
 */
export const Interval = Schema.TaggedStruct("Interval", {
  at: Schema.Finite,
  /** How long each call took in milliseconds, by what became of it. Failed calls were admitted, refused ones not. */
  ok: Latencies,
  failed: Latencies,
  refused: Latencies,
  /** Calls that were admitted and have not ended. */
  inFlight: Schema.Int,
  state: CircuitState.CircuitState,
  store: Schema.Struct({
    shared: Schema.Boolean,
    reachable: Schema.Boolean,
    since: Schema.Finite,
    pending: Schema.Int,
    operations: Schema.Int,
    errors: Schema.Int,
    lastError: Schema.optional(Schema.String)
  })
})
export type Interval = typeof Interval.Type

/**
 * What a worker tells the fleet. `at` is its `wallMillis`.
 */
export const Report = Schema.Union([
  /** The process runs and waits for `Start`. */
  Schema.TaggedStruct("Booted", { at: Schema.Finite }),
  /** A command was carried out. `tags` are the outcomes of `Call`: `ok`, `failed` or `refused`. */
  Schema.TaggedStruct("Done", { id: Schema.Int, at: Schema.Finite, tags: Schema.Array(Schema.String) }),
  /** The state of the worker's circuit changed. */
  Schema.TaggedStruct("Changed", {
    at: Schema.Finite,
    from: CircuitState.CircuitState,
    to: CircuitState.CircuitState
  }),
  /** A probe hangs, as `HangProbe` said, in the half-open state that began at `since`. */
  Schema.TaggedStruct("Probing", { at: Schema.Finite, since: Schema.Finite }),
  Interval,
  /** The worker cannot go on, and ends. */
  Schema.TaggedStruct("Failed", { at: Schema.Finite, message: Schema.String })
])
export type Report = typeof Report.Type
export type Changed = Extract<Report, { readonly _tag: "Changed" }>
