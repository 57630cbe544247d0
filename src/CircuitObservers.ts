/**
 * Observers of single calls: any number of them may look at one breaker, and
 * follow the breakers of a registry as they come and go.
 */
import type * as Breaker from "./Breaker.ts"
import type * as Circuit from "./Circuit.ts"
import type * as CircuitBreakers from "./CircuitBreakers.ts"
import * as TripPolicy from "./TripPolicy.ts"

interface Observing {
  readonly observer: Circuit.Observer
  readonly timed: boolean
}

const observing = /* @__PURE__ */ new WeakMap<Breaker.Breaker, ReadonlyArray<Observing>>()

/**
 * Lets an observer look at the calls of a breaker, and returns the function that
 * ends it. `timed` says whether it has to know how long calls take, which each
 * call pays for.
 */
export const observe = (breaker: Breaker.Breaker, observer: Circuit.Observer, timed: boolean): (() => void) => {
  const own = { observer, timed }
  set(breaker, [...(observing.get(breaker) ?? []), own])
  return () =>
    set(
      breaker,
      (observing.get(breaker) ?? []).filter((each) => each !== own)
    )
}

const set = (breaker: Breaker.Breaker, all: ReadonlyArray<Observing>): void => {
  observing.set(breaker, all)
  breaker.observer = all.length > 1 ? together(all.map(({ observer }) => observer)) : all[0]?.observer
  breaker.timed = TripPolicy.isTimed(breaker.settings.options.trip) || all.some(({ timed }) => timed)
}

const together = (observers: ReadonlyArray<Circuit.Observer>): Circuit.Observer => ({
  settled: (circuit, outcome, millis) => observers.forEach((observer) => observer.settled(circuit, outcome, millis)),
  refused: (error) => observers.forEach((observer) => observer.refused(error)),
  made: (circuit) => observers.forEach((observer) => observer.made(circuit)),
  forgot: (circuit) => observers.forEach((observer) => observer.forgot(circuit))
})

/**
 * Calls `begin` for each breaker of a registry, from when it is registered, and
 * what `begin` returned when it leaves. Returns the function that ends all.
 */
export const follow = (
  { entries, watchers }: CircuitBreakers.CircuitBreakers["Service"],
  begin: (breaker: Breaker.Breaker) => () => void
): (() => void) => {
  const ends = new Map<Breaker.Breaker, () => void>()
  const sync = (): void => {
    const breakers = new Set(Array.from(entries.values(), ({ breaker }) => breaker))
    for (const [breaker, end] of ends) {
      if (breakers.has(breaker)) continue
      ends.delete(breaker)
      end()
    }
    for (const breaker of breakers) if (!ends.has(breaker)) ends.set(breaker, begin(breaker))
  }
  watchers.add(sync)
  sync()
  return () => {
    watchers.delete(sync)
    for (const end of ends.values()) end()
    ends.clear()
  }
}
