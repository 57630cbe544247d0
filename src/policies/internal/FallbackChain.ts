/**
 * Sources of a chain, tried in order.
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { AnyEffect } from "../../core/internal/Combinator.ts"
import * as Redact from "../../core/internal/Redact.ts"
import { choose, followedBy, picker } from "./FallbackCause.ts"
import { defaultName } from "./FallbackOptions.ts"
import type { FailedSource, Fallback, ResolvedChain, Sources } from "./FallbackOptions.ts"
import * as PolicyObserver from "./PolicyObserver.ts"

/**
 * Name of the span attribute that holds the source that served.
 */
export const sourceAttribute = "resilience.fallback.source"

/**
 * Error of a chain whose every source has failed.
 */
export class FallbackExhaustedError<out E> extends Data.TaggedError("FallbackExhaustedError")<{
  /** Every source with its cause, in order. */
  readonly failures: ReadonlyArray<FailedSource<E>>
}> {
  override get message(): string {
    const sources = this.failures.map(({ cause, source }) => `${source} (${text(cause)})`)
    return `Every source failed: ${sources.join(", ")}`
  }

  /** Error of the first source. */
  override get cause(): unknown {
    const [first] = this.failures
    return first && Cause.squash(first.cause)
  }
}

const text = (cause: Cause.Cause<unknown>): string =>
  Cause.prettyErrors(cause)
    .map(({ message, name }) => (message === "" ? name : name === "Error" ? message : `${name}: ${message}`))
    .map((line) => Redact.credentials(line))
    .join("; ")

/**
 * Runs the effects of a chain until one succeeds. The value comes with its
 * source if `withSource` is true.
 */
export const runInOrder = (sources: Sources, options: ResolvedChain, withSource: boolean): AnyEffect => {
  const pick = picker(options)
  const all: Sources =
    options.default === undefined ? sources : [...sources, { name: defaultName, effect: Effect.sync(options.default) }]

  const serve = (fallback: Fallback<unknown>, value: unknown): AnyEffect => {
    const result = Effect.succeed(withSource ? { ...fallback, value } : value)
    const annotated = annotate(fallback.source)
    return options.onFallback === undefined
      ? Effect.andThen(annotated, result)
      : Effect.andThen(annotated, Effect.andThen(options.onFallback(fallback), result))
  }

  const failed = (
    index: number,
    source: string,
    cause: Cause.Cause<unknown>,
    before: ReadonlyArray<FailedSource<unknown>>
  ): AnyEffect => {
    const earlier = before.map((failure) => failure.cause)
    // A default can only fail with a defect, which is not a failure of a source.
    if (index >= sources.length) return Effect.failCause(followedBy(cause, earlier))
    return choose(pick, cause, earlier, () => {
      const failures = [...before, { source, cause }]
      const next = all[index + 1]
      if (next === undefined) {
        PolicyObserver.current()?.allFailed()
        return Effect.fail(new FallbackExhaustedError({ failures }))
      }
      return Effect.matchCauseEffect(next.effect, {
        onSuccess: (value) => serve({ source: next.name, failures }, value),
        onFailure: (later) => failed(index + 1, next.name, later, failures)
      })
    })
  }

  // A chain has a source or a default: this has been checked.
  const first = all[0]!
  const onFailure = (cause: Cause.Cause<unknown>) => failed(0, first.name, cause, [])
  return withSource
    ? Effect.matchCauseEffect(first.effect, {
        onSuccess: (value) => Effect.succeed({ source: first.name, failures: [], value }),
        onFailure
      })
    : Effect.catchCause(first.effect, onFailure)
}

/**
 * Names the source that served in the current span, and to the observer.
 */
export const annotate = (name: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    PolicyObserver.current()?.served(name)
    return Effect.annotateCurrentSpan(sourceAttribute, name)
  })
