/**
 * List of circuits at a moment, encoded once for all readers.
 *
 * **Details**
 *
 * Each circuit is encoded when somebody first asks for so many of them. Shorter
 * lists are made of the same pieces.
 */
import * as Effect from "effect/Effect"
import * as Events from "./Events.ts"
import type { Chosen } from "./Listing.ts"

/** Number of lengths for which the bytes of a list are kept. */
const keptLengths = 4

/** Number of circuits that are encoded without a pause. */
const encodedAtOnce = 50

const encoder = /* @__PURE__ */ (() => new TextEncoder())()

/**
 * Circuit of a list, encoded.
 */
export interface Piece {
  /** JSON of the name and the key. */
  readonly id: string
  readonly json: string
}

/**
 * List of circuits at a moment.
 */
export class CircuitList {
  /** When the list was taken. */
  readonly at: number
  /** Number of all circuits, listed or not. */
  readonly total: number
  private readonly chosen: ReadonlyArray<Chosen>
  private readonly encode: (chosen: Chosen) => string
  private readonly pieces: Array<Piece> = []
  private readonly bodies = new Map<number, Uint8Array>()
  private readonly snapshots = new Map<number, Uint8Array>()

  constructor(at: number, total: number, chosen: ReadonlyArray<Chosen>, encode: (chosen: Chosen) => string) {
    this.at = at
    this.total = total
    this.chosen = chosen
    this.encode = encode
  }

  /** Returns the length of a list of at most `limit` circuits. */
  lengthOf(limit: number): number {
    return Math.min(limit, this.chosen.length)
  }

  /**
   * Encodes at most `limit` circuits, some at a time, so that other work is done in
   * between. Others may do the same: what one has encoded the others leave out.
   */
  prepare(limit: number): Effect.Effect<this> {
    return Effect.suspend(() => {
      const wanted = Math.min(limit, this.pieces.length + encodedAtOnce)
      return this.take(wanted).length < this.lengthOf(limit)
        ? Effect.flatMap(Effect.yieldNow, () => this.prepare(limit))
        : Effect.succeed(this)
    })
  }

  /** Returns at most `limit` circuits. */
  take(limit: number): ReadonlyArray<Piece> {
    const length = this.lengthOf(limit)
    for (let i = this.pieces.length; i < length; i++) {
      const chosen = this.chosen[i] as Chosen // below the length
      const [{ name }, { key }] = chosen
      this.pieces.push({ id: Events.identify(name, key), json: this.encode(chosen) })
    }
    return length === this.pieces.length ? this.pieces : this.pieces.slice(0, length)
  }

  /** Returns the bytes of the list with at most `limit` circuits. They are shared: nobody may change them. */
  body(limit: number): Uint8Array {
    return kept(this.bodies, this.lengthOf(limit), () => encoder.encode(`{"at":${this.at},${this.rest(limit)}`))
  }

  /**
   * Returns the bytes of the event of the list, which say that it is `now`: a
   * reader takes the clock of the server from them. All but the first of them are
   * shared by all readers.
   */
  snapshot(limit: number, now: number): readonly [head: Uint8Array, rest: Uint8Array] {
    const rest = kept(this.snapshots, this.lengthOf(limit), () => encoder.encode(`${this.rest(limit)}\n\n`))
    return [encoder.encode(`event: snapshot\ndata: {"at":${now},`), rest]
  }

  private rest(limit: number): string {
    const pieces = this.take(limit).map(({ json }) => json)
    return `"circuits":[${pieces.join()}],"total":${this.total}}`
  }
}

const kept = (all: Map<number, Uint8Array>, length: number, make: () => Uint8Array): Uint8Array => {
  let bytes = all.get(length)
  if (bytes === undefined) {
    bytes = make()
    for (const oldest of all.keys()) {
      if (all.size < keptLengths) break
      all.delete(oldest)
    }
    all.set(length, bytes)
  }
  return bytes
}
