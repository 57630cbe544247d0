/**
 * Values that are kept for the next form.
 *
 * **Details**
 *
 * The token is not among them. It is in a variable of the page: the storage of a
 * tab can be read by every other page of the application in it, and is copied
 * into windows that it opens.
 */

export type Item = "by"

const nameOf = (item: Item): string => `effect-resilience.${item}`

/** Returns a value, if it was kept. */
export const recall = (item: Item): string | undefined => {
  try {
    return sessionStorage.getItem(nameOf(item)) ?? undefined
  } catch {
    // The browser may forbid it.
    return undefined
  }
}

/** Keeps a value, or removes it. */
export const remember = (item: Item, text: string | undefined): void => {
  try {
    if (text === undefined) sessionStorage.removeItem(nameOf(item))
    else sessionStorage.setItem(nameOf(item), text)
  } catch {
    // The page will ask for it again.
  }
}
