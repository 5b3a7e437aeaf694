import test from 'ava'
import {
  arrayDataset,
  type Dataset,
  dense,
  type Epoch,
  evaluate,
  fit,
  formatEpoch,
  type Loss,
  meanSquaredError,
  Sequential,
  sgd,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  step,
} from 'candlewick'

/** A layer of so many units, on images of four pixels. */
async function network(units: number, engine: 'fused' | 'candle' = 'fused'): Promise<Sequential> {
  const net = new Sequential([dense({ units })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1, engine })
  return net
}

const count = 200
const pixels = Uint8Array.from({ length: 4 * count }, (_, i) => (i * i * 7 + i * 3) % 256)
const images = { data: pixels, shape: [count, 1, 2, 2] }

/** Targets that follow from each image's pixels, from 0 to 1. */
function targetsOf(...targets: ((pixels: Float32Array) => number)[]) {
  const data = Float32Array.from({ length: count * targets.length }, (_, i) => {
    const image = Math.floor(i / targets.length)
    const own = Float32Array.from(pixels.subarray(4 * image, 4 * image + 4), (byte) => byte / 255)
    return targets[i % targets.length]?.(own) ?? 0
  })
  return { data, shape: [count, targets.length] as const }
}

const sums = targetsOf(
  ([a = 0, b = 0]) => 2 * a - b + 0.5,
  ([, , c = 0, d = 0]) => c - d,
)
const answers = targetsOf(
  ([a = 0]) => (a > 0.5 ? 1 : 0),
  ([, b = 0, c = 0]) => (b > c ? 1 : 0),
  () => 1,
)
const labels = Uint8Array.from({ length: count }, (_, i) => answers.data[3 * i] as number)
const weights = [1, 3]

let labelled: Dataset
let regression: Dataset
let multiLabel: Dataset

test.before(async () => {
  labelled = await arrayDataset({ images, labels })
  regression = await arrayDataset({ images, targets: sums })
  multiLabel = await arrayDataset({ images, targets: answers, labels })
})

test('a regression learns, and has losses but no accuracy', async (t) => {
  const net = await network(2)
  const loss = meanSquaredError()
  const options = { epochs: 60, batchSize: 20, optimizer: sgd({ learningRate: 0.5 }), loss, test: regression }
  let last: Epoch | undefined
  for await (const epoch of fit(net, regression, options)) last = epoch
  t.true(last && last.loss < 1e-4 && (last.testLoss ?? 1) < 1e-4, JSON.stringify(last))
  t.deepEqual(Object.keys(last ?? {}), ['epoch', 'loss', 'learningRate', 'testLoss', 'trainSeconds', 'evalSeconds'])
  if (last) t.regex(formatEpoch(last), /^epoch 60, loss 0\.000\d, test loss 0\.000\d, time \d+\.\d sec$/)
  const { loss: mean, ...rest } = await evaluate(net, regression, { loss })
  t.deepEqual([mean, rest], [last?.testLoss as number, { count }])
  const { logits } = await net.predict(images)
  const squares = logits.reduce((sum, z, i) => sum + (z - (sums.data[i] as number)) ** 2, 0)
  t.true(Math.abs(squares / logits.length - mean) < 1e-6 * mean + 1e-12)
})

test('a network of several yes-or-no answers learns, and its accuracy is of all of them', async (t) => {
  const net = await network(3)
  const loss = sigmoidCrossEntropy()
  const options = { epochs: 60, batchSize: 20, optimizer: sgd({ learningRate: 4 }), loss, test: multiLabel }
  let accuracy = 0
  for await (const { testAcc } of fit(net, multiLabel, options)) accuracy = testAcc ?? 0
  t.true(accuracy > 0.95, `${accuracy}`)
  const evaluation = await evaluate(net, multiLabel, { loss })
  const { logits } = await net.predict(images)
  const right = logits.filter((z, i) => z > 0 === (answers.data[i] as number) > 0.5).length
  t.deepEqual([evaluation.correct, evaluation.accuracy, evaluation.count], [right, right / (3 * count), count])
})

