import { globSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { documentedDefaults, saysDefault, writtenDefaults, type Contract } from "../suites/contract.ts"
import { invalid, issues } from "../suites/rules.ts"

const folder = join(import.meta.dirname, "../suites/contract")
const rows: Array<Contract> = []
for (const file of globSync("*.ts", { cwd: folder }).sort()) {
  const { contracts } = (await import(join(folder, file))) as { readonly contracts: ReadonlyArray<Contract> }
  rows.push(...contracts)
}

const isJson = (value: unknown): boolean => {
  try {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(value)), value)
    return true
  } catch {
    return false
  }
}

/** Returns the value at a path such as `halfOpen.probes`. */
const valueAt = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value)

for (const row of rows) {
  // A row is data: its functions take the options of its own module.
  const resolve = row.resolve as (options?: unknown) => unknown
  const describeOptions = row.describe as ((options?: unknown) => unknown) | undefined
  const { config, required } = row
  const given = (options: object | undefined): object | undefined =>
    required === undefined ? options : { ...required, ...options }

  describe(`options of ${row.name}`, () => {
    it("have the defaults that their doc comments say", () => {
      const own = Object.entries(row.interfaces).flatMap(([path, name]) =>
        [...documentedDefaults(row.file, name)].map(
          ([option, text]) => [path === "" ? option : `${path}.${option}`, text] as const
        )
      )
      const inherited = (row.inherits ?? []).flatMap(([file, name]) => [...documentedDefaults(file, name)])
      const said = new Map([...inherited, ...own])
      for (const [path, value] of writtenDefaults(row.defaults)) {
        const text = said.get(path)
        assert.isDefined(text, `no doc comment says the default of ${path}, ${value}`)
        assert.isTrue(
          saysDefault(text, value),
          `the doc comment of ${path} says "${text}", and the default is ${value}`
        )
      }
    })

    it("without any are the defaults", () => {
      resolve(given(row.defaults))
      if (describeOptions !== undefined) {
        assert.deepStrictEqual(describeOptions(given(row.defaults)), describeOptions(given(undefined)))
        assert.deepStrictEqual(describeOptions(given({})), describeOptions(given(undefined)))
      }
    })

    it("are refused where a value breaks a rule, with module, field, value and rule", () => {
      for (const [options, field, rule, ...value] of row.refused) {
        const error = invalid(() => resolve(given(options)))
        assert.deepStrictEqual(
          { module: error.module, field: error.field, rule: error.rule },
          { module: row.module ?? row.name, field, rule }
        )
        const expected = value.length > 0 ? value[0] : valueAt(options, field)
        assert.deepStrictEqual(error.value, expected, `the value of ${field} in the error`)
      }
    })

    if (describeOptions === undefined) return

    it("are described as JSON", () => {
      for (const options of [undefined, ...row.examples]) {
        const json = describeOptions(given(options))
        assert.deepStrictEqual(JSON.parse(JSON.stringify(json)), json)
      }
    })

    if (config === undefined) return

    it("are read by Config as describe writes them", () => {
      for (const options of [undefined, ...row.examples]) {
        const json = describeOptions(given(options))
        const read = Schema.decodeUnknownSync(config)(json)
        resolve(read)
        assert.deepStrictEqual(describeOptions(read), json)
      }
    })

    it("are refused in JSON as in code, at the path of the field", () => {
      for (const [options, field, rule] of row.refused) {
        if (!isJson(options)) continue
        const said = issues(config, given(options))
        assert.isTrue(
          said.some((issue) => issue.startsWith(`${field}: `)),
          `expected an issue at ${field} (${rule}), got ${said.join("; ")}`
        )
      }
    })

    it("refuse a key in JSON that is no option", () => {
      assert.isNotEmpty(issues(config, { ...required, noSuchOption: 1 }))
    })
  })
}
