/**
 * Attempts of a retry.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import type { AnyEffect } from "../../core/internal/Combinator.ts"
import * as Outcome from "../../core/Outcome.ts"
import * as Refusal from "../../core/Refusal.ts"
import * as PolicyObserver from "./PolicyObserver.ts"
import { RetryExhaustedError, UnacceptedValue } from "./RetryError.ts"
import type { Resolved } from "./RetryOptions.ts"

/** How a retry ends that gives up, and whether it looks at values. */
export type Kind = "retry" | "retryOrExhausted" | "retryUntil"

export interface Plan extends Resolved {
  readonly kind: Kind
  readonly until: ((value: unknown) => boolean) | undefined
}

/**
 * Runs an effect until an attempt is accepted or the plan allows no other.
 */
export const attempts = (self: AnyEffect, plan: Plan): AnyEffect =>
  // A first attempt that succeeds must cost one frame: nothing else is made before something fails.
  plan.kind === "retry" && plan.maxElapsed === Number.POSITIVE_INFINITY
    ? Effect.catchCause(self, (cause) => new Run(self, plan, notTimed).failed(cause))
    : Effect.withFiber((fiber) => {
        const start = nanos(fiber)
        return settle(self, plan.until, {
          failed: (cause) => new Run(self, plan, start).failed(cause),
          succeeded: (value) => new Run(self, plan, start).succeeded(value)
        })
      })

// The start of a retry that looks at no time.
const notTimed = 0n

const nanos = (fiber: Fiber.Fiber<unknown, unknown>): bigint => fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()

interface Ends {
  readonly failed: (cause: Cause.Cause<unknown>) => AnyEffect
  readonly succeeded: (value: unknown) => AnyEffect
}

const settle = (self: AnyEffect, until: Plan["until"], ends: Ends): AnyEffect =>
  until === undefined
    ? Effect.catchCause(self, (cause) => ends.failed(cause))
    : Effect.matchCauseEffect(self, {
        onFailure: (cause) => ends.failed(cause),
        onSuccess: (value) => (until(value) ? Effect.succeed(value) : ends.succeeded(value))
      })

type Step = Effect.Success<ReturnType<typeof Schedule.toStep<unknown, unknown, unknown, unknown>>>

/** Attempt that failed, or gave a value that is not accepted and has no cause. */
interface Failed {
  readonly error: unknown
  readonly cause: Cause.Cause<unknown> | undefined
  /** Milliseconds that the error asks to wait, or zero. */
  readonly hint: number
}

/**
 * Part of a retry that follows the first attempt that failed.
 */
class Run implements Ends {
  readonly plan: Plan
  readonly start: bigint
  readonly next: AnyEffect
  attempt = 1
  step: Step | undefined

  constructor(self: AnyEffect, plan: Plan, start: bigint) {
    this.plan = plan
    this.start = start
    this.next = settle(self, plan.until, this)
  }

  failed(cause: Cause.Cause<unknown>): AnyEffect {
    PolicyObserver.current()?.attemptFailed()
    const fail = onlyFailure(cause)
    const { plan } = this
    return fail !== undefined &&
      (plan.retryRefusals || !Refusal.isRefusal(fail.error)) &&
      (plan.while === undefined || plan.while(fail.error))
      ? this.again(fail.error, cause)
      : Effect.failCause(cause)
  }

  succeeded(value: unknown): AnyEffect {
    PolicyObserver.current()?.attemptFailed()
    return this.again(new UnacceptedValue({ value }), undefined)
  }

  again(error: unknown, cause: Cause.Cause<unknown> | undefined): AnyEffect {
    const { backoff, maxAttempts, maxRetryAfter, retryAfter } = this.plan
    if (this.attempt >= maxAttempts) return this.giveUp("attempts", { error, cause, hint: 0 })
    const asked = Outcome.hint(error, retryAfter)
    const failed: Failed = { error, cause, hint: asked === undefined ? 0 : Duration.toMillis(asked) }
    if (failed.hint > maxRetryAfter) {
      return cause === undefined ? this.giveUp("retryAfter", failed) : Effect.failCause(cause)
    }
    return this.step === undefined
      ? Effect.flatMap(Schedule.toStep(backoff), (step) => this.advance((this.step = step), failed))
      : this.advance(this.step, failed)
  }

  advance(step: Step, failed: Failed): AnyEffect {
    return Effect.withFiber((fiber) =>
      Pull.matchEffect(step(fiber.getRef(Clock.Clock).currentTimeMillisUnsafe(), failed.error), {
        onSuccess: ([, backoff]) => this.wait(backoff, failed),
        onFailure: Effect.failCause,
        onDone: () => this.giveUp("schedule", failed)
      })
    )
  }

  wait(backoff: Duration.Duration, failed: Failed): AnyEffect {
    const { onRetry } = this.plan
    const millis = Math.max(Duration.toMillis(backoff), failed.hint, 0)
    if (millis === Number.POSITIVE_INFINITY) return this.giveUp("schedule", failed)
    const delay = Duration.millis(millis)
    const begin = Effect.suspend(() => {
      this.attempt += 1
      PolicyObserver.current()?.retried(this.attempt, millis)
      return this.next
    })
    // The time is looked at again after each thing that takes time: the effect of the caller, and a late timer.
    const sleep = () =>
      millis > 0 ? Effect.flatMap(Effect.sleep(delay), () => this.unlessLate(0, failed, () => begin)) : begin
    return this.unlessLate(millis, failed, () =>
      onRetry === undefined
        ? sleep()
        : Effect.flatMap(onRetry({ attempt: this.attempt, error: failed.error, delay }), () =>
            this.unlessLate(millis, failed, sleep)
          )
    )
  }

  unlessLate(delay: number, failed: Failed, then: () => AnyEffect): AnyEffect {
    const { maxElapsed } = this.plan
    return maxElapsed === Number.POSITIVE_INFINITY
      ? then()
      : Effect.withFiber((fiber) =>
          this.elapsed(fiber) + delay > maxElapsed ? this.giveUp("elapsed", failed) : then()
        )
  }

  giveUp(why: RetryExhaustedError<unknown>["why"], { cause, error }: Failed): AnyEffect {
    PolicyObserver.current()?.exhausted(this.attempt, why)
    return cause !== undefined && this.plan.kind === "retry"
      ? Effect.failCause(cause)
      : Effect.withFiber((fiber) =>
          Effect.fail(
            new RetryExhaustedError({
              attempts: this.attempt,
              elapsed: Duration.millis(this.elapsed(fiber)),
              lastError: error,
              why
            })
          )
        )
  }

  elapsed(fiber: Fiber.Fiber<unknown, unknown>): number {
    return Number(nanos(fiber) - this.start) / 1_000_000
  }
}

/**
 * Returns the first typed failure of a cause that holds nothing else.
 */
const onlyFailure = (cause: Cause.Cause<unknown>): Cause.Fail<unknown> | undefined => {
  let first: Cause.Fail<unknown> | undefined
  for (const reason of cause.reasons) {
    if (!Cause.isFailReason(reason)) return undefined
    first ??= reason
  }
  return first
}
