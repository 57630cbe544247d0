/**
 * Ports for servers of tests.
 */
import { randomInt } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:net"

/**
 * Returns a free port, below those that systems give to connections: one of
 * them would take the port of a server that is stopped, and a client could even
 * connect to itself.
 */
export const freePort = async (): Promise<number> => {
  const port = randomInt(10_000, 30_000)
  const server = createServer().listen(port, "127.0.0.1")
  try {
    await once(server, "listening")
  } catch {
    return freePort()
  }
  server.close()
  await once(server, "close")
  return port
}
