/**
 * Asks for a path as fast as it can, over several connections, and says every
 * answer by its status when it is told to stop.
 */
import { Agent, get } from "node:http"

const [port, path = "", connections] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const statuses: Record<string, number> = {}

const ask = (): void => {
  const again = (): void => void setImmediate(ask)
  const request = get({ host: "127.0.0.1", port, path: `/resilience${path}`, agent }, (response) => {
    const status = String(response.statusCode)
    statuses[status] = (statuses[status] ?? 0) + 1
    if (path === "/events" && status === "200") {
      // Joins, and leaves.
      response.once("data", () => request.destroy())
      response.once("close", again)
    } else {
      response.once("end", again)
    }
    response.on("error", () => {})
    response.resume()
  })
  request.on("error", again)
}

for (let i = 0; i < Number(connections); i++) ask()
process.on("message", () => {
  process.send?.(statuses, () => process.exit(0))
})
