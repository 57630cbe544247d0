/**
 * The laws of a table of circuits. Every table passes them, whatever database
 * it is in.
 *
 * ```ts
 * suite("redis", open, { live: true })
 * ```
 *
 * `open` is run for each test. What it opens may be shared by all tests of a
 * file (a server, a layer that was built once): each test asks for the tables of
 * namespaces that nobody has used.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import { TestClock } from "effect/testing"
import type * as CircuitTable from "../../src/CircuitTable.ts"

type Table = CircuitTable.CircuitTable
type Row = CircuitTable.Row

/** The tables of one database. */
export interface Tables {
  /**
   * Opens a client of the table in a namespace. Without one, in a namespace that
   * nobody has used, another each time. Two clients of one namespace share its rows.
   */
  readonly table: (namespace?: string) => Effect.Effect<Table, unknown, Scope.Scope>
}

export interface SuiteOptions {
  /** Whether the table needs real time, and not the TestClock. Default: false. */
  readonly live?: boolean | undefined
}

/** A draft of a row, closed where nothing else is said. */
export const draft = (resourceKey: string, changes: Partial<CircuitTable.Draft> = {}): CircuitTable.Draft => ({
  resourceKey,
  data: "{}",
  updatedBy: "me",
  state: "CLOSED",
  failureCount: 0,
  openUntil: undefined,
  ...changes
})

/** Texts that are written as they are, in keys and in data. */
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

let spaces = 0
/** Returns a namespace that no other test of this file uses. */
export const fresh = (name = "space"): string => `${name}-${process.pid}-${++spaces}`

/** Reads one row. */
export const readOne = (table: Table, resourceKey: string) =>
  Effect.map(table.read([resourceKey]), ({ rows }) => rows[0])

/** Writes a row whatever its version is, and returns the new one. */
export const force = (table: Table, row: CircuitTable.Draft): Effect.Effect<number, CircuitTable.TableError> =>
  Effect.flatMap(readOne(table, row.resourceKey), (before) =>
    Effect.flatMap(table.write(row, before?.version ?? 0), (version) =>
      version === undefined ? force(table, row) : Effect.succeed(version)
    )
  )

