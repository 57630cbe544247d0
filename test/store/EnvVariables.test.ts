import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Redacted, Result } from "effect"
import { inspect } from "node:util"
import * as DriverOptions from "../../src/store/internal/DriverOptions.ts"
import * as EnvVariables from "../../src/store/internal/EnvVariables.ts"

type Env = { readonly [name: string]: string }

const secret = "s3cr3t/+?#@:%"

const read = (env: Env) => Effect.runSync(Effect.result(EnvVariables.config.parse(ConfigProvider.fromEnv({ env }))))

const where = (env: Env): EnvVariables.Where => {
  const result = read(env)
  return Result.isSuccess(result) ? result.success.where : assert.fail(result.failure.message)
}

const password = (where: EnvVariables.Where) =>
  where._tag === "None" || where.password === undefined ? undefined : Redacted.value(where.password)

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"

describe("URL", () => {
  it("is read into its parts", () => {
    const found = where({
      RESILIENCE_DATABASE_URL: `postgres://us%20er:${encodeURIComponent(secret)}@db.example:5433/my%2Fdb?application_name=app&options=-c%20a%3Db&connect_timeout=7`
    })
    assert.deepStrictEqual(
      { ...found, password: password(found) },
      {
        _tag: "Postgres",
        host: "db.example",
        port: 5433,
        database: "my/db",
        username: "us er",
        password: secret,
        tls: "disable",
        ca: undefined,
        applicationName: "app",
        startupOptions: "-c a=b",
        connectTimeout: Duration.seconds(7)
      }
    )
  })

  it("has defaults for what it leaves out", () => {
    const found = where({ RESILIENCE_DATABASE_URL: "postgresql://" })
    assert.deepInclude(found, { _tag: "Postgres", host: "localhost", port: 5432, database: undefined })
    assert.deepInclude(where({ RESILIENCE_DATABASE_URL: "redis://" }), {
      _tag: "Redis",
      host: "localhost",
      port: 6379,
      database: 0,
      tls: "disable"
    })
  })

  it("names Redis, its database and whether it is encrypted", () => {
    const found = where({ RESILIENCE_DATABASE_URL: `rediss://default:${encodeURIComponent(secret)}@[::1]:6380/3` })
    assert.deepStrictEqual(
      { ...found, password: password(found) },
      {
        _tag: "Redis",
        host: "::1",
        port: 6380,
        database: 3,
        username: "default",
        password: secret,
        tls: "require",
        ca: undefined
      }
    )
  })

  it("takes host, port, user, password and database as parameters, as libpq does", () => {
    const found = where({
      RESILIENCE_DATABASE_URL: "postgres:///?host=/var/run/pg&port=6000&user=u&password=p&dbname=d"
    })
    assert.deepInclude(found, { host: "/var/run/pg", port: 6000, username: "u", database: "d" })
    assert.strictEqual(password(found), "p")
  })

  for (const [mode, tls] of [
    ["disable", "disable"],
    ["allow", "prefer"],
    ["prefer", "prefer"],
    ["require", "require"],
    ["verify-ca", "require"],
    ["verify-full", "require"],
    ["no-verify", "no-verify"]
  ] as const) {
    it(`has TLS ${tls} for sslmode=${mode}`, () => {
      assert.deepInclude(where({ DATABASE_URL: `postgres://h/d?sslmode=${mode}` }), { tls })
    })
  }

  it("is the app's own where there is no other", () => {
    const DATABASE_URL = "postgres://app/a"
    assert.deepInclude(where({ DATABASE_URL }), { host: "app" })
    assert.deepInclude(where({ DATABASE_URL, RESILIENCE_DATABASE_URL: "" }), { host: "app" })
    assert.deepInclude(where({ DATABASE_URL, RESILIENCE_DATABASE_URL: "redis://own" }), { _tag: "Redis", host: "own" })
    assert.deepInclude(where({ DATABASE_URL, RESILIENCE_DATABASE_HOST: "own" }), { host: "own", database: undefined })
    assert.deepStrictEqual(where({ DATABASE_URL, RESILIENCE_DATABASE_URL: "none" }), { _tag: "None" })
  })

  it("is completed by user, password and TLS, and keeps its own", () => {
    const own = {
      RESILIENCE_DATABASE_USER: "u",
      RESILIENCE_DATABASE_PASSWORD: secret,
      RESILIENCE_DATABASE_TLS: "require"
    }
    const bare = where({ ...own, RESILIENCE_DATABASE_URL: "postgres://h/d?sslmode=disable" })
    assert.deepInclude(bare, { username: "u", tls: "require" })
    assert.strictEqual(password(bare), secret)
    const full = where({ ...own, RESILIENCE_DATABASE_URL: "postgres://a:b@h/d" })
    assert.deepInclude(full, { username: "a" })
    assert.strictEqual(password(full), "b")
  })
})

