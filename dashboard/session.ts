/**
 * What is remembered for as long as the tab is open.
 */

/** What is remembered. */
export type Item = "token" | "by"

const nameOf = (item: Item): string => `effect-resilience.${item}`

/** Returns what is remembered, if anything. */
export const recall = (item: Item): string | undefined => {
  try {
    return sessionStorage.getItem(nameOf(item)) ?? undefined
  } catch {
    // The browser may forbid it.
    return undefined
  }
}

/** Remembers a text, or forgets it. */
export const remember = (item: Item, text: string | undefined): void => {
  try {
    if (text === undefined) sessionStorage.removeItem(nameOf(item))
    else sessionStorage.setItem(nameOf(item), text)
  } catch {
    // Then it is asked for again.
  }
}
