/**
 * Warnings for secrets that go over a network without encryption.
 */

/**
 * Returns whether what is sent to a host leaves the machine: it is neither a
 * loopback address nor the folder of a socket.
 */
export const leaves = (host: string): boolean => {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
  const local =
    name.startsWith("/") ||
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "::1" ||
    /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(name) ||
    /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(name)
  return !local
}

/**
 * Returns the warning for a secret that goes to a host without encryption, or
 * that may, if the host decides that.
 */
export const warning = (secret: string, host: string, instead: string, how: "goes" | "may go" = "goes"): string =>
  `The ${secret} ${how} to ${host} without encryption: ${instead}`

/**
 * Returns the warning for the token of a control plane, or `undefined` if it goes
 * encrypted or does not leave the machine.
 */
export const ofToken = (url: string | URL): string | undefined => {
  const { hostname, protocol } = new URL(url)
  return protocol === "https:" || !leaves(hostname)
    ? undefined
    : warning("token of the control plane", hostname, "write https:// in place of http://")
}
