/**
 * Flags of all commands of the CLI.
 */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

/**
 * Flag that says where circuits are.
 */
export const Url = GlobalFlag.Setting("url")<Option.Option<Redacted.Redacted>>({
  flag: Flag.Redacted("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Store or control plane, in place of the environment's"),
    Flag.optional
  )
})

/**
 * Flag that says in which namespace the circuits are.
 */
export const Namespace = GlobalFlag.Setting("namespace")<Option.Option<string>>({
  flag: Flag.String("namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Namespace of the circuits"),
    Flag.optional
  )
})

/**
 * Flag that says which table the circuits are in.
 */
export const Table = GlobalFlag.Setting("table")<Option.Option<string>>({
  flag: Flag.String("table").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Table of the circuits"),
    Flag.optional
  )
})

/**
 * Flag that asks for JSON.
 */
export const Json = GlobalFlag.Setting("json")<boolean>({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withoutNegation, Flag.withDefault(false))
})

/**
 * Flags that every command takes.
 */
export const flags = [Url, Namespace, Table, Json] as const

/**
 * Services that hold the flags which say where circuits are.
 */
export type LocationFlags = typeof Url.Identifier | typeof Namespace.Identifier | typeof Table.Identifier
