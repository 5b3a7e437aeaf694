/** Loads Fashion-MNIST, makes LeNet and takes one training step of 256 images; what `start.ts` takes the time of. */

import { fashionMnist, fit, lenet, sgd } from '#dist/index.js'

const { train } = await fashionMnist()
const net = lenet()
await net.initialize({ inputShape: train.imageShape, seed: 1 })
const batch = train.slice(0, 256)
for await (const epoch of fit(net, batch, { epochs: 1, batchSize: 256, optimizer: sgd({ learningRate: 0.9 }) })) {
  console.log(epoch.loss)
}