/** In float64: of each image, the loss by logits and label, as PyTorch has it, and the weight of its class. */
function byHand(logits: ArrayLike<number>, smoothing: number, given?: number[]): number {
  let [sum, weight] = [0, 0]
  for (let i = 0; i < count; i++) {
    const z = [logits[2 * i] as number, logits[2 * i + 1] as number]
    const own = given ?? [1, 1]
    const logs = z.map((x) => x - Math.log(z.reduce((all, x) => all + Math.exp(x), 0)))
    const label = labels[i] as number
    const shares = own.map((w, c) => w * ((c === label ? 1 - smoothing : 0) + smoothing / 2))
    sum -= shares.reduce((all, share, c) => all + share * (logs[c] as number), 0)
    weight += own[label] as number
  }
  return sum / weight
}

for (const engine of ['fused', 'candle'] as const) {
  test(`smoothing and weights of classes are PyTorch's on the engine ${engine}`, async (t) => {
    const net = await network(2, engine)
    const { logits } = await net.predict(images)
    for (const [labelSmoothing, classWeights] of [[0], [0.1], [0, weights], [0.2, weights]] as [number, number[]?][]) {
      const loss = softmaxCrossEntropy({ labelSmoothing, ...(classWeights && { classWeights }) })
      const evaluation = await evaluate(net, labelled, { loss })
      const expected = byHand(logits, labelSmoothing, classWeights)
      t.true(Math.abs(evaluation.loss - expected) < 2e-6 * expected, `${evaluation.loss} for ${expected}`)
      t.is(evaluation.accuracy, (await evaluate(net, labelled)).accuracy)
    }
  })
}

test('steps and a fit are the same, whatever the loss', async (t) => {
  const losses: [Loss, Dataset, number][] = [
    [softmaxCrossEntropy({ labelSmoothing: 0.1, classWeights: Float32Array.from(weights) }), labelled, 2],
    [meanSquaredError(), regression, 2],
    [sigmoidCrossEntropy(), multiLabel, 3],
  ]
  for (const [loss, data, units] of losses) {
    const optimizer = sgd({ learningRate: 0.1, momentum: 0.5 })
    const [stepwise, whole] = [await network(units), await network(units)]
    for (const batch of data.batches({ batchSize: 64 })) {
      if (loss.kind === 'softmaxCrossEntropy') await step(stepwise, batch.images, batch.labels, optimizer, { loss })
      else if (!batch.targets) t.fail('no targets')
      else if (loss.kind === 'meanSquaredError') {
        t.deepEqual(Object.keys(await step(stepwise, batch.images, batch.targets, optimizer, { loss })), ['loss'])
      } else {
        const { correct } = await step(stepwise, batch.images, batch.targets, optimizer, { loss })
        t.true(correct >= 0 && correct <= 3 * 64)
      }
    }
    await fit(whole, data, { epochs: 1, batchSize: 64, optimizer, loss, shuffle: false }).next()
    t.deepEqual(await whole.parameters(), await stepwise.parameters(), loss.kind)
  }
})

test('the default is softmax cross-entropy, and a loss may be made by hand', async (t) => {
  const after = async (loss?: Loss) => {
    const net = await network(2)
    await fit(net, labelled, {
      epochs: 1,
      batchSize: 16,
      optimizer: sgd({ learningRate: 0.1 }),
      ...(loss && { loss }),
      seed: 1,
    }).next()
    return net.parameters()
  }
  const expected = await after()
  t.deepEqual(await after(softmaxCrossEntropy()), expected)
  t.deepEqual(await after({ kind: 'softmaxCrossEntropy' }), expected)
  t.notDeepEqual(await after({ kind: 'softmaxCrossEntropy', labelSmoothing: 0.5 }), expected)
  t.deepEqual(softmaxCrossEntropy({ classWeights: [1, 2] }), {
    kind: 'softmaxCrossEntropy',
    labelSmoothing: 0,
    classWeights: [1, 2],
  })
})

