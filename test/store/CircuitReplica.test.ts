import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CircuitReplica from "../../src/store/internal/CircuitReplica.ts"
import * as CircuitState from "../../src/circuit/CircuitState.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"

const closed = (generation: number, since = 0): CircuitState.CircuitState => ({
  ...CircuitState.initial,
  generation,
  since
})
const open = (generation: number, since: number): CircuitState.CircuitState => ({
  _tag: "Open",
  generation,
  since,
  openings: 1,
  openMillis: 1000,
  reason: "tripped"
})
const held = (generation: number, since: number): CircuitState.CircuitState => ({ _tag: "HeldOpen", generation, since })

const row = (version: number, state: CircuitState.CircuitState, operation = "theirs"): CircuitTable.Row => ({
  ...CircuitTable.draft("payments", { state, operation }, "other"),
  version,
  updatedAt: 0
})
const malformed = (version: number, updatedAt = 0): CircuitTable.Row => ({
  resourceKey: "payments",
  version,
  data: "{",
  updatedBy: "somebody",
  updatedAt
})

/** A replica in step with version 10, unless something else is said. */
const replicaOf = (
  current: CircuitState.CircuitState,
  known: Partial<CircuitReplica.Replica> = {},
  name = "payments"
): CircuitReplica.Replica => ({
  ...CircuitReplica.make({ name, key: undefined, current, changed: () => Effect.void }),
  version: 10,
  ...known
})

describe("step", () => {
  it("changes the view alone, which is dirty then", () => {
    const replica = replicaOf(closed(0))
    const applied = CircuitReplica.step(replica, 5, (_, now) => [open(1, now), "opened"])
    assert.deepStrictEqual(applied, { before: closed(0), after: open(1, 5), answer: "opened" })
    assert.deepStrictEqual([replica.cell.current, replica.dirty], [open(1, 5), true])
  })

  it("that changes nothing leaves the view in step", () => {
    const replica = replicaOf(closed(0))
    CircuitReplica.step(replica, 5, (state) => [state, undefined])
    assert.isFalse(replica.dirty)
  })

  it("of a circuit that has no row leaves nothing to tell", () => {
    for (const [length, isShared] of [
      [750, true],
      [751, false]
    ] as const) {
      const replica = replicaOf(closed(0), {}, "a".repeat(length))
      CircuitReplica.step(replica, 5, () => [open(1, 5), undefined])
      assert.deepStrictEqual([CircuitReplica.isShared(replica), replica.dirty], [isShared, isShared])
    }
  })
})

describe("shift", () => {
  it("moves the times of the view, and changes nothing else", () => {
    const replica = replicaOf(open(3, 1000))
    CircuitReplica.shift(replica, -50)
    assert.deepStrictEqual(replica.cell.current, open(3, 950))
    assert.isFalse(replica.dirty)
  })
})

