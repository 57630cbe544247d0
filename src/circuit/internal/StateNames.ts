/**
 * Names of states, for people and machines. Each surface that needs other
 * letters derives them here.
 */
import type * as CircuitState from "../CircuitState.ts"

type Tag = CircuitState.CircuitState["_tag"]

/**
 * Names in sentences.
 */
export const words = {
  Closed: "closed",
  Open: "open",
  HalfOpen: "half-open",
  HeldOpen: "held open",
  HeldClosed: "held closed"
} as const satisfies Readonly<Record<Tag, string>>

type Joined<Words> = Words extends `${infer First}-${infer Second}`
  ? `${First}_${Second}`
  : Words extends `${infer First} ${infer Second}`
    ? `${First}_${Second}`
    : Words

type Joins = { readonly [State in Tag]: Joined<(typeof words)[State]> }

// Replaces what `Joined` does.
const join = <State extends Tag>(tag: State) => words[tag].replace(/[ -]/, "_") as Joins[State]

/**
 * Returns a name in upper case, as in rows of tables, logs and the command
 * line: `HALF_OPEN`.
 */
export const upper = <State extends Tag>(tag: State): Uppercase<Joins[State]> =>
  join(tag).toUpperCase() as Uppercase<Joins[State]> // the type of that function is `string`

export const tags: ReadonlyArray<Tag> = /* @__PURE__ */ (() => Object.keys(words) as ReadonlyArray<Tag>)() // its keys

/**
 * Names in lower case, as in attributes of metrics: `half_open`.
 */
export const lower: Joins = /* @__PURE__ */ (() =>
  // One entry for each state.
  Object.fromEntries(tags.map((tag) => [tag, join(tag)])) as unknown as Joins)()

/**
 * Returns why a circuit opened: the rule, and the evidence where that is known.
 * It is for those who may read what errors say.
 */
export const because = (reason: string, cause: string | undefined): string =>
  cause === undefined ? reason : `${reason}, ${/probe$/.test(reason) ? "with" : "the last with"} ${cause}`