/** Defines the tests of the laws for a table. `open` opens the tables for each test. */
export const suite = (
  name: string,
  open: Effect.Effect<Tables, never, Scope.Scope>,
  { live = false }: SuiteOptions = {}
): void => {
  const sleep = (millis: number) => (live ? Effect.sleep(millis) : TestClock.adjust(millis))

  const law = (rule: string, body: (tables: Tables) => Effect.Effect<void, unknown, Scope.Scope>) =>
    (live ? it.live : it.effect)(rule, () => Effect.scoped(Effect.flatMap(open, body)))

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

  describe(`laws of a table of circuits: ${name}`, () => {
    law("reads nothing but the time where nothing was written", ({ table }) =>
      Effect.gen(function* () {
        const empty = yield* table()
        for (const read of [empty.read([]), empty.read(["a", "b"]), empty.changes(undefined), empty.changes(0)]) {
          const { now, rows } = yield* read
          assert.deepStrictEqual(rows, [])
          assert.isTrue(Number.isSafeInteger(now))
        }
      })
    )

    law("the time goes on, and is that of the database in all reads", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const { now: first } = yield* one.read([])
        yield* sleep(20)
        const { now: second } = yield* one.changes(undefined)
        assert.isAtLeast(second - first, 19)
        assert.isBelow(second - first, 5000)
      })
    )

    law("reads what was written", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const before = (yield* one.read([])).now
        const version = yield* one.write(draft("a", { data: `{"x":1}`, updatedBy: "p1" }), 0)
        const { now, rows } = yield* one.read(["a"])
        assert.lengthOf(rows, 1)
        const row = rows[0]!
        assert.deepStrictEqual(Object.keys(row).toSorted(), [
          "data",
          "resourceKey",
          "updatedAt",
          "updatedBy",
          "version"
        ])
        assert.deepStrictEqual([row.resourceKey, row.data, row.updatedBy], ["a", `{"x":1}`, "p1"])
        assert.strictEqual(row.version, version)
        assert.isTrue(Number.isSafeInteger(row.version) && row.version > 0)
        assert.isTrue(Number.isSafeInteger(row.updatedAt))
        assert.isAtLeast(row.updatedAt, before)
        assert.isAtMost(row.updatedAt, now)
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
        assert.lengthOf((yield* one.changes(undefined)).rows, 5)
      })
    )

    law("reads the rows that are there, each once", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        yield* one.write(draft("a"), 0)
        yield* one.write(draft("b"), 0)
        const { rows } = yield* one.read(["b", "c", "a", "a"])
        assert.deepStrictEqual(rows.map(({ resourceKey }) => resourceKey).toSorted(), ["a", "b"])
      })
    )

    law("reads 200 rows at once", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`)
        yield* Effect.forEach(keys, (key) => one.write(draft(key), 0), { concurrency: 8 })
        assert.deepStrictEqual(
          (yield* one.read(keys)).rows.map(({ resourceKey }) => resourceKey).toSorted(),
          keys.toSorted()
        )
      })
    )

    law("writes only over the version that is expected", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        assert.isUndefined(yield* one.write(draft("a"), 1))
        assert.isUndefined(yield* readOne(one, "a"))
        const first = yield* one.write(draft("a", { data: "1" }), 0)
        assert.isDefined(first)
        assert.isUndefined(yield* one.write(draft("a", { data: "no" }), 0))
        assert.isUndefined(yield* one.write(draft("a", { data: "no" }), first! - 1))
        assert.isUndefined(yield* one.write(draft("a", { data: "no" }), first! + 1))
        const second = yield* one.write(draft("a", { data: "2" }), first!)
        assert.isAbove(second!, first!)
        assert.isUndefined(yield* one.write(draft("a", { data: "no" }), first!))
        const row = yield* readOne(one, "a")
        assert.deepStrictEqual([row?.data, row?.version], ["2", second])
      })
    )

    law("the version of a row that was removed and made again is higher than before", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        let last = 0
        for (let round = 0; round < 5; round++) {
          let version = (yield* one.write(draft("a"), 0))!
          assert.isAbove(version, last)
          for (let i = 0; i < 10; i++) {
            const next = yield* one.write(draft("a"), version)
            assert.isAbove(next!, version)
            version = next!
          }
          last = version
          yield* sleep(3)
          assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 1, limit: 10 }), 1)
          assert.isUndefined(yield* one.write(draft("a"), last))
        }
      })
    )

    law("no update is lost of 30 writers at one time", ({ table }) =>
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
          Array.from({ length: 30 }, (_, i) => add(clients[i % 3]!)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(versions).size, 30)
        const row = yield* readOne(clients[0]!, "n")
        assert.deepStrictEqual([row?.data, row?.version], ["30", Math.max(...versions)])
      })
    )

    law("of all that make a row at one time, one does", ({ table }) =>
      Effect.gen(function* () {
        const space = fresh()
        const clients = yield* Effect.all([table(space), table(space)])
        const versions = yield* Effect.all(
          Array.from({ length: 10 }, (_, i) => clients[i % 2]!.write(draft("a", { data: String(i) }), 0)),
          { concurrency: "unbounded" }
        )
        const won = versions.filter((version) => version !== undefined)
        assert.lengthOf(won, 1)
        const row = yield* readOne(clients[1]!, "a")
        assert.deepStrictEqual([row?.data, row?.version], [String(versions.indexOf(won[0])), won[0]])
      })
    )

    law("odd texts are read as they were written", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const long = `${"é☃𝕏".repeat(40)}`
        for (const text of [...oddTexts, long]) {
          yield* one.write(draft(text, { data: text, updatedBy: text }), 0)
          const row = yield* readOne(one, text)
          assert.deepStrictEqual([row?.resourceKey, row?.data, row?.updatedBy], [text, text, text])
        }
        const { rows } = yield* one.changes(undefined)
        assert.deepStrictEqual(rows.map(({ resourceKey }) => resourceKey).toSorted(), [...oddTexts, long].toSorted())
      })
    )

    law("keys that differ in case, or in spaces, are different rows", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const keys = ["a", "A", "a ", "á", "a\u0301"]
        for (const key of keys) assert.isDefined(yield* one.write(draft(key, { data: key }), 0))
        for (const key of keys) assert.strictEqual((yield* readOne(one, key))?.data, key)
      })
    )

    law("data of 100 KB is read as it was written", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const data = JSON.stringify({ text: "☃'\"".repeat(20_000) })
        const version = yield* one.write(draft("a", { data }), 0)
        assert.isDefined(yield* one.write(draft("a", { data: `${data} ` }), version!))
        assert.strictEqual((yield* readOne(one, "a"))?.data, `${data} `)
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
        const at = (yield* readOne(one, "d"))!.updatedAt
        assert.deepStrictEqual(yield* keys(undefined), ["a", "b", "c", "d"])
        assert.deepStrictEqual(yield* keys(0), ["a", "b", "c", "d"])
        assert.deepStrictEqual(yield* keys(-1e14), ["a", "b", "c", "d"])
        assert.deepStrictEqual(yield* keys(at), ["b", "d"])
        assert.deepStrictEqual(yield* keys(at - 0.5), ["b", "d"])
        assert.deepStrictEqual(yield* keys(at + 1), ["b"])
        const { now } = yield* one.read([])
        assert.deepStrictEqual(yield* keys(now + 10_000), [])
        yield* force(one, draft("a"))
        assert.deepStrictEqual(yield* keys(now), ["a"])
      })
    )

    law("namespaces are apart", ({ table }) =>
      Effect.gen(function* () {
        const [space, other] = [fresh(), fresh()]
        const [one, two] = yield* Effect.all([table(space), table(other)])
        const version = yield* one.write(draft("a", { data: "one" }), 0)
        assert.isUndefined(yield* readOne(two, "a"))
        assert.deepStrictEqual((yield* two.changes(undefined)).rows, [])
        assert.isUndefined(yield* two.write(draft("a", { data: "two" }), version!))
        assert.isDefined(yield* two.write(draft("a", { data: "two" }), 0))
        yield* sleep(10)
        assert.strictEqual(yield* two.sweep({ used: [], idleMillis: 5, limit: 10 }), 1)
        const again = yield* table(space)
        assert.strictEqual((yield* readOne(again, "a"))?.data, "one")
      })
    )

    for (const odd of [...oddTexts, "n".repeat(100)]) {
      law(`a namespace may have any name: ${odd.slice(0, 40)}`, ({ table }) =>
        Effect.gen(function* () {
          const one = yield* table(`${odd}${fresh("").slice(0, odd.length < 100 ? 20 : 0)}`)
          const version = yield* force(one, draft("a"))
          assert.strictEqual((yield* readOne(one, "a"))?.version, version)
          if (one.listen === undefined) return
          const feed = yield* one.listen
          const next = yield* one.write(draft("a"), version)
          assert.strictEqual((yield* Queue.take(feed)).version, next)
        })
      )
    }

    law("what is written after listen succeeded is heard, by whomever it was written", ({ table }) =>
      Effect.gen(function* () {
        const space = fresh()
        const [one, two] = yield* Effect.all([table(space), table(space)])
        if (one.listen === undefined) return
        const feed = yield* one.listen
        const written: Array<Row> = []
        for (const [i, client] of [one, two, one, two].entries()) {
          for (const key of ["a", "b"]) {
            yield* force(client, draft(key, { data: String(i), updatedBy: `p${i}` }))
            written.push((yield* readOne(two, key))!)
          }
        }
        assert.deepStrictEqual(yield* takeUntil(feed, ({ length }) => length === written.length), written)
      })
    )

    law("a write that is refused is not heard", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        if (one.listen === undefined) return
        const feed = yield* one.listen
        const first = yield* one.write(draft("a"), 0)
        assert.isUndefined(yield* one.write(draft("a"), 0))
        assert.isUndefined(yield* one.write(draft("a"), first! + 1))
        const second = yield* one.write(draft("a"), first!)
        const rows = yield* takeUntil(feed, ({ length }) => length === 2)
        assert.deepStrictEqual(
          rows.map(({ version }) => version),
          [first, second]
        )
      })
    )

    law("every one of 100 writes at one time is heard, by all who listen", ({ table }) =>
      Effect.gen(function* () {
        const space = fresh()
        const [one, two] = yield* Effect.all([table(space), table(space)])
        if (one.listen === undefined || two.listen === undefined) return
        const feeds = yield* Effect.all([one.listen, two.listen])
        const keys = Array.from({ length: 100 }, (_, i) => `key-${i}`)
        yield* Effect.forEach(keys, (key, i) => (i % 2 ? one : two).write(draft(key), 0), { concurrency: 10 })
        for (const feed of feeds) {
          const rows = yield* takeUntil(feed, ({ length }) => length === keys.length)
          assert.deepStrictEqual(rows.map(({ resourceKey }) => resourceKey).toSorted(), keys.toSorted())
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
          const version = yield* one.write(draft(key, { data: text, updatedBy: key }), 0)
          const row = yield* Queue.take(feed)
          assert.deepStrictEqual([row.resourceKey, row.data, row.updatedBy, row.version], [key, text, key, version])
          assert.deepStrictEqual(row, yield* readOne(one, key))
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
        assert.strictEqual((yield* Queue.take(feed)).data, "one")
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
          assert.strictEqual((yield* Queue.take(feed)).version, version)
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
        assert.strictEqual(yield* one.sweep({ used: ["used", "not there"], idleMillis: 5000, limit: 10 }), 0)
        assert.deepStrictEqual((yield* one.changes(undefined)).rows, before)
        assert.strictEqual(yield* one.sweep({ used: ["used", "not there"], idleMillis: 900, limit: 10 }), 1)
        const after = (yield* one.changes(undefined)).rows
        // Being used is no change of a row.
        assert.deepStrictEqual(
          after,
          before.filter(({ resourceKey }) => resourceKey !== "old CLOSED")
        )
      })
    )

    law("a row whose circuit was open counts as closed for sweeps once it is", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        const version = yield* one.write(draft("a", { state: "OPEN", failureCount: 3, openUntil: 5 }), 0)
        yield* sleep(10)
        assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 5, limit: 10 }), 0)
        yield* one.write(draft("a"), version!)
        yield* sleep(10)
        assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 5, limit: 10 }), 1)
      })
    )

    law("a sweep removes no more rows than its limit", ({ table }) =>
      Effect.gen(function* () {
        const one = yield* table()
        for (let i = 0; i < 5; i++) yield* one.write(draft(`key-${i}`), 0)
        yield* sleep(10)
        const sweep = one.sweep({ used: [], idleMillis: 5, limit: 2 })
        assert.deepStrictEqual([yield* sweep, yield* sweep, yield* sweep, yield* sweep], [2, 2, 1, 0])
        assert.deepStrictEqual((yield* one.changes(undefined)).rows, [])
      })
    )
  })
}
