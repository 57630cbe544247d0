import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"

const workflows = globSync(".github/workflows/*.yml").sort()

/** Jobs of a workflow, by their names. */
const jobsOf = (text: string): ReadonlyArray<readonly [name: string, job: string]> =>
  [...(text.split(/^jobs:\n/m)[1] ?? "").matchAll(/^ {2}(\w+):\n((?: {4}.*\n|\n)+)/gm)].map(
    ([, name = "", job = ""]) => [name, job]
  )

describe("workflows", () => {
  it("are those that are checked here", () => {
    assert.deepStrictEqual(workflows, [".github/workflows/ci.yml", ".github/workflows/release.yml"])
  })

  for (const file of workflows) {
    const text = readFileSync(file, "utf8")
    const jobs = jobsOf(text)

    it(`${file} has no rights but those that a job asks for`, () => {
      assert.match(text, /^permissions: \{\}$/m)
      assert.isAbove(jobs.length, 0)
      for (const [name, job] of jobs) assert.match(job, /^ {4}permissions:\n/m, name)
    })

    it(`${file} pins its actions by hash, and says which version that is`, () => {
      const uses = [...text.matchAll(/uses: (.*)/g)].map(([, used = ""]) => used)
      assert.isAbove(uses.length, 0)
      for (const used of uses) assert.match(used, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    })

    it(`${file} pins Node and npm`, () => {
      for (const [, version = ""] of text.matchAll(/node-version: (.*)|npm@(\S*)/g)) {
        assert.match(version, /^(?:\d+\.\d+\.\d+)?$/)
      }
      assert.notMatch(text, /npm@(?!\d+\.\d+\.\d+)/)
    })

    it(`${file} leaves no credentials in a checkout, and uses no secret`, () => {
      const checkouts = [...text.matchAll(/uses: actions\/checkout/g)].length
      assert.lengthOf([...text.matchAll(/persist-credentials: false/g)], checkouts)
      assert.notMatch(text, /\bsecrets\./)
    })

    it(`${file} puts no text from outside into a command`, () => {
      for (const [, command = ""] of text.matchAll(/run: (.*)/g)) assert.notInclude(command, "${{")
    })

    it(`${file} bounds the time of each job`, () => {
      for (const [name, job] of jobs) assert.match(job, /timeout-minutes: \d+/, name)
    })
  }

  it("publish only what is on the main branch, which is looked at before anything else", () => {
    const [[name, job] = []] = jobsOf(readFileSync(".github/workflows/release.yml", "utf8"))
    assert.strictEqual(name, "pack")
    const steps = [...(job ?? "").matchAll(/^ {6}- (?:run|uses): (\S+ ?\S*)|fetch-depth: 0/gm)].map(([text]) =>
      text.trim()
    )
    assert.match(steps.join("\n"), /^- uses: actions\/checkout.*\nfetch-depth: 0\n- run: git merge-base\n/)
    assert.include(job, "git merge-base --is-ancestor HEAD origin/main")
  })

  it("publish from a job that runs no code of the repository", () => {
    const jobs = jobsOf(readFileSync(".github/workflows/release.yml", "utf8"))
    const publishing = jobs.filter(([, job]) => job.includes("id-token: write"))
    assert.deepStrictEqual(
      publishing.map(([name]) => name),
      ["publish"]
    )
    for (const [, job] of publishing) {
      assert.notMatch(job, /checkout|npm (?:ci|run|install(?! --global npm@))/)
      assert.match(job, /environment: release/)
      assert.match(job, /npm publish \.\/effect-resilience-\*\.tgz --provenance .*--ignore-scripts/)
    }
  })
})
