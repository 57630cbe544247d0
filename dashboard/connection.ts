/**
 * The stream of events, which is opened again when it ends.
 *
 * `EventSource` sends no `authorization`, so the stream is read with `fetch`.
 */
import { createParser } from "eventsource-parser"
import * as Api from "./api.ts"
import type * as Model from "./model.ts"

/** What became of the connection. Times are in milliseconds since the epoch. */
export type Status =
  | { readonly _tag: "Connecting" }
  | { readonly _tag: "Live" }
  | { readonly _tag: "Lost"; readonly why: string; readonly retryAt: number }
  /** The server wants other credentials. Nothing is tried before there are some. */
  | { readonly _tag: "Unauthorized"; readonly message: string }

export interface Options {
  readonly token: string | undefined
  readonly onEvent: (event: Model.Event) => void
  /** Tells of each sign of life. */
  readonly onHeard: () => void
  readonly onStatus: (status: Status) => void
}

/** Connection that is kept up until it is closed. */
export interface Connection {
  /** Does not wait for the next try. */
  readonly retry: () => void
  readonly close: () => void
}

const firstDelay = 500
const maxDelay = 15_000

/** How long a stream may be silent before it says how often it is alive. */
const firstSilence = 35_000
// Two signs of life may be late. A longer timer than this would end at once.
const silenceOf = (everyMillis: number): number => Math.min(2 * everyMillis + 5_000, 2 ** 31 - 1)

/** Opens the stream. */
export const connect = ({ onEvent, onHeard, onStatus, token }: Options): Connection => {
  let silenceMillis = firstSilence
  let failures = 0
  let isLost = false
  let attempt: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const read = async (signal: AbortSignal, heard: () => void): Promise<void> => {
    const response = await fetch(Api.urlOf("/events"), {
      headers: { accept: "text/event-stream", ...Api.authorization(token) },
      cache: "no-store",
      signal
    })
    if (!response.ok || response.body === null) throw await Api.refusal(response)
    let isLive = false
    const parser = createParser({
      onEvent: ({ data, event }) => {
        // The data of an event is what the same definition encodes.
        const told = { event, data: JSON.parse(data) as unknown } as Model.Event
        if (told.event === "alive") silenceMillis = silenceOf(told.data.everyMillis)
        onEvent(told)
        if (isLive) return
        isLive = true
        failures = 0
        onStatus({ _tag: "Live" })
      }
    })
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      heard()
      const { done, value } = await reader.read()
      if (done || signal.aborted) return
      parser.feed(value)
      if (isLive) onHeard()
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
    const heard = () => {
      clearTimeout(silence)
      silence = setTimeout(() => own.abort(new Error("Nothing was heard of the server")), silenceMillis)
    }
    heard()
    let lost: unknown
    try {
      await read(own.signal, heard)
      lost = new Error("The server ended the stream")
    } catch (error) {
      lost = own.signal.aborted ? (own.signal.reason as unknown) : error
    }
    clearTimeout(silence)
    if (isClosed || attempt !== own) return
    if (lost instanceof Api.Refused && (lost.status === 401 || lost.status === 403)) {
      return onStatus({ _tag: "Unauthorized", message: lost.message })
    }
    const delay = Math.min(maxDelay, firstDelay * 2 ** Math.min(failures++, 10)) * (0.5 + Math.random() / 2)
    isLost = true
    onStatus({ _tag: "Lost", why: messageOf(lost), retryAt: Date.now() + delay })
    timer = setTimeout(() => void open(), delay)
  }

  const retry = () => void open()
  // The timers of a page that is hidden are late.
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
