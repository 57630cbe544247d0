/**
 * Tables of circuits in Redis, through any client that provides `Redis` of
 * Effect.
 *
 * **Details**
 *
 * - A row is a hash, `{prefix:namespace}:circuit:<resource key>`. The sorted
 *   sets `{prefix:namespace}:updated` and `{prefix:namespace}:used` hold when
 *   rows were written, and when closed ones were used. The braces keep a
 *   namespace on one node of a Redis Cluster.
 * - Each operation is one script, so it is done as a whole or not at all. Large
 *   reads are done in parts. The clock is that of the Redis server.
 * - A write publishes the key and version of its row on the channel
 *   `{prefix:namespace}:changes`.
 * - A row that is gone (after a restart without persistence, or evicted) is
 *   absent. Versions come from the clock, so they keep growing.
 *
 * **Gotchas**
 *
 * - Channels know no database numbers: two databases of one server need
 *   different prefixes or namespaces.
 * - A client of Node reconnects its feed silently. The store finds rows that were
 *   written meanwhile when it asks for changes.
 * - A command that reached the server cannot be taken back. It may be done
 *   after its caller gave up, but only over the version that it expects. A
 *   client of Node keeps commands that it cannot send yet for 5 seconds: with
 *   `disableOfflineQueue` they fail at once.
 */
import * as Effect from "effect/Effect"
import * as Redis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Background from "../core/internal/Background.ts"
import * as ConfigSchema from "../core/internal/ConfigSchema.ts"
import * as Redact from "../core/internal/Redact.ts"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitTable from "./CircuitTable.ts"
import * as HintMessage from "./internal/HintMessage.ts"

/**
 * Options of a table in Redis. All have defaults.
 */
