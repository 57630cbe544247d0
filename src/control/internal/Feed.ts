/**
 * What the control plane tells of circuits: lists, histories, and events for
 * any number of readers.
 *
 * **Details**
 *
 * - Every event is made once, whoever reads it. While nobody reads, only
 *   histories are kept, and the counts of each period.
 * - A reader that does not read is dropped when more than `streamBytes` wait for
 *   it.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import type * as Breaker from "../../breaker/internal/Breaker.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import type * as CircuitChange from "../../breaker/internal/CircuitChange.ts"
import * as CircuitStatus from "../../breaker/internal/CircuitStatus.ts"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as Text from "../../core/internal/Text.ts"
import type * as ControlApi from "../ControlApi.ts"
import * as Activity from "./Activity.ts"

/**
 * Settings of a feed, checked.
 */
export interface Settings {
  /** Whether messages of errors are told. */
  readonly details: boolean
  /** Circuits that a list of the stream holds. */
  readonly circuits: number
  /** Time between two looks at the circuits, in milliseconds. */
  readonly everyMillis: number
  /** How long a period of activity is, in milliseconds. */
  readonly activityMillis: number
  /** Time between two signs of life, in milliseconds. */
  readonly heartbeatMillis: number
  /** Bytes that may wait for a reader. */
  readonly streamBytes: number
}

/**
 * Who reads a stream.
 */
export interface Reader {
  /** Fiber that writes to the reader. It is interrupted when the reader is dropped. */
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** Returns whether the server that the reader is connected to shuts down. */
  readonly isClosing: () => boolean
}

/**
 * What the control plane tells of circuits.
 */
export interface Feed {
  /** Returns at most `limit` circuits. */
  readonly list: (limit: number) => ControlApi.Circuits
  /** Returns what one circuit is and has done. */
  readonly circuit: (breaker: Breaker.Breaker, circuit: Circuit.Circuit) => ControlApi.Circuit
  /** Returns the latest changes of a circuit, the newest last. */
  readonly history: (name: string, key: string | undefined) => ReadonlyArray<ControlApi.Change>
  /** Returns the latest changes of all circuits, the newest last. */
  readonly changes: () => ReadonlyArray<ControlApi.Change>
  /** Returns the number of streams that are read. */
  readonly readers: () => number
  /** Creates the stream of server-sent events for one reader. */
  readonly events: (reader: Reader) => Stream.Stream<Uint8Array>
}

interface Subscription {
  readonly reader: Reader
  readonly queue: Queue.Queue<Uint8Array, Cause.Done>
  /** Bytes that wait in the queue. */
  waiting: number
}

const latestChanges = 200
const changesPerCircuit = 32
const circuitsWithHistory = 1000
/** Time between two looks at whether servers shut down. */
const closingMillis = 500

/**
 * Creates a feed, which ends all streams when the scope closes.
 */
