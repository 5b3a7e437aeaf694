import { expectBoolean, expectInteger, expectIntegers, expectOptions } from '../expect.js'
import { expectSeed, randomSeed } from '../random.js'
import { type Device, expectDevice, tryGpu } from './devices.js'
import { defaultEngine, type EngineName, expectEngine } from './engines.js'
import checkInitializer, { type Initializer, xavier } from './initializers.js'
import { checkNormalization, type Normalization } from './normalization.js'

/** Options of {@link Sequential.initialize}. */
export interface InitializeOptions {
  /** (channels, height, width) of an image. Without it, parameters are made when the first images come. */
  inputShape?: readonly [number, number, number]
  /** How weights are drawn; {@link xavier} by default. */
  init?: Initializer
  /**
   * What images go through first, as a part of the network: it is saved with it. `fit` can find it in the training images as well,
   * with `normalize`.
   */
  normalize?: Normalization
  /** Where the network runs; what {@link tryGpu} finds for the engine by default. */
  device?: Device
  /** What runs it: `'fused'` by default, or `'candle'`, the slow reference. */
  engine?: EngineName
  /** 0 to 2³² - 1; decides weights and shuffling. Drawn at random by default. */
  seed?: number
  /** CPU threads that share the work; all processors by default. The result does not depend on it. */
  threads?: number
  /** Replace parameters that are there already. */
  forceReinit?: boolean
}

/** How parameters are drawn, and where and how the network runs. */
export interface Settings {
  init: Initializer
  engine: EngineName
  device: Device
  seed: number
  threads: number | undefined
}

/** What `initialize` was given, as it is now, with what was left out filled in. */
export function checkSettings(options: InitializeOptions): {
  settings: Settings
  inputShape: number[] | undefined
  normalization: Normalization | undefined
  forceReinit: boolean
} {
  const given = expectOptions<InitializeOptions>('initialize', options, {
    inputShape: true,
    init: true,
    device: true,
    seed: true,
    threads: true,
    forceReinit: true,
    engine: true,
    normalize: true,
  })
  const engine = given.engine === undefined ? defaultEngine : expectEngine(given.engine)
  return {
    settings: {
      init: given.init === undefined ? xavier() : checkInitializer(given.init),
      engine,
      device: given.device === undefined ? tryGpu(engine) : expectDevice(given.device, engine),
      seed: given.seed === undefined ? randomSeed() : expectSeed(given.seed),
      threads: given.threads === undefined ? undefined : expectInteger('threads', given.threads, 1, 1024),
    },
    normalization: given.normalize === undefined ? undefined : checkNormalization('normalize', given.normalize),
    inputShape: given.inputShape === undefined ? undefined : checkInputShape(given.inputShape),
    forceReinit: given.forceReinit === undefined ? false : expectBoolean('forceReinit', given.forceReinit),
  }
}

export function checkInputShape(shape: unknown): number[] {
  return expectIntegers('inputShape', '[channels, height, width]', shape, 3, 1)
}
