/**
 * Requests that are repeated while the page is visible.
 */
import { useEffect, useState } from "preact/hooks"

/**
 * Sends a request at once, every `everyMillis` while `isOn` and the page is visible,
 * and when the page becomes visible. Returns the last answer, which is absent before
 * the first one. A request that fails keeps it.
 */
export const usePolling = <A>(
  ask: (token: string | undefined) => Promise<A>,
  token: string | undefined,
  everyMillis: number,
  isOn: boolean
): A | undefined => {
  const [answer, setAnswer] = useState<{ readonly value: A } | undefined>(undefined)
  useEffect(() => {
    if (!isOn) return
    let isOver = false
    const once = async (): Promise<void> => {
      if (document.hidden) return
      try {
        const value = await ask(token)
        if (!isOver) setAnswer({ value })
      } catch {
        // The next request may succeed.
      }
    }
    void once()
    const again = () => void once()
    const timer = setInterval(again, everyMillis)
    document.addEventListener("visibilitychange", again)
    return () => {
      isOver = true
      clearInterval(timer)
      document.removeEventListener("visibilitychange", again)
    }
  }, [isOn, token])
  return answer?.value
}
