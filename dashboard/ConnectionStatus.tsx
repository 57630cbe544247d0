/**
 * Shows whether the page is live, and if not, how old its data is.
 */
import type * as Connection from "./connection.ts"
import * as Format from "./format.ts"

export const ConnectionStatus = ({
  receivedAt,
  now,
  onRetry,
  status
}: {
  readonly status: Connection.Status
  /** When the server last sent something. */
  readonly receivedAt: number | undefined
  readonly now: number
  readonly onRetry: () => void
}) => (
  <div class={`connection ${status._tag.toLowerCase()}`}>
    <p role="status">
      <span class="dot" aria-hidden="true" />
      {words(status)}
    </p>
    {status._tag !== "Live" && receivedAt !== undefined && (
      <p class="age">
        Out of date: from <time dateTime={Format.iso(receivedAt)}>{Format.clock(receivedAt)}</time>,{" "}
        {Format.span(now - receivedAt)} ago.
      </p>
    )}
    {(status._tag === "Lost" || status._tag === "Unauthorized") && (
      <p class="age">
        {status._tag === "Lost" && `Trying again in ${Format.span(status.retryAt - now)}. `}
        <button type="button" class="quiet" onClick={onRetry}>
          Try now
        </button>
      </p>
    )}
  </div>
)

const words = (status: Connection.Status): string => {
  switch (status._tag) {
    case "Live":
      return "Live"
    case "Connecting":
      return "Connecting…"
    case "Lost":
      return `Not connected. ${status.why}.`
    case "Unauthorized":
      return `Not connected. ${status.message}.`
  }
}
