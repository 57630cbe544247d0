import { assert } from "@effect/vitest"
import axe from "axe-core"
import { Clock, Effect, Layer, Redacted, Schedule } from "effect"
import type { Page } from "playwright-core"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as Health from "../../src/health/Health.ts"
import * as Policy from "../../src/compose/Policy.ts"
import {
  act,
  brokenConnection,
  connection,
  dialog,
  fail,
  fragile,
  live,
  open,
  plane,
  row,
  rowIn,
  rows,
  succeed,
  withinASecond
} from "./page.ts"
import * as Chromium from "../support/browser.ts"
import { secret, serve } from "../support/control.ts"

const phone = { viewport: { width: 360, height: 740 } }
const dark = { colorScheme: "dark" } as const

/** Serves circuits in all states, with health checks and a policy. */
const busy = Effect.gen(function* () {
  const health = Health.layer({
    version: "1.4.0",
    checks: {
      database: Health.check(Effect.void),
      cache: Health.check(Effect.fail("connection refused"), { critical: false }),
      queue: Health.check(Effect.succeed(false))
    }
  })
  const policy = Policy.make({ attemptTimeout: "1 second", retry: { maxAttempts: 3 } })
  const server = yield* serve(
    ControlPlane.layer({
      token: Redacted.make(secret),
      updates: "100 millis",
      activity: "200 millis",
      policies: { checkout: policy }
    }).pipe(Layer.provide(health))
  )
  const orders = yield* server.breaker("orders", { log: false })
  const payments = yield* server.breaker("payments", fragile())
  const search = yield* server.breaker("search", { ...fragile("1 milli"), dryRun: true })
  const mail = yield* server.breaker("mail", { log: false })
  for (let i = 0; i < 20; i++) yield* succeed(orders)
  for (let i = 0; i < 5; i++) yield* fail(payments)
  yield* succeed(search, "eu")
  yield* CircuitBreaker.holdOpen(mail, { by: "ada", reason: "provider maintenance", for: "20 minutes" })
  const pricing = yield* server.breaker("pricing", fragile("1 milli"))
  yield* fail(pricing)
  yield* Effect.sleep("5 millis")
  yield* Effect.forkChild(CircuitBreaker.protect(Effect.never, pricing))
  return server
})

/** What axe has against a page. */
const violations = (page: Page) =>
  act(async () => {
    await page.evaluate(axe.source)
    const found = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run())
    assert.isAbove(found.passes.length, 10)
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, any }) => `${id}: ${html} ${any.map(({ message }) => message).join()}`)
    )
  })

/** How much wider than its window the page is, and what is. */
const overflow = (page: Page) =>
  act(() =>
    page.evaluate(() => {
      const width = document.documentElement.clientWidth
      if (document.documentElement.scrollWidth <= width) return []
      return Array.from(document.querySelectorAll("body *"))
        .filter((element) => element.getBoundingClientRect().right > width + 1)
        .map((element) => `${element.tagName}.${element.getAttribute("class") ?? ""}`)
    })
  )

/** Begins to count how often a row is drawn. */
const draws = (page: Page) =>
  act(async () => {
    const session = await page.context().newCDPSession(page)
    const sources = new Map<string, string>()
    session.on("Debugger.scriptParsed", ({ scriptId }) => {
      void session
        .send("Debugger.getScriptSource", { scriptId })
        .then(({ scriptSource }) => sources.set(scriptId, scriptSource))
    })
    await session.send("Debugger.enable")
    await session.send("Profiler.enable")
    await session.send("Profiler.startPreciseCoverage", { callCount: true, detailed: false })
    return act(async () => {
      const { result } = await session.send("Profiler.takePreciseCoverage")
      const found = result.flatMap(({ functions, scriptId }) =>
        functions.flatMap(({ ranges: [range] }) => {
          const text =
            range === undefined ? "" : (sources.get(scriptId) ?? "").slice(range.startOffset, range.endOffset)
          return range !== undefined && text.includes("class:`circuit ") ? [{ ...range, length: text.length }] : []
        })
      )
      assert.isNotEmpty(found)
      // The innermost one.
      return found.reduce((a, b) => (b.length < a.length ? b : a)).count
    })
  })