export const make = (
  registry: CircuitBreakers.CircuitBreakers["Service"],
  settings: Settings
): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { entries, listeners } = registry
    const clock = yield* Clock.Clock
    const latest: Array<ControlApi.Change> = []
    const histories = new Map<string, Array<ControlApi.Change>>()
    const subscriptions = new Set<Subscription>()
    const someRead = Latch.makeUnsafe(false)
    const latencies = new Activity.Latencies(registry)
    const look = looker(settings.details, latencies)

    const select = (limit: number) =>
      choose(
        Array.from(entries.values(), ({ breaker }) => breaker),
        limit
      )

    const list = (limit: number): ControlApi.Circuits => {
      const now = clock.currentTimeMillisUnsafe()
      const { chosen, total } = select(limit)
      return { at: now, circuits: chosen.map(([breaker, circuit]) => look(breaker, circuit, now)), total }
    }

    const send = (bytes: Uint8Array): void => {
      for (const subscription of subscriptions) {
        if (subscription.waiting > settings.streamBytes) {
          leave(subscription)
          subscription.reader.fiber.interruptUnsafe()
          continue
        }
        subscription.waiting += bytes.length
        Queue.offerUnsafe(subscription.queue, bytes)
      }
    }

    const leave = (subscription: Subscription): void => {
      subscriptions.delete(subscription)
      Queue.endUnsafe(subscription.queue)
      if (subscriptions.size > 0) return
      someRead.closeUnsafe()
      latencies.stop()
    }

    const told: CircuitChange.Listener = ({ from, key, name, to }) => {
      const change = {
        at: clock.currentTimeMillisUnsafe(),
        name,
        ...(key === undefined ? undefined : { key }),
        from,
        to
      }
      latest.push(change)
      if (latest.length > latestChanges) latest.shift()
      const id = identify(name, key)
      const history = histories.get(id) ?? []
      history.push(change)
      if (history.length > changesPerCircuit) history.shift()
      // The circuit whose last change is the oldest comes first.
      histories.delete(id)
      histories.set(id, history)
      for (const oldest of histories.keys()) {
        if (histories.size <= circuitsWithHistory) break
        histories.delete(oldest)
      }
      if (subscriptions.size > 0) send(encode("change", JSON.stringify(change)))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => listeners.add(told)),
      () => Effect.sync(() => listeners.delete(told))
    )

    // What readers have been told, so that updates hold only what differs.
    let known = new Map<string, string>()
    let knownTotal = 0
    let knownAt = Number.NEGATIVE_INFINITY

    const refresh = (now: number): void => {
      const { at, circuits, total } = list(settings.circuits)
      const next = new Map(circuits.map((circuit) => [identify(circuit.name, circuit.key), JSON.stringify(circuit)]))
      const changed = Array.from(next).flatMap(([id, json]) => (known.get(id) === json ? [] : [json]))
      const gone = Array.from(known.keys()).filter((id) => !next.has(id))
      const isSame = total === knownTotal && changed.length === 0 && gone.length === 0
      known = next
      knownTotal = total
      knownAt = now
      if (isSame || subscriptions.size === 0) return
      const left = gone.map((id) => JSON.stringify(circuitOf(id)))
      send(encode("update", `{"at":${at},"circuits":[${changed.join()}],"gone":[${left.join()}],"total":${total}}`))
    }

    // A reader takes the clock of the server from it.
    const snapshot = (now: number): Uint8Array =>
      encode("snapshot", `{"at":${now},"circuits":[${Array.from(known.values()).join()}],"total":${knownTotal}}`)

    const counted = () => {
      const { chosen, total } = select(settings.circuits)
      return { circuits: chosen.map(([, circuit]) => circuit), areAll: chosen.length === total }
    }
    const rates = new Activity.Rates(settings.activityMillis, counted().circuits, clock.currentTimeMillisUnsafe())
    // What a reader who joins is told.
    let activity: Uint8Array | undefined
    const sample = Effect.sync(() => {
      activity = undefined
      const { areAll, circuits } = counted()
      rates.sample(circuits, areAll, clock.currentTimeMillisUnsafe())
      if (subscriptions.size > 0) send(encode("activity", JSON.stringify(rates.latest())))
    })
    yield* Effect.sleep(settings.activityMillis).pipe(
      Effect.andThen(sample),
      Effect.catchCause((cause) => Effect.logWarning("The control plane cannot count calls", cause)),
      Effect.forever,
      Effect.forkScoped
    )

    yield* someRead.await.pipe(
      Effect.andThen(Effect.sync(() => refresh(clock.currentTimeMillisUnsafe()))),
      Effect.catchCause((cause) => Effect.logWarning("The control plane cannot read the circuits", cause)),
      Effect.andThen(Effect.sleep(settings.everyMillis)),
      Effect.forever,
      Effect.forkScoped
    )

    // What follows does not wait for updates, which may be rare.
    const alive = (): Uint8Array =>
      encode("alive", JSON.stringify({ at: clock.currentTimeMillisUnsafe(), everyMillis: settings.heartbeatMillis }))
    yield* someRead.await.pipe(
      Effect.andThen(Effect.sleep(settings.heartbeatMillis)),
      Effect.andThen(Effect.sync(() => send(alive()))),
      Effect.forever,
      Effect.forkScoped
    )
    const letGo = Effect.sync(() => {
      for (const subscription of subscriptions) if (subscription.reader.isClosing()) leave(subscription)
    })
    yield* someRead.await.pipe(
      Effect.andThen(Effect.sleep(closingMillis)),
      Effect.andThen(letGo),
      Effect.forever,
      Effect.forkScoped
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => subscriptions.forEach(leave)))

    const join = (reader: Reader) =>
      Effect.map(
        Queue.unbounded<Uint8Array, Cause.Done>(),
        (queue): { readonly subscription: Subscription; readonly first: ReadonlyArray<Uint8Array> } => {
          const now = clock.currentTimeMillisUnsafe()
          // What came after the snapshot is in the next update.
          if (Math.abs(now - knownAt) >= settings.everyMillis) refresh(now)
          const subscription = { reader, queue, waiting: 0 }
          subscriptions.add(subscription)
          someRead.openUnsafe()
          latencies.start()
          activity ??= encode("activity", JSON.stringify(rates.all()))
          return { subscription, first: [snapshot(now), activity, alive()] }
        }
      )

    return {
      list,
      circuit: (breaker, circuit) => look(breaker, circuit, clock.currentTimeMillisUnsafe()),
      history: (name, key) => [...(histories.get(identify(name, key)) ?? [])],
      changes: () => [...latest],
      readers: () => subscriptions.size,
      events: (reader) =>
        Effect.acquireRelease(join(reader), ({ subscription }) => Effect.sync(() => leave(subscription))).pipe(
          Effect.map(({ first, subscription }) =>
            Stream.concat(
              Stream.fromIterable(first),
              Stream.mapArray(Stream.fromQueue(subscription.queue), (events) => {
                for (const { length } of events) subscription.waiting -= length
                return events
              })
            )
          ),
          Stream.unwrap
        )
    }
  })

