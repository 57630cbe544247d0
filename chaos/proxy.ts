/**
 * A TCP proxy that a process has between itself and a server, and that breaks
 * as it is told.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { connect, createServer } from "node:net"
import type { Socket } from "node:net"

/**
 * What a proxy does with connections.
 *
 * - `Passes`: hands on what it gets.
 * - `Delays`: hands on what it gets later, each piece by another time.
 * - `LosesReplies`: hands on what matches, waits for the reply, and ends the
 *   connection in its place. The server has done what it was asked for.
 * - `Cuts`: ends each connection some time after it began.
 * - `Silent`: takes connections and hands nothing on. Connections that were open
 *   meanwhile stay silent afterwards, as those do that a firewall forgot.
 */
export type Mode =
  | { readonly _tag: "Passes" }
  | { readonly _tag: "Delays"; readonly least: number; readonly most: number }
  | { readonly _tag: "LosesReplies"; readonly to: RegExp }
  | { readonly _tag: "Cuts"; readonly every: number }
  | { readonly _tag: "Silent" }

/**
 * A running proxy.
 */
export interface Proxy {
  readonly port: number
  /** Does something else from now on. */
  readonly become: (mode: Mode) => Effect.Effect<void>
  /** How many connections there are. */
  readonly connections: () => number
}

/** Hands pieces on in their order, each after what `wait` says. */
const later = (to: Socket, wait: () => number) => {
  let due = 0
  return (piece: Buffer) => {
    const now = performance.now()
    due = Math.max(due, now + wait())
    if (due <= now) to.write(piece)
    else setTimeout(() => to.writable && to.write(piece), due - now)
  }
}

/**
 * Starts a proxy of a port on loopback that passes, until the scope closes.
 */
export const make = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let mode: Mode = { _tag: "Passes" }
    const pairs = new Set<{ silent: boolean; readonly end: () => void }>()

    const wait = () => (mode._tag === "Delays" ? mode.least + Math.random() * (mode.most - mode.least) : 0)
    const serve = (client: Socket) => {
      const server = connect(target, "127.0.0.1")
      const end = () => {
        pairs.delete(pair)
        client.destroy()
        server.destroy()
      }
      const pair = { silent: mode._tag === "Silent", end }
      pairs.add(pair)
      let losing = false
      const up = later(server, wait)
      const down = later(client, wait)
      client.setNoDelay(true).on("data", (piece) => {
        if (pair.silent) return
        if (mode._tag === "LosesReplies" && mode.to.test(piece.toString("latin1"))) losing = true
        up(piece)
      })
      server.setNoDelay(true).on("data", (piece) => {
        if (pair.silent) return
        if (losing) end()
        else down(piece)
      })
      // Silence hides from the client that the server is gone.
      server.on("close", () => {
        if (!pair.silent) setTimeout(end, wait())
      })
      server.on("error", () => {
        if (!pair.silent) end()
      })
      client.on("close", end).on("error", end)
      if (mode._tag === "Cuts") setTimeout(end, mode.every)
    }

    const port = yield* Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
        const listener = createServer(serve).listen(0, "127.0.0.1", () => {
          const address = listener.address()
          const close = () => void listener.close()
          resume(Effect.succeed({ port: typeof address === "object" && address !== null ? address.port : 0, close }))
        })
      }),
      ({ close }) =>
        Effect.sync(() => {
          close()
          for (const { end } of pairs) end()
        })
    )

    return {
      port: port.port,
      connections: () => pairs.size,
      become: (next) =>
        Effect.sync(() => {
          mode = next
          for (const pair of pairs) {
            if (next._tag === "Silent") pair.silent = true
            if (next._tag === "Cuts") setTimeout(pair.end, next.every * Math.random())
          }
        })
    }
  })
