/**
 * Laws of a table of circuits, for authors of tables.
 *
 * **Details**
 *
 * Every table passes them, whatever database it is in. A law fails with a
 * `LawError`, or with the `TableError` of an operation.
 *
 * **Example** (In a test file)
 *
 * ```ts no-run
 * import { describe, it } from "@effect/vitest"
 * import { Effect } from "effect"
 * import type { Scope } from "effect"
 * import type { CircuitTable } from "effect-resilience/store"
 * import { CircuitTableLaws } from "effect-resilience/testing"
 *
 * declare const client: (namespace: string) => Effect.Effect<CircuitTable.CircuitTable, never, Scope.Scope>
 *
 * describe("laws of my table", () => {
 *   for (const law of CircuitTableLaws.laws({ open: Effect.succeed(client) })) it.live(law.name, () => law.check)
 * })
 * ```
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Rules from "../core/internal/Rules.ts"
import * as CircuitState from "../circuit/CircuitState.ts"
import * as CircuitStoreTable from "../store/CircuitStoreTable.ts"
import * as CircuitTable from "../store/CircuitTable.ts"
import * as CircuitHistory from "./internal/CircuitHistory.ts"
import * as Feed from "./internal/Feed.ts"
import * as Law from "./Law.ts"

type Table = CircuitTable.CircuitTable
type Row = CircuitTable.Row

/**
 * Table that a law opens.
 */
export interface Opened extends CircuitTable.CircuitTable {
  /**
   * Writes the version of a row past the table, as somebody would who may do that.
   * Absent where a version is always a number that the table wrote.
   */
  readonly spoil?: ((resourceKey: string, version: string) => Effect.Effect<void, CircuitTable.TableError>) | undefined
}

/**
 * Options of the laws.
 */
export interface Options<E = never, R = never> {
  /**
   * Opens a database, and returns what opens a client of its table in a
   * namespace. Two clients of one namespace share its rows. It is run for each
   * law, and may return the same database each time.
   */
  readonly open: Effect.Effect<(namespace: string) => Effect.Effect<Opened, E, R | Scope.Scope>, E, R | Scope.Scope>
  /** Lets time pass on the table's clock. Default: `Effect.sleep`. */
  readonly sleep?: ((millis: number) => Effect.Effect<void>) | undefined
}

/**
 * Values of the options that are not given.
 */
export const defaults = { sleep: Effect.sleep } as const

/**
 * Options, checked and with their defaults.
 */
export interface Resolved<E = never, R = never> {
  readonly open: Options<E, R>["open"]
  readonly sleep: (millis: number) => Effect.Effect<void>
}

const module = "CircuitTableLaws"

/**
 * Checks options and fills in the defaults. Throws an `InvalidOptionError`.
 */
export const resolve = <E = never, R = never>({ open, sleep = defaults.sleep }: Options<E, R>): Resolved<E, R> => ({
  open: Effect.isEffect(open) ? open : Rules.reject(module, "open", open, "an Effect"),
  sleep: Rules.fn(module, "sleep", sleep)
})

/**
 * Returns a draft of a row, closed where nothing else is said.
 */
export const draft = (resourceKey: string, changes: Partial<CircuitTable.Draft> = {}): CircuitTable.Draft => ({
  resourceKey,
  data: "{}",
  updatedBy: "me",
  state: "CLOSED",
  failureCount: 0,
  openUntil: undefined,
  ...changes
})

/**
 * Texts that are written as they are, in keys, data and namespaces.
 */
export const oddTexts: ReadonlyArray<string> = [
  `it's "quoted"`,
  "'; DROP TABLE resilience_circuits; --",
  "back\\slash \\' \\\" $1 ? :name %s {0} @p1",
  "☃ é 𝕏 👩‍👩‍👧‍👦 \u202e",
  " leading and trailing ",
  "a:b:c%003a",
  "*[a]?",
  "null"
]

/**
 * Reads one row.
 */
export const readOne = (table: Table, resourceKey: string): Effect.Effect<Row | undefined, CircuitTable.TableError> =>
  Effect.map(table.read([resourceKey]), ({ rows }) => rows[0])

