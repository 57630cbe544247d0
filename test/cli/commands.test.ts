import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import * as CircuitTable from "../../src/store/CircuitTable.ts"
import * as Output from "../../src/cli/output/Output.ts"
import { displayWidth } from "effect/cli/CliOutput"
import { open, password, put, run, url, world } from "./support.ts"

const decode = <T, E>(schema: Schema.Codec<T, E>, text: string): T =>
  Schema.decodeUnknownSync(Schema.fromJsonString(schema))(text)

const held = { _tag: "HeldOpen", generation: 1, since: 1000, until: 601_000, reason: "maintenance", by: "ada" } as const

describe("status", () => {
  it.effect("shows state, since, failures, next probe, holder, reason and who changed it", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* TestClock.setTime(1000)
      yield* put(fleet, "payments", { ...open, since: 1000 }, "web-1")
      yield* put(fleet, "search:eu", held, "ada")
      yield* put(fleet, "quiet", { _tag: "Closed", generation: 1, since: 1000, openings: 0, openMillis: 0 }, "web-2")
      yield* TestClock.setTime(13_000)
      const { code, err, out } = yield* run(fleet, ["status"])
      assert.strictEqual(err, "")
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(out.split("\n"), [
        "CIRCUIT    STATE      SINCE    FAILURES  NEXT PROBE  CHANGED BY",
        "payments   OPEN       12s ago         5  in 18s      web-1",
        "    opened: 5 consecutive failures",
        "search:eu  HELD OPEN  12s ago         -  in 9m 48s   ada",
        "    held by ada, ends in 9m 48s: maintenance",
        "quiet      CLOSED     12s ago         -  -           web-2",
        "",
        "3 circuits: 1 closed, 1 open, 1 held open, namespace default"
      ])
    })
  )

  it.effect("warns once of a password that goes to another machine without encryption", () =>
    Effect.gen(function* () {
      const plain = url.replace("sslmode=require", "sslmode=disable")
      const warning =
        "resilience: the password of PostgreSQL goes to db.example without encryption: write sslmode=require into its URL, or set RESILIENCE_DATABASE_TLS to require"
      for (const args of [["status"], ["status", "--json"], ["setup", "--yes"]]) {
        const { code, err } = yield* run(world(), args, { env: { RESILIENCE_DATABASE_URL: plain } })
        assert.deepStrictEqual([code, err], [0, warning])
      }
      assert.strictEqual((yield* run(world(), ["setup", "--dry-run"], { env: { DATABASE_URL: plain } })).err, "")
      const token = { RESILIENCE_CONTROL_TOKEN: "hunter2" }
      const { err } = yield* run(world(), ["release", "x", "--url", "http://no.such.invalid/resilience"], {
        env: token
      })
      assert.strictEqual(
        err,
        "resilience: the token of the control plane goes to no.such.invalid without encryption: write https:// in place of http://\n" +
          "resilience: --reason is required: control plane http://no.such.invalid/resilience logs it"
      )
    })
  )

  it.effect("says that there are none", () =>
    Effect.gen(function* () {
      const { code, out } = yield* run(world(), ["status", "--namespace", "blue"])
      assert.strictEqual(code, 0)
      assert.strictEqual(out, "No circuits in namespace blue.")
    })
  )

  it.effect("shows only those that a pattern stands for", () =>
    Effect.gen(function* () {
      const fleet = world()
      for (const name of ["search", "search:eu", "search:us", "payments"]) yield* put(fleet, name, open)
      const { out } = yield* run(fleet, ["status", "search:*", "--json"])
      const { circuits } = decode(Output.Status, out)
      assert.deepStrictEqual(
        circuits.map(({ circuit, key, name }) => [circuit, name, key]),
        [
          ["search:eu", "search", "eu"],
          ["search:us", "search", "us"]
        ]
      )
    })
  )

  it.effect("refuses an unknown name with exit code 3 and says what is near", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "payments", open)
      const { code, err, out } = yield* run(fleet, ["status", "payment"])
      assert.deepStrictEqual([code, out], [3, ""])
      assert.strictEqual(err, "resilience: no circuit in namespace default is named payment: did you mean payments?")
    })
  )

  it.effect("shows probes that run, and rows that nobody can read", () =>
    Effect.gen(function* () {
      const fleet = world()
      const lease = { permit: 1, since: 0, until: 5000 }
      yield* put(fleet, "a", {
        _tag: "HalfOpen",
        generation: 2,
        since: 0,
        openings: 1,
        openMillis: 1000,
        reason: "x",
        permits: 1,
        leases: [lease],
        successes: 0,
        failures: 0,
        ignoredAt: 0,
        notBefore: 0
      })
      fleet.memory.rows.set("b", { resourceKey: "b", version: 1, data: "{", updatedBy: "?", updatedAt: 0 })
      const text = (yield* run(fleet, ["status"])).out
      assert.include(text, "1 running")
      assert.include(text, "UNREADABLE")
      assert.include(text, "counts as closed")
      const { circuits } = decode(Output.Status, (yield* run(fleet, ["status", "--json"])).out)
      assert.deepStrictEqual(
        circuits.map(({ probing, state }) => [state, probing]),
        [
          ["HALF_OPEN", 1],
          ["UNREADABLE", 0]
        ]
      )
    })
  )

  it.effect("prints names, reasons and instances without a character that moves the cursor", () =>
    Effect.gen(function* () {
      const fleet = world()
      const evil = "\u001b[2J\u202eboo\u0007\r\nOPEN\u2028\u009b31m"
      yield* put(fleet, CircuitTable.resourceKey(evil, evil), { ...held, reason: evil, by: evil }, evil)
      const plain = yield* run(fleet, ["status"])
      const json = yield* run(fleet, ["status", "--json"])
      const again = yield* run(fleet, ["hold-open", "*", "--reason", evil, "--by", evil])
      const missing = yield* run(fleet, ["release", evil])
      const wrong = yield* run(fleet, [evil])
      for (const { err, out } of [plain, json, again, missing, wrong]) {
        assert.notMatch((out + err).replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
      }
      const [circuit] = decode(Output.Status, json.out).circuits
      assert.deepStrictEqual([circuit?.name, circuit?.key, circuit?.reason, circuit?.heldBy], [evil, evil, evil, evil])
    })
  )

  it.effect("shows who votes to open a circuit that takes several votes", () =>
    Effect.gen(function* () {
      const fleet = world()
      const votes = [{ by: "web-1", at: 0 }]
      yield* put(fleet, "a", { _tag: "Closed", generation: 0, since: 0, openings: 0, openMillis: 0, votes })
      assert.include((yield* run(fleet, ["status"])).out, "open only in the instances that vote to open it: web-1")
      const { circuits } = decode(Output.Status, (yield* run(fleet, ["status", "--json"])).out)
      assert.deepStrictEqual(circuits[0]?.voters, ["web-1"])
    })
  )

  it.effect("is at most 80 columns wide, whatever the names and reasons", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "n".repeat(200), { ...open, reason: "word ".repeat(60) + "w".repeat(200) }, "i".repeat(100))
      yield* put(fleet, "支払い".repeat(10), { ...held, reason: "理由".repeat(80) }, "web")
      yield* put(fleet, "short", open)
      const lines = (yield* run(fleet, ["status"])).out.split("\n")
      const wide = lines.filter((line) => displayWidth(line) > 80)
      // A name is never cut: commands take it.
      assert.deepStrictEqual(wide, ["n".repeat(200)])
    })
  )

  it.effect("fails in one line, as JSON where that is asked for", () =>
    Effect.gen(function* () {
      const fleet = world({ down: true })
      assert.deepStrictEqual(yield* run(fleet, ["status"]), { code: 1, out: "", err: "resilience: connection refused" })
      const { err } = yield* run(fleet, ["status", "--json"])
      assert.deepStrictEqual(decode(Output.Failed, err), { error: { exitCode: 1, message: "connection refused" } })
    })
  )
})

