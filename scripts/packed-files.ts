/**
 * Rules for the files of the package, so that whoever installs it gets what the
 * repository shows and nothing else. Run by `check-pack.ts`.
 */
import { homedir } from "node:os"

/** File of the package. */
export interface PackedFile {
  readonly path: string
  /** Permissions, as `npm pack` says them. */
  readonly mode: number
  /** Content, `undefined` for a file that is not text. */
  readonly text: string | undefined
}

/** Part of the manifest that the rules look at. */
export interface PackedManifest {
  readonly bin?: Record<string, string>
  readonly scripts?: Record<string, string>
}

/** Scripts that run on the machine of who installs the package. */
const onInstall = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"]

const secrets: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ["a private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ["a token of npm", /\bnpm_[A-Za-z0-9]{36}\b/],
  ["a token of GitHub", /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60})/],
  ["a key of AWS", /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  [
    "a token of GitLab, Slack, Stripe or Google",
    /\b(?:glpat-[\w-]{20}|xox[abprs]-[\w-]{10}|[rs]k_live_\w{16}|AIza[\w-]{35})/
  ],
  ["a JSON web token", /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\./],
  ["credentials of a registry", /_authToken|_(?:password|auth)\s*=/]
]

/** Characters that make a text look like another one to its reader. */
const reordering = /[\u202A-\u202E\u2066-\u2069]/

/**
 * Returns what is wrong with the files of a package, in one line each.
 *
 * `places` are folders of the machine that packed it.
 */
export const faults = (
  files: ReadonlyArray<PackedFile>,
  manifest: PackedManifest,
  places: ReadonlyArray<string> = [homedir()]
): ReadonlyArray<string> => {
  const programs = Object.values(manifest.bin ?? {}).map((path) => path.replace(/^\.\//, ""))
  const scripts = onInstall.filter((name) => manifest.scripts?.[name] !== undefined)
  return [
    ...scripts.map((name) => `package.json: the script ${name} would run where the package is installed`),
    ...programs.filter((path) => !files.some((file) => file.path === path)).map((path) => `${path} is missing`),
    ...files.flatMap((file) =>
      faultsOf(file, programs.includes(file.path), places).map((say) => `${file.path}: ${say}`)
    )
  ]
}

const faultsOf = (
  { mode, path, text }: PackedFile,
  isProgram: boolean,
  places: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const permissions = mode & 0o777
  const expected = isProgram ? 0o755 : 0o644
  return [
    ...(permissions === expected ? [] : [`has mode ${permissions.toString(8)}, not ${expected.toString(8)}`]),
    ...(/(?:^|\/)\./.test(path) ? ["is a hidden file"] : []),
    ...(/\.(?:node|exe|dll|so|dylib|wasm|tgz|pem|key)$/.test(path)
      ? ["is of a kind that the package has no use for"]
      : []),
    ...(text === undefined ? [] : textFaults(text, places))
  ]
}

const textFaults = (text: string, places: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...secrets.filter(([, pattern]) => pattern.test(text)).map(([what]) => `holds ${what}`),
  ...places.filter((place) => place !== "/" && text.includes(`${place}/`)).map((place) => `names ${place}`),
  // After a host, or within a path, it is another folder of that name.
  ...(/(?<![\w.-])(?:\/(?:home|Users|root)\/|[A-Z]:\\\\?Users\\\\?)\w/.test(text)
    ? ["names a folder of somebody's machine"]
    : []),
  ...(reordering.test(text) ? ["holds characters that change the order of text"] : []),
  ...(/sourceMappingURL=(?!data:)\S*(?:\.\.\/\.\.\/|:\/\/)/.test(text) ? ["has a source map outside the package"] : [])
]
