/**
 * Checks the relative links and anchors of Markdown files, and the tests that they name.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import type { Problem } from "./docs-blocks.ts"

/** Blanks fenced code and inline code, and keeps the lines. */
const prose = (text: string): string => {
  let fence: string | undefined
  return text
    .split("\n")
    .map((line) => {
      const mark = /^[\s>]*(`{3,}|~{3,})/.exec(line)?.[1]
      if (fence === undefined && mark !== undefined) {
        fence = mark
        return ""
      }
      if (fence !== undefined) {
        if (mark?.startsWith(fence) === true) fence = undefined
        return ""
      }
      return line.replace(/(`+)(?:(?!\1).)+\1/g, (code) => "`" + code.replaceAll(/[^\w\s-]/g, "") + "`")
    })
    .join("\n")
}

/** Anchors that GitHub makes of the headings of a file, and those it sets itself. */
export const anchorsOf = (text: string): ReadonlySet<string> => {
  const anchors = new Set<string>()
  const times = new Map<string, number>()
  const add = (heading: string) => {
    const slug = heading
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replaceAll(/<[^>]+>/g, "")
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-")
    const before = times.get(slug) ?? 0
    times.set(slug, before + 1)
    anchors.add(before === 0 ? slug : `${slug}-${before}`)
  }
  const lines = prose(text).split("\n")
  for (const [index, line] of lines.entries()) {
    const heading = /^#{1,6}\s+(.*?)\s*#*\s*$/.exec(line)?.[1]
    if (heading !== undefined) add(heading)
    else if (/^(?:=+|-+)\s*$/.test(line) && /^[^\s|#>*-]/.test(lines[index - 1] ?? "")) add(lines[index - 1] ?? "")
    for (const match of line.matchAll(/<[^>]+\b(?:id|name)="([^"]+)"/g)) anchors.add(match[1] ?? "")
  }
  return anchors
}

/** Relative link of a Markdown file. */
export interface Link {
  readonly line: number
  /** Link as it is written. */
  readonly target: string
  /** File or folder, from the folder of the file; empty for the file itself. */
  readonly path: string
  readonly anchor: string
}

/** Finds the relative links of a Markdown file, outside code. */
export const linksOf = (text: string): ReadonlyArray<Link> =>
  prose(text)
    .split("\n")
    .flatMap((line, index) =>
      [
        ...line.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
        ...line.matchAll(/^\s*\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+"[^"]*")?\s*$/g),
        ...line.matchAll(/<(?:a|img)\b[^>]*\b(?:href|src)="([^"]+)"/g)
      ]
        .map((match) => match[1] ?? "")
        .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
        .map((target) => {
          const hash = target.indexOf("#")
          return {
            line: index + 1,
            target,
            path: decodeURIComponent(hash === -1 ? target : target.slice(0, hash)),
            anchor: hash === -1 ? "" : decodeURIComponent(target.slice(hash + 1))
          }
        })
    )

/** Checks the links of one Markdown file; `root` is the folder of the project. */
export const checkLinks = (root: string, file: string, text: string): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  for (const { anchor, line, path, target } of linksOf(text)) {
    const problem = (message: string) => problems.push({ file, line, message: `${target}: ${message}` })
    const full = join(root, dirname(file), path)
    if (path === "") {
      if (!anchorsOf(text).has(anchor)) problem("no such heading")
    } else if (path.startsWith("/") || relative(root, full).startsWith("..")) {
      problem("the link leaves the project")
    } else if (!existsSync(full)) {
      problem("no such file")
    } else if (anchor !== "" && full.endsWith(".md") && !anchorsOf(readFileSync(full, "utf8")).has(anchor)) {
      problem("no such heading")
    }
  }
  return problems
}

/** Checks the test files and the names of tests that a Markdown file gives as evidence: `test/a.test.ts`: "name". */
export const checkTests = (root: string, file: string, text: string): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  const fenced = prose(text).split("\n")
  for (const [index, line] of text.split("\n").entries()) {
    if (fenced[index] === "") continue
    // A link, or a path from the root of the project as code; then names in quotes, or the one of a group in italics.
    const named = /(?:\]\(([^)\s<>]+\.test\.ts)\)|`(test\/[^`\s<>*]+\.test\.ts)`)((?:[:,] (?:"[^"]+"|_[^_]+_))*)/g
    for (const [, link, path, names = ""] of line.matchAll(named)) {
      const problem = (message: string) => problems.push({ file, line: index + 1, message })
      const target = path ?? join(dirname(file), link ?? "")
      // Links to files that do not exist are reported as links.
      if (!existsSync(join(root, target))) {
        if (path !== undefined) problem(`${path}: no such file`)
        continue
      }
      const source = readFileSync(join(root, target), "utf8")
      for (const [, quoted, italic] of names.matchAll(/"([^"]+)"|_([^_]+)_/g)) {
        const name = quoted ?? italic ?? ""
        if (!['"', "'", "`"].some((quote) => source.includes(quote + name))) {
          problem(`${target}: no test is named ${JSON.stringify(name)}`)
        }
      }
    }
  }
  return problems
}
