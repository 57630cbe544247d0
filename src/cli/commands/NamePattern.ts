/**
 * Patterns for the names of circuits.
 */
import * as Print from "../output/Print.ts"

/**
 * Returns the resource keys that match a pattern, in which `*` matches any text. A
 * pattern that is itself a resource key matches only that one.
 */
export const select = (pattern: string, resourceKeys: ReadonlyArray<string>): ReadonlyArray<string> => {
  // The name that is printed comes first: no two have the same, while one may be as another is in a form below.
  for (const form of [Print.name, String, Print.safe]) {
    const exact = resourceKeys.filter((key) => form(key) === pattern)
    if (exact.length > 0) return exact
  }
  return resourceKeys.filter((key) => matches(pattern, key) || matches(pattern, Print.safe(key)))
}

// No regular expression: one could take forever on a pattern with many stars.
const matches = (pattern: string, text: string): boolean => {
  const [first = "", ...rest] = pattern.split("*")
  const last = rest.pop()
  if (last === undefined) return pattern === text
  if (!text.startsWith(first)) return false
  let from = first.length
  for (const part of rest) {
    const at = text.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return text.length - last.length >= from && text.endsWith(last)
}

/**
 * Returns at most `most` names that are similar to a pattern, nearest first.
 */
export const near = (pattern: string, resourceKeys: ReadonlyArray<string>, most: number): ReadonlyArray<string> =>
  resourceKeys
    .map((key) => ({ key, far: distance(pattern.toLowerCase(), key.toLowerCase()) }))
    .filter(({ far, key }) => far <= Math.max(2, pattern.length / 3) || key.startsWith(`${pattern}:`))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ key }) => key)

/** Returns the edit distance of two texts, at most 100. */
const distance = (a: string, b: string): number => {
  if (a.length > 100 || b.length > 100) return 100
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 100
}