/**
 * Writes a row whatever its version is, and returns the new one.
 */
export const force = (table: Table, row: CircuitTable.Draft): Effect.Effect<number, CircuitTable.TableError> =>
  Effect.flatMap(readOne(table, row.resourceKey), (before) =>
    Effect.flatMap(table.write(row, before?.version ?? 0), (version) =>
      version === undefined ? force(table, row) : Effect.succeed(version)
    )
  )

const there = <A>(value: A | undefined): Effect.Effect<A, Law.LawError> =>
  value === undefined ? Effect.fail(Law.broken("what was read", "nothing", "a row")) : Effect.succeed(value)

/** Writes a row that has the expected version, and returns the new one. */
const write = (
  table: Table,
  row: CircuitTable.Draft,
  expected: number
): Effect.Effect<number, Law.LawError | CircuitTable.TableError> =>
  Effect.flatMap(table.write(row, expected), (version) =>
    version === undefined
      ? Effect.fail(Law.broken(`the write over version ${expected}`, "refused", "a new version"))
      : Effect.succeed(version)
  )

const same = (found: unknown, expected: unknown) => Law.same(found, expected, "what was found")
const absent = (found: unknown) => same(found, undefined)
const size = (found: ReadonlyArray<unknown>, expected: number) => Law.same(found.length, expected, "the number of rows")
const isTrue = (found: boolean) => Law.holds(found, "what is looked at", found)
const atLeast = (found: number, least: number) => Law.holds(found >= least, `a number of at least ${least}`, found)
const atMost = (found: number, most: number) => Law.holds(found <= most, `a number of at most ${most}`, found)
const above = (found: number, limit: number) => Law.holds(found > limit, `a number above ${limit}`, found)
const below = (found: number, limit: number) => Law.holds(found < limit, `a number below ${limit}`, found)

/** Takes as many messages from a feed. */
const take = (
  feed: Feed.Feed,
  many: number
): Effect.Effect<ReadonlyArray<CircuitTable.Hint>, CircuitTable.TableError> =>
  Effect.forEach(Array.from({ length: many }), () => Queue.take(feed))

/** Fails where a message does not name a row, or another version of it than was written. */
const isHintOf = ({ resourceKey, version }: CircuitTable.Hint, key: string, written: number) =>
  Law.same([resourceKey, version ?? written], [key, written], "the key and the version of a message")

// What a law opens.
interface Tables<E, R> {
  /** Opens a client in a namespace, or in one that nobody has used. */
  readonly table: (namespace?: string) => Effect.Effect<Opened, E, R | Scope.Scope>
  /** Returns a namespace that nobody has used. */
  readonly fresh: (name?: string) => string
}

/**
 * Returns the laws of a table.
 */
