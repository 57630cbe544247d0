/**
 * Readers of the stream of events.
 *
 * **Details**
 *
 * - Each event is made once, whoever reads it, and not at all while nobody reads.
 *   Readers share its bytes, so what waits for them is mostly not copied.
 * - What is being written to a reader counts as waiting until it has been taken.
 * - A reader is dropped when more bytes wait for it than may, or when something
 *   waits and it took nothing for two heartbeats.
 */
import * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Resolved } from "./ControlOptions.ts"

export interface Reader {
  /** Fiber that writes to the reader. It is interrupted when the reader is dropped. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Returns whether the server that the reader is connected to shuts down. */
  readonly isClosing: () => boolean
  /** Name of the operator, absent if the credentials do not tell it. */
  readonly operator: string | undefined
  /** Address of the client, absent if the server does not know it. */
  readonly address: string | undefined
  /** Connection that carries nothing else until the stream ends, absent if it can carry several responses. */
  readonly connection: object | undefined
}

/**
 * How many readers there may be, and how much may wait for one.
 */
export type Bounds = Pick<Resolved["limits"], "streams" | "streamsPerOperator" | "streamsPerAddress" | "streamBytes">

interface Subscription {
  readonly reader: Reader
  readonly queue: Queue.Queue<Uint8Array, Cause.Done>
  /** Bytes that may wait. */
  readonly maxWaiting: number
  /** Bytes that wait, those that are being written included. */
  waiting: number
  /** Bytes that are being written. */
  inHand: number
  /** Heartbeats in a row at which something waited and nothing had been taken. */
  missed: number
}

/** Heartbeats for which a reader may take nothing. The first one says only that something waits. */
const maxMissed = 2

/** Bytes that are written at once. A reader that is slow and takes some of them is not idle. */
const pieceBytes = 64 * 1024

/**
 * Readers of the stream of events.
 */
export class Subscribers {
  private readonly subscriptions = new Set<Subscription>()
  private readonly someRead = Latch.makeUnsafe(false)
  private readonly bounds: Bounds
  private readonly onStart: () => void
  private readonly onStop: () => void

  /** `onStart` is called when somebody reads, `onStop` when nobody does any more. */
  constructor(bounds: Bounds, onStart: () => void, onStop: () => void) {
    this.bounds = bounds
    this.onStart = onStart
    this.onStop = onStop
  }

  /** Returns why a reader has no place, or `undefined` if it has one. */
  refusal({ address, connection, operator }: Reader): string | undefined {
    const { streams, streamsPerAddress, streamsPerOperator } = this.bounds
    let ofOperator = 0
    let ofAddress = 0
    for (const { reader } of this.subscriptions) {
      // Its response would wait for the other one, which does not end.
      if (connection !== undefined && reader.connection === connection) return "The connection has a stream already"
      if (operator !== undefined && reader.operator === operator) ofOperator++
      if (address !== undefined && reader.address === address) ofAddress++
    }
    return this.subscriptions.size >= streams
      ? "Too many streams"
      : ofOperator >= streamsPerOperator
        ? "Too many streams of one operator"
        : ofAddress >= streamsPerAddress
          ? "Too many streams from one address"
          : undefined
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
      if (subscription.waiting > subscription.maxWaiting) this.drop(subscription)
      else offer(subscription, bytes)
    }
  }

  /** Drops the readers that take nothing. Called at each heartbeat. */
  dropIdle(): void {
    for (const subscription of this.subscriptions) {
      if (subscription.waiting > 0 && ++subscription.missed > maxMissed) this.drop(subscription)
    }
  }

  /**
   * Creates the stream of a reader, which begins with the events that `first`
   * returns. It is empty if other readers took the last place meanwhile.
   */
  stream(reader: Reader, first: () => ReadonlyArray<Uint8Array>): Stream.Stream<Uint8Array> {
    return Effect.acquireRelease(this.join(reader, first), (subscription) =>
      Effect.sync(() => subscription !== undefined && this.leave(subscription))
    ).pipe(
      Effect.map((subscription) =>
        subscription === undefined ? Stream.empty : Stream.fromPull(Effect.succeed(take(subscription)))
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

  private join(reader: Reader, first: () => ReadonlyArray<Uint8Array>): Effect.Effect<Subscription | undefined> {
    return Effect.map(Queue.unbounded<Uint8Array, Cause.Done>(), (queue) => {
      if (this.refusal(reader) !== undefined) return undefined
      const events = first()
      const bytes = events.reduce((sum, { length }) => sum + length, 0)
      const { streamBytes } = this.bounds
      // A snapshot that is longer than all that may wait must not end each stream at its second event.
      const maxWaiting = bytes > streamBytes ? bytes + streamBytes : streamBytes
      const subscription: Subscription = { reader, queue, maxWaiting, waiting: 0, inHand: 0, missed: 0 }
      for (const event of events) offer(subscription, event)
      this.subscriptions.add(subscription)
      this.someRead.openUnsafe()
      this.onStart()
      return subscription
    })
  }

  private drop(subscription: Subscription): void {
    this.leave(subscription)
    subscription.reader.fiber.interruptUnsafe()
  }

  private leave(subscription: Subscription): void {
    this.subscriptions.delete(subscription)
    Queue.endUnsafe(subscription.queue)
    if (this.subscriptions.size > 0) return
    this.someRead.closeUnsafe()
    this.onStop()
  }
}

const offer = (subscription: Subscription, bytes: Uint8Array): void => {
  subscription.waiting += bytes.length
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    Queue.offerUnsafe(subscription.queue, bytes.subarray(from, from + pieceBytes))
  }
}

/** Takes what is written next. Asking for it says that what was taken before has been written. */
const take = (subscription: Subscription) =>
  Effect.suspend(() => {
    subscription.waiting -= subscription.inHand
    subscription.inHand = 0
    subscription.missed = 0
    return Effect.map(Queue.take(subscription.queue), (bytes) => {
      subscription.inHand = bytes.length
      // One at a time: several would be copied into one.
      return Arr.of(bytes)
    })
  })
