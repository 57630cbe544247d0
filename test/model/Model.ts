/**
 * A model of a circuit breaker, written from sections 4.1 to 4.3 of the design
 * and not from the source. It keeps the whole history of a circuit, and judges
 * by looking back at it: slow, and easy to compare with the text.
 */

export type Outcome = "Success" | "Failure" | "Ignored"

export type Mode = "Closed" | "Open" | "HalfOpen" | "HeldOpen" | "HeldClosed"

export type Trip =
  | { readonly _tag: "consecutive"; readonly n: number }
  | { readonly _tag: "failures"; readonly count: number; readonly of: number; readonly minimumCalls: number }
  | { readonly _tag: "rate"; readonly ratio: number; readonly within: number; readonly minimumCalls: number }
  | {
      readonly _tag: "slowCalls"
      readonly after: number
      readonly ratio: number
      readonly within: number
      readonly minimumCalls: number
    }

/** All durations are milliseconds. */
export interface Policy {
  /** The circuit trips when one of them says so. */
  readonly trip: ReadonlyArray<Trip>
  /** The n-th consecutive opening lasts as long as the n-th of these, and later ones as the last. */
  readonly openFor: ReadonlyArray<number>
  readonly maxOpenFor: number
  readonly probes: number
  readonly needed: number
  readonly of: number
  readonly leaseFor: number
  readonly pace: number
  readonly dryRun: boolean
}

export interface Call {
  /** Episode that admitted the call. */
  readonly episode: Episode
  readonly admittedAt: number
  /** Whether it is a call that only a dry run let pass. */
  readonly turnedAway: boolean
  settled:
    | {
        readonly at: number
        /** What statistics count. */
        readonly outcome: Outcome
        /** What the trip policy and the half-open rules are told. */
        readonly said: Outcome
        readonly slow: boolean
        readonly order: number
      }
    | undefined
}

/** What a circuit was from one change of state to the next. */
export interface Episode {
  /** Changes of state before it. */
  readonly number: number
  readonly mode: Mode
  readonly from: number
  /** Which consecutive opening it is, where it is an opening. */
  readonly opening: number
  /** When an opening or a hold is over. */
  readonly until: number | undefined
}

export type Answer =
  { readonly _tag: "Admitted"; readonly call: Call } | { readonly _tag: "Refused"; readonly until: number | undefined }

export class Model {
  readonly policy: Policy
  readonly episodes: Array<Episode>
  readonly calls: Array<Call> = []
  refused = 0
  private settledCalls = 0

  constructor(policy: Policy, now: number) {
    this.policy = policy
    this.episodes = [{ number: 0, mode: "Closed", from: now, opening: 0, until: undefined }]
  }

  get episode(): Episode {
    return this.episodes[this.episodes.length - 1] as Episode
  }

  private begin(
    mode: Mode,
    now: number,
    more: { readonly opening?: number; readonly until?: number | undefined } = {}
  ) {
    this.episodes.push({
      number: this.episodes.length,
      mode,
      from: now,
      opening: more.opening ?? 0,
      until: more.until
    })
  }

  /** A hold that has an end is over then. */
  private holdIsOver(now: number): boolean {
    const { mode, until } = this.episode
    return (mode === "HeldOpen" || mode === "HeldClosed") && until !== undefined && now >= until
  }

  /** The calls of this episode that were let pass. */
  private own(): ReadonlyArray<Call> {
    return this.calls.filter((call) => call.episode === this.episode && !call.turnedAway)
  }

  /** When a call asked now, what would it be told? "Reading the state never changes it." */
  wouldRefuse(now: number): { readonly until: number | undefined } | undefined {
    const { mode, until } = this.episode
    switch (mode) {
      case "Closed":
      case "HeldClosed":
        return undefined
      case "HeldOpen":
        return this.holdIsOver(now) ? undefined : { until }
      case "Open":
        // Inclusive: at `until` the time is over.
        return now >= (until as number) ? undefined : { until }
      case "HalfOpen": {
        const probes = this.own()
        const underWay = probes.filter(
          (probe) => probe.settled === undefined && now < probe.admittedAt + this.policy.leaseFor
        )
        if (underWay.length >= this.policy.probes) return { until: undefined }
        const quiet = probes.flatMap((probe) => (probe.settled?.said === "Ignored" ? [probe.settled.at] : []))
        const next = Math.max(...quiet) + this.policy.pace
        return now >= next ? undefined : { until: next }
      }
    }
  }

  admit(now: number): Answer {
    const refusal = this.wouldRefuse(now)
    if (refusal !== undefined) {
      this.refused++
      return this.policy.dryRun ? this.letPass(now, true) : { _tag: "Refused", until: refusal.until }
    }
    if (this.holdIsOver(now)) this.begin("Closed", now)
    if (this.episode.mode === "Open") this.begin("HalfOpen", now)
    return this.letPass(now, false)
  }

  private letPass(now: number, turnedAway: boolean): Answer {
    const call: Call = { episode: this.episode, admittedAt: now, turnedAway, settled: undefined }
    this.calls.push(call)
    return { _tag: "Admitted", call }
  }

