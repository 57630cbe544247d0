/**
 * Work in the background: nobody waits for the end of what hangs.
 *
 * **Details**
 *
 * A client of a database may be uninterruptible while it connects or closes, and
 * a server that hangs lets it wait for as long as it likes. What is here runs
 * such work in a fiber of its own, and lets go of it.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"

/**
 * Options of what is acquired in the background. All have defaults.
 */
export interface Options {
  /** How long the scope waits for the release. Default: 1 second. */
  readonly closeTimeout?: Duration.Input | undefined
}

/**
 * Defaults of the options.
 */
export const defaults = { closeTimeout: "1 second" } as const

/**
 * Runs an effect, and gives it up after a duration or when interrupted: it is
 * told to end, and nobody waits until it has.
 */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input
): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(Effect.interruptible(effect), { startImmediately: true }), (fiber) =>
      Effect.ensuring(
        restore(Effect.timeoutOption(Fiber.join(fiber), duration)),
        Effect.sync(() => fiber.interruptUnsafe())
      )
    )
  )

/**
 * Acquires something until the scope closes.
 *
 * **Details**
 *
 * - Where it is interrupted it ends at once. What is acquired after that is
 *   released as soon as it is there.
 * - The scope waits for the release no longer than `closeTimeout`. The release
 *   goes on after that.
 */
export const acquire = <A, E, R>(
  acquisition: Effect.Effect<A, E, R>,
  { closeTimeout = defaults.closeTimeout }: Options = {}
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) =>
      Effect.flatMap(Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true }), (closing) =>
        Effect.timeoutOption(Fiber.await(closing), closeTimeout)
      )
    )
    const fiber = yield* Effect.acquireRelease(
      Effect.forkDetach(Effect.interruptible(Scope.provide(acquisition, scope)), { startImmediately: true }),
      (fiber) => Effect.sync(() => fiber.interruptUnsafe())
    )
    return yield* Fiber.join(fiber)
  })

/**
 * Returns a layer that is built as `acquire` does.
 */
export const layer = <A, E, R>(client: Layer.Layer<A, E, R>, options?: Options): Layer.Layer<A, E, R> =>
  Layer.effectContext(acquire(Layer.build(client), options))
