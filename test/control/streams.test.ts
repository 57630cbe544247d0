import { assert, describe, it, vi } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Redacted, Scope, Stream } from "effect"
import * as Net from "node:net"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import { Listing } from "../../src/control/internal/Listing.ts"
import { Subscribers, type Bounds, type Reader } from "../../src/control/internal/Subscribers.ts"
import { answer, eventually, open, secret, serve } from "../support/control.ts"

const token = Redacted.make(secret)
const plane = (options?: ControlPlane.TokenOptions) => serve(ControlPlane.layer({ token, ...options }))
const statusOf = (response: Effect.Effect<Response>) => Effect.map(response, ({ status }) => status)

/** Opens a stream, and returns its status and what was received so far. */
const join = (port: number, bearer = secret) =>
  Effect.gen(function* () {
    const socket = yield* open(port, "/resilience/events", bearer)
    const received = { text: "", socket }
    socket.on("data", (bytes) => (received.text += bytes.toString()))
    yield* eventually("an answer", () => received.text.includes("\r\n\r\n"))
    return Object.assign(received, { status: Number(received.text.split(" ")[1]) })
  })

describe("joined streams", () => {
  it.live("are told one list that was encoded once", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane({ updates: "1 hour" })
      for (const name of ["a", "b", "c", "d"]) yield* breaker(name)
      const show = vi.spyOn(Listing.prototype, "show")
      yield* Effect.addFinalizer(() => Effect.sync(() => show.mockRestore()))
      const streams = yield* Effect.replicateEffect(join(port), 20)
      assert.strictEqual(show.mock.calls.length, 4)
      for (const stream of streams) {
        yield* eventually("a snapshot", () => stream.text.includes('"total":4}'))
      }
    })
  )

  it.live("are paid for as reads, and by the circuits that they begin with", () =>
    Effect.gen(function* () {
      const few = yield* plane({ limits: { readsPerSecond: 2 } })
      const joins = (yield* Effect.replicateEffect(join(few.port), 6)).map(({ status }) => status)
      assert.deepStrictEqual([joins[0], joins.includes(429)], [200, true])
      const { breaker, port, request } = yield* plane({ limits: { circuitsPerSecond: 10 } })
      for (const name of "abcdefghi") yield* breaker(name)
      assert.strictEqual((yield* join(port)).status, 200)
      const response = yield* request("/circuits")
      assert.deepStrictEqual([response.status, response.headers.get("retry-after")], [429, "1"])
      const refused = yield* join(port)
      assert.strictEqual(refused.status, 429)
      assert.match(refused.text, /^retry-after: 1$/im)
      // One circuit is left.
      assert.strictEqual((yield* Effect.flatMap(request("/circuits?limit=1"), answer))[0], 200)
      // A list that is longer than the budget of a second is admitted when all of it is there.
      const small = yield* plane({ limits: { circuitsPerSecond: 1 } })
      for (const name of ["a", "b", "c"]) yield* small.breaker(name)
      assert.strictEqual(yield* statusOf(small.request("/circuits")), 200)
    })
  )

  it.live("are bounded for each operator and each address, and make place when they end", () =>
    Effect.gen(function* () {
      const ada = "the-token-of-ada-is-long"
      const limits = { streamsPerOperator: 2, streamsPerAddress: 3 }
      const tokens = { grace: token, ada: Redacted.make(ada) }
      const { port } = yield* plane({ token: tokens, limits })
      const statuses: Array<number> = []
      const [first] = [yield* join(port), yield* join(port)]
      statuses.push((yield* join(port)).status)
      statuses.push((yield* join(port, ada)).status, (yield* join(port, ada)).status)
      assert.deepStrictEqual([first.status, ...statuses], [200, 429, 200, 429])
      first.socket.destroy()
      yield* Effect.sleep("100 millis")
      assert.strictEqual((yield* join(port, ada)).status, 200)
    })
  )

  it.live("are one for each connection, however many requests are in the pipeline", () =>
    Effect.gen(function* () {
      const { port } = yield* plane({ limits: { streams: 5 } })
      const line = `GET /resilience/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${secret}\r\n\r\n`
      const greedy = Net.connect(port, "127.0.0.1", () => greedy.write(line.repeat(20)))
      yield* Effect.addFinalizer(() => Effect.sync(() => greedy.destroy()))
      let text = ""
      greedy.on("data", (bytes) => (text += bytes.toString()))
      yield* eventually("a snapshot", () => text.includes("event: snapshot"))
      yield* Effect.sleep("100 millis")
      const others = yield* Effect.replicateEffect(join(port), 5)
      assert.deepStrictEqual(
        others.map(({ status }) => status),
        [200, 200, 200, 200, 429]
      )
    })
  )

  it.live(
    "that nobody reads share what waits for them, and end",
    () =>
      Effect.gen(function* () {
        const count = 20
        const { breaker, port, request } = yield* plane({
          circuits: 2000,
          heartbeat: "500 millis",
          limits: { streams: count, readsPerSecond: 10_000, circuitsPerSecond: 10_000_000 }
        })
        // A long name, because long keys are kept short.
        const search = yield* breaker("x".repeat(5000), { log: false, keys: { max: 10_000 } })
        const clock = yield* Clock.Clock
        // More than the buffers of sockets hold.
        for (let i = 0; i < 2000; i++) search.keyedCircuit(String(i), clock)
        const full = statusOf(request("/events", { method: "HEAD" }))
        const list = yield* Effect.flatMap(request("/circuits"), (response) =>
          Effect.promise(() => response.arrayBuffer())
        )
        assert.isAbove(list.byteLength, 10_000_000)
        const before = process.memoryUsage().arrayBuffers
        const sockets = yield* Effect.replicateEffect(
          Effect.map(open(port), (socket) => socket.pause()),
          count
        )
        yield* Effect.sleep("300 millis")
        assert.strictEqual(yield* full, 429)
        // Each one for itself would be 20 times the list.
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 5 * list.byteLength)
        let ended = 0
        for (const socket of sockets) socket.on("close", () => ended++)
        yield* Effect.sleep("2 seconds")
        assert.strictEqual(yield* full, 200)
        for (const socket of sockets) socket.resume()
        yield* eventually("the end of all streams", () => ended === count)
      }),
    { timeout: 20_000 }
  )
})

