/**
 * Texts of server-sent events, and of the circuits in them.
 */
import type * as ControlApi from "../ControlApi.ts"

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

export const encode = (event: ControlApi.Event["event"], json: string): Uint8Array =>
  // JSON has no line breaks, so it is one line of an event.
  encoder.encode(`event: ${event}\ndata: ${json}\n\n`)

/**
 * Returns a text that identifies a circuit: JSON with its name and its key.
 */
export const identify = (name: string, key: string | undefined): string =>
  JSON.stringify(key === undefined ? { name } : { name, key })
