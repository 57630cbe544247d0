/**
 * Options of a control plane, checked when its layer is made.
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Policy from "../../compose/Policy.ts"
import * as ConfigSchema from "../../core/internal/ConfigSchema.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as ControlApi from "../ControlApi.ts"
import * as Tokens from "./Tokens.ts"

/**
 * Limits of the requests to a control plane.
 */
export interface Limits {
  /** Changes per minute by all operators together. Default: 60. */
  readonly changesPerMinute?: number | undefined
  /** Changes per minute by one operator whom the credentials name. Default: 30. */
  readonly operatorChangesPerMinute?: number | undefined
  /** Holds per minute that each operator can make when no changes are left. Default: 10. */
  readonly holdsPerMinute?: number | undefined
  /** Reads per second, each stream that begins included, and as many requests for the page. Default: 100. */
  readonly readsPerSecond?: number | undefined
  /** Circuits per second in lists and at the beginning of streams. Default: 20 000. */
  readonly circuitsPerSecond?: number | undefined
  /** Wrong tokens per minute that are answered with 401 and logged. Further ones get 429. Default: 30. */
  readonly wrongTokensPerMinute?: number | undefined
  /** Streams of events at one time. Default: 1000. */
  readonly streams?: number | undefined
  /** Streams of events at one time of one operator whom the credentials name. Default: 100. */
  readonly streamsPerOperator?: number | undefined
  /** Streams of events at one time from one address. Default: 100. */
  readonly streamsPerAddress?: number | undefined
  /** Bytes that may wait for the reader of a stream, its snapshot included. Default: 4 194 304 (4 MiB). */
  readonly streamBytes?: number | undefined
}

/**
 * Options of a control plane.
 */
export interface Options {
  /** Path under which it is mounted. Default: `"/resilience"`. */
  readonly prefix?: `/${string}` | undefined
  /** Policies that it describes, by name. Default: none. */
  readonly policies?: { readonly [name: string]: Policy.Any } | undefined
  /**
   * Whether it shows messages of errors, and messages and details of health
   * checks. Default: whether reading needs credentials.
   */
  readonly details?: boolean | undefined
  /** Circuits in a list where the request does not ask for a number of them. Default: 500. */
  readonly circuits?: number | undefined
  /** How often streams get what differs, and how old a list or the result of a check may be. Default: 1 second. */
  readonly updates?: Duration.Input | undefined
  /** Length of a period by which activity is counted. 60 periods are kept. Default: 5 seconds. */
  readonly activity?: Duration.Input | undefined
  /** Whether there is a page that shows all of it. Default: true. */
  readonly dashboard?: boolean | undefined
  /**
   * Origins whose pages may send requests in a browser, such as
   * `"https://ops.example.com"`, beside the one that serves it. Default: none.
   */
  readonly origins?: ReadonlyArray<string> | undefined
  /** How often streams get a sign of life. Default: 15 seconds. */
  readonly heartbeat?: Duration.Input | undefined
  /** Limits of the requests to it. */
  readonly limits?: Limits | undefined
}

/**
 * Options of a control plane that knows operators by tokens.
 */
export interface TokenOptions extends Options {
  /**
   * Token of all operators, or tokens by the operator's name. A token has at
   * least 16 characters of `A-Z a-z 0-9 - . _ ~ + / =`. Default: none, and no
   * routes that change something.
   */
  readonly token?: Redacted.Redacted | Tokens.NamedTokens | undefined
  /** Whether reading needs a token too. Default: `"token"` if one is configured, else `"open"`. */
  readonly reading?: "token" | "open" | undefined
}

/**
 * Values of options that are not given.
 */