describe("what waits for a reader", () => {
  const bounds: Bounds = { streams: 10, streamsPerOperator: 10, streamsPerAddress: 10, streamBytes: 1000 }

  const bytes = (length: number) => new Uint8Array(length)

  /** A reader that took one byte, and whose stream is pulled by hand from there. */
  const subscribe = (subscribers: Subscribers, first: ReadonlyArray<Uint8Array>, reader?: Partial<Reader>) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const fiber = yield* Effect.forkDetach(Effect.never)
      const stream = subscribers.stream(
        {
          fiber,
          isClosing: () => false,
          operator: undefined,
          address: undefined,
          connection: undefined,
          ...reader
        },
        () => [bytes(1), ...first]
      )
      const pull = yield* Stream.toPull(stream).pipe(Effect.provideService(Scope.Scope, scope))
      const take = Effect.map(pull, (events) => events.reduce((sum, { length }) => sum + length, 0))
      assert.strictEqual(yield* take, 1)
      return {
        take,
        isDropped: Effect.gen(function* () {
          yield* Effect.yieldNow
          return fiber.pollUnsafe() !== undefined
        })
      }
    })
  const subscribers = (given?: Partial<Bounds>) =>
    new Subscribers(
      { ...bounds, ...given },
      () => {},
      () => {}
    )
  it.effect("counts with the snapshot, and until it has been written", () =>
    Effect.gen(function* () {
      const all = subscribers()
      const reader = yield* subscribe(all, [bytes(900)])
      all.send(() => bytes(100))
      assert.isFalse(yield* reader.isDropped)
      // They wait also while they are being written.
      assert.strictEqual(yield* reader.take, 900)
      all.send(() => bytes(1))
      assert.isFalse(yield* reader.isDropped)
      all.send(() => bytes(1))
      assert.isTrue(yield* reader.isDropped)
      assert.strictEqual(all.count(), 0)
      const quick = yield* subscribe(all, [bytes(900)])
      yield* quick.take
      all.send(() => bytes(900))
      yield* quick.take
      all.send(() => bytes(900))
      assert.isFalse(yield* quick.isDropped)
    })
  )

  it.effect("may be a snapshot that is longer than what may wait, and then as much again", () =>
    Effect.gen(function* () {
      const all = subscribers()
      const reader = yield* subscribe(all, [bytes(4999)])
      all.send(() => bytes(1000))
      all.send(() => bytes(1))
      assert.isFalse(yield* reader.isDropped)
      all.send(() => bytes(1))
      assert.isTrue(yield* reader.isDropped)
    })
  )

  it.effect("drops one that took nothing for two heartbeats, not one that is slow or for whom nothing waits", () =>
    Effect.gen(function* () {
      const all = subscribers({ streamBytes: 10_000_000 })
      const idle = yield* subscribe(all, [bytes(10)])
      const slow = yield* subscribe(all, [bytes(1_000_000)])
      const done = yield* subscribe(all, [bytes(10)])
      yield* done.take
      const waits = yield* Effect.forkChild(done.take, { startImmediately: true })
      for (let i = 0; i < 2; i++) {
        all.dropIdle()
        yield* slow.take
        assert.isFalse(yield* idle.isDropped)
      }
      all.dropIdle()
      assert.isTrue(yield* idle.isDropped)
      // A piece for each heartbeat is enough.
      for (let i = 0; i < 10; i++) {
        all.dropIdle()
        assert.strictEqual(yield* slow.take, 65_536)
      }
      assert.deepStrictEqual([yield* slow.isDropped, yield* done.isDropped, all.count()], [false, false, 2])
      yield* Fiber.interrupt(waits)
    })
  )

  it.effect("is nothing where another one took the last place meanwhile", () =>
    Effect.gen(function* () {
      const all = subscribers({ streams: 1 })
      yield* subscribe(all, [bytes(10)])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(subscribe(all, [bytes(10)]))))
      assert.strictEqual(all.count(), 1)
    })
  )
})
