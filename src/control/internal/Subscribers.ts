/**
 * Readers of the stream of events.
 *
 * **Details**
 *
 * Each event is made once, whoever reads it, and not at all while nobody reads.
 * A reader that does not read is dropped when more than `maxWaiting` bytes wait
 * for it.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

export interface Reader {
  /** Fiber that writes to the reader. It is interrupted when the reader is dropped. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Returns whether the server that the reader is connected to shuts down. */
  readonly isClosing: () => boolean
}

interface Subscription {
  readonly reader: Reader
  readonly queue: Queue.Queue<Uint8Array, Cause.Done>
  /** Bytes that wait in the queue. */
  waiting: number
}

/**
 * Readers of the stream of events.
 */
export class Subscribers {
  private readonly subscriptions = new Set<Subscription>()
  private readonly someRead = Latch.makeUnsafe(false)
  private readonly maxWaiting: number
  private readonly onStart: () => void
  private readonly onStop: () => void

  /** `onStart` is called when somebody reads, `onStop` when nobody does any more. */
  constructor(maxWaiting: number, onStart: () => void, onStop: () => void) {
    this.maxWaiting = maxWaiting
    this.onStart = onStart
    this.onStop = onStop
  }

  count(): number {
    return this.subscriptions.size
  }

  /** Waits until somebody reads. */
  get awaitSome(): Effect.Effect<void> {
    return this.someRead.await
  }

  send(event: () => Uint8Array): void {
    if (this.subscriptions.size === 0) return
    const bytes = event()
    for (const subscription of this.subscriptions) {
      if (subscription.waiting > this.maxWaiting) {
        this.leave(subscription)
        subscription.reader.fiber.interruptUnsafe()
        continue
      }
      subscription.waiting += bytes.length
      Queue.offerUnsafe(subscription.queue, bytes)
    }
  }

  /** Creates the stream of a reader, which begins with the events that `first` returns. */
  stream(reader: Reader, first: () => ReadonlyArray<Uint8Array>): Stream.Stream<Uint8Array> {
    return Effect.acquireRelease(this.join(reader, first), ({ subscription }) =>
      Effect.sync(() => this.leave(subscription))
    ).pipe(
      Effect.map(({ events, subscription }) =>
        Stream.concat(
          Stream.fromIterable(events),
          Stream.mapArray(Stream.fromQueue(subscription.queue), (events) => {
            for (const { length } of events) subscription.waiting -= length
            return events
          })
        )
      ),
      Stream.unwrap
    )
  }

  /** Ends the streams of servers that shut down. */
  endClosing(): void {
    for (const subscription of this.subscriptions) if (subscription.reader.isClosing()) this.leave(subscription)
  }

  endAll(): void {
    for (const subscription of this.subscriptions) this.leave(subscription)
  }

  private join(reader: Reader, first: () => ReadonlyArray<Uint8Array>) {
    return Effect.map(Queue.unbounded<Uint8Array, Cause.Done>(), (queue) => {
      const events = first()
      const subscription: Subscription = { reader, queue, waiting: 0 }
      this.subscriptions.add(subscription)
      this.someRead.openUnsafe()
      this.onStart()
      return { subscription, events }
    })
  }

  private leave(subscription: Subscription): void {
    this.subscriptions.delete(subscription)
    Queue.endUnsafe(subscription.queue)
    if (this.subscriptions.size > 0) return
    this.someRead.closeUnsafe()
    this.onStop()
  }
}
