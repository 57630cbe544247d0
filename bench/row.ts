/**
 * Measures one row and prints its samples as JSON.
 */
import { measure } from "./measure.ts"
import { rows } from "./rows.ts"

const row = rows[process.argv[2] ?? ""]
if (row === undefined) throw new Error(`no row is named ${process.argv[2]}`)
console.log(JSON.stringify(await (row.samples?.() ?? measure(await row.cases()))))
process.exit(0)
