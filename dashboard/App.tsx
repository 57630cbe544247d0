/**
 * The page: signs in, keeps the connection, and shows the circuits.
 */
import { useEffect, useReducer, useRef, useState } from "preact/hooks"
import type * as ControlApi from "../src/control/ControlApi.ts"
import type { Config } from "../src/control/internal/DashboardPage.ts"
import * as Api from "./api.ts"
import { CircuitDialog } from "./CircuitDialog.tsx"
import { CircuitList } from "./CircuitList.tsx"
import * as Connection from "./connection.ts"
import { ConnectionStatus } from "./ConnectionStatus.tsx"
import { HealthChecks } from "./HealthChecks.tsx"
import * as Model from "./model.ts"
import { Policies } from "./Policies.tsx"
import { SignIn } from "./SignIn.tsx"
import { Timeline } from "./Timeline.tsx"

export const App = ({ config }: { readonly config: Config }) => {
  const [credentials, setCredentials] = useState(() => credentialsOf(config, undefined))
  const [status, setStatus] = useState<Connection.Status>({ _tag: "Connecting" })
  const [receivedAt, setReceivedAt] = useState<number | undefined>(undefined)
  const [openId, setOpenId] = useState<string | undefined>(undefined)
  const lastOpened = useRef<ControlApi.Circuit | undefined>(undefined)
  const now = useNow()
  const model = useRef(Model.empty)
  const [, redraw] = useReducer((n: number, _: void) => n + 1, 0)
  const connection = useRef<Connection.Connection | undefined>(undefined)
  const { isTokenMissing, token } = credentials

  const update = (next: Model.Model): void => {
    model.current = next
    redraw()
  }

  useEffect(() => {
    if (isTokenMissing) return
    let isOver = false
    const opened = Connection.connect({
      token,
      onEvent: (event) => update(Model.apply(model.current, event, Date.now())),
      onReceived: () => setReceivedAt(Date.now()),
      onStatus: (next) => {
        setStatus(next)
        // Changes that were missed while there was no stream.
        if (next._tag === "Live") {
          void Api.changes(token).then(
            (changes) => isOver || update(Model.withChanges(model.current, changes)),
            () => undefined
          )
        }
      }
    })
    connection.current = opened
    return () => {
      isOver = true
      opened.close()
    }
  }, [credentials])

  const { aheadMillis, changes, circuits, news } = model.current
  const { open } = Model.counts(circuits.values())
  useEffect(() => {
    document.title = open === 0 ? "Circuits" : `(${open} open) Circuits`
  }, [open])

  const signIn = (given: string | undefined): void => {
    // Connects again even with the same token.
    setCredentials(credentialsOf(config, given))
    setStatus({ _tag: "Connecting" })
    if (given === undefined) {
      connection.current?.close()
      setOpenId(undefined)
      setReceivedAt(undefined)
      update(Model.empty)
    }
  }

  const isRefused = status._tag === "Unauthorized"
  if (config.token === "all" && (isTokenMissing || isRefused)) {
    return <SignIn message={isRefused && token !== undefined ? status.message : undefined} onToken={signIn} />
  }

  const serverNow = now + aheadMillis
  const isStale = status._tag !== "Live"
  const listed = openId === undefined ? undefined : circuits.get(openId)
  // A circuit that leaves the list does not close its dialog.
  lastOpened.current = openId === undefined ? undefined : (listed ?? lastOpened.current)
  const opened = lastOpened.current
  return (
    <div class={isStale ? "page stale" : "page"}>
      <a class="skip" href="#circuits">
        Skip to the circuits
      </a>
      <header>
        <h1>Circuits</h1>
        <span class="host">{location.host}</span>
        <ConnectionStatus
          status={status}
          receivedAt={receivedAt}
          now={now}
          onRetry={() => connection.current?.retry()}
        />
        {token !== undefined && (
          <button type="button" class="quiet" onClick={() => signIn(undefined)}>
            Forget the token
          </button>
        )}
      </header>
      <main>
        <CircuitList model={model.current} now={serverNow} isKnown={receivedAt !== undefined} onOpen={setOpenId} />
        <aside aria-label="Around the circuits">
          {config.health && <HealthChecks token={token} isLive={!isStale} />}
          <Timeline changes={changes} news={news} now={serverNow} />
          <Policies token={token} isLive={!isStale} />
        </aside>
      </main>
      {opened !== undefined && (
        <CircuitDialog
          key={openId}
          circuit={opened}
          isListed={listed !== undefined}
          config={config}
          token={token}
          now={serverNow}
          onToken={signIn}
          onClose={() => setOpenId(undefined)}
          onChanged={(circuit) =>
            update({ ...model.current, circuits: new Map(model.current.circuits).set(Model.idOf(circuit), circuit) })
          }
        />
      )}
    </div>
  )
}

/** Returns the token of requests, and whether the page has to ask for one first. */
const credentialsOf = (config: Config, token: string | undefined) => ({
  token,
  isTokenMissing: config.token === "all" && token === undefined
})

/** Returns the time of this browser, updated each second. */
const useNow = (): number => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  return now
}
