/**
 * Work in the background, which abandons what hangs.
 *
 * **Details**
 *
 * A client of a database may be uninterruptible while it connects or closes, and
 * a server that hangs lets it wait for as long as it likes. The functions here
 * run such work in a fiber of its own, and do not wait for its end.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Scope from "effect/Scope"

/** Options of an acquisition in the background. All have defaults. */
export interface Options {
  /** How long the scope waits for the release. Default: 1 second. */
  readonly closeTimeout?: Duration.Input | undefined
}

export const defaults = { closeTimeout: "1 second" } as const

/**
 * Runs an effect whose interruption nobody waits for: a driver cancels a query
 * first, and waits for seconds where the server does not answer.
 */
export const promptly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => aside(effect, Fiber.join)

/**
 * Runs an effect, and abandons it after a duration or when interrupted: it is
 * told to end, and nobody waits until it has.
 */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Input
): Effect.Effect<Option.Option<A>, E, R> => aside(effect, (fiber) => Effect.timeoutOption(Fiber.join(fiber), duration))

/** Runs an effect in a fiber of its own, which is interrupted once `wait` ends. */
const aside = <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  wait: (fiber: Fiber.Fiber<A, E>) => Effect.Effect<B, E>
): Effect.Effect<B, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(Effect.interruptible(effect), { startImmediately: true }), (fiber) =>
      Effect.ensuring(
        restore(wait(fiber)),
        Effect.sync(() => fiber.interruptUnsafe())
      )
    )
  )

/**
 * Closes a scope in a fiber of its own, and runs `closed` once that is done.
 */
export const close = (
  scope: Scope.Closeable,
  exit: Exit.Exit<unknown, unknown>,
  closed: Effect.Effect<void> = Effect.void
): Effect.Effect<Fiber.Fiber<void>> =>
  Effect.forkDetach(Effect.ensuring(Scope.close(scope, exit), closed), { startImmediately: true })

/**
 * Acquires something until the scope closes.
 *
 * **Details**
 *
 * - It ends at once when it is interrupted. What is acquired after that is
 *   released as soon as it is there.
 * - The scope waits for the release no longer than `closeTimeout`. The release
 *   continues after that.
 */
export const acquire = <A, E, R>(
  acquisition: Effect.Effect<A, E, R>,
  { closeTimeout = defaults.closeTimeout }: Options = {}
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) =>
      Effect.flatMap(close(scope, exit), (closing) => Effect.timeoutOption(Fiber.await(closing), closeTimeout))
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
