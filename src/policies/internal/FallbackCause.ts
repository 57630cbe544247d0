/**
 * Failures that a fallback answers, and the causes that follow its own.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { AnyEffect } from "../../core/internal/Combinator.ts"

type Pick = (cause: Cause.Cause<unknown>) => { readonly failure: unknown } | undefined

/**
 * Makes the function that returns what a fallback is given of a cause, or
 * nothing where the cause passes through.
 */
export const picker = (options: {
  readonly if: ((error: unknown) => boolean) | undefined
  readonly defects: boolean
}): Pick => {
  const { defects, if: accepts } = options
  if (defects && accepts === undefined) {
    return (cause) => (Cause.hasInterruptsOnly(cause) ? undefined : { failure: cause })
  }
  return (cause) => {
    if (Cause.hasDies(cause)) return defects ? { failure: cause } : undefined
    const fail = cause.reasons.find(Cause.isFailReason)
    return fail !== undefined && (accepts === undefined || accepts(fail.error)) ? { failure: fail.error } : undefined
  }
}

/**
 * Continues with what `pick` takes of a cause, or fails with the cause.
 */
export const choose = (
  pick: Pick,
  cause: Cause.Cause<unknown>,
  earlier: ReadonlyArray<Cause.Cause<unknown>>,
  then: (failure: unknown) => AnyEffect
): AnyEffect => {
  let picked: ReturnType<Pick>
  try {
    picked = pick(cause)
  } catch (defect) {
    // A predicate of the caller has thrown.
    return Effect.failCause(followedBy(Cause.die(defect), [...earlier, cause]))
  }
  return picked === undefined ? Effect.failCause(followedBy(cause, earlier)) : then(picked.failure)
}

/**
 * Adds the reasons of earlier causes to a cause, the latest first. An
 * interruption stays one, as it would otherwise be taken for a typed failure.
 */
export const followedBy = (
  cause: Cause.Cause<unknown>,
  earlier: ReadonlyArray<Cause.Cause<unknown>>
): Cause.Cause<unknown> => {
  if (earlier.length === 0 || Cause.hasInterruptsOnly(cause)) return cause
  const reasons = earlier.toReversed().flatMap((before) => before.reasons)
  return Cause.combine(cause, Cause.fromReasons(reasons.filter((reason) => !Cause.isInterruptReason(reason))))
}
