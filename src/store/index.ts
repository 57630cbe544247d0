/**
 * Modules for authors of stores: the contract of a database, and the store over
 * any table.
 */
export * as CircuitMigration from "./CircuitMigration.ts"
export * as CircuitStoreTable from "./CircuitStoreTable.ts"
export * as CircuitTable from "./CircuitTable.ts"
export * as CircuitTableRedis from "./CircuitTableRedis.ts"
export * as CircuitTableSql from "./CircuitTableSql.ts"
