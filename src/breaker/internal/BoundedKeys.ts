/**
 * Bounds of keys, which callers may choose.
 */
import * as Hash from "effect/Hash"

/**
 * Characters that a key is kept with at most. Control planes take keys as long
 * as this.
 */
export const maxLength = 512

/**
 * Key of the circuit that calls share whose keys have no place any more.
 */
export const others = "(other keys)"

/**
 * Returns how many circuits of keys calls may make where `max` are kept: circuits
 * that are in trouble or in use are not forgotten.
 */
export const most = (max: number): number => Math.max(2 * max, max + 100)

/**
 * Returns a key as it is, or, where it is long, its begin with a hash of all of
 * it. Who chooses a key could choose the same key: the hash only tells apart.
 */
export const short = (key: string): string =>
  key.length > maxLength
    ? // Engines keep a long text for each of its slices. This is a copy, in which no half of a character is left that
      // a query of a control plane or an argument of a command could not name.
      new TextDecoder().decode(new TextEncoder().encode(`${key.slice(0, maxLength - 12)}…${Hash.string(key)}`))
    : key
