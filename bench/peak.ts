import { cargoBench } from './cargo.js'

export interface Peak {
  /** The instruction set that was measured, which is the one that training uses. */
  isa: string
  /** Float32 multiply-adds a second on one thread, on two, ... */
  multiplyAddsPerSecond: number[]
}

/** An engine uses no more. */
const mostThreads = 16

/** The most that this machine can do, measured now (crates/candlewick/benches/peak.rs). */
export function measurePeak(): Peak {
  const { isa, multiplyAddsPerSecond } = JSON.parse(cargoBench('peak', true)) as Peak
  const peak = { isa, multiplyAddsPerSecond: multiplyAddsPerSecond.slice(0, mostThreads) }
  const shown = peak.multiplyAddsPerSecond.map((macs, i) => `${(macs / 1e9).toFixed(0)} on ${i + 1}`)
  console.log(`${peak.isa}; at most ${shown.join(', ')} threads, in thousand million multiply-adds a second`)
  return peak
}

/** The share of the peak on as many threads that `multiplyAdds` in `time` seconds are. */
export function shareOfPeak(peak: Peak, multiplyAdds: number, time: number, threads: number): number {
  return multiplyAdds / time / (peak.multiplyAddsPerSecond[threads - 1] ?? Number.NaN)
}
