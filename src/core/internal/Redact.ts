/**
 * Secrets cut from texts that others wrote, such as the messages of drivers. The
 * only place that does so.
 *
 * **Details**
 *
 * - Cut are the user and password of addresses, with or without a scheme, values
 *   of names such as `password` and `access_token` (in queries, JSON, headers,
 *   connection strings and objects as text), the credentials after `Bearer` and
 *   `Basic`, and JSON web tokens. In doubt, too much is cut.
 * - Each pass takes time in proportion to the text, of which only the begin is
 *   kept: the texts are from servers and errors, and may be of any size.
 */

/** Characters of a text that are kept at most. */
export const longest = 8192

/**
 * Returns a text with `***` in place of credentials.
 */
export const credentials = (text: string): string =>
  begin(text)
    // Credentials that follow the name of a scheme of HTTP. Prose, such as "Basic authentication" and "a bearer
    // token", holds no secret.
    .replace(/\b([Bb]earer[\s:]+(?!token[ ,])|[Bb]asic[\s:]+(?![a-z]+\W?(?:\s|$))|eyJ)[^\s"'\\,;)]+/g, "$1***")
    // Headers, whose values may have blanks and quotes in them.
    .replace(/((?:authorization|cookie)\s*[:=] *)[^\s"'].*/gi, "$1***")
    // Values that follow the names of secrets. Prose, such as "Unexpected token: word" and the "using password: YES" of
    // MySQL, holds none.
    .replace(
      /((?:pass\w{0,9}|pwd?|(?:(?:api|access|account|private|signing).?key|\b(?:sig|auth|sid|jwt)|authorization|cookie|credentials?|secret\w{0,9}|session.?id|signature|token)(?!:\s*[a-z]+\W?(?:\s|$)))(?:\\*["'])?\s*(?:[=:>]|%3[AD]|(?<=["']),)+(?!\s?(?:YES|NO)\b)\s*)(?:(\\*["'])(?:(?!\2)\\*[^]|\2\2)+|(?!')(?:\\\s|[[{][^\]}]*|(?!\\*"|[\s&])[^])+)/gi,
      "$1$2***"
    )
    // The user and password of addresses. A password with @ or / in it that nobody encoded is one too, so all goes up
    // to the last @ of the word. It may also have a blank or a quote in it, with the @ soon after. Without an @, what
    // follows the host is a port.
    .replace(
      /\\?\/\\?\/(?!\/)(?:[^\s"]{0,320}(?=@)|[^\s"/?#:@[]*:(?![\s/]|\d{1,5}(?!\w))(?:[^@]{0,320}(?=@)|[^\s"]*))|(?:\b\w+:(?!\/)|%2F%2F)[^\s"]{0,320}(?=@|%40)/g,
      "//***"
    )

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

/**
 * Returns whether the value of a name is a secret.
 */
export const isSecret = (name: string): boolean => credentials(`${name}="x"`) === `${name}="***"`

/** Returns the begin of a text, cut at a blank so that no secret is cut in two. */
const begin = (text: string): string =>
  text.length > longest ? `${text.slice(0, Math.max(text.lastIndexOf(" ", longest), longest - 256))}…` : text
