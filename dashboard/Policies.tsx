/**
 * Policies as the application describes them.
 */
import * as Api from "./api.ts"
import { usePolling } from "./polling.ts"

export const Policies = ({ isLive, token }: { readonly token: string | undefined; readonly isLive: boolean }) => {
  const answer = usePolling(Api.policies, token, () => false, 3_600_000, isLive)
  if (answer === undefined || answer === "none" || answer.value.length === 0) return null
  return (
    <section aria-labelledby="policies">
      <h2 id="policies">Policies</h2>
      {answer.value.map(({ name, text, warnings }) => (
        <details key={name}>
          <summary>
            <bdi>{name}</bdi>
          </summary>
          <pre tabIndex={0}>{text}</pre>
          {warnings.map((warning) => (
            <p key={warning} class="why">
              {warning}
            </p>
          ))}
        </details>
      ))}
    </section>
  )
}
