import { spawn } from 'node:child_process'
import test from 'ava'
import { lenetFolder } from '../lenet-folder.js'
import { finish, program, quiet } from '../run-command.js'

/** Megabytes that a training took at its peak. */
async function peakMemory(...args: string[]): Promise<number> {
  const { end, stderr } = await finish(
    spawn(process.execPath, ['--import', './bench/peak-memory.js', ...quiet, program, 'train', '--json', ...args]),
  )
  if (end !== 0) throw new Error(stderr)
  return Number(stderr) / 1024
}

test.serial('training on Fashion-MNIST takes less than 200 MB', async (t) => {
  t.true((await peakMemory('--epochs', '1')) < 200)
})

test.serial('many epochs take no more memory than few', async (t) => {
  const data = await lenetFolder(t, 2560, 16)
  const few = await peakMemory('--data', data, '--epochs', '5')
  const many = await peakMemory('--data', data, '--epochs', '100')
  t.true(many < few + 8, `${few} MB for 5 epochs, ${many} MB for 100`)
})
