import test from 'ava'
import { progressBar } from '#dist/progress-bar.js'

/** A stream that remembers what was written. */
function stream(properties: { isTTY: boolean; columns?: number }) {
  const written: string[] = []
  const write = (text: string) => written.push(text)
  return { written, stream: { ...properties, write } as unknown as NodeJS.WriteStream }
}

test('a bar shows how far it is, writes only what is new, and clears its line', (t) => {
  const { written, stream: terminal } = stream({ isTTY: true, columns: 80 })
  const bar = progressBar('training', terminal)
  bar.update(0, 400)
  bar.update(100, 400)
  bar.update(101, 400)
  bar.update(500, 400)
  bar.stop()
  bar.stop()
  const line = (done: number, share: string) => `\rtraining [${'='.repeat(done).padEnd(40)}] ${share}`
  const blank = `\r${' '.repeat(line(40, '100%').length - 1)}\r`
  t.deepEqual(written, [line(0, '0%'), line(10, '25%'), line(40, '100%'), blank])
})

test('a bar stays within its terminal, and within 80 columns where none are told', (t) => {
  for (const [columns, length] of [
    [20, 19],
    [0, 79],
  ] as const) {
    const { written, stream: terminal } = stream({ isTTY: true, columns })
    progressBar('downloading all that there is to be had', terminal).update(1, 2)
    t.is(written[0]?.length, '\r'.length + length)
  }
})

test('where there is no terminal, nothing is written', (t) => {
  const { written, stream: file } = stream({ isTTY: false })
  const bar = progressBar('training', file)
  bar.update(1, 2)
  bar.stop()
  t.deepEqual(written, [])
})

test('a bar that is shown when the process exits is cleared then, and no other', (t) => {
  const before = process.listeners('exit')
  const { written, stream: terminal } = stream({ isTTY: true, columns: 80 })
  const bar = progressBar('training', terminal)
  bar.update(1, 2)
  bar.update(2, 2)
  const added = process.listeners('exit').filter((listener) => !before.includes(listener))
  t.is(added.length, 1)
  added[0]?.(0)
  t.regex(written.at(-1) ?? '', /^\r +\r$/)
  t.deepEqual(process.listeners('exit'), before)
  bar.update(1, 2)
  bar.stop()
  t.deepEqual(process.listeners('exit'), before)
})
