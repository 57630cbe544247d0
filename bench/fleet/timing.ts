/**
 * How long a trip takes to reach the last of several processes, beside a bare
 * message of the database between the same processes.
 */
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import type { Note, Order } from "./worker.ts"

const processes = 6

interface Worker {
  readonly child: ChildProcess
  readonly notes: Array<Note>
}

/** Latencies in milliseconds, from the first process to the last. */
export interface Timing {
  readonly trips: ReadonlyArray<number>
  readonly bare: ReadonlyArray<number>
}

export const time = async (url: string, rounds: number): Promise<Timing> => {
  let wake = () => {}
  const workers: ReadonlyArray<Worker> = Array.from({ length: processes }, (_, i) => {
    const child = fork(`${import.meta.dirname}/worker.ts`, {
      execArgv: ["--conditions=effect-resilience-source"],
      env: { ...process.env, BENCH_URL: url, BENCH_INSTANCE: `worker ${i}` }
    })
    const notes: Array<Note> = []
    child.on("message", (note: Note) => {
      notes.push(note)
      wake()
    })
    return { child, notes }
  })
  /** Waits until each has noted it, and returns when the last one did. */
  const all = async (what: Note["what"]): Promise<number> => {
    const deadline = performance.now() + 30_000
    const noted = () => workers.map(({ notes }) => notes.find((note) => note.what === what)?.at)
    while (noted().includes(undefined)) {
      if (performance.now() > deadline) {
        throw new Error(`after 30 s ${noted().filter((at) => at === undefined).length} of ${processes} are not ${what}`)
      }
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, 1000)
      })
    }
    return Math.max(...noted().map((at) => at ?? Number.NaN))
  }
  const order = (i: number, what: Order) => {
    for (const { notes } of workers) notes.length = 0
    workers[i % processes]?.child.send(what)
  }
  try {
    await all("ready")
    const trips: Array<number> = []
    const bare: Array<number> = []
    // As long as the row of the circuit, which a trip has to carry.
    const payload = "x".repeat(300)
    for (let round = 0; round < rounds + 10; round++) {
      order(round, { do: "send", payload })
      const received = await all("received")
      const sent = workers[round % processes]?.notes.find(({ what }) => what === "sent")?.at ?? Number.NaN
      order(round, { do: "trip" })
      const last = await all("Open")
      const first = Math.min(...workers.map(({ notes }) => notes.find(({ what }) => what === "Open")?.at ?? Number.NaN))
      order(round + 1, { do: "reset" })
      await all("Closed")
      // The first rounds warm up.
      if (round < 10) continue
      bare.push(received - sent)
      trips.push(last - first)
    }
    return { trips, bare }
  } finally {
    for (const { child } of workers) child.kill()
  }
}
