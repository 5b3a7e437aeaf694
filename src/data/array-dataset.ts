import { callAddon } from '../addon.js'
import { expectOptions } from '../expect.js'
import { newBuilder, pushInPieces } from './building.js'
import { checkClasses, requireNames } from './classes.js'
import { type Dataset, datasetOf } from './dataset.js'
import { checkImages, type Held, type Images } from './images.js'
import { checkShortLabels } from './labels.js'
import { checkTargets, type Targets } from './targets.js'

/** What a dataset is made of. */
export type ArrayDatasetOptions<I extends Images = Images> = {
  /** The values of all images, end to end, and their shape. */
  images: I
  /** What each label stands for, from 0 on. */
  classes?: readonly string[] | undefined
} & (
  | {
      /** What each image shows, 0 to 65,535. */
      labels: ArrayLike<number>
      /** Numbers for a network's outputs. */
      targets?: Targets
    }
  | {
      /** What each image shows, 0 to 65,535. */
      labels?: ArrayLike<number>
      /** Numbers for a network's outputs. */
      targets: Targets
    }
)

/**
 * A dataset of images that are in memory already, of bytes or of float32, with a label each, from 0 to 65,535, with targets, a number
 * for each output of a network, or with both. Labels and targets are checked and copied while the event loop waits, some
 * milliseconds for a million in a typed array, some tens in a plain one; images are copied piece by piece: leave them alone meanwhile.
 */
export async function arrayDataset<const I extends Images>(options: ArrayDatasetOptions<I>): Promise<Dataset<Held<I>>> {
  const keys = { images: true, labels: true, targets: true, classes: true } as const
  const given = expectOptions<ArrayDatasetOptions>('arrayDataset', options, keys)
  const { data, shape } = checkImages(given.images)
  const [count, ...imageShape] = shape
  const targets = given.targets === undefined ? undefined : checkTargets(given.targets, count)
  const labels = given.labels === undefined && targets ? undefined : checkShortLabels(given.labels, count)
  const largest = labels?.reduce((largest, label) => Math.max(largest, label), 0)
  const classes = requireNames(checkClasses(given.classes), largest ?? 0)
  const ofFloats = data instanceof Float32Array
  const builder = newBuilder({ count, shape: imageShape, ofFloats, targets: targets?.shape[1] ?? 0 })
  if (labels) callAddon(() => builder.pushLabels(labels))
  if (targets) callAddon(() => builder.pushTargets(targets.data))
  await pushInPieces('images.data', builder, data)
  return datasetOf<Held<I>>(
    callAddon(() => builder.finish()),
    { classes },
  )
}