describe("holds", () => {
  it.effect("holds open for a while, says until when, and keeps reason and author", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "payments", open)
      yield* TestClock.setTime(5000)
      const { code, out } = yield* run(fleet, ["hold-open", "payments", "--for", "10m", "--reason", "why not"])
      assert.strictEqual(code, 0)
      assert.strictEqual(out, "payments: OPEN -> HELD OPEN for 10m, until 1970-01-01T00:10:05.000Z, by root: why not")
      const row = fleet.memory.rows.get("payments")!
      assert.strictEqual(row.updatedBy, "root")
      assert.deepStrictEqual(CircuitTable.decode(row.data)?.state, {
        _tag: "HeldOpen",
        generation: 2,
        since: 5000,
        until: 605_000,
        reason: "why not",
        by: "root"
      })
    })
  )

  it.effect("holds closed until released, by who is named", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "payments", open)
      const { out } = yield* run(fleet, ["hold-closed", "payments", "--by", "ada", "--json"])
      const { action, changes, namespace } = decode(Output.Changes, out)
      assert.deepStrictEqual([namespace, action, changes.length], ["default", "hold-closed", 1])
      const [change] = changes
      assert.deepStrictEqual(
        [change?.changed, change?.before.state, change?.after.state, change?.after.heldBy, change?.after.heldUntil],
        [true, "OPEN", "HELD_CLOSED", "ada", null]
      )
      assert.strictEqual(change?.after.changedBy, "ada")
      assert.strictEqual(change?.before.changedBy, "web-1")
    })
  )

  it.effect("changes all that a pattern stands for and nothing else", () =>
    Effect.gen(function* () {
      const fleet = world()
      for (const name of ["payments", "payments-eu", "payments:1", "search"]) yield* put(fleet, name, open)
      const { out } = yield* run(fleet, ["reset", "payments*"])
      assert.deepStrictEqual(out.split("\n"), [
        "payments: OPEN -> CLOSED",
        "payments-eu: OPEN -> CLOSED",
        "payments:1: OPEN -> CLOSED"
      ])
      assert.deepStrictEqual(CircuitTable.decode(fleet.memory.rows.get("search")!.data)?.state._tag, "Open")
    })
  )

  it.effect("fails where others write the circuit before each try", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", open)
      fleet.memory.faults.conflicts = true
      for (const command of ["hold-open", "reset"]) {
        const fiber = yield* Effect.forkChild(run(fleet, [command, "a"]), { startImmediately: true })
        yield* TestClock.adjust("15 seconds")
        const { code, err } = yield* Fiber.join(fiber)
        assert.strictEqual(code, 1)
        assert.include(err, "the row of a had another version at each of 20 writes")
      }
    })
  )

  it.effect("says that counts reset where a closed circuit is reset", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", { _tag: "Closed", generation: 3, since: 5, openings: 2, openMillis: 9 })
      assert.strictEqual((yield* run(fleet, ["reset", "a"])).out, "a: CLOSED, counts reset")
      assert.deepInclude(CircuitTable.decode(fleet.memory.rows.get("a")!.data)?.state, { openings: 0, openMillis: 0 })
    })
  )

  it.effect("releases what is held, and says what is not", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", held)
      yield* put(fleet, "b", open)
      const { code, out } = yield* run(fleet, ["release", "*"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(out.split("\n"), ["a: HELD OPEN -> CLOSED", "b: OPEN, not held, nothing changed"])
      assert.strictEqual(fleet.memory.rows.get("b")?.updatedBy, "web-1")
    })
  )

  for (const command of ["hold-open", "hold-closed", "release", "reset"]) {
    for (const name of ["nobody", "nobody*"]) {
      it.effect(`${command} ${name} changes nothing and makes no row where nobody has that name`, () =>
        Effect.gen(function* () {
          const fleet = world()
          yield* put(fleet, "payments", open)
          const before = new Map(fleet.memory.rows)
          const { code, out } = yield* run(fleet, [command, name])
          assert.deepStrictEqual([code, out], [3, ""])
          assert.deepStrictEqual(fleet.memory.rows, before)
        })
      )
    }
  }

  it.effect("says what was changed before a failure", () =>
    Effect.gen(function* () {
      const fleet = world()
      for (const name of ["a", "b"]) yield* put(fleet, name, open)
      const table = fleet.memory.table
      const flaky: CircuitTable.CircuitTable = {
        ...table,
        write: (draft, expected) =>
          draft.resourceKey === "b"
            ? Effect.fail(new CircuitTable.TableError({ message: "gone" }))
            : table.write(draft, expected)
      }
      Object.assign(fleet.memory, { table: flaky })
      const { code, err, out } = yield* run(fleet, ["reset", "*"])
      assert.deepStrictEqual([code, out, err], [1, "a: OPEN -> CLOSED", "resilience: gone"])
    })
  )

  for (const span of ["10", "0s", "-5m", "ten minutes", "5 parsecs", "NaN s", "99999d", "1e9s", ""]) {
    it.effect(`refuses ${JSON.stringify(span)} as a span of time`, () =>
      Effect.gen(function* () {
        const fleet = world()
        yield* put(fleet, "payments", open)
        const { code, out } = yield* run(fleet, ["hold-open", "payments", `--for=${span}`])
        assert.deepStrictEqual([code, out], [2, ""])
        assert.strictEqual(fleet.opened.length, 0)
      })
    )
  }

  for (const [span, millis] of [
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["2 days", 172_800_000],
    ["1.5 hours", 5_400_000],
    ["500ms", 500]
  ] as const) {
    it.effect(`holds for ${span}`, () =>
      Effect.gen(function* () {
        const fleet = world()
        yield* put(fleet, "payments", open)
        const { out } = yield* run(fleet, ["hold-open", "payments", "--for", span, "--json"])
        const after = decode(Output.Changes, out).changes[0]!.after
        assert.strictEqual(after.heldUntil, new Date(millis).toISOString())
      })
    )
  }
})

