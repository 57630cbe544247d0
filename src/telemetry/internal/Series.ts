/**
 * Series of this package's metrics in a registry of Effect's `Metric`.
 *
 * **Details**
 *
 * - A series that is registered is read when an exporter asks. It is
 *   never updated.
 * - Where two sources have the same series, such as two breakers of one name, the
 *   later one is shown. The earlier one is shown again when that has ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Metric from "effect/Metric"
import type { Histogram } from "./Histogram.ts"
import type { Definition } from "./Metrics.ts"
import { Shares, type Share } from "./Shared.ts"

export type Attributes = Metric.Metric.AttributeSet

/**
 * Function to be called once, which ends a part of telemetry.
 */
export type End = () => void

/**
 * Returns a function that calls all of the given ones.
 */
export const ends =
  (all: ReadonlyArray<End>): End =>
  () =>
    all.forEach((end) => end())

export interface Events {
  /** Counts one event, with the attributes of the fiber that runs. */
  readonly count: () => void
  readonly end: End
}

/**
 * Runs an effect and returns its value, or `undefined` if it fails or has to
 * wait.
 */
export const immediately = <A>(effect: Effect.Effect<A>): A | undefined => {
  const exit = Effect.runSyncExit(effect)
  return Exit.isSuccess(exit) ? exit.value : undefined
}

/**
 * Series of one registry of metrics, with the attributes of one context.
 */
export class Series {
  private readonly registry: Metric.MetricRegistry
  private readonly attributes: Attributes
  private readonly context: Context.Context<never>
  private readonly shown = new Map<string, Shown>()

  constructor(registry: Metric.MetricRegistry, attributes: Attributes) {
    this.registry = registry
    this.attributes = attributes
    this.context = this.within(attributes)
  }

  counter(definition: Definition, attributes: Attributes, read: () => number): End {
    return this.register(counter(definition, attributes), () => ({ count: read(), incremental: true }))
  }

  gauge(definition: Definition, attributes: Attributes, read: () => number): End {
    const metric = Metric.gauge(definition.name, {
      description: definition.description,
      attributes: withUnit(definition, attributes)
    })
    return this.register(metric, () => ({ value: read() }))
  }

  /** Registers one series for each value, of which one is 1. */
  oneOf(
    definition: Definition,
    attributes: Attributes,
    name: string,
    values: ReadonlyArray<string>,
    read: () => string
  ): End {
    return ends(
      values.map((value) => this.gauge(definition, { ...attributes, [name]: value }, () => (read() === value ? 1 : 0)))
    )
  }

  histogram(definition: Definition, attributes: Attributes, histogram: Histogram): End {
    const metric = Metric.histogram(definition.name, {
      description: definition.description,
      attributes: withUnit(definition, attributes),
      boundaries: histogram.buckets
    })
    return this.register(metric, () => histogram.state)
  }

  events(definition: Definition, attributes: Attributes = {}): Events {
    const metric = counter(definition, attributes)
    const begun = new Map<string, Share<Context.Context<never>>>()
    const begin = (all: Attributes): Context.Context<never> => {
      const text = textOf(all)
      let share = begun.get(text)
      if (share === undefined) begun.set(text, (share = this.counting(metric, all)))
      return share.value
    }
    let [last, context] = [this.attributes, begin(this.attributes)]
    return {
      count: () => {
        const own = Fiber.getCurrent()?.getRef(Metric.CurrentMetricAttributes) ?? this.attributes
        if (own !== last) {
          context = begin({ ...this.attributes, ...own })
          last = own
        }
        metric.updateUnsafe(1, context)
      },
      end: () => begun.forEach(({ release }) => release())
    }
  }

  // Calls may bring the attributes of another layer. Both count with one counter then, until both have ended.
  private counting(metric: Metric.Counter<number>, attributes: Attributes): Share<Context.Context<never>> {
    const text = `${metric.id} ${textOf({ ...metric.attributes, ...attributes })}`
    return counters.take(this.registry, text, () => {
      const context = this.within(attributes)
      metric.updateUnsafe(0, context)
      return { value: context, release: () => Metric.removeUnsafe(metric, context) }
    })
  }

  private register<Input, State>(metric: Metric.Metric<Input, State>, read: () => State): End {
    const text = `${metric.id} ${textOf(metric.attributes ?? {})}`
    let shown = this.shown.get(text)
    if (shown === undefined) {
      const reads: Array<() => unknown> = []
      // All sources of a series of this name have a state of this type.
      const get = () => reads.at(-1)?.() as State
      const { remove } = Metric.registerUnsafe(metric, this.context, { get, update: constVoid, modify: constVoid })
      this.shown.set(text, (shown = { reads, remove }))
    }
    const { reads, remove } = shown
    reads.push(read)
    return () => {
      reads.splice(reads.indexOf(read), 1)
      if (reads.length > 0) return
      this.shown.delete(text)
      remove()
    }
  }

  private within(attributes: Attributes): Context.Context<never> {
    return Context.make(Metric.MetricRegistry, this.registry).pipe(
      Context.add(Metric.CurrentMetricAttributes, attributes)
    )
  }
}

interface Shown {
  /** One for each source of the series. The last one is read. */
  readonly reads: Array<() => unknown>
  readonly remove: End
}

const shares = /* @__PURE__ */ new Shares<Series>()
const counters = /* @__PURE__ */ new Shares<Context.Context<never>>()

/**
 * Returns the series of the registry and the attributes of a context: the same
 * ones to all callers.
 */
export const of = (context: Context.Context<never>): Share<Series> => {
  const registry = Context.get(context, Metric.MetricRegistry)
  const attributes = Context.get(context, Metric.CurrentMetricAttributes)
  return shares.take(registry, textOf(attributes), () => ({
    value: new Series(registry, attributes),
    release: constVoid
  }))
}

const counter = (definition: Definition, attributes: Attributes): Metric.Counter<number> =>
  Metric.counter(definition.name, {
    description: definition.description,
    incremental: true,
    attributes: withUnit(definition, attributes)
  })

// Effect's exporters take the unit from this attribute.
const withUnit = ({ unit }: Definition, attributes: Attributes): Attributes => ({ ...attributes, unit })

const textOf = (attributes: Attributes): string =>
  JSON.stringify(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)))
