import { defineConfig, globalIgnores } from "eslint/config"
import tseslint from "typescript-eslint"
import local from "./scripts/eslint-rules.js"

const useClock = "Read the time from the fiber's Clock."
const useSleep = "Wait with Effect.sleep, so that the TestClock drives it."
const useRandom = "Draw from the fiber's Random."

export default defineConfig(
  globalIgnores(["src/control/internal/DashboardPage.ts", "build/", "coverage/", "dist/", "reports/", ".stryker-tmp/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { local },
    rules: {
      "@typescript-eslint/consistent-type-exports": "error",
      // Messages print what a caller gave, whatever it is.
      "@typescript-eslint/no-base-to-string": "off",
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-empty-object-type": ["error", { allowInterfaces: "always", allowObjectTypes: "always" }],
      "@typescript-eslint/no-extraneous-class": "off",
      "@typescript-eslint/no-generated-empty-object-type": "off",
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      // Options are checked for callers without types, and tests look at what types promise not to exist.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // `local/cast-reason` asks for the reason of a cast.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/unified-signatures": "off",
      eqeqeq: "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "local/no-floating-effect": "error",
      "local/non-null-reason": "error"
    }
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      // A module that is imported for its types only must not be loaded.
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "local/cast-reason": "error",
      "max-lines-per-function": ["error", { max: 80, skipBlankLines: true, skipComments: true }],
      "no-console": "error",
      "no-restricted-globals": [
        "error",
        { name: "Date", message: useClock },
        { name: "performance", message: useClock },
        { name: "setTimeout", message: useSleep },
        { name: "setInterval", message: useSleep },
        { name: "setImmediate", message: useSleep },
        { name: "queueMicrotask", message: "Fork a fiber." },
        { name: "process", message: "The library runs everywhere." },
        { name: "Buffer", message: "The library runs everywhere." },
        { name: "crypto", message: useRandom },
        { name: "globalThis", message: "Name the global, so that these rules see it." }
      ],
      "no-restricted-properties": ["error", { object: "Math", property: "random", message: useRandom }],
      "no-restricted-imports": [
        "error",
        {
          paths: [{ name: "effect", message: "Import by module, such as `effect/Effect`, for tree shaking." }],
          patterns: [
            { group: ["effect/internal/*"], message: "Public API of effect only." },
            { group: ["effect-resilience", "effect-resilience/*"], message: "Import `./X.ts`." }
          ]
        }
      ]
    }
  },
  { files: ["src/**/*.ts"], ignores: ["src/index.ts", "src/*/index.ts"], rules: { "local/doc-comment": "error" } },
  {
    files: ["src/index.ts", "src/*/index.ts"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "Program > :not(ExportAllDeclaration[exported!=null])",
          message: "The root and the barrels only say `export * as X`."
        }
      ]
    }
  },
  // A list of laws is a table.
  { files: ["src/testing/Circuit*Laws.ts"], rules: { "max-lines-per-function": "off" } },
  {
    files: ["test/**/*.ts"],
    rules: {
      "local/no-skipped-test": "error",
      // A test fails where the value is not there.
      "local/non-null-reason": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/require-await": "off"
    }
  },
  {
    files: ["test/**/*.test-d.ts"],
    rules: {
      // Nothing here is run, and a value may be there for its type only.
      "local/no-floating-effect": "off",
      "@typescript-eslint/ban-ts-comment": "off",
      "@typescript-eslint/no-unused-vars": "off"
    }
  },
  // A type of the control plane is an interface, also where a class has its name.
  { files: ["dashboard/**"], rules: { "@typescript-eslint/no-misused-spread": "off" } },
  { files: ["bench/**/*.ts"], rules: { "@typescript-eslint/require-await": "off", "local/non-null-reason": "off" } },
  {
    files: ["bench/**/*.ts", "demo/**/*.ts", "fleet/**/*.ts", "chaos/**/*.ts", "examples/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["**/src/**", "**/dist/**"], message: "Import `effect-resilience`, as a user does." }] }
      ]
    }
  }
)
