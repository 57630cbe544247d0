/**
 * Chromium for tests: the program at `CHROMIUM`, or the one that is on the PATH.
 *
 * **Details**
 *
 * - `layer` starts a browser with a fresh profile, without a window.
 * - `visit` opens a page in a context of its own. At the end of the test there
 *   may have been no error of the page and none in its console, but for those
 *   that the test expects, and no request to another origin.
 * - `describeBrowser` skips, and says why, where there is no Chromium.
 */
import { existsSync, mkdirSync } from "node:fs"
import * as net from "node:net"
import { delimiter, join } from "node:path"
import { assert, layer as describeWith, type Vitest } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { chromium, type BrowserContextOptions, type Browser as PlaywrightBrowser, type Page } from "playwright-core"
import { vi } from "vitest"
import { freePort } from "./port.ts"
import { orSkip } from "./skip.ts"

// A browser takes its time where the machine is busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 })
const patience = 30_000

const programs = ["chromium", "chromium-browser", "google-chrome"]

const executablePath =
  process.env["CHROMIUM"] ??
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .flatMap((folder) => programs.map((program) => join(folder, program)))
    .find((path) => existsSync(path))

/** A browser that runs. */
export class Browser extends Context.Service<Browser, PlaywrightBrowser>()("test/Browser") {}

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** Starts a browser. */
export const layer = Layer.effect(
  Browser,
  Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({ executablePath: executablePath ?? "chromium", headless: true, args, timeout: 100_000 })
    ),
    (browser) => Effect.promise(() => browser.close())
  )
)

/** Describes tests that share a browser, or skips them. */
export const describeBrowser = (name: string, tests: (it: Vitest.MethodsNonLive<Browser>) => void) =>
  orSkip(executablePath !== undefined, "no chromium on the PATH, and no CHROMIUM")(name, () =>
    describeWith(layer, { excludeTestServices: true, timeout: "2 minutes" })(tests)
  )

/** How a page is opened. */
export interface Options extends BrowserContextOptions {
  /** Errors in the console that are not wrong, such as those of Chromium for a refused connection. */
  readonly expected?: ReadonlyArray<RegExp>
  /** Runs before the page is loaded. */
  readonly before?: (page: Page) => Promise<unknown>
}

/** Opens a page. */
export const visit = Effect.fnUntraced(function* (url: string, { before, expected = [], ...options }: Options = {}) {
  const browser = yield* Browser
  const context = yield* Effect.acquireRelease(
    Effect.promise(() => browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })),
    (context) => Effect.promise(() => context.close())
  )
  const page = yield* Effect.promise(() => context.newPage())
  page.setDefaultTimeout(patience)
  const wrong: Array<string> = []
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`))
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return
    const text = `${message.text()} ${message.location().url}`
    if (!expected.some((pattern) => pattern.test(text))) wrong.push(`console: ${text}`)
  })
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:"))
      wrong.push(`request: ${request.url()}`)
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => assert.deepStrictEqual(wrong, [])))
  yield* Effect.promise(async () => {
    await before?.(page)
    await page.goto(url)
  })
  return page
})

const screenshots = join(import.meta.dirname, "../../build/screenshots")
mkdirSync(screenshots, { recursive: true })

/** Keeps a picture of what the page shows. */
export const screenshot = (page: Page, name: string) =>
  Effect.promise(() => page.screenshot({ path: join(screenshots, `${name}.png`) }))

/**
 * Opens a port that forwards connections to another one, and can be shut and
 * opened again.
 */
export const proxy = (first: number) =>
  Effect.gen(function* () {
    const sockets = new Set<net.Socket>()
    const streams = new Set<net.Socket>()
    let target = first
    let isSilent = false
    const server = net.createServer((client) => {
      const upstream = net.connect(target, "127.0.0.1")
      const own = [client, upstream]
      client.on("data", (bytes) => {
        if (/^GET \S+\/events /.test(bytes.toString())) streams.add(client)
      })
      client.on("close", () => streams.delete(client))
      for (const [from, to] of [
        [client, upstream],
        [upstream, client]
      ] as const) {
        sockets.add(from)
        from.on("data", (bytes) => {
          if (!isSilent) to.write(bytes)
        })
        from.on("error", () => own.forEach((socket) => socket.destroy()))
        from.on("close", () => own.forEach((socket) => socket.destroy()))
      }
    })
    const listen = (port: number) =>
      Effect.callback<void>((resume) => void server.listen(port, "127.0.0.1", () => resume(Effect.void)))
    const shut = Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    })
    const port = yield* Effect.promise(freePort)
    yield* Effect.acquireRelease(listen(port), () => shut)
    return {
      origin: `http://127.0.0.1:${port}`,
      /** Connections over which a stream of events is read. */
      streams: () => streams.size,
      /** Ends all connections, and refuses new ones. */
      shut,
      /** Accepts connections again, and forwards them to this port. */
      open: (next: number) => {
        target = next
        return listen(port)
      },
      /** Keeps connections open, with nothing going through them. */
      silence: (silent: boolean) => Effect.sync(() => void (isSilent = silent))
    }
  })
