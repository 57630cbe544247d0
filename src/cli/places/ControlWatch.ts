/**
 * Watching a control plane through its stream of events.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as ControlApi from "../../control/ControlApi.ts"
import type * as ControlClient from "../../control/ControlClient.ts"
import * as ControlErrors from "./ControlErrors.ts"
import * as ControlListing from "./ControlListing.ts"
import * as Failure from "../output/Failure.ts"
import type * as Place from "./Place.ts"
import type * as Location from "./Location.ts"

/** How long to wait for the beginning of a stream. */
const beginTimeout = 10_000
/** How long a stream may be silent before it has announced how often it sends a sign of life. */
const silence = 60_000
/** How long it may be silent after that: two signs of life may be late. */
const silenceOf = ({ everyMillis }: ControlApi.Alive): number => 2 * everyMillis + 5000
/** How long to gather events for one update. */
const gather = 100
/** How often to update the viewer if nothing happens. */
const every = 1000
/** How long to wait before a stream is opened again, at first and at most. */
const pauses = { first: 500, most: 5000 } as const

// The operator's clock may be set while the command runs.
const uptime = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

/**
 * Watches the circuits, and opens the stream again whenever it breaks. Fails if the
 * first stream cannot be opened, or if the control plane refuses access.
 */
export const watch = (
  client: ControlClient.ControlClient,
  control: Location.Control,
  viewer: Place.Viewer
): Effect.Effect<never, Failure.Failure> => {
  let seen = false
  let pause: number = pauses.first

  const follow = Effect.gen(function* () {
    const sight = new ControlListing.Sight()
    let heardAt = yield* uptime
    const events = yield* Effect.timeout(client.circuits.events(), beginTimeout)
    let silentFor = silence
    let begun = false
    let news = false
    let toldAt = 0
    yield* Stream.merge(events, Stream.tick(gather), { haltStrategy: "left" }).pipe(
      Stream.runForEach(
        Effect.fnUntraced(function* (event) {
          const now = yield* uptime
          if (event !== undefined) {
            news = sight.take(event, now) || news
            begun = begun || event.event === "snapshot"
            heardAt = now
            if (event.event === "alive") silentFor = silenceOf(event.data)
            return
          }
          if (now - heardAt >= (begun ? silentFor : beginTimeout)) return yield* new Cause.TimeoutError()
          if (!begun) return
          if (!news && now - toldAt < every) return
          news = false
          toldAt = now
          seen = true
          pause = pauses.first
          yield* viewer.seen(sight.listing(now))
        })
      )
    )
  })

  const broken = (failure: Failure.Failure, atLeast: number) =>
    Effect.suspend(() => {
      const wait = Math.max(pause, atLeast)
      pause = Math.min(pause * 2, pauses.most)
      return Effect.andThen(
        viewer.away(`${failure.message}; trying again every few seconds`),
        Effect.sleep(Duration.millis(wait))
      )
    })

  return follow.pipe(
    Effect.matchEffect({
      onSuccess: () => {
        const ended = Failure.failed(`the stream of events ended (${ControlErrors.label(control)})`)
        return seen ? broken(ended, 0) : Effect.fail(ended)
      },
      onFailure: (error) => {
        const failure = ControlErrors.explain(error, control, "read")
        if (!seen || ControlErrors.isFinal(error)) return Effect.fail(failure)
        return broken(failure, error._tag === "TooManyRequests" ? error.retryAfter * 1000 : 0)
      }
    }),
    Effect.forever
  )
}
