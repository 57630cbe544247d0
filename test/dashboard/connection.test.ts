import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import type * as Connection from "../../dashboard/connection.ts"

/** Streams that were opened, by what writes to them. */
let streams: Array<(text: string) => void>
let statuses: Array<string>
let opened: Connection.Connection | undefined

beforeEach(() => {
  vi.useFakeTimers()
  streams = []
  statuses = []
  vi.stubGlobal("location", { pathname: "/resilience" })
  vi.stubGlobal("window", new EventTarget())
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }))
  vi.stubGlobal("fetch", (_: string, { signal }: { readonly signal: AbortSignal }) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        streams.push((text) => controller.enqueue(new TextEncoder().encode(text)))
        signal.addEventListener("abort", () => controller.error(signal.reason))
      }
    })
    return Promise.resolve(new Response(body))
  })
})

afterEach(() => {
  opened?.close()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const connect = async () => {
  // It reads the address of the page as it is loaded.
  const { connect } = await import("../../dashboard/connection.ts")
  opened = connect({
    token: undefined,
    onEvent: () => undefined,
    onReceived: () => undefined,
    onStatus: ({ _tag }) => statuses.push(_tag)
  })
  await vi.advanceTimersByTimeAsync(0)
}

const alive = (everyMillis: number) => `event: alive\ndata: ${JSON.stringify({ at: 0, everyMillis })}\n\n`

describe("a stream", () => {
  it("that never says anything is lost after 35 seconds", async () => {
    await connect()
    await vi.advanceTimersByTimeAsync(34_999)
    assert.deepStrictEqual(statuses, ["Connecting"])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(statuses, ["Connecting", "Lost"])
    await vi.advanceTimersByTimeAsync(1000)
    assert.strictEqual(streams.length, 2)
  })

  it("may be silent for two times what its last sign of life says, and five seconds", async () => {
    await connect()
    streams[0]?.(alive(60_000))
    await vi.advanceTimersByTimeAsync(124_999)
    assert.deepStrictEqual(statuses, ["Connecting", "Live"])
    streams[0]?.(alive(1000))
    await vi.advanceTimersByTimeAsync(6999)
    assert.deepStrictEqual(statuses, ["Connecting", "Live"])
    await vi.advanceTimersByTimeAsync(1)
    assert.deepStrictEqual(statuses, ["Connecting", "Live", "Lost"])
  })

  it("that is refused because it came too soon is opened when the server says, not earlier", async () => {
    let asked = 0
    vi.stubGlobal("fetch", () => {
      asked++
      return Promise.resolve(Response.json({ message: "Too many" }, { status: 429, headers: { "retry-after": "5" } }))
    })
    await connect()
    await vi.advanceTimersByTimeAsync(5000)
    assert.deepStrictEqual([asked, statuses], [1, ["Connecting", "Lost"]])
    await vi.advanceTimersByTimeAsync(500)
    assert.strictEqual(asked, 2)
  })

  it("whose signs of life are months apart is not lost at once", async () => {
    await connect()
    streams[0]?.(alive(10_000_000_000))
    await vi.advanceTimersByTimeAsync(1000)
    assert.deepStrictEqual(statuses, ["Connecting", "Live"])
  })
})
