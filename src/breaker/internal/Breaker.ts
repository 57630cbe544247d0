/**
 * A named circuit with the circuits of its keys.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CircuitState from "../../circuit/CircuitState.ts"
import * as TripPolicy from "../../circuit/TripPolicy.ts"
import * as Outcome from "../../core/Outcome.ts"
import type * as CircuitStore from "../../store/CircuitStore.ts"
import * as BoundedKeys from "./BoundedKeys.ts"
import * as BreakerOptions from "./BreakerOptions.ts"
import * as Circuit from "./Circuit.ts"
import type * as CircuitChange from "./CircuitChange.ts"
import * as CircuitStatus from "./CircuitStatus.ts"

/**
 * How a breaker shares its circuits.
 */
export interface Sharing {
  /** Store that keeps the circuits in step with others. */
  readonly store: CircuitStore.CircuitStore["Service"]
  readonly make: (breaker: Circuit.Common, key: string | undefined) => Circuit.Circuit
}

/**
 * A named circuit with the circuits of its keys.
 */
// Members with the tag for internal ones are left out of the declarations that users get.
export class Breaker {
  /** Name of the breaker. */
  readonly name: string
  readonly options: BreakerOptions.Resolved
  /**
   * Numbers that the state machine works by.
   *
   * @internal
   */
  readonly machine: CircuitState.Config
  /** @internal */
  readonly classify: Outcome.Classify
  /**
   * Returns how long the n-th opening lasts, in milliseconds, counted from 1.
   *
   * @internal
   */
  readonly openMillis: (opening: number) => number | Effect.Effect<number>
  /**
   * How the circuits are shared, absent where they are this process's own.
   *
   * @internal
   */
  readonly sharing: Sharing | undefined
  /**
   * The breaker's own circuit. Where it is held, its keys are too.
   *
   * @internal
   */
  readonly main: Circuit.Circuit
  /** Called for each change of state. Errors that they throw are logged. */
  readonly listeners: Set<CircuitChange.Listener> = new Set()
  /**
   * Clock of the fiber that was last admitted.
   *
   * @internal
   */
  clock: Clock.Clock
  /**
   * Observer of single calls, if there is one.
   *
   * @internal
   */
  observer: Circuit.CallObserver | undefined = undefined
  /**
   * Whether how long calls take, or when they end, is needed.
   *
   * @internal
   */
  timed: boolean
  /**
   * Whether a success only ends a streak of failures.
   *
   * @internal
   */
  readonly plain: boolean
  /**
   * How long a slow call takes, in milliseconds.
   *
   * @internal
   */
  readonly slowMillis: number
  /**
   * Circuits of keys, where there are any.
   *
   * @internal
   */
  keyed: Map<string, Circuit.Circuit> | undefined = undefined
  private uses = 0
  private sweepAt: number
  private sweptAt = 0
  private sweptUses = 0
  /** Calls since the last sweep whose keys had no place. */
  private homeless = 0

  /** @internal */
  constructor(name: string, options: BreakerOptions.Resolved, clock: Clock.Clock, sharing?: Sharing) {
    const { keys, trip } = options
    this.name = name
    this.options = options
    this.machine = BreakerOptions.machine(options)
    this.classify = Outcome.classifier(options)
    this.openMillis = BreakerOptions.openMillis(options)
    this.sharing = sharing
    this.clock = clock
    this.timed = TripPolicy.isTimed(trip)
    this.plain = trip._tag === "Consecutive" && this.classify === Outcome.classify
    this.slowMillis = TripPolicy.slowAfterMillis(trip)
    this.sweepAt = keys.max
    this.main = this.make(undefined)
  }

  private make(key: string | undefined): Circuit.Circuit {
    return this.sharing === undefined ? new Circuit.Circuit(this, key) : this.sharing.make(this, key)
  }

  /**
   * Returns the circuit of a call with a key, made if need be: the breaker's own
   * while that is held, and that of other keys where too many have a circuit.
   *
   * @internal
   */
  circuit(key: string | undefined, clock: Clock.Clock): Circuit.Circuit {
    if (key === undefined || CircuitState.isHeld(this.main.current)) return this.main
    return this.keyedCircuit(key, clock, true)
  }

