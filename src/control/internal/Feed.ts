/**
 * Lists, histories and events of circuits for the readers of a control plane.
 *
 * **Details**
 *
 * While nobody reads events, only histories and the counts of each period are
 * kept.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as CircuitBreakers from "../../breaker/CircuitBreakers.ts"
import type * as Breaker from "../../breaker/internal/Breaker.ts"
import type * as Circuit from "../../breaker/internal/Circuit.ts"
import type * as CircuitChange from "../../breaker/internal/CircuitChange.ts"
import * as Trace from "../../core/internal/Trace.ts"
import type * as ControlApi from "../ControlApi.ts"
import * as Activity from "./Activity.ts"
import type { CircuitList } from "./CircuitList.ts"
import type { Resolved } from "./ControlOptions.ts"
import * as Events from "./Events.ts"
import { Histories } from "./Histories.ts"
import { Listing } from "./Listing.ts"
import { Subscribers, type Reader } from "./Subscribers.ts"
import { Updates } from "./Updates.ts"

/**
 * Lists, histories and events of circuits.
 */
export interface Feed {
  /** Returns the length of a list of at most `limit` circuits. */
  readonly length: (limit: number) => number
  /** Returns the JSON of a list of at most `limit` circuits, not older than `updates`. All readers share it. */
  readonly list: (limit: number) => Effect.Effect<Uint8Array>
  /** Encodes what streams begin with, before one does. */
  readonly prepare: Effect.Effect<unknown>
  /** Makes the list too old for the next reader. */
  readonly expire: () => void
  readonly circuit: (breaker: Breaker.Breaker, circuit: Circuit.Circuit) => ControlApi.Circuit
  /** Returns the latest changes of a circuit, the newest last. */
  readonly history: (name: string, key: string | undefined) => ReadonlyArray<ControlApi.Change>
  /** Returns the JSON of the latest changes of all circuits, the newest last. */
  readonly changes: () => Uint8Array
  /** Returns why there is no place for a reader of events, or `undefined` if there is one. */
  readonly refusal: (reader: Reader) => string | undefined
  /** Creates the stream of server-sent events for one reader. */
  readonly events: (reader: Reader) => Stream.Stream<Uint8Array>
}

/** Time between two checks whether servers shut down. */
const closingMillis = 500

/**
 * Creates a feed, which ends all streams when the scope closes.
 */
export const make = (
  registry: CircuitBreakers.CircuitBreakers["Service"],
  { activity, circuits, details, heartbeat, limits, updates }: Resolved
): Effect.Effect<Feed, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const latencies = new Activity.Latencies(registry)
    const listing = new Listing(registry, details, latencies)
    const histories = new Histories()
    const known = new Updates(listing)
    const subscribers = new Subscribers(
      limits,
      () => latencies.start(),
      () => {
        latencies.stop()
        known.forget()
      }
    )

    const listener: CircuitChange.Listener = ({ from, key, name, to }) => {
      const change = {
        at: now(),
        name,
        ...(key === undefined ? undefined : { key }),
        from: listing.shown(from),
        to: listing.shown(to)
      }
      histories.add(change)
      subscribers.send(() => Events.encode("change", JSON.stringify(change)))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => registry.listeners.add(listener)),
      () => Effect.sync(() => registry.listeners.delete(listener))
    )

    const past = yield* countActivity(listing, subscribers, activity, circuits)

    const latest = (): CircuitList => {
      if (known.freshFor(now(), updates) === 0) known.take(now())
      return known.latest
    }
    const prepare = (limit: number) => Effect.flatMap(Effect.sync(latest), (list) => list.prepare(limit))
    const tell = (): void => {
      const update = known.tell(circuits)
      if (update !== undefined) subscribers.send(update)
    }
    yield* subscribers.awaitSome.pipe(
      Effect.andThen(prepare(circuits)),
      Effect.andThen(Effect.sync(tell)),
      Effect.catchCause((cause) => Effect.logWarning(`The control plane cannot read the circuits: ${Trace.of(cause)}`)),
      // Another reader may have taken a list meanwhile.
      Effect.andThen(Effect.suspend(() => Effect.sleep(known.freshFor(now(), updates) || updates))),
      Effect.forever,
      Effect.forkScoped
    )

    // The loops below do not wait for updates, which may be rare.
    const alive = () => Events.encode("alive", JSON.stringify({ at: now(), everyMillis: heartbeat }))
    yield* everyWhileRead(subscribers, heartbeat, () => {
      subscribers.dropIdle()
      subscribers.send(alive)
    })
    yield* everyWhileRead(subscribers, closingMillis, () => subscribers.endClosing())
    yield* Effect.addFinalizer(() => Effect.sync(() => subscribers.endAll()))

    const first = (): ReadonlyArray<Uint8Array> => {
      const snapshot = latest().snapshot(circuits, now())
      // All readers know the same list. Later changes are in the next update.
      tell()
      return [...snapshot, past(), alive()]
    }

    return {
      length: (limit) => latest().lengthOf(limit),
      list: (limit) => Effect.map(prepare(limit), (list) => list.body(limit)),
      prepare: Effect.suspend(() => prepare(circuits)),
      expire: () => known.expire(),
      circuit: (breaker, circuit) => listing.show(breaker, circuit, now()),
      history: (name, key) => histories.of(name, key),
      changes: () => histories.latest(),
      refusal: (reader) => subscribers.refusal(reader),
      events: (reader) => subscribers.stream(reader, first)
    }
  })

/** Counts calls by period, and returns how to make the event of all periods. */
const countActivity = (listing: Listing, subscribers: Subscribers, everyMillis: number, limit: number) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const counted = () => {
      const { chosen, total } = listing.choose(limit)
      return { circuits: chosen.map(([, circuit]) => circuit), areAll: chosen.length === total }
    }
    const rates = new Activity.Rates(everyMillis, counted().circuits, clock.currentTimeMillisUnsafe())
    let past: Uint8Array | undefined
    const sample = Effect.sync(() => {
      past = undefined
      const { areAll, circuits } = counted()
      rates.sample(circuits, areAll, clock.currentTimeMillisUnsafe())
      subscribers.send(() => Events.encode("activity", JSON.stringify(rates.latest())))
    })
    yield* Effect.sleep(everyMillis).pipe(
      Effect.andThen(sample),
      Effect.catchCause((cause) => Effect.logWarning(`The control plane cannot count calls: ${Trace.of(cause)}`)),
      Effect.forever,
      Effect.forkScoped
    )
    return () => (past ??= Events.encode("activity", JSON.stringify(rates.all())))
  })

/** Does something again and again while somebody reads, after a wait each time. */
const everyWhileRead = (subscribers: Subscribers, millis: number, act: () => void) =>
  subscribers.awaitSome.pipe(
    Effect.andThen(Effect.sleep(millis)),
    Effect.andThen(Effect.sync(act)),
    Effect.forever,
    Effect.forkScoped
  )
