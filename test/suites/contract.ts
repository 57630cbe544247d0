/**
 * The contract that every module with options keeps: `Options`, `defaults`,
 * `resolve`, `Config` and `describe`. Each file of `contract/` exports the rows
 * of an area; `test/core/contract.test.ts` holds all of them to it.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Schema } from "effect"
import ts from "typescript"

/**
 * Options that must be refused, and the field and rule of the error. Its value is
 * the one at that field, or `value`.
 */
export type Refused<Options> = readonly [options: Options, field: string, rule: string, value?: unknown]

/** One module, or one set of options of a module that has several. */
export interface Contract {
  /** What the tests are named after, such as `Retry`. */
  readonly name: string
  /** Module that errors name. Default: `name`. */
  readonly module?: string | undefined
  /** File with the options' interfaces. */
  readonly file: string
  /** Interfaces by the path at which their options stand: `{ "": "Options", halfOpen: "HalfOpenOptions" }`. */
  readonly interfaces: { readonly [path: string]: string }
  /** Interfaces of other files that the options extend. */
  readonly inherits?: ReadonlyArray<readonly [file: string, name: string]> | undefined
  readonly defaults: object
  /** Options that must always be given, such as the duration of a timeout. */
  readonly required?: object | undefined
  readonly resolve: (options?: never) => unknown
  /** Absent where no option is data. */
  readonly config?: Schema.Codec<unknown, unknown> | undefined
  readonly describe?: ((options?: never) => unknown) | undefined
  /** Options that are data, in several combinations. */
  readonly examples: ReadonlyArray<object>
  readonly refused: ReadonlyArray<Refused<object>>
}

/** Types a row by the options of its module. */
export const contract = <Options extends object>(
  row: Omit<Contract, "resolve" | "describe" | "examples" | "refused" | "config"> & {
    readonly resolve: (options?: Options) => unknown
    // Its types are those of the module, which the row does not need.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    readonly config?: Schema.Codec<any, any> | undefined
    readonly describe?: ((options?: Options) => unknown) | undefined
    readonly examples: ReadonlyArray<NoInfer<Options>>
    /** Callers without types may give anything. */
    readonly refused: ReadonlyArray<Refused<{ readonly [Field in keyof NoInfer<Options>]?: unknown }>>
  }
): Contract => row

/** Returns what the doc comments of an interface say of each option's default. */
export const documentedDefaults = (file: string, name: string): ReadonlyMap<string, string> => {
  const path = join(import.meta.dirname, "../..", file)
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ESNext, true)
  const found = new Map<string, string>()
  const visit = (members: ts.NodeArray<ts.TypeElement>, prefix: string) => {
    for (const member of members) {
      if (!ts.isPropertySignature(member) || !ts.isIdentifier(member.name)) continue
      const comment = ts
        .getJSDocCommentsAndTags(member)
        .map((doc) => doc.getText(source))
        .join("\n")
      const text = /Default:\s*([\s\S]*?)\s*\*\//.exec(comment)?.[1]?.replaceAll(/\s*\n\s*\*\s*/g, " ")
      if (text !== undefined) found.set(`${prefix}${member.name.text}`, text)
      if (member.type !== undefined && ts.isTypeLiteralNode(member.type)) {
        visit(member.type.members, `${prefix}${member.name.text}.`)
      }
    }
  }
  ts.forEachChild(source, (node) => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === name) visit(node.members, "")
  })
  return found
}

/** Returns the leaves of `defaults` with their paths, as the doc comments write them. */
export const writtenDefaults = (defaults: object, prefix = ""): ReadonlyArray<readonly [path: string, text: string]> =>
  Object.entries(defaults).flatMap(([name, value]: [string, unknown]) => {
    const path = `${prefix}${name}`
    if (value === undefined || typeof value === "function") return []
    if (typeof value === "object" && value !== null) {
      return Object.getPrototypeOf(value) === Object.prototype ? writtenDefaults(value, `${path}.`) : []
    }
    return [[path, String(value)] as const]
  })

/** Whether a doc comment begins with a default: "10 000, or ..." for 10000, "`none`" for "none". */
export const saysDefault = (said: string, value: string): boolean => {
  const plain = said.replaceAll(/[`"]/g, "").replaceAll(/(\d) (?=\d)/g, "$1")
  return plain === value || (plain.startsWith(value) && /^[.,:; ]/.test(plain.slice(value.length)))
}
