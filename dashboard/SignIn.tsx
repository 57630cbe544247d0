/**
 * Form that asks for a token.
 */
import { useEffect, useRef, useState } from "preact/hooks"

export const TokenForm = ({
  label,
  message,
  onToken
}: {
  readonly label: string
  readonly message: string | undefined
  readonly onToken: (token: string) => void
}) => {
  const [token, setToken] = useState("")
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.focus(), [])
  return (
    <form
      class="token"
      onSubmit={(event) => {
        event.preventDefault()
        if (token.trim() !== "") onToken(token.trim())
      }}
    >
      <label for="token">{label}</label>
      {/* The name under which password managers keep the token. */}
      <input type="text" autocomplete="username" value={location.host} readOnly hidden />
      <input
        ref={input}
        id="token"
        type="password"
        autocomplete="current-password"
        required
        value={token}
        onInput={({ currentTarget }) => setToken(currentTarget.value)}
      />
      <button type="submit">Sign in</button>
      <p role="alert" class="error">
        {message}
      </p>
    </form>
  )
}

export const SignIn = ({
  message,
  onToken
}: {
  readonly message: string | undefined
  readonly onToken: (token: string) => void
}) => (
  <main class="sign-in">
    <h1>Circuits</h1>
    <p>
      The control plane of <strong>{location.host}</strong> requires a token. It is kept until this page closes or is
      loaded again.
    </p>
    <TokenForm label="Token" message={message} onToken={onToken} />
  </main>
)
