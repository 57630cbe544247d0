/**
 * A library that is built on this package and exports what it makes. Compiled
 * with `declaration: true` against the packed package by `check-pack.ts`: each
 * inferred type must have a name that a user can import.
 */
import { Data, Effect, Layer, Redacted, Schema, Stream } from "effect"
import {
  Backoff,
  CircuitBreaker,
  CircuitBreakers,
  CircuitState,
  CircuitStore,
  CircuitStoreEnv,
  CircuitStoreRedis,
  CircuitStoreSql,
  ControlApi,
  ControlClient,
  ControlPlane,
  EffectBreaker,
  Fallback,
  Health,
  HealthRoutes,
  LazyRedis,
  Options,
  Outcome,
  Policy,
  Refusal,
  Retry,
  Telemetry,
  Timeout,
  TripPolicy
} from "effect-resilience"
import {
  CircuitMigration,
  CircuitStoreTable,
  CircuitTable,
  CircuitTableRedis,
  CircuitTableSql
} from "effect-resilience/store"
import { CircuitStoreLaws, CircuitTableLaws, Law } from "effect-resilience/testing"

export class Declined extends Data.TaggedError("Declined")<{ readonly code: number }> {}

const call: Effect.Effect<string, Declined> = Effect.succeed("charged")

// Backoff, Retry, Timeout, Fallback
export const exponential = Backoff.exponential({ initial: "100 millis" })
export const linear = Backoff.linear({ jitter: Backoff.ratio(0.1) })
export const fibonacci = Backoff.fibonacci()
export const constant = Backoff.constant({ delay: "1 second" })
export const someDelays = Backoff.delays(exponential, 3)
export const backoffDefaults = Backoff.defaults
export const backoffConfig = Schema.decodeUnknownEffect(Backoff.Config)
export const retried = Retry.retry(call, { maxAttempts: 3 })
export const retry = Retry.retry<Declined>({ while: "Declined" })
export const exhausted = Retry.retryOrExhausted(call, { maxAttempts: 3 })
export const until = Retry.retryUntil(call, { until: (value: string) => value !== "" })
export const retryDefaults = Retry.defaults
export const retryResolved = Retry.resolve({ while: "Declined", onRetry: () => Effect.void })
export const retryDescription = Retry.describe({ maxAttempts: 2 })
export const retryConfig = Schema.decodeUnknownEffect(Retry.Config)
export const timed = Timeout.timeout(call, "1 second")
export const timedOr = Timeout.orElse(call, "1 second", () => Effect.succeed(0))
export const timedDefault = Timeout.orElseSucceed(call, "1 second", () => "")
export const timeoutDefaults = Timeout.defaults
export const timeoutConfig = Schema.decodeUnknownEffect(Timeout.Config)
export const fallen = Fallback.orElse(call, () => Effect.succeed("queued"))
export const fallenIf = Fallback.orElse(call, () => Effect.succeed("queued"), { if: "Declined" })
export const fallenDefault = Fallback.orElseSucceed(call, () => "none")
export const source = Fallback.source("cache", call)
export const chained = Fallback.chain([source, Fallback.source("backup", call)])
export const chainedServed = Fallback.chainServed([source])
export const chainedTo = Fallback.chainTo([source])
export const fallenResolved = Fallback.resolve({ if: "Declined" })
export const chainResolved = Fallback.resolveChain([source], { if: "Declined" })
export const chainDescribed = Fallback.describeChain([source])
export const fallbackDefaults = Fallback.defaults

// TripPolicy, Outcome, Refusal, CircuitState
export const consecutive = TripPolicy.consecutive(5)
export const failures = TripPolicy.failures({ count: 3, of: 10 })
export const rate = TripPolicy.rate({ ratio: 0.5 })
export const slowCalls = TripPolicy.slowCalls({ after: "1 second" })
export const anyOf = TripPolicy.any(consecutive, failures, rate, slowCalls)
export const tripDefaults = TripPolicy.defaults
export const tripConfig = Schema.decodeUnknownEffect(TripPolicy.Config)
export const classified = Outcome.classify
export const classifier = Outcome.classifier<string, Declined>({ ignore: "Declined" })
export const failure = Outcome.failure({ retryAfter: "1 second" })
export const isRefusal = Refusal.isRefusal
export const initial = CircuitState.initial
export const transition = CircuitState.transition
export const stateSchema = CircuitState.CircuitState

// Breakers
export class Payments extends CircuitBreaker.Service<Payments>()("payments", { openFor: "30 seconds" }) {}
export const breaker = CircuitBreaker.makeUnsafe("x")
export const made = CircuitBreaker.make("x")
export const makeShared = CircuitBreaker.makeShared("x")
export const breakerOptions = CircuitBreaker.resolve({ openFor: "1 second" })
export const breakerDefaults = CircuitBreaker.defaults
export const breakerConfig = Schema.decodeUnknownEffect(CircuitBreaker.Config)
export const paymentsOptions = Payments.options
export const paymentsLayers = Layer.mergeAll(Payments.layer, Payments.layerShared)
export const protect = CircuitBreaker.protect(Payments)
export const protectedCall = CircuitBreaker.protect(call, Payments, { key: "a", ignore: "Declined" })
export const protectedOr = CircuitBreaker.protect(call, breaker, { orElse: () => Effect.succeed(0) })
export const permit = CircuitBreaker.permit(Payments)
export const found = CircuitBreaker.breaker(Payments)
export const status = CircuitBreaker.status(Payments)
export const statuses = CircuitBreaker.statuses(Payments)
export const state = Effect.map(status, (it) => it.state)
export const counts = Effect.map(status, (it) => it.counts)
export const lastFailure = Effect.map(status, (it) => it.lastFailure)
export const windows = Effect.map(status, (it) => it.windows)
export const changes = CircuitBreaker.changes(Payments)
export const firstChange = Stream.runHead(changes)
export const holdOpen = CircuitBreaker.holdOpen(Payments, { for: "1 minute", reason: "maintenance" })
export const holdClosed = CircuitBreaker.holdClosed(Payments)
export const release = CircuitBreaker.release(Payments)
export const reset = CircuitBreaker.reset(Payments)
export const described = CircuitBreaker.describe(Payments)
export const listeners = breaker.listeners
export const registry = CircuitBreakers.make
export const registryService = CircuitBreakers.CircuitBreakers
export const registryLayer = CircuitBreakers.layer
export const registered = CircuitBreakers.get("payments")
export const listed = CircuitBreakers.list
export const allStatuses = CircuitBreakers.statuses
export const allChanges = CircuitBreakers.changes
export const held = CircuitBreakers.holdOpen("payments")
export const effectBreaker = EffectBreaker.make(Payments)
export const effectBreakerLayer = EffectBreaker.layer(breaker)

