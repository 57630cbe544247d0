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

/** Returns the begin of a text, cut at a blank so that no secret is cut in two. */
const begin = (text: string): string =>
  text.length > longest ? `${text.slice(0, Math.max(text.lastIndexOf(" ", longest), longest - 256))}…` : text

/** Cuts the user and password of URLs. */
const addresses = (text: string): string =>
  text
    // A password may have a blank or a quote in it, with the @ soon after.
    .replace(/\/\/[^\s"/?#:@[]{0,99}:(?!\d{1,5}(?!\w))\w[^\s"@]{0,256}[\s"][^\n@]{0,64}@/g, "//***@")
    .replace(/\/\/[^\s"]*/g, (word) => {
      // A password with @ or / in it that nobody encoded is one too, so all goes up to the last @ of the word.
      const at = word.lastIndexOf("@")
      // Without an @, what follows the host is a port.
      return at < 0 ? word.replace(/^(\/\/)[^/?#:[]*:(?!\d{1,5}(?!\w))\w.*/, "$1***") : `//***${word.slice(at)}`
    })

/** Cuts the values that follow the names of secrets. */
const pairs = (text: string): string =>
  text.replace(/((?:authorization|cookie)\s?[:=]\s?)[^\s"'][^\r\n"\\]*/gi, "$1***").replace(
    // Prose, such as "Unexpected token: word" and the "using password: YES" of MySQL, holds no secret.
    /((?:(?:pass(?:w(?:or)?d|phrase)?|pwd)(?:\\?["'])?\s{0,3}[=:](?!\s?(?:YES|NO)\b)|(?:(?:api|access|private|signing)[-_ ]?key|\b(?:sig|auth|sid|jwt)|authorization|cookie|credentials?|secret|session[-_]?id|signature|token)(?:\\?["'])?\s{0,3}(?:=|(?<=["']\s{0,3}):|:(?!\s{0,3}[a-z]+\W?(?:\s|$))))\s{0,3})(?:(\\?["'])(?:(?!\2)\\?[^])+|(?!["'])(?:\\\s|(?!\\?"|[\s&])[^])+)/gi,
    "$1$2***"
  )

/** Cuts the credentials that follow the name of a scheme of HTTP. */
const schemes = (text: string): string =>
  // Prose, such as "Basic authentication", holds no secret.
  text.replace(/\b([Bb]earer\s{1,3}|[Bb]asic\s{1,3}(?![a-z]+\W?(?:\s|$)))[^\s"'\\,;)]+/g, "$1***")
