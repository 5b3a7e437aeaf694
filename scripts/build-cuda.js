/**
 * Builds the addon with the CUDA engine in place of the one without: `npm run build:cuda`; with `-- --candle`, the reference
 * engine of that addon takes NVIDIA GPUs too, as docs/engines.md tells. Neither a GPU nor a CUDA toolkit
 * need be here; where CUDA_HOME names no toolkit, scripts/cuda-toolkit.sh lays one out. The addon serves machines without an
 * NVIDIA driver as before.
 */

import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const CUDA_HOME = process.env.CUDA_HOME || toolkit()
const candle = process.argv.includes('--candle')
const features = candle ? 'candle-cuda' : 'cuda'
run('npm', ['run', '--silent', 'build:native', '--', '--features', features], candle ? candleSettings() : { CUDA_HOME })
run('npm', ['run', '--silent', 'build:ts'], {})
run(process.execPath, ['dist/cli.js', 'devices'], {})

function toolkit() {
  const { status, stdout } = spawnSync('scripts/cuda-toolkit.sh', {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) {
    console.error('The CUDA toolkit could not be laid out; set CUDA_HOME to one, of CUDA 12 or newer.')
    process.exit(1)
  }
  return stdout.trim()
}

/** candle would link to CUDA's libraries, and its addon then load nowhere without them. With these settings it opens them. */
function candleSettings() {
  const folder = resolve('target/candle-cuda/link')
  mkdirSync(folder, { recursive: true })
  for (const name of ['cuda', 'cublas', 'cublasLt', 'curand', 'nvrtc']) {
    writeFileSync(`${folder}/lib${name}.a`, '!<arch>\n') // empty: the linker is asked for what nobody calls
  }
  rmSync(`${folder}/libcudart.a`, { force: true })
  symlinkSync(`${CUDA_HOME}/lib64/libcudart_static.a`, `${folder}/libcudart.a`)
  return {
    CUDA_HOME,
    CUDA_COMPUTE_CAP: '80', // and PTX of it, which drivers compile for newer GPUs
    LIBRARY_PATH: folder,
    // Of cudarc's two ways to its libraries. With a target, build scripts are spared: cudarc's would refuse it beside candle's.
    RUSTFLAGS: '--cfg feature="dynamic-loading"',
    CARGO_BUILD_TARGET: 'x86_64-unknown-linux-gnu',
  }
}

function run(command, args, env) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) process.exit(status ?? 1)
}
