/**
 * Measures a route beside a control plane while a client asks the control plane
 * as fast as it can. Server and client are processes of their own.
 */
import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { Agent, get } from "node:http"
import { join } from "node:path"
import type { Samples } from "../measure.ts"

/** Paths that are asked for, with the connections. */
export const attacks: Readonly<Record<string, readonly [path: string, connections: number]>> = {
  "2000 circuits": ["/circuits?limit=2000", 32],
  "1 circuit": ["/circuits?limit=1", 32],
  "joined streams": ["/events", 32],
  changes: ["/changes", 32],
  page: ["", 32]
}

const rounds = 7
const warmUp = 1
const roundMillis = 1500

const start = (file: string, args: ReadonlyArray<string> = []): ChildProcess =>
  fork(join(import.meta.dirname, file), args, {
    execArgv: ["--conditions=effect-resilience-source", "--no-warnings"]
  })

/** Milliseconds of one request after the other, for the time of a round. */
const probe = async (port: number, agent: Agent): Promise<ReadonlyArray<number>> => {
  const took: Array<number> = []
  const end = performance.now() + roundMillis
  while (performance.now() < end) {
    const began = performance.now()
    await new Promise<void>((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: "/livez", agent }, (response) => {
        response.on("end", resolve).resume()
      }).on("error", reject)
    })
    took.push(performance.now() - began)
  }
  return took
}

const percentile = (numbers: ReadonlyArray<number>, share: number): number =>
  [...numbers].sort((a, b) => a - b)[Math.ceil(numbers.length * share) - 1] ?? Number.NaN

/** Returns the 99th percentile of each round in nanoseconds, with nobody else asking and with each client. */
export const samples = async (): Promise<Samples> => {
  const server = start("server.ts")
  const [port] = (await once(server, "message")) as [number]
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const measured: Record<string, Array<number>> = {}
  const note = (name: string, took: ReadonlyArray<number>, round: number): void => {
    if (round >= warmUp) (measured[name] ??= []).push(percentile(took, 0.99) * 1e6)
  }
  for (let round = 0; round < rounds + warmUp; round++) {
    note("idle", await probe(port, agent), round)
    for (const [name, [path, connections]] of Object.entries(attacks)) {
      const client = start("client.ts", [String(port), path, String(connections)])
      await new Promise((resolve) => setTimeout(resolve, 700))
      const took = await probe(port, agent)
      note(name, took, round)
      client.send("stop")
      // Says what the answers were by their status, which is not part of the result.
      await once(client, "message")
      if (client.exitCode === null) await once(client, "exit")
    }
  }
  server.kill()
  return measured
}
