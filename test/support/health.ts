/**
 * Checks, and what tests read of reports.
 */
import { Cause, Effect, Exit, Layer, Ref } from "effect"
import * as Health from "../../src/health/Health.ts"
import { InvalidOptionError } from "../../src/core/Options.ts"

/** Check that counts its runs. */
export const counting = (effect: Effect.Effect<unknown, unknown> = Effect.void, options?: Health.CheckOptions) => {
  const runs = Ref.makeUnsafe(0)
  return {
    runs: Ref.get(runs),
    check: Health.check(
      Effect.andThen(
        Ref.update(runs, (n) => n + 1),
        effect
      ),
      options
    )
  }
}

/** Check whose answer the test sets. */
export const settable = (initial: unknown, options?: Health.CheckOptions) => {
  const answer = Ref.makeUnsafe(initial)
  return { set: (value: unknown) => Ref.set(answer, value), check: Health.check(Ref.get(answer), options) }
}

export const up = Health.check(Effect.succeed(true))

export const down = Health.check(Effect.succeed(false))

export const refused = Health.check(Effect.fail("connection refused"))

export const statuses = (report: Health.Report) => Object.fromEntries(report.checks.map((c) => [c.name, c.status]))

export const names = (report: Health.Report) => report.checks.map((c) => c.name)

export const provide = <R>(layer: Layer.Layer<Health.Health, never, R>) => Effect.provide(layer)

export const fork = Effect.forkChild({ startImmediately: true })

export const defect = (exit: Exit.Exit<unknown, unknown>): InvalidOptionError => {
  if (Exit.isFailure(exit)) {
    const reason = exit.cause.reasons[0]
    if (reason !== undefined && Cause.isDieReason(reason) && reason.defect instanceof InvalidOptionError) {
      return reason.defect
    }
  }
  throw new Error(`expected an InvalidOptionError as a defect, got ${String(exit)}`)
}
