/**
 * Secrets cut from texts that others wrote, such as the messages of drivers.
 */

/**
 * Returns a text with `***` in place of the credentials of URLs.
 */
export const credentials = (text: string): string =>
  // A password with @ or / in it that nobody encoded is one too, so all goes up to the last @ of the word.
  text.replace(/[^\s"]+/g, (word) => {
    const start = word.indexOf("//")
    const end = word.lastIndexOf("@")
    const rest = start < 0 || end < start ? word : `${word.slice(0, start)}//***${word.slice(end)}`
    return rest.replace(/([?&;]password=)[^&;\\]*/gi, "$1***")
  })

/**
 * Returns a text with `***` in place of known secrets and of the credentials of
 * URLs.
 */
export const secrets = (text: string, known: ReadonlyArray<string> = []): string => {
  const forms = known.flatMap((secret) => (secret === "" ? [] : [secret, encodeURIComponent(secret)]))
  // One that is part of another comes last, or the rest of that would stay.
  forms.sort((a, b) => b.length - a.length)
  // Redis repeats commands that it does not know, and some hold passwords.
  const said = text.replace(/,? with args beginning with[^]*$/, "")
  return credentials(forms.reduce((line, form) => line.replaceAll(form, "***"), said))
}
