/** Ends the process as soon as it wants to connect to anything, or to look up a name. */
import dns from "node:dns"
import net from "node:net"

const refuse = (what) => () => {
  process.stderr.write(`wants to ${what}\n`)
  process.exit(99)
}

net.Socket.prototype.connect = refuse("connect")
dns.lookup = refuse("look up a name")
