/** Trainings that end early and are gone on with: they come to the very bits of one that was not interrupted. */

import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import {
  type CheckpointEvery,
  dense,
  type FitOptions,
  fashionMnist,
  fit,
  Sequential as Net,
  type Sequential,
  sgd,
} from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { finish } from '../run-command.js'
import { network, options, outcome, squares } from './resumable.js'

async function fresh(seed = 3): Promise<Sequential> {
  const net = network()
  await net.initialize({ inputShape: [1, 12, 12], device: 'cpu', seed })
  return net
}

let whole: Promise<string[]> | undefined

/** What the training comes to that nobody interrupts. */
function uninterrupted(): Promise<string[]> {
  whole ??= options(undefined, {}).then(async (settings) => outcome(await fresh(), settings))
  return whole
}

/** A training that ends itself after about so many images, and what its checkpoint is called. */
async function interrupted(t: ExecutionContext, images: number, every: CheckpointEvery): Promise<string> {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const controller = new AbortController()
  const settings = await options(checkpoint, every)
  const data = (await squares()).slice(300)
  let done = 0
  const run = async () => {
    const optionsOf = { ...settings, signal: controller.signal }
    for await (const { epoch } of fit(await fresh(), data, optionsOf)) {
      done = epoch * data.length
      if (done >= images) controller.abort(new Error('enough'))
    }
  }
  await t.throwsAsync(run(), { message: 'enough' })
  return checkpoint
}

async function resumed(resume: string, changes: Partial<FitOptions> = {}, seed = 99): Promise<string[]> {
  const settings = await options(undefined, {})
  return outcome(await fresh(seed), { ...settings, resume, ...changes })
}

test('a training that was aborted after an epoch goes on with its bits, in a network of another seed', async (t) => {
  const expected = await uninterrupted()
  const checkpoint = await interrupted(t, 1600, { epochs: 1 })
  t.deepEqual(await resumed(checkpoint), expected.slice(2))
})

test('so does one that a signal ends in the midst of an epoch, where a checkpoint is written', async (t) => {
  const expected = await uninterrupted()
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const controller = new AbortController()
  const settings = await options(checkpoint, { seconds: 1000 })
  const data = (await squares()).slice(300)
  const net = await fresh()
  const run = async () => {
    for await (const { epoch } of fit(net, data, { ...settings, signal: controller.signal })) {
      if (epoch === 2) setImmediate(() => controller.abort(new Error('enough')))
    }
  }
  await t.throwsAsync(run(), { message: 'enough' })
  t.deepEqual(await resumed(checkpoint), expected.slice(2))
})

test('every step may be the last', async (t) => {
  const expected = await uninterrupted()
  const folder = await temporaryFolder(t)
  const checkpoint = join(folder, 'run.safetensors')
  const net = await fresh()
  const settings = await options(checkpoint, { steps: 7 })
  const copies: string[] = []
  // A copy of each checkpoint, as it is found from time to time.
  const controller = new AbortController()
  const copying = (async () => {
    while (!controller.signal.aborted) {
      const copy = join(folder, `copy-${copies.length}`)
      if (existsSync(checkpoint)) {
        await copyFile(checkpoint, copy)
        copies.push(copy)
      }
      await setTimeout(5)
    }
  })()
  t.deepEqual(await outcome(net, settings), expected, 'checkpoints change nothing')
  controller.abort()
  await copying
  t.true(copies.length > 3)
  for (const copy of [copies[0], copies[Math.floor(copies.length / 2)], copies.at(-1)]) {
    const rest = await resumed(copy as string)
    t.deepEqual(rest, expected.slice(expected.length - rest.length))
  }
})

test('a network that has trained goes on alike after a resumed training and after its own', async (t) => {
  const [own, other] = [await fresh(), await fresh(4)]
  const checkpoint = await interrupted(t, 1600, { epochs: 1 })
  const settings = await options(undefined, {})
  await outcome(own, settings)
  await outcome(other, { ...settings, resume: checkpoint })
  t.is(other.seed, own.seed)
  const more = async (net: Sequential) => outcome(net, { ...(await options(undefined, {})), epochs: 1 })
  t.deepEqual(await more(other), await more(own))
})