  /**
   * Returns the circuit of a key, made if need be: for an operator however many
   * there are.
   *
   * @internal
   */
  keyedCircuit(given: string, clock: Clock.Clock, isCall = false): Circuit.Circuit {
    const keyed = (this.keyed ??= new Map<string, Circuit.Circuit>())
    const key = BoundedKeys.short(given)
    let circuit = keyed.get(key)
    if (circuit === undefined) {
      this.sweep(keyed, clock.currentTimeMillisUnsafe())
      if (isCall && keyed.size >= BoundedKeys.most(this.options.keys.max)) {
        this.homeless++
        return this.keyedCircuit(BoundedKeys.others, clock)
      }
      circuit = this.make(key)
      keyed.set(key, circuit)
      this.observer?.made(circuit)
    }
    circuit.used = ++this.uses
    return circuit
  }

  /**
   * Returns the circuit of a key, if there is one.
   *
   * @internal
   */
  existing(key: string | undefined): Circuit.Circuit | undefined {
    return key === undefined ? this.main : this.keyed?.get(BoundedKeys.short(key))
  }

  /**
   * Returns the breaker's own circuit and those of its keys.
   *
   * @internal
   */
  circuits(): ReadonlyArray<Circuit.Circuit> {
    return this.keyed === undefined ? [this.main] : [this.main, ...this.keyed.values()]
  }

  /** Status of the breaker's own circuit. */
  get status(): Effect.Effect<CircuitStatus.Status> {
    return this.statusOf(undefined)
  }

  /** Returns the status of the circuit of a key. A key that was never used is closed. */
  statusOf(key: string | undefined): Effect.Effect<CircuitStatus.Status> {
    return Effect.map(Clock.currentTimeMillis, (now) =>
      statusAt(this, this.existing(key) ?? new Circuit.Circuit(this, key), now)
    )
  }

  /**
   * Stops keeping the circuits in step.
   *
   * @internal
   */
  close(): void {
    for (const circuit of this.circuits()) circuit.close()
  }

  // Forgets keys that were idle for long, then the least recently used ones
  // until a tenth of the places is free.
  private sweep(keyed: Map<string, Circuit.Circuit>, now: number): void {
    const { idleFor, max } = this.options.keys
    // A search takes as long as there are circuits, so it is not made for each call.
    const full = keyed.size >= this.sweepAt || this.homeless > max / 10
    const due = Math.abs(now - this.sweptAt) >= idleFor
    if (!full && !due) return
    const disposable = [...keyed.values()]
      .filter((circuit) => isDisposable(circuit, idleFor, now))
      .sort((a, b) => a.used - b.used)
    // Half of the places is left to the others, however many are in trouble: those would share a circuit with them.
    const lastSurplus = full ? Math.min(keyed.size - max * 0.9, disposable.length - max / 2) : -1
    disposable.forEach((circuit, i) => {
      // The others of this list were used after the last sweep, or are not surplus.
      if (i > lastSurplus && !(due && circuit.used <= this.sweptUses)) return
      keyed.delete(circuit.key as string) // the circuits in the map have keys
      circuit.close()
      this.observer?.forgot(circuit)
    })
    if (due) {
      this.sweptAt = now
      this.sweptUses = this.uses
    }
    this.homeless = 0
    // Where nothing could be forgotten, another search waits for more to search.
    this.sweepAt = Math.max(max, Math.ceil(keyed.size * 1.1))
  }
}

// Closed, or ready to close for as long as idle circuits are kept, and not in use.
const isDisposable = ({ current, inFlight }: Circuit.Circuit, idleFor: number, now: number): boolean => {
  if (inFlight > 0) return false
  const isIdle = (since: number) => now - since >= idleFor
  switch (current._tag) {
    case "Closed":
      return true
    case "Open":
      return isIdle(CircuitState.openUntil(current))
    case "HalfOpen":
      return isIdle(Math.max(current.since, current.notBefore))
    default:
      return current.until !== undefined && isIdle(current.until)
  }
}

const statusAt = ({ main }: Breaker, circuit: Circuit.Circuit, now: number): CircuitStatus.Status =>
  // A hold on the breaker also holds its keys.
  CircuitStatus.make(circuit, CircuitState.isHeld(main.current) ? main.current : circuit.current, now)

/**
 * Returns the status of the breaker's own circuit and of those of its keys.
 */
export const statuses = (breaker: Breaker, now: number): ReadonlyArray<CircuitStatus.Status> =>
  breaker.circuits().map((circuit) => statusAt(breaker, circuit, now))