const identify = (name: string, key: string | undefined): string =>
  JSON.stringify(key === undefined ? { name } : { name, key })

const circuitOf = (id: string): unknown => JSON.parse(id)

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

// JSON has no line breaks, so it is one line of an event.
const encode = (event: ControlApi.Event["event"], json: string): Uint8Array =>
  encoder.encode(`event: ${event}\ndata: ${json}\n\n`)

type Chosen = readonly [breaker: Breaker.Breaker, circuit: Circuit.Circuit]

// There may be many thousand keys, of which the closed ones say the least.
const choose = (
  breakers: ReadonlyArray<Breaker.Breaker>,
  limit: number
): { readonly chosen: ReadonlyArray<Chosen>; readonly total: number } => {
  const own: Array<Chosen> = []
  const troubled: Array<Chosen> = []
  const closed: Array<Chosen> = []
  let total = 0
  for (const breaker of breakers) {
    for (const circuit of breaker.circuits()) {
      total++
      const list = circuit.key === undefined ? own : circuit.current._tag === "Closed" ? closed : troubled
      if (list.length < limit) list.push([breaker, circuit])
    }
  }
  return { chosen: [...own, ...troubled, ...closed].slice(0, limit), total }
}

const looker = (details: boolean, latencies: Activity.Latencies) => {
  const messages = new WeakMap<Cause.Cause<unknown>, string>()

  const message = (cause: Cause.Cause<unknown>): string => {
    let text = messages.get(cause)
    if (text === undefined) messages.set(cause, (text = Text.summary(cause)))
    return text
  }

  return (breaker: Breaker.Breaker, circuit: Circuit.Circuit, now: number): ControlApi.Circuit => {
    // A hold on the breaker is one on its keys.
    const state = CircuitState.isHeld(breaker.main.current) ? breaker.main.current : circuit.current
    const status = CircuitStatus.make(circuit, state, now)
    const { key, lastFailure } = status
    const latency = latencies.of(circuit)
    const retryAfter = status.retryAfter === undefined ? 0 : Duration.toMillis(status.retryAfter)
    return {
      name: status.name,
      ...(key === undefined ? undefined : { key }),
      state,
      dryRun: status.dryRun,
      counts: status.counts,
      inFlight: status.inFlight,
      windows: status.windows,
      recent: status.recent,
      ...(lastFailure === undefined
        ? undefined
        : {
            lastFailure: {
              at: lastFailure.at,
              ...(details ? { message: message(lastFailure.cause) } : undefined)
            }
          }),
      ...(retryAfter > 0 ? { retryAt: now + retryAfter } : undefined),
      ...(latency === undefined ? undefined : { latency })
    }
  }
}
