/**
 * One circuit with its history and the operations on it.
 */
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type * as ControlApi from "../src/control/ControlApi.ts"
import type { Config } from "../src/control/internal/DashboardPage.ts"
import * as Api from "./api.ts"
import { Badge } from "./Badge.tsx"
import * as Format from "./format.ts"
import { Operations } from "./Operations.tsx"
import { TokenForm } from "./SignIn.tsx"
import { Changes } from "./Timeline.tsx"
import { next, note } from "./words.ts"

interface Props {
  readonly circuit: ControlApi.Circuit
  /** Whether the server still lists it. */
  readonly isListed: boolean
  readonly config: Config
  readonly token: string | undefined
  /** The server's time. */
  readonly now: number
  readonly onToken: (token: string) => void
  readonly onClose: () => void
  readonly onChanged: (circuit: ControlApi.Circuit) => void
}

export const CircuitDialog = ({ circuit, config, isListed, now, onChanged, onClose, onToken, token }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const changes = useHistory(circuit, token)
  const [refused, setRefused] = useState<string | undefined>(undefined)
  const isTokenNeeded = config.token !== undefined && (token === undefined || refused !== undefined)
  useEffect(() => dialog.current?.showModal(), [])

  const { counts, dryRun, inFlight, key, lastFailure, latency, name, recent, state, windows } = circuit
  const close = () => dialog.current?.close()
  return (
    <dialog ref={dialog} aria-labelledby="circuit" closedby="any" onClose={onClose}>
      <div class="dialog">
        <header>
          <h2 id="circuit">
            <bdi>{Format.text(name)}</bdi> {key !== undefined && <bdi class="key">{Format.key(key)}</bdi>}{" "}
            <Badge state={state._tag} />
          </h2>
          <button type="button" class="quiet" onClick={close}>
            Close
          </button>
        </header>
        <p>
          <strong class="next">{next(circuit, now)}</strong> {note(circuit, now)}
          {state._tag === "Closed" &&
            (state.since === 0 ? "It was never open." : `Closed for ${Format.span(now - state.since)}.`)}
          {!isListed && " The server no longer lists it: this is its last known state."}
          {dryRun && " Dry run: it counts and reports but refuses nothing."}
        </p>
        <dl class="numbers">
          <Count name="Calls" value={counts.calls} />
          <Count name="Succeeded" value={counts.successes} />
          <Count name="Failed" value={counts.failures} />
          <Count name="Refused" value={counts.refused} />
          <Count name="Ignored" value={counts.ignored} />
          <Count name="Slow" value={counts.slow} />
          <Count name="Running" value={inFlight} />
          <Count name="Changes" value={counts.changes} />
        </dl>
        <dl class="facts">
          {windows.map(({ calls, hits, policy }) => (
            <Fact key={policy} name={policy}>
              {hits} of {Format.plural(calls, "call")}
            </Fact>
          ))}
          {latency !== undefined && (
            <Fact name={`Latest ${Format.plural(latency.calls, "call")}`}>
              half within {Format.latency(latency.p50)}, 95 % within {Format.latency(latency.p95)}
            </Fact>
          )}
          {recent.length > 0 && (
            <Fact name="Latest outcomes">
              <span class="outcomes">
                {recent.map((outcome, i) => (
                  <span key={i} class={outcome.toLowerCase()} title={outcome} role="img" aria-label={outcome} />
                ))}
              </span>
            </Fact>
          )}
          {lastFailure !== undefined && (
            <Fact name="Last failure">
              <time dateTime={Format.iso(lastFailure.at)}>{Format.span(now - lastFailure.at)} ago</time>
              {lastFailure.message !== undefined && `: ${Format.text(lastFailure.message)}`}
            </Fact>
          )}
        </dl>
        {config.changes && isTokenNeeded && (
          <TokenForm
            label="Token, to change the circuit"
            message={refused}
            onToken={(given) => {
              setRefused(undefined)
              onToken(given)
            }}
          />
        )}
        {config.changes && (
          <div hidden={isTokenNeeded}>
            <Operations
              circuit={circuit}
              config={config}
              token={token}
              onChanged={onChanged}
              onUnauthorized={setRefused}
            />
          </div>
        )}
        {changes.length > 0 && (
          <section aria-labelledby="history">
            <h3 id="history">Its changes</h3>
            <Changes changes={changes} now={now} isNamed={false} />
          </section>
        )}
      </div>
    </dialog>
  )
}

const Count = ({ name, value }: { readonly name: string; readonly value: number }) => (
  <div>
    <dt>{name}</dt>
    <dd>{Format.count(value)}</dd>
  </div>
)

const Fact = ({ children, name }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

/** Returns the changes of a circuit, the newest first. Requests them again after each change. */
const useHistory = (circuit: ControlApi.Circuit, token: string | undefined): ReadonlyArray<ControlApi.Change> => {
  const [changes, setChanges] = useState<ReadonlyArray<ControlApi.Change>>([])
  useEffect(() => {
    let isOver = false
    void Api.circuit(token, circuit).then(
      ({ changes }) => !isOver && setChanges(changes.toReversed()),
      () => undefined
    )
    return () => {
      isOver = true
    }
  }, [token, circuit.state.generation])
  return changes
}