describe("setup", () => {
  it.effect("shows the target and the SQL with --dry-run, which connects to nothing and wins over --yes", () =>
    Effect.gen(function* () {
      const fleet = world()
      const { code, err, out } = yield* run(fleet, ["setup", "--dry-run", "--yes", "--table", "mine"])
      assert.deepStrictEqual([code, err, fleet.opened.length], [0, "", 0])
      for (const part of ["db.example", "5433", "orders", "mine", 'CREATE TABLE "mine" (', "CREATE INDEX"]) {
        assert.include(out, part)
      }
      assert.notInclude(out, "hunter2")
    })
  )

  it.effect("says created, then current", () =>
    Effect.gen(function* () {
      const fleet = world()
      assert.include((yield* run(fleet, ["setup", "--yes"])).out, "Created the table.")
      assert.include((yield* run(fleet, ["setup", "-y"])).out, "already up to date")
    })
  )

  it.effect("asks at a terminal, and does as it is told", () =>
    Effect.gen(function* () {
      const fleet = world()
      const no = yield* run(fleet, ["setup"], { answer: "n" })
      assert.deepStrictEqual([no.code, no.err, fleet.opened.length], [1, "resilience: not run: nothing changed", 0])
      const yes = yield* run(fleet, ["setup"], { answer: "y" })
      assert.deepStrictEqual([yes.code, fleet.opened.length], [0, 1])
      assert.include(yes.out, "Created the table.")
    })
  )

  it.effect("fails where there is no terminal to ask on", () =>
    Effect.gen(function* () {
      const fleet = world()
      const { code, err } = yield* run(fleet, ["setup"])
      assert.deepStrictEqual([code, fleet.opened.length], [1, 0])
      assert.include(err, "--yes")
    })
  )

  it.effect("prints JSON", () =>
    Effect.gen(function* () {
      const fleet = world()
      const shown = decode(Output.Setup, (yield* run(fleet, ["setup", "--dry-run", "--json"])).out)
      assert.include(shown.statements[0], 'CREATE TABLE "resilience_circuits" (')
      assert.deepStrictEqual(
        { ...shown, statements: [] },
        {
          target: "PostgreSQL at db.example:5433, database orders, user app, TLS require",
          type: "postgres",
          host: "db.example",
          port: 5433,
          database: "orders",
          user: "app",
          table: "resilience_circuits",
          statements: [],
          remake: ['DELETE FROM "resilience_circuits_migrations" WHERE step > 0'],
          outcome: "shown"
        }
      )
      assert.strictEqual(decode(Output.Setup, (yield* run(fleet, ["setup", "--yes", "--json"])).out).outcome, "created")
      const asked = yield* run(fleet, ["setup", "--json"], { answer: "y" })
      assert.deepStrictEqual([asked.code, asked.out], [2, ""])
    })
  )

  it.effect("has nothing to do for Redis", () =>
    Effect.gen(function* () {
      const fleet = world()
      const { code, out } = yield* run(fleet, ["setup", "--url", "redis://h/2"])
      assert.deepStrictEqual([code, fleet.opened.length], [0, 0])
      assert.include(out, "Nothing to set up")
    })
  )
})

