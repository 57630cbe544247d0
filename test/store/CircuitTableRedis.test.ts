import { NodeRedis } from "@effect/platform-node"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Logger, ManagedRuntime, Queue, Schedule } from "effect"
import type { Scope } from "effect"
import { Redis } from "effect/persistence"
import { randomUUID } from "node:crypto"
import type * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as CircuitTableRedis from "../../src/store/CircuitTableRedis.ts"
import * as RedisServer from "../support/redis.ts"
import { draft, force, fresh, listen, readOne, suite } from "../suites/CircuitTableSuite.ts"

const prefix = `test-${randomUUID()}`
type Client = Redis.Redis | NodeRedis.NodeRedis

RedisServer.describeRedis("a table in Redis", () => {
  const runtime = ManagedRuntime.make(Layer.orDie(RedisServer.layer))
  afterAll(() => runtime.dispose())

  const table = (namespace = fresh()) => CircuitTableRedis.make({ prefix, namespace })

  suite(
    "Redis",
    Effect.map(runtime.contextEffect, (context) => ({
      table: (namespace = fresh()) =>
        Effect.provide(
          Effect.gen(function* () {
            const redis = yield* Redis.Redis
            return {
              ...(yield* table(namespace)),
              spoil: (key: string, version: string) =>
                Effect.orDie(
                  Effect.asVoid(redis.send("HSET", `{${prefix}:${namespace}}:circuit:${key}`, "version", version))
                )
            }
          }),
          context
        )
    })),
    { live: true }
  )

  const test = (name: string, body: Effect.Effect<void, unknown, Client | Scope.Scope>) =>
    it.live(name, () =>
      Effect.scoped(Effect.flatMap(runtime.contextEffect, (context) => Effect.provide(body, context)))
    )

  /** Sends a command, past the table. */
  const send = (command: string, ...args: ReadonlyArray<string>) =>
    Effect.flatMap(Redis.Redis, (redis) => redis.send<string>(command, ...args))
  const fields = (key: string) =>
    Effect.flatMap(NodeRedis.NodeRedis, ({ use }) =>
      Effect.map(
        use((client) => client.hGetAll(key)),
        (all) => ({ ...all })
      )
    )

  test(
    "sets that somebody replaced take no write from others, and begin anew",
    Effect.gen(function* () {
      const space = fresh()
      const { changes, read, sweep, write } = yield* table(space)
      yield* write(draft("a"), 0)
      for (const set of ["updated", "used"]) yield* send("SET", `{${prefix}:${space}}:${set}`, "text")
      assert.lengthOf((yield* changes(undefined)).rows, 0)
      assert.lengthOf((yield* read(["a"])).rows, 1)
      assert.isDefined(yield* write(draft("b"), 0))
      assert.deepStrictEqual(
        (yield* changes(undefined)).rows.map(({ resourceKey }) => resourceKey),
        ["b"]
      )
      for (const set of ["updated", "used"]) yield* send("SET", `{${prefix}:${space}}:${set}`, "text")
      assert.strictEqual(yield* sweep({ used: ["a"], idleMillis: 0, limit: 10 }), 0)
    })
  )

  test(
    "rows are hashes that people can read, under keys that stay on one node of a cluster",
    Effect.gen(function* () {
      const one = yield* table("orders:eu")
      const root = `{${prefix}:orders%003aeu}`
      const version = yield* one.write(
        draft("a:b", { state: "OPEN", failureCount: 3, openUntil: 1_800_000_000_000 }),
        0
      )
      const { updatedAt } = (yield* readOne(one, "a:b"))!
      const common = { data: "{}", updatedBy: "me" }
      assert.deepStrictEqual(yield* fields(`${root}:circuit:a:b`), {
        ...common,
        version: String(version),
        updatedAt: String(updatedAt),
        state: "OPEN",
        failureCount: "3",
        openUntil: "1800000000000"
      })
      const next = yield* one.write(draft("a:b"), version!)
      const closed = (yield* readOne(one, "a:b"))!
      assert.deepStrictEqual(yield* fields(`${root}:circuit:a:b`), {
        ...common,
        version: String(next),
        updatedAt: String(closed.updatedAt),
        state: "CLOSED",
        failureCount: "0"
      })
      assert.deepStrictEqual(
        [yield* send("ZSCORE", `${root}:updated`, "a:b"), yield* send("ZSCORE", `${root}:used`, "a:b")].map(Number),
        [closed.updatedAt, closed.updatedAt]
      )
    })
  )

  test(
    "no names make the keys of others",
    Effect.gen(function* () {
      const a = yield* CircuitTableRedis.make({ prefix: `${prefix}:a`, namespace: "b" })
      const b = yield* CircuitTableRedis.make({ prefix, namespace: "a:b" })
      const c = yield* CircuitTableRedis.make({ prefix: `${prefix}:a`, namespace: "b}" })
      yield* a.write(draft("x"), 0)
      assert.isUndefined(yield* readOne(b, "x"))
      assert.isUndefined(yield* readOne(c, "x"))
    })
  )

  test(
    "versions are the microseconds of the server, and go on from higher ones to the last digit",
    Effect.gen(function* () {
      const space = fresh()
      const one = yield* table(space)
      const first = yield* one.write(draft("a"), 0)
      const { updatedAt } = (yield* readOne(one, "a"))!
      assert.strictEqual(Math.floor(first! / 1000), updatedAt)
      const ahead = 8_999_999_999_999_001
      yield* send("HSET", `{${prefix}:${space}}:circuit:a`, "version", String(ahead))
      assert.strictEqual((yield* readOne(one, "a"))?.version, ahead)
      assert.isUndefined(yield* one.write(draft("a"), ahead - 1))
      assert.isUndefined(yield* one.write(draft("a"), ahead + 1))
      const feed = yield* listen(one.listen!)
      assert.strictEqual(yield* one.write(draft("a"), ahead), ahead + 1)
      assert.strictEqual((yield* Queue.take(feed)).version, ahead + 1)
      assert.strictEqual((yield* readOne(one, "a"))?.version, ahead + 1)
    })
  )

  for (const [what, ...spoil] of [
    ["a key of another type", "SET", "text"],
    ["a version that is no number", "HSET", "version", "nan"],
    ["a version with a fraction", "HSET", "version", "1.5"],
    ["a version that is too high", "HSET", "version", "inf"],
    ["no version", "HDEL", "version"],
    ["no data", "HDEL", "data"]
  ] as const) {
    test(
      `${what} leaves other rows readable, and is written over`,
      Effect.gen(function* () {
        const space = fresh()
        const one = yield* table(space)
        yield* one.write(draft("a"), 0)
        yield* one.write(draft("b"), 0)
        const [command, ...args] = spoil
        const key = `{${prefix}:${space}}:circuit:a`
        if (command === "SET") yield* send("DEL", key)
        yield* send(command, key, ...args)
        for (const { rows } of [yield* one.read(["a", "b"]), yield* one.changes(undefined)]) {
          assert.deepStrictEqual(
            rows.find(({ resourceKey }) => resourceKey === "b"),
            yield* readOne(one, "b")
          )
          for (const { version } of rows) assert.isTrue(Number.isSafeInteger(version))
        }
        yield* force(one, draft("a", { data: "healed" }))
        assert.strictEqual((yield* readOne(one, "a"))?.data, "healed")
      })
    )
  }

  test(
    "rows that were evicted are absent, and are swept",
    Effect.gen(function* () {
      const space = fresh()
      const one = yield* table(space)
      yield* one.write(draft("a"), 0)
      const last = (yield* one.write(draft("b"), 0))!
      yield* send("DEL", `{${prefix}:${space}}:circuit:b`)
      assert.deepStrictEqual(
        (yield* one.changes(undefined)).rows.map(({ resourceKey }) => resourceKey),
        ["a"]
      )
      assert.isAbove((yield* one.write(draft("b"), 0))!, last)
      yield* send("DEL", `{${prefix}:${space}}:circuit:b`)
      yield* Effect.sleep(5)
      assert.strictEqual(yield* one.sweep({ used: ["a"], idleMillis: 3, limit: 10 }), 0)
      assert.strictEqual(yield* send("ZCARD", `{${prefix}:${space}}:updated`).pipe(Effect.map(Number)), 1)
    })
  )

  test(
    "all of 1201 rows are read, marked and removed, by scripts that each do a part",
    Effect.gen(function* () {
      const one = yield* table()
      const keys = Array.from({ length: 1201 }, (_, i) => `key-${i}`)
      yield* Effect.forEach(keys, (key) => one.write(draft(key), 0), { concurrency: 50, discard: true })
      assert.deepStrictEqual(
        (yield* one.changes(undefined)).rows.map(({ resourceKey }) => resourceKey),
        keys.toSorted()
      )
      assert.lengthOf((yield* one.read(keys)).rows, 1201)
      yield* Effect.sleep(1000)
      assert.strictEqual(yield* one.sweep({ used: keys.slice(1), idleMillis: 900, limit: 2000 }), 1)
      yield* Effect.sleep(10)
      assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 5, limit: 2000 }), 1200)
    })
  )

  test(
    "what is read in parts is as old as the first of them",
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      let scripts = 0
      const slow = Redis.Redis.of({
        ...redis,
        eval:
          (script) =>
          (...params) =>
            redis
              .eval(script)(...params)
              .pipe(
                Effect.tap(() => {
                  scripts++
                  return Effect.sleep(200)
                })
              )
      })
      const space = fresh()
      const one = yield* table(space)
      const keys = Array.from({ length: 501 }, (_, i) => `key-${i}`)
      yield* Effect.forEach(keys, (key) => one.write(draft(key), 0), { concurrency: 50, discard: true })
      const two = yield* Effect.provideService(table(space), Redis.Redis, slow)
      for (const operation of [two.changes(undefined), two.read(keys)]) {
        const before = (yield* one.read([])).now
        scripts = 0
        const { now, rows } = yield* operation
        assert.lengthOf(rows, 501)
        assert.strictEqual(scripts, 2)
        assert.isBelow(now - before, 200)
      }
    })
  )

  test(
    "rows that are open do not stand before those that a sweep removes",
    Effect.gen(function* () {
      const one = yield* table()
      for (let i = 0; i < 5; i++) yield* one.write(draft(`open-${i}`, { state: "OPEN" }), 0)
      yield* one.write(draft("closed"), 0)
      yield* Effect.sleep(5)
      assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 2, limit: 1 }), 1)
    })
  )

  test(
    "rows that are open are not swept, though they were closed before and marked since",
    Effect.gen(function* () {
      const space = fresh()
      const one = yield* table(space)
      const version = yield* one.write(draft("a"), 0)
      yield* one.write(draft("a", { state: "OPEN" }), version!)
      yield* one.sweep({ used: ["a", "not there"], idleMillis: 1000, limit: 1 })
      assert.strictEqual(Number(yield* send("ZCARD", `{${prefix}:${space}}:used`)), 0)
      yield* Effect.sleep(5)
      assert.strictEqual(yield* one.sweep({ used: [], idleMillis: 2, limit: 10 }), 0)
      assert.isDefined(yield* readOne(one, "a"))
    })
  )

  test(
    "messages of anybody are hints, at most",
    Effect.gen(function* () {
      const space = fresh()
      const one = yield* table(space)
      const feed = yield* listen(one.listen!)
      const good = { resourceKey: "a", version: 1, data: "{}", updatedBy: "me", updatedAt: 1 }
      const senseless = { resourceKey: undefined, version: undefined }
      const said = (version: unknown) => JSON.stringify({ ...good, version })
      const messages: ReadonlyArray<readonly [text: string, hint: CircuitTable.Hint]> = [
        ...["", "{", "null", "[]", "{}", `{"resourceKey":1}`, said(1).padEnd(8001)].map(
          (text) => [text, senseless] as const
        ),
        [said(7), { resourceKey: "a", version: 7 }],
        ...["1", 0, -1, 1.5, 2 ** 53, null].map(
          (version) => [said(version), { resourceKey: "a", version: undefined }] as const
        )
      ]
      for (const [text] of messages) yield* send("PUBLISH", `{${prefix}:${space}}:changes`, text)
      const version = yield* one.write(draft("b"), 0)
      assert.deepStrictEqual(yield* Queue.takeN(feed, messages.length + 1), [
        ...messages.map(([, hint]) => hint),
        { resourceKey: "b", version }
      ])
    })
  )

  test(
    "every operation finds its script again after the server lost it",
    Effect.gen(function* () {
      const one = yield* table()
      const all = Effect.gen(function* () {
        yield* one.read(["a"])
        yield* one.changes(undefined)
        yield* force(one, draft("a"))
        yield* one.sweep({ used: ["a"], idleMillis: 1000, limit: 1 })
      })
      yield* all
      yield* send("SCRIPT", "FLUSH")
      yield* all
      assert.isDefined(yield* readOne(one, "a"))
    })
  )
})

