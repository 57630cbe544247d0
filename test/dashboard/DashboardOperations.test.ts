import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import type { Page } from "playwright-core"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as Health from "../../src/health/Health.ts"
import * as Policy from "../../src/compose/Policy.ts"
import { cli } from "../cli/process.ts"
import {
  act,
  dialog,
  fail,
  filter,
  focusOn,
  fragile,
  live,
  names,
  open,
  plane,
  row,
  rowIn,
  status,
  succeed,
  withinASecond
} from "./page.ts"
import * as Chromium from "../support/browser.ts"
import { secret, serve } from "../support/control.ts"

const refusal = (breaker: CircuitBreaker.Source) =>
  Effect.succeed("ran").pipe(
    CircuitBreaker.protect(breaker),
    Effect.catchTag("CircuitOpenError", ({ message }) => Effect.succeed(message))
  )

/** Presses keys, one after the other. */
const press = async (page: Page, ...keys: ReadonlyArray<string>) => {
  for (const key of keys) await page.keyboard.press(key)
}

/** Presses Tab until the element with this name has the focus. */
const tabTo = async (page: Page, name: string) => {
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab")
    if ((await focused(page)).startsWith(name)) return
  }
  assert.fail(`Tab does not lead to ${name}, but to ${await focused(page)}`)
}

/** What has the focus: the text of its label, or its own. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement
    const label =
      element instanceof HTMLInputElement || element instanceof HTMLSelectElement ? element.labels?.[0] : null
    return (
      label?.innerText ?? (element instanceof HTMLElement && element !== document.body ? element.innerText : "")
    ).trim()
  })

/** Requests that change something. */
const posted = (page: Page): Array<string> => {
  const found: Array<string> = []
  page.on("request", (request) => request.method() === "POST" && found.push(request.postData() ?? ""))
  return found
}

