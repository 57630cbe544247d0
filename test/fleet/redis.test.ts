import { Effect } from "effect"
import * as RedisServer from "../support/redis.ts"
import { suite } from "./FleetSuite.ts"

const external = process.env["REDIS_URL"]

RedisServer.describeRedis("on Redis", () => {
  suite(
    "a fleet of processes",
    external === undefined ? Effect.map(RedisServer.serve, ({ url }) => url) : Effect.succeed(external)
  )
})
