/**
 * The health report.
 */
import * as Api from "./api.ts"
import * as Format from "./format.ts"
import { usePolling } from "./polling.ts"

const everyMillis = 5_000

export const HealthChecks = ({ isLive, token }: { readonly token: string | undefined; readonly isLive: boolean }) => {
  const report = usePolling(Api.health, token, everyMillis, isLive)
  if (report === undefined) return null
  const { checks, status, uptime, version } = report
  return (
    <section aria-labelledby="health">
      <h2 id="health">
        Health <span class={`badge ${status}`}>{status}</span>
      </h2>
      <p class="hint">
        {version !== undefined && `Version ${Format.text(version)}, `}up {Format.span(uptime)}
      </p>
      <ul class="checks">
        {checks.map(({ critical, latency, message, name, status }) => (
          <li key={name}>
            <span class={`badge ${status}`}>{status}</span> <bdi class="who">{Format.text(name)}</bdi>{" "}
            <span class="hint">
              {Format.latency(latency)}
              {critical ? "" : ", not critical"}
            </span>
            {message !== undefined && <p class="why">{Format.text(message)}</p>}
          </li>
        ))}
      </ul>
    </section>
  )
}