export const laws = <E = never, R = never>(
  options: Options<E, R>
): ReadonlyArray<Law.Law<E | CircuitTable.TableError, R>> => {
  const { open, sleep } = resolve(options)
  const all: Array<Law.Law<E | CircuitTable.TableError, R>> = []

  const law = (
    name: string,
    body: (tables: Tables<E, R>) => Effect.Effect<void, Law.LawError | CircuitTable.TableError | E, R | Scope.Scope>
  ): void => {
    all.push({
      name,
      check: Effect.gen(function* () {
        const client = yield* open
        // A database may be that of other runs.
        const run = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(36)
        let spaces = 0
        const fresh = (name = "space") => `${name}-${run}-${++spaces}`
        yield* body({ fresh, table: (namespace = fresh()) => client(namespace) })
      })
    })
  }

  law("reads nothing but the time where nothing was written", ({ table }) =>
    Effect.gen(function* () {
      const empty = yield* table()
      for (const read of [empty.read([]), empty.read(["a", "b"]), empty.changes(undefined), empty.changes(0)]) {
        const { now, rows } = yield* read
        yield* same(rows, [])
        yield* isTrue(Number.isSafeInteger(now))
      }
    })
  )

  law("the time continues, and is that of the database in all reads", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const { now: first } = yield* one.read([])
      yield* sleep(20)
      const { now: second } = yield* one.changes(undefined)
      yield* atLeast(second - first, 19)
      yield* below(second - first, 5000)
    })
  )

  law("reads what was written", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const before = (yield* one.read([])).now
      const version = yield* write(one, draft("a", { data: `{"x":1}`, updatedBy: "p1" }), 0)
      const { now, rows } = yield* one.read(["a"])
      yield* size(rows, 1)
      const row = yield* there(rows[0])
      yield* same(Object.keys(row).toSorted(), ["data", "resourceKey", "updatedAt", "updatedBy", "version"])
      yield* same([row.resourceKey, row.data, row.updatedBy], ["a", `{"x":1}`, "p1"])
      yield* same(row.version, version)
      yield* isTrue(Number.isSafeInteger(row.version) && row.version > 0)
      yield* isTrue(Number.isSafeInteger(row.updatedAt))
      yield* atLeast(row.updatedAt, before)
      yield* atMost(row.updatedAt, now)
    })
  )

  law("takes a state of every kind, and an end that nobody lives to see", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      for (const state of ["CLOSED", "OPEN", "HALF_OPEN", "HELD_OPEN", "HELD_CLOSED"] as const) {
        for (const openUntil of [undefined, 0, -1.5, 1_800_000_000_000.25, Number.MAX_VALUE]) {
          yield* force(one, draft(state, { state, openUntil, failureCount: 2 ** 40 }))
        }
      }
      yield* size((yield* one.changes(undefined)).rows, 5)
    })
  )

  law("reads the rows that are there, each once", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      yield* one.write(draft("a"), 0)
      yield* one.write(draft("b"), 0)
      const { rows } = yield* one.read(["b", "c", "a", "a"])
      yield* same(rows.map(({ resourceKey }) => resourceKey).toSorted(), ["a", "b"])
    })
  )

  law("reads 200 rows at once", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`)
      yield* Effect.forEach(keys, (key) => one.write(draft(key), 0), { concurrency: 8 })
      yield* same((yield* one.read(keys)).rows.map(({ resourceKey }) => resourceKey).toSorted(), keys.toSorted())
    })
  )

  law("writes only over the version that is expected", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      yield* absent(yield* one.write(draft("a"), 1))
      yield* absent(yield* readOne(one, "a"))
      const first = yield* write(one, draft("a", { data: "1" }), 0)
      yield* absent(yield* one.write(draft("a", { data: "no" }), 0))
      yield* absent(yield* one.write(draft("a", { data: "no" }), first - 1))
      yield* absent(yield* one.write(draft("a", { data: "no" }), first + 1))
      const second = yield* write(one, draft("a", { data: "2" }), first)
      yield* above(second, first)
      yield* absent(yield* one.write(draft("a", { data: "no" }), first))
      const row = yield* readOne(one, "a")
      yield* same([row?.data, row?.version], ["2", second])
    })
  )

  law("the version of a row that was removed and made again is higher than before", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      let last = 0
      for (let round = 0; round < 5; round++) {
        let version = yield* write(one, draft("a"), 0)
        yield* above(version, last)
        for (let i = 0; i < 10; i++) {
          const next = yield* write(one, draft("a"), version)
          yield* above(next, version)
          version = next
        }
        last = version
        yield* sleep(3)
        yield* same(yield* one.sweep({ used: [], idleMillis: 1, limit: 10 }), 1)
        yield* absent(yield* one.write(draft("a"), last))
      }
    })
  )

  law("no update is lost of 30 writers at one time", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const clients = yield* Effect.all([table(space), table(space), table(space)])
      const add = (one: Table): Effect.Effect<number, CircuitTable.TableError> =>
        Effect.flatMap(readOne(one, "n"), (row) =>
          Effect.flatMap(
            one.write(draft("n", { data: String(Number(row?.data ?? 0) + 1) }), row?.version ?? 0),
            (version) => (version === undefined ? add(one) : Effect.succeed(version))
          )
        )
      const versions = yield* Effect.all(
        Array.from({ length: 30 }, (_, i) => add(clients[i % 3] ?? clients[0])),
        { concurrency: "unbounded" }
      )
      yield* same(new Set(versions).size, 30)
      const row = yield* readOne(clients[0], "n")
      yield* same([row?.data, row?.version], ["30", Math.max(...versions)])
    })
  )

  law("of all that make a row at one time, one does", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const clients = yield* Effect.all([table(space), table(space)])
      const versions = yield* Effect.all(
        Array.from({ length: 10 }, (_, i) => (clients[i % 2] ?? clients[0]).write(draft("a", { data: String(i) }), 0)),
        { concurrency: "unbounded" }
      )
      const won = versions.filter((version) => version !== undefined)
      yield* size(won, 1)
      const row = yield* readOne(clients[1], "a")
      yield* same([row?.data, row?.version], [String(versions.indexOf(won[0])), won[0]])
    })
  )

  law("odd texts are read as they were written", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const long = "é☃𝕏".repeat(40)
      for (const text of [...oddTexts, long]) {
        yield* one.write(draft(text, { data: text, updatedBy: text }), 0)
        const row = yield* readOne(one, text)
        yield* same([row?.resourceKey, row?.data, row?.updatedBy], [text, text, text])
      }
      const { rows } = yield* one.changes(undefined)
      yield* same(rows.map(({ resourceKey }) => resourceKey).toSorted(), [...oddTexts, long].toSorted())
    })
  )

  law("keys that differ in case, or in spaces, are different rows", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const keys = ["a", "A", "a ", "á", "a\u0301"]
      for (const key of keys) yield* write(one, draft(key, { data: key }), 0)
      for (const key of keys) yield* same((yield* readOne(one, key))?.data, key)
    })
  )

  law("data of 100 KB is read as it was written", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const data = JSON.stringify({ text: "☃'\"".repeat(20_000) })
      const version = yield* write(one, draft("a", { data }), 0)
      yield* write(one, draft("a", { data: `${data} ` }), version)
      yield* same((yield* readOne(one, "a"))?.data, `${data} `)
    })
  )

  law("changes are the rows that were written at a time or later, ordered", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      for (const key of ["c", "a", "d", "b"]) {
        yield* one.write(draft(key), 0)
        yield* sleep(3)
      }
      const keys = (since: number | undefined) =>
        Effect.map(one.changes(since), ({ rows }) => rows.map(({ resourceKey }) => resourceKey))
      const at = (yield* there(yield* readOne(one, "d"))).updatedAt
      yield* same(yield* keys(undefined), ["a", "b", "c", "d"])
      yield* same(yield* keys(0), ["a", "b", "c", "d"])
      yield* same(yield* keys(-1e14), ["a", "b", "c", "d"])
      yield* same(yield* keys(at), ["b", "d"])
      yield* same(yield* keys(at - 0.5), ["b", "d"])
      yield* same(yield* keys(at + 1), ["b"])
      const { now } = yield* one.read([])
      yield* same(yield* keys(now + 10_000), [])
      yield* force(one, draft("a"))
      yield* same(yield* keys(now), ["a"])
    })
  )

  law("namespaces are apart", ({ fresh, table }) =>
    Effect.gen(function* () {
      const [space, other] = [fresh(), fresh()]
      const [one, two] = yield* Effect.all([table(space), table(other)])
      const version = yield* write(one, draft("a", { data: "one" }), 0)
      yield* absent(yield* readOne(two, "a"))
      yield* same((yield* two.changes(undefined)).rows, [])
      yield* absent(yield* two.write(draft("a", { data: "two" }), version))
      yield* write(two, draft("a", { data: "two" }), 0)
      yield* sleep(10)
      yield* same(yield* two.sweep({ used: [], idleMillis: 5, limit: 10 }), 1)
      const again = yield* table(space)
      yield* same((yield* readOne(again, "a"))?.data, "one")
    })
  )

  for (const odd of [...oddTexts, "n".repeat(100)]) {
    law(`a namespace may have any name: ${odd.slice(0, 40)}`, ({ fresh, table }) =>
      Effect.gen(function* () {
        const one = yield* table(`${odd}${fresh("").slice(0, odd.length < 100 ? 20 : 0)}`)
        const version = yield* force(one, draft("a"))
        yield* same((yield* readOne(one, "a"))?.version, version)
        if (one.listen === undefined) return
        const feed = yield* Feed.open(one.listen)
        const next = yield* write(one, draft("a"), version)
        yield* isHintOf(yield* Queue.take(feed), "a", next)
      })
    )
  }

  law("what is written after listen succeeded is heard, by whomever it was written", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const [one, two] = yield* Effect.all([table(space), table(space)])
      if (one.listen === undefined) return
      const feed = yield* Feed.open(one.listen)
      for (const [i, client] of [one, two, one, two].entries()) {
        for (const key of ["a", "b"]) {
          const version = yield* force(client, draft(key, { data: String(i), updatedBy: `p${i}` }))
          yield* isHintOf(yield* Queue.take(feed), key, version)
        }
      }
    })
  )

  law("a write that is refused is not heard", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const feed = yield* Feed.open(one.listen)
      const first = yield* write(one, draft("a"), 0)
      yield* absent(yield* one.write(draft("a"), 0))
      yield* absent(yield* one.write(draft("a"), first + 1))
      const second = yield* write(one, draft("a"), first)
      yield* isHintOf(yield* Queue.take(feed), "a", first)
      yield* isHintOf(yield* Queue.take(feed), "a", second)
    })
  )

  law("every one of 100 writes at one time is heard, by all who listen", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const [one, two] = yield* Effect.all([table(space), table(space)])
      if (one.listen === undefined || two.listen === undefined) return
      const feeds = yield* Effect.all([Feed.open(one.listen), Feed.open(two.listen)])
      const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
      yield* Effect.forEach(keys, (key, i) => (i % 2 ? one : two).write(draft(key), 0), { concurrency: 10 })
      for (const feed of feeds) {
        const hints = yield* take(feed, keys.length)
        yield* same(hints.map(({ resourceKey }) => resourceKey).toSorted(), keys.toSorted())
      }
    })
  )

  law("a row of odd texts and data of any size is heard of", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const feed = yield* Feed.open(one.listen)
      const data = [...oddTexts, "x".repeat(7400), "☃".repeat(2500), "☃".repeat(100_000), '\\"\n'.repeat(2000)]
      for (const [i, text] of data.entries()) {
        const key = oddTexts[i] ?? `key-${i}`
        const version = yield* write(one, draft(key, { data: text, updatedBy: key }), 0)
        yield* isHintOf(yield* Queue.take(feed), key, version)
      }
    })
  )

  law("nothing is heard of another namespace", ({ table }) =>
    Effect.gen(function* () {
      const [one, two] = yield* Effect.all([table(), table()])
      if (one.listen === undefined) return
      const feed = yield* Feed.open(one.listen)
      yield* two.write(draft("a"), 0)
      const version = yield* write(one, draft("b"), 0)
      yield* isHintOf(yield* Queue.take(feed), "b", version)
    })
  )

  law("one that listens no more leaves the others", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const listen = one.listen
      const feed = yield* Feed.open(listen)
      for (let i = 0; i < 5; i++) {
        yield* Effect.scoped(Feed.open(listen))
        const version = yield* force(one, draft("a"))
        yield* isHintOf(yield* Queue.take(feed), "a", version)
      }
    })
  )

  law(
    "a message that no write sent changes no view and no row, costs few reads, and hides no change for long",
    (tables) =>
      Effect.gen(function* () {
        const one = yield* tables.table()
        const ears: Array<(hint: CircuitTable.Hint) => void> = []
        let reads = 0
        const { listen } = one
        const store = yield* CircuitStoreTable.make(
          {
            ...one,
            read: (keys) =>
              Effect.suspend(() => {
                reads++
                return one.read(keys)
              }),
            listen: (hear) =>
              Effect.suspend(() => {
                ears.push(hear)
                return listen === undefined ? Effect.succeed(Effect.never) : listen(hear)
              })
          },
          { timeout: "10 seconds", pollEvery: "500 millis", spread: 0, log: false }
        )
        const cell = new CircuitHistory.Cell("payments")
        store.attach(cell)
        yield* sleep(300)
        yield* store.update(cell, 0, (state, now) => [CircuitState.reset(state, now), undefined])
        yield* sleep(300)
        const row = yield* there(yield* readOne(one, "payments"))
        const view = cell.current
        for (const resourceKey of ["payments", "unknown", undefined]) {
          for (const version of [row.version - 1, row.version + 1, Number.MAX_SAFE_INTEGER, Number.NaN, undefined]) {
            for (const hear of ears) hear({ resourceKey, version })
            yield* sleep(30)
            yield* Law.same(cell.current, view, "the view")
            yield* same(yield* readOne(one, "payments"), row)
          }
        }
        reads = 0
        for (let i = 0; i < 100; i++) {
          for (let j = 0; j < 50; j++)
            for (const hear of ears) hear({ resourceKey: "payments", version: row.version + i })
          yield* sleep(10)
        }
        yield* atMost(reads, 20)
        yield* Law.same(cell.told, [], "what the cell was told")
        yield* same(yield* readOne(one, "payments"), row)

        const { after } = yield* CircuitTable.update(one, "payments", "ops", (state, now) => [
          CircuitState.hold(state, { as: "HeldOpen", by: "ops" }, now),
          undefined
        ])
        yield* sleep(1500)
        yield* Law.same(
          [cell.current._tag, cell.current.generation],
          [after._tag, after.generation],
          "the view of a hold"
        )
      })
  )

  law("data that is too long is read as empty, is written over, and leaves other rows readable", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const most = "x".repeat(CircuitTable.maxData)
      yield* write(one, draft("most", { data: most }), 0)
      yield* isTrue((yield* readOne(one, "most"))?.data === most)
      const other = yield* write(one, draft("other"), 0)
      for (const data of [`${most}x`, `${most.slice(2)}☃`]) {
        const version = yield* force(one, draft("a", { data }))
        for (const { rows } of [yield* one.read(["a", "other"]), yield* one.changes(undefined)]) {
          const found = rows.flatMap((row) =>
            row.resourceKey === "most" ? [] : [[row.resourceKey, row.version, row.data]]
          )
          yield* same(found.toSorted(), [
            ["a", version, ""],
            ["other", other, "{}"]
          ])
        }
        yield* write(one, draft("a", { data: "healed" }), version)
        yield* same((yield* readOne(one, "a"))?.data, "healed")
      }
    })
  )

  law("a version that no number holds is read as 0, is written over, and leaves other rows readable", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.spoil === undefined) return
      const other = yield* write(one, draft("other"), 0)
      const last = yield* write(one, draft("a", { data: "mine" }), 0)
      for (const version of ["0", "-1", "9007199254740992", "9007199254740993", "9223372036854775807"]) {
        yield* one.spoil("a", version)
        for (const { rows } of [yield* one.read(["a", "other"]), yield* one.changes(undefined)]) {
          const found = rows.map((row) => [row.resourceKey, row.version])
          yield* same(found.toSorted(), [
            ["a", 0],
            ["other", other]
          ])
        }
        yield* absent(yield* one.write(draft("a", { data: "no" }), last))
        const healed = yield* write(one, draft("a", { data: "healed" }), 0)
        yield* isTrue(Number.isSafeInteger(healed) && healed > 0)
        const row = yield* readOne(one, "a")
        yield* same([row?.data, row?.version], ["healed", healed])
        yield* absent(yield* one.write(draft("a", { data: "no" }), 0))
        yield* write(one, draft("a", { data: "mine" }), healed)
      }
    })
  )

  law("a row with the last version that there is can be written over", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.spoil === undefined) return
      yield* write(one, draft("a"), 0)
      yield* one.spoil("a", String(Number.MAX_SAFE_INTEGER))
      yield* same((yield* readOne(one, "a"))?.version, Number.MAX_SAFE_INTEGER)
      const version = yield* write(one, draft("a"), Number.MAX_SAFE_INTEGER)
      yield* isTrue(Number.isSafeInteger(version))
      yield* write(one, draft("a", { data: "again" }), version)
      yield* same((yield* readOne(one, "a"))?.data, "again")
    })
  )

  law("a circuit whose row somebody spoilt is followed, and its next change is written over it", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const open = () =>
        CircuitStoreTable.make(one, { timeout: "10 seconds", pollEvery: "250 millis", spread: 0, log: false })
      const [mine, theirs] = [yield* open(), yield* open()]
      const cells = [
        new CircuitHistory.Cell("a"),
        new CircuitHistory.Cell("a"),
        new CircuitHistory.Cell("other")
      ] as const
      mine.attach(cells[0])
      theirs.attach(cells[1])
      theirs.attach(cells[2])
      yield* sleep(350)
      const spoilt = [
        Effect.asVoid(force(one, draft("a", { data: "x".repeat(CircuitTable.maxData + 1) }))),
        ...["9007199254740993", String(Number.MAX_SAFE_INTEGER)].map(
          (version) => one.spoil?.("a", version) ?? Effect.void
        )
      ]
      for (const spoil of spoilt) {
        yield* spoil
        yield* sleep(350)
        yield* mine.update(cells[0], 0, (state, now) => [
          CircuitState.hold(state, { as: "HeldOpen", by: "ops" }, now),
          undefined
        ])
        yield* sleep(800)
        const row = yield* there(yield* readOne(one, "a"))
        yield* Law.same(CircuitTable.decode(row.data)?.state._tag, "HeldOpen", "the row")
        yield* isTrue(Number.isSafeInteger(row.version) && row.version > 0)
        for (const cell of [cells[0], cells[1]]) yield* Law.same(cell.current._tag, "HeldOpen", "the view")
        const { after } = yield* CircuitTable.update(one, "a", "ops", (state, now) => [
          CircuitState.reset(state, now),
          undefined
        ])
        yield* Law.same(after._tag, "Closed", "the state after a reset")
        yield* sleep(350)
      }
      yield* Law.same(cells[2].current._tag, "Closed", "the view of another circuit")
      for (const store of [mine, theirs]) {
        yield* Law.same((yield* store.status).reachable, true, "whether the table answers")
      }
    })
  )

  law("a sweep removes closed rows that nobody used for so long, and no others", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      for (const state of ["CLOSED", "OPEN", "HALF_OPEN", "HELD_OPEN", "HELD_CLOSED"] as const) {
        yield* one.write(draft(`old ${state}`, { state }), 0)
      }
      yield* one.write(draft("used"), 0)
      yield* one.write(draft("written"), 0)
      yield* sleep(1000)
      yield* force(one, draft("written"))
      yield* one.write(draft("new"), 0)
      const before = (yield* one.changes(undefined)).rows
      yield* same(yield* one.sweep({ used: ["used", "not there"], idleMillis: 5000, limit: 10 }), 0)
      yield* same((yield* one.changes(undefined)).rows, before)
      yield* same(yield* one.sweep({ used: ["used", "not there"], idleMillis: 900, limit: 10 }), 1)
      const after = (yield* one.changes(undefined)).rows
      // Being used is no change of a row.
      yield* same(
        after,
        before.filter(({ resourceKey }) => resourceKey !== "old CLOSED")
      )
      // It counts from when it was said.
      yield* same(yield* one.sweep({ used: [], idleMillis: 900, limit: 10 }), 0)
    })
  )

  law("a row whose circuit was open counts as closed for sweeps once it is", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      const version = yield* write(one, draft("a", { state: "OPEN", failureCount: 3, openUntil: 5 }), 0)
      yield* sleep(10)
      yield* same(yield* one.sweep({ used: [], idleMillis: 5, limit: 10 }), 0)
      yield* one.write(draft("a"), version)
      yield* sleep(10)
      yield* same(yield* one.sweep({ used: [], idleMillis: 5, limit: 10 }), 1)
    })
  )

  law("a sweep removes no more rows than its limit", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      for (let i = 0; i < 5; i++) yield* one.write(draft(`key-${i}`), 0)
      yield* sleep(10)
      const sweep = one.sweep({ used: [], idleMillis: 5, limit: 2 })
      yield* same([yield* sweep, yield* sweep, yield* sweep, yield* sweep], [2, 2, 1, 0])
      yield* same((yield* one.changes(undefined)).rows, [])
    })
  )

  return all
}
