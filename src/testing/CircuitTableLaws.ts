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
import type * as CircuitTable from "../store/CircuitTable.ts"
import * as Law from "./Law.ts"

type Table = CircuitTable.CircuitTable
type Row = CircuitTable.Row

/**
 * Options of the laws.
 */
export interface Options<E = never, R = never> {
  /**
   * Opens a database, and returns what opens a client of its table in a
   * namespace. Two clients of one namespace share its rows. It is run for each
   * law, and may return the same database each time.
   */
  readonly open: Effect.Effect<(namespace: string) => Effect.Effect<Table, E, R | Scope.Scope>, E, R | Scope.Scope>
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

/** Takes rows from a feed until `enough`. */
const takeUntil = (
  feed: Queue.Dequeue<Row, CircuitTable.TableError>,
  enough: (rows: ReadonlyArray<Row>) => boolean
): Effect.Effect<ReadonlyArray<Row>, CircuitTable.TableError> =>
  Effect.gen(function* () {
    const rows: Array<Row> = []
    while (!enough(rows)) rows.push(yield* Queue.take(feed))
    return rows
  })

// What a law opens.
interface Tables<E, R> {
  /** Opens a client in a namespace, or in one that nobody has used. */
  readonly table: (namespace?: string) => Effect.Effect<Table, E, R | Scope.Scope>
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
        const feed = yield* one.listen
        const next = yield* write(one, draft("a"), version)
        yield* same((yield* Queue.take(feed)).version, next)
      })
    )
  }

  law("what is written after listen succeeded is heard, by whomever it was written", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const [one, two] = yield* Effect.all([table(space), table(space)])
      if (one.listen === undefined) return
      const feed = yield* one.listen
      const written: Array<Row> = []
      for (const [i, client] of [one, two, one, two].entries()) {
        for (const key of ["a", "b"]) {
          yield* force(client, draft(key, { data: String(i), updatedBy: `p${i}` }))
          written.push(yield* there(yield* readOne(two, key)))
        }
      }
      yield* same(yield* takeUntil(feed, ({ length }) => length === written.length), written)
    })
  )

  law("a write that is refused is not heard", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const feed = yield* one.listen
      const first = yield* write(one, draft("a"), 0)
      yield* absent(yield* one.write(draft("a"), 0))
      yield* absent(yield* one.write(draft("a"), first + 1))
      const second = yield* write(one, draft("a"), first)
      const rows = yield* takeUntil(feed, ({ length }) => length === 2)
      yield* same(
        rows.map(({ version }) => version),
        [first, second]
      )
    })
  )

  law("every one of 100 writes at one time is heard, by all who listen", ({ fresh, table }) =>
    Effect.gen(function* () {
      const space = fresh()
      const [one, two] = yield* Effect.all([table(space), table(space)])
      if (one.listen === undefined || two.listen === undefined) return
      const feeds = yield* Effect.all([one.listen, two.listen])
      const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
      yield* Effect.forEach(keys, (key, i) => (i % 2 ? one : two).write(draft(key), 0), { concurrency: 10 })
      for (const feed of feeds) {
        const rows = yield* takeUntil(feed, ({ length }) => length === keys.length)
        yield* same(rows.map(({ resourceKey }) => resourceKey).toSorted(), keys.toSorted())
      }
    })
  )

  law("odd texts and data of any size are heard as they were written", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const feed = yield* one.listen
      const data = [...oddTexts, "x".repeat(7400), "☃".repeat(2500), "☃".repeat(100_000), '\\"\n'.repeat(2000)]
      for (const [i, text] of data.entries()) {
        const key = oddTexts[i] ?? `key-${i}`
        const version = yield* write(one, draft(key, { data: text, updatedBy: key }), 0)
        const row = yield* Queue.take(feed)
        yield* same([row.resourceKey, row.data, row.updatedBy, row.version], [key, text, key, version])
        yield* same(row, yield* readOne(one, key))
      }
    })
  )

  law("nothing is heard of another namespace", ({ table }) =>
    Effect.gen(function* () {
      const [one, two] = yield* Effect.all([table(), table()])
      if (one.listen === undefined) return
      const feed = yield* one.listen
      yield* two.write(draft("a", { data: "two" }), 0)
      yield* one.write(draft("b", { data: "one" }), 0)
      yield* same((yield* Queue.take(feed)).data, "one")
    })
  )

  law("one that listens no more leaves the others", ({ table }) =>
    Effect.gen(function* () {
      const one = yield* table()
      if (one.listen === undefined) return
      const listen = one.listen
      const feed = yield* listen
      for (let i = 0; i < 5; i++) {
        yield* Effect.scoped(listen)
        const version = yield* force(one, draft("a"))
        yield* same((yield* Queue.take(feed)).version, version)
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
