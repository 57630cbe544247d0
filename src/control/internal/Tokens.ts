/**
 * Bearer tokens that identify the operators of a control plane.
 */
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Rules from "../../core/internal/Rules.ts"

/**
 * Tokens by the name of their operator.
 */
export interface NamedTokens {
  readonly [operator: string]: Redacted.Redacted
}

/**
 * Token that was checked, for comparisons.
 */
export interface Token {
  /** Name of its owner, absent where all operators have the same one. */
  readonly operator: string | undefined
  readonly bytes: Uint8Array
}

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

/**
 * Checks that tokens can be sent and not easily be guessed. Otherwise throws an
 * `InvalidOptionError` that does not reveal them.
 */
export const check = (module: string, token: Redacted.Redacted | NamedTokens): void => {
  if (Redacted.isRedacted(token)) return checkOne(module, "token", token)
  const operators = Object.entries(token)
  if (operators.length === 0) Rules.reject(module, "token", token, "at least one token, or absent")
  const owners = new Map<string, string>()
  for (const [operator, secret] of operators) {
    checkOne(module, `token.${Rules.name(module, "token", operator)}`, secret)
    const text = Redacted.value(secret)
    const owner = owners.get(text)
    if (owner !== undefined) {
      // The log of changes could not tell them apart.
      Rules.reject(module, `token.${operator}`, Redacted.make(text), `another one than the token of ${owner}`)
    }
    owners.set(text, operator)
  }
}

const checkOne = (module: string, field: string, secret: Redacted.Redacted): void => {
  // JavaScript may pass anything.
  const text: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
  const reject = (rule: string) => Rules.reject(module, field, Redacted.make(text), rule)
  if (typeof text !== "string" || !/^[\w~.+/-]{16,}=*$/.test(text)) {
    return reject("a Redacted of at least 16 characters of a bearer token")
  }
  if (isGuessable(text)) {
    return reject("a random one: not few characters again and again, no sequence, and no placeholder such as changeme")
  }
}

// Words that templates and tutorials have in place of a token.
const placeholders =
  /change(me|it|this)?|replace(me|it|this)?|insert|placeholder|passw(or[dt]|0rd)|secret|example|sample|default|dummy|token|bearer|admin(istrator)?|root|test(ing)?|todo|fixme|your|here|letmein|welcome|qwert[yz](uiop)?|asdf(ghjkl)?|zxcvbnm?|undefined|null|resilience|control|correcthorsebatterystaple/g

/** Returns whether a token of enough characters is one that somebody would try. */
const isGuessable = (text: string): boolean => {
  const units = Array.from(text, (character) => character.charCodeAt(0))
  // The index is within the array.
  const steps = units.slice(1).map((unit, i) => unit - (units[i] as number))
  const same = steps.filter((step, i) => step === steps[i - 1] && Math.abs(step) < 2)
  return (
    new Set(units).size < 6 ||
    /^(.{1,64}?)\1+$/.test(text) ||
    same.length > units.length / 2 ||
    text
      .toLowerCase()
      .replace(/[^a-z\d]/g, "")
      .replace(placeholders, "").length < 8
  )
}

/**
 * Returns tokens that were checked as they are compared.
 */
export const of = (token: Redacted.Redacted | NamedTokens): ReadonlyArray<Token> =>
  Redacted.isRedacted(token)
    ? [make(undefined, token)]
    : Object.entries(token).map(([operator, secret]) => make(operator, secret))

const make = (operator: string | undefined, secret: Redacted.Redacted): Token => ({
  operator,
  bytes: encoder.encode(Redacted.value(secret))
})

/**
 * Returns whether a request brings no token at all, not even a wrong one.
 */
export const isMissing = (request: HttpServerRequest.HttpServerRequest): boolean =>
  /^(Bearer)? *$/i.test(request.headers["authorization"] ?? "") && !isRepeated(request.source)

/**
 * Returns the operator who sends a request, or `undefined` unless it has exactly
 * one token and that is a known one.
 */
export const operatorOf = (
  tokens: ReadonlyArray<Token>,
  request: HttpServerRequest.HttpServerRequest
): { readonly name: string | undefined } | undefined => {
  const credential = /^Bearer +([\w~.+/-]+=*)$/i.exec(request.headers["authorization"] ?? "")?.[1]
  if (credential === undefined || isRepeated(request.source)) return undefined
  const candidate = encoder.encode(credential)
  let found: Token | undefined
  for (const token of tokens) if (isSame(candidate, token.bytes)) found = token
  return found === undefined ? undefined : { name: found.operator }
}

// The time it takes depends on the candidate alone.
const isSame = (candidate: Uint8Array, secret: Uint8Array): boolean => {
  let differs = candidate.length ^ secret.length
  for (let i = 0; i < candidate.length; i++) {
    // Both indices are within their arrays, and a secret is not empty.
    differs |= (candidate[i] as number) ^ (secret[i % secret.length] as number)
  }
  return differs === 0
}

// Node keeps the first of several headers, and a proxy may have looked at another one.
const isRepeated = (source: object): boolean =>
  hasProperty(source, "rawHeaders") &&
  Array.isArray(source.rawHeaders) &&
  source.rawHeaders.filter((text, i) => i % 2 === 0 && String(text).toLowerCase() === "authorization").length > 1
