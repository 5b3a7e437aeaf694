import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The repository, seen from build/bench. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs one of the crate's benchmarks; what it prints is shown, or returned with `capture`. */
export function cargoBench(name: string, capture: boolean): string {
  const { status, stdout, error } = spawnSync(
    'cargo',
    ['bench', '--quiet', '--locked', '--package', 'candlewick', '--bench', name],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'] },
  )
  if (error) throw new Error(`Cannot run cargo: ${error.message}; the benchmarks need Rust, with cargo on the path.`)
  if (status !== 0) throw new Error(`cargo bench --bench ${name} failed.`)
  return stdout ?? ''
}
