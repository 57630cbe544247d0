/**
 * The program `resilience`, without its platform.
 */
import type * as Command from "effect/cli/Command"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Cli from "./Cli.ts"
import * as Drivers from "./places/Drivers.ts"

class ExitCode extends Data.TaggedError("ExitCode")<{ readonly code: number }> {
  override readonly [Runtime.errorExitCode] = this.code
}

export const main = (options: {
  readonly args: ReadonlyArray<string>
  readonly version: string
  /** Name of the person at the terminal. */
  readonly operator: string
  readonly services: Layer.Layer<Command.Environment>
  readonly runMain: (
    effect: Effect.Effect<void, ExitCode>,
    options: { readonly disableErrorReporting: boolean }
  ) => void
}): void =>
  options.runMain(
    Cli.run(options.args, options.version).pipe(
      Effect.flatMap((code) => (code === 0 ? Effect.void : Effect.fail(new ExitCode({ code })))),
      Effect.provide([Drivers.layer(options.operator), Drivers.http, options.services])
    ),
    // The program has printed its error.
    { disableErrorReporting: true }
  )
