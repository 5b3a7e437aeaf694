import type { ExecutionContext } from 'ava'
import { bytes, idx, idxFolder } from './idx-folder.js'

/** A data set for LeNet that trains in milliseconds: images of 28x28 in ten classes, 640 to train and 100 to test. */
export function lenetFolder(t: ExecutionContext, trainCount = 640, testCount = 100): Promise<string> {
  const labels = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * i + (i >> 3)) % 10)
  return idxFolder(t, {
    'train-images-idx3-ubyte.gz': null,
    'train-labels-idx1-ubyte.gz': null,
    'train-images-idx3-ubyte': idx([trainCount, 28, 28], bytes(trainCount * 784)),
    'train-labels-idx1-ubyte': idx([trainCount], labels(trainCount)),
    't10k-images-idx3-ubyte': idx([testCount, 28, 28], bytes(testCount * 784)),
    't10k-labels-idx1-ubyte': idx([testCount], labels(testCount)),
  })
}