test('within an epoch, a checkpoint is written again and again', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const { train } = await fashionMnist()
  const net = new Net([dense({ units: 10 })])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  const files = new Set<number>()
  const watching = setInterval(
    () => existsSync(checkpoint) && files.add(statSync(checkpoint).ino + statSync(checkpoint).mtimeMs),
    3,
  )
  const settings = { epochs: 1, batchSize: 4, optimizer: sgd({ learningRate: 0.01 }) }
  const every = { checkpoint, checkpointEvery: { seconds: 0.01 } }
  const { value: epoch } = await fit(net, train.slice(0, 20_000), { ...settings, ...every }).next()
  clearInterval(watching)
  t.true(files.size > 3, `${files.size} checkpoints in ${epoch?.trainSeconds} s`)
})

test('a training that was stopped stays so', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const settings = await options(checkpoint, { epochs: 1 })
  const callbacks = [(epoch: { epoch: number }, run: { stop(): void }) => epoch.epoch === 2 && run.stop()]
  t.is((await outcome(await fresh(), { ...settings, callbacks })).length, 3)
  t.is((await resumed(checkpoint, { callbacks })).length, 1, 'the parameters alone')
})

test('one that was stopped in the midst of an epoch has that epoch still to tell of', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const settings = await options(checkpoint, { steps: 5 })
  const onStep = ({ step }: { step: number }, run: { stop(): void }) => step === 35 && run.stop()
  const whole = await outcome(await fresh(), { ...settings, onStep })
  t.is(whole.length, 3)
  t.true((await resumed(checkpoint, { onStep })).length === 1)
})

test('an abort between two epochs is written too, and a failure to do so is told', async (t) => {
  const expected = await uninterrupted()
  const run = async (checkpoint: string, meanwhile: () => unknown) => {
    const controller = new AbortController()
    const settings = await options(checkpoint, { epochs: 5 })
    const data = (await squares()).slice(300)
    for await (const { epoch } of fit(await fresh(), data, { ...settings, signal: controller.signal })) {
      if (epoch !== 3) continue
      await meanwhile()
      controller.abort(new Error('enough'))
    }
  }
  const folder = await temporaryFolder(t)
  const checkpoint = join(folder, 'run.safetensors')
  await t.throwsAsync(
    run(checkpoint, () => {}),
    { message: 'enough' },
  )
  t.deepEqual(await resumed(checkpoint), expected.slice(3))
  const gone = join(folder, 'gone')
  await mkdir(gone)
  const lost = run(join(gone, 'run.safetensors'), () => rm(gone, { recursive: true }))
  await t.throwsAsync(lost, { code: 'SAVE_FAILED', message: /does not exist/ })
})

test("the network's own draws are kept beside those of a fit with a seed", async (t) => {
  const folder = await temporaryFolder(t)
  const checkpoint = join(folder, 'run.safetensors')
  const plain = await options(undefined, {})
  const first = async (net: Sequential) => outcome(net, { ...plain, epochs: 1 })
  const [own, other] = [await fresh(), await fresh(99)]
  await first(own)
  const controller = new AbortController()
  const data = (await squares()).slice(300)
  const seeded = { ...(await options(checkpoint, { epochs: 1 })), epochs: 2, seed: 7 }
  const interrupted = async () => {
    for await (const _ of fit(own, data, { ...seeded, signal: controller.signal }))
      controller.abort(new Error('enough'))
  }
  await t.throwsAsync(interrupted(), { message: 'enough' })
  const { checkpoint: _, checkpointEvery, ...rest } = seeded
  await outcome(other, { ...rest, optimizer: plain.optimizer, resume: checkpoint })
  const whole = await fresh()
  await first(whole)
  await outcome(whole, { ...(await options(undefined, {})), epochs: 2, seed: 7 })
  const last = async (net: Sequential) => outcome(net, { ...(await options(undefined, {})), epochs: 1 })
  t.deepEqual(await last(other), await last(whole))
})

/** Kills in CI; 50 and more by hand. */
const kills = Number(process.env.CANDLEWICK_KILLS ?? 5)

test('killed at any instant, a training ends with the bits of one never interrupted', async (t) => {
  t.timeout(60_000 + kills * 5_000)
  const expected = await uninterrupted()
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const program = new URL('resumable.js', import.meta.url).pathname
  let [killed, survived] = [0, 0] // kills in all, and since the training began
  while (killed < kills || survived > 0) {
    const child = spawn(process.execPath, [program, checkpoint, String(1 + (killed % 3))])
    // From before the first step to the last epochs, in steps and in writes.
    const timer = killed < kills && setTimeout(150 + Math.random() * 500).then(() => child.kill('SIGKILL'))
    const { end, stdout, stderr } = await finish(child)
    await timer
    if (end === 'SIGKILL') {
      killed++
      survived++
      continue
    }
    t.is(end, 0, stderr)
    const lines = stdout.trim().split('\n')
    t.deepEqual(lines, expected.slice(expected.length - lines.length), `after ${survived} kills`)
    survived = 0
    if (killed < kills) await rm(checkpoint) // it was quick; another one is killed for the rest
  }
  t.is(killed, kills)
  t.log(`${killed} kills`)
  const left = await readdir(join(checkpoint, '..'))
  t.deepEqual(left, ['run.safetensors'], 'what killed writers left is swept up')
})

