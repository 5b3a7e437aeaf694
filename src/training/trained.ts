/** What a network's file says of how it was trained. */

import { version } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import type { TrainedBy } from '../network/knowledge.js'
import type { Epoch, FitSettings } from './fit-options.js'

/** Of a training after an epoch. The seconds that it took are left out, so that the same training makes the same file. */
export function trainedBy(train: Dataset, seed: number, settings: FitSettings, epoch: Epoch): TrainedBy {
  const { batchSize, optimizer, loss, augment } = settings
  const isFigure = ([name, value]: [string, unknown]) =>
    typeof value === 'number' && Number.isFinite(value) && name !== 'epoch' && !name.endsWith('Seconds')
  return {
    version: version(),
    images: train.length,
    epochs: epoch.epoch,
    batchSize,
    seed: settings.seed ?? seed,
    optimizer: plain(optimizer),
    loss: { kind: loss.kind, ...JSON.parse(loss.settings) },
    ...(augment && { augment }),
    figures: Object.fromEntries(Object.entries(epoch).filter(isFigure)) as Record<string, number>,
  }
}

/** What JSON can hold of an optimiser: a schedule may be a function. */
function plain(optimizer: object): unknown {
  return JSON.parse(JSON.stringify(optimizer, (_, value) => (typeof value === 'function' ? 'a function' : value)))
}
