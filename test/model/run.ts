/**
 * Runs a history against the model and a system side by side.
 */
import { assert } from "@effect/vitest"
import { Arbitrary, Effect } from "effect"
import { history } from "./commands.ts"
import type { Command, History } from "./commands.ts"
import { Model } from "./Model.ts"
import type { Call, Episode, Mode, Outcome, Policy } from "./Model.ts"

/** What both must agree on after each command. */
export interface View {
  readonly mode: Mode
  /** Changes of state. */
  readonly number: number
  /** How long a call would have to wait: 0 for one that is admitted, undefined where nobody can know. */
  readonly wait: number | undefined
  readonly counts: ReturnType<Model["counts"]> | undefined
}

/** A circuit that is compared with the model. `A` is an admission. */
export interface System<A> {
  /** Admits a call, or says how long to wait. */
  readonly admit: Effect.Effect<
    | { readonly _tag: "Admitted"; readonly admission: A }
    | { readonly _tag: "Refused"; readonly wait: number | undefined }
  >
  readonly settle: (admission: A, outcome: Outcome, hint: number) => Effect.Effect<void>
  readonly wait: (millis: number) => Effect.Effect<void>
  readonly hold: (as: "HeldOpen" | "HeldClosed", forMillis: number | undefined) => Effect.Effect<void>
  readonly release: Effect.Effect<void>
  readonly reset: Effect.Effect<void>
  readonly view: Effect.Effect<View>
}

/** What the histories came to: each edge, and each rule that they reached. */
export type Reached = Set<string>

const edges = [
  "Closed -Settle-> Open",
  "Open -Admit-> HalfOpen",
  "HalfOpen -Settle-> Closed",
  "HalfOpen -Settle-> Open",
  "HeldOpen -Admit-> Closed",
  "HeldClosed -Admit-> Closed",
  "HeldOpen -Release-> Closed",
  "HeldClosed -Release-> Closed",
  ...["Closed", "Open", "HalfOpen", "HeldOpen", "HeldClosed"].flatMap((from) => [
    `${from} -Reset-> Closed`,
    `${from} -Hold-> HeldOpen`,
    `${from} -Hold-> HeldClosed`
  ])
]

const rules = [
  "refused by Open",
  "refused by HalfOpen, all probes under way",
  "refused by HalfOpen, after an ignored probe",
  "refused by HeldOpen for a time",
  "refused by HeldOpen for ever",
  "a probe took the place of one whose lease ended",
  "several probes under way",
  "an outcome of an older generation in Closed",
  "an outcome of an older generation in Open",
  "an outcome of an older generation in HalfOpen",
  "an outcome of an older generation in HeldOpen",
  "an outcome of an older generation in HeldClosed",
  "an outcome after the lease ended",
  "an outcome in HeldOpen",
  "an outcome in HeldClosed",
  "a slow probe",
  "a second opening",
  "a third opening",
  "a first opening after a second",
  "a hint that lengthened",
  "a hint that was bounded",
  "closed in spite of a failed probe"
]

const note = (
  reached: Reached,
  model: Model,
  command: Command,
  before: Episode,
  call: Call | undefined,
  now: number
) => {
  const { episode, policy } = model
  if (episode !== before) {
    reached.add(`${before.mode} -${command._tag}-> ${episode.mode}`)
    if (episode.mode === "Open") {
      if (episode.opening === 2) reached.add("a second opening")
      if (episode.opening >= 3) reached.add("a third opening")
      const last = model.episodes.findLast((each) => each.mode === "Open" && each !== episode)
      if (episode.opening === 1 && before.mode === "Closed" && last !== undefined && last.opening > 1) {
        reached.add("a first opening after a second")
      }
      if (command._tag === "Settle" && command.outcome === "Failure") {
        const lasts = policy.openFor[Math.min(episode.opening, policy.openFor.length) - 1] as number
        if (command.hint > Math.min(lasts, policy.maxOpenFor)) {
          reached.add(command.hint > policy.maxOpenFor ? "a hint that was bounded" : "a hint that lengthened")
        }
      }
    }
    if (before.mode === "HalfOpen" && command._tag === "Settle" && episode.mode === "Closed") {
      const failed = model.calls.some((each) => each.episode === before && each.settled?.said === "Failure")
      if (failed) reached.add("closed in spite of a failed probe")
    }
  }
  if (command._tag === "Settle" && call !== undefined) {
    if (call.episode !== before) reached.add(`an outcome of an older generation in ${before.mode}`)
    if (before.mode === "HeldOpen" || before.mode === "HeldClosed") reached.add(`an outcome in ${before.mode}`)
    if (call.episode === before && before.mode === "HalfOpen") {
      if (now >= call.admittedAt + policy.leaseFor) reached.add("an outcome after the lease ended")
      if (call.settled?.slow === true) reached.add("a slow probe")
    }
  }
  if (command._tag === "Admit" && before === episode && episode.mode === "HalfOpen" && call?.turnedAway === false) {
    const others = model.calls.filter((each) => each.episode === episode && each.settled === undefined && each !== call)
    if (others.some((each) => now >= each.admittedAt + policy.leaseFor)) {
      reached.add("a probe took the place of one whose lease ended")
    }
    if (others.some((each) => now < each.admittedAt + policy.leaseFor)) reached.add("several probes under way")
  }
}

