/**
 * Bytes that a breaker adds to an app that has Effect: minified and gzipped by
 * esbuild.
 */
import { build } from "esbuild"
import { gzipSync } from "node:zlib"

const app = (imports: string, service: string, call: string, layer: string) => `
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
${imports}
class Config extends Context.Service()("app/Config") { static layer = Layer.effect(Config, Effect.succeed({ answer: 42 })) }
${service}
const program = Effect.gen(function*() {
  const config = yield* Config
  yield* Effect.logInfo("started")
  return config.answer
}).pipe(${call})
Effect.runPromise(program.pipe(Effect.provide(${layer}))).then(console.log)
`

const bytes = async (contents: string): Promise<number> => {
  const result = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["effect-resilience-source", "import"]
  })
  return gzipSync(result.outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length
}

const base = await bytes(app("", "", "Effect.timeout(1000)", "Config.layer"))
const ours = await bytes(
  app(
    `import * as CircuitBreaker from "effect-resilience/CircuitBreaker"`,
    `class Payments extends CircuitBreaker.Service()("payments") {}`,
    "CircuitBreaker.protect(Payments), Effect.timeout(1000)",
    "Layer.merge(Config.layer, Payments.layer)"
  )
)
const effect = await bytes(
  app(
    `import * as CircuitBreaker from "effect/persistence/CircuitBreaker"`,
    `const breaker = CircuitBreaker.layer({ tripPolicy: CircuitBreaker.consecutive(5), openDuration: "30 seconds" }).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))`,
    `(self) => Effect.flatMap(CircuitBreaker.CircuitBreaker, (b) => b.execute(self, { key: "payments" })), Effect.timeout(1000)`,
    "Layer.merge(Config.layer, breaker)"
  )
)

console.log(JSON.stringify({ base, ours: ours - base, effect: effect - base }))
