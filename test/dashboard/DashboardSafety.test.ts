// What a page of the control plane lets nobody do: scripts in texts, other hosts, other sites, texts that are not seen.
import { assert } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { createServer } from "node:http"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlApi from "../../src/control/ControlApi.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as Health from "../../src/health/Health.ts"
import * as Policy from "../../src/compose/Policy.ts"
import { act, dialog, fail, fragile, live, names, open, plane, row, rows, signIn } from "./page.ts"
import * as Chromium from "../support/browser.ts"
import { secret, serve } from "../support/control.ts"

Chromium.describeBrowser("dashboard, what it lets nobody do", (it) => {
  it.effect("shows markup in every text as text, and runs nothing of it", () =>
    Effect.gen(function* () {
      const evil = (where: string) =>
        `<img src=x onerror="window.ran='${where}'"><script>window.ran='${where}'</script></script>`
      const health = Health.layer({
        version: evil("version"),
        checks: { [evil("check")]: Health.check(Effect.fail(evil("message"))) }
      })
      const { breaker, origin } = yield* serve(
        ControlPlane.layer({
          token: Redacted.make(secret),
          updates: "100 millis",
          policies: { [evil("policy")]: Policy.make({ attemptTimeout: "1 second" }) }
        }).pipe(Layer.provide(health))
      )
      const name = evil("name").slice(0, 250)
      const payments = yield* breaker(name, fragile())
      yield* fail(payments, undefined, new Error(evil("error")))
      yield* fail(payments, evil("key"), new Error(evil("error")))
      yield* CircuitBreaker.holdOpen(yield* breaker("held", { log: false }), {
        by: evil("by"),
        reason: evil("reason")
      })
      const page = yield* open(origin)
      yield* act(async () => {
        await live(page)
        assert.includeMembers(
          [...(await names(page))].map((text) => text.trim()),
          [name, `${name} ${evil("key")}`, "held"]
        )
        await page.getByText("Version <img").waitFor()
        await page.getByText("window.ran='message'").first().waitFor()
        await page.getByText("window.ran='policy'").first().waitFor()
        for (const button of await rows(page).getByRole("button").all()) {
          await button.click()
          await dialog(page).getByText("Its changes").waitFor()
          await page.keyboard.press("Escape")
          await dialog(page).waitFor({ state: "detached" })
        }
        assert.strictEqual(await page.locator("img").count(), 0)
        assert.strictEqual(await page.locator("script").count(), 2)
        assert.isUndefined(await page.evaluate(() => (window as { readonly ran?: string }).ran))
      })
    })
  )

  it.effect("writes out what is not seen in names and keys", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      const search = yield* breaker("a\u202eb", { log: false })
      for (const key of ["\u200b", "\u202eabc", " ", "", "\u00ad\u{e0061}"])
        yield* CircuitBreaker.holdOpen(search, { key })
      const page = yield* open(origin)
      yield* act(async () => {
        await live(page)
        const name = "a\\u202eb"
        assert.sameMembers(
          [...(await names(page))],
          [
            name,
            `${name} \\u200b`,
            `${name} \\u202eabc`,
            `${name} " "`,
            `${name} (empty key)`,
            `${name} \\u00ad\\udb40\\udc61`
          ]
        )
        await row(page, `${name} \\u200b`).getByRole("button").click()
        await dialog(page)
          .getByRole("heading", { name: `${name} \\u200b` })
          .waitFor()
        assert.notMatch(await page.locator("body").innerText(), /[\u200b\u202e\u00ad\u{e0061}]/u)
      })
    })
  )

  it.effect("asks no other host at a path that begins with two slashes", () =>
    Effect.gen(function* () {
      const { breaker, origin } = yield* plane()
      yield* breaker("payments", { log: false })
      // Before the page asks, so that a request to another host is seen whatever a policy stops.
      const page = yield* Chromium.visit(`${origin}//resilience`)
      yield* act(async () => {
        const asked: Array<string> = []
        page.on("request", (request) => asked.push(request.url()))
        await signIn(page)
        await row(page, "payments").waitFor()
        assert.isAbove(asked.length, 0)
        assert.deepStrictEqual(
          asked.filter((url) => !url.startsWith(`${origin}//resilience/`)),
          []
        )
      })
    })
  )

  it.effect("has no policy of trusted types, and no handler and no script of its text runs", () =>
    Effect.gen(function* () {
      const { origin } = yield* plane()
      const page = yield* open(origin, { token: null, expected: [/Content Security Policy|This document requires/i] })
      const tries = yield* act(() =>
        page.evaluate(() => {
          const attempt = (run: () => unknown): string => {
            try {
              run()
              return "ran"
            } catch (error) {
              return (error as Error).name
            }
          }
          const trusted = (
            window as unknown as { readonly trustedTypes: { createPolicy(name: string, rules: object): unknown } }
          ).trustedTypes
          return [
            attempt(() => trusted.createPolicy("default", { createHTML: (text: string) => text })),
            attempt(() => (document.body.innerHTML = "<b>x</b>")),
            attempt(() => {
              const script = document.createElement("script")
              script.text = "window.ran = true"
              document.body.append(script)
            }),
            attempt(() => document.body.setAttribute("onclick", "window.ran = true"))
          ]
        })
      )
      assert.deepStrictEqual(tries.slice(0, 3), ["TypeError", "TypeError", "TypeError"])
      yield* act(async () => {
        await page.locator("body").click({ position: { x: 1, y: 1 } })
        assert.isUndefined(await page.evaluate(() => (window as { readonly ran?: boolean }).ran))
      })
    })
  )

  it.effect("lets a page of another site read, change and frame nothing of it, and link to it", () =>
    Effect.gen(function* () {
      let asked = 0
      const own = Layer.succeed(ControlApi.Authorization, (httpEffect) =>
        Effect.suspend(() => {
          asked++
          return Effect.provideService(httpEffect, ControlApi.Operator, { name: "ada" })
        })
      )
      const { breaker, origin } = yield* serve(ControlPlane.layerAuthorized().pipe(Layer.provide(own)))
      const payments = yield* breaker("payments", { log: false })
      const other = yield* Effect.acquireRelease(
        Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
          const server = createServer((_, response) =>
            response.setHeader("content-type", "text/html").end("<title>Elsewhere</title><body></body>")
          ).listen(0, "localhost", () => {
            const address = server.address()
            const port = typeof address === "object" ? address?.port : 0
            resume(Effect.succeed({ url: `http://localhost:${port}`, close: () => server.close() }))
          })
        }),
        ({ close }) => Effect.sync(close)
      )
      // `localhost` and `127.0.0.1` are two sites for a browser.
      const browser = yield* Chromium.Browser
      const context = yield* Effect.acquireRelease(
        act(() => browser.newContext()),
        (context) => act(() => context.close())
      )
      yield* act(async () => {
        const page = await context.newPage()
        await page.goto(other.url)
        let requests = 0
        page.on("request", (request) => {
          if (request.url().startsWith(origin)) requests++
        })
        const tried = await page.evaluate(async (origin) => {
          const url = `${origin}/resilience`
          const named = (run: Promise<unknown>) =>
            run.then(
              () => "done",
              (error: unknown) => (error as Error).name
            )
          return [
            await named(fetch(`${url}/circuits`)),
            await named(
              fetch(`${url}/circuits`, { mode: "no-cors" }).then((answer) => (answer.type === "opaque" ? undefined : 1))
            ),
            await named(fetch(`${url}/reset`, { mode: "no-cors", method: "POST", body: "{}" })),
            await new Promise((resolve) => {
              const events = new EventSource(`${url}/events`)
              events.onopen = () => resolve("opened")
              events.onerror = () => resolve("refused")
            }),
            await new Promise((resolve) => {
              const frame = document.createElement("iframe")
              frame.src = url
              frame.onload = () => resolve("loaded")
              document.body.append(frame)
            })
          ]
        }, origin)
        assert.strictEqual(tried[0], "TypeError")
        assert.strictEqual(tried[3], "refused")
        assert.isAtLeast(requests, 5)
        assert.strictEqual(asked, 0)
        // A link is followed.
        await page.evaluate((url) => location.assign(url), `${origin}/resilience`)
        await page.getByRole("heading", { name: "Circuits", exact: true }).waitFor()
      })
      assert.strictEqual((yield* CircuitBreaker.status(payments)).counts.changes, 0)
    })
  )
})
