import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import {
  act,
  connection,
  dialog,
  focusOn,
  fragile,
  live,
  open,
  plane,
  row,
  rowIn,
  rows,
  signIn,
  status
} from "./page.ts"
import * as Chromium from "../support/browser.ts"
import { eventually, secret, serve } from "../support/control.ts"

Chromium.describeBrowser("dashboard, who may see it", (it) => {
  it.effect("asks for a token, says that one is wrong, and shows circuits for the right one", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments")
      const page = yield* open(origin, { token: null, expected: [status(401)] })
      yield* act(async () => {
        const field = page.getByLabel("Token")
        await focusOn(page, "#token")
        await field.fill("not-the-token-of-anybody")
        await field.press("Enter")
        await page.getByRole("alert").getByText("One valid bearer token is needed").waitFor()
        assert.strictEqual(await rows(page).count(), 0)
        // The same one is tried again.
        const asked = page.waitForRequest(/\/events$/)
        await page.getByLabel("Token").fill("not-the-token-of-anybody")
        await page.getByRole("button", { name: "Sign in" }).click()
        await asked
        await page.getByRole("alert").getByText("One valid bearer token is needed").waitFor()
        await page.getByLabel("Token").fill(secret)
        await page.getByRole("button", { name: "Sign in" }).click()
        await rowIn(page, "payments", "Closed").waitFor()
        await live(page)
      })
    })
  )

  it.effect("keeps the token until it is told to forget it or is loaded again, and nowhere but in the page", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments")
      const page = yield* open(origin, { token: null })
      yield* act(async () => {
        await page.getByLabel("Token").fill(secret)
        await page.getByRole("button", { name: "Sign in" }).click()
        await row(page, "payments").waitFor()
        await page.getByRole("button", { name: "Forget the token" }).click()
        await page.getByLabel("Token").waitFor()
        assert.strictEqual(await rows(page).count(), 0)
        await signIn(page)
        await row(page, "payments").waitFor()
        const kept = () =>
          JSON.stringify([
            { ...sessionStorage },
            { ...localStorage },
            document.cookie,
            location.href,
            document.documentElement.outerHTML,
            history.state
          ])
        assert.notInclude(await page.evaluate(kept), secret)
        assert.deepStrictEqual(await page.evaluate(() => [sessionStorage.length, localStorage.length]), [0, 0])
        await page.reload()
        await page.getByLabel("Token").waitFor()
        assert.strictEqual(await rows(page).count(), 0)
      })
    })
  )

  it.effect("leaves no stream behind when the token changes or the page is left", () =>
    Effect.gen(function* () {
      const { breaker, port } = yield* plane({ reading: "open" })
      yield* breaker("payments")
      const proxy = yield* Chromium.proxy(port)
      const page = yield* open(proxy.origin, { token: null })
      const one = eventually("one stream", () => proxy.streams() === 1)
      yield* act(async () => {
        await live(page)
        for (let i = 0; i < 3; i++) await page.evaluate(() => window.dispatchEvent(new Event("online")))
        await live(page)
      })
      yield* one
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        await dialog(page).getByLabel("Token").fill(secret)
        await dialog(page).getByRole("button", { name: "Sign in" }).click()
        await dialog(page).getByLabel("Reason").waitFor()
        await page.keyboard.press("Escape")
        await live(page)
      })
      yield* one
      yield* act(async () => {
        await page.getByRole("button", { name: "Forget the token" }).click()
        await live(page)
        await row(page, "payments").waitFor()
      })
      yield* one
      yield* act(() => page.goto(`${proxy.origin}/ping`))
      yield* eventually("no stream", () => proxy.streams() === 0)
    })
  )

  it.effect("asks for nothing where reading is open, and for a token where something is to be changed", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane({ reading: "open" })
      const payments = yield* breaker("payments", fragile())
      const page = yield* open(origin, { token: null, expected: [status(401)] })
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        await dialog(page).getByLabel("Token, to change the circuit").fill("not-the-token-of-anybody")
        await dialog(page).getByRole("button", { name: "Sign in" }).click()
        await dialog(page).getByLabel("Reason").fill("maintenance")
        await dialog(page).getByLabel("Your name").fill("ada")
        await dialog(page).getByRole("button", { name: "Hold open" }).click()
        await dialog(page).getByRole("alert").getByText("One valid bearer token is needed").waitFor()
        await dialog(page).getByLabel("Token, to change the circuit").fill(secret)
        await dialog(page).getByRole("button", { name: "Sign in" }).click()
        assert.strictEqual(await dialog(page).getByLabel("Reason").inputValue(), "maintenance")
        await dialog(page).getByRole("button", { name: "Hold open" }).click()
        await dialog(page).getByText("Done. The circuit is held open.").waitFor()
      })
      assert.strictEqual((yield* CircuitBreaker.status(payments)).state._tag, "HeldOpen")
    })
  )

  it.effect("changes nothing where the server knows no token", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* serve(ControlPlane.layer({ updates: "100 millis" }))
      yield* breaker("payments")
      const page = yield* open(origin, { token: null })
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        await dialog(page).getByText("It was never open.").waitFor()
        assert.strictEqual(await dialog(page).getByRole("button").count(), 1)
        assert.strictEqual(await dialog(page).getByRole("textbox").count(), 0)
      })
    })
  )

  it.effect("asks no name of who has a token of their own", () =>
    Effect.gen(function* () {
      const token = { ada: Redacted.make(secret) }
      const { breaker, origin } = yield* plane({ token })
      const payments = yield* breaker("payments", { log: false })
      const page = yield* open(origin)
      yield* act(async () => {
        await row(page, "payments").getByRole("button").click()
        assert.strictEqual(await dialog(page).getByLabel("Your name").count(), 0)
        await dialog(page).getByLabel("Reason").fill("maintenance")
        await dialog(page).getByRole("button", { name: "Hold open" }).click()
        await row(page, "payments").getByText("Held by ada for").waitFor()
      })
      const { state } = yield* CircuitBreaker.status(payments)
      assert.isTrue(state._tag === "HeldOpen" && state.by === "ada")
    })
  )

  it.effect("works with the cookies of an application that authorizes by itself", () =>
    Effect.gen(function* () {
      const authorization = Layer.succeed(
        ControlApi.Authorization,
        ControlApi.Authorization.of((httpEffect, { group }) =>
          Effect.gen(function* () {
            const request = yield* HttpServerRequest.HttpServerRequest
            const name = request.cookies["user"]
            return name === undefined && group.identifier !== "dashboard"
              ? yield* new ControlApi.Unauthorized({ message: "Sign in to the application" })
              : yield* Effect.provideService(httpEffect, ControlApi.Operator, { name })
          })
        )
      )
      const { breaker, origin } = yield* serve(
        ControlPlane.layerAuthorized({ updates: "100 millis" }).pipe(Layer.provide(authorization))
      )
      yield* breaker("payments", { log: false })
      const page = yield* open(origin, { token: null, expected: [status(401)] })
      yield* act(async () => {
        await connection(page).getByText("Not connected. Sign in to the application.").waitFor()
        await page.context().addCookies([{ name: "user", value: "grace", url: origin }])
        await connection(page).getByRole("button", { name: "Try now" }).click()
        await row(page, "payments").getByRole("button").click()
        await dialog(page).getByLabel("Reason").fill("maintenance")
        await dialog(page).getByRole("button", { name: "Hold closed" }).click()
        await row(page, "payments").getByText("Held by grace for").waitFor()
      })
    })
  )
})
