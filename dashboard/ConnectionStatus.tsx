/**
 * Says whether what the page shows is live, and how old it is where it is not.
 */
import type * as Connection from "./connection.ts"
import * as Format from "./format.ts"

export const ConnectionStatus = ({
  heardAt,
  now,
  onRetry,
  status
}: {
  readonly status: Connection.Status
  readonly heardAt: number | undefined
  readonly now: number
  readonly onRetry: () => void
}) => (
  <div class={`connection ${status._tag.toLowerCase()}`}>
    <p role="status">
      <span class="dot" aria-hidden="true" />
      {words(status)}
    </p>
    {status._tag !== "Live" && heardAt !== undefined && (
      <p class="age">
        Out of date: from <time dateTime={Format.iso(heardAt)}>{Format.clock(heardAt)}</time>,{" "}
        {Format.span(now - heardAt)} ago.
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
