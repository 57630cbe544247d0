/**
 * What a worker of a fleet loads before all else, so that chaos can look into
 * it: on SIGUSR2 it collects garbage and writes how large its heap is to the
 * file that `CHAOS_DIR` and its process id make. Its store is that of
 * `stores.ts` beside this file.
 */
import { writeFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { join } from "node:path"

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "./stores.ts" && context.parentURL?.endsWith("/fleet/worker.ts") === true
      ? next(new URL("stores.ts", import.meta.url).href, context)
      : next(specifier, context)
})

process.on("SIGUSR2", () => {
  globalThis.gc?.()
  writeFileSync(join(process.env["CHAOS_DIR"] ?? ".", String(process.pid)), String(process.memoryUsage().heapUsed))
})
