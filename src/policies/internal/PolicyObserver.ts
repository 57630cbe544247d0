/**
 * Observers of retries, timeouts and fallbacks.
 *
 * **Details**
 *
 * - The observers that this package has are those of `Telemetry`. Its layer adds
 *   them to the observer that it finds in its context.
 * - The observer is looked up only after a failure, so a call that succeeds costs
 *   the same with one and without.
 */
import * as Context from "effect/Context"
import * as Fiber from "effect/Fiber"

/**
 * Observer of policies. It is called in the fiber of the call,
 * and must not throw.
 */
export interface PolicyObserver {
  /** Called for each attempt under a retry that failed, or gave a value that was not accepted. */
  readonly attemptFailed: () => void
  /** Called before each attempt but the first. */
  readonly retried: (attempt: number, delayMillis: number) => void
  /** Called when a retry gives up for want of attempts, time or a schedule. */
  readonly exhausted: (attempts: number, why: string) => void
  /** Called for each deadline that passed. */
  readonly timedOut: (operation: string | undefined) => void
  /** Called when a source of a fallback other than the first served. */
  readonly served: (source: string) => void
  /** Called when every source of a chain failed. */
  readonly allFailed: () => void
}

/**
 * Reference to the observer of a fiber. Default: none.
 */
export const PolicyObserver: Context.Reference<PolicyObserver | undefined> = /* @__PURE__ */ Context.Reference<
  PolicyObserver | undefined
>("effect-resilience/Observer", { defaultValue: () => undefined })

/**
 * Returns the observer of the fiber that runs at this moment, if there is one.
 */
export const current = (): PolicyObserver | undefined => Fiber.getCurrent()?.getRef(PolicyObserver)

/**
 * Returns the observer that tells several of what it is told, each of them once.
 */
export const together = (...observers: ReadonlyArray<PolicyObserver>): PolicyObserver => {
  const all = new Set(observers.flatMap((observer) => (observer instanceof Together ? [...observer.all] : observer)))
  const [first] = all
  return all.size === 1 && first !== undefined ? first : new Together(all)
}

class Together implements PolicyObserver {
  readonly all: ReadonlySet<PolicyObserver>

  constructor(all: ReadonlySet<PolicyObserver>) {
    this.all = all
  }

  attemptFailed(): void {
    for (const each of this.all) each.attemptFailed()
  }

  retried(attempt: number, delayMillis: number): void {
    for (const each of this.all) each.retried(attempt, delayMillis)
  }

  exhausted(attempts: number, why: string): void {
    for (const each of this.all) each.exhausted(attempts, why)
  }

  timedOut(operation: string | undefined): void {
    for (const each of this.all) each.timedOut(operation)
  }

  served(source: string): void {
    for (const each of this.all) each.served(source)
  }

  allFailed(): void {
    for (const each of this.all) each.allFailed()
  }
}
