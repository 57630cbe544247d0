/**
 * Packs a release into the folder `release`: the package, a list of its parts as
 * CycloneDX (SBOM), and their checksums. `npm run release -- v1.2.3` also checks
 * that the tag is the version, and that the changelog has its date.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const folder = join(root, "release")

const npm = (args: ReadonlyArray<string>, cwd: string): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const demand = (holds: boolean, rule: string): void => {
  if (!holds) throw new Error(rule)
}

interface Bom {
  readonly metadata: { readonly component: { name: string; readonly version: string } }
  readonly components: ReadonlyArray<{ readonly name: string; readonly version: string; readonly hashes?: unknown }>
}

/** Returns the parts of what a user installs: the package and what it needs. */
const partsOf = (tarball: string): Bom => {
  const temp = mkdtempSync(join(tmpdir(), "effect-resilience-release-"))
  try {
    execFileSync("tar", ["-xzf", tarball, "-C", temp, "--strip-components=1"])
    // npm would look for what only the repository needs.
    const file = join(temp, "package.json")
    const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>
    writeFileSync(file, JSON.stringify(manifest))
    npm(["install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], temp)
    const bom = JSON.parse(npm(["sbom", "--omit=dev", "--sbom-format=cyclonedx"], temp)) as Bom
    // npm writes the name of the folder.
    bom.metadata.component.name = "effect-resilience"
    return bom
  } finally {
    rmSync(temp, { recursive: true, force: true })
  }
}

const tag = process.argv[2]
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }
if (tag !== undefined) {
  demand(tag === `v${version}`, `the tag is ${tag}, and the version in package.json ${version}`)
  const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8")
  demand(
    new RegExp(`^## \\[${version.replaceAll(".", "\\.")}\\] - \\d{4}-\\d\\d-\\d\\d$`, "m").test(changelog),
    `CHANGELOG.md must have a section "## [${version}] - " with the date`
  )
}

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
const [packed] = JSON.parse(npm(["pack", "--json", "--silent", "--pack-destination", folder], root)) as ReadonlyArray<{
  readonly filename: string
}>
if (packed === undefined) throw new Error("npm pack made no file")
const bom = partsOf(join(folder, packed.filename))
demand(
  bom.components.some(({ name }) => name === "effect") && bom.metadata.component.version === version,
  "the list of parts must name effect, and the version"
)
writeFileSync(join(folder, "sbom.cdx.json"), `${JSON.stringify(bom, null, 2)}\n`)
const sums = [packed.filename, "sbom.cdx.json"].map(
  (name) =>
    `${createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex")}  ${name}\n`
)
writeFileSync(join(folder, "SHA256SUMS"), sums.join(""))
console.log(
  `release: ${packed.filename} of ${bom.components.length + 1} parts: ${bom.components.map(({ name, version }) => `${name} ${version}`).join(", ")}`
)