export const defaults = {
  prefix: "/resilience",
  policies: {},
  circuits: 500,
  updates: "1 second",
  activity: "5 seconds",
  dashboard: true,
  origins: [],
  heartbeat: "15 seconds",
  limits: {
    changesPerMinute: 60,
    operatorChangesPerMinute: 30,
    holdsPerMinute: 10,
    readsPerSecond: 100,
    circuitsPerSecond: 20_000,
    wrongTokensPerMinute: 30,
    streams: 1000,
    streamsPerOperator: 100,
    streamsPerAddress: 100,
    streamBytes: 4 * 1024 * 1024
  }
} as const satisfies Options

/**
 * Options of a control plane, checked and with their defaults. Durations are in
 * milliseconds.
 */
export interface Resolved {
  readonly prefix: `/${string}`
  readonly policies: { readonly [name: string]: Policy.Any }
  readonly details: boolean
  readonly circuits: number
  readonly updates: number
  readonly activity: number
  readonly dashboard: boolean
  readonly origins: ReadonlyArray<string>
  readonly heartbeat: number
  readonly limits: { readonly [Name in keyof Limits]-?: number }
}

/**
 * Options of a control plane that knows operators by tokens, checked and with
 * their defaults.
 */
export interface TokensResolved extends Resolved {
  readonly token: Redacted.Redacted | Tokens.NamedTokens | undefined
  readonly reading: "token" | "open"
}

const module = "ControlPlane"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: TokenOptions = {}): TokensResolved => {
  const { token } = options
  if (token !== undefined) Tokens.check(module, token)
  const reading = options.reading ?? (token === undefined ? "open" : "token")
  if (reading === "token" && token === undefined) {
    Rules.reject(module, "token", undefined, "given to read with a token")
  }
  return { ...resolveShared(options, reading === "token"), token, reading: checkReading(reading) }
}

const checkReading = (reading: "token" | "open"): "token" | "open" =>
  // JavaScript may pass anything.
  (["token", "open"] as ReadonlyArray<string>).includes(reading)
    ? reading
    : Rules.reject(module, "reading", reading, '"token" or "open"')

/**
 * Checks the options that need no token and fills in the defaults. `authorized`
 * says whether reading needs credentials. Throws an `InvalidOptionError`.
 */
export const resolveShared = (options: Options, authorized: boolean): Resolved => {
  const limits: Limits = options.limits === undefined ? {} : Rules.object(module, "limits", options.limits)
  const limit = (field: keyof Limits) => Rules.count(module, `limits.${field}`, limits[field] ?? defaults.limits[field])
  return {
    prefix: Rules.path(module, "prefix", options.prefix ?? defaults.prefix),
    policies: options.policies === undefined ? defaults.policies : checkPolicies(options.policies),
    details: Rules.boolean(module, "details", options.details ?? authorized),
    circuits: checkCircuits(options.circuits ?? defaults.circuits),
    updates: Rules.millis(module, "updates", options.updates ?? defaults.updates),
    activity: Rules.millis(module, "activity", options.activity ?? defaults.activity),
    dashboard: Rules.boolean(module, "dashboard", options.dashboard ?? defaults.dashboard),
    origins: checkOrigins(options.origins ?? defaults.origins),
    heartbeat: Rules.millis(module, "heartbeat", options.heartbeat ?? defaults.heartbeat),
    limits: {
      changesPerMinute: limit("changesPerMinute"),
      operatorChangesPerMinute: limit("operatorChangesPerMinute"),
      holdsPerMinute: limit("holdsPerMinute"),
      readsPerSecond: limit("readsPerSecond"),
      circuitsPerSecond: limit("circuitsPerSecond"),
      wrongTokensPerMinute: limit("wrongTokensPerMinute"),
      streams: limit("streams"),
      streamsPerOperator: limit("streamsPerOperator"),
      streamsPerAddress: limit("streamsPerAddress"),
      streamBytes: limit("streamBytes")
    }
  }
}

const checkPolicies = (policies: Resolved["policies"]): Resolved["policies"] => {
  for (const [name, policy] of Object.entries(Rules.object(module, "policies", policies))) {
    if (!Policy.isPolicy(policy)) Rules.reject(module, `policies.${name}`, policy, "a policy")
  }
  return policies
}