test('the checkpoint is a file of parameters, and of the network', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const net = await fresh()
  await outcome(net, await options(checkpoint, { epochs: 6 }))
  const loaded = await Net.load(checkpoint)
  t.deepEqual(await loaded.parameters(), await net.parameters())
  const served = await fresh(5)
  await served.loadParameters(checkpoint)
  t.deepEqual(await served.parameters(), await net.parameters())
})

test('a checkpoint of another training is refused, with both values', async (t) => {
  const checkpoint = await interrupted(t, 800, { epochs: 1 })
  const data = (await squares()).slice(300)
  const settings = await options(undefined, {})
  const refused = async (message: RegExp, changes: Partial<FitOptions>, train = data, net = fresh()) => {
    const instance = await net
    const before = await instance.parameters()
    const run = fit(instance, train, { ...settings, resume: checkpoint, ...changes })
    await t.throwsAsync(() => run.next(), { code: 'CHECKPOINT_INVALID', message })
    t.deepEqual(await instance.parameters(), before, 'nothing is replaced')
  }
  await refused(/with batchSize 32, but this one has 16; /, { batchSize: 16 })
  await refused(/with shuffle true, but this one has false; /, { shuffle: false })
  await refused(/with the optimizer adam, but this one has sgd; /, { optimizer: sgd({ learningRate: 0.1 }) })
  const marks = /with the data of 800 images of shape \(1, 12, 12\) and checksum [\da-f]{8}, but this one has 7/
  await refused(marks, {}, data.slice(1))
  const shifted = (await squares()).slice(299, 1099)
  await refused(/800 images .* checksum [\da-f]{8}, but this one has 800 images .* checksum/, {}, shifted)
  const other = new Net([dense({ units: 4 })])
  await other.initialize({ inputShape: [1, 12, 12], device: 'cpu' })
  await refused(
    /with the network \{"layers":.*"conv2d".*, but this one has \{"layers":/,
    {},
    data,
    Promise.resolve(other),
  )
})

test('a checkpoint that is torn, damaged, missing or none is refused, and nothing is replaced', async (t) => {
  const checkpoint = await interrupted(t, 800, { epochs: 1 })
  const whole = await readFile(checkpoint)
  const net = await fresh()
  const before = await net.parameters()
  const data = (await squares()).slice(300)
  const settings = await options(undefined, {})
  const refused = async (code: string, message: RegExp, resume = checkpoint) => {
    await t.throwsAsync(() => fit(net, data, { ...settings, resume }).next(), { code, message })
  }
  for (const end of [0, 7, 100, Math.floor(whole.length / 2), whole.length - 1]) {
    await writeFile(checkpoint, whole.subarray(0, end))
    await refused('CHECKPOINT_INVALID', /cannot read a checkpoint from .*it may be cut short/i)
  }
  const damaged = Uint8Array.from(whole)
  damaged.set([(whole.at(-40) ?? 0) ^ 1], whole.length - 40)
  await writeFile(checkpoint, damaged)
  await refused('CHECKPOINT_INVALID', /its bytes do not fit its checksum/)
  await net.saveParameters(checkpoint)
  await refused('CHECKPOINT_INVALID', /it is a file of parameters, and no checkpoint/)
  await refused('CHECKPOINT_NOT_FOUND', /no such file/, `${checkpoint}.none`)
  t.deepEqual(await net.parameters(), before)
})

test('what fit is told of checkpoints is checked', async (t) => {
  const data = await squares()
  const settings = await options(undefined, {})
  const refused = async (changes: object, message: RegExp) => {
    const net = await fresh()
    t.throws(() => fit(net, data, { ...settings, ...changes }), { code: 'INVALID_ARGUMENT', message })
  }
  await refused({ checkpointEvery: { epochs: 1 } }, /for checkpoint, but received undefined/)
  for (const every of [{}, { seconds: 1, steps: 1 }, { steps: 0 }, { seconds: -1 }, { minutes: 1 }, 30]) {
    await refused({ checkpoint: 'run', checkpointEvery: every }, /checkpointEvery/)
  }
  await refused({ checkpoint: '' }, /for checkpoint/)
  await refused({ resume: 5 }, /for resume/)
})
