/**
 * Series of the store of shared circuits.
 */
import type * as Clock from "effect/Clock"
import type * as CircuitStore from "../../store/CircuitStore.ts"
import { definitions } from "./Metrics.ts"
import { ends, immediately, type End, type Series } from "./Series.ts"

/**
 * Shows the status of a store until the end.
 */
export const watch = (series: Series, store: CircuitStore.CircuitStore["Service"], clock: Clock.Clock): End => {
  let last: CircuitStore.Status | undefined
  const read = (of: (status: CircuitStore.Status) => number) => () => {
    // A store that does not answer at once is shown as it was.
    last = immediately(store.status) ?? last
    return last === undefined ? 0 : of(last)
  }
  return ends([
    series.counter(
      definitions.storeOperations,
      {},
      read(({ operations }) => operations)
    ),
    series.counter(
      definitions.storeErrors,
      {},
      read(({ errors }) => errors)
    ),
    series.gauge(
      definitions.storePending,
      {},
      read(({ pending }) => pending)
    ),
    series.gauge(
      definitions.storeReachable,
      {},
      read(({ reachable }) => (reachable ? 1 : 0))
    ),
    series.gauge(
      definitions.storeLag,
      {},
      read(({ reachable, since }) => (reachable ? 0 : Math.max(0, clock.currentTimeMillisUnsafe() - since) / 1000))
    )
  ])
}
