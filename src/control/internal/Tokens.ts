/**
 * Bearer tokens by which a control plane knows its operators.
 */
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Rules from "../../core/internal/Rules.ts"

/**
 * Tokens by the name of who has them.
 */
export interface NamedTokens {
  readonly [operator: string]: Redacted.Redacted
}

/**
 * Token that was checked.
 */
export interface Token {
  /** Who has it, absent where all operators have the same. */
  readonly operator: string | undefined
  readonly bytes: Uint8Array
}

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

/**
 * Returns the tokens of an option, and throws an `InvalidOptionError` that does
 * not tell them where one could be guessed or cannot be sent.
 */
export const resolve = (
  module: string,
  token: Redacted.Redacted | NamedTokens | undefined
): ReadonlyArray<Token> | undefined => {
  if (token === undefined) return undefined
  const make = (field: string, operator: string | undefined, secret: Redacted.Redacted): Token => {
    // JavaScript may pass anything.
    const text: unknown = Redacted.isRedacted(secret) ? Redacted.value(secret) : undefined
    return typeof text === "string" && /^[\w~.+/-]{16,}=*$/.test(text)
      ? { operator, bytes: encoder.encode(text) }
      : Rules.reject(module, field, Redacted.make(text), "a Redacted of at least 16 characters of a bearer token")
  }
  if (Redacted.isRedacted(token)) return [make("token", undefined, token)]
  const tokens = Object.entries(token).map(([operator, secret]) =>
    make(`token.${operator}`, Rules.name(module, "token", operator), secret)
  )
  return tokens.length === 0 ? Rules.reject(module, "token", token, "at least one token, or absent") : tokens
}

/**
 * Returns who sends a request, or nothing where it does not bring one token that
 * is known.
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

// How long it takes depends on the candidate alone.
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