Chromium.describeBrowser("dashboard, changing circuits", (it) => {
  it.effect("holds a circuit in the running service and releases it, by the keyboard alone", () =>
    Effect.gen(function* () {
      const { breaker, logs, origin } = yield* plane()
      yield* breaker("orders", { log: false })
      const payments = yield* breaker("payments", { log: false })
      const page = yield* open(origin, { token: null })
      yield* act(async () => {
        await focusOn(page, "#token")
        await page.keyboard.type(secret)
        await press(page, "Enter")
        await live(page)
        await tabTo(page, "orders")
        await press(page, "ArrowDown")
        assert.strictEqual(await focused(page), "payments")
        await press(page, "Enter")
        await dialog(page).waitFor()
        await tabTo(page, "Reason")
        await page.keyboard.type("provider down")
        await tabTo(page, "Your name")
        await page.keyboard.type("ada")
        await tabTo(page, "Hold open")
        await press(page, "Enter")
        await dialog(page).getByText("Done. The circuit is held open.").waitFor()
        assert.strictEqual(await focused(page), "Hold open")
      })
      assert.match(yield* refusal(payments), /held open by ada.*provider down/)
      assert.isTrue(logs.some(({ message }) => message === 'Control plane: hold-open "payments" by ada: provider down'))
      yield* act(async () => {
        await tabTo(page, "Reason")
        await page.keyboard.type("it is back")
        await tabTo(page, "Release")
        await press(page, "Space")
        await dialog(page).getByText("Done. The circuit is closed.").waitFor()
        assert.strictEqual(await focused(page), "Release")
        await press(page, "Escape")
        await dialog(page).waitFor({ state: "detached" })
        assert.strictEqual(await focused(page), "payments")
        await rowIn(page, "payments", "Closed").waitFor()
      })
      assert.strictEqual(yield* refusal(payments), "ran")
    })
  )

  it.effect("closes an open circuit by a reset", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const payments = yield* breaker("payments", fragile())
      yield* fail(payments)
      const page = yield* open(origin)
      yield* act(async () => {
        await rowIn(page, "payments", "Open").getByRole("button").click()
        await dialog(page).getByLabel("Reason").fill("deployed")
        await dialog(page).getByLabel("Your name").fill("ada")
        await dialog(page).getByRole("button", { name: "Reset" }).click()
        await rowIn(page, "payments", "Closed").waitFor()
      })
      assert.strictEqual(yield* refusal(payments), "ran")
    })
  )

  it.effect("holds a circuit of a key for a time, and shows that it is over", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const search = yield* breaker("search", { log: false })
      for (const key of ["eu", "us"]) yield* succeed(search, key)
      const page = yield* open(origin)
      yield* act(async () => {
        await row(page, "search eu").getByRole("button").click()
        await dialog(page).getByLabel("Reason").fill("maintenance")
        await dialog(page).getByLabel("Your name").fill("ada")
        await dialog(page).getByLabel("Hold it").selectOption("for 5 minutes")
        await dialog(page).getByRole("button", { name: "Hold closed" }).click()
        await dialog(page)
          .getByText(/Ends in (5 min|4 min \d+ s)\./)
          .waitFor()
        assert.strictEqual(await rowIn(page, "search us", "Closed").count(), 1)
      })
      yield* CircuitBreaker.holdOpen(search, { key: "eu", for: "100 millis", by: "ada" })
      yield* Effect.sleep("200 millis")
      yield* succeed(search, "eu")
      yield* act(() => rowIn(page, "search eu", "Closed").waitFor())
    })
  )

  it.effect("sends nothing without a reason, nor at Enter in a field", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments", { log: false })
      const page = yield* open(origin)
      const sent = posted(page)
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        const [reason, by] = [dialog(page).getByLabel("Reason"), dialog(page).getByLabel("Your name")]
        const hold = dialog(page).getByRole("button", { name: "Hold open" })
        await by.fill("ada")
        await hold.click()
        await reason.fill("   ")
        await hold.click()
        await reason.fill("maintenance")
        await reason.press("Enter")
        await by.press("Enter")
        await by.fill("")
        await hold.click()
        await dialog(page).getByRole("button", { name: "Release" }).click({ force: true })
        await page.waitForTimeout(200)
        assert.deepStrictEqual(sent, [])
        await by.fill("ada")
        await hold.click()
        await dialog(page).getByText("Done.").waitFor()
        assert.deepStrictEqual(sent, ['{"name":"payments","reason":"maintenance","by":"ada"}'])
      })
    })
  )

  it.effect("sends a change once, however often the button is pressed", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments", { log: false })
      const page = yield* open(origin)
      const sent = posted(page)
      yield* act(async () => {
        let goOn = (): void => undefined
        const pressed = new Promise<void>((resolve) => (goOn = resolve))
        await page.route("**/hold-open", async (route) => {
          await pressed
          await route.continue()
        })
        await row(page, "payments").getByRole("button").click()
        await dialog(page).getByLabel("Reason").fill("maintenance")
        await dialog(page).getByLabel("Your name").fill("ada")
        await dialog(page).getByRole("button", { name: "Hold open" }).focus()
        await press(page, "Enter", "Enter", "Space")
        goOn()
        await dialog(page).getByText("Done.").waitFor()
        assert.strictEqual(sent.length, 1)
      })
    })
  )

  it.effect("shows what the server says against a change, and continues", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane({ limits: { changesPerMinute: 1 } })
      const payments = yield* breaker("payments", fragile())
      const page = yield* open(origin, { expected: [status(429), /net::ERR_FAILED/] })
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        const change = async (name: string) => {
          await dialog(page).getByLabel("Reason").fill("maintenance")
          await dialog(page).getByLabel("Your name").fill("ada")
          await dialog(page).getByRole("button", { name }).click()
        }
        await change("Reset")
        await dialog(page).getByText("Done.").waitFor()
        await change("Reset")
        await dialog(page).getByRole("alert").getByText("Too many changes").waitFor()
        assert.strictEqual(await dialog(page).getByLabel("Reason").inputValue(), "maintenance")
        await page.route("**/hold-open", (route) => route.abort())
        await change("Hold open")
        await dialog(page)
          .getByRole("alert")
          .getByText("The server did not answer. The change may have been made.")
          .waitFor()
      })
      yield* fail(payments)
      yield* act(async () => {
        await rowIn(page, "payments", "Open").waitFor()
        await press(page, "Escape")
        await dialog(page).waitFor({ state: "detached" })
        await live(page)
      })
    })
  )

  it.effect("shows within a second what another operator does", () =>
    Effect.gen(function* () {
      const { breaker, client, origin } = yield* plane()
      yield* breaker("payments", { log: false })
      const page = yield* open(origin)
      yield* act(() => live(page))
      const { operations } = yield* client
      const why = { name: "payments", reason: "provider down", by: "grace" }
      yield* withinASecond(
        operations.holdOpen({ payload: why }),
        row(page, "payments").getByText(/^Held by grace for \d+ s: provider down$/),
        operations.release({ payload: why })
      )
    })
  )

  it.effect("shows within a second what the command line does", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const payments = yield* breaker("payments", { log: false })
      const page = yield* open(origin)
      yield* act(() => live(page))
      const why = ["--reason", "provider down", "--by", "ada"]
      const run = (...args: ReadonlyArray<string>) =>
        act(async () => {
          const ran = await cli([...args, ...why, "--url", `${origin}/resilience`], {
            env: { RESILIENCE_CONTROL_TOKEN: secret }
          })
          assert.strictEqual(ran.code, 0, ran.err)
        })
      yield* withinASecond(
        Effect.andThen(run("hold-open", "payments"), refusal(payments)).pipe(
          Effect.map((message) => assert.match(message, /held open by ada.*provider down/))
        ),
        row(page, "payments").getByText(/^Held by ada for \d+ s: provider down$/),
        run("release", "payments")
      )
      yield* act(() => rowIn(page, "payments", "Closed").waitFor())
    })
  )

  it.effect("goes from circuit to circuit with the arrow keys, and searches at a slash", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      for (const name of ["orders", "payments", "search", "mail"]) yield* breaker(name)
      const page = yield* open(origin)
      yield* act(async () => {
        await live(page)
        await tabTo(page, "orders")
        await press(page, "ArrowDown", "ArrowDown", "ArrowUp")
        assert.strictEqual(await focused(page), "payments")
        const outline = await row(page, "payments")
          .getByRole("button")
          .evaluate((element) => getComputedStyle(element, "::after").outline)
        assert.match(outline, /solid 2px/)
        await press(page, "Enter")
        await dialog(page).waitFor()
        // Not while a dialog is open.
        await press(page, "/")
        await press(page, "Escape")
        await dialog(page).waitFor({ state: "detached" })
        assert.strictEqual(await focused(page), "payments")
        await press(page, "/")
        await page.keyboard.type("mai/")
        assert.strictEqual(await page.getByRole("searchbox").inputValue(), "mai/")
        await page.getByText("No circuit matches.").waitFor()
        await press(page, "Backspace")
        assert.deepStrictEqual(await names(page), ["mail"])
        await filter(page, "Open").click()
        assert.deepStrictEqual(await names(page), [])
        await filter(page, "Open").click()
        assert.deepStrictEqual(await names(page), ["mail"])
      })
    })
  )

  it.effect("keeps the focus on a circuit that moves in the list", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      for (const name of ["orders", "payments", "search"]) yield* breaker(name, { log: false })
      const mail = yield* breaker("mail", fragile())
      const page = yield* open(origin, {
        // Not all browsers can move an element with what it has.
        before: (page) => page.addInitScript(() => Reflect.deleteProperty(Element.prototype, "moveBefore"))
      })
      yield* act(async () => {
        await live(page)
        await row(page, "mail").getByRole("button").focus()
      })
      yield* fail(mail)
      yield* act(async () => {
        await rowIn(page, "mail", "Open").waitFor()
        assert.deepStrictEqual(await names(page), ["mail", "orders", "payments", "search"])
        assert.strictEqual(await focused(page), "mail")
      })
    })
  )

  it.effect("keeps the dialog at a press that ends outside of it, and closes it at one beside it", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments")
      const page = yield* open(origin)
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        const field = await dialog(page).getByLabel("Reason").boundingBox()
        await page.mouse.move((field?.x ?? 0) + 5, (field?.y ?? 0) + 5)
        await page.mouse.down()
        await page.mouse.move(5, 5)
        await page.mouse.up()
        await page.waitForTimeout(100)
        assert.isTrue(await dialog(page).isVisible())
        await page.mouse.click(5, 5)
        await dialog(page).waitFor({ state: "detached" })
      })
    })
  )

  it.effect("shows markup as text, wherever it comes from, and runs none of it", () =>
    Effect.gen(function* () {
      const markup = '<img src="x" onerror="ran()"><script>ran()</script>'
      const health = Health.layer({
        checks: { [markup]: Health.check(Effect.fail(markup)) }
      })
      const { breaker, origin } = yield* serve(
        ControlPlane.layer({
          token: Redacted.make(secret),
          updates: "100 millis",
          policies: { [markup]: Policy.make({ attemptTimeout: "1 second" }) }
        }).pipe(Layer.provide(health))
      )
      const broken = yield* breaker(markup, fragile())
      yield* fail(broken, markup, new Error(markup))
      const held = yield* breaker("__proto__", { log: false })
      yield* CircuitBreaker.holdOpen(held, { reason: markup, by: "<b>ada</b>" })
      const page = yield* open(origin, {
        expected: [/TrustedScript/],
        before: (page) =>
          page.addInitScript(() => Object.assign(window, { ran: () => Object.assign(window, { did: true }) }))
      })
      yield* act(async () => {
        await row(page, `${markup} ${markup}`).getByText("Next probe in").waitFor()
        await row(page, "__proto__").getByText(`Held by <b>ada</b> for`).waitFor()
        await page.getByRole("complementary").getByRole("listitem").filter({ hasText: markup }).first().waitFor()
        await page.getByRole("group").filter({ hasText: markup }).getByText(markup).click()
        await row(page, `${markup} ${markup}`).getByRole("button").click()
        await dialog(page).getByText(`s ago: Error: ${markup}`).waitFor()
        assert.strictEqual(await page.locator("img, script:not(head *, body > *), b").count(), 0)
        await page.evaluate(() => {
          const script = document.createElement("script")
          // The policy of the page lets no text become a script.
          try {
            script.textContent = "ran()"
          } catch {
            script.append("ran()")
          }
          document.body.append(script)
        })
        assert.isFalse(await page.evaluate(() => "did" in window))
      })
    })
  )
})
