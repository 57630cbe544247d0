import { keepModules } from "./scripts/esbuild-plugin.ts"

export default {
  entry: ["src/**/*.ts"],
  format: "esm",
  target: ["es2022", "node20"],
  platform: "neutral",
  sourcemap: true,
  clean: true,
  // The declarations come from tsc, see tsconfig.build.json.
  dts: false,
  splitting: false,
  external: [/^effect($|\/)/, /^@effect\//, /^node:/, "redis"],
  removeNodeProtocol: false,
  silent: true,
  esbuildPlugins: [keepModules]
}
