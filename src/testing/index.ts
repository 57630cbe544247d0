/**
 * Laws that tests hold circuit stores and tables to.
 */
export * as CircuitStoreLaws from "./CircuitStoreLaws.ts"
export * as CircuitTableLaws from "./CircuitTableLaws.ts"
export * as Law from "./Law.ts"
