// "An import only points down": an area of src may import those before it in this list, and types count like values.
const areas = require("./scripts/areas.json")

const area = (name) => `^src/${name}/`

const upward = areas.slice(0, -1).map((name, index) => ({
  name: `${name}-imports-down`,
  comment: `${name} may import only itself and what stands before it in scripts/areas.json`,
  severity: "error",
  from: { path: area(name) },
  to: { path: [...areas.slice(index + 1).map(area), "^src/index[.]ts$"] }
}))

const programs = "^(dashboard|test|bench|demo|fleet|chaos|examples|scripts)/"

module.exports = {
  forbidden: [
    ...upward,
    {
      name: "pure-circuit",
      comment: "The rules of a circuit have no clock and run no effect: the time is an argument",
      severity: "error",
      from: { path: ["^src/circuit/", "^src/core/Outcome[.]ts$"] },
      to: { path: "^node_modules/effect/dist/(Clock|Context|Effect|Fiber|Layer|Random|Ref|Runtime|Schedule)[.]" }
    },
    {
      name: "no-cycle",
      comment: "Cut the cycle: move what both need into a module below them",
      severity: "error",
      from: { path: ["^src/", programs] },
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
      from: { path: "^src/", pathNot: "^src/cli/(main|places/Drivers)[.]ts$" },
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