describe("options of a table in Redis", () => {
  const none = Layer.mock(Redis.Redis, { eval: () => () => Effect.never })
  const built = (options: CircuitTableRedis.Options) =>
    Effect.exit(Effect.provide(CircuitTableRedis.make(options), none))

  for (const [options, message] of [
    [{ prefix: "" }, `CircuitStoreRedis: prefix must be a non-empty string, got ""`],
    [{ namespace: " " }, `CircuitStoreRedis: namespace must be a non-empty string, got " "`],
    [{ prefix: "a}b" }, `CircuitStoreRedis: prefix must be without { and }, got "a}b"`],
    [{ prefix: "{a" }, `CircuitStoreRedis: prefix must be without { and }, got "{a"`]
  ] as const) {
    it.effect(`${JSON.stringify(options)} is refused`, () =>
      Effect.map(built(options), (exit) => {
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.strictEqual((Cause.squash(exit.cause) as Error).message, message)
      })
    )
  }
})

describe("errors of a table in Redis", () => {
  const failing = (cause: unknown) => {
    const error = new Redis.RedisError({ cause })
    return CircuitTableRedis.make().pipe(
      Effect.flatMap((table) => Effect.flip(table.read(["a"]))),
      Effect.provide(Layer.mock(Redis.Redis, { eval: () => () => Effect.fail(error) }))
    )
  }

  for (const [name, cause, reason] of [
    ["of the network", new Error("connect ECONNREFUSED 127.0.0.1:1"), "connect ECONNREFUSED 127.0.0.1:1"],
    [
      "of all addresses of a host",
      Object.assign(new AggregateError([new Error("one")]), { code: "ECONNREFUSED" }),
      "ECONNREFUSED"
    ],
    ["with lines", new Error("ERR one\r\n  two"), "ERR one two"],
    ["with a URL", new Error("no redis://app:s3cret@db:6379/0"), "no redis://***@db:6379/0"],
    [
      "with the arguments of a command",
      new Error("ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'app' 's3cret'"),
      "ERR unknown command 'HELLO'"
    ],
    ["that is none", "s3cret", "unknown error"]
  ] as const) {
    it.effect(`an error ${name} is one line without secrets`, () =>
      Effect.map(failing(cause), (error) => {
        assert.strictEqual(error._tag, "TableError")
        assert.strictEqual(error.message, `Redis could not read: ${reason}`)
      })
    )
  }
})