const checkOrigins = (origins: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (!Array.isArray(origins)) Rules.reject(module, "origins", origins, "a list of origins")
  for (const [i, origin] of origins.entries()) {
    if (!isOrigin(origin)) {
      Rules.reject(module, `origins.${i}`, origin, 'an origin such as "https://ops.example.com", in small letters')
    }
  }
  return origins
}

// As a browser writes it: the comparison is of texts.
const isOrigin = (origin: string): boolean =>
  typeof origin === "string" && /^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin

const checkCircuits = (circuits: number): number =>
  Rules.count(module, "circuits", circuits) <= ControlApi.bounds.circuits
    ? circuits
    : Rules.reject(module, "circuits", circuits, `at most ${ControlApi.bounds.circuits}`)

/**
 * Options of a control plane that are data. Tokens and policies are not.
 */
export interface Config {
  readonly prefix?: `/${string}`
  readonly reading?: "token" | "open"
  readonly details?: boolean
  readonly circuits?: number
  readonly updates?: Duration.Duration
  readonly activity?: Duration.Duration
  readonly dashboard?: boolean
  readonly origins?: ReadonlyArray<string>
  readonly heartbeat?: Duration.Duration
  readonly limits?: LimitsConfig
}

/**
 * Options of a control plane in JSON.
 */
export interface ConfigJson {
  readonly prefix?: `/${string}`
  readonly reading?: "token" | "open"
  readonly details?: boolean
  readonly circuits?: number
  readonly updates?: ConfigSchema.DurationJson
  readonly activity?: ConfigSchema.DurationJson
  readonly dashboard?: boolean
  readonly origins?: ReadonlyArray<string>
  readonly heartbeat?: ConfigSchema.DurationJson
  readonly limits?: LimitsConfig
}

/**
 * Limits of the requests to a control plane in JSON.
 */
export type LimitsConfig = { readonly [Name in keyof Limits]?: number }

/**
 * Schema of the options of a control plane that are data, to read them from
 * JSON, or from the environment through `Config.schema` of Effect.
 *
 * **Details**
 *
 * Tokens and policies are added in code. So is the check that there is a token
 * where `reading` needs one.
 */
export const Config: Schema.Codec<Config, ConfigJson> = /* @__PURE__ */ (() => {
  const number = Schema.optionalKey(Schema.Number)
  const boolean = Schema.optionalKey(Schema.Boolean)
  const duration = Schema.optionalKey(ConfigSchema.DurationInput)
  return ConfigSchema.checked(
    ConfigSchema.struct({
      prefix: Schema.optionalKey(Schema.TemplateLiteral(["/", Schema.String])),
      reading: Schema.optionalKey(Schema.Literals(["token", "open"])),
      details: boolean,
      circuits: number,
      updates: duration,
      activity: duration,
      dashboard: boolean,
      origins: Schema.optionalKey(Schema.Array(Schema.String)),
      heartbeat: duration,
      limits: Schema.optionalKey(
        ConfigSchema.struct({
          changesPerMinute: number,
          operatorChangesPerMinute: number,
          holdsPerMinute: number,
          readsPerSecond: number,
          circuitsPerSecond: number,
          wrongTokensPerMinute: number,
          streams: number,
          streamsPerOperator: number,
          streamsPerAddress: number,
          streamBytes: number
        })
      )
    }),
    (options) => resolveShared(options, options.reading === "token")
  )
})()

/**
 * Returns the options of a control plane with their defaults, as JSON that
 * `Config` reads.
 *
 * **Details**
 *
 * Durations are milliseconds. Tokens and policies are left out.
 */
export const describe = (options?: TokenOptions): ConfigJson => {
  const { activity, circuits, dashboard, details, heartbeat, limits, origins, prefix, reading, updates } =
    resolve(options)
  return { prefix, reading, details, circuits, updates, activity, dashboard, origins, heartbeat, limits }
}
