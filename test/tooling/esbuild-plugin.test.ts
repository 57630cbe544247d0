import { assert, describe, it } from "@effect/vitest"
import { annotate } from "../../scripts/esbuild-plugin.ts"

describe("calls at the top of a module", () => {
  const cases: ReadonlyArray<readonly [string, string, string]> = [
    ["a call", "const a = f(1)", "const a = /* @__PURE__ */ f(1)"],
    ["a construction", "const a = new A()", "const a = /* @__PURE__ */ new A()"],
    ["a call in an argument", "const a = f(g())", "const a = /* @__PURE__ */ f(/* @__PURE__ */ g())"],
    ["a chain once", "const a = f().g()", "const a = /* @__PURE__ */ f().g()"],
    ["what a class extends", "class A extends F<B>()('a') {}", "class A extends /* @__PURE__ */ F<B>()('a') {}"],
    ["no call in a function", "const a = () => f()", "const a = () => f()"],
    ["no call in a method", "class A { b() { f() } }", "class A { b() { f() } }"],
    ["no statement", "f()", "f()"],
    ["no call twice", "const a = /* @__PURE__ */ f()", "const a = /* @__PURE__ */ f()"],
    ["no call twice in parentheses", "const a = /* @__PURE__ */ (() => 1)()", "const a = /* @__PURE__ */ (() => 1)()"],
    ["nothing in a type", "type A = ReturnType<typeof f>", "type A = ReturnType<typeof f>"]
  ]
  for (const [name, code, expected] of cases) {
    it(`are marked as pure: ${name}`, () => assert.strictEqual(annotate("a.ts", code), expected))
  }
})
