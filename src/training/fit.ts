import { setImmediate } from 'node:timers/promises'
import { callAddonAsync } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { numbersOf } from '../data/places.js'
import { CandlewickError } from '../errors.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { evaluateAfterEpoch } from './after-epoch.js'
import { checkpointClock } from './checkpoint.js'
import { evaluateWith } from './evaluate.js'
import { checkFit, type Epoch, type FitOptions, type FitSettings, type ScoredEpoch } from './fit-options.js'
import type { ScoredLoss } from './losses.js'
import { attend } from './run.js'
import { noSums } from './sums.js'
import { noteDataset, suspectEnd, suspectLoss } from './suspicions.js'
import { trainedBy } from './trained.js'
import { begin, save, saveAtEnd, type Training, trainNext } from './training.js'

export type { Epoch, EpochProgress, FitOptions, ScoredEpoch } from './fit-options.js'

/**
 * Trains for some epochs and yields the figures of each: training takes place within `for await (const epoch of fit(...))`, off
 * the event loop, but for the order of the images, which takes it some milliseconds for a million. Arguments are checked at the
 * call. The network is busy while an epoch trains: others may ask it, and are answered between two steps, but not change it; between
 * two epochs they may. Who takes epochs by hand and stops early must call `return()`, as `for await` does.
 */
export function fit(
  net: Sequential,
  train: Dataset,
  options: FitOptions & { loss?: ScoredLoss },
): AsyncGenerator<ScoredEpoch, void, void>
export function fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void>
export function fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void> {
  return epochsOf(expectNetwork(net), expectImages('train', train), checkFit(options))
}

async function* epochsOf(net: Sequential, images: Dataset, settings: FitSettings) {
  const { epochs, batchSize, validation, test, loss, signal, callbacks } = settings
  let release = net.occupy()
  const attended = attend(callbacks, { net, epochs })
  const clock = checkpointClock(settings.checkpoint, batchSize)
  let training: Training | undefined
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(images.imageShape)
    for (const others of [validation, test]) {
      if (typeof others !== 'object') continue
      await callAddonAsync(() => engine.check(others.native, numbersOf(others), loss.settings))
    }
    training = await begin(net, engine, images, settings, attended)
    noteDataset(engine, images, net.normalization)
    net.learn({ classes: images.classes, pictures: images.pictures })
    if (loss.kind !== 'meanSquaredError') suspectEnd(net.lastLayer)
    let before = 0
    await attended.begin(Math.ceil(training.train.length / batchSize))
    // One that was stopped in the midst of an epoch, and is resumed, has that epoch still to tell of.
    while (training.epoch <= epochs && (!attended.isStopped || training.sums.count > 0)) {
      const { trainSeconds, ...figures } = await trainNext(training, clock)
      const evaluate = (images: Dataset) => evaluateWith(net, images, settings, true)
      const { evalSeconds, ...evaluated } = await evaluateAfterEpoch(training.validation, test, evaluate)
      const seconds = { trainSeconds, ...(evalSeconds !== undefined && { evalSeconds }) }
      const epoch = await attended.epoch<Epoch>({ ...figures, ...evaluated, ...seconds })
      net.learn({ trained: trainedBy(training.train, net.seed, settings, epoch) })
      training.epoch++
      if (loss.kind === 'softmaxCrossEntropy') suspectLoss(() => outputsOf(net), before, epoch.loss)
      before = epoch.loss
      Object.assign(training, { sums: noSums, seconds: 0, drawn: training.draws.state() })
      if (clock.isDueAfter(epoch.epoch)) await save(training, clock)
      // Between two epochs the network is free, for parameters to be loaded or a step by hand.
      release()
      release = () => {}
      yield epoch
      release = net.occupy()
      await setImmediate() // what was called meanwhile has reached the network's line by then
      if ((await net.engine()) !== engine) {
        const message =
          'The network was initialized anew between two epochs of a fit, which cannot go on; begin another one.'
        throw new CandlewickError('BUSY', message)
      }
    }
  } catch (error) {
    attended.fail()
    if (signal?.aborted && training) await saveAtEnd(training, clock)
    throw error
  } finally {
    clock.stop()
    release()
    await attended.end()
  }
}

function outputsOf(net: Sequential): number {
  const [, ...shape] = net.layers.at(-1)?.outputShape ?? []
  return shape.reduce((product, size) => product * size, 1)
}
