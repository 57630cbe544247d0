/**
 * Counters of retries, timeouts and fallbacks.
 */
import type * as PolicyObserver from "../../policies/internal/PolicyObserver.ts"
import { definitions, type Definition } from "./Metrics.ts"
import { ends, type Attributes, type End, type Events, type Series } from "./Series.ts"
import { Shares, type Share } from "./Shared.ts"

/**
 * Returns the observer that counts in series: the same one to all callers.
 * `maxValues` is how many values of an attribute have a series.
 */
export const policyObserver = (series: Series, maxValues: number): Share<PolicyObserver.PolicyObserver> =>
  shares.take(series, "policies", () => begin(series, maxValues))

const shares = /* @__PURE__ */ new Shares<PolicyObserver.PolicyObserver>()

const begin = (series: Series, maxValues: number): Share<PolicyObserver.PolicyObserver> => {
  const began: Array<End> = []
  let isOver = false
  const events = (definition: Definition, attributes?: Attributes): Events => {
    const made = series.events(definition, attributes)
    began.push(made.end)
    return made
  }
  const each = (definition: Definition, attribute: string, most = maxValues): ((value: string) => Events) =>
    bounded(most, (value) => events(definition, { [attribute]: value }))
  const failedAttempts = events(definitions.failedAttempts)
  const retries = events(definitions.retries)
  const reasons = ["attempts", "elapsed", "schedule", "retryAfter"]
  const exhausted = each(definitions.exhausted, "reason", reasons.length)
  reasons.forEach(exhausted)
  const timedOut = each(definitions.timeouts, "operation")
  const served = each(definitions.served, "source")
  const allFailed = events(definitions.allFailed)
  // A call may continue after the end, and must not begin a series then.
  const counted =
    <Args extends ReadonlyArray<unknown>>(find: (...args: Args) => Events) =>
    (...args: Args): void => {
      if (!isOver) find(...args).count()
    }
  return {
    value: {
      attemptFailed: counted(() => failedAttempts),
      retried: counted(() => retries),
      exhausted: counted((_attempts: number, why: string) => exhausted(why)),
      timedOut: counted((operation = "unnamed") => timedOut(operation)),
      served: counted(served),
      allFailed: counted(() => allFailed)
    },
    release: () => {
      isOver = true
      ends(began)()
    }
  }
}

// Creates one thing for each of the first `most` values, and one for all others.
const bounded = <A>(most: number, create: (value: string) => A): ((value: string) => A) => {
  const known = new Map<string, A>()
  return (value) => {
    const label = known.has(value) || known.size < most ? value : "other"
    let found = known.get(label)
    if (found === undefined) known.set(label, (found = create(label)))
    return found
  }
}
