/**
 * Options of a store that shares circuits through a table.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"

/**
 * Options of a store that shares circuits. All have defaults.
 */
export interface Options {
  /** Name of this process in the rows that it writes, up to 200 characters. Default: eight random characters. */
  readonly instance?: string | undefined
  /** How long an operation on the table may take. Default: 1 second. */
  readonly timeout?: Duration.Input | undefined
  /** How often to ask the table for changes that were missed, and whether it is back. Default: 5 seconds. */
  readonly pollEvery?: Duration.Input | undefined
  /** How long a closed circuit that nobody uses keeps its row. Default: 7 days. */
  readonly keepFor?: Duration.Input | undefined
  /** How often to look for rows that nobody uses. Default: 1 hour. */
  readonly sweepEvery?: Duration.Input | undefined
  /**
   * Time over which processes spread the question for a probe when an open time
   * ends, so that most hear of the first one's before they ask. Default: 100 millis.
   */
  readonly spread?: Duration.Input | undefined
  /** Processes that have to trip before a circuit opens for all of them. Default: 1. */
  readonly quorum?: number | undefined
  /** How long the vote of a process counts, where there is a quorum. Default: 1 minute. */
  readonly voteWindow?: Duration.Input | undefined
  /**
   * Whether rows hold what the last failure of an open circuit said, for all who may
   * read the table. The rule that opened it is always there. Default: false.
   */
  readonly details?: boolean | undefined
  /** Whether to log that the table is away or back, and rows that cannot be read. Default: true. */
  readonly log?: boolean | undefined
}

/**
 * Values of the options that are not given.
 */
export const defaults = {
  timeout: "1 second",
  pollEvery: "5 seconds",
  keepFor: "7 days",
  sweepEvery: "1 hour",
  spread: "100 millis",
  quorum: 1,
  voteWindow: "1 minute",
  details: false,
  log: true
} as const

/**
 * Options, checked and with their defaults. Durations are in milliseconds.
 */
export interface Resolved {
  /** Absent where none is given: each store draws its own. */
  readonly instance: string | undefined
  readonly timeout: number
  readonly pollEvery: number
  readonly keepFor: number
  readonly sweepEvery: number
  readonly spread: number
  readonly quorum: number
  readonly voteWindow: number
  readonly details: boolean
  readonly log: boolean
}

// The options are those of each store that shares circuits.
const module = "CircuitStore"

/** Longest name of a process. Votes hold it, and they are part of a row. */
const maxInstance = 200

const instanceOf = (instance: string): string => {
  const name = Rules.name(module, "instance", instance)
  return name.length <= maxInstance
    ? name
    : Rules.reject(module, "instance", instance, `a non-empty string of up to ${maxInstance} characters`)
}

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Resolved => {
  const millis = (option: "timeout" | "pollEvery" | "keepFor" | "sweepEvery" | "voteWindow") =>
    Rules.millis(module, option, options[option] ?? defaults[option])
  return {
    instance: options.instance === undefined ? undefined : instanceOf(options.instance),
    timeout: millis("timeout"),
    pollEvery: millis("pollEvery"),
    keepFor: millis("keepFor"),
    sweepEvery: millis("sweepEvery"),
    spread: Rules.millis(module, "spread", options.spread ?? defaults.spread, "zero"),
    quorum: Rules.count(module, "quorum", options.quorum ?? defaults.quorum),
    voteWindow: millis("voteWindow"),
    details: Rules.boolean(module, "details", options.details ?? defaults.details),
    log: Rules.boolean(module, "log", options.log ?? defaults.log)
  }
}

/**
 * Options in JSON. A duration is a text such as `"2 seconds"`, or milliseconds.
 */
export interface ConfigJson {
  readonly instance?: string
  readonly timeout?: ConfigSchema.DurationJson
  readonly pollEvery?: ConfigSchema.DurationJson
  readonly keepFor?: ConfigSchema.DurationJson
  readonly sweepEvery?: ConfigSchema.DurationJson
  readonly spread?: ConfigSchema.DurationJson
  readonly quorum?: number
  readonly voteWindow?: ConfigSchema.DurationJson
  readonly details?: boolean
  readonly log?: boolean
}

/** Fields of `Config`, also for stores that have more options. */
export const fields = () => {
  const duration = Schema.optionalKey(ConfigSchema.DurationInput)
  return {
    instance: Schema.optionalKey(Schema.String),
    timeout: duration,
    pollEvery: duration,
    keepFor: duration,
    sweepEvery: duration,
    spread: duration,
    quorum: Schema.optionalKey(Schema.Number),
    voteWindow: duration,
    details: Schema.optionalKey(Schema.Boolean),
    log: Schema.optionalKey(Schema.Boolean)
  }
}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() =>
  ConfigSchema.checked(ConfigSchema.struct(fields()), resolve))()

/**
 * Returns the options with their defaults, as JSON that `Config` reads. Durations
 * are in milliseconds. An instance that is drawn is left out.
 */
export const describe = (options?: Options): ConfigJson => {
  const { instance, ...rest } = resolve(options)
  return instance === undefined ? rest : { instance, ...rest }
}
