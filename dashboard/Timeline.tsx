/**
 * List of the changes of state, updated live.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import * as StateNames from "../src/circuit/internal/StateNames.ts"
import type * as ControlApi from "../src/control/ControlApi.ts"
import { Badge } from "./Badge.tsx"
import * as Format from "./format.ts"
import * as Model from "./model.ts"

const shownAtFirst = 30

export const Timeline = ({
  changes,
  news,
  now
}: {
  /** The newest first. */
  readonly changes: ReadonlyArray<ControlApi.Change>
  readonly news: Model.Model["news"]
  readonly now: number
}) => {
  const [areAll, setAll] = useState(false)
  const shown = areAll ? changes : changes.slice(0, shownAtFirst)
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">Changes</h2>
      <Announcer news={news} />
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
  /** Whether each change shows the name of its circuit. */
  readonly isNamed?: boolean
}) => {
  // To the minute, so that the list is not drawn again each second.
  const minute = Math.floor(now / 60_000)
  return useMemo(
    () => (
      <ol class="changes">
        {changes.map((change) => (
          <li key={Model.idOfChange(change)}>
            <time dateTime={Format.iso(change.at)}>{when(change.at, now)}</time>
            <p>
              {isNamed && (
                <>
                  <bdi class="who">{Format.text(change.name)}</bdi>{" "}
                  {change.key !== undefined && <bdi class="key">{Format.key(change.key)} </bdi>}
                </>
              )}
              <Badge state={change.to._tag} /> <span class="from">was {StateNames.words[change.from._tag]}</span>
            </p>
            {Model.why(change.to) !== undefined && (
              <p class="why">
                {(change.to._tag === "HeldOpen" || change.to._tag === "HeldClosed") &&
                  change.to.by !== undefined &&
                  `${Format.text(change.to.by)}: `}
                {Format.text(Model.why(change.to) ?? "")}
              </p>
            )}
          </li>
        ))}
      </ol>
    ),
    [changes, minute]
  )
}

const when = (at: number, now: number): string => (now - at < 20 * 3_600_000 ? Format.clock(at) : Format.date(at))

/** Announces changes to screen readers, at most once a second. */
const Announcer = ({ news }: Pick<Model.Model, "news">) => {
  const latest = useRef(news)
  latest.current = news
  const [{ text }, setAnnounced] = useState({ count: news.count, text: "" })
  useEffect(() => {
    const timer = setInterval(() => {
      const { count, last } = latest.current
      setAnnounced((before) =>
        last === undefined || count === before.count
          ? before
          : { count, text: sentence(last, count - before.count - 1) }
      )
    }, 1000)
    return () => clearInterval(timer)
  }, [])
  return (
    <p class="hidden" role="log">
      {text}
    </p>
  )
}

const sentence = ({ key, name, to }: ControlApi.Change, more: number): string =>
  `${Format.text(name)}${key === undefined ? "" : ` ${Format.key(key)}`} is ${StateNames.words[to._tag]}.` +
  (more > 0 ? ` And ${Format.plural(more, "more change")}.` : "")
