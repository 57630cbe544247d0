/**
 * Secrets cut from texts that others wrote, such as the messages of drivers. The
 * only place that does so.
 *
 * **Details**
 *
 * - Cut are the user and password of URLs, values of names such as `password`
 *   and `access_token` (in queries, JSON, headers and connection strings), and
 *   the credentials after `Bearer` and `Basic`. In doubt, too much is cut.
 * - Each pass takes time in proportion to the text, of which only the begin is
 *   kept: the texts are from servers and errors, and may be of any size.
 */

/** Characters of a text that are kept at most. */
export const longest = 8192

/**
 * Returns a text with `***` in place of credentials.
 */
export const credentials = (text: string): string => pairs(schemes(addresses(begin(text))))

/**
 * Returns a text with `***` in place of known secrets and of credentials.
 */
export const secrets = (text: string, known: ReadonlyArray<string> = []): string => {
  const forms = known.flatMap((secret) => (secret === "" ? [] : [secret, encodeURIComponent(secret)]))
  // One that is part of another comes last, or the rest of that would stay.
  forms.sort((a, b) => b.length - a.length)
  // Redis repeats commands that it does not know, and some hold passwords.
  const said = begin(text).replace(/,? with args beginning with[^]*$/, "")
  return credentials(forms.reduce((line, form) => line.replaceAll(form, "***"), said))
}

/** Returns the begin of a text, cut where no secret is cut in two. */
const begin = (text: string): string => {
  if (text.length <= longest) return text
  const tail = 256
  const last = text.slice(longest - tail, longest).search(/\s\S*$/)
  return `${text.slice(0, longest - tail + Math.max(0, last))}…`
}

/** Cuts the user and password of URLs. */
const addresses = (text: string): string => {
  let out = ""
  let kept = 0
  for (;;) {
    const start = text.indexOf("//", kept)
    if (start < 0) return out + text.slice(kept)
    const from = start + 2
    const word = endOf(text, from)
    // A password with @ or / in it that nobody encoded is one too, so all goes up to the last @ of the word.
    const rest = text.slice(from, word)
    const at = rest.lastIndexOf("@")
    const end = at >= 0 ? from + at : isPassword(rest) ? afterBlank(text, word) : from
    out += end === from ? text.slice(kept, from) : `${text.slice(kept, from)}***`
    // Nothing of this word is looked at again, or many slashes would take the square of their number.
    kept = end
    if (end < word) {
      out += text.slice(end, word)
      kept = word
    }
  }
}

/** Returns the end of a word that begins at `from`. */
const endOf = (text: string, from: number): number => {
  blank.lastIndex = from
  return blank.exec(text)?.index ?? text.length
}

const blank = /[\s"]/g

/** Returns whether the authority of an URL without @ holds what cannot be a port. */
const isPassword = (rest: string): boolean => {
  const authority = rest.split(/[/?#]/, 1)[0] ?? ""
  const colon = authority.indexOf(":")
  return !authority.startsWith("[") && colon >= 0 && /^(?!\d{1,5}(?!\w))\w/.test(authority.slice(colon + 1, colon + 9))
}

/** Returns where a password ends that has a blank or a quote in it, which is at an @ soon after, or with its word. */
const afterBlank = (text: string, word: number): number => {
  const line = text.slice(word, word + 64).split("\n", 1)[0] ?? ""
  const at = line.indexOf("@")
  return at < 0 ? word : word + at
}

const secretNames =
  /(?:passw(?:or)?d|passphrase|\b(?:pass|pwd|sig|auth|sid|jwt)|secret|token|(?:api|access|private|signing)[-_ ]?key|credentials?|signature|authorization|cookie|session[-_]?id)(\\?["'])?\s{0,3}([=:])\s{0,3}/gi

/** Cuts the values that follow the names of secrets. */
const pairs = (text: string): string => {
  let out = ""
  let kept = 0
  secretNames.lastIndex = 0
  for (;;) {
    const found = secretNames.exec(text)
    if (found === null) return out + text.slice(kept)
    const from = secretNames.lastIndex
    const end = valueEnd(text, from, found)
    secretNames.lastIndex = end.at
    if (end.from === end.at) continue
    out += `${text.slice(kept, end.from)}***`
    kept = end.at
  }
}

/** Returns where a value begins, without its quote, and where it ends. */
const valueEnd = (
  text: string,
  from: number,
  [name = "", isNameQuoted, sign]: RegExpExecArray
): { readonly from: number; readonly at: number } => {
  const quote = /^\\?["']/.exec(text.slice(from, from + 2))?.[0]
  if (quote !== undefined) {
    const begin = from + quote.length
    return { from: begin, at: closing(text, begin, quote) }
  }
  const isHeader = /^(?:authorization|cookie)/i.test(name)
  const at = (isHeader ? lineEnd : wordEnd).end(text, from)
  const value = text.slice(from, at)
  // Prose, such as "Unexpected token: word" and the "using password: YES" of MySQL, holds no secret.
  const isPassword = /^pass/i.test(name)
  const isProse =
    sign === ":" &&
    isNameQuoted === undefined &&
    !isHeader &&
    (isPassword ? /^(?:YES|NO)\b/ : /^[a-z]+\W?$/i).test(value)
  return { from: isProse ? at : from, at }
}

const ends = (pattern: RegExp) => ({
  end: (text: string, from: number): number => {
    pattern.lastIndex = from
    return pattern.exec(text)?.index ?? text.length
  }
})

/** In connection strings a blank with a backslash before it is part of a value. */
const wordEnd = /* @__PURE__ */ ends(/(?<!\\)[\s]|\\?"|&/g)
const lineEnd = /* @__PURE__ */ ends(/[\r\n]|\\?"/g)

/** Returns where a quoted value ends. */
const closing = (text: string, from: number, quote: string): number => {
  let at = text.indexOf(quote, from)
  if (quote.length === 1) while (at > 0 && text[at - 1] === "\\") at = text.indexOf(quote, at + 1)
  return at < 0 ? text.length : at
}

/** Cuts the credentials that follow the name of a scheme of HTTP. */
const schemes = (text: string): string =>
  text.replace(/\b((Bearer|Basic)\s{1,3})([^\s"'\\,;)]+)/gi, (all, name: string, scheme: string, value: string) =>
    // Prose, such as "Basic authentication", holds no secret.
    scheme.length === 5 && /^[a-z]+\W?$/.test(value) ? all : `${name}***`
  )
