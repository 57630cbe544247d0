/**
 * Descriptions of a policy: text, a Mermaid flowchart, and warnings about orders
 * that hide failures.
 */
import { hasProperty, isObject } from "effect/Predicate"
import type * as Rules from "../../core/internal/Rules.ts"
import type { Kind, ResolvedLayer } from "./PolicyLayers.ts"

/**
 * One layer of a policy, as data.
 */
export interface Layer {
  readonly kind: Kind
  /** Parameters with all defaults, as in JSON. Durations are in milliseconds. */
  readonly parameters: Rules.Json
}

/**
 * Description of a policy as data.
 */
export interface Description {
  /** Layers with every parameter, outermost first. */
  readonly layers: ReadonlyArray<Layer>
  /** Likely mistakes in the order, or in the numbers together. */
  readonly warnings: ReadonlyArray<string>
}

export const layer = ({ kind, parameters }: ResolvedLayer): Layer => ({
  kind,
  // Drops keys that hold `undefined`, which JSON does not have.
  parameters: JSON.parse(JSON.stringify(parameters())) as Rules.Json
})

export const describe = (layers: ReadonlyArray<Layer>, format: "text" | "mermaid" | "json"): string | Description => {
  const warnings = warningsOf(layers)
  const description: Description = { layers, warnings: warnings.map(({ text }) => text) }
  return format === "json" ? description : format === "mermaid" ? mermaid(layers, warnings) : text(description)
}

const lines = (parameters: object, prefix = ""): ReadonlyArray<string> =>
  Object.entries(parameters).flatMap(([name, value]: [string, unknown]) =>
    isObject(value) || (Array.isArray(value) && value.some(isObject))
      ? lines(value, `${prefix}${name}.`)
      : [`${prefix}${name}=${typeof value === "string" && isWord.test(value) ? value : JSON.stringify(value)}`]
  )

// Text that needs no quotes.
const isWord = /^[\p{L}\p{N}._:/-]+(?: [\p{L}\p{N}._:/-]+)*$/u

const text = ({ layers, warnings }: Description): string =>
  [
    ...[...layers.map(title), "call"].map((line, depth) =>
      depth === 0 ? line : `${"   ".repeat(depth - 1)}└─ ${line}`
    ),
    ...warnings.map((warning) => `warning: ${warning}`)
  ].join("\n")

const title = ({ kind, parameters }: Layer): string => [kind, lines(parameters).join(", ")].join(": ")

const mermaid = (layers: ReadonlyArray<Layer>, warnings: ReadonlyArray<Warning>): string =>
  [
    "flowchart LR",
    ...layers.map(({ kind, parameters }, i) => `  l${i}[${label([kind, ...lines(parameters)])}]`),
    `  l${layers.length}[${label(["call"])}]`,
    ...layers.map((_, i) => `  l${i} --> l${i + 1}`),
    ...warnings.flatMap(({ layer, text }, i) => [`  w${i}>${label([`warning: ${text}`])}]`, `  w${i} -.- l${layer}`])
  ].join("\n")

// Mermaid reads quotes, markup, directives and entities also inside a label.
const label = (texts: ReadonlyArray<string>): string =>
  `"${texts.map((each) => each.replaceAll(/[^\p{L}\p{N} .,=_/()[\]-]/gu, (c) => `#${c.codePointAt(0)};`)).join("<br/>")}"`

interface Warning {
  readonly text: string
  /** Index of its layer. */
  readonly layer: number
}

const warningsOf = (layers: ReadonlyArray<Layer>): ReadonlyArray<Warning> =>
  layers.flatMap((layer, i) => warningsAbout(layer, layers.slice(0, i), layers.slice(i + 1), i))

const warningsAbout = (
  layer: Layer,
  outside: ReadonlyArray<Layer>,
  inside: ReadonlyArray<Layer>,
  index: number
): ReadonlyArray<Warning> => {
  const found: Array<Warning> = []
  const warn = (text: string) => found.push({ text, layer: index })
  const isAround = (kind: Kind) => outside.some((other) => other.kind === kind)
  switch (layer.kind) {
    case "fallback": {
      const blind = (["retry", "circuit breaker"] as const).filter(isAround)
      // Errors that are answered by name are meant to stop here.
      if (blind.length > 0 && layer.parameters["if"] === "all") {
        warn(
          `the fallback inside the ${blind.join(" and the ")} hides every failure from ${blind.length > 1 ? "them" : "it"}`
        )
      }
      break
    }
    case "retry":
      if (isAround("circuit breaker")) {
        warn("the retry inside the circuit breaker continues while the dependency fails, and counts as one call")
      }
      if (isAround("retry")) warn("the retry inside a retry multiplies the attempts")
      break
    case "circuit breaker":
      if (outside.some(isTimeout) && !inside.some(isTimeout) && !countsSlowCalls(layer)) {
        warn(
          "the circuit breaker ignores calls that a timeout outside it interrupts: put a timeout inside, or count slow calls"
        )
      }
      break
    default:
      for (const other of outside) {
        // Only timeouts have that parameter.
        if (Number(layer.parameters["after"]) >= Number(other.parameters["after"])) {
          warn(`the ${layer.kind} is not shorter than the ${other.kind} around it, so it never ends first`)
        }
      }
  }
  return found
}

const isTimeout = ({ kind }: Layer): boolean => kind === "timeout" || kind === "deadline" || kind === "attempt timeout"

const countsSlowCalls = ({ parameters: { trip } }: Layer): boolean =>
  hasProperty(trip, "type") &&
  (trip.type === "slowCalls" ||
    (hasProperty(trip, "policies") &&
      Array.isArray(trip.policies) &&
      trip.policies.some((policy) => hasProperty(policy, "type") && policy.type === "slowCalls")))
