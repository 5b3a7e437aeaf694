/**
 * Runs all tests on the real data, wherever that is: cargo's, then ava's. FEATURES names features of the crate, as
 * FEATURES=emulation does for tests of the CUDA engine's kernels.
 */

import { spawnSync } from 'node:child_process'
import { fetchFashionMnist, findFashionMnist } from '../dist/data/fashion-mnist.js'

const folder = (await findFashionMnist()) ?? (await fetchFashionMnist())
const features = process.env.FEATURES ? ['--features', process.env.FEATURES] : []
const env = { ...process.env, FASHION_MNIST_DIR: folder }
for (const [command, ...args] of [
  // The addon has none. Beside another, what the crate depends on has other features, and all would be built again for it alone.
  ['cargo', 'test', '-p', 'candlewick', ...features, '--locked', '--quiet'],
  ['cargo', 'test', '-p', 'candlewick-pictures', '--locked', '--quiet'],
  ['npx', 'ava', ...process.argv.slice(2)],
]) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env, shell: process.platform === 'win32' })
  if (error) console.error(`Cannot run ${command}: ${error.message}. The tests need Rust, with cargo on the path.`)
  if (status !== 0) process.exit(status ?? 1)
}