/** What a user without types would pass. */
// biome-ignore lint/suspicious/noExplicitAny: it stands for any wrong value
const wrong = (value: unknown): any => value
const refused = (code: string, message: RegExp) => ({ code, message })
const optimizer = sgd({ learningRate: 0.1 })
const fitWith = async (units: number, data: Dataset, loss: Loss) =>
  fit(await network(units), data, { epochs: 1, batchSize: 16, optimizer, loss }).next()

test('a dataset without what the loss takes is refused', async (t) => {
  const softmax = softmaxCrossEntropy()
  const noLabels = refused(
    'DATA_MISMATCH',
    /^The loss softmaxCrossEntropy takes labels, but the dataset has targets alone; .*\.$/,
  )
  const noTargets = refused(
    'DATA_MISMATCH',
    /^The loss meanSquaredError takes targets, but the dataset has labels alone; .*\.$/,
  )
  await t.throwsAsync(fitWith(2, regression, softmax), noLabels)
  await t.throwsAsync(evaluate(await network(2), regression), noLabels)
  await t.throwsAsync(fitWith(2, labelled, meanSquaredError()), noTargets)
  await t.throwsAsync(evaluate(await network(2), labelled, { loss: meanSquaredError() }), noTargets)
  const test = { epochs: 1, batchSize: 16, optimizer, test: labelled, loss: meanSquaredError() }
  await t.throwsAsync(fit(await network(2), regression, test).next(), noTargets)
  t.throws(() => regression.labels(), refused('DATA_MISMATCH', /targets alone; ask for its targets\(\)\.$/))
  t.throws(() => labelled.targets(), refused('DATA_MISMATCH', /labels alone; ask for its labels\(\)\.$/))
  await t.notThrowsAsync(fitWith(2, multiLabel, softmax), 'with both, either serves')
})

test('targets that do not fit are refused', async (t) => {
  const loss = meanSquaredError()
  const message = /^Each image has 2 targets, but the network gives 3 outputs; .*\.$/
  await t.throwsAsync(fitWith(3, regression, loss), refused('INVALID_SHAPE', message))
  const one = { data: new Uint8Array(4), shape: [1, 1, 2, 2] }
  const given = (data: unknown, shape: unknown) => async () =>
    step(await network(3), one, wrong({ data, shape }), optimizer, { loss })
  await t.throwsAsync(given(new Float32Array(2), [1, 2]), refused('INVALID_SHAPE', message))
  await t.throwsAsync(given(new Float32Array(3), [1, 2]), refused('INVALID_ARGUMENT', /2 values, .* for targets\.data/))
  await t.throwsAsync(
    given(new Float32Array(6), [2, 3]),
    refused('INVALID_ARGUMENT', /^Expected 1, .* for targets\.shape\[0\]/),
  )
  await t.throwsAsync(
    given(new Float64Array(3), [1, 3]),
    refused('INVALID_ARGUMENT', /a Float32Array for targets\.data/),
  )
  await t.throwsAsync(given(new Float32Array(0), [1, 0]), refused('INVALID_SHAPE', /outputs must be at least 1/))
  await t.throwsAsync(
    given(Float32Array.of(1, 2, Number.NaN), [1, 3]),
    refused('INVALID_ARGUMENT', /^Target 2 of image 0 is NaN; meanSquaredError/),
  )
  const step3 = async (targets: unknown, loss: Loss) =>
    step(await network(3), one, wrong(targets), optimizer, wrong({ loss }))
  await t.throwsAsync(
    step3({ data: Float32Array.of(0, 1.5, 0), shape: [1, 3] }, sigmoidCrossEntropy()),
    refused('INVALID_ARGUMENT', /^Target 1 of image 0 is 1\.5; sigmoidCrossEntropy takes numbers from 0/),
  )
  await t.throwsAsync(step3([1], loss), refused('INVALID_ARGUMENT', /for targets/))
  await t.throwsAsync(
    step3({ data: new Float32Array(3), shape: [1, 3] }, softmaxCrossEntropy()),
    refused('INVALID_ARGUMENT', /for labels/),
  )
})

