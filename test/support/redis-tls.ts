/**
 * A Redis server that answers over TLS too, with a certificate that nobody but
 * the test trusts. `describeTls` skips, and says why, where that cannot be had.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeRedis } from "@effect/platform-node"
import { Effect } from "effect"
import type { Scope } from "effect"
import * as RedisServer from "./redis.ts"
import { orSkip } from "./skip.ts"

const missing = () => {
  const asked = spawnSync("redis-server", ["--tls-port", "none"], { encoding: "utf8" })
  if (asked.error !== undefined) return "no redis-server on the PATH"
  // One that knows the setting complains about its value.
  if (`${asked.stdout}${asked.stderr}`.includes("Bad directive")) return "redis-server is built without TLS"
  if (spawnSync("openssl", ["version"]).status !== 0) return "no openssl on the PATH"
  return undefined
}

/** Describes tests that need a server with TLS, or skips them. */
export const describeTls = (name: string, tests: () => void): void => {
  const what = missing()
  orSkip(what === undefined, what ?? "")(name, tests)
}

/** Makes a certificate for `localhost`, which is gone with the scope. */
const certificate = Effect.acquireRelease(
  Effect.sync(() => {
    const dir = mkdtempSync(join(tmpdir(), "resilience-tls-"))
    const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")]
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    const files = ["-out", cert, "-keyout", key]
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", ...names, ...files], {
      stdio: "pipe"
    })
    return { dir, cert, key }
  }),
  ({ dir }) => Effect.sync(() => rmSync(dir, { recursive: true, force: true }))
)

/** Starts a server, until the scope closes. `ca` is what to trust, as PEM. */
export const serve: Effect.Effect<{ readonly url: string; readonly ca: string }, unknown, Scope.Scope> = Effect.gen(
  function* () {
    const { cert, key } = yield* certificate
    const { url } = yield* RedisServer.serve
    // Below the ports that systems give to connections, and not that of the server.
    const port = 9000 + (Number(new URL(url).port) % 1000)
    const settings = { "tls-cert-file": cert, "tls-key-file": key, "tls-auth-clients": "no", "tls-port": String(port) }
    yield* NodeRedis.NodeRedis.use(({ use }) => use((client) => client.configSet(settings))).pipe(
      Effect.provide(NodeRedis.layer({ url }))
    )
    return { url: `rediss://localhost:${port}`, ca: readFileSync(cert, "utf8") }
  }
)
