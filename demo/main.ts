/**
 * Runs the demo: `npm run demo` tells a story that ends by itself, with an exit
 * code other than 0 where it did not show what it has to. `npm run demo -- --serve`
 * keeps running until Ctrl-C, with a dashboard beside it.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { CircuitBreakers } from "effect-resilience"
import { Cause, Console, Effect } from "effect"
import { parseArgs, type ParseArgsOptionsConfig } from "node:util"
import * as Print from "./report.ts"
import { serve } from "./serve.ts"
import { story } from "./story.ts"

const help = `npm run demo                tells a story of half a minute
npm run demo -- --serve     keeps running, with a dashboard
    --port N                port of the dashboard (default: 4000; 0: any that is free)
    --token TEXT            token of the dashboard (default: another one each time)
    --for SPAN              ends by itself, such as after "30 seconds"`

const flags = {
  serve: { type: "boolean", default: false },
  port: { type: "string" },
  token: { type: "string" },
  for: { type: "string" },
  help: { type: "boolean", default: false }
} as const satisfies ParseArgsOptionsConfig

const colours = Print.paint(process.stdout.isTTY && !process.env["NO_COLOR"])

const demo = Effect.gen(function* () {
  const { values } = yield* Effect.try({
    try: () => parseArgs({ options: flags }),
    // It says which flag there is not.
    catch: (error) => new Error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`)
  })
  if (values.help) return yield* Console.log(help)
  const { help: _help, serve: isServed, ...more } = values
  const [flag] = Object.keys(more)
  if (!isServed && flag !== undefined) return yield* Effect.fail(new Error(`--${flag} goes with --serve`))
  yield* isServed ? serve(colours, more) : story(colours)
})

const failed = (cause: Cause.Cause<{ readonly message: string }>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const why = Cause.hasDies(cause) ? Cause.pretty(cause) : Cause.prettyErrors(cause).map(({ message }) => message)
  return Console.error(`\n${colours.red("The demo failed")}: ${String(why)}`)
}

demo.pipe(
  Effect.provide([CircuitBreakers.layer, NodeHttpClient.layerUndici]),
  Effect.tapCause(failed),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
