/**
 * The stream of events. It is opened again whenever it ends.
 *
 * `EventSource` sends no `authorization`, so the stream is read with `fetch`.
 */
import { createParser } from "eventsource-parser"
import * as Api from "./api.ts"
import type * as Model from "./model.ts"

/** Status of the connection. Times are in milliseconds since the epoch. */
export type Status =
  | { readonly _tag: "Connecting" }
  | { readonly _tag: "Live" }
  | { readonly _tag: "Lost"; readonly why: string; readonly retryAt: number }
  /** The server requires another token. Does not connect again by itself. */
  | { readonly _tag: "Unauthorized"; readonly message: string }

export interface Options {
  readonly token: string | undefined
  readonly onEvent: (event: Model.Event) => void
  /** Called for all data of a live stream, also signs of life. */
  readonly onReceived: () => void
  readonly onStatus: (status: Status) => void
}

/** Connection that is kept open until `close` is called. */
export interface Connection {
  /** Connects now, without waiting for the next attempt. */
  readonly retry: () => void
  readonly close: () => void
}

const firstDelay = 500
const maxDelay = 15_000

/** How long a stream may be silent before it has announced how often it sends a sign of life. */
const firstSilence = 35_000
// Two signs of life may be late. A timer longer than the maximum would fire at once.
const silenceOf = (everyMillis: number): number => Math.min(2 * everyMillis + 5_000, 2 ** 31 - 1)

/** Opens the stream, and keeps it open. */
export const connect = ({ onEvent, onReceived, onStatus, token }: Options): Connection => {
  let silenceMillis = firstSilence
  let failures = 0
  let isLost = false
  let attempt: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const read = async (signal: AbortSignal, received: () => void): Promise<void> => {
    const response = await fetch(Api.urlOf("/events"), {
      headers: { accept: "text/event-stream", ...Api.authorization(token) },
      cache: "no-store",
      signal
    })
    if (!response.ok || response.body === null) throw await Api.refusal(response)
    let isLive = false
    const parser = createParser({
      onEvent: ({ data, event }) => {
        // The cast is safe: the server encodes its events with the same types.
        const message = { event, data: JSON.parse(data) as unknown } as Model.Event
        if (message.event === "alive") silenceMillis = silenceOf(message.data.everyMillis)
        onEvent(message)
        if (isLive) return
        isLive = true
        failures = 0
        onStatus({ _tag: "Live" })
      }
    })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      received()
      const { done, value } = await reader.read()
      if (done || signal.aborted) return
      parser.feed(value)
      if (isLive) onReceived()
    }
  }

  const open = async (): Promise<void> => {
    clearTimeout(timer)
    attempt?.abort()
    isLost = false
    const own = new AbortController()
    attempt = own
    onStatus({ _tag: "Connecting" })
    let silence: ReturnType<typeof setTimeout> | undefined
    const received = () => {
      clearTimeout(silence)
      silence = setTimeout(() => own.abort(new Error("The server sent nothing")), silenceMillis)
    }
    received()
    let lost: unknown
    try {
      await read(own.signal, received)
      lost = new Error("The server ended the stream")
    } catch (error) {
      lost = own.signal.aborted ? (own.signal.reason as unknown) : error
    }
    clearTimeout(silence)
    if (isClosed || attempt !== own) return
    if (lost instanceof Api.Refused && (lost.status === 401 || lost.status === 403)) {
      return onStatus({ _tag: "Unauthorized", message: lost.message })
    }
    const backoff = Math.min(maxDelay, firstDelay * 2 ** Math.min(failures++, 10)) * (0.5 + Math.random() / 2)
    // Those who were refused together do not return together.
    const delay = backoff + (lost instanceof Api.Refused ? lost.retryAfter : 0)
    isLost = true
    onStatus({ _tag: "Lost", why: messageOf(lost), retryAt: Date.now() + delay })
    timer = setTimeout(() => void open(), delay)
  }

  const retry = () => void open()
  // Browsers delay the timers of a hidden page.
  const wake = () => {
    if (isLost && !document.hidden) retry()
  }
  window.addEventListener("online", retry)
  document.addEventListener("visibilitychange", wake)
  void open()
  return {
    retry,
    close: () => {
      isClosed = true
      clearTimeout(timer)
      attempt?.abort()
      window.removeEventListener("online", retry)
      document.removeEventListener("visibilitychange", wake)
    }
  }
}

const messageOf = (error: unknown): string =>
  error instanceof TypeError ? "The server cannot be reached" : error instanceof Error ? error.message : String(error)