export interface Options {
  /** First part of all keys, without braces. Default: `"resilience"`. */
  readonly prefix?: string | undefined
  /** Circuits are shared within a namespace. Default: `"default"`. */
  readonly namespace?: string | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { prefix: "resilience", namespace: "default" } as const

/**
 * Options, checked and with their defaults.
 */
export interface Resolved {
  readonly prefix: string
  readonly namespace: string
}

// The options are those of the store.
const module = "CircuitStoreRedis"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = (options: Options = {}): Resolved => {
  const prefix = Rules.name(module, "prefix", options.prefix ?? defaults.prefix)
  if (/[{}]/.test(prefix)) Rules.reject(module, "prefix", prefix, "without { and }")
  return { prefix, namespace: Rules.name(module, "namespace", options.namespace ?? defaults.namespace) }
}

/**
 * Options in JSON.
 */
export interface ConfigJson {
  readonly prefix?: string
  readonly namespace?: string
}

/**
 * Schema of the options, to read them from JSON, or from the environment through
 * `Config.schema` of Effect.
 */
export const Config: Schema.Codec<Options, ConfigJson> = /* @__PURE__ */ (() => {
  const text = Schema.optionalKey(Schema.String)
  return ConfigSchema.checked(ConfigSchema.struct({ prefix: text, namespace: text }), resolve)
})()

/**
 * Returns the options with their defaults, as JSON that `Config` reads.
 */
export const describe = (options?: Options): ConfigJson => resolve(options)

/** Rows that one script reads, and marks that one script sets. */
const batch = 500
/** Longest text that is read as the writer of a row, and longest key of a row, in bytes. */
const [maxUpdatedBy, maxKey] = [4000, 4000]

/**
 * Creates a table in Redis.
 *
 * **Details**
 *
 * Throws an `InvalidOptionError` as a defect for an empty name, and for a prefix
 * with braces. It asks Redis for nothing yet.
 */
export const make = (options?: Options): Effect.Effect<CircuitTable.CircuitTable, never, Redis.Redis> =>
  Effect.map(Redis.Redis, (redis) => {
    const { namespace, prefix } = resolve(options)
    // Escaped, so that no other prefix and namespace make the same text.
    const root = `{${prefix}:${CircuitTable.resourceKey(namespace, undefined)}}`
    const rows = `${root}:circuit:`
    const updated = `${root}:updated`
    const used = `${root}:used`
    const channel = `${root}:changes`

    const readRows = redis.eval(readScript)
    const readChanges = redis.eval(changesScript)
    const writeRow = redis.eval(writeScript)
    const sweepRows = redis.eval(sweepScript)

    const failedTo = failures(prefix)
    const readParts = (resourceKeys: ReadonlyArray<string>) =>
      Effect.forEach(partsOf(resourceKeys), (part) => readRows(rows, part))

    return {
      read: (resourceKeys) =>
        readParts([...new Set(resourceKeys)]).pipe(Effect.map(toRead), Effect.mapError(failedTo("read"))),

      changes: (since) =>
        Effect.gen(function* () {
          const [now, found, rest] = yield* readChanges(updated, since, rows)
          const more = rest.length === 0 ? [] : yield* readParts(rest)
          const read = toRead([[now, found], ...more])
          return { now: read.now, rows: read.rows.sort((a, b) => (a.resourceKey < b.resourceKey ? -1 : 1)) }
        }).pipe(Effect.mapError(failedTo("read changes"))),

      write: (draft, expected) =>
        Effect.mapBoth(writeRow(`${rows}${draft.resourceKey}`, updated, used, channel, expected, draft), {
          onFailure: failedTo("write"),
          onSuccess: (version) => (version === null ? undefined : Number(version))
        }),

      listen: (hear) =>
        Effect.gen(function* () {
          // The client connects uninterruptibly, and a server that hangs lets it wait.
          const messages = yield* Background.acquire(redis.subscribe(channel))
          const pass = ({ message }: Redis.RedisMessage) => hear(HintMessage.parse(message))
          // A subscription that failed shows as a queue that did.
          const first = Queue.takeUnsafe(messages)
          if (first !== undefined) pass(yield* first)
          return Queue.takeAll(messages).pipe(
            Effect.map((all) => all.forEach(pass)),
            Effect.forever,
            Effect.mapError(failedTo("listen"))
          )
        }).pipe(Effect.mapError(failedTo("listen"))),

      sweep: (options) =>
        Effect.gen(function* () {
          const [last, ...marks] = partsOf(options.used)
          for (const part of marks) yield* sweepRows(updated, used, rows, 0, 0, part)
          return yield* sweepRows(updated, used, rows, options.idleMillis, options.limit, last)
        }).pipe(Effect.mapError(failedTo("sweep")))
    }
  })

type Parts<A> = readonly [A, ...ReadonlyArray<A>]

/** Returns parts of at most `batch`, the first of which may be empty. */
const partsOf = <A>(all: ReadonlyArray<A>): Parts<ReadonlyArray<A>> => [
  all.slice(0, batch),
  ...Array.from({ length: Math.ceil(all.length / batch) - 1 }, (_, i) => all.slice((i + 1) * batch, (i + 2) * batch))
]

// The scripts return text, also for the numbers of a row.
type Found = readonly [resourceKey: string, version: string, data: string, updatedBy: string, updatedAt: string]

type Reply = readonly [now: string, rows: ReadonlyArray<Found>]

/** Joins the parts of a read. Rows that were written after the first part have to be asked for again. */
const toRead = (parts: ReadonlyArray<Reply>) => ({
  now: Math.min(...parts.map(([now]) => Number(now))),
  rows: parts.flatMap(([, found]) => found.map(toRow))
})

const toRow = ([resourceKey, version, data, updatedBy, updatedAt]: Found): CircuitTable.Row => ({
  resourceKey,
  version: Number(version),
  data,
  updatedBy,
  updatedAt: Number(updatedAt)
})

/** Returns the errors of operations on the keys of a prefix. */
const failures =
  (prefix: string) =>
  (what: string) =>
  (error: Redis.RedisError): CircuitTable.TableError =>
    new CircuitTable.TableError({ message: `Redis could not ${what}: ${reason(error.cause, prefix)}`, cause: error })

const reason = (cause: unknown, prefix: string): string => {
  // Where a host has several addresses, the error that sums up has a code and no message.
  const { code, message } = cause instanceof Error ? (cause as Error & { readonly code?: unknown }) : {}
  const text = Redact.secrets(String(message || code || "unknown error"))
    .replace(/\s+/g, " ")
    .slice(0, 300)
  const right = lacking(text, prefix)
  return right === undefined ? text : `the user lacks ${right.what}: ACL SETUSER <user> ${right.rule}`
}

/** Returns the right that an error says is missing, by the words of the versions of Redis. */
const lacking = (text: string, prefix: string): { readonly what: string; readonly rule: string } | undefined => {
  if (!/NOPERM|executing the script|ACL failure in script/.test(text)) return undefined
  if (text.includes("channel")) return { what: `the channels {${prefix}:*`, rule: `&{${prefix}:*` }
  if (/\b(access|keys?)\b/.test(text)) return { what: `the keys {${prefix}:*`, rule: `~{${prefix}:*` }
  const command = (/'([\w|]+)' command/.exec(text) ?? /\b([A-Z]+): /.exec(text))?.[1]?.toLowerCase()
  return command === undefined ? undefined : { what: `the command ${command}`, rule: `+${command}` }
}

// `integer` is 0 for an invalid version, so that a row that somebody spoilt can
// be written over. `%d` and `tostring` of Lua spoil numbers of
// this size. What is too long stays in Redis, also where a user may not run HSTRLEN.
// A user may lack a command: the name of it is told, and no row counts as absent for that.
const prelude = `
local function checked(command, reply)
  if type(reply) == "table" and reply.err then error(command .. ": " .. reply.err) end
  return reply
end
local function call(command, ...) return checked(command, redis.pcall(command, ...)) end
-- What is stored under our keys may be of others.
local function tolerant(command, ...)
  local reply = redis.pcall(command, ...)
  if type(reply) == "table" and reply.err and reply.err:find("WRONGTYPE", 1, true) then return {} end
  return checked(command, reply)
end
-- A set of ours that somebody replaced begins anew with what is written from now on.
local function index(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == "table" and reply.err and reply.err:find("WRONGTYPE", 1, true) then
    call("DEL", key)
    return call(command, key, ...)
  end
  return checked(command, reply)
end
local function integer(text)
  local n = tonumber(text or nil)
  if n and n >= 0 and n < 9007199254740992 and n == math.floor(n) then return n end
  return 0
end
local function text(n) return string.format("%.0f", n) end
local time = call("TIME")
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)
local function bounded(value, most)
  return type(value) == "string" and #value <= most and value or ""
end
local function read(rows, resourceKeys)
  local found = {}
  for _, resourceKey in ipairs(resourceKeys) do
    local key = rows .. resourceKey
    local length = redis.pcall("HSTRLEN", key, "data")
    local isLong = type(length) == "number" and length > ${CircuitTable.maxData}
    local row = tolerant("HMGET", key, "version", "updatedBy", "updatedAt", isLong and "version" or "data")
    if row[1] or row[4] then
      found[#found + 1] = {
        resourceKey, text(integer(bounded(row[1], 100))), isLong and "" or bounded(row[4], ${CircuitTable.maxData}),
        bounded(row[2], ${maxUpdatedBy}), text(integer(bounded(row[3], 100)))
      }
    end
  end
  return found
end
`

const readScript = /* @__PURE__ */ (() =>
  Redis.script(
    (rows: string, resourceKeys: ReadonlyArray<string>) => [
      ...resourceKeys.map((resourceKey) => `${rows}${resourceKey}`),
      rows,
      ...resourceKeys
    ],
    {
      numberOfKeys: (_rows, resourceKeys) => resourceKeys.length,
      lua: `${prelude}
local rows = table.remove(ARGV, 1)
return { text(now), read(rows, ARGV) }
`
    }
  ).withReturnType<Reply>())()

// Returns the first rows, and the keys of the rest.
const changesScript = /* @__PURE__ */ (() =>
  Redis.script((updated: string, since: number | undefined, rows: string) => [updated, since ?? "-inf", rows, batch], {
    numberOfKeys: 1,
    lua: `${prelude}
local changed = tolerant("ZRANGEBYSCORE", KEYS[1], ARGV[1], "+inf")
local first, rest = {}, {}
for _, resourceKey in ipairs(changed) do
  if #resourceKey > ${maxKey} then
    -- Nobody asks for it.
  elseif #first < tonumber(ARGV[3]) then
    first[#first + 1] = resourceKey
  else
    rest[#rest + 1] = resourceKey
  end
end
return { text(now), read(ARGV[2], first), rest }
`
  }).withReturnType<readonly [...Reply, rest: ReadonlyArray<string>]>())()

// A client that may not publish still writes: the others find the row when they
// ask. cjson rounds numbers of this size, so the message is put together here.
const writeScript = /* @__PURE__ */ (() =>
  Redis.script(
    (
      row: string,
      updated: string,
      used: string,
      channel: string,
      expected: number,
      { data, failureCount, openUntil, resourceKey, state, updatedBy }: CircuitTable.Draft
    ) => [
      row,
      updated,
      used,
      channel,
      expected,
      resourceKey,
      data,
      updatedBy,
      state,
      failureCount,
      ...(openUntil === undefined ? [] : [openUntil])
    ],
    {
      numberOfKeys: 3,
      lua: `${prelude}
local channel, expected, resourceKey, data, updatedBy, state, failureCount, openUntil = unpack(ARGV)
local stored = tolerant("HGET", KEYS[1], "version")
local version = type(stored) == "string" and integer(stored) or 0
if version ~= tonumber(expected) then return false end
version = text(version < 9007199254740990 and math.max(version + 1, micros) or micros)
index("ZADD", KEYS[2], text(now), resourceKey)
if state == "CLOSED" then
  index("ZADD", KEYS[3], text(now), resourceKey)
else
  index("ZREM", KEYS[3], resourceKey)
end
call("DEL", KEYS[1])
call("HSET", KEYS[1], "version", version, "data", data, "updatedBy", updatedBy, "updatedAt", text(now),
  "state", state, "failureCount", failureCount)
if openUntil then call("HSET", KEYS[1], "openUntil", openUntil) end
redis.pcall("PUBLISH", channel, '{"resourceKey":' .. cjson.encode(resourceKey) .. ',"version":' .. version .. "}")
return version
`
    }
  ).withReturnType<string | null>())()

// Only closed rows are in the set of the used.
const sweepScript = /* @__PURE__ */ (() =>
  Redis.script(
    (updated: string, used: string, rows: string, idleMillis: number, limit: number, marks: ReadonlyArray<string>) => [
      updated,
      used,
      rows,
      idleMillis,
      limit,
      ...marks
    ],
    {
      numberOfKeys: 2,
      lua: `${prelude}
for i = 4, #ARGV do index("ZADD", KEYS[2], "XX", text(now), ARGV[i]) end
local until_ = text(math.floor(now - tonumber(ARGV[2])))
local removed = 0
for _, resourceKey in ipairs(index("ZRANGEBYSCORE", KEYS[2], "-inf", until_, "LIMIT", 0, ARGV[3])) do
  removed = removed + call("DEL", ARGV[1] .. resourceKey)
  index("ZREM", KEYS[1], resourceKey)
  call("ZREM", KEYS[2], resourceKey)
end
return removed
`
    }
  ).withReturnType<number>())()
