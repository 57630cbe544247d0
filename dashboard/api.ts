/**
 * Requests to the control plane that serves the page.
 */
import type * as Operation from "../src/circuit/internal/Operation.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"
import type * as HealthReport from "../src/health/internal/HealthReport.ts"

/** Error of a request. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The page's own path is the prefix of the control plane, whatever a proxy makes of it. */
const prefix = location.pathname.replace(/\/+$/, "")

/** Returns the address of a route. */
export const urlOf = (path: string): string => `${prefix}${path}`

/** Returns the headers that authorize a request. */
export const authorization = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** Returns why a request was refused. */
export const refusal = async (response: Response): Promise<Refused> => {
  try {
    // The control plane's errors say what is wrong; anything else is of somebody between.
    const { message } = (await response.json()) as { readonly message?: unknown }
    if (typeof message === "string") return new Refused(response.status, message)
  } catch {
    // It was no JSON.
  }
  return new Refused(response.status, `The server answered with ${response.status}`)
}

const request = async (path: string, token: string | undefined, init: RequestInit = {}): Promise<unknown> => {
  const response = await fetch(urlOf(path), {
    cache: "no-store",
    ...init,
    headers: { ...authorization(token), ...(init.body === undefined ? {} : { "content-type": "application/json" }) },
    signal: AbortSignal.timeout(10_000)
  })
  if (!response.ok) throw await refusal(response)
  return response.json()
}

// The answers are what the same definition encodes.

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