describe("watch", () => {
  it.effect("prints a line for each change, and continues through an outage", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", open)
      const fiber = yield* Effect.forkChild(run(fleet, ["watch", "--json"], { shared: true }), {
        startImmediately: true
      })
      const lines = Effect.map(TestConsole.logLines, (lines) => lines.join("\n"))
      yield* TestClock.adjust(10)
      yield* put(fleet, "b", held)
      yield* TestClock.adjust(200)
      fleet.memory.faults.down = true
      yield* TestClock.adjust(5000)
      fleet.memory.faults.down = false
      fleet.memory.rows.delete("a")
      yield* TestClock.adjust(2000)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(
        (yield* lines).split("\n").map((line) => {
          const { change, circuit } = decode(Output.Sighting, line)
          return [change, circuit.circuit, circuit.state]
        }),
        [
          ["present", "a", "OPEN"],
          ["added", "b", "HELD_OPEN"],
          ["removed", "a", "OPEN"]
        ]
      )
      assert.deepStrictEqual(yield* TestConsole.errorLines, [
        "resilience: connection refused; trying again every second",
        "resilience: the store answers again"
      ])
    }).pipe(Effect.provide(TestConsole.layer))
  )

  it.effect("hears of a change before it would read again", () =>
    Effect.gen(function* () {
      const fleet = world()
      const fiber = yield* Effect.forkChild(run(fleet, ["watch"], { shared: true }), { startImmediately: true })
      yield* TestClock.adjust(10)
      yield* put(fleet, "b", open)
      yield* TestClock.adjust(150)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* TestConsole.logLines, [
        "1970-01-01T00:00:00.110Z b OPEN, 5 failures, next probe in 30s, opened: 5 consecutive failures, changed by web-1"
      ])
    }).pipe(Effect.provide(TestConsole.layer))
  )

  it.effect("reads no more than twice a second for messages that are not true", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", open)
      const fiber = yield* Effect.forkChild(run(fleet, ["watch"], { shared: true }), { startImmediately: true })
      yield* TestClock.adjust(10)
      fleet.memory.operations.length = 0
      for (let i = 0; i < 2000; i++) {
        fleet.memory.tell({ resourceKey: "a", version: Number.MAX_SAFE_INTEGER })
        fleet.memory.tell({ resourceKey: undefined, version: undefined })
        yield* TestClock.adjust(5)
      }
      assert.isAtMost(fleet.memory.operations.length, 24)
      yield* put(fleet, "a", held)
      yield* TestClock.adjust(500)
      yield* Fiber.interrupt(fiber)
      assert.lengthOf(yield* TestConsole.logLines, 2)
    }).pipe(Effect.provide(TestConsole.layer))
  )

  it.effect("draws the table at a terminal, and says there that the store is away", () =>
    Effect.gen(function* () {
      const fleet = world()
      yield* put(fleet, "a", open)
      const shown: Array<string> = []
      const fiber = yield* Effect.forkChild(run(fleet, ["watch"], { columns: 60, shown }), { startImmediately: true })
      yield* TestClock.adjust(10)
      assert.match(shown.join(""), /a +OPEN +- +5 +in 30s +web-1/)
      assert.include(shown.join(""), "1 circuit: 1 open, namespace default")
      fleet.memory.faults.down = true
      yield* TestClock.adjust(1000)
      assert.include(shown.join(""), "connection refused; trying again every second")
      yield* Fiber.interrupt(fiber)
      assert.include(shown.at(-1), "\u001b[?25h")
    })
  )

  it.effect("fails where the store does not answer at first", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* run(world({ down: true }), ["watch"])).code, 1)
    })
  )
})

