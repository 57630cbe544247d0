/**
 * Offset of a clock elsewhere from the one here, learnt from its answers. All
 * times are milliseconds.
 */

/**
 * One answer: the clock elsewhere said `answer`, in whole
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
