import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { root } from './cargo.js'
import { median, printTable, seconds } from './table.js'

const runs = 9

/** From the start of a process to its first training step, and the memory that the command takes. */
export async function benchStart(): Promise<void> {
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    const start = performance.now()
    const child = spawn(process.execPath, [join(root, 'build/bench/first-step.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(child, 'close')
    await Promise.race([once(child.stdout, 'data'), closed])
    times.push((performance.now() - start) / 1000)
    const [code] = await closed
    if (code !== 0) throw new Error('The first step failed.')
  }
  const memory = async (epochs: number) => `${Math.round((await peakMemory(epochs)) / 1e6)} MB`
  printTable(
    'The command',
    ['', ''],
    [
      [`from the start of the process to the first step, median of ${runs}`, seconds(median(times))],
      ['peak memory of candlewick train --epochs 5', await memory(5)],
      ['peak memory of candlewick train --epochs 50', await memory(50)],
    ],
  )
}

/** In bytes. */
async function peakMemory(epochs: number): Promise<number> {
  const options = ['--import', join(root, 'bench/peak-memory.js'), join(root, 'dist/cli.js')]
  const child = spawn(process.execPath, [...options, 'train', '--json', '--epochs', `${epochs}`], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`candlewick train failed: ${stderr}`)
  return 1024 * Number(stderr)
}