describe("adopt", () => {
  it("makes the row the view, with its times on the clock of the process", () => {
    const replica = replicaOf(closed(3, 40), { dirty: false, writing: "mine", moves: 7 })
    const adopted = CircuitReplica.adopt(replica, row(11, open(4, 1050)), 1000)
    assert.deepStrictEqual(adopted, { before: closed(3, 40), after: open(4, 50), isReadable: true })
    assert.strictEqual(replica.cell.current, adopted.after)
    assert.deepInclude(replica, { version: 11, dirty: false, writing: undefined, moves: 8, generations: 0 })
  })

  it("keeps a view that is the same for all who look at it", () => {
    const view = open(4, 50)
    const replica = replicaOf(view)
    const { after, before } = CircuitReplica.adopt(replica, row(11, open(4, 1050)), 1000)
    assert.strictEqual(after, view)
    assert.strictEqual(before, view)
    assert.strictEqual(replica.cell.current, view)
    assert.strictEqual(replica.version, 11)
  })

  it("never lets a generation fall, and ends one that the process came to alone", () => {
    const generation = (
      view: CircuitState.CircuitState,
      known: Partial<CircuitReplica.Replica>,
      state: CircuitState.CircuitState
    ) => {
      const replica = replicaOf(view, known)
      CircuitReplica.adopt(replica, row(11, state), 0)
      return [replica.cell.current.generation, replica.generations]
    }
    assert.deepStrictEqual(generation(closed(3), {}, closed(5, 9)), [5, 0])
    assert.deepStrictEqual(generation(closed(3), {}, closed(1, 9)), [3, 2])
    assert.deepStrictEqual(generation(closed(3), { generations: 4 }, closed(1, 9)), [5, 4])
    assert.deepStrictEqual(generation(closed(3), { dirty: true }, closed(1, 9)), [4, 3])
    // Nothing was admitted by a generation that is open.
    assert.deepStrictEqual(generation(open(3, 1), { dirty: true }, open(1, 9)), [3, 2])
    assert.deepStrictEqual(generation(open(3, 1), { dirty: true }, closed(1, 9)), [4, 3])
    assert.deepStrictEqual(generation(closed(3), { dirty: true }, open(1, 9)), [4, 3])
  })

  it("tells another state from the one before by its generation", () => {
    const generation = (view: CircuitState.CircuitState, state: CircuitState.CircuitState) => {
      const replica = replicaOf(view)
      CircuitReplica.adopt(replica, row(11, state), 0)
      return [replica.cell.current.generation, replica.generations]
    }
    assert.deepStrictEqual(generation(closed(3), open(3, 9)), [4, 1])
    assert.deepStrictEqual(generation(held(3, 1), closed(1, 9)), [4, 3])
    assert.deepStrictEqual(generation(closed(3), open(4, 9)), [4, 0])
    assert.deepStrictEqual(generation(open(3, 1), open(3, 9)), [3, 0])
  })

  it("counts a row that cannot be read as closed", () => {
    for (const view of [held(3, 40), open(3, 40)]) {
      const replica = replicaOf(view, { dirty: true })
      const { after, isReadable } = CircuitReplica.adopt(replica, malformed(11, 1070), 1000)
      assert.isFalse(isReadable)
      assert.deepStrictEqual(after, closed(4, 70))
      assert.deepInclude(replica, { version: 11, dirty: false })
    }
  })
})

describe("knowsMore", () => {
  it("a row that was made again is behind the view: of a lower generation, or of another state in the same", () => {
    const knows = (view: CircuitState.CircuitState, theirs: CircuitTable.Row, known = {}) =>
      CircuitReplica.knowsMore(replicaOf(view, known), theirs)
    assert.isTrue(knows(open(3, 1), row(11, closed(2))))
    assert.isTrue(knows(open(3, 1), row(10, closed(2))))
    assert.isTrue(knows(open(3, 1), row(11, closed(3))))
    assert.isFalse(knows(open(3, 1), row(11, open(3, 5))))
    assert.isFalse(knows(open(3, 1), row(11, closed(4))))
    assert.isFalse(knows(open(3, 1), row(11, closed(2)), { generations: 2 }))
    // A table that was set back goes before what the process knows, as does nothing that can be read.
    assert.isFalse(knows(open(3, 1), row(9, closed(2))))
    assert.isFalse(knows(open(3, 1), malformed(11)))
    assert.isFalse(knows(closed(3), row(11, closed(2))))
  })
})

describe("receive", () => {
  const receives = (theirs: CircuitTable.Row, known: Partial<CircuitReplica.Replica> = {}, moves?: number) =>
    CircuitReplica.receive(replicaOf(open(3, 1), known), theirs, moves)

  it("adopts what is newer, and nothing that is not", () => {
    assert.strictEqual(receives(row(11, closed(4))), "adopt")
    assert.strictEqual(receives(row(10, closed(4))), "nothing")
    assert.strictEqual(receives(row(9, closed(4))), "nothing")
  })

  it("adopts what is older where the table was set back since it was asked, and no answer that came late", () => {
    assert.strictEqual(receives(row(9, closed(4)), { moves: 7 }, 7), "adopt")
    assert.strictEqual(receives(row(9, closed(4)), { moves: 8 }, 7), "nothing")
    assert.strictEqual(receives(row(10, closed(4)), { moves: 7 }, 7), "nothing")
  })

  it("reconciles what was changed alone, and what is behind the view", () => {
    assert.strictEqual(receives(row(11, closed(4)), { dirty: true }), "reconcile")
    const replica = replicaOf(open(3, 1))
    assert.strictEqual(CircuitReplica.receive(replica, row(11, closed(2))), "reconcile")
    assert.isTrue(replica.dirty)
  })

  it("keeps the newest for later while an operation will write the view", () => {
    const replica = replicaOf(open(3, 1), { busy: true })
    for (const version of [11, 13, 12]) {
      assert.strictEqual(CircuitReplica.receive(replica, row(version, closed(4))), "nothing")
    }
    assert.strictEqual(replica.received?.version, 13)
  })
})

