import * as ControlClient from "../../../src/control/ControlClient.ts"
import * as ControlPlane from "../../../src/control/ControlPlane.ts"
import { contract } from "../contract.ts"

const notPositive = "a finite duration > 0"
const notCount = "an integer >= 1"
const notUrl = "an http or https URL without user, query and fragment"
// The address may hold a password, and is not shown.
const hidden = "another text"
const plainPath = 'a path of plain segments such as "/internal"'

export const contracts = [
  contract<ControlPlane.TokenOptions>({
    name: "ControlPlane",
    file: "src/control/internal/ControlOptions.ts",
    interfaces: { "": "Options", limits: "Limits" },
    defaults: ControlPlane.defaults,
    resolve: ControlPlane.resolve,
    config: ControlPlane.Config,
    describe: ControlPlane.describe,
    examples: [
      { prefix: "/internal/resilience", reading: "open", details: true, dashboard: false },
      { circuits: 2000, updates: "500 millis", activity: 1000, heartbeat: "1 minute" },
      { limits: { changesPerMinute: 1, streamBytes: 1024 }, origins: ["https://ops.example"] }
    ],
    refused: [
      [{ prefix: "internal" }, "prefix", plainPath],
      [{ prefix: "/" }, "prefix", plainPath],
      [{ reading: "none" }, "reading", '"token" or "open"'],
      [{ details: "yes" }, "details", "true or false"],
      [{ dashboard: 1 }, "dashboard", "true or false"],
      [{ circuits: 0 }, "circuits", notCount],
      [{ circuits: 2001 }, "circuits", "at most 2000"],
      [{ updates: 0 }, "updates", notPositive],
      [{ activity: "-1 second" }, "activity", notPositive],
      [{ heartbeat: Number.NaN }, "heartbeat", notPositive],
      [{ limits: { changesPerMinute: 0 } }, "limits.changesPerMinute", notCount],
      [{ limits: { operatorChangesPerMinute: 0 } }, "limits.operatorChangesPerMinute", notCount],
      [{ limits: { holdsPerMinute: 0 } }, "limits.holdsPerMinute", notCount],
      [{ origins: ["*"] }, "origins.0", 'an origin such as "https://ops.example.com", in small letters'],
      [{ origins: "https://ops.example" }, "origins", "a list of origins"],
      [{ limits: { readsPerSecond: 0.5 } }, "limits.readsPerSecond", notCount],
      [{ limits: { circuitsPerSecond: 0 } }, "limits.circuitsPerSecond", notCount],
      [{ limits: { wrongTokensPerMinute: -1 } }, "limits.wrongTokensPerMinute", notCount],
      [{ limits: { streams: Number.NaN } }, "limits.streams", notCount],
      [{ limits: { streamsPerOperator: 0 } }, "limits.streamsPerOperator", notCount],
      [{ limits: { streamsPerAddress: 1.5 } }, "limits.streamsPerAddress", notCount],
      [{ limits: { streamBytes: 0 } }, "limits.streamBytes", notCount],
      [{ limits: [] }, "limits", "an object"],
      [{ limits: null }, "limits", "an object"],
      [{ policies: 5 }, "policies", "an object"],
      [{ policies: { checkout: () => "a policy" } }, "policies.checkout", "a policy"],
      [{ token: {} }, "token", "at least one token, or absent"]
    ]
  }),
  contract<ControlClient.Options>({
    name: "ControlClient",
    file: "src/control/ControlClient.ts",
    interfaces: { "": "Options" },
    defaults: {},
    required: { url: "https://orders.internal/resilience" },
    resolve: (options = { url: "" }) => ControlClient.resolve(options),
    examples: [],
    refused: [
      [{ token: "0123456789abcdef" }, "token", "a Redacted", "another value"],
      [{ url: "orders.internal" }, "url", notUrl, hidden],
      [{ url: "https://ada:secret@orders.internal" }, "url", notUrl, hidden]
    ]
  })
]