// Stores
export const local = CircuitStore.local
export const localLayer = CircuitStore.layerLocal
export const storeStatus = CircuitStore.CircuitStore.use((store) => store.status)
export const sqlStore = CircuitStoreSql.layer()
export const redisStore = CircuitStoreRedis.layer()
export const envStore = CircuitStoreEnv.layer({
  postgres: () => Layer.empty as never,
  redis: () => Layer.empty as never
})
export const envStoreConfig = CircuitStoreEnv.config
export const envStoreResolved = CircuitStoreEnv.resolve()
export const envStoreDescribed = CircuitStoreEnv.describe()
export const storeOptionSchemas = [
  CircuitStoreEnv.Config,
  CircuitStoreSql.Config,
  CircuitStoreRedis.Config,
  CircuitStoreTable.Config
]
export const storeDefaults = [CircuitStoreEnv.defaults, CircuitStoreSql.defaults, CircuitStoreRedis.defaults]
export const sqlStoreResolved = CircuitStoreSql.resolve()
export const redisStoreDescribed = CircuitStoreRedis.describe()
export const lazyRedis = LazyRedis.layer
export const sharedStore = CircuitStoreTable.make
export const sharedStoreLayer = CircuitStoreTable.layer
export const sqlTable = CircuitTableSql.make()
export const redisTable = CircuitTableRedis.make()
export const resourceKey = CircuitTable.resourceKey
export const decoded = CircuitTable.decode
export const drafted = CircuitTable.draft
export const steps = CircuitMigration.steps
export const pendingSteps = CircuitMigration.pending
export const applySteps = CircuitMigration.apply
export const storeLaws = CircuitStoreLaws.laws
export const tableLaws = CircuitTableLaws.laws
export const lawText = Law.text

// Policy
export const policy = Policy.make({
  fallback: () => Effect.succeed("queued"),
  deadline: "10 seconds",
  retry: { maxAttempts: 3 },
  breaker: Payments,
  attemptTimeout: "2 seconds"
})
export const applied = policy(call)
export const composed = Policy.compose(Policy.retry(), Policy.timeout("1 second"))
export const breakerLayer = Policy.circuitBreaker(breaker)
export const policyDescription = Policy.describe(policy)
export const policyConfig = Schema.decodeUnknownEffect(Policy.Config)
export const policyFromConfig = Policy.fromConfig({ retry: { maxAttempts: 2 } })
export const identity = Policy.identity
export const policyFallback = Policy.fallback(() => Effect.succeed("queued"))
export const policyWithFallback = policyFallback(call)

// Health
export const check = Health.check(Effect.succeed(true), { timeout: "1 second" })
export const checkBreaker = Health.fromBreaker(Payments)
export const checkStore = Health.fromStore()
export const health = Health.layer({ version: "1", checks: { check, checkBreaker, checkStore } })
export const healthResolved = Health.resolve({ checks: { check } })
export const report = Health.report
export const readiness = Health.reportFor({ kind: "readiness" })
export const register = Health.register("cache", check)
export const run = Health.run("cache")
export const wait = Health.waitUntilHealthy()
export const healthChanges = Health.changes
export const drain = Health.drainScoped
export const healthConfig = Schema.decodeUnknownEffect(Health.Config)
export const routes = HealthRoutes.layer()
export const drainBeforeStop = HealthRoutes.drainBeforeStop(health)

// Telemetry and the control plane
export const telemetry = Telemetry.layer({ spans: true })
export const metrics = Telemetry.metrics
export const telemetryDefaults = Telemetry.defaults
export const control = ControlPlane.layer()
export const controlAuthorized = ControlPlane.layerAuthorized()
export const tokens: ControlPlane.TokenOptions["token"] = {}
export const namedTokens = { alice: Redacted.make("0123456789abcdef") } satisfies ControlPlane.NamedTokens
export const controlDefaults = ControlPlane.defaults
export const controlResolved = ControlPlane.resolve()
export const controlDescription = ControlPlane.describe()
export const controlConfig = Schema.decodeUnknownEffect(ControlPlane.Config)
export const api = ControlApi.Api
export const apiDocument = ControlApi.document
export const clientResolved = ControlClient.resolve({ url: "http://localhost" })
export const client = ControlClient.make({ url: "http://localhost" })
export const constantCase = Options.constantCase
export const refusedOption = (error: unknown) => error instanceof Options.InvalidOptionError && error.field
