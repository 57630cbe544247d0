/**
 * The dashboard of a control plane, as its tests drive it.
 */
import { Effect, Redacted } from "effect"
import type { Locator, Page } from "playwright-core"
import * as CircuitBreaker from "../../src/breaker/CircuitBreaker.ts"
import * as ControlPlane from "../../src/control/ControlPlane.ts"
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import { visit, type Options } from "../support/browser.ts"
import { secret, serve } from "../support/control.ts"

/** What Chromium logs of an answer of the server. */
export const status = (code: number): RegExp => new RegExp(`the server responded with a status of ${code}`)

/** What Chromium logs of a connection that ends or is refused. */
export const brokenConnection =
  /net::ERR_(CONNECTION_[A-Z]+|SOCKET_NOT_CONNECTED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/

/** Does something in the browser. */
export const act = <A>(does: () => Promise<A>): Effect.Effect<A> => Effect.promise(does)

/** Serves a control plane whose streams send updates often. */
export const plane = (options: ControlPlane.TokenOptions = {}) =>
  serve(ControlPlane.layer({ token: Redacted.make(secret), updates: "100 millis", activity: "200 millis", ...options }))

/** Breaker that opens at its first failure. */
export const fragile = (openFor: CircuitBreaker.Options["openFor"] = "30 seconds"): CircuitBreaker.Options => ({
  trip: TripPolicy.consecutive(1),
  openFor,
  log: false
})

/** Calls that fail, and that succeed. Both ignore refusals. */
export const fail = (breaker: CircuitBreaker.Source, key?: string, error: unknown = new Error("no route")) =>
  Effect.ignore(CircuitBreaker.protect(Effect.fail(error), breaker, { key }))
export const succeed = (breaker: CircuitBreaker.Source, key?: string) =>
  Effect.ignore(CircuitBreaker.protect(Effect.void, breaker, { key }))

/** Opens the dashboard, with the token of the operators unless there is another one, or none. */
export const open = (
  origin: string,
  { token = secret, ...options }: Options & { readonly token?: string | null } = {}
) =>
  Effect.tap(visit(`${origin}/resilience`, options), (page) =>
    act(async () => {
      if (token !== null && (await page.locator("main.sign-in").count()) > 0) await signIn(page, token)
    })
  )

/** Gives the page a token. */
export const signIn = async (page: Page, token = secret): Promise<void> => {
  await page.getByLabel("Token").fill(token)
  await page.getByRole("button", { name: "Sign in" }).click()
}

/** Rows of the list. */
export const rows = (page: Page): Locator => page.locator(".circuits > li")

/** Row of a circuit. */
export const row = (page: Page, name: string): Locator =>
  rows(page).filter({ has: page.getByRole("button", { name, exact: true }) })

/** Row of a circuit in a state. */
export const rowIn = (page: Page, name: string, state: string): Locator =>
  row(page, name).filter({ has: page.locator(".badge", { hasText: new RegExp(`^\\S+ ${state}$`) }) })

/** Names of the circuits, from top to bottom. */
export const names = async (page: Page): Promise<ReadonlyArray<string>> => {
  const read = () => rows(page).getByRole("button").allInnerTexts()
  // A row that comes into view has no text until it is drawn.
  for (let tries = 0; tries < 100 && (await read()).includes(""); tries++) await page.waitForTimeout(20)
  return read()
}

/** Filter with a count of circuits. */
export const filter = (page: Page, name: string): Locator =>
  page.locator(".filters button").filter({ hasText: new RegExp(`^${name} \\d`) })

/** Dialog of a circuit. */
export const dialog = (page: Page): Locator => page.getByRole("dialog")

/** Says whether the connection is live. */
export const connection = (page: Page): Locator => page.locator(".connection")

/** Waits until the page shows what the server says. */
export const live = (page: Page) => connection(page).getByText("Live", { exact: true }).waitFor()

/** Waits until the page has a title. */
export const titled = (page: Page, title: string) => page.waitForFunction((title) => document.title === title, title)

/** Waits until what a selector stands for has the focus. */
export const focusOn = (page: Page, selector: string) => page.locator(`${selector}:focus`).waitFor()

/**
 * Asserts that the page shows a change within a second after it is made. Does
 * it some times where it does not: other tests may take the machine for a while.
 */
export const withinASecond = <E, R>(
  change: Effect.Effect<unknown, E, R>,
  shows: Locator,
  undo: Effect.Effect<unknown, E, R>
) =>
  Effect.gen(function* () {
    yield* change
    const began = performance.now()
    yield* act(() => shows.waitFor({ state: "attached" }))
    const took = performance.now() - began
    yield* undo
    yield* act(() => shows.waitFor({ state: "detached" }))
    if (took > 1000) yield* Effect.fail(`it took ${took} ms`)
  }).pipe(Effect.retry({ times: 4 }))
