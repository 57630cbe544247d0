import { assert, describe, it } from "@effect/vitest"
import { faults, type PackedFile } from "../../scripts/packed-files.ts"

const file = (path: string, text: string | undefined = "", mode = 0o644): PackedFile => ({ path, mode, text })
const manifest = { bin: { tool: "./dist/main.js" }, scripts: { build: "x", prepublishOnly: "x" } }
const main = file("dist/main.js", "#!/usr/bin/env node", 0o100755)

describe("packed files", () => {
  it("are as they should be", () => {
    const files = [main, file("README.md", "see https://example.com/home/a"), file("docs/a.png", undefined)]
    assert.deepStrictEqual(faults(files, manifest, ["/srv/build"]), [])
  })

  const rows: ReadonlyArray<readonly [name: string, file: PackedFile, fault: RegExp]> = [
    ["a private key", file("a.md", "-----BEGIN RSA PRIVATE KEY-----"), /a private key/],
    ["a token of npm", file("a.md", `npm_${"a".repeat(36)}`), /token of npm/],
    ["a token of GitHub", file("a.md", `ghp_${"a".repeat(36)}`), /token of GitHub/],
    ["a key of AWS", file("a.md", `AKIA${"A".repeat(16)}`), /key of AWS/],
    ["credentials of a registry", file("a.md", "//example.com/:_authToken=x"), /credentials of a registry/],
    ["a token of Slack", file("a.md", `xoxb-${"1".repeat(12)}`), /token of GitLab, Slack/],
    ["a JSON web token", file("a.md", `eyJ${"a".repeat(20)}.eyJ${"b".repeat(20)}.c`), /JSON web token/],
    ["credentials of another kind", file("a.md", "//example.com/:_auth = x"), /credentials of a registry/],
    ["a folder in a URL", file("a.js.map", "file:///home/ada/src/a.ts"), /somebody's machine/],
    ["a folder in quotes of another kind", file("a.md", "see `/root/src`"), /somebody's machine/],
    ["a folder of Windows in JSON", file("a.json", String.raw`{"a":"C:\\Users\\ada"}`), /somebody's machine/],
    ["the folder that packed it", file("a.js", "at /srv/build/src/a.ts"), /names \/srv\/build/],
    ["a folder of somebody's machine", file("a.js", '"/Users/ada/src"'), /somebody's machine/],
    ["text that looks like another one", file("a.ts", "if (a /*\u202e } \u2066*/)"), /order of text/],
    ["a source map elsewhere", file("a.js", "//# sourceMappingURL=../../a.map"), /outside the package/],
    ["a hidden file", file("dist/.env"), /hidden/],
    ["a native module", file("dist/a.node", undefined), /no use/],
    ["a file that can be run", file("dist/a.js", "", 0o755), /mode 755, not 644/],
    ["a file that others may write", file("dist/a.js", "", 0o666), /mode 666, not 644/]
  ]
  for (const [name, bad, fault] of rows) {
    it(`refuse ${name}`, () => {
      const found = faults([main, bad], manifest, ["/srv/build"])
      assert.lengthOf(found, 1)
      assert.match(found[0] ?? "", fault)
    })
  }

  it("refuse a program that cannot be run, or is missing", () => {
    assert.match(faults([{ ...main, mode: 0o644 }], manifest, []).join(), /mode 644, not 755/)
    assert.match(faults([], manifest, []).join(), /dist\/main.js is missing/)
  })

  for (const name of ["preinstall", "install", "postinstall", "prepare"]) {
    it(`refuse the script ${name}`, () => {
      assert.match(faults([main], { ...manifest, scripts: { [name]: "x" } }, []).join(), new RegExp(name))
    })
  }
})