describe("usage", () => {
  it.effect("ends with 2 for the name of a table that can be none", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(world(), ["setup", "--dry-run", "--table", "x; DROP TABLE y"])
      assert.deepStrictEqual([code, out], [2, ""])
      assert.match(err, /^resilience: table must be a name .*, got "x; DROP TABLE y"$/)
    })
  )

  for (const args of [
    ["nonsense"],
    ["status", "a", "b"],
    ["status", "--nonsense"],
    ["hold-open"],
    ["status", "--url"],
    ["--url", `postgres://a:${password}@[x/`, "status"],
    ["status", `postgres://a:hunter2@h/db`, `postgres://a:hunter2@h/db`],
    ["status", "--url", "mysql://a:hunter2@h/db"],
    ["status", "--url", "hunter2"]
  ]) {
    it.effect(`ends with 2 for ${JSON.stringify(args)}, and says no password`, () =>
      Effect.gen(function* () {
        const fleet = world()
        const { code, err, out } = yield* run(fleet, args)
        assert.deepStrictEqual([code, out, fleet.opened.length], [2, "", 0])
        assert.match(err, /^resilience: /)
        assert.notInclude(err, "hunter2")
      })
    )
  }

  it.effect("ends with 2 where no store is configured, and names the variable", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(world(), ["status"], { env: {} })
      assert.strictEqual(code, 2)
      assert.include(err, "RESILIENCE_DATABASE_URL")
    })
  )

  it.effect("takes flags over the environment, before and after the command", () =>
    Effect.gen(function* () {
      const fleet = world()
      const env = { RESILIENCE_DATABASE_URL: "nonsense", RESILIENCE_NAMESPACE: "n", RESILIENCE_TABLE: "t" }
      yield* run(fleet, ["--url", url, "status", "--namespace", "blue", "--table", "other"], { env })
      yield* run(fleet, ["status", "--url", url], { env })
      assert.deepStrictEqual(
        fleet.opened.map(({ namespace, table, where }) => [where.host, namespace, table]),
        [
          ["db.example", "blue", "other"],
          ["db.example", "n", "t"]
        ]
      )
    })
  )

  it.effect("shows help and the version", () =>
    Effect.gen(function* () {
      const help = yield* run(world(), ["hold-open", "--help"])
      assert.deepStrictEqual([help.code, help.err], [0, ""])
      assert.include(help.out, "resilience hold-open payments --for 10m")
      assert.include((yield* run(world(), ["--version"])).out, "1.2.3")
      const completions = yield* run(world(), ["--completions", "bash"])
      assert.strictEqual(completions.code, 0)
      assert.include(completions.out, "hold-closed")
    })
  )

  it.effect("shows help that is at most 80 columns wide", () =>
    Effect.gen(function* () {
      for (const command of ["setup", "status", "watch", "hold-open", "hold-closed", "release", "reset"]) {
        const { out } = yield* run(world(), [command, "--help"])
        assert.deepStrictEqual(
          out.split("\n").filter((line) => displayWidth(line.trimEnd()) > 80),
          []
        )
      }
    })
  )

  it.effect("ends with 2 where no command is given, and shows help", () =>
    Effect.gen(function* () {
      const { code, out } = yield* run(world(), [])
      assert.strictEqual(code, 2)
      assert.include(out, "SUBCOMMANDS")
    })
  )
})
