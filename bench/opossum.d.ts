/** The part of opossum that the benchmark uses. The package has no types of its own. */
declare module "opossum" {
  export default class CircuitBreaker<A> {
    constructor(
      action: () => Promise<A>,
      options?: {
        readonly timeout?: number | false
        readonly errorThresholdPercentage?: number
        readonly resetTimeout?: number
        readonly volumeThreshold?: number
      }
    )
    fire(): Promise<A>
    open(): void
  }
}