describe("prevails", () => {
  const mine = open(3, 100)
  const prevails = (theirs: CircuitTable.Row | undefined, known: Partial<CircuitReplica.Replica> = {}) => {
    const replica = replicaOf(mine, { dirty: true, ...known })
    return [CircuitReplica.prevails(replica, theirs, 200, 1000), replica.generations]
  }

  it("over no row, and over one that nobody else wrote since", () => {
    assert.deepStrictEqual(prevails(undefined), [true, 0])
    assert.deepStrictEqual(prevails(row(10, held(5, 1))), [true, 0])
    assert.deepStrictEqual(prevails(row(11, held(5, 1), "mine"), { writing: "mine" }), [true, 0])
    assert.deepStrictEqual(prevails(malformed(11)), [true, 0])
  })

  it("over a row as keepsMine says, in a generation after that of the row", () => {
    assert.deepStrictEqual(prevails(row(11, closed(7, 1050))), [true, -5])
    assert.deepStrictEqual(prevails(row(11, closed(1, 1050))), [true, 0])
    assert.deepStrictEqual(prevails(row(11, held(1, 1050))), [false, 0])
    // At the table's time it is 1200: this one was open until 1150, and is after mine.
    assert.deepStrictEqual(prevails(row(11, closed(7, 1150))), [false, 0])
  })
})

describe("draft", () => {
  it("has the times of the table's clock and the generation of the row, and a name for the write that is its own", () => {
    const replica = replicaOf(closed(0), { generations: 2, moves: 4 })
    const by = { by: "me", session: "s", offset: 1000 }
    const draft = CircuitReplica.draft(replica, open(5, 50), by)
    assert.deepInclude(draft, { resourceKey: "payments", state: "OPEN", updatedBy: "me" })
    const entry = CircuitTable.decode(draft.data)
    assert.deepStrictEqual(entry?.state, open(3, 1050))
    assert.strictEqual(entry?.operation, replica.writing)
    CircuitReplica.written(replica, 11)
    CircuitReplica.draft(replica, open(5, 50), by)
    assert.notStrictEqual(entry?.operation, replica.writing)
  })

  it("has the name of a write before it of which nobody knows whether it was done", () => {
    const replica = replicaOf(open(5, 50), { dirty: true })
    const by = { by: "me", session: "s", offset: 0 }
    const { data } = CircuitReplica.draft(replica, open(5, 50), by)
    CircuitReplica.draft(replica, open(5, 50), by)
    assert.isTrue(CircuitReplica.prevails(replica, { ...row(11, open(5, 50)), data }, 60, 0))
  })

  it("is known again by its reader where its reply was lost, until it is known to be written", () => {
    const replica = replicaOf(closed(3), { dirty: true })
    const { data } = CircuitReplica.draft(replica, closed(3), { by: "me", session: "s", offset: 0 })
    const own = { ...row(11, closed(3)), data }
    assert.isTrue(CircuitReplica.prevails(replica, own, 0, 0))
    const { moves } = replica
    CircuitReplica.written(replica, 11)
    assert.deepInclude(replica, { version: 11, moves: moves + 1, writing: undefined })
  })

  it("makes an answer late that was asked for before", () => {
    const replica = replicaOf(closed(3))
    const { moves } = replica
    CircuitReplica.draft(replica, closed(3), { by: "me", session: "s", offset: 0 })
    CircuitReplica.written(replica, 11)
    assert.strictEqual(CircuitReplica.receive(replica, row(10, open(4, 1)), moves), "nothing")
  })
})
