/** csvLog and jsonLines. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { csvLog, jsonLines } from 'candlewick'
import { temporaryFolder } from '../../idx-folder.js'
import { linear, stripes, train } from '../stripes.js'
import { losses, told } from './run.js'

const names = 'epoch,loss,learningRate,trainSeconds\n'

test('a line of figures for each epoch, below their names', async (t) => {
  const path = join(await temporaryFolder(t), 'log.csv')
  const all = await train(await linear(), { callbacks: [csvLog(path)], test: await stripes(20) })
  const [head, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n')
  t.is(head, Object.keys(all[0] ?? {}).join())
  t.true(head?.split(',').includes('testAcc'))
  t.deepEqual(
    lines,
    all.map((epoch) => Object.values(epoch).join()),
  )
})

test('an object for each epoch; numbers that are not finite are strings', async (t) => {
  const path = join(await temporaryFolder(t), 'log.jsonl')
  const all = await train(await linear(), { callbacks: [jsonLines(path)] })
  const lines = (await readFile(path, 'utf8')).split('\n')
  t.is(lines.pop(), '')
  t.deepEqual(
    lines.map((line) => JSON.parse(line)),
    all,
  )
  await told(jsonLines(path), losses(Number.NaN, Number.NEGATIVE_INFINITY))
  const odd = (await readFile(path, 'utf8')).trimEnd().split('\n')
  t.deepEqual(
    odd.map((line) => JSON.parse(line).loss),
    ['NaN', '-Infinity'],
  )
})

for (const [what, log, head] of [
  ['csvLog', csvLog, names],
  ['jsonLines', jsonLines, ''],
] as const) {
  const line = (epoch: number, loss: unknown) =>
    head === ''
      ? `${JSON.stringify({ epoch, loss, learningRate: 0.1, trainSeconds: 0.5 })}\n`
      : `${epoch},${loss},0.1,0.5\n`

  test(`${what}: each line is there when its epoch is yielded`, async (t) => {
    const path = join(await temporaryFolder(t), 'log')
    const seen: string[] = []
    const look = async () => void seen.push(await readFile(path, 'utf8'))
    await train(await linear(), { epochs: 2, callbacks: [log(path), { onBegin: look, onEpoch: look }] })
    const counts = seen.map((text) => text.split('\n').length - 1)
    t.deepEqual(counts, head === '' ? [0, 1, 2] : [0, 2, 3])
    t.true(seen.every((text) => text === '' || text.endsWith('\n')))
  })

  test(`${what}: a file that is there is replaced, or added to with append`, async (t) => {
    const path = join(await temporaryFolder(t), 'log')
    await told(log(path), losses(1))
    await told(log(path), losses(2))
    t.is(await readFile(path, 'utf8'), `${head}${line(1, 2)}`)
    await told(log(path, { append: true }), losses(3, 4))
    t.is(await readFile(path, 'utf8'), `${head}${line(1, 2)}${line(1, 3)}${line(2, 4)}`)
    const other = `${path}-new`
    await told(log(other, { append: true }), losses(3))
    t.is(await readFile(other, 'utf8'), `${head}${line(1, 3)}`)
  })

  test(`${what}: a training that is resumed adds to its file`, async (t) => {
    const path = join(await temporaryFolder(t), 'log')
    const { state } = await told(log(path), losses(3, 2))
    const callback = log(path)
    await told(callback, losses(1), { state })
    t.is(await readFile(path, 'utf8'), `${head}${line(1, 3)}${line(2, 2)}${line(3, 1)}`)
    await told(callback, losses(9))
    t.is(await readFile(path, 'utf8'), `${head}${line(1, 9)}`, 'and another fit begins anew')
    for (const wrong of [null, 5, { path }]) {
      t.throws(() => callback.restore?.(wrong), { code: 'CHECKPOINT_INVALID', message: new RegExp(what) })
    }
  })

  test(`${what}: what a killed process left of a line stays by itself`, async (t) => {
    const path = join(await temporaryFolder(t), 'log')
    await writeFile(path, `${head}${line(1, 2)}2,`)
    await told(log(path, { append: true }), losses(3, 4))
    t.is(await readFile(path, 'utf8'), `${head}${line(1, 2)}2,\n${line(1, 3)}${line(2, 4)}`)
  })

  test(`${what}: what cannot be written ends the training before its first epoch`, async (t) => {
    const folder = await temporaryFolder(t)
    const callbacks = [log(join(folder, 'no', 'log'))]
    const onEpoch = () => t.fail()
    const refused = {
      code: 'SAVE_FAILED',
      message: /^Cannot write the log .*: ENOENT.*; name a place that can be written\.$/,
    }
    await t.throwsAsync(train(await linear(), { callbacks, onEpoch }), refused)
    const appending = [log(folder, { append: true })]
    await t.throwsAsync(train(await linear(), { callbacks: appending, onEpoch }), {
      code: 'SAVE_FAILED',
      message: /EISDIR/,
    })
    t.throws(() => log(''), { code: 'INVALID_ARGUMENT', message: /path/ })
    t.throws(() => log('x', { append: 1 } as object), { message: /append/ })
    t.throws(() => log('x', { add: true } as object), { message: new RegExp(`"add" for ${what}`) })
  })
}

test('lines of other figures do not come below names that are there', async (t) => {
  const path = join(await temporaryFolder(t), 'log.csv')
  await told(csvLog(path), losses(1))
  const before = await readFile(path, 'utf8')
  const refused = {
    code: 'INVALID_ARGUMENT',
    message:
      /has the columns epoch,loss,learningRate,trainSeconds, but the epoch has .*testLoss.*; write to another file\.$/,
  }
  await t.throwsAsync(told(csvLog(path, { append: true }), [{ testLoss: 1 }]), refused)
  t.is(await readFile(path, 'utf8'), before)
  await told(csvLog(path), [{ testLoss: 1 }])
  await t.throwsAsync(told(csvLog(path, { append: true }), [{}]), { message: /testLoss, but the epoch has/ })
})

test('a later epoch may lack a figure, but have no new one', async (t) => {
  const path = join(await temporaryFolder(t), 'log.csv')
  await told(csvLog(path), [{ testLoss: 1 }, {}, { testLoss: 2 }])
  t.is(await readFile(path, 'utf8'), `${names.trimEnd()},testLoss\n1,1,0.1,0.5,1\n2,1,0.1,0.5,\n3,1,0.1,0.5,2\n`)
  await told(csvLog(path, { append: true }), [{ testLoss: 3 }, {}])
  t.true((await readFile(path, 'utf8')).endsWith('3,1,0.1,0.5,2\n1,1,0.1,0.5,3\n2,1,0.1,0.5,\n'))
  await t.throwsAsync(told(csvLog(path), [{}, { testLoss: 1 }]), {
    message: /columns .*, but the epoch has .*testLoss/,
  })
})
