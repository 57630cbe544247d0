/**
 * Bounds of keys, which callers may choose.
 */

/**
 * Characters that a key is kept with at most. Control planes take keys as long
 * as this.
 */
export const maxLength = 512

/**
 * Key of the circuit that calls share whose keys have no place any more.
 */
export const others = "(other keys)"

/**
 * Returns how many circuits of keys calls may make where `max` are kept: circuits
 * that are in trouble or in use are not forgotten.
 */
export const most = (max: number): number => Math.max(2 * max, max + 100)

/**
 * Returns a key as it is, or, where it is long, its begin with a hash of all of
 * it.
 */
export const short = (key: string): string => {
  if (!(key.length > maxLength)) return key
  const mark = `…${hash(key)}`
  const begin = key.slice(0, maxLength - mark.length)
  // Engines keep a long text for each of its slices. This is a copy.
  return JSON.parse(JSON.stringify(begin + mark)) as string // JSON of a string
}

/** Returns a hash of 53 bits (cyrb53, in the public domain), the same in every process. */
const hash = (text: string): string => {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36).padStart(11, "0")
}
