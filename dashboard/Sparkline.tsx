/**
 * Calls of a circuit by period, as bars: succeeded, failed and refused, one above
 * the other.
 */
import { useMemo } from "preact/hooks"
import * as Format from "./format.ts"
import * as Model from "./model.ts"

const height = 28
const barWidth = 2

export const Sparkline = ({
  activity = Model.noActivity,
  periodMillis
}: {
  readonly activity: Model.Activity | undefined
  readonly periodMillis: number
}) =>
  useMemo(() => {
    const { failures, refused, successes } = activity
    const totals = successes.map((count, i) => count + (failures[i] ?? 0) + (refused[i] ?? 0))
    const scale = height / Math.max(1, ...totals)
    const bars = (counts: ReadonlyArray<number>, below: (i: number) => number) =>
      counts
        .map((count, i) => {
          if (count === 0) return ""
          const bottom = height - below(i) * scale
          // A single call among many stays visible.
          const top = Math.max(0, bottom - Math.max(1, count * scale))
          return `M${i * (barWidth + 1)} ${bottom.toFixed(1)}V${top.toFixed(1)}h${barWidth}V${bottom.toFixed(1)}z`
        })
        .join("")
    const sum = (counts: ReadonlyArray<number>) => Format.count(counts.reduce((total, count) => total + count, 0))
    const past = Format.span(Model.periods * periodMillis)
    const label = `In the last ${past}: ${sum(successes)} succeeded, ${sum(failures)} failed, ${sum(refused)} refused`
    return (
      <svg
        class="sparkline"
        role="img"
        aria-label={label}
        viewBox={`0 0 ${Model.periods * (barWidth + 1)} ${height}`}
        preserveAspectRatio="none"
      >
        <path class="succeeded" d={bars(successes, () => 0)} />
        <path class="failed" d={bars(failures, (i) => successes[i] ?? 0)} />
        <path class="refused" d={bars(refused, (i) => (successes[i] ?? 0) + (failures[i] ?? 0))} />
      </svg>
    )
  }, [activity, periodMillis])
