/**
 * Changes of state, as they happen.
 */
import { useEffect, useMemo, useState } from "preact/hooks"
import type * as ControlApi from "../src/ControlApi.ts"
import { Badge } from "./Badge.tsx"
import * as Format from "./format.ts"
import * as Model from "./model.ts"

const shownAtFirst = 30

export const Timeline = ({
  changes,
  now
}: {
  /** The newest first. */
  readonly changes: ReadonlyArray<ControlApi.Change>
  readonly now: number
}) => {
  const [areAll, setAll] = useState(false)
  const shown = areAll ? changes : changes.slice(0, shownAtFirst)
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">Changes</h2>
      <Announcer changes={changes} />
      {changes.length === 0 && <p class="hint">No circuit has changed its state.</p>}
      <Changes changes={shown} now={now} />
      {changes.length > shown.length && (
        <button type="button" class="quiet" onClick={() => setAll(true)}>
          Show all {changes.length}
        </button>
      )}
    </section>
  )
}

/** List of changes, the newest first. */
export const Changes = ({
  changes,
  isNamed = true,
  now
}: {
  readonly changes: ReadonlyArray<ControlApi.Change>
  readonly now: number
  /** Whether each says which circuit changed. */
  readonly isNamed?: boolean
}) => {
  // To the minute, so that the list is not drawn again each second.
  const minute = Math.floor(now / 60_000)
  return useMemo(
    () => (
      <ol class="changes">
        {changes.map((change) => (
          <li key={`${Model.idOf(change)} ${change.to.generation} ${change.at}`}>
            <time dateTime={Format.iso(change.at)}>{when(change.at, now)}</time>
            <p>
              {isNamed && (
                <>
                  <bdi class="who">{change.name}</bdi>{" "}
                  {change.key !== undefined && <bdi class="key">{change.key} </bdi>}
                </>
              )}
              <Badge state={change.to._tag} />{" "}
              <span class="from">was {Model.stateNames[change.from._tag].toLowerCase()}</span>
            </p>
            {Model.why(change.to) !== undefined && (
              <p class="why">
                {(change.to._tag === "HeldOpen" || change.to._tag === "HeldClosed") &&
                  change.to.by !== undefined &&
                  `${change.to.by}: `}
                {Model.why(change.to)}
              </p>
            )}
          </li>
        ))}
      </ol>
    ),
    [changes, minute]
  )
}

const when = (at: number, now: number): string =>
  now - at < 20 * 3_600_000 ? Format.clock(at) : new Date(at).toLocaleString(undefined, { hourCycle: "h23" })

/** Tells screen readers of changes, a few of them at a time. */
const Announcer = ({ changes }: { readonly changes: ReadonlyArray<ControlApi.Change> }) => {
  const [told, setTold] = useState<{ readonly last: ControlApi.Change | undefined; readonly text: string }>()
  useEffect(() => {
    const [latest] = changes
    // What was there when the page was opened is no news.
    if (told === undefined || told.last === latest) return setTold({ last: latest, text: told?.text ?? "" })
    const timer = setTimeout(() => {
      const since = told.last === undefined ? changes.length : changes.indexOf(told.last)
      const more = since > 1 ? ` And ${Format.plural(since - 1, "more change")}.` : ""
      const name = latest === undefined ? "" : `${latest.name} ${latest.key ?? ""}`.trim()
      setTold({
        last: latest,
        text: latest === undefined ? "" : `${name} is ${Model.stateNames[latest.to._tag].toLowerCase()}.${more}`
      })
    }, 1000)
    return () => clearTimeout(timer)
  }, [changes])
  return (
    <p class="hidden" role="log">
      {told?.text}
    </p>
  )
}