  settle(call: Call, outcome: Outcome, hint: number, now: number): void {
    const after = Math.min(...this.policy.trip.map((trip) => (trip._tag === "slowCalls" ? trip.after : Infinity)))
    const slow = now - call.admittedAt >= after
    // The design says nothing of a slow probe. CircuitBreaker counts it as a failed one.
    const said = call.episode.mode === "HalfOpen" && slow ? "Failure" : outcome
    call.settled = { at: now, outcome, said, slow, order: this.settledCalls++ }
    // "One of an older generation changes statistics only."
    if (call.episode !== this.episode || call.turnedAway) return
    const settled = this.own().filter((each) => each.settled !== undefined)
    const number = (wanted: Outcome) => settled.filter((each) => each.settled?.said === wanted).length
    const lengthened = outcome === "Failure" ? hint : 0
    if (this.episode.mode === "HalfOpen") {
      if (number("Success") >= this.policy.needed) this.begin("Closed", now)
      // So many may fail that the rest cannot reach what is needed any more.
      else if (this.policy.of - number("Failure") < this.policy.needed) this.open(now, lengthened)
    }
    if (this.episode.mode === "Closed" && call.episode === this.episode && this.trips(call, now))
      this.open(now, lengthened)
  }

  private trips(latest: Call, now: number): boolean {
    const settled = this.own()
      .flatMap((call) => (call.settled === undefined ? [] : [call.settled]))
      .sort((a, b) => a.order - b.order)
    const said = settled.filter((each) => each.said !== "Ignored")
    const failed = (some: typeof settled) => some.filter((each) => each.said === "Failure").length
    const latestSaid = latest.settled?.said !== "Ignored"
    return this.policy.trip.some((trip) => {
      switch (trip._tag) {
        case "consecutive":
          return latestSaid && said.length >= trip.n && failed(said.slice(-trip.n)) === trip.n
        case "failures": {
          const last = said.slice(-trip.of)
          return latestSaid && last.length >= trip.minimumCalls && failed(last) >= trip.count
        }
        case "rate": {
          const last = said.filter((each) => now - each.at < trip.within)
          return latestSaid && last.length >= trip.minimumCalls && failed(last) / last.length >= trip.ratio
        }
        case "slowCalls": {
          // "A call interrupted after that time counts as slow."
          const last = settled.filter((each) => now - each.at < trip.within && (each.said !== "Ignored" || each.slow))
          const slow = last.filter((each) => each.slow).length
          const counts = latestSaid || latest.settled?.slow === true
          return counts && last.length >= trip.minimumCalls && slow / last.length >= trip.ratio
        }
      }
    })
  }

  private open(now: number, hint: number): void {
    const opening = this.nextOpening(now)
    const { maxOpenFor, openFor } = this.policy
    const lasts = openFor[Math.min(opening, openFor.length) - 1] as number
    this.begin("Open", now, { opening, until: now + Math.min(maxOpenFor, Math.max(lasts, hint)) })
  }

  /** "The n-th consecutive opening; resets after staying closed as long as it was last open." */
  private nextOpening(now: number): number {
    const { mode, from } = this.episode
    for (const episode of this.episodes.toReversed()) {
      // An operator's release or reset gives clean counts.
      if (episode.mode === "HeldOpen" || episode.mode === "HeldClosed" || this.wasReset(episode)) return 1
      if (episode.mode === "Open") {
        const lasted = (episode.until as number) - episode.from
        return mode === "Closed" && now - from >= lasted ? 1 : episode.opening + 1
      }
    }
    return 1
  }

  /** Only a probe closes a circuit that is half-open; all other ways to Closed are an operator's. */
  private readonly resets = new Set<Episode>()
  private wasReset(episode: Episode): boolean {
    return this.resets.has(episode)
  }

  hold(as: "HeldOpen" | "HeldClosed", forMillis: number | undefined, now: number): void {
    this.begin(as, now, { until: forMillis === undefined ? undefined : now + forMillis })
  }

  release(now: number): void {
    if (this.episode.mode === "HeldOpen" || this.episode.mode === "HeldClosed") this.reset(now)
  }

  reset(now: number): void {
    this.begin("Closed", now)
    this.resets.add(this.episode)
  }

  /** What the circuit has counted since it was made. */
  counts() {
    const settled = this.calls.flatMap((call) => (call.settled === undefined ? [] : [call.settled]))
    return {
      calls: this.calls.length,
      successes: settled.filter((each) => each.outcome === "Success").length,
      failures: settled.filter((each) => each.outcome === "Failure").length,
      ignored: settled.filter((each) => each.outcome === "Ignored").length,
      slow: settled.filter((each) => each.slow).length,
      refused: this.refused,
      // A reset of a closed circuit is no change of its state, though it begins to count again.
      changes: this.episodes.filter(
        (each, i) => i > 0 && !(each.mode === "Closed" && this.episodes[i - 1]?.mode === "Closed")
      ).length
    }
  }
}
