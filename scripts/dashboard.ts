/**
 * Writes src/control/internal/DashboardPage.ts from dashboard/: one page that loads nothing else.
 * Checks with `--check` that it is up to date.
 */
import { build } from "esbuild"
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const file = join(root, "src/control/internal/DashboardPage.ts")

const bundle = async (entry: string): Promise<string> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join("dashboard", entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    // `light-dark()` and nested rules stay as they are.
    supported: { nesting: true },
    charset: "ascii",
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' }
  })
  return (outputFiles[0]?.text ?? "").trim()
}

const style = await bundle("style.css")
// What ends the element would end it within a text, too.
const script = (await bundle("main.tsx")).replaceAll("</script", "<\\/script")

const hash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const html = readFileSync(join(root, "dashboard/index.html"), "utf8")
  .replace(/\n\s*/g, "\n")
  .replace(/(<\w+)\n([^>]*?)\n?(\/?>)/g, (_, name: string, attributes: string, end: string) =>
    [name, ...attributes.trim().split("\n")].join(" ").concat(end)
  )
  .replace(/\n\/\*style\*\/\n/, () => style)
  .replace(/\n\/\*script\*\/\n/, () => script)
  .replace(/\n\/\*config\*\/\n/, "/*config*/")
const [before, after, more] = html.split("/*config*/")
if (before === undefined || after === undefined || more !== undefined) {
  throw new Error("dashboard/index.html must have one place for the config")
}

const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const text = `/**
 * Page of the dashboard, with its style and its script.
 *
 * **Gotchas**
 *
 * Written by scripts/dashboard.ts from dashboard/. Change it there.
 */

/**
 * What the page has to know of the control plane that serves it.
 */
export interface Config {
  /** Whether circuits can be changed. */
  readonly changes: boolean
  /** What needs a token, absent where nothing does. */
  readonly token: "all" | "changes" | undefined
  /** Whether a change has to say who makes it. */
  readonly by: "needed" | "known" | "optional"
  /** Whether there is a health report. */
  readonly health: boolean
}

/**
 * Content security policy of the page: its own script and style, and requests to
 * where it comes from.
 */
export const contentSecurityPolicy =
  ${JSON.stringify(policy)}

/**
 * Returns the page for a control plane.
 */
export const render = ({ by, changes, health, token }: Config): string =>
  before + JSON.stringify({ by, changes, health, token }) + after

const before =
  ${JSON.stringify(before)}

const after =
  ${JSON.stringify(after)}
`

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== text) {
    console.error("src/control/internal/DashboardPage.ts is not what dashboard/ makes: run npm run dashboard")
    process.exit(1)
  }
} else {
  writeFileSync(file, text)
  console.log(`src/control/internal/DashboardPage.ts: ${((before.length + after.length) / 1024).toFixed(1)} KiB`)
}
