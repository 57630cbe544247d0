import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Layer, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Background from "../../src/core/internal/Background.ts"

/** Something that is there and gone as the latches say, and cannot be interrupted meanwhile. */
const slow = () => {
  const [opens, closes] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
  const told: Array<string> = []
  const note = (what: string) => Effect.sync(() => void told.push(what))
  const acquisition = Effect.acquireRelease(Effect.andThen(opens.await, note("acquired")), () =>
    Effect.andThen(closes.await, note("released"))
  )
  return { opens, closes, told, acquisition }
}

describe("within", () => {
  it.effect("has the value where it is there in time", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Background.within(Effect.succeed(1), "1 second"), Option.some(1))
    })
  )

  it.effect("fails as the effect does", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(Background.within(Effect.fail("no"), "1 second")), "no")
    })
  )

  it.effect("gives up after the duration what cannot be interrupted, and tells it to end", () =>
    Effect.gen(function* () {
      const release = Latch.makeUnsafe()
      const told: Array<string> = []
      const effect = Effect.uninterruptible(release.await).pipe(
        Effect.andThen(Effect.sync(() => void told.push("went on"))),
        Effect.onInterrupt(() => Effect.sync(() => void told.push("ended")))
      )
      const fiber = yield* Effect.forkChild(Background.within(effect, "1 second"), { startImmediately: true })
      yield* TestClock.adjust(999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Fiber.join(fiber), Option.none())
      yield* release.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(told, ["ended"])
    })
  )

  it.effect("is interrupted at once, and interrupts", () =>
    Effect.gen(function* () {
      let isEnded = false
      const effect = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isEnded = true
        })
      )
      const fiber = yield* Effect.forkChild(Background.within(effect, "1 second"), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isEnded)
    })
  )
})

describe("promptly", () => {
  it.effect("succeeds and fails as the effect does", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Background.promptly(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(Background.promptly(Effect.fail("no"))), "no")
    })
  )

  it.effect("is interrupted at once, and tells what cannot be interrupted to end", () =>
    Effect.gen(function* () {
      const release = Latch.makeUnsafe()
      let isEnded = false
      const effect = Effect.onInterrupt(Effect.andThen(Effect.uninterruptible(release.await), Effect.never), () =>
        Effect.sync(() => {
          isEnded = true
        })
      )
      const fiber = yield* Effect.forkChild(Background.promptly(effect), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isFalse(isEnded)
      yield* release.open
      yield* Effect.yieldNow
      assert.isTrue(isEnded)
    })
  )
})

describe("close", () => {
  it.effect("does not wait for what hangs, and says when it is done", () =>
    Effect.gen(function* () {
      const { acquisition, closes, opens, told } = slow()
      const scope = yield* Scope.make()
      yield* opens.open
      yield* Scope.provide(acquisition, scope)
      const closing = yield* Background.close(
        scope,
        Exit.void,
        Effect.sync(() => void told.push("closed"))
      )
      assert.deepStrictEqual(told, ["acquired"])
      yield* closes.open
      yield* Fiber.join(closing)
      assert.deepStrictEqual(told, ["acquired", "released", "closed"])
    })
  )
})

describe("acquire", () => {
  it.effect("releases with the scope", () =>
    Effect.gen(function* () {
      const { acquisition, closes, opens, told } = slow()
      yield* Effect.all([opens.open, closes.open])
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Background.acquire(acquisition)
          assert.deepStrictEqual(told, ["acquired"])
        })
      )
      assert.deepStrictEqual(told, ["acquired", "released"])
    })
  )

  it.effect("ends at once where it is interrupted, and releases what is there after that", () =>
    Effect.gen(function* () {
      const { acquisition, closes, opens, told } = slow()
      yield* closes.open
      const fiber = yield* Effect.forkChild(Effect.scoped(Background.acquire(acquisition)), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(told, [])
      yield* opens.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(told, ["acquired", "released"])
    })
  )

  it.effect("interrupts what can be interrupted", () =>
    Effect.gen(function* () {
      let isEnded = false
      const acquisition = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isEnded = true
        })
      )
      const fiber = yield* Effect.forkChild(Effect.scoped(Background.acquire(acquisition)), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* Effect.yieldNow
      assert.isTrue(isEnded)
    })
  )

  it.effect("closes within its timeout, and continues with the release after that", () =>
    Effect.gen(function* () {
      const { acquisition, closes, opens, told } = slow()
      yield* opens.open
      const scope = yield* Scope.make()
      yield* Scope.provide(Background.acquire(acquisition, { closeTimeout: "3 seconds" }), scope)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust(2999)
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(told, ["acquired"])
      yield* closes.open
      yield* Effect.yieldNow
      assert.deepStrictEqual(told, ["acquired", "released"])
    })
  )

  it.effect("fails as the acquisition does", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(Background.acquire(Effect.fail("no"))), "no")
    })
  )
})

describe("layer", () => {
  it.effect("closes within a second, whatever the client does", () =>
    Effect.gen(function* () {
      const { acquisition, opens, told } = slow()
      yield* opens.open
      const scope = yield* Scope.make()
      yield* Layer.buildWithScope(Background.layer(Layer.effectDiscard(acquisition)), scope)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(told, ["acquired"])
    })
  )
})
