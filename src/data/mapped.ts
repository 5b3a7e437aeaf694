/** Images that a function of the caller's makes of a dataset's, batch by batch. */

import { callAddon, type DatasetBuilder, type NativeDataset } from '../addon.js'
import { CandlewickError } from '../errors.js'
import { type Batch, batchesOf, type Loaded } from './batches.js'
import { newBuilder, pushInPieces } from './building.js'
import { type CheckedImages, checkImages } from './images.js'

/** Options of {@link Dataset.map}. */
export interface MapOptions {
  /** Images that the function is given at once; 256 by default. */
  batchSize?: number
  /** Ends the work, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** What becomes of all images, in their order, with the labels and targets that they had. */
export async function mapped(
  loaded: Loaded,
  map: (batch: Batch) => unknown,
  { batchSize, signal }: { batchSize: number; signal: AbortSignal | undefined },
): Promise<NativeDataset> {
  let building: { builder: DatasetBuilder; first: CheckedImages } | undefined
  for (const batch of batchesOf(loaded, batchSize)) {
    signal?.throwIfAborted()
    const count = batch.images.shape[0] as number
    const [labels, targets] = [Uint16Array.from(batch.labels), batch.targets?.data.slice()]
    const images = checkMade(await map(batch), count, building?.first)
    signal?.throwIfAborted()
    building ??= { builder: begin(loaded, images), first: images }
    const { builder } = building
    if (labels.length > 0) callAddon(() => builder.pushLabels(labels))
    if (targets) callAddon(() => builder.pushTargets(targets))
    await pushInPieces('the images that map was given', builder, images.data)
  }
  if (!building) throw new CandlewickError('INVALID_ARGUMENT', 'The dataset has no images to map.')
  const { builder } = building
  return callAddon(() => builder.finish())
}

function begin({ length, native }: Loaded, { data, shape }: CheckedImages): DatasetBuilder {
  const [, ...imageShape] = shape
  const ofFloats = data instanceof Float32Array
  return newBuilder({ count: length, shape: imageShape, ofFloats, targets: native.targetLength })
}

/** As many images as before, of one shape and kind with the first that were made. */
function checkMade(made: unknown, count: number, first: CheckedImages | undefined): CheckedImages {
  const images = checkImages(made)
  const kind = ({ data, shape: [, ...shape] }: CheckedImages) =>
    `${data instanceof Float32Array ? 'float32' : 'bytes'} of shape [${shape.join(', ')}]`
  if (images.shape[0] !== count) {
    const message = `The function of map made ${images.shape[0]} images of ${count}; give back as many as the batch has.`
    throw new CandlewickError('DATA_MISMATCH', message)
  }
  if (!first || kind(images) === kind(first)) return images
  const message = `The function of map made images of ${kind(images)} after images of ${kind(first)}; a dataset has one kind alone.`
  throw new CandlewickError('DATA_MISMATCH', message)
}
