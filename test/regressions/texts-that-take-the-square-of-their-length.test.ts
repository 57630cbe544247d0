// An answer of 300 KB hung the CLI, as an expression looked from each character on for an `://`. Texts from outside are of any
// size and make, so each function that gets them takes time in proportion to it. The bound is generous: the square would take
// minutes.
import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import * as NamePattern from "../../src/cli/commands/NamePattern.ts"
import * as TimeSpan from "../../src/cli/commands/TimeSpan.ts"
import * as Output from "../../src/cli/output/Output.ts"
import * as Print from "../../src/cli/output/Print.ts"
import * as Explain from "../../src/cli/places/Explain.ts"
import * as Redact from "../../src/core/internal/Redact.ts"
import * as Text from "../../src/core/internal/Text.ts"
import * as CircuitTable from "../../src/store/CircuitTable.ts"

const size = 1_000_000
const boundMillis = 3000

/** Of functions that look at each character of what they return, at a text of a tenth of that. */
const lengthOf = (name: string): number => (/^(Redact|Explain|TimeSpan|Text.summary)/.test(name) ? size : size / 10)

const parts = [
  ...["a", "/", "//", "://", "@", ":", "=", " ", "\n", "\t", "\\", "'", '"', "&", "?", "%", "1a", "*", "…"],
  ...[
    "a://",
    "//a:b",
    "//a:b@",
    "//a@",
    "password=",
    "password: ",
    "token='",
    'token=\\"',
    "Bearer ",
    "Basic a",
    "cookie:"
  ],
  ...[
    "\u0301",
    "\u200b",
    "\u200d",
    "\ufe0f",
    "\ud800",
    "👩‍💻",
    "%0041",
    "with args beginning with",
    "data: x\n",
    "{",
    "[",
    "<"
  ]
]

const circuit = (text: string) => ({
  circuit: text,
  name: text,
  key: text,
  state: "HELD_OPEN" as const,
  since: null,
  failures: 0,
  openings: 0,
  reason: text,
  cause: text,
  nextProbe: null,
  probing: 0,
  voters: [text],
  heldBy: text,
  heldUntil: null,
  changedAt: null,
  changedBy: text
})

const functions: { readonly [name: string]: (text: string) => unknown } = {
  "Redact.credentials": Redact.credentials,
  "Redact.secrets": (text) => Redact.secrets(text, ["hunter2", "a", "/"]),
  "Text.printable": Text.printable,
  "Text.quoted": Text.quoted,
  "Text.isSeen": Text.isSeen,
  "Text.label": (text) => Text.label(text, text),
  "Text.summary": (text) => Text.summary(Cause.fail(new Error(text))),
  "Explain.oneLine": (text) => Explain.oneLine(text),
  "Explain.connection": (text) => Explain.connection(new Error(text), "here", Explain.oneLine),
  "Print.cut": (text) => Print.cut(Print.safe(text), 80),
  "Print.wrap": (text) => Print.wrap(Print.safe(text), 80),
  "Output.line": (text) => Output.line(circuit(text), 0),
  "NamePattern.select": (text) => NamePattern.select("a*b*c", [text]),
  "NamePattern.near": (text) => NamePattern.near("abc", [text], 5),
  "TimeSpan.parse": TimeSpan.parse,
  "CircuitTable.parseResourceKey": CircuitTable.parseResourceKey,
  "CircuitTable.resourceKey": (text) => CircuitTable.resourceKey(text, text)
}

describe("a text takes time in proportion to its length:", () => {
  for (const [name, run] of Object.entries(functions)) {
    it(name, () => {
      for (const part of parts) {
        // An end that matches nothing makes a search look at all that was before.
        const text = `${part.repeat(lengthOf(name) / part.length)}!`
        const began = performance.now()
        run(text)
        assert.isBelow(performance.now() - began, boundMillis, `${name} of ${JSON.stringify(part)}`)
      }
    })
  }
})
