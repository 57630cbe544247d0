import { Effect } from "effect"
import * as CircuitStore from "../../../src/store/CircuitStore.ts"
import * as CircuitStoreLaws from "../../../src/testing/CircuitStoreLaws.ts"
import * as CircuitTableLaws from "../../../src/testing/CircuitTableLaws.ts"
import { contract } from "../contract.ts"

const open = Effect.succeed(CircuitStoreLaws.testFleet([CircuitStore.local], { settle: 0 }))

export const contracts = [
  contract<Partial<CircuitStoreLaws.Options>>({
    name: "CircuitStoreLaws",
    file: "src/testing/CircuitStoreLaws.ts",
    interfaces: { "": "Options" },
    defaults: CircuitStoreLaws.defaults,
    required: { open },
    resolve: (options) => CircuitStoreLaws.resolve({ open, ...options }),
    examples: [],
    refused: [
      [{ open: "a fleet" }, "open", "an Effect"],
      [{ clients: 0 }, "clients", "an integer >= 1"],
      [{ runs: 0.5 }, "runs", "an integer >= 1"],
      [{ concurrency: -1 }, "concurrency", "an integer >= 1"],
      [{ patience: "never" }, "patience", "a finite duration > 0"]
    ]
  }),
  contract<Partial<CircuitTableLaws.Options>>({
    name: "CircuitTableLaws",
    file: "src/testing/CircuitTableLaws.ts",
    interfaces: { "": "Options" },
    defaults: CircuitTableLaws.defaults,
    required: { open: Effect.never },
    resolve: (options) => CircuitTableLaws.resolve({ open: Effect.never, ...options }),
    examples: [],
    refused: [
      [{ open: "a database" }, "open", "an Effect"],
      [{ sleep: 10 }, "sleep", "a function"]
    ]
  })
]
