/** Trainings with callbacks that are resumed. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  csvLog,
  type Epoch,
  earlyStopping,
  type FitOptions,
  history,
  type Run,
  reduceOnPlateau,
  type StepFigures,
  saveBest,
  sgd,
} from 'candlewick'
import { temporaryFolder } from '../../idx-folder.js'
import { linear, train } from '../stripes.js'

const withoutTimes = (epochs: readonly Epoch[]) => epochs.map(({ trainSeconds: _, ...figures }) => figures)

for (const byStep of [false, true]) {
  test(`callbacks go on from a checkpoint as if nothing had been${byStep ? ', by steps' : ''}`, async (t) => {
    const folder = await temporaryFolder(t)
    const checkpoint = join(folder, 'run.safetensors')
    const h = history()
    const made = (name: string, figures = history()): Partial<FitOptions> => ({
      epochs: 9,
      optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }),
      callbacks: [
        reduceOnPlateau({ patience: 1, minDelta: 0.05, factor: 0.5 }),
        earlyStopping({ patience: 4, minDelta: 0.05, restoreBest: true }),
        saveBest(join(folder, `${name}.safetensors`)),
        csvLog(join(folder, `${name}.csv`)),
        figures,
      ],
      ...(byStep && { onStep: () => {} }),
    })
    const whole = await linear()
    const all = await train(whole, made('whole'))
    t.true(all.length > 4 && all.some(({ learningRate }) => learningRate < 0.01), JSON.stringify(all))

    const [first, second] = [await linear(), await linear(2)]
    const end = new AbortController()
    const mine = new Error('mine')
    const onEpoch = ({ epoch }: Epoch) => epoch === 3 && end.abort(mine)
    await t.throwsAsync(train(first, { ...made('cut'), checkpoint, signal: end.signal, onEpoch }), { is: mine })
    const rest = await train(second, { ...made('cut', h), resume: checkpoint })
    t.deepEqual(withoutTimes(rest), withoutTimes(all.slice(3)))
    t.deepEqual(await second.parameters(), await whole.parameters())
    const logs = await Promise.all(['whole', 'cut'].map((name) => readFile(join(folder, `${name}.csv`), 'utf8')))
    t.deepEqual(
      h.loss,
      all.map(({ loss }) => loss),
    )
    const columns = logs.map((log) => log.split('\n').map((line) => line.split(',').slice(0, 3).join()))
    t.deepEqual(columns[1], columns[0])
  })
}

test("within an epoch, steps and the learning rate's factor go on", async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const end = new AbortController()
  const trained = async (seed: number, more: Partial<FitOptions>, act?: (step: number) => void) => {
    const [net, steps] = [await linear(seed), [] as StepFigures[]]
    const onStep = (step: StepFigures, run: Run) => {
      steps.push(step)
      run.learningRateFactor *= 0.9
      act?.(step.step)
    }
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 })
    const all = await train(net, { optimizer, onStep, ...more }).catch(() => [])
    return { all: withoutTimes(all), steps, parameters: await net.parameters() }
  }
  const whole = await trained(1, {})
  const first = await trained(1, { checkpoint, signal: end.signal }, (step) => step === 13 && end.abort())
  const second = await trained(2, { resume: checkpoint })
  t.deepEqual([first.steps.length, second.steps.length], [13, 17])
  t.deepEqual([...first.steps, ...second.steps], whole.steps)
  t.deepEqual(second.all, whole.all.slice(1))
  t.deepEqual(second.parameters, whole.parameters)
})

test('a checkpoint of other callbacks is refused', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  await train(await linear(), { epochs: 1, callbacks: [earlyStopping()], checkpoint })
  const net = await linear(2)
  const before = await net.parameters()
  const refused = (message: RegExp) => ({ code: 'CHECKPOINT_INVALID', message })
  await t.throwsAsync(train(net, { resume: checkpoint }), refused(/is of 1 callbacks, but fit has 0/))
  await t.throwsAsync(train(net, { resume: checkpoint, callbacks: [saveBest('x')] }), refused(/what saveBest would/))
  t.deepEqual(await net.parameters(), before)
})
