/**
 * Builds the addon with the CUDA engine in place of the one without: `npm run build:cuda`. Neither a GPU nor a CUDA toolkit
 * need be here; where CUDA_HOME names no toolkit, scripts/cuda-toolkit.sh lays one out. The addon serves machines without an
 * NVIDIA driver as before.
 */

import { spawnSync } from 'node:child_process'

const CUDA_HOME = process.env.CUDA_HOME || toolkit()
run('npm', ['run', '--silent', 'build:native', '--', '--features', 'cuda'], { CUDA_HOME })
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

function run(command, args, env) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) process.exit(status ?? 1)
}
