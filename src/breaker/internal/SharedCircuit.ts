/**
 * Circuits that a store keeps in step with those of other processes.
 *
 * **Details**
 *
 * - A probe waits for the store before it runs. A circuit asks one question at
 *   a time and refuses its other callers meanwhile: an open time that ends is
 *   no rush to the store.
 * - A permit that is granted after its caller left is given back.
 * - A call does not wait until the store has heard of its outcome.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as Outcome from "../../core/Outcome.ts"
import type * as CircuitStore from "../../store/CircuitStore.ts"
import type * as Breaker from "./Breaker.ts"
import * as Circuit from "./Circuit.ts"
import { CircuitOpenError } from "./CircuitOpenError.ts"

/**
 * Circuit whose store shares it, from when it is made until it is closed. It
 * differs from one that is not shared in that its store may need time.
 */
export class SharedCircuit extends Circuit.Circuit {
  private readonly store: CircuitStore.CircuitStore["Service"]
  private asking = false
  /** Generation whose trip the store is being told of. */
  private tripping: number | undefined = undefined

  constructor(breaker: Circuit.Common, key: string | undefined, store: CircuitStore.CircuitStore["Service"]) {
    super(breaker, key)
    this.store = store
    store.attach(this)
  }

  override close(): void {
    this.store.detach(this)
  }

  override admit(
    clock: Clock.Clock,
    restore: Circuit.Restore,
    key: string | undefined = this.key
  ): Effect.Effect<Circuit.Admitted> {
    const now = clock.currentTimeMillisUnsafe()
    const step: CircuitStore.Step<CircuitState.Answer> = (state, at) =>
      CircuitState.admit(state, at, this.breaker.machine)
    const answer = (applied: CircuitStore.Applied<CircuitState.Answer>) => this.answer(applied, now, key)
    const before = this.current
    const [after, local] = step(before, now)
    const asks = after !== before
    if (asks && this.asking) return answer({ before, after: before, answer: { _tag: "Refused" } })
    this.breaker.clock = clock
    // The store is not asked where nothing changes.
    if (!asks) return answer({ before, after, answer: local })
    const applied = this.store.update(this, now, step)
    if (Circuit.isApplied(applied)) return answer(applied.value)
    this.asking = true
    const question = Effect.onExitPrimitive(applied, () => {
      this.asking = false
      return undefined
    })
    // The question continues where its caller is interrupted.
    return Effect.flatMap(Effect.forkDetach(question, { startImmediately: true }), (asked) => {
      const giveBack = Effect.flatMap(Effect.flatMap(Fiber.join(asked), answer), (admitted) =>
        admitted instanceof CircuitOpenError
          ? Effect.void
          : (this.record(Outcome.ignored, Cause.empty, admitted) ?? Effect.void)
      )
      return Effect.onExit(restore(Fiber.join(asked)), (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.forkDetach(giveBack)
      ).pipe(Effect.flatMap(answer))
    })
  }

  protected override tell(step: Circuit.Step, now: number, trips: boolean): Effect.Effect<void> | undefined {
    const { generation } = this.current
    if (trips && this.tripping === generation) return undefined
    const applied = this.update(step, now, trips)
    if (Circuit.isApplied(applied)) return this.report(applied.value.before, applied.value.after)
    // A store that is not eager hears of a trip once.
    if (trips) this.tripping = generation
    const told = Effect.onExitPrimitive(this.whenApplied(applied), () => {
      if (trips) this.tripping = undefined
      return undefined
    })
    return Effect.asVoid(Effect.forkDetach(told))
  }

  protected override update(step: Circuit.Step, now: number, eager: boolean) {
    return this.store.update(this, now, Circuit.unanswered(step), { eager })
  }
}

/**
 * Creates how a breaker shares its circuits through a store.
 */
export const sharing = (store: CircuitStore.CircuitStore["Service"]): Breaker.Sharing => ({
  store,
  make: (breaker, key) => new SharedCircuit(breaker, key, store)
})
