/**
 * What is asked for again and again while the page is looked at.
 */
import { useEffect, useState } from "preact/hooks"

/** Answer to the last question: absent before the first one, `none` where the server has no such thing. */
export type Answer<A> = { readonly value: A } | "none" | undefined

/**
 * Asks at once, and then every `everyMillis` while `isOn` and the page is
 * visible, and when it becomes visible. The last answer stays where one fails.
 */
export const usePolling = <A>(
  ask: (token: string | undefined) => Promise<A>,
  token: string | undefined,
  isNone: (error: unknown) => boolean,
  everyMillis: number,
  isOn: boolean
): Answer<A> => {
  const [answer, setAnswer] = useState<Answer<A>>(undefined)
  useEffect(() => {
    if (!isOn) return
    let isOver = false
    const once = async (): Promise<void> => {
      if (document.hidden) return
      try {
        const value = await ask(token)
        if (!isOver) setAnswer({ value })
      } catch (error) {
        if (!isOver && isNone(error)) setAnswer("none")
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
  return answer
}
