/**
 * Flags of all commands of the CLI.
 */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

export const Url = GlobalFlag.Setting("url")<Option.Option<Redacted.Redacted>>({
  flag: Flag.Redacted("url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Store or control plane (default: from the environment)"),
    Flag.optional
  )
})

export const Namespace = GlobalFlag.Setting("namespace")<Option.Option<string>>({
  flag: Flag.String("namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Namespace of the circuits"),
    Flag.optional
  )
})

export const Table = GlobalFlag.Setting("table")<Option.Option<string>>({
  flag: Flag.String("table").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Table of the circuits"),
    Flag.optional
  )
})

export const Json = GlobalFlag.Setting("json")<boolean>({
  flag: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withoutNegation, Flag.withDefault(false))
})

export const flags = [Url, Namespace, Table, Json] as const

/**
 * Services of the flags that locate the circuits.
 */
export type LocationFlags = typeof Url.Identifier | typeof Namespace.Identifier | typeof Table.Identifier
