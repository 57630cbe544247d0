/**
 * What tests hold circuit stores and tables to.
 */

/** Laws of circuit stores. */
export * as CircuitStoreLaws from "./CircuitStoreLaws.ts"
/** Laws of tables of circuits. */
export * as CircuitTableLaws from "./CircuitTableLaws.ts"
/** Laws, as data that any test framework can run. */
export * as Law from "./Law.ts"
