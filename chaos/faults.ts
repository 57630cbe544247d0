/**
 * Faults of a store: how each begins and ends.
 */
import { Effect } from "effect"
import type { Proxy } from "./proxy.ts"
import type { PostgresServer, Server } from "./servers.ts"

/**
 * A fault.
 */
export interface Fault {
  readonly name: string
  /** Whether no process can use the store while it lasts. */
  readonly isolates: boolean
  readonly begin: Effect.Effect<void>
  /** Succeeds when the store is back. */
  readonly end: Effect.Effect<void>
}

const inProxies = (
  proxies: ReadonlyArray<Proxy>,
  name: string,
  isolates: boolean,
  mode: Parameters<Proxy["become"]>[0]
): Fault => {
  const all = (next: typeof mode) => Effect.forEach(proxies, (proxy) => proxy.become(next), { discard: true })
  return { name, isolates, begin: all(mode), end: all({ _tag: "Passes" }) }
}

/**
 * Returns the faults that every server has. `proxies` stand between it and its
 * processes.
 */
export const ofServer = (server: Server, proxies: ReadonlyArray<Proxy>): ReadonlyArray<Fault> => [
  { name: "stopped", isolates: true, begin: server.stop, end: server.start },
  { name: "killed", isolates: true, begin: server.kill, end: server.start },
  { name: "restarted", isolates: false, begin: Effect.andThen(server.stop, server.start), end: Effect.void },
  { name: "frozen", isolates: true, begin: server.freeze, end: server.thaw },
  inProxies(proxies, "slow", false, { _tag: "Delays", least: 100, most: 1000 }),
  inProxies(proxies, "lost-replies", false, { _tag: "LosesReplies", to: /"operation":/ }),
  inProxies(proxies, "cut", false, { _tag: "Cuts", every: 150 }),
  inProxies(proxies, "silent", true, { _tag: "Silent" })
]

/**
 * Returns the faults that only PostgreSQL has.
 */
export const ofPostgres = (server: PostgresServer): ReadonlyArray<Fault> => [
  { name: "table-dropped", isolates: false, begin: server.dropTable, end: server.makeTable },
  { name: "password-changed", isolates: true, begin: server.changePassword, end: server.restorePassword }
]
