/**
 * What a trip policy of the model is in the library.
 */
import * as TripPolicy from "../../src/circuit/TripPolicy.ts"
import type { Trip } from "./Model.ts"

export const tripPolicy = (trips: ReadonlyArray<Trip>): TripPolicy.TripPolicy => {
  const policies = trips.map((trip): TripPolicy.TripPolicy => {
    switch (trip._tag) {
      case "consecutive":
        return TripPolicy.consecutive(trip.n)
      case "failures":
        return TripPolicy.failures(trip)
      case "rate":
        return TripPolicy.rate(trip)
      case "slowCalls":
        return TripPolicy.slowCalls(trip)
    }
  })
  const [first] = policies
  return policies.length === 1 && first !== undefined ? first : TripPolicy.any(...policies)
}