describe("a feed of a table in Redis", () => {
  it.effect("ends a subscription that nobody waits for", () =>
    Effect.gen(function* () {
      let ended = false
      const subscribe = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (ended = true)))
      const redis = Layer.mock(Redis.Redis, { subscribe, eval: () => () => Effect.never })
      const table = yield* Effect.provide(CircuitTableRedis.make(), redis)
      const fiber = yield* Effect.forkChild(Effect.scoped(listen(table.listen!)), { startImmediately: true })
      assert.isFalse(ended)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(ended)
    })
  )
})

RedisServer.describeServer("a table in a Redis that goes away", () => {
  // The client logs that it lost its connection.
  const quiet = Logger.layer([])
  /** Runs with a server, and a table on a client with these options. */
  const test = (
    name: string,
    options: Parameters<typeof NodeRedis.layer>[0],
    body: (
      server: RedisServer.RedisServer,
      table: CircuitTable.CircuitTable
    ) => Effect.Effect<void, unknown, Client | Scope.Scope>
  ) =>
    it.live(name, () =>
      Effect.gen(function* () {
        const server = yield* RedisServer.serve
        yield* Effect.flatMap(CircuitTableRedis.make(), (table) => body(server, table)).pipe(
          // A client that is closed waits for its commands.
          Effect.ensuring(server.thaw),
          Effect.provide(NodeRedis.layer({ url: server.url, ...options }))
        )
      }).pipe(Effect.provide(quiet), Effect.scoped)
    )
  const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.retry(effect, { schedule: Schedule.spaced(50), times: 200 })

  test("comes back empty after a restart, with higher versions, and is heard again", {}, (server, table) =>
    Effect.gen(function* () {
      const feed = yield* listen(table.listen!)
      const before = yield* table.write(draft("a"), 0)
      assert.strictEqual((yield* Queue.take(feed)).version, before)
      yield* server.stop
      yield* server.start
      const { rows } = yield* eventually(table.changes(undefined))
      assert.deepStrictEqual(rows, [])
      assert.deepStrictEqual((yield* table.read(["a"])).rows, [])
      assert.isUndefined(yield* table.write(draft("a"), before!))
      const after = yield* table.write(draft("a"), 0)
      assert.isAbove(after!, before!)
      // The feed comes back by itself, later than the commands.
      const heard = yield* eventually(
        Effect.flatMap(force(table, draft("a")), () => Effect.timeout(Queue.take(feed), 10))
      )
      assert.isAtLeast(heard.version!, after!)
    })
  )

  const once = { socket: { reconnectStrategy: false } } as const

  test("fails its operations and its feeds where the client does not come back", once, (server, table) =>
    Effect.gen(function* () {
      const feed = yield* listen(table.listen!)
      yield* server.stop
      const error = yield* Effect.flip(Queue.take(feed))
      assert.match(error.message, /^Redis could not listen: \S.*$/)
      for (const [operation, what] of [
        [table.read(["a"]), "read"],
        [table.changes(undefined), "read changes"],
        [table.write(draft("a"), 0), "write"],
        [table.sweep({ used: [], idleMillis: 1, limit: 1 }), "sweep"],
        [Effect.scoped(listen(table.listen!)), "listen"]
      ] as const) {
        const error = yield* Effect.flip<unknown, CircuitTable.TableError, never>(operation)
        assert.strictEqual(error._tag, "TableError")
        assert.match(error.message, new RegExp(`^Redis could not ${what}: \\S.*$`))
      }
    })
  )

  test("lets go at once of what is interrupted while the server hangs", {}, (server, table) =>
    Effect.gen(function* () {
      yield* table.changes(undefined)
      yield* server.freeze
      for (const operation of [
        table.read(["a"]),
        table.changes(undefined),
        table.write(draft("a"), 0),
        table.sweep({ used: [], idleMillis: 1, limit: 1 }),
        Effect.scoped(listen(table.listen!))
      ]) {
        const fiber = yield* Effect.forkChild(Effect.exit<unknown, unknown, never>(operation), {
          startImmediately: true
        })
        yield* Effect.sleep(50)
        assert.isUndefined(fiber.pollUnsafe())
        yield* Effect.timeout(Fiber.interrupt(fiber), 200)
      }
    })
  )

  test("leaves no connection of a feed that was let go", {}, (server, table) =>
    Effect.gen(function* () {
      const { client } = yield* NodeRedis.NodeRedis
      yield* server.freeze
      yield* Effect.timeoutOption(Effect.scoped(listen(table.listen!)), 50)
      yield* server.thaw
      yield* eventually(
        Effect.map(
          Effect.promise(() => client.clientList()),
          (all) => assert.lengthOf(all, 1)
        ).pipe(Effect.catchDefect(Effect.fail))
      )
    })
  )

  test("does what reached the server, and only over the version that was expected", {}, (server, table) =>
    Effect.gen(function* () {
      const version = yield* table.write(draft("a"), 0)
      yield* server.freeze
      for (const [key, expected] of [["a", version!] as const, ["a", version!] as const, ["b", 0] as const]) {
        yield* Effect.timeoutOption(table.write(draft(key, { data: "late" }), expected), 50)
      }
      yield* server.thaw
      const { rows } = yield* table.changes(undefined)
      assert.deepStrictEqual(
        rows.map(({ data }) => data),
        ["late", "late"]
      )
    })
  )

  test(
    "writes nothing after it came back, where its client keeps nothing",
    { disableOfflineQueue: true },
    (server, table) =>
      Effect.gen(function* () {
        yield* server.stop
        const error = yield* Effect.flip(table.write(draft("a"), 0))
        assert.match(error.message, /^Redis could not write: \S.*$/)
        yield* server.start
        const { rows } = yield* eventually(table.changes(undefined))
        assert.deepStrictEqual(rows, [])
      })
  )

  test("who may not publish still writes", {}, (_, table) =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      yield* redis.send("ACL", "SETUSER", "default", "resetchannels")
      assert.isDefined(yield* table.write(draft("a"), 0))
      assert.isDefined(yield* readOne(table, "a"))
    })
  )
})
