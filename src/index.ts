export * as Options from "./Options.ts"
export * as Refusal from "./Refusal.ts"
