/** Rates of steps, as the engine is told them; nothing where all are the optimiser's own. */
export interface Rates {
  learningRates?: Float64Array
  momenta?: Float64Array
}
