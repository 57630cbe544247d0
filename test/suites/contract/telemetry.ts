import * as TelemetryOptions from "../../../src/telemetry/internal/TelemetryOptions.ts"
import { contract } from "../contract.ts"

export const contracts = [
  contract<TelemetryOptions.Options>({
    name: "Telemetry",
    file: "src/telemetry/internal/TelemetryOptions.ts",
    interfaces: { "": "Options" },
    defaults: TelemetryOptions.defaults,
    resolve: TelemetryOptions.resolve,
    examples: [{ latency: false, keys: { payments: 10 } }],
    refused: [
      [{ latency: "yes" }, "latency", "true or false"],
      [{ maxValues: 0 }, "maxValues", "an integer >= 1"],
      [{ keys: { payments: 0.5 } }, "keys.payments", "an integer >= 1"],
      [{ buckets: [] }, "buckets", "at least one number"]
    ]
  })
]
