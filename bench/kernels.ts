import { cargoBench } from './cargo.js'

/** Each kernel on one thread against the peak (crates/candlewick/benches/kernels.rs). */
export async function benchKernels(): Promise<void> {
  console.log('\nKernels, on one thread\n')
  cargoBench('kernels', false)
}