describe("parts", () => {
  it("are read for PostgreSQL", () => {
    const found = where({
      RESILIENCE_DATABASE_HOST: "h",
      RESILIENCE_DATABASE_PORT: "6000",
      RESILIENCE_DATABASE_NAME: "d",
      RESILIENCE_DATABASE_USER: "u",
      RESILIENCE_DATABASE_PASSWORD: secret,
      RESILIENCE_DATABASE_TLS: "require",
      RESILIENCE_DATABASE_TLS_CA: certificate.replaceAll("\n", "\\n")
    })
    assert.deepInclude(found, {
      _tag: "Postgres",
      host: "h",
      port: 6000,
      database: "d",
      username: "u",
      tls: "require",
      ca: certificate
    })
    assert.strictEqual(password(found), secret)
  })

  it("are read for Redis", () => {
    const found = where({
      RESILIENCE_DATABASE_TYPE: "redis",
      RESILIENCE_DATABASE_HOST: "h",
      RESILIENCE_DATABASE_NAME: "4",
      RESILIENCE_DATABASE_TLS: "no-verify"
    })
    assert.deepInclude(found, { _tag: "Redis", host: "h", port: 6379, database: 4, tls: "no-verify" })
  })

  it("are absent where nothing is shared", () => {
    const env = { RESILIENCE_NAMESPACE: "n", RESILIENCE_TABLE: "t", RESILIENCE_INSTANCE: "i" }
    assert.deepStrictEqual(Result.getOrThrow(read(env)), {
      where: { _tag: "None" },
      namespace: "n",
      table: "t",
      instance: "i"
    })
  })
})

