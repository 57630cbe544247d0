/**
 * All circuits, the most urgent first, with a filter.
 */
import type { ComponentChildren } from "preact"
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks"
import type * as ControlApi from "../src/control/ControlApi.ts"
import { Badge } from "./Badge.tsx"
import * as Format from "./format.ts"
import * as Model from "./model.ts"
import { Sparkline } from "./Sparkline.tsx"
import { next, note } from "./words.ts"

/** Number of periods over which rates are computed, at most. */
const maxRatedPeriods = 6

export const CircuitList = ({
  isKnown,
  model,
  now,
  onOpen
}: {
  readonly model: Model.Model
  /** The server's time. */
  readonly now: number
  /** Whether the server has sent the circuits. */
  readonly isKnown: boolean
  readonly onOpen: (id: string) => void
}) => {
  const [group, setGroup] = useState<Model.Group | undefined>(undefined)
  const [text, setText] = useState("")
  const search = useRef<HTMLInputElement>(null)
  const { activity, circuits, periodMillis, receivedPeriods, total } = model
  const ratedPeriods = Math.max(1, Math.min(receivedPeriods, maxRatedPeriods))
  const counts = Model.counts(circuits.values())
  const shown = Model.select(circuits.values(), group, text)

  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      if (
        event.key !== "/" ||
        event.target instanceof HTMLInputElement ||
        document.querySelector("dialog[open]") !== null
      )
        return
      event.preventDefault()
      search.current?.focus()
    }
    document.addEventListener("keydown", focus)
    return () => document.removeEventListener("keydown", focus)
  }, [])

  // A row that is moved in the document loses the focus in browsers without `moveBefore`.
  const list = useRef<HTMLUListElement>(null)
  const focused = document.activeElement
  useLayoutEffect(() => {
    if (focused instanceof HTMLElement && focused !== document.activeElement && list.current?.contains(focused))
      focused.focus({ preventScroll: true })
  })

  const filter = (id: Model.Group | undefined, name: string, count: number) => (
    <button
      type="button"
      class={`filter ${id ?? "all"}`}
      aria-pressed={group === id}
      onClick={() => setGroup(group === id ? undefined : id)}
    >
      {name} <strong>{Format.count(count)}</strong>
    </button>
  )

  return (
    <section aria-labelledby="circuits">
      <h2 id="circuits" tabIndex={-1} class="hidden">
        All circuits
      </h2>
      <div class="filters" role="group" aria-label="Show circuits that are">
        {filter(undefined, "All", circuits.size)}
        {Model.groups.map(({ id, name }) => filter(id, name, counts[id]))}
        <input
          ref={search}
          type="search"
          aria-label="Name or key of circuits"
          placeholder="Name or key ( / )"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </div>
      {total > circuits.size && (
        <p class="hint">
          {Format.plural(total - circuits.size, "more circuit")} {total - circuits.size === 1 ? "is" : "are"} not
          listed. Closed circuits of keys are left out first. The API has all of them.
        </p>
      )}
      <div class="heads" aria-hidden="true">
        <span>State</span>
        <span>Circuit</span>
        <span>Last {Format.span(Model.periods * periodMillis)}</span>
        <span class="number">Calls/s</span>
        <span class="number">Failed</span>
        <span class="number">Refused/s</span>
        <span class="number">p50 · p95</span>
      </div>
      <ul ref={list} class="circuits" onKeyDown={moveFocus}>
        {shown.map((circuit) => {
          const id = Model.idOf(circuit)
          const calls = activity.get(id)
          return (
            <Row
              key={id}
              id={id}
              circuit={circuit}
              activity={calls}
              periodMillis={periodMillis}
              // Without calls all rates are 0: a constant number of periods saves drawing the row again.
              ratedPeriods={calls === undefined ? 1 : ratedPeriods}
              note={note(circuit, now)}
              next={next(circuit, now)}
              onOpen={onOpen}
            />
          )
        })}
      </ul>
      <p class="legend" aria-hidden="true">
        <span class="succeeded">succeeded</span> <span class="failed">failed</span> <span class="refused">refused</span>
      </p>
      {shown.length === 0 && (
        <p class="hint">
          {!isKnown
            ? "Waiting for the server…"
            : circuits.size === 0
              ? "There are no circuits."
              : "No circuit matches."}
        </p>
      )}
    </section>
  )
}

/** Moves the focus to the next or previous circuit with the arrow keys. */
const moveFocus = (event: KeyboardEvent): void => {
  const step =
    event.key === "ArrowDown" ? "nextElementSibling" : event.key === "ArrowUp" ? "previousElementSibling" : undefined
  const row = event.target instanceof Element ? event.target.closest("li") : null
  const button = step === undefined ? null : row?.[step]?.querySelector("button")
  if (button === null || button === undefined) return
  event.preventDefault()
  button.focus()
}

interface RowProps {
  readonly id: string
  readonly circuit: ControlApi.Circuit
  readonly activity: Model.Activity | undefined
  readonly periodMillis: number
  readonly ratedPeriods: number
  readonly note: string | undefined
  readonly next: string | undefined
  readonly onOpen: (id: string) => void
}

// Only rows that differ are drawn again: there may be hundreds of circuits.
const Row = ({ activity, circuit, id, next, note, onOpen, periodMillis, ratedPeriods }: RowProps) =>
  useMemo(() => {
    const { dryRun, inFlight, key, latency, name, state } = circuit
    const { calls, failed, refused } = Model.rates(activity, ratedPeriods, periodMillis)
    return (
      <li class={`circuit ${state._tag}`}>
        <div class="state">
          <Badge state={state._tag} />
          {dryRun && <span class="tag">dry run</span>}
        </div>
        <div class="name">
          <h3>
            <button type="button" aria-haspopup="dialog" onClick={() => onOpen(id)}>
              <bdi>{Format.text(name)}</bdi>
              {key !== undefined && (
                <>
                  {" "}
                  <bdi class="key">{Format.key(key)}</bdi>
                </>
              )}
            </button>
          </h3>
          {note !== undefined && (
            <p class="note">
              {next !== undefined && <strong class="next">{next} </strong>}
              <span>{note}</span>
            </p>
          )}
        </div>
        <div class="activity">
          <Sparkline activity={activity} periodMillis={periodMillis} />
        </div>
        <Cell label="Calls per second" short="Calls/s">
          {Format.rate(calls)}
          {inFlight > 0 && <small> {Format.count(inFlight)} running</small>}
        </Cell>
        <Cell label="Failed" short="Failed" tone={failed !== undefined && failed >= 0.1 ? "bad" : undefined}>
          {failed === undefined ? "–" : Format.percent(failed)}
        </Cell>
        <Cell label="Refused per second" short="Refused/s" tone={refused > 0 ? "warn" : undefined}>
          {Format.rate(refused)}
        </Cell>
        <Cell label="Latency, median and 95th percentile" short="p50 · p95">
          {latency === undefined ? (
            "–"
          ) : (
            <>
              <span class="whole">{Format.latency(latency.p50)} ·</span>{" "}
              <span class="whole">{Format.latency(latency.p95)}</span>
            </>
          )}
        </Cell>
      </li>
    )
  }, [circuit, activity, periodMillis, ratedPeriods, note, next])

const Cell = ({
  children,
  label,
  short,
  tone
}: {
  readonly label: string
  readonly short: string
  readonly tone?: "bad" | "warn" | undefined
  readonly children: ComponentChildren
}) => (
  <div class={`cell ${tone ?? ""}`}>
    <span class="hidden">{label}: </span>
    <span class="label" aria-hidden="true">
      {short}
    </span>
    <span>{children}</span>
  </div>
)
