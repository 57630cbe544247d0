/**
 * Observers of single calls: any number of them may observe one breaker, and
 * follow the breakers of a registry as they come and go.
 */
import { constVoid } from "effect/Function"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import type * as CircuitBreakers from "../CircuitBreakers.ts"
import type * as Breaker from "./Breaker.ts"
import type * as Circuit from "./Circuit.ts"

/**
 * Observer of some of what single calls do.
 */
export type Part = Partial<Circuit.CallObserver>

interface Observing {
  readonly observer: Part
  readonly timed: boolean
}

const observing = /* @__PURE__ */ new WeakMap<Breaker.Breaker, ReadonlyArray<Observing>>()

/**
 * Adds an observer of the calls of a breaker, and returns the function that
 * removes it. `timed` says whether it has to know how long calls take, which
 * each call pays for.
 */
export const observe = (breaker: Breaker.Breaker, observer: Part, timed: boolean): (() => void) => {
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
  breaker.observer = all.length > 0 ? together(all.map(({ observer }) => observer)) : undefined
  breaker.timed = TripPolicy.isTimed(breaker.options.trip) || all.some(({ timed }) => timed)
}

// Where there is only one observer, calls go straight to it.
const together = (parts: ReadonlyArray<Part>): Circuit.CallObserver => {
  const settled = parts.flatMap((part) => part.settled?.bind(part) ?? [])
  const refused = parts.flatMap((part) => part.refused?.bind(part) ?? [])
  const made = parts.flatMap((part) => part.made?.bind(part) ?? [])
  const forgot = parts.flatMap((part) => part.forgot?.bind(part) ?? [])
  return { settled: inTurn(settled), refused: inTurn(refused), made: inTurn(made), forgot: inTurn(forgot) }
}

const inTurn = <Args extends ReadonlyArray<unknown>>(
  all: ReadonlyArray<(...args: Args) => void>
): ((...args: Args) => void) => {
  const [first = constVoid, ...others] = all
  return others.length === 0 ? first : (...args) => all.forEach((each) => each(...args))
}

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
