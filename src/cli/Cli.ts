/**
 * The command line `resilience`, by which operators see and change the circuits of
 * a fleet.
 */
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Redact from "../core/internal/Redact.ts"
import * as Change from "./commands/Change.ts"
import * as Explain from "./places/Explain.ts"
import * as Failure from "./output/Failure.ts"
import * as Output from "./output/Output.ts"
import * as Print from "./output/Print.ts"
import * as Flags from "./Flags.ts"
import * as Setup from "./commands/Setup.ts"
import * as Status from "./commands/Status.ts"
import type * as Stores from "./places/Stores.ts"
import * as Watch from "./commands/Watch.ts"

/**
 * Subcommands, in the order in which they are shown.
 */
export const subcommands = [Setup.command, Status.command, Watch.command, ...Change.commands] as const

export const command = Command.make("resilience").pipe(
  Command.withDescription("Show and change the circuits of a fleet"),
  Command.withSubcommands(subcommands),
  Command.withGlobalFlags(Flags.flags),
  Command.withExamples([
    { command: "resilience setup", description: "Create the table" },
    { command: "resilience status", description: "Show the circuits" },
    { command: "resilience hold-open payments --for 10m", description: "Refuse all calls of one circuit" },
    {
      command: "resilience status --url https://orders.internal/resilience",
      description: "Ask a running application"
    },
    { command: "source <(resilience --completions bash)", description: "Complete commands in this shell" }
  ])
)

const builtIns = [
  GlobalFlag.Help,
  GlobalFlag.Version,
  {
    ...GlobalFlag.Completions,
    flag: Flag.Literals("completions", ["bash", "zsh", "fish", "powershell"]).pipe(
      Flag.withMetavar("SHELL"),
      Flag.withDescription("Completions"),
      Flag.optional
    )
  }
] as const

/** Shows help unchanged, and a bad invocation as its errors, without the help. */
const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    for (const error of event.errors) yield* complain(error.message)
    yield* Console.error(`See ${event.commandPath.join(" ")} --help`)
  })
}

const complain = (message: string): Effect.Effect<void> =>
  Console.error(Redact.credentials(`resilience: ${message}`).split("\n").map(Print.safe).join("\n"))

/**
 * Services of the commands, besides the platform and the stores.
 */
export const layer = Layer.mergeAll(
  CliConfig.layer({ builtIns }),
  CliOutput.layerPresenter(presenter),
  TerminalCapabilities.layer,
  // The errors repeat what drivers log.
  Layer.succeed(References.MinimumLogLevel, "None"),
  Logger.layer([])
)

/**
 * Runs the CLI and returns its exit code.
 */
export const run = (
  args: ReadonlyArray<string>,
  version: string
): Effect.Effect<number, never, Stores.Stores | HttpClient.HttpClient | Command.Environment> =>
  Command.runWith(command, { version })(args).pipe(
    Effect.as(Failure.exitCodes.done.code),
    Effect.catch((error) => {
      if (error._tag !== "Failure") {
        // Errors of the command line are shown already.
        return Effect.succeed(Failure.exitCodes.usage.code)
      }
      const exitCode = Failure.exitCodes[error.kind].code
      const { message } = error
      return Effect.as(
        args.includes("--json")
          ? Console.error(
              Print.jsonText(Output.Failed, { error: { exitCode, message: Redact.credentials(message) } }, "line")
            )
          : complain(message),
        exitCode
      )
    }),
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.as(
            complain(`unexpected error: ${Explain.oneLine(String(Cause.squash(cause)))}`),
            Failure.exitCodes.failed.code
          )
    ),
    Effect.provide(layer)
  )
