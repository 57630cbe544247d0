/**
 * What is asked for again and again while the page is looked at.
 */
import { useEffect, useState } from "preact/hooks"

/**
 * Asks at once, and then every `everyMillis` while `isOn` and the page is
 * visible, and when it becomes visible. Returns the last answer: absent before the
 * first one, and the same where one fails.
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
        // It is asked for again.
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
