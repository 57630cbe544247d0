/**
 * What a clock elsewhere is ahead of the one here, learnt from its answers. All
 * times are milliseconds.
 *
 * **Example** (Reading a clock that is a minute ahead)
 *
 * ```ts
 * import { ClockOffset } from "effect-resilience"
 *
 * const offset = ClockOffset.learn(0, { sent: 1_000, answer: 61_010, received: 1_020 })
 * offset // => 60000
 *
 * // Nothing that this answer contradicts.
 * ClockOffset.learn(offset, { sent: 5_000, answer: 65_100, received: 5_300 }) // => 60000
 * ```
 */

/**
 * What was learnt from asking: the clock elsewhere said `answer`, in whole
 * milliseconds, between `sent` and `received` on the clock here.
 */
export interface Sample {
  readonly sent: number
  readonly answer: number
  readonly received: number
}

/**
 * Returns the offset as it was where the sample allows it, else the middle of
 * what it allows.
 */
export const learn = (offset: number, { answer, received, sent }: Sample): number => {
  const least = answer - received
  const most = answer + 1 - sent
  return offset < least || offset > most ? Math.floor((least + most) / 2) : offset
}
