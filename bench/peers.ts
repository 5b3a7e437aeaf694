import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { root } from './cargo.js'
import { median, printTable, seconds } from './table.js'
import { timeTraining } from './training.js'
import { type WorkloadName, workloads } from './workloads.js'

/** Another framework's program for the same training. */
interface Peer {
  name: string
  /** What bench/peers/setup.sh makes for it; nothing for our own reference engine. */
  environment: string | undefined
  program: string
  args: string[]
  /** Trains only LeNet at batch 256, and takes long for it: an epoch in one round must do. */
  isSlow: boolean
}

/** What a peer prints, a line an epoch. */
interface Report {
  version: string
  train_seconds: number
  eval_seconds?: number
}

interface Task {
  workload: WorkloadName
  batchSize: number
}

/** Seconds of epochs and of evaluations. */
interface Times {
  training: number[]
  evaluation: number[]
}

const folder = join(root, 'bench/peers')

const peers: Peer[] = [
  python('PyTorch, eager', 'pytorch', 'torch_training.py', 'eager', false),
  python('PyTorch, channels_last', 'pytorch', 'torch_training.py', 'channels_last', false),
  python('PyTorch, compile', 'pytorch', 'torch_training.py', 'compile', false),
  python('MXNet, eager', 'mxnet', 'mxnet_lenet.py', 'eager', true),
  python('MXNet, hybrid', 'mxnet', 'mxnet_lenet.py', 'hybrid', true),
  python('JAX, a jitted step', 'jax', 'jax_lenet.py', 'step', true),
  {
    name: 'candle',
    environment: undefined,
    program: process.execPath,
    args: [join(root, 'build/bench/reference.js')],
    isSlow: true,
  },
  {
    name: 'tfjs, one thread, from 512 images,',
    environment: 'tfjs',
    program: process.execPath,
    args: ['tfjs_lenet.cjs'],
    isSlow: true,
  },
]

const tasks: Task[] = [
  { workload: 'lenet', batchSize: 256 },
  { workload: 'lenet', batchSize: 32 },
  { workload: 'convnet', batchSize: 128 },
  { workload: 'convnetAdam', batchSize: 128 },
  { workload: 'modernLeNet', batchSize: 128 },
  { workload: 'resnet', batchSize: 128 },
  { workload: 'mobilenet', batchSize: 128 },
]

const rounds = 3

/** The same training in candlewick and in each peer that is there, in turn, some rounds of it. */
export async function benchPeers(): Promise<void> {
  const found = peers.filter(
    ({ environment }) => environment === undefined || existsSync(join(folder, 'environments', environment)),
  )
  const missing = peers.filter((peer) => !found.includes(peer))
  if (missing.length > 0) {
    console.log(`Not found: ${missing.map(({ name }) => name).join('; ')}. bench/peers/setup.sh makes them.`)
  }
  const threads = availableParallelism()
  for (const task of tasks) await compare(task, found, threads)
}

async function compare(task: Task, found: Peer[], threads: number): Promise<void> {
  const workload = workloads[task.workload]
  const isForAll = task.workload === 'lenet' && task.batchSize === 256
  const times = new Map<string, Times>()
  for (let round = 1; round <= rounds; round++) {
    const { training, evaluation } = await timeTraining(workload, { batchSize: task.batchSize, threads, epochs: 5 })
    add(times, 'candlewick', { training: [training], evaluation: [evaluation] })
    for (const peer of found) {
      if (peer.isSlow && !(isForAll && round === 1)) continue
      console.error(`${task.workload}, batch ${task.batchSize}, round ${round} of ${rounds}: ${peer.name} ...`)
      const reports = run(peer, task, threads)
      if (reports.length === 0) continue
      add(times, `${peer.name} ${reports[0]?.version.replace(/\+.*/, '')}`, {
        training: reports.map((report) => report.train_seconds),
        evaluation: reports.flatMap((report) => report.eval_seconds ?? []),
      })
    }
  }
  const title = `${workload.title}; batch ${task.batchSize}, ${threads} threads, medians`
  print(title, times)
}

/** The reports of a peer's epochs, but for the first, in which it warms up or compiles; none if it fails. */
function run(peer: Peer, task: Task, threads: number): Report[] {
  const options = { net: task.workload, batch: task.batchSize, threads, epochs: peer.isSlow ? 2 : 3 }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])
  const env = {
    ...process.env,
    NODE_PATH: join(folder, 'environments/tfjs/node_modules'),
    OMP_NUM_THREADS: `${threads}`,
    RAYON_NUM_THREADS: `${threads}`,
  }
  const { status, stdout, stderr, error } = spawnSync(peer.program, [...peer.args, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  })
  if (status !== 0) {
    console.error(`${peer.name} failed, and is left out: ${error?.message ?? stderr}`)
    return []
  }
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Report).slice(lines.length > 1 ? 1 : 0)
}

function add(times: Map<string, Times>, name: string, more: Times): void {
  const { training, evaluation } = times.get(name) ?? { training: [], evaluation: [] }
  times.set(name, {
    training: [...training, ...more.training],
    evaluation: [...evaluation, ...more.evaluation],
  })
}

function print(title: string, times: Map<string, Times>): void {
  const medians = [...times].map(([name, { training, evaluation }]) => ({
    name,
    training: median(training),
    evaluation: median(evaluation),
  }))
  const [ours] = medians
  const rows = medians.map(({ name, training, evaluation }) => {
    const evaluated = Number.isNaN(evaluation)
      ? ['', '']
      : [seconds(evaluation), (evaluation / (ours?.evaluation ?? Number.NaN)).toFixed(1)]
    return [name, seconds(training), (training / (ours?.training ?? Number.NaN)).toFixed(1), ...evaluated]
  })
  printTable(title, ['', 'an epoch', 'times ours', 'evaluation', 'times ours'], rows)
}

function python(name: string, environment: string, script: string, mode: string, isSlow: boolean): Peer {
  const program = join('environments', environment, 'bin/python')
  return { name, environment, program, args: [script, '--mode', mode], isSlow }
}
