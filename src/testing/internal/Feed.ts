/**
 * Messages of a table, as a queue.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type * as CircuitTable from "../../store/CircuitTable.ts"

export type Feed = Queue.Dequeue<CircuitTable.Hint, CircuitTable.TableError>

/**
 * Listens to a table, until the scope closes. The queue fails when that ends.
 */
export const open = (
  listen: NonNullable<CircuitTable.CircuitTable["listen"]>
): Effect.Effect<Feed, CircuitTable.TableError, Scope.Scope> =>
  Effect.gen(function* () {
    const feed = yield* Queue.unbounded<CircuitTable.Hint, CircuitTable.TableError>()
    const listening = yield* listen((hint) => void Queue.offerUnsafe(feed, hint))
    yield* Effect.forkScoped(
      Effect.catch(listening, (error) => Queue.fail(feed, error)),
      { startImmediately: true }
    )
    return feed
  })
