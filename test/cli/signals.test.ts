/** However a training is ended, nothing is saved and the terminal is as it was. */

import { spawn } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { temporaryFolder } from '../idx-folder.js'
import { lenetFolder } from '../lenet-folder.js'
import { finish, type Outcome, program, startCandlewick } from '../run-command.js'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A training on slow code that would take minutes, sent signals a quarter of a second apart once it has begun. */
async function ended(t: ExecutionContext, args: string[], ...signals: NodeJS.Signals[]): Promise<Outcome> {
  const data = await lenetFolder(t, 4000)
  const all = ['train', '--data', data, '--epochs', '10000', '--threads', '1', ...args]
  const child = startCandlewick(all, { CANDLEWICK_ISA: 'portable' })
  child.stdout?.once('data', async () => {
    for (const signal of signals) {
      await pause(250)
      child.kill(signal)
    }
  })
  return finish(child)
}

for (const [signal, end, stderr] of [
  ['SIGINT', 130, 'Interrupted.\n'],
  ['SIGTERM', 'SIGTERM', ''],
  ['SIGHUP', 'SIGHUP', ''],
] as const) {
  test(`${signal} ends a training and saves nothing`, async (t) => {
    const file = join(await temporaryFolder(t), 'net.safetensors')
    const outcome = await ended(t, ['--save', file, '--batch-size', '16'], signal)
    t.deepEqual([outcome.end, outcome.stderr], [end, stderr])
    await t.throwsAsync(access(file))
  })
}

// Had it waited for the batch, the first would have ended it, and told so.
for (const [first, second, end] of [
  ['SIGINT', 'SIGINT', 130],
  ['SIGTERM', 'SIGINT', 130],
  ['SIGINT', 'SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGHUP', 'SIGHUP'],
] as const) {
  test(`${second} after ${first} ends a training at once, even within a batch`, async (t) => {
    const outcome = await ended(t, ['--batch-size', '4000'], first, second)
    t.deepEqual([outcome.end, outcome.stderr], [end, ''])
  })
}

/** script(1) runs a training on a terminal of its own; what that terminal saw, and how script ended. */
async function onTerminal(t: ExecutionContext, args: string, act: (pid: number) => void): Promise<Outcome> {
  const folder = await temporaryFolder(t)
  const pidFile = join(folder, 'pid')
  const command = `echo $$ > ${pidFile}; exec ${process.execPath} ${program} train ${args}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, join(folder, 'typescript')], {
    env: { ...process.env, CANDLEWICK_ISA: 'portable', SHELL: '/bin/sh' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let seen = ''
  let acted = false
  child.stdout.on('data', async (chunk) => {
    seen += chunk
    if (acted || !/\] \d+%/.test(seen)) return
    acted = true
    act(Number(await readFile(pidFile, 'utf8')))
  })
  return finish(child)
}

test('a training whose terminal hangs up dies of that', async (t) => {
  const data = await lenetFolder(t, 1000)
  const codeFile = join(await temporaryFolder(t), 'code')
  const train = `${process.execPath} ${program} train --data ${data} --epochs 10000 --batch-size 16`
  const command = `trap '' HUP; ${train}; echo $? > ${codeFile}.part; mv ${codeFile}.part ${codeFile}`
  const child = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
    env: { ...process.env, CANDLEWICK_ISA: 'portable', SHELL: '/bin/sh' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let seen = ''
  for await (const chunk of child.stdout) {
    seen += chunk
    if (/\] \d+%/.test(seen)) break
  }
  child.kill('SIGKILL')
  let code: string | undefined
  while (code === undefined) {
    await pause(50)
    code = await readFile(codeFile, 'utf8').catch(() => undefined)
  }
  t.is(code, '129\n')
})

const cleared = /\r +\r$/

test('a terminal sees a progress bar, which makes way for the lines', async (t) => {
  const data = await lenetFolder(t, 1000)
  const { end, stdout } = await onTerminal(t, `--data ${data} --epochs 2 --batch-size 16`, () => {})
  t.is(end, 0)
  t.regex(stdout, /training \[=+ *\] \d+%/)
  t.regex(stdout, /\r +\repoch 1, loss .*\r\n/)
  t.regex(stdout, /\r +\repoch 2, loss .*\r\n$/)
  const [first = '', second = ''] = stdout.split(/epoch 1, loss \S+ train/)
  const shares = (part: string) => [...part.matchAll(/\] (\d+)%/g)].map(([, share]) => Number(share))
  t.true(shares(first).every((share) => share <= 50) && shares(second).every((share) => share >= 50), stdout)
})

for (const [signal, end] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`after ${signal} the terminal is as it was`, async (t) => {
    const data = await lenetFolder(t, 2000)
    const outcome = await onTerminal(t, `--data ${data} --epochs 10000 --batch-size 16`, (pid) =>
      process.kill(pid, signal),
    )
    t.is(outcome.end, end)
    t.false(outcome.stdout.includes('\x1b'), 'no mode of the terminal was changed')
    t.regex(outcome.stdout.replace('Interrupted.\r\n', ''), cleared)
  })
}