const noteRefusal = (reached: Reached, model: Model, until: number | undefined) => {
  const { mode } = model.episode
  if (model.policy.dryRun) reached.add("let pass by a dry run")
  if (mode === "Open") reached.add("refused by Open")
  if (mode === "HeldOpen") reached.add(`refused by HeldOpen for ${until === undefined ? "ever" : "a time"}`)
  if (mode === "HalfOpen") {
    reached.add(`refused by HalfOpen, ${until === undefined ? "all probes under way" : "after an ignored probe"}`)
  }
}

const compare = <A>(
  make: (policy: Policy) => Effect.Effect<System<A>>,
  { commands, policy }: History,
  reached: Reached
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const system = yield* make(policy)
    const model = new Model(policy, 0)
    const running: Array<readonly [call: Call, admission: A]> = []
    let now = 0
    for (const [i, command] of commands.entries()) {
      const before = model.episode
      let call: Call | undefined
      switch (command._tag) {
        case "Admit": {
          const refusal = model.wouldRefuse(now)
          if (refusal !== undefined) noteRefusal(reached, model, refusal.until)
          const expected = model.admit(now)
          const answer = yield* system.admit
          assert.strictEqual(answer._tag, expected._tag, `command ${i}`)
          if (expected._tag === "Admitted" && answer._tag === "Admitted") {
            call = expected.call
            running.unshift([expected.call, answer.admission])
          } else if (expected._tag === "Refused" && answer._tag === "Refused") {
            assert.strictEqual(
              answer.wait,
              expected.until === undefined ? undefined : expected.until - now,
              `command ${i}`
            )
          }
          break
        }
        case "Settle": {
          const [picked] = running.splice(command.pick, 1)
          if (picked === undefined) break
          call = picked[0]
          model.settle(picked[0], command.outcome, command.hint, now)
          yield* system.settle(picked[1], command.outcome, command.hint)
          break
        }
        case "Wait":
          now += command.millis
          yield* system.wait(command.millis)
          break
        case "Hold":
          model.hold(command.as, command.forMillis, now)
          yield* system.hold(command.as, command.forMillis)
          break
        case "Release":
          model.release(now)
          yield* system.release
          break
        case "Reset":
          model.reset(now)
          yield* system.reset
          break
      }
      note(reached, model, command, before, call, now)
      const refusal = model.wouldRefuse(now)
      const view = yield* system.view
      const expected: View = {
        mode: model.episode.mode,
        number: model.episode.number,
        wait: refusal === undefined ? 0 : refusal.until === undefined ? undefined : refusal.until - now,
        counts: view.counts === undefined ? undefined : model.counts()
      }
      const said = `${JSON.stringify(view)} is not ${JSON.stringify(expected)}`
      assert.deepStrictEqual(view, expected, `command ${i}: ${JSON.stringify(command)}: ${said}`)
    }
  })

/**
 * Checks that a system does what the model does, on random histories that
 * together reach every edge and every rule.
 */
export const agrees = <A>(
  make: (policy: Policy) => Effect.Effect<System<A>>,
  { dryRuns, runs }: { readonly runs: number; readonly dryRuns: boolean }
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const reached: Reached = new Set()
    const result = yield* Arbitrary.checkEffect(
      history,
      ({ commands, policy }) =>
        // A failed assertion is an error, so that the history that is shown is a small one.
        compare(make, { commands, policy: dryRuns ? policy : { ...policy, dryRun: false } }, reached).pipe(
          Effect.catchDefect(Effect.fail),
          Effect.as(true)
        ),
      { runs, size: 300 }
    )
    const failure = Arbitrary.formatCheckFailure(result)
    if (failure !== undefined) assert.fail(failure)
    const expected = [...edges, ...rules, ...(dryRuns ? ["let pass by a dry run"] : [])]
    assert.deepStrictEqual([...reached].sort(), expected.sort())
  })
