import test from 'ava'
import { evaluate, fit, idxDataset, modernLeNet, modernLeNetRecipe } from 'candlewick'
import { lenetFolder } from '../lenet-folder.js'

test('the recipe is all that fit needs beside the images', async (t) => {
  const { train, test } = await idxDataset({ dir: await lenetFolder(t, 128) })
  const net = modernLeNet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  const recipe = modernLeNetRecipe()
  t.deepEqual(recipe.augment, [{ kind: 'randomFlip' }])
  let last: number | undefined
  for await (const { testAcc } of fit(net, train, { ...recipe, epochs: 2, test })) last = testAcc
  t.is(last, (await evaluate(net, test)).accuracy)
})

test('the highest learning rate is 0.3 or another', (t) => {
  const rate = (options?: object) => modernLeNetRecipe(options).optimizer.learningRate
  t.like(rate(), { kind: 'oneCycle', maxLearningRate: 0.3 })
  t.like(rate({ maxLearningRate: 0.1 }), { maxLearningRate: 0.1 })
  t.throws(() => rate({ maxLearningRate: -1 }), { code: 'INVALID_ARGUMENT', message: /maxLearningRate.* -1\.$/ })
  t.throws(() => rate({ learningRate: 1 }), {
    message: /"learningRate" for modernLeNetRecipe; it takes maxLearningRate/,
  })
})
