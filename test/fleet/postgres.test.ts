import { describe } from "@effect/vitest"
import { Effect } from "effect"
import * as Postgres from "../support/postgres.ts"
import { suite } from "./FleetSuite.ts"

describe("on PostgreSQL", () => {
  suite(
    "a fleet of processes",
    Effect.flatMap(Postgres.start, ({ database }) => database)
  )
})
