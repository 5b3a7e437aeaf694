import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { imageFolder } from '#dist/index.js'
import { root } from './cargo.js'
import { median, printTable, seconds } from './table.js'

/** Another program for the same work. */
interface Peer {
  name: string
  program: string
  args: string[]
}

interface Report {
  version: string
  count: number
  seconds: number
}

const folder = join(root, 'bench/peers')
const environments = join(folder, 'environments')
const python = join(environments, 'pytorch/bin/python')
const rounds = 3

/** JPEG files of 500 x 375 to 3x64x64, in candlewick and in each peer that is there, in turn, some rounds of it. */
export async function benchPictures(count: number): Promise<void> {
  const dir = photos(count)
  const peers = peersOf(dir).filter(({ name, program, args: [script = ''] }) => {
    const isThere = existsSync(program) && (!script.startsWith('sharp') || existsSync(join(environments, 'sharp')))
    if (!isThere) console.log(`Not found: ${name}. bench/peers/setup.sh pytorch sharp makes it.`)
    return isThere
  })
  const times = new Map<string, number[]>()
  const add = (name: string, time: number) => times.set(name, [...(times.get(name) ?? []), time])
  for (let round = 1; round <= rounds; round++) {
    add('candlewick', await load(dir, count))
    for (const { name, program, args } of peers) {
      console.error(`round ${round} of ${rounds}: ${name} ...`)
      const report = run(program, args)
      if (report.count !== count) throw new Error(`${name} read ${report.count} pictures of ${count}.`)
      add(`${name} ${report.version}`, report.seconds)
    }
  }
  const ours = median(times.get('candlewick') ?? [])
  const rows = [...times].map(([name, all]) => {
    const time = median(all)
    return [name, seconds(time), Math.round(count / time).toLocaleString('en'), (time / ours).toFixed(2)]
  })
  const threads = availableParallelism()
  const title = `${count} JPEG files of 500 x 375 to 3x64x64; ${threads} processors, medians of ${rounds}`
  printTable(title, ['', 'time', 'pictures/s', 'times ours'], rows)
}

/** The files, made once. */
function photos(count: number): string {
  const dir = join(environments, `photos-${count}`)
  if (existsSync(dir)) return dir
  console.error(`making ${count} files in ${dir} ...`)
  mkdirSync(environments, { recursive: true })
  const unfinished = `${dir}.unfinished`
  call(python, ['photos.py', unfinished, `${count}`])
  renameSync(unfinished, dir)
  return dir
}

function peersOf(dir: string): Peer[] {
  const torch = (mode: string) => ['torch_pictures.py', '--dir', dir, '--workers', '2', '--mode', mode]
  return [
    { name: 'PyTorch DataLoader, two workers,', program: python, args: torch('whole') },
    { name: 'the same in draft mode,', program: python, args: torch('draft') },
    { name: 'sharp, file by file,', program: process.execPath, args: ['sharp_pictures.cjs', dir, '1'] },
    { name: 'sharp, four at once,', program: process.execPath, args: ['sharp_pictures.cjs', dir, '4'] },
  ]
}

async function load(dir: string, count: number): Promise<number> {
  const start = performance.now()
  const { train } = await imageFolder(dir, { size: 64 })
  const time = (performance.now() - start) / 1000
  if (train.length !== count) throw new Error(`candlewick read ${train.length} pictures of ${count}.`)
  await train.dispose()
  return time
}

function run(program: string, args: string[]): Report {
  return JSON.parse(call(program, args).trim().split('\n').at(-1) ?? '')
}

function call(program: string, args: string[]): string {
  const env = { ...process.env, NODE_PATH: join(environments, 'sharp/node_modules') }
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', env })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${error?.message ?? stderr}`)
  return stdout
}
