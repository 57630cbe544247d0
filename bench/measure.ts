/**
 * Interleaved measurements: in every round each case runs once, in a new order,
 * so that what else the machine does falls on all of them.
 */

/** One thing to measure: runs `count` operations. */
export type Case = (count: number) => Promise<unknown>

/** Cases by name, with how many operations a round is for each. */
export interface Cases {
  readonly [name: string]: { readonly count: number; readonly run: Case }
}

/** Nanoseconds an operation, one number a round. */
export type Samples = Record<string, ReadonlyArray<number>>

const shuffle = <A>(items: ReadonlyArray<A>): Array<A> => {
  const shuffled = [...items]
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[shuffled[i], shuffled[j]] = [shuffled[j] as A, shuffled[i] as A]
  }
  return shuffled
}

/** Runs all cases in every round. The warm-up rounds are not counted. */
export const measure = async (cases: Cases, rounds = 15, warmUp = 4): Promise<Samples> => {
  const samples: Record<string, Array<number>> = {}
  for (let round = 0; round < rounds + warmUp; round++) {
    for (const [name, { count, run }] of shuffle(Object.entries(cases))) {
      globalThis.gc?.()
      const start = process.hrtime.bigint()
      await run(count)
      const nanos = Number(process.hrtime.bigint() - start) / count
      if (round >= warmUp) (samples[name] ??= []).push(nanos)
    }
  }
  return samples
}

/** Median, and the quartiles as its spread. */
export interface Summary {
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Returns the median and the quartiles of numbers. */
export const summarize = (numbers: ReadonlyArray<number>): Summary => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { median: at(0.5), low: at(0.25), high: at(0.75) }
}

/** Returns what a case costs above another one, round by round. */
export const added = (samples: Samples, name: string, base: string): ReadonlyArray<number> =>
  (samples[name] ?? []).map((nanos, round) => nanos - (samples[base]?.[round] ?? Number.NaN))

/** Returns the ratios of two series, round by round. */
export const ratios = (numbers: ReadonlyArray<number>, others: ReadonlyArray<number>): ReadonlyArray<number> =>
  numbers.map((value, round) => value / (others[round] ?? Number.NaN))