test('settings of losses are checked', async (t) => {
  const bad: [unknown, RegExp][] = [
    [{ labelSmoothing: 1 }, /from 0 to below 1 for labelSmoothing/],
    [{ labelSmoothing: -0.1 }, /labelSmoothing/],
    [{ classWeights: [] }, /a weight for each class for classWeights/],
    [{ classWeights: 'ab' }, /classWeights/],
    [{ classWeights: [1, -1] }, /at least 0 for classWeights\[1\], but received -1/],
    [{ classWeights: [1, Number.NaN] }, /classWeights\[1\].* NaN/],
    [{ smoothing: 0.1 }, /"smoothing" for softmaxCrossEntropy; it takes labelSmoothing, classWeights/],
  ]
  for (const [options, message] of bad) {
    t.throws(() => softmaxCrossEntropy(wrong(options)), refused('INVALID_ARGUMENT', message))
    const loss = wrong({ kind: 'softmaxCrossEntropy', ...(options as object) })
    const sentence = new RegExp(message.source.replace('for softmaxCrossEntropy; it takes', 'for loss; it takes kind,'))
    await t.throwsAsync(fitWith(2, labelled, loss), refused('INVALID_ARGUMENT', sentence))
  }
  for (const loss of [1, null, {}, { kind: 'hinge' }, 'meanSquaredError']) {
    await t.throwsAsync(
      fitWith(2, labelled, wrong(loss)),
      refused('INVALID_ARGUMENT', /a loss, such as softmaxCrossEntropy\(\), for loss/),
    )
    await t.throwsAsync(
      evaluate(await network(2), labelled, { loss: wrong(loss) }),
      refused('INVALID_ARGUMENT', /for loss/),
    )
  }
  await t.throwsAsync(
    fitWith(2, regression, wrong({ kind: 'meanSquaredError', delta: 1 })),
    refused('INVALID_ARGUMENT', /"delta" for loss/),
  )
  const three = softmaxCrossEntropy({ classWeights: [1, 2, 3] })
  await t.throwsAsync(
    fitWith(2, labelled, three),
    refused('INVALID_ARGUMENT', /classWeights holds 3 weights, but the network tells 2 classes apart/),
  )
  const none = softmaxCrossEntropy({ classWeights: [0, 0] })
  await t.throwsAsync(fitWith(2, labelled, none), refused('INVALID_ARGUMENT', /all 0; give at least one class/))
})

test('datasets keep targets, slice them and hand them out', (t) => {
  const part = regression.slice(10, 20)
  t.deepEqual(part.targets(1, 3), { data: sums.data.slice(22, 26), shape: [2, 2] })
  const [first] = part.batches({ batchSize: 2, order: [9, 0] })
  t.deepEqual(first?.targets?.data, Float32Array.of(...sums.data.slice(38, 40), ...sums.data.slice(20, 22)))
  t.is(first?.labels.length, 0)
  const [both] = multiLabel.batches({ batchSize: 3 })
  t.deepEqual([both?.labels, both?.targets?.shape], [labels.slice(0, 3), [3, 3]])
  const [alone] = labelled.batches({ batchSize: 3 })
  t.false('targets' in (alone ?? {}))
})

test('a dataset of arrays needs labels or targets, of as many images', async (t) => {
  await t.throwsAsync(
    arrayDataset(wrong({ images })),
    refused('INVALID_ARGUMENT', /200 numbers, one for each image, for labels/),
  )
  const few = { data: new Float32Array(4), shape: [2, 2] }
  await t.throwsAsync(
    arrayDataset({ images, targets: few }),
    refused('INVALID_ARGUMENT', /^Expected 200, .* for targets\.shape\[0\]/),
  )
})
