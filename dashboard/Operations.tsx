/**
 * Form by which an operator holds, releases or resets a circuit.
 */
import { useState } from "preact/hooks"
import type { Action } from "../src/circuit/internal/Operation.ts"
import * as StateNames from "../src/circuit/internal/StateNames.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"
import type { Config } from "../src/control/internal/DashboardPage.ts"
import * as Api from "./api.ts"
import * as Session from "./session.ts"

const spans = [
  ["", "until released"],
  ["5 minutes", "for 5 minutes"],
  ["15 minutes", "for 15 minutes"],
  ["1 hour", "for 1 hour"],
  ["4 hours", "for 4 hours"],
  ["1 day", "for 1 day"]
] as const

const operations: ReadonlyArray<readonly [Action, string, string]> = [
  ["hold-open", "Hold open", "Refuse all calls"],
  ["hold-closed", "Hold closed", "Admit all calls, whatever their outcome"],
  ["release", "Release", "End the hold"],
  ["reset", "Reset", "Close it, with clean counts"]
]

const notBlank = ".*\\S.*"

interface Props {
  readonly circuit: ControlApi.Circuit
  readonly config: Config
  readonly token: string | undefined
  readonly onChanged: (circuit: ControlApi.Circuit) => void
  /** Called if the server requires another token. */
  readonly onUnauthorized: (message: string) => void
}

export const Operations = ({ circuit, config, onChanged, onUnauthorized, token }: Props) => {
  const [reason, setReason] = useState("")
  const [by, setBy] = useState(() => Session.recall("by") ?? "")
  const [span, setSpan] = useState("")
  const [isBusy, setBusy] = useState(false)
  const [message, setMessage] = useState<{ readonly failed: boolean; readonly text: string }>()
  const isHeld = circuit.state._tag === "HeldOpen" || circuit.state._tag === "HeldClosed"

  const isPossible = (operation: Action): boolean => !isBusy && (operation !== "release" || isHeld)

  const submit = async (operation: Action): Promise<void> => {
    setBusy(true)
    setMessage(undefined)
    try {
      const changed = await Api.operate(token, operation, {
        name: circuit.name,
        ...(circuit.key === undefined ? {} : { key: circuit.key }),
        reason: reason.trim(),
        ...(by.trim() === "" ? {} : { by: by.trim() }),
        ...(operation.startsWith("hold") && span !== "" ? { for: span } : {})
      })
      Session.remember("by", by.trim())
      setReason("")
      setMessage({ failed: false, text: `Done. The circuit is ${StateNames.words[changed.state._tag]}.` })
      onChanged(changed)
    } catch (error) {
      if (config.token !== undefined && error instanceof Api.Refused && error.status === 401)
        return onUnauthorized(error.message)
      setMessage({
        failed: true,
        text: error instanceof Api.Refused ? error.message : "The server did not answer. The change may have been made."
      })
    } finally {
      setBusy(false)
    }
  }

  return (
    <form
      class="operations"
      aria-label="Change the circuit"
      onSubmit={(event) => {
        event.preventDefault()
        const { submitter } = event
        const chosen = operations.find(([id]) => submitter instanceof HTMLButtonElement && submitter.value === id)
        // Enter in a field must not choose an operation.
        if (chosen !== undefined && isPossible(chosen[0])) void submit(chosen[0])
      }}
    >
      <div class="fields">
        <p class="wide">
          <label for="reason">Reason, shown with the circuit and logged</label>
          <input
            id="reason"
            required
            pattern={notBlank}
            maxLength={500}
            autocomplete="off"
            value={reason}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
            onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
          />
        </p>
        {config.by !== "known" && (
          <p>
            <label for="by">Your name</label>
            <input
              id="by"
              required={config.by === "needed"}
              pattern={notBlank}
              maxLength={100}
              autocomplete="username"
              value={by}
              onInput={({ currentTarget }) => setBy(currentTarget.value)}
              onKeyDown={(event) => event.key === "Enter" && event.preventDefault()}
            />
          </p>
        )}
        <p>
          <label for="span">Hold it</label>
          <select id="span" value={span} onChange={({ currentTarget }) => setSpan(currentTarget.value)}>
            {spans.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </p>
      </div>
      <div class="buttons">
        {operations.map(([id, name, effect]) => (
          // Not `disabled`, which would take the focus away.
          <button key={id} type="submit" value={id} title={effect} aria-disabled={!isPossible(id)}>
            {name}
          </button>
        ))}
      </div>
      {circuit.key === undefined && <p class="hint">Holding or resetting the breaker also applies to all its keys.</p>}
      <p role={message?.failed === true ? "alert" : "status"} class={message?.failed === true ? "error" : "done"}>
        {message?.text}
      </p>
    </form>
  )
}