/** Begins to count for how many seconds scripts of a page run. */
const scriptSeconds = (page: Page) =>
  act(async () => {
    const session = await page.context().newCDPSession(page)
    await session.send("Performance.enable")
    const read = async () => {
      const { metrics } = await session.send("Performance.getMetrics")
      return metrics.find(({ name }) => name === "ScriptDuration")!.value
    }
    const first = await read()
    return act(async () => (await read()) - first)
  })

const long = "a-service-with-a-name-that-has-no-end-".repeat(6)

Chromium.describeBrowser("dashboard, to look at", (it) => {
  for (const [name, options] of [
    ["light", {}],
    ["dark", dark],
    ["phone", phone]
  ] as const) {
    it.effect(`has no barriers that axe knows of: ${name}`, () =>
      Effect.gen(function* () {
        const { port } = yield* busy
        const proxy = yield* Chromium.proxy(port)
        const page = yield* open(proxy.origin, { ...options, token: null, expected: [brokenConnection] })
        yield* act(() => page.getByLabel("Token").waitFor())
        assert.deepStrictEqual(yield* violations(page), [], "sign-in")
        yield* act(async () => {
          await page.getByLabel("Token").fill(secret)
          await page.getByRole("button", { name: "Sign in" }).click()
          await rowIn(page, "pricing", "Half-open").waitFor()
          await page.getByText("connection refused").waitFor()
          await page.getByText("checkout").click()
          await page.locator(".changes li").first().waitFor()
        })
        assert.deepStrictEqual(yield* violations(page), [], "list")
        yield* Chromium.screenshot(page, `list ${name}`)
        yield* act(async () => {
          await row(page, "payments").getByRole("button").click()
          await dialog(page).getByText("Its changes").waitFor()
        })
        assert.deepStrictEqual(yield* violations(page), [], "dialog")
        yield* Chromium.screenshot(page, `dialog ${name}`)
        yield* act(() => page.keyboard.press("Escape"))
        yield* proxy.shut
        yield* act(() => connection(page).getByText("Not connected").waitFor())
        assert.deepStrictEqual(yield* violations(page), [], "disconnected")
      })
    )
  }

  it.effect("never scrolls to the side, on a phone, with long names and at 200 %", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* busy
      const other = yield* breaker(long, fragile())
      yield* fail(other, long, new Error(long))
      yield* CircuitBreaker.holdOpen(yield* breaker("held", { log: false }), { by: long.slice(0, 100), reason: long })
      const page = yield* open(origin, { viewport: { width: 320, height: 640 } })
      yield* act(async () => {
        await row(page, `${long} ${long}`).waitFor()
        await page.getByText("checkout").click()
      })
      for (const width of [320, 360, 640, 881, 1265, 1280]) {
        yield* act(() => page.setViewportSize({ width, height: 740 }))
        assert.deepStrictEqual(yield* overflow(page), [], `list at ${width}`)
      }
      yield* act(async () => {
        await page.setViewportSize({ width: 320, height: 740 })
        await row(page, `${long} ${long}`).getByRole("button").click()
        await dialog(page).getByText("Its changes").waitFor()
      })
      assert.deepStrictEqual(yield* overflow(page), [], "dialog")
      assert.deepStrictEqual(
        yield* act(() => dialog(page).evaluate((element) => element.scrollWidth - element.clientWidth)),
        0
      )
      yield* Chromium.screenshot(page, "long names")
      // At 200 % a window has half as many pixels, of twice the size.
      const large = yield* open(origin, { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 })
      yield* act(() => rows(large).first().waitFor())
      assert.deepStrictEqual(yield* overflow(large), [])
    })
  )

  it.effect("can be read without its colours, and does not move", () =>
    Effect.gen(function* () {
      const { origin } = yield* busy
      const page = yield* open(origin, { forcedColors: "active", reducedMotion: "reduce" })
      yield* act(async () => {
        await rowIn(page, "payments", "Open").waitFor()
        await page.waitForTimeout(300)
        const moving = await page.evaluate(() => document.getAnimations().length)
        assert.strictEqual(moving, 0)
        const paint = await page
          .locator(".sparkline")
          .first()
          .evaluate((svg) => getComputedStyle(svg.querySelector("path.failed") ?? svg).fill)
        assert.notInclude(["none", "rgba(0, 0, 0, 0)"], paint)
      })
      assert.deepStrictEqual(yield* violations(page), [])
      yield* Chromium.screenshot(page, "forced colours")
    })
  )

  it.effect("draws only the rows of 500 that differ", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const breakers = yield* Effect.forEach(Array.from({ length: 500 }), (_, i) =>
        breaker(`service-${i}`, { log: false })
      )
      const page = yield* open(origin)
      yield* act(() => live(page))
      const drawn = yield* draws(page)
      const began = yield* Clock.currentTimeMillis
      for (const each of breakers.slice(0, 20)) {
        yield* CircuitBreaker.holdOpen(each)
        yield* Effect.sleep("50 millis")
      }
      yield* act(() => page.locator("li.HeldOpen").nth(19).waitFor())
      const count = yield* drawn
      const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
      // Each of the 20 at the change, at the update after it, and with each second for which it is held.
      assert.isAtLeast(count, 20)
      assert.isAtMost(count, 20 * (3 + seconds))
    })
  )

  it.effect("stays smooth with 500 circuits that all have traffic, and shows a change within a second", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane({ updates: "1 second", activity: "5 seconds" })
      const breakers = yield* Effect.forEach(Array.from({ length: 500 }), (_, i) =>
        breaker(`service-${i}`, fragile("1 minute"))
      )
      const [first, second, ...others] = breakers
      yield* Effect.forEach(others, (each) => succeed(each), { discard: true }).pipe(
        Effect.repeat(Schedule.spaced("200 millis")),
        Effect.forkChild
      )
      yield* Effect.suspend(() => CircuitBreaker.holdOpen(second!, { reason: String(Math.random()) })).pipe(
        Effect.repeat(Schedule.spaced("50 millis")),
        Effect.forkChild
      )
      const page = yield* open(origin)
      yield* act(async () => {
        await live(page)
        assert.strictEqual(await rows(page).count(), 500)
        await page.waitForTimeout(1000)
      })
      const smooth = Effect.gen(function* () {
        const scripts = yield* scriptSeconds(page)
        const gaps = yield* act(() =>
          page.evaluate(async () => {
            const gaps: Array<number> = []
            const search = document.querySelector<HTMLInputElement>("input[type=search]")!
            let last = performance.now()
            const until = last + 4000
            for (let i = 0; last < until; i++) {
              window.scrollBy(0, i % 200 < 100 ? 60 : -60)
              if (i % 60 === 0 && i > 0) {
                search.value = i % 120 === 0 ? "" : "9"
                search.dispatchEvent(new Event("input", { bubbles: true }))
              }
              const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve))
              gaps.push(now - last)
              last = now
            }
            return gaps.sort((a, b) => a - b)
          })
        )
        const share = (yield* scripts) / 4
        const at = (share: number) => Math.round(gaps[Math.ceil(gaps.length * share) - 1]!)
        // Many times what it takes on a machine with nothing else to do.
        const isSmooth = at(0.5) <= 100 && at(0.95) <= 400 && share <= 0.6
        if (!isSmooth) yield* Effect.fail(`scripts: ${share}, frames: ${gaps.map(Math.round).join()}`)
      })
      // Other tests may take the machine for a while.
      yield* smooth.pipe(Effect.retry({ times: 5 }), Effect.orDie)
      yield* Chromium.screenshot(page, "500 circuits")
      yield* act(() => page.getByRole("searchbox").fill(""))
      yield* withinASecond(fail(first!), page.locator("li.Open"), CircuitBreaker.reset(first!))
      yield* act(() => page.setViewportSize({ width: 320, height: 640 }))
      assert.deepStrictEqual(yield* overflow(page), [])
    })
  )
})
