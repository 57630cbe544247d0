/**
 * Layers of a policy: their slots with the checks, and the combinator of each.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { LazyArg } from "effect/Function"
import { hasProperty } from "effect/Predicate"
import * as CircuitBreaker from "../../breaker/CircuitBreaker.ts"
import type { AnyEffect } from "../../core/internal/Combinator.ts"
import * as Rules from "../../core/internal/Rules.ts"
import * as Backoff from "../../policies/Backoff.ts"
import * as Fallback from "../../policies/Fallback.ts"
import * as Retry from "../../policies/Retry.ts"
import * as Timeout from "../../policies/Timeout.ts"

/**
 * Kind of a layer of a policy.
 */
export type Kind = "fallback" | "deadline" | "retry" | "circuit breaker" | "attempt timeout" | "timeout"

/**
 * Layer whose options have been checked.
 */
export interface ResolvedLayer {
  readonly kind: Kind
  readonly parameters: LazyArg<Rules.Json>
  /** Values that are equal in two layers that are the same. */
  readonly identity: LazyArg<ReadonlyArray<unknown>>
  readonly apply: (self: AnyEffect) => AnyEffect
}

export const isSame = (a: ResolvedLayer, b: ResolvedLayer): boolean => {
  if (a.kind !== b.kind) return false
  const others = b.identity()
  return a.identity().every((each, i) => Object.is(each, others[i]))
}

/**
 * Fallback of a policy: the function of `Fallback.orElse`, or that with
 * options.
 */
export type FallbackSlot<E, A2, E2, R2, Tag extends string> =
  | ((error: E) => Effect.Effect<A2, E2, R2>)
  | {
      readonly orElse: (error: E) => Effect.Effect<A2, E2, R2>
      /** Tags of the errors that are answered. Default: all. */
      readonly if?: Tag | ReadonlyArray<Tag> | undefined
      /** Name of the fallback in the span attribute. Default: "fallback". */
      readonly source?: string | undefined
    }

export const fallbackLayer = (slot: FallbackSlot<never, unknown, unknown, unknown, string>): ResolvedLayer => {
  const { orElse, ...given } = typeof slot === "object" && slot !== null ? slot : { orElse: slot }
  Rules.keys("Fallback", given, ["if", "source"])
  // The type of the policy says which errors the effect may have, and which of them are answered.
  const options = given as Fallback.Options
  const described = Fallback.describe(options)
  const parameters = {
    if: described.if === "a function" ? "predicate" : (described.if ?? "all"),
    defects: described.defects ?? false,
    source: described.source
  }
  return {
    kind: "fallback",
    parameters: () => parameters,
    identity: () => [orElse, JSON.stringify(parameters)],
    apply: Fallback.orElse(orElse as (error: unknown) => AnyEffect, options)
  }
}

/**
 * Timeout of a policy: a duration, or options.
 */
export type TimeoutSlot<D> = D | (Timeout.Options & { readonly after: D })

export const timeoutLayer = (kind: Kind, slot: Duration.Input | Timeout.Options): ResolvedLayer => {
  const { after, operation } = Timeout.resolve(slot)
  return {
    kind,
    parameters: () => ({ after, operation: operation ?? "none" }),
    identity: () => [after, operation],
    apply: Timeout.timeout({ after, operation })
  }
}

export const retryLayer = (options: Retry.Options): ResolvedLayer => {
  Rules.object("Retry", "options", options)
  const { backoff, onRetry, retryAfter, while: matches } = options
  const parameters = () => {
    const described = Retry.describe(options)
    return {
      maxAttempts: described.maxAttempts,
      backoff: described.backoff,
      maxElapsed: described.maxElapsed ?? "none",
      while: typeof matches === "function" ? "a predicate" : (described.while ?? "every error"),
      retryRefusals: described.retryRefusals,
      maxRetryAfter: described.maxRetryAfter,
      retryAfter: described.retryAfter ?? "error.retryAfter",
      onRetry: described.onRetry === undefined ? "none" : "an effect"
    }
  }
  return {
    kind: "retry",
    parameters,
    identity: () => [
      JSON.stringify(parameters()),
      Backoff.isBackoff(backoff) ? undefined : backoff,
      typeof matches === "function" ? matches : undefined,
      retryAfter,
      onRetry
    ],
    apply: Retry.retry(options)
  }
}

/**
 * Circuit breaker of a policy: a breaker or its class, or that with options.
 */
export type BreakerSlot<B, E = unknown> = B | (CircuitBreaker.ProtectOptions<unknown, E> & { readonly source: B })

export const breakerLayer = (slot: BreakerSlot<CircuitBreaker.Source<unknown>>): ResolvedLayer => {
  const { source, ...options } = hasSource(slot) ? slot : { source: slot }
  if (!CircuitBreaker.isSource(source)) Rules.reject("CircuitBreaker", "source", source, "a breaker or its class")
  Rules.keys("CircuitBreaker", { ...options }, ["key", "classify", "failureIf", "ignore", "retryAfter"])
  return {
    kind: "circuit breaker",
    parameters: () => ({ ...CircuitBreaker.describeSource(source, options) }),
    // The same circuit twice would refuse its own probes, whatever the other options.
    identity: () => [source, "key" in options ? options.key : undefined],
    apply: CircuitBreaker.protect(source, options)
  }
}

const hasSource = <B>(slot: BreakerSlot<B>): slot is Exclude<BreakerSlot<B>, B> =>
  !CircuitBreaker.isSource(slot) && hasProperty(slot, "source")

const module = "Policy"

const slotNames = ["fallback", "deadline", "retry", "breaker", "attemptTimeout"] as const

type AnySlots = { readonly [Slot in (typeof slotNames)[number]]?: unknown }

/**
 * Returns the layers of the slots that are given, in the canonical order.
 */
export const slotLayers = (slots: AnySlots): ReadonlyArray<ResolvedLayer> => {
  if (typeof slots !== "object" || slots === null) Rules.reject(module, "slots", slots, "an object")
  Rules.keys(module, { ...slots }, slotNames)
  // Each function checks what it is given, whatever the type.
  const layer = (slot: keyof AnySlots, build: (given: never) => ResolvedLayer): ReadonlyArray<ResolvedLayer> => {
    const given = slots[slot]
    if (given === undefined) return []
    try {
      return [build(given as never)]
    } catch (error) {
      if (!(error instanceof Rules.InvalidOptionError)) throw error
      const field = Object.is(error.value, given) ? slot : `${slot}.${error.field}`
      throw new Rules.InvalidOptionError(module, field, error.value, error.rule)
    }
  }
  return [
    ...layer("fallback", fallbackLayer),
    ...layer("deadline", (after) => timeoutLayer("deadline", after)),
    ...layer("retry", retryLayer),
    ...layer("breaker", breakerLayer),
    ...layer("attemptTimeout", (after) => timeoutLayer("attempt timeout", after))
  ]
}

/**
 * Adds the layer of a breaker to those of the other slots.
 */
export const withBreaker = (
  layers: ReadonlyArray<ResolvedLayer>,
  breaker: CircuitBreaker.CircuitBreaker
): ReadonlyArray<ResolvedLayer> => {
  const attempt = layers.findIndex(({ kind }) => kind === "attempt timeout")
  return layers.toSpliced(attempt === -1 ? layers.length : attempt, 0, breakerLayer(breaker))
}
