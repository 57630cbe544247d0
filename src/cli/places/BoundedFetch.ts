/**
 * A `fetch` that takes no more of an answer than it can be worth: the server may
 * be another one than was meant, or send without an end.
 */

/** Bytes of an answer, and of one event of a stream. */
export const most = 16 * 1024 * 1024

const rule = `the answer is larger than ${most / 1024 / 1024} MB`

/**
 * Returns a `fetch` whose answers fail when they get larger than `most`. Of a
 * stream of events each event may have that size.
 */
export const make =
  (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  async (input, init) => {
    const response = await fetch(input, init)
    if (response.body === null) return response
    const isStream = /^text\/event-stream *(;|$)/i.test(response.headers.get("content-type") ?? "")
    const bounded = response.body.pipeThrough(isStream ? ofEvents() : ofAll())
    return new Proxy(response, {
      get: (target, name) => {
        if (name === "body") return bounded
        // Answers are read through `body`, and these would go around it.
        if (name === "text" || name === "json" || name === "arrayBuffer") {
          return () => new Response(bounded)[name]()
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === "function" ? (value.bind(target) as unknown) : value
      }
    })
  }

const ofAll = (): TransformStream<Uint8Array, Uint8Array> => {
  let size = 0
  return new TransformStream({
    transform: (chunk, controller) => {
      size += chunk.length
      if (size > most) controller.error(new Error(rule))
      else controller.enqueue(chunk)
    }
  })
}

/** An event ends with an empty line. */
const ofEvents = (): TransformStream<Uint8Array, Uint8Array> => {
  let size = 0
  let isLineEmpty = true
  return new TransformStream({
    transform: (chunk, controller) => {
      for (const byte of chunk) {
        size++
        if (byte === 10) {
          if (isLineEmpty) size = 0
          isLineEmpty = true
        } else if (byte !== 13) isLineEmpty = false
        if (size > most) return controller.error(new Error(rule))
      }
      controller.enqueue(chunk)
    }
  })
}
