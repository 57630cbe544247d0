import { assert } from "@effect/vitest"
import { Deferred, Effect, Layer, Redacted, Schedule } from "effect"
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
  filter,
  fragile,
  live,
  names,
  open,
  plane,
  row,
  rowIn,
  rows,
  succeed,
  titled,
  withinASecond
} from "./page.ts"
import * as Chromium from "../support/browser.ts"
import { secret, serve } from "../support/control.ts"

Chromium.describeBrowser("dashboard", (it) => {
  it.effect("shows an outage within a second: why, since when, and what comes next", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const payments = yield* breaker("payments", fragile("50 seconds"))
      const orders = yield* breaker("orders", fragile("100 millis"))
      yield* succeed(payments)
      yield* succeed(orders)
      const page = yield* open(origin)
      yield* act(async () => {
        await rowIn(page, "payments", "Closed").waitFor()
        await live(page)
        assert.strictEqual(await page.title(), "Circuits")
        assert.deepStrictEqual(await names(page), ["payments", "orders"])
      })
      yield* withinASecond(fail(payments), rowIn(page, "payments", "Open"), CircuitBreaker.reset(payments))
      yield* fail(payments)
      yield* act(async () => {
        await row(page, "payments")
          .getByText(/Open for \d+ s: 1 consecutive failure/)
          .waitFor()
        await titled(page, "(1 open) Circuits")
        assert.strictEqual(await filter(page, "Open").innerText(), "Open 1")
        assert.strictEqual(await filter(page, "Closed").innerText(), "Closed 1")
        const seen = await row(page, "payments").getByText("Next probe in").innerText()
        const left = Number(/Next probe in (\d+) s/.exec(seen)?.[1])
        const less = Array.from({ length: left }, (_, i) => i).join("|")
        await row(page, "payments")
          .getByText(new RegExp(`Next probe in (${less}) s`))
          .waitFor()
      })
      yield* fail(orders)
      const probe = yield* Deferred.make<void>()
      yield* act(async () => {
        await page.getByRole("log").getByText("orders is open.").waitFor()
        await row(page, "orders").getByText("The next call is a probe.").waitFor()
      })
      yield* Effect.forkChild(Deferred.await(probe).pipe(CircuitBreaker.protect(orders), Effect.ignore))
      yield* act(async () => {
        await rowIn(page, "orders", "Half-open").waitFor()
        await row(page, "orders").getByText("1 probe running").waitFor()
        await titled(page, "(1 open) Circuits")
      })
      yield* Deferred.succeed(probe, undefined)
      yield* act(async () => {
        await rowIn(page, "orders", "Closed").waitFor()
        const changes = page.locator(".changes li").filter({ hasText: "orders" })
        await changes.getByText("was half-open").waitFor()
        assert.strictEqual(await changes.count(), 3)
        await page.getByRole("log").getByText("orders is closed.").waitFor()
      })
    })
  )

  it.effect("does not announce what was there when it was opened, and announces a stream of changes as it goes", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const payments = yield* breaker("payments", { log: false })
      yield* CircuitBreaker.holdOpen(payments)
      const page = yield* open(origin)
      const log = act(() => page.getByRole("log").innerText())
      yield* act(() => page.locator(".changes li").waitFor())
      yield* Effect.sleep("1500 millis")
      assert.strictEqual(yield* log, "")
      yield* CircuitBreaker.holdOpen(payments).pipe(Effect.repeat(Schedule.spaced("200 millis")), Effect.forkChild)
      yield* act(() =>
        page
          .getByRole("log")
          .getByText(/^payments is held open\. And \d+ more changes?\.$/)
          .waitFor({ state: "attached" })
      )
    })
  )

  it.effect("shows each change once, however it heard of it", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane()
      const proxy = yield* Chromium.proxy(port)
      const payments = yield* breaker("payments", { log: false, ...fragile("1 milli") })
      yield* fail(payments, "eu")
      const page = yield* open(proxy.origin, { expected: [brokenConnection] })
      yield* act(() => live(page))
      yield* Effect.sleep("10 millis")
      yield* succeed(payments, "eu")
      yield* CircuitBreaker.holdOpen(payments, { by: "ada", reason: "why", for: "1 hour" })
      yield* CircuitBreaker.release(payments)
      yield* act(() => page.locator(".changes li").nth(4).waitFor())
      yield* proxy.shut
      yield* act(() => connection(page).getByText("Not connected").waitFor())
      yield* CircuitBreaker.reset(payments)
      yield* CircuitBreaker.holdClosed(payments)
      yield* proxy.open(port)
      yield* act(async () => {
        await live(page)
        await page.locator(".changes").getByText("Held closed").waitFor()
      })
      yield* Effect.sleep("300 millis")
      yield* act(async () => {
        const texts = await page.locator(".changes li").allInnerTexts()
        assert.strictEqual(texts.length, 6, texts.join("\n---\n"))
      })
    })
  )

  it.effect("counts calls, failures and refusals of each circuit", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane({ activity: "500 millis" })
      const payments = yield* breaker("payments", fragile())
      const page = yield* open(origin)
      yield* act(() => live(page))
      for (let i = 0; i < 30; i++) yield* succeed(payments)
      for (let i = 0; i < 11; i++) yield* fail(payments)
      const graph = page.getByRole("img", { name: "In the last 30 s: 30 succeeded, 1 failed, 10 refused" })
      yield* act(async () => {
        await row(page, "payments")
          .and(rows(page).filter({ has: graph }))
          .waitFor()
        await row(page, "payments").getByRole("button").click()
        const counts = /Calls\s*31\s*Succeeded\s*30\s*Failed\s*1\s*Refused\s*10/
        await dialog(page).locator(".numbers").filter({ hasText: counts }).waitFor()
        await dialog(page)
          .getByText(/s ago: Error: no route/)
          .waitFor()
        assert.strictEqual(await dialog(page).getByRole("img", { name: "Failure" }).count(), 1)
      })
    })
  )

  it.effect(
    "says that the server is away and how old what it shows is, and is live again by itself after a restart",
    () =>
      Effect.gen(function* () {
        const before = yield* plane()
        const payments = yield* before.breaker("payments", fragile())
        yield* before.breaker("orders")
        yield* fail(payments)
        const proxy = yield* Chromium.proxy(before.port)
        const page = yield* open(proxy.origin, { expected: [brokenConnection] })
        yield* act(() => rowIn(page, "payments", "Open").waitFor())
        yield* proxy.shut
        yield* before.stop
        yield* act(async () => {
          await connection(page).getByText("Not connected.").waitFor()
          await connection(page)
            .getByText(/Out of date: from \d\d:\d\d:\d\d, [1-9]\d* s ago\./)
            .waitFor()
          await connection(page)
            .getByText(/Trying again in \d+ s\./)
            .waitFor()
          await page.getByText("Open for").waitFor()
        })
        yield* Chromium.screenshot(page, "disconnected")
        const after = yield* plane()
        yield* after.breaker("payments")
        yield* proxy.open(after.port)
        yield* act(async () => {
          await connection(page).getByText("Live", { exact: true }).waitFor()
          await rowIn(page, "payments", "Closed").waitFor()
          assert.deepStrictEqual(await names(page), ["payments"])
          assert.strictEqual(await connection(page).locator(".age").count(), 0)
        })
      })
  )

  for (const [when, does] of [
    ["when it is told to", (page: Page) => connection(page).getByRole("button", { name: "Try now" }).click()],
    [
      "when its tab is looked at again",
      (page: Page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")))
    ]
  ] as const) {
    it.effect(`tries again at once ${when}`, () =>
      Effect.gen(function* () {
        const server = yield* plane()
        const proxy = yield* Chromium.proxy(server.port)
        const page = yield* open(proxy.origin, { expected: [brokenConnection] })
        yield* act(() => live(page))
        const again = Effect.gen(function* () {
          yield* proxy.shut
          // Until the pauses are long.
          const text = yield* act(() =>
            connection(page)
              .getByText(/Trying again in ([4-9]|\d\d) s/)
              .innerText()
          )
          const seconds = Number(/in (\d+) s/.exec(text)?.[1])
          yield* proxy.open(server.port)
          const began = performance.now()
          yield* Effect.tryPromise(async () => does(page))
          yield* act(() => live(page))
          if (performance.now() - began >= 1000 * (seconds - 2)) yield* Effect.fail("it may have waited")
        })
        // Other tests may take the machine for a while.
        yield* Effect.retry(again, { times: 4 })
      })
    )
  }

  it.effect("opens a connection that went silent again", () =>
    Effect.gen(function* () {
      const server = yield* plane({ heartbeat: "100 millis" })
      const payments = yield* server.breaker("payments", fragile())
      const proxy = yield* Chromium.proxy(server.port)
      const page = yield* open(proxy.origin, { expected: [/ERR_EMPTY_RESPONSE/] })
      yield* act(() => live(page))
      yield* proxy.silence(true)
      yield* fail(payments)
      yield* act(() =>
        page.waitForFunction(
          () => document.querySelector(".connection")?.textContent.includes("The server sent nothing"),
          undefined,
          { polling: "raf" }
        )
      )
      yield* proxy.silence(false)
      yield* act(async () => {
        await connection(page).getByText("Live", { exact: true }).waitFor()
        await rowIn(page, "payments", "Open").waitFor()
      })
    })
  )

  it.effect("shows health checks, policies, keys and dry runs, and how many circuits are not listed", () =>
    Effect.gen(function* () {
      const health = Health.layer({
        version: "1.4.0",
        checks: {
          database: Health.check(Effect.void),
          cache: Health.check(Effect.fail("connection refused"), { critical: false })
        }
      })
      const { breaker, origin } = yield* serve(
        ControlPlane.layer({
          token: Redacted.make(secret),
          updates: "100 millis",
          circuits: 3,
          policies: { checkout: Policy.make({ attemptTimeout: "1 second" }) }
        }).pipe(Layer.provide(health))
      )
      const search = yield* breaker("search", { log: false, dryRun: true })
      for (const key of ["eu", "", "us"]) yield* succeed(search, key)
      const page = yield* open(origin)
      yield* act(async () => {
        await live(page)
        const aside = page.getByRole("complementary")
        await aside.getByText("Version 1.4.0").waitFor()
        await aside.getByRole("listitem").filter({ hasText: "cache" }).getByText("connection refused").waitFor()
        await aside.getByText("not critical").waitFor()
        await aside.getByText("checkout").click()
        await aside.getByText("attempt timeout: after=1000").waitFor()
        assert.deepStrictEqual(await names(page), ["search", "search eu", "search (empty key)"])
        await row(page, "search").getByText("dry run").waitFor()
        await page.getByText("1 more circuit is not listed").waitFor()
      })
    })
  )

  it.effect("keeps the dialog of a circuit that leaves the list", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane({ circuits: 3 })
      const search = yield* breaker("search", fragile())
      for (const key of ["a", "b"]) yield* succeed(search, key)
      const page = yield* open(origin)
      yield* act(async () => {
        await row(page, "search b").getByRole("button").click()
        await dialog(page).getByLabel("Reason").fill("maintenance")
      })
      for (const key of ["c", "d"]) yield* fail(search, key)
      yield* act(async () => {
        await dialog(page).getByText("The server no longer lists it").waitFor()
        assert.strictEqual(await dialog(page).getByLabel("Reason").inputValue(), "maintenance")
        await page.keyboard.press("Escape")
        await dialog(page).waitFor({ state: "detached" })
      })
    })
  )

  it.effect("reads health and policies when a tab that was opened in the background is looked at", () =>
    Effect.gen(function* () {
      const { origin } = yield* plane({ policies: { checkout: Policy.make({ attemptTimeout: "1 second" }) } })
      const page = yield* open(origin, {
        before: (page) =>
          page.addInitScript(() => {
            let hidden = true
            Object.defineProperty(document, "hidden", { get: () => hidden })
            Object.assign(window, {
              show: () => {
                hidden = false
                document.dispatchEvent(new Event("visibilitychange"))
              }
            })
          })
      })
      yield* act(async () => {
        await live(page)
        await page.waitForTimeout(300)
        assert.strictEqual(await page.getByText("checkout").count(), 0)
        await page.evaluate("show()")
        await page.getByText("checkout").waitFor()
      })
    })
  )
})
