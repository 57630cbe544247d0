/**
 * A consumer of a feed: every connection takes a permit of a circuit, because a
 * connection is not a single effect that a breaker could run. The first message
 * counts as a success, a connection that ends before it as a failure.
 */
import { CircuitBreaker, TripPolicy } from "effect-resilience"
import { Data, Effect, Stream } from "effect"
import assert from "node:assert/strict"

class Disconnected extends Data.TaggedError("Disconnected") {}

class Feed extends CircuitBreaker.Service<Feed>()("feed", {
  trip: TripPolicy.consecutive(3),
  openFor: "1 second"
}) {}

let connections = 0
let feedIsUp = true

/** Three messages, and then the connection is lost. */
const connect: Stream.Stream<string, Disconnected> = Stream.suspend(() => {
  connections++
  const messages = feedIsUp ? ["one", "two", "three"] : []
  return Stream.concat(Stream.fromIterable(messages), Stream.fail(new Disconnected()))
})

/** One connection, if the circuit allows it. */
const guarded = Stream.unwrap(
  Effect.map(CircuitBreaker.permit(Feed), (permit) =>
    // Only the first one settles the permit. Without it, the scope of the stream does.
    connect.pipe(Stream.tap(() => permit.succeed))
  )
)

/** Reads until the feed refuses or fails, and connects again as long as the circuit allows it. */
const consume = (onMessage: (message: string) => void, times: number) =>
  guarded.pipe(
    Stream.runForEach((message) => Effect.sync(() => onMessage(message))),
    Effect.retry({ times: times - 1, while: (error) => error._tag === "Disconnected" }),
    Effect.flip
  )

const program = Effect.gen(function* () {
  const messages: Array<string> = []
  const onMessage = (message: string) => void messages.push(message)

  // A connection that is lost after messages is not a failure of the feed.
  yield* consume(onMessage, 4)
  assert.equal(messages.length, 12)
  const { counts } = yield* CircuitBreaker.status(Feed)
  assert.deepEqual([counts.successes, counts.failures], [4, 0])

  // After three connections no more calls go to a feed that is down.
  feedIsUp = false
  const refused = yield* consume(onMessage, 10)
  assert.equal(refused._tag, "CircuitOpenError")
  assert.equal(connections, 7)
  console.log(refused.message)

  // Once its time is over, the first connection is the probe that closes the circuit.
  feedIsUp = true
  yield* Effect.sleep("1200 millis")
  yield* consume(onMessage, 1)
  assert.equal((yield* CircuitBreaker.status(Feed)).state._tag, "Closed")
  console.log(`${messages.join(" ")}, from ${connections} connections`)
  assert.deepEqual(messages.slice(12), ["one", "two", "three"])
})

await Effect.runPromise(program.pipe(Effect.provide(Feed.layer)))
