/**
 * Requests to the control plane that serves the page.
 */
import type * as Operation from "../src/circuit/internal/Operation.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"
import type * as HealthReport from "../src/health/internal/HealthReport.ts"

/** Error of a request that the server refused. */
export class Refused extends Error {
  readonly status: number
  /** Milliseconds after which the server wants to be asked again, 0 if it does not say. */
  readonly retryAfter: number

  constructor({ headers, status }: Response, message: string) {
    super(message)
    this.status = status
    const seconds = Number(headers.get("retry-after"))
    this.retryAfter = seconds > 0 && seconds <= 60 ? seconds * 1000 : 0
  }
}

/** The page's own path, which is the prefix of the control plane also behind a proxy that adds a path. */
const prefix = location.pathname.replace(/\/+$/, "")

/**
 * Returns the address of a route. With the origin before it, a path that begins
 * with two slashes is not taken for another host.
 */
export const urlOf = (path: string): string => `${location.origin}${prefix}${path}`

/** Returns the headers that authorize a request. */
export const authorization = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** Returns the error of a response that is not a success. */
export const refusal = async (response: Response): Promise<Refused> => {
  try {
    // Errors of the control plane have a message. Others come from a proxy.
    const { message } = (await response.json()) as { readonly message?: unknown }
    if (typeof message === "string") return new Refused(response, message)
  } catch {
    // Not JSON.
  }
  return new Refused(response, `The server answered with ${response.status}`)
}

/** How often a reading request that came too soon is sent again. */
const maxRepeats = 3

const request = async (path: string, token: string | undefined, init: RequestInit = {}): Promise<unknown> => {
  for (let repeats = 0; ; repeats++) {
    const response = await fetch(urlOf(path), {
      cache: "no-store",
      ...init,
      headers: { ...authorization(token), ...(init.body === undefined ? {} : { "content-type": "application/json" }) },
      signal: AbortSignal.timeout(10_000)
    })
    if (response.ok) return response.json()
    const refused = await refusal(response)
    // Changes are the operator's to repeat.
    if (refused.status !== 429 || init.method === "POST" || repeats >= maxRepeats) throw refused
    await new Promise((resolve) => setTimeout(resolve, refused.retryAfter))
  }
}

// The casts are safe: the server encodes its answers with the same types.

/** Returns the latest changes of all circuits, the newest last. */
export const changes = (token: string | undefined) =>
  request("/changes", token) as Promise<ReadonlyArray<ControlApi.Change>>

/** Returns one circuit with its latest changes. */
export const circuit = (token: string | undefined, { key, name }: { readonly name: string; readonly key?: string }) =>
  request(`/circuit?${new URLSearchParams(key === undefined ? { name } : { name, key }).toString()}`, token) as Promise<
    (typeof ControlApi.CircuitWithHistory)["Type"]
  >

/** Returns the health report. */
export const health = (token: string | undefined) => request("/health", token) as Promise<HealthReport.ReportJson>

/** Returns the policies that the application describes. */
export const policies = (token: string | undefined) =>
  request("/policies", token) as Promise<ReadonlyArray<(typeof ControlApi.PolicyDescription)["Type"]>>

/** Changes a circuit, and returns it. */
export const operate = (token: string | undefined, operation: Operation.Action, payload: object) =>
  request(`/${operation}`, token, { method: "POST", body: JSON.stringify(payload) }) as Promise<ControlApi.Circuit>
