/**
 * Place of circuits that is the control plane of a running application.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Schema from "effect/Schema"
import * as CircuitState from "../../circuit/CircuitState.ts"
import type * as Operation from "../../circuit/internal/Operation.ts"
import * as PlainText from "../../core/internal/PlainText.ts"
import * as ControlApi from "../../control/ControlApi.ts"
import * as ControlClient from "../../control/ControlClient.ts"
import * as CircuitTable from "../../store/CircuitTable.ts"
import * as ControlErrors from "./ControlErrors.ts"
import * as ControlListing from "./ControlListing.ts"
import * as ControlWatch from "./ControlWatch.ts"
import * as Failure from "../output/Failure.ts"
import type * as Output from "../output/Output.ts"
import type * as Place from "./Place.ts"
import * as Location from "./Location.ts"

/** How long a request may take. */
const timeout = "10 seconds"

/** How often a change is sent again that came too soon, and how long to wait before that, in seconds. */
const maxRefusals = 10
const waits = { least: 1, most: 120 } as const

/**
 * Creates the place of a control plane, without a request.
 */
export const make = (control: Location.Control): Effect.Effect<Place.Place, never, HttpClient.HttpClient> =>
  Effect.map(ControlClient.make(control), (client): Place.Place => {
    const label = ControlErrors.label(control)
    return {
      label,
      kind: "control plane",
      fields: { namespace: null, controlPlane: ControlErrors.address(control.url) },
      list: (name) => Effect.mapError(list(client, name), (error) => ControlErrors.explain(error, control, "read")),
      watch: (viewer) => ControlWatch.watch(client, control, viewer),
      change: (order) => Effect.as(checked(order, label), change(client, order, control))
    }
  })

/**
 * Creates the place of a control plane, with a warning if its token goes over a
 * network without encryption.
 */
export const open = (control: Location.Control): Effect.Effect<Place.Place, never, HttpClient.HttpClient> =>
  Effect.andThen(Location.warn(control.token === undefined ? undefined : PlainText.ofToken(control.url)), make(control))

const list = Effect.fnUntraced(function* (client: ControlClient.ControlClient, name: string | undefined) {
  const listed = yield* Effect.timeout(client.circuits.list({ query: { limit: ControlApi.bounds.circuits } }), timeout)
  const unlisted =
    name === undefined ||
    listed.circuits.length === listed.total ||
    listed.circuits.some((each) => ControlListing.nameOf(each) === name)
      ? []
      : yield* find(client, name)
  return ControlListing.listing([...listed.circuits, ...unlisted], {
    now: listed.at,
    total: listed.total,
    unlisted: Math.max(0, listed.total - listed.circuits.length)
  })
})

/** Requests a circuit that the list may lack. */
const find = (client: ControlClient.ControlClient, named: string) => {
  const { key, name } = CircuitTable.parseResourceKey(named)
  const { bounds } = ControlApi
  if (name === "" || name.length > bounds.name || (key?.length ?? 0) > bounds.key) return Effect.succeed([])
  return client.circuits.get({ query: { name, ...(key === undefined ? undefined : { key }) } }).pipe(
    Effect.timeout(timeout),
    Effect.map(({ circuit }) => [circuit]),
    Effect.catchTag("UnknownCircuit", () => Effect.succeed([]))
  )
}

/** Checks the texts of an order that a control plane would refuse, before anything is sent. */
const checked = ({ by, reason }: Place.Order, label: string): Effect.Effect<void, Failure.Failure> => {
  const texts = { by, reason }
  if (reason === undefined) return Effect.fail(Failure.usage(`--reason is required: ${label} logs it`))
  for (const name of ["reason", "by"] as const) {
    if (!Schema.is(ControlApi.Operation.fields[name])(texts[name])) {
      return Effect.fail(
        Failure.usage(
          `--${name} must be one line of at most ${ControlApi.bounds[name]} characters, not blank, for a control plane`
        )
      )
    }
  }
  return Effect.void
}

const change = (
  client: ControlClient.ControlClient,
  order: Place.Order,
  control: Location.Control
): ((circuit: Output.Circuit) => Effect.Effect<Output.Change, Failure.Failure>) => {
  const request = requests[order.action]
  let begun = false
  let isNoticed = false
  const wait = ({ retryAfter }: ControlApi.TooManyRequests) =>
    Effect.suspend(() => {
      const notice = isNoticed
        ? Effect.void
        : Console.error("resilience: the control plane limits changes: the others follow as it allows")
      isNoticed = true
      return Effect.andThen(notice, Effect.sleep(Duration.seconds(retryAfter)))
    })
  // A command for many circuits finishes, however low the limit of changes a minute is, and whatever else a server says.
  const isWaitedFor = (error: ControlErrors.ControlError): error is ControlApi.TooManyRequests =>
    begun && error._tag === "TooManyRequests" && error.retryAfter >= waits.least && error.retryAfter <= waits.most
  return Effect.fnUntraced(function* (before) {
    const after = yield* request(client, order, before).pipe(
      Effect.timeout(timeout),
      Effect.tapError((error) => (isWaitedFor(error) ? wait(error) : Effect.void)),
      Effect.retry({ while: isWaitedFor, times: maxRefusals }),
      Effect.mapError((error) => ControlErrors.explain(error, control, "change"))
    )
    begun = true
    const now = yield* Clock.currentTimeMillis
    return {
      // Every other action always changes the circuit.
      changed: order.action !== "release" || (isHeld(before) && !CircuitState.isHeld(after.state)),
      before,
      after: ControlListing.circuit(after, now)
    }
  })
}

const isHeld = ({ state }: Output.Circuit): boolean => state === "HELD_OPEN" || state === "HELD_CLOSED"

type Request = (
  client: ControlClient.ControlClient,
  order: Place.Order,
  circuit: Output.Circuit
) => Effect.Effect<ControlApi.Circuit, ControlErrors.ControlError>

const requests: { readonly [Action in Operation.Action]: Request } = {
  "hold-open": ({ operations }, order, circuit) => operations.holdOpen({ payload: hold(order, circuit) }),
  "hold-closed": ({ operations }, order, circuit) => operations.holdClosed({ payload: hold(order, circuit) }),
  release: ({ operations }, order, circuit) => operations.release({ payload: operation(order, circuit) }),
  reset: ({ operations }, order, circuit) => operations.reset({ payload: operation(order, circuit) })
}

const operation = ({ by, reason = "" }: Place.Order, { key, name }: Output.Circuit) => ({
  name,
  ...(key === null ? undefined : { key }),
  reason,
  by
})

const hold = (order: Place.Order, circuit: Output.Circuit) => ({
  ...operation(order, circuit),
  ...(order.forMillis === undefined ? undefined : { for: Duration.millis(order.forMillis) })
})
