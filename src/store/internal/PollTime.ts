/**
 * When to poll next, apart from those that poll the same, and whatever the clock
 * does. All times are milliseconds.
 */

/** Shortest and longest wait, as a part of the time between two polls. */
const [shortest, longest] = [0.75, 1.25]

/**
 * Returns when to poll after a poll at `now`. `random`, from 0 to 1, spreads it
 * over half of `every`.
 */
export const next = (now: number, every: number, random: number): number =>
  now + every * (shortest + random * (longest - shortest))

/**
 * Returns how long to wait for a poll at `at`.
 */
export const wait = (now: number, at: number, every: number): number => Math.min(every * longest, Math.max(0, at - now))

/**
 * Returns whether a poll at `at` is due. One that is further away than any is: a
 * clock that was set back would let it wait until it has caught up.
 */
export const isDue = (now: number, at: number, every: number): boolean => now >= at || at - now > every * longest
