/**
 * Policies as the application describes them.
 */
import * as Api from "./api.ts"
import * as Format from "./format.ts"
import { usePolling } from "./polling.ts"

export const Policies = ({ isLive, token }: { readonly token: string | undefined; readonly isLive: boolean }) => {
  const policies = usePolling(Api.policies, token, 3_600_000, isLive)
  if (policies === undefined || policies.length === 0) return null
  return (
    <section aria-labelledby="policies">
      <h2 id="policies">Policies</h2>
      {policies.map(({ name, text, warnings }) => (
        <details key={name}>
          <summary>
            <bdi>{Format.text(name)}</bdi>
          </summary>
          <pre tabIndex={0}>{text}</pre>
          {warnings.map((warning) => (
            <p key={warning} class="why">
              {Format.text(warning)}
            </p>
          ))}
        </details>
      ))}
    </section>
  )
}
