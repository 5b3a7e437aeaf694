import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { saveBest } from 'candlewick'
import { temporaryFolder } from '../../idx-folder.js'
import { linear, train } from '../stripes.js'
import { losses, told } from './run.js'

test('the file holds the parameters of the best epoch', async (t) => {
  const path = join(await temporaryFolder(t), 'best.safetensors')
  const [net, expected, loaded] = [await linear(), await linear(), await linear(2)]
  const most = saveBest(path, { monitor: 'loss', mode: 'max' }) // of a loss that falls, the first
  await train(net, { callbacks: [most] })
  await train(expected, { epochs: 1 })
  await loaded.loadParameters(path)
  t.deepEqual(await loaded.parameters(), await expected.parameters())
  t.notDeepEqual(await net.parameters(), await expected.parameters())
})

/** A network that only counts how often it is saved. */
function counter() {
  const net = { saves: 0, saveParameters: async () => void net.saves++ }
  return net
}

test('it is written when an epoch is better, by more than minDelta, and only then', async (t) => {
  const figures = losses(5, 6, 4.5, 4.5, 4.3, Number.NaN, 1)
  const saves = async (options: object) => {
    const net = counter()
    await told(saveBest('x', options), figures, { net: net as never })
    return net.saves
  }
  t.is(await saves({}), 4)
  t.is(await saves({ minDelta: 0.4 }), 3)
  t.is(await saves({ mode: 'max' }), 2)
  t.is(await saves({ monitor: 'epoch', mode: 'max' }), 7)
})

test('what is remembered is what is to be beaten; another fit begins anew', async (t) => {
  const callback = saveBest('x')
  const [net, { state }] = [counter(), await told(saveBest('x'), losses(3), { net: counter() as never })]
  await told(callback, losses(4, 3, 2), { net: net as never, state })
  t.is(net.saves, 1)
  await told(callback, losses(4), { net: net as never })
  t.is(net.saves, 2)
  for (const wrong of [null, {}, { best: 'x' }, { best: 1, more: 1 }]) {
    t.throws(() => callback.restore?.(wrong), { code: 'CHECKPOINT_INVALID', message: /saveBest/ })
  }
})

test('what cannot be saved ends the training', async (t) => {
  const path = join(await temporaryFolder(t), 'no', 'best.safetensors')
  await t.throwsAsync(train(await linear(), { callbacks: [saveBest(path)] }), { code: 'SAVE_FAILED' })
  t.throws(() => saveBest(''), { code: 'INVALID_ARGUMENT', message: /path/ })
  t.throws(() => saveBest('x', { every: 1 } as object), { message: /"every" for saveBest/ })
})

test('a relative path starts where the process is at the call', async (t) => {
  const folder = await temporaryFolder(t)
  const before = process.cwd()
  process.chdir(folder)
  const callback = saveBest('best.safetensors')
  process.chdir(before)
  await train(await linear(), { epochs: 1, callbacks: [callback] })
  t.true((await stat(join(folder, 'best.safetensors'))).isFile())
})
