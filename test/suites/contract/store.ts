import * as CircuitMigration from "../../../src/store/CircuitMigration.ts"
import * as CircuitStoreEnv from "../../../src/store/CircuitStoreEnv.ts"
import * as CircuitStoreRedis from "../../../src/store/CircuitStoreRedis.ts"
import * as CircuitStoreSql from "../../../src/store/CircuitStoreSql.ts"
import * as CircuitStoreTable from "../../../src/store/CircuitStoreTable.ts"
import * as CircuitTableRedis from "../../../src/store/CircuitTableRedis.ts"
import * as CircuitTableSql from "../../../src/store/CircuitTableSql.ts"
import { contract } from "../contract.ts"

const positive = "a finite duration > 0"
const text = "a non-empty string"
const tableRule = "a name of up to 41 lower-case letters, digits and _, with a schema and a dot before it or without"
const namespaceRule = "a non-empty string of up to 100 printable characters"

const shared = ["src/store/internal/StoreOptions.ts", "Options"] as const
const migration = ["src/store/CircuitMigration.ts", "Options"] as const
const sqlTable = ["src/store/CircuitTableSql.ts", "Options"] as const
const redisTable = ["src/store/CircuitTableRedis.ts", "Options"] as const

export const contracts = [
  contract<CircuitStoreTable.Options>({
    name: "CircuitStoreTable",
    module: "CircuitStore",
    file: "src/store/internal/StoreOptions.ts",
    interfaces: { "": "Options" },
    defaults: CircuitStoreTable.defaults,
    resolve: CircuitStoreTable.resolve,
    config: CircuitStoreTable.Config,
    describe: CircuitStoreTable.describe,
    examples: [
      { instance: "me", timeout: "300 millis", pollEvery: 2000, log: false },
      { details: true, spread: 0, quorum: 3, voteWindow: "30 seconds", keepFor: "1 day", sweepEvery: "10 minutes" }
    ],
    refused: [
      [{ instance: "" }, "instance", text],
      [{ timeout: 0 }, "timeout", positive],
      [{ pollEvery: "soon" }, "pollEvery", positive],
      [{ keepFor: Number.NaN }, "keepFor", positive],
      [{ sweepEvery: Number.POSITIVE_INFINITY }, "sweepEvery", positive],
      [{ spread: "-1 millis" }, "spread", "a finite duration >= 0"],
      [{ quorum: 0 }, "quorum", "an integer >= 1"],
      [{ quorum: 1.5 }, "quorum", "an integer >= 1"],
      [{ voteWindow: "0 seconds" }, "voteWindow", positive],
      [{ details: "yes" }, "details", "true or false"],
      [{ log: "no" }, "log", "true or false"],
      [{ log: 0 }, "log", "true or false"]
    ]
  }),
  contract<CircuitMigration.Options>({
    name: "CircuitMigration",
    module: "CircuitStoreSql",
    file: migration[0],
    interfaces: { "": "Options" },
    defaults: CircuitMigration.defaults,
    resolve: CircuitMigration.resolve,
    config: CircuitMigration.Config,
    describe: CircuitMigration.describe,
    examples: [{ table: "ops.circuits" }],
    refused: [
      [{ table: "" }, "table", tableRule],
      [{ table: "a.b.c" }, "table", tableRule],
      [{ table: 1 }, "table", tableRule]
    ]
  }),
  contract<CircuitTableSql.Options>({
    name: "CircuitTableSql",
    module: "CircuitStoreSql",
    file: sqlTable[0],
    interfaces: { "": "Options" },
    inherits: [migration],
    defaults: CircuitTableSql.defaults,
    resolve: CircuitTableSql.resolve,
    config: CircuitTableSql.Config,
    describe: CircuitTableSql.describe,
    examples: [{ table: "circuits", namespace: "orders" }],
    refused: [
      [{ table: "Circuits" }, "table", tableRule],
      [{ namespace: " " }, "namespace", namespaceRule],
      [{ namespace: "a\nb" }, "namespace", namespaceRule],
      [{ namespace: "x".repeat(101) }, "namespace", namespaceRule]
    ]
  }),
  contract<CircuitTableRedis.Options>({
    name: "CircuitTableRedis",
    module: "CircuitStoreRedis",
    file: redisTable[0],
    interfaces: { "": "Options" },
    defaults: CircuitTableRedis.defaults,
    resolve: CircuitTableRedis.resolve,
    config: CircuitTableRedis.Config,
    describe: CircuitTableRedis.describe,
    examples: [{ prefix: "app", namespace: "orders" }],
    refused: [
      [{ prefix: "" }, "prefix", text],
      [{ prefix: "a{b}" }, "prefix", "without { and }"],
      [{ namespace: " " }, "namespace", text]
    ]
  }),
  contract<CircuitStoreSql.Options>({
    name: "CircuitStoreSql",
    file: "src/store/CircuitStoreSql.ts",
    interfaces: { "": "Options" },
    inherits: [shared, migration, sqlTable],
    defaults: CircuitStoreSql.defaults,
    resolve: CircuitStoreSql.resolve,
    config: CircuitStoreSql.Config,
    describe: CircuitStoreSql.describe,
    examples: [{ migrate: false, table: "circuits", namespace: "orders", instance: "me", timeout: "2 seconds" }],
    refused: [
      [{ migrate: "no" }, "migrate", "true or false"],
      [{ table: "" }, "table", tableRule],
      [{ namespace: "" }, "namespace", namespaceRule]
    ]
  }),
  contract<CircuitStoreRedis.Options>({
    name: "CircuitStoreRedis",
    file: "src/store/CircuitStoreRedis.ts",
    interfaces: { "": "Options" },
    inherits: [shared, redisTable],
    defaults: CircuitStoreRedis.defaults,
    resolve: CircuitStoreRedis.resolve,
    config: CircuitStoreRedis.Config,
    describe: CircuitStoreRedis.describe,
    examples: [{ prefix: "app", namespace: "orders", quorum: 2, log: false }],
    refused: [
      [{ prefix: "" }, "prefix", text],
      [{ namespace: "" }, "namespace", text]
    ]
  }),
  contract<CircuitStoreEnv.Options>({
    name: "CircuitStoreEnv",
    file: "src/store/CircuitStoreEnv.ts",
    interfaces: { "": "Options" },
    inherits: [shared],
    defaults: CircuitStoreEnv.defaults,
    resolve: CircuitStoreEnv.resolve,
    config: CircuitStoreEnv.Config,
    describe: CircuitStoreEnv.describe,
    examples: [{ table: "circuits", namespace: "orders", migrate: false, pollEvery: "10 seconds" }],
    refused: [
      [{ postgres: "postgres://db" }, "postgres", "a function"],
      [{ redis: {} }, "redis", "a function"],
      [{ namespace: "" }, "namespace", text],
      [{ table: " " }, "table", text],
      [{ migrate: 1 }, "migrate", "true or false"]
    ]
  })
]
