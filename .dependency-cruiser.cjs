// "An import only points down": scripts/layers.json holds the modules of src from bottom to top. A module may import
// the ones before it, and types count like values. scripts/check-layers.ts sees that the list and src agree.
const layers = require("./scripts/layers.json")

const file = (name) => `^src/${name}[.]ts$`

const upward = layers.slice(0, -1).map((name, index) => ({
  name: `${name}-imports-down`,
  comment: `${name} may import only what stands before it in scripts/layers.json`,
  severity: "error",
  from: { path: file(name) },
  to: { path: layers.slice(index + 1).map(file) }
}))

module.exports = {
  forbidden: [
    ...upward,
    {
      name: "pure-core",
      comment: "The core of the breaker has no clock and runs no effect: the time is an argument",
      severity: "error",
      from: { path: ["Outcome", "Window", "TripPolicy", "CircuitState"].map(file) },
      to: { path: "^node_modules/effect/dist/(Clock|Context|Effect|Fiber|Layer|Random|Ref|Runtime|Schedule)[.]" }
    },
    {
      name: "no-cycle",
      comment: "Cut the cycle: move what both need into a module below them",
      severity: "error",
      from: { path: "^(src|dashboard|test|bench|demo|fleet|chaos|examples|scripts)/" },
      to: { circular: true }
    },
    {
      name: "src-runs-everywhere",
      comment: "src must not need Node, but for the entry of the CLI",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/main[.]ts$" },
      to: { dependencyTypes: ["core"] }
    },
    {
      name: "src-needs-effect-only",
      comment: "src may import src and effect, nothing else, but for the drivers of the CLI",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/(main|Drivers)[.]ts$" },
      to: { pathNot: ["^src/", "^node_modules/effect/"], dependencyTypesNot: ["core"] }
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true }
    }
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(build|dist|coverage|reports)/" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["effect-resilience-source", "types", "import", "node", "default"],
      mainFields: ["module", "main", "types"]
    }
  }
}