describe("refusals", () => {
  const cases: ReadonlyArray<readonly [Env, RegExp]> = [
    [{ RESILIENCE_DATABASE_URL: `mysql://u:${secret}@h/d` }, /^RESILIENCE_DATABASE_URL must begin with postgres:/],
    [{ DATABASE_URL: secret }, /^DATABASE_URL must begin with postgres:/],
    [{ DATABASE_URL: `u:${secret}@h/d` }, /^DATABASE_URL must begin with postgres:/],
    [{ RESILIENCE_DATABASE_URL: `postgres://u:${secret}@h/d` }, /^RESILIENCE_DATABASE_URL (is no URL|has a %)/],
    [{ RESILIENCE_DATABASE_URL: "postgres://u:s3cr3t%zz@h/d" }, /^RESILIENCE_DATABASE_URL has a % without/],
    [{ RESILIENCE_DATABASE_URL: "postgres://u:s3cr3t@h:99999/d" }, /^RESILIENCE_DATABASE_URL is no URL/],
    [{ RESILIENCE_DATABASE_URL: "postgres://u:s3cr3t@h/d?port=x" }, /port of the URL/],
    [{ RESILIENCE_DATABASE_URL: "postgres://u:s3cr3t@h/d?sslmode=s3cr3t" }, /one of disable, .* as sslmode/],
    [{ RESILIENCE_DATABASE_URL: "postgres://u:s3cr3t@h/d?connect_timeout=soon" }, /connect_timeout/],
    [{ RESILIENCE_DATABASE_URL: "redis://u:s3cr3t@h/orders" }, /number of a Redis database/],
    [
      { RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_PORT: "0" },
      /^RESILIENCE_DATABASE_PORT must be a whole number/
    ],
    [{ RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_PORT: "65536" }, /^RESILIENCE_DATABASE_PORT must be/],
    [{ RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_PORT: "5432x" }, /^RESILIENCE_DATABASE_PORT must be/],
    [{ RESILIENCE_DATABASE_HOST: `u:${secret}@h` }, /^RESILIENCE_DATABASE_HOST must be a host/],
    [
      { RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_TYPE: "mysql" },
      /^RESILIENCE_DATABASE_TYPE must be postgres or redis/
    ],
    [
      { RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_URL: "postgres://h" },
      /^RESILIENCE_DATABASE_HOST must be absent where RESILIENCE_DATABASE_URL is there/
    ],
    [{ RESILIENCE_DATABASE_PORT: "1" }, /^RESILIENCE_DATABASE_PORT says nothing without RESILIENCE_DATABASE_HOST/],
    [{ RESILIENCE_DATABASE_NAME: "d", DATABASE_URL: "postgres://h" }, /^RESILIENCE_DATABASE_NAME says nothing without/],
    [{ RESILIENCE_DATABASE_HOST: "h", RESILIENCE_DATABASE_TLS: "yes" }, /^RESILIENCE_DATABASE_TLS must be one of/],
    [
      { DATABASE_URL: "redis://h", RESILIENCE_DATABASE_TLS: "prefer" },
      /^RESILIENCE_DATABASE_TLS must be one of disable, require, no-verify for Redis/
    ],
    [
      { DATABASE_URL: "postgres://h?sslmode=require", RESILIENCE_DATABASE_TLS_CA: "/etc/ca.pem" },
      /^RESILIENCE_DATABASE_TLS_CA must hold certificates/
    ],
    [
      { DATABASE_URL: "postgres://h", RESILIENCE_DATABASE_TLS_CA: certificate },
      /^RESILIENCE_DATABASE_TLS_CA says nothing where RESILIENCE_DATABASE_TLS is disable/
    ],
    ...[
      ["postgres", "ssl=true", "has the parameter ssl: write sslmode=require, or sslmode=disable for no encryption"],
      ["postgres", "ssl=1", "has the parameter ssl: write sslmode=require"],
      ["postgres", "tls=true", "has the parameter tls: write sslmode=require"],
      ["postgres", "encrypt=true", "has the parameter encrypt: write sslmode=require"],
      ["postgres", "SSLMODE=require", "has the parameter SSLMODE: write sslmode"],
      ["postgres", "sslMode=require", "has the parameter sslMode: write sslmode"],
      ["postgres", "Password=s3cr3t", "has the parameter Password: write password"],
      [
        "postgres",
        "sslrootcert=/ca.pem",
        "has the parameter sslrootcert: write the certificates into RESILIENCE_DATABASE_TLS_CA"
      ],
      ["postgres", "sslcert=/c.pem", "has the parameter sslcert: certificates of clients are not supported"],
      ["postgres", "sslkey=/k.pem", "has the parameter sslkey: certificates of clients are not supported"],
      ["postgres", "sslnegotiation=direct", "has the parameter sslnegotiation: write sslmode=require"],
      ["postgres", "sslmode=require&sslmode=disable", "has the parameter sslmode twice"],
      ["postgres", "sslmode=disable&sslmode=disable", "has the parameter sslmode twice"],
      ["postgres", "user=a&user=b", "has the parameter user twice"],
      ["postgres", "sslmode=", "has the parameter sslmode without a value: leave it out"],
      ["postgres", "host=", "has the parameter host without a value: leave it out"],
      ["postgres", "sslmode=Require", "must have one of disable, "],
      ["postgres", "conect_timeout=1", "has the parameter conect_timeout: leave it out (there are host, port, "],
      ["postgres", "%1b[2J=1", String.raw`has the parameter "\u001b[2J": leave it out`],
      ["postgres", "__proto__=1", "has the parameter __proto__: leave it out"],
      ["redis", "ssl=true", "has the parameter ssl: write rediss:// in place of redis://, or RESILIENCE_DATABASE_TLS"],
      ["redis", "tls=true", "has the parameter tls: write rediss:// in place of redis://"],
      [
        "redis",
        "ssl_ca_certs=/ca",
        "has the parameter ssl_ca_certs: write the certificates into RESILIENCE_DATABASE_TLS_CA"
      ],
      ["redis", "sslmode=require", "has the parameter sslmode: write rediss://"],
      ["redis", "db=1", "has the parameter db: write the number of the database as the path, as in redis://host/1"],
      ["redis", "family=6", "has the parameter family: leave it out (there are none)"]
    ].map(
      ([scheme = "", query = "", rule = ""]) =>
        [
          { RESILIENCE_DATABASE_URL: `${scheme}://u:p@db.example/1?${query}` },
          new RegExp(`^RESILIENCE_DATABASE_URL ${rule.replace(/[\\[\]().]/g, "\\$&")}`)
        ] as const
    ),
    [{ DATABASE_URL: "postgres://u:1?s3cr3t=x@h/d" }, /^DATABASE_URL has # or @ after its address \(in a user/],
    [{ DATABASE_URL: "postgres://u:1#s3cr3t@h/d" }, /^DATABASE_URL has # or @ after its address/]
  ]
  for (const [env, message] of cases) {
    it(`name the variable and no secret: ${JSON.stringify(env)}`, () => {
      const result = read({ RESILIENCE_DATABASE_PASSWORD: secret, ...env })
      const error = Result.isFailure(result) ? result.failure : assert.fail("read")
      assert.match(error.cause.message, message)
      for (const text of [error.message, String(error), inspect(error, { depth: 20 }), JSON.stringify(error)]) {
        assert.notInclude(text, "s3cr3t")
      }
    })
  }
})

it("ignores parameters of other clients that say nothing of encryption", () => {
  const url = "postgres://h/d?schema=public&pgbouncer=true&connection_limit=5&channel_binding=require&sslmode=require"
  assert.deepInclude(where({ DATABASE_URL: url }), { host: "h", tls: "require" })
})

describe("a password without encryption", () => {
  for (const [url, host] of [
    ["postgres://u:p@db.example/d", "db.example"],
    ["postgres://u:p@db.example/d?sslmode=disable", "db.example"],
    ["postgres:///d?host=10.0.0.7&user=u&password=p", "10.0.0.7"],
    ["postgres://u:p@[2001:db8::1]/d", "2001:db8::1"],
    ["postgres://u:p@localhost.example/d", "localhost.example"],
    ["postgres://u:p@127.0.0.1.example/d", "127.0.0.1.example"],
    ["redis://:p@cache", "cache"]
  ] as const) {
    it(`is warned of: ${url}`, () => {
      const warning = EnvVariables.plainText(where({ DATABASE_URL: url })) ?? ""
      assert.match(
        warning,
        /^The password of (PostgreSQL|Redis) goes to \S+ without encryption: write (sslmode=require|rediss:)/
      )
      assert.include(warning, ` ${host} `)
    })
  }
  it("is warned of where the server may choose it", () => {
    for (const mode of ["prefer", "allow"]) {
      assert.include(
        EnvVariables.plainText(where({ DATABASE_URL: `postgres://u:p@db.example/d?sslmode=${mode}` })),
        "The password of PostgreSQL may go to db.example without encryption: write sslmode=require"
      )
    }
    assert.isUndefined(EnvVariables.plainText(where({ DATABASE_URL: "postgres://u:p@localhost/d?sslmode=prefer" })))
  })
  for (const url of [
    "postgres://u@db.example/d",
    "postgres://u:p@db.example/d?sslmode=require",
    "postgres://u:p@db.example/d?sslmode=no-verify",
    "postgres://u:p@localhost/d",
    "postgres://u:p@LOCALHOST./d",
    "postgres://u:p@db.localhost/d",
    "postgres://u:p@127.0.0.1/d",
    "postgres://u:p@127.8.9.1/d",
    "postgres://u:p@[::1]/d",
    "postgres://u:p@[::ffff:127.0.0.1]/d",
    "postgres:///d?host=/run/pg&user=u&password=p",
    "redis://cache",
    "redis://:p@localhost",
    "rediss://:p@cache",
    "none"
  ]) {
    it(`is none: ${url}`, () => assert.isUndefined(EnvVariables.plainText(where({ DATABASE_URL: url }))))
  }
})

it("is a configuration that has no default of its own", () => {
  const config = Config.all({ store: EnvVariables.config, other: Config.String("OTHER") })
  const provider = ConfigProvider.fromEnv({ env: { DATABASE_URL: "nonsense", OTHER: "x" } })
  assert.isTrue(Result.isFailure(Effect.runSync(Effect.result(config.parse(provider)))))
})

it("shows no password, whichever way it is printed", () => {
  for (const url of [`postgres://u:${encodeURIComponent(secret)}@h/d`, `redis://:${encodeURIComponent(secret)}@h`]) {
    const found = where({ RESILIENCE_DATABASE_URL: url })
    for (const text of [
      EnvVariables.describe(found),
      inspect(found, { depth: 9 }),
      JSON.stringify(found),
      String(found)
    ]) {
      assert.notInclude(text, "s3cr3t")
    }
  }
})

describe("describe", () => {
  for (const [url, text] of [
    ["postgres://u:p@h:1/d?sslmode=require", "PostgreSQL at h:1, database d, user u, TLS require"],
    ["postgres:///?host=/run/pg", "PostgreSQL at /run/pg"],
    ["rediss://[::1]", "Redis at [::1]:6379, database 0, TLS require"],
    ["none", "nowhere: circuits are each process's own"]
  ] as const) {
    it(`says ${text}`, () => assert.strictEqual(EnvVariables.describe(where({ DATABASE_URL: url })), text))
  }
})

describe("options of drivers", () => {
  const pg = (url: string, env: Env = {}) => {
    const found = where({ DATABASE_URL: url, ...env })
    return found._tag === "Postgres" ? DriverOptions.pgOptions(found) : assert.fail(found._tag)
  }
  const redis = (url: string, env: Env = {}) => {
    const found = where({ DATABASE_URL: url, ...env })
    return found._tag === "Redis" ? DriverOptions.redisOptions(found) : assert.fail(found._tag)
  }

  it("say how PostgreSQL is encrypted", () => {
    assert.strictEqual(pg("postgres://h").ssl, false)
    assert.strictEqual(pg("postgres://h?sslmode=require").ssl, true)
    assert.deepStrictEqual(pg("postgres://h?sslmode=no-verify").ssl, { rejectUnauthorized: false })
    assert.deepStrictEqual(pg("postgres://h?sslmode=require", { RESILIENCE_DATABASE_TLS_CA: certificate }).ssl, {
      ca: certificate
    })
    const optional = pg("postgres://h?sslmode=prefer")
    assert.strictEqual(optional.ssl, undefined)
    assert.strictEqual(Redacted.value(optional.url!), "postgres:///?sslmode=prefer")
  })

  it("say how Redis is reached", () => {
    assert.deepStrictEqual(redis("redis://h:1/2"), { socket: { host: "h", port: 1 }, database: 2 })
    assert.deepStrictEqual(redis(`rediss://u:${encodeURIComponent(secret)}@h`), {
      socket: { host: "h", port: 6379, tls: true },
      username: "u",
      password: secret,
      database: 0
    })
    assert.deepStrictEqual(redis("redis://h", { RESILIENCE_DATABASE_TLS: "no-verify" }).socket, {
      host: "h",
      port: 6379,
      tls: true,
      rejectUnauthorized: false
    })
  })
})
