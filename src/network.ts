import {
  createEngine,
  describe,
  type Engine,
  layerNames,
  type Prediction as NativePrediction,
  type ParameterReport,
} from '../index.js'
import { type Device, tryGpu } from './devices.js'
import { CandlewickError, native, nativeAsync } from './errors.js'
import {
  expectBoolean,
  expectInteger,
  expectIntegers,
  expectOptions,
  expectString,
  reading,
  unexpected,
} from './expect.js'
import { checkImages, type Images } from './images.js'
import { checkInitializer, type Initializer, xavier } from './initializers.js'
import { checkLayer, type Layer } from './layers.js'
import type { Optimizer } from './optimizers.js'
import { expectSeed, randomSeed, type Shuffler, shuffler } from './shuffle.js'

export interface InitializeOptions {
  /** (channels, height, width) of an image. Without it, parameters are made when the first images come. */
  inputShape?: readonly [number, number, number]
  /** How weights are drawn; {@link xavier} by default. */
  init?: Initializer
  /** Where the network runs; {@link tryGpu} by default. */
  device?: Device
  /** 0 to 2³² - 1; decides weights and shuffling. Drawn at random by default. */
  seed?: number
  /** CPU threads that share the work; all processors by default. The result does not depend on it. */
  threads?: number
  /** Replace parameters that are there already. */
  forceReinit?: boolean
}

/** A layer in its place; shapes and counts are null until the input shape is known. */
export interface LayerDescription {
  /** `conv0`, `pool0`, `dense0`: the kind and a count per kind. */
  name: string
  /** For one image: (1, channels, height, width) or (1, units). */
  outputShape: number[] | null
  /** Weights and biases together. */
  parameterCount: number | null
}

export interface Parameter {
  /** (out, in, kernel height, kernel width), (out, in) or (out). */
  shape: number[]
  data: Float32Array
}

export interface Prediction {
  /** (n, classes), of `logits` and `probabilities`. */
  shape: [number, number]
  /** What the last layer gives, image after image. */
  logits: Float32Array
  /** Softmax of the logits. */
  probabilities: Float32Array
  /** The class with the largest logit of each image. */
  labels: Uint32Array
}

interface Settings {
  init: Initializer
  device: Device
  seed: number
  threads: number | undefined
}

const pieceLength = 1 << 21 // values

/** Layers one after the other, with their parameters. */
export class Sequential {
  readonly #layers: readonly Layer[]
  #settings: Settings | undefined
  #inputShape: readonly number[] | undefined
  #engine: Promise<Engine> | undefined
  #shuffler: Shuffler | undefined
  #optimizer: Optimizer | undefined
  #busy = false

  constructor(layers: readonly Layer[]) {
    this.#layers = reading('layers', () => {
      if (Array.isArray(layers) && layers.length > 0) {
        return Array.from(layers, (layer, i) => checkLayer(`layers[${i}]`, layer))
      }
      throw unexpected('layers', 'an array of at least one layer', layers)
    })
  }

  /** Draws the parameters, or, without `inputShape`, settles how they will be drawn when the first images come. */
  async initialize(options: InitializeOptions = {}): Promise<void> {
    expectOptions<InitializeOptions>('initialize', options, {
      inputShape: true,
      init: true,
      device: true,
      seed: true,
      threads: true,
      forceReinit: true,
    })
    const settings: Settings = {
      init: checkInitializer(options.init ?? xavier()),
      device: options.device === undefined ? tryGpu() : (expectString('device', options.device) as Device),
      seed: options.seed === undefined ? randomSeed() : expectSeed(options.seed),
      threads: options.threads === undefined ? undefined : expectInteger('threads', options.threads, 1, 1024),
    }
    const inputShape = options.inputShape === undefined ? undefined : checkInputShape(options.inputShape)
    const forceReinit = expectBoolean('forceReinit', options.forceReinit ?? false)
    if (this.#settings && !forceReinit) {
      const message = 'The network is initialized already; pass forceReinit: true to replace its parameters.'
      throw new CandlewickError('ALREADY_INITIALIZED', message)
    }
    const release = this.occupy()
    try {
      const engine = inputShape && this.#create(settings, inputShape)
      await engine // a failure leaves the network as it was
      this.#engine = engine
      this.#inputShape = inputShape
      this.#settings = settings
      this.#shuffler = shuffler(settings.seed)
      this.#optimizer = undefined
    } finally {
      release()
    }
  }

  /** The layers in their order. */
  get layers(): LayerDescription[] {
    if (this.#inputShape) return this.describe(this.#inputShape)
    const names = native(() => layerNames([...this.#layers]))
    return names.map((name) => ({ name, outputShape: null, parameterCount: null }))
  }

  /** What the layers would be for images of (channels, height, width); needs no parameters. */
  describe(inputShape: readonly number[]): LayerDescription[] {
    const reports = native(() => describe([...this.#layers], [...checkInputShape(inputShape)]))
    return reports.map((report) => ({ ...report, outputShape: [1, ...report.outputShape] }))
  }

  /** Where the network runs. */
  get device(): Device {
    return this.#requireSettings().device
  }

  /** The seed that it was initialized with. */
  get seed(): number {
    return this.#requireSettings().seed
  }

  /** Answers to images (n, channels, height, width). */
  async predict(images: Images): Promise<Prediction> {
    const { data, shape } = checkImages(images)
    const engine = await this.engine(shape.slice(1))
    const [n, ...imageShape] = shape as [number, number, number, number]
    const length = imageShape.reduce((product, size) => product * size, 1)
    // A call copies its images while the event loop waits, so it gets few enough.
    const most = Math.max(1, Math.floor(pieceLength / Math.max(1, length)))
    const parts: NativePrediction[] = []
    for (let start = 0; start === 0 || start < n; start += most) {
      if (data.length !== n * length) throw unexpected('images.data', 'an array that is left alone meanwhile', data)
      const count = Math.min(most, n - start)
      const images = data.subarray(start * length, (start + count) * length)
      parts.push(await nativeAsync(() => engine.predict(images, [count, ...imageShape])))
    }
    return joined(n, parts)
  }

  /** Copies of all parameters by name, `conv0.weight`, `conv0.bias`, ..., in the order of the layers. */
  async parameters(): Promise<Record<string, Parameter>> {
    const engine = await this.engine()
    const parameters = await nativeAsync(() => engine.parameters())
    return Object.fromEntries(parameters.map(({ name, shape, data }: ParameterReport) => [name, { shape, data }]))
  }

  /**
   * Replaces all parameters by those of a safetensors file. Nothing is replaced if one is missing or misshapen, or, unless
   * `ignoreExtra`, if the file holds tensors of other names.
   */
  async loadParameters(path: string, options: { ignoreExtra?: boolean } = {}): Promise<void> {
    expectString('path', path)
    expectOptions<typeof options>('loadParameters', options, { ignoreExtra: true })
    const ignoreExtra = expectBoolean('ignoreExtra', options.ignoreExtra ?? false)
    this.requireIdle()
    const engine = await this.engine()
    await nativeAsync(() => engine.loadParameters(path, ignoreExtra))
  }

  /** Writes all parameters to a safetensors file, all or nothing. */
  async saveParameters(path: string): Promise<void> {
    expectString('path', path)
    const engine = await this.engine()
    await nativeAsync(() => engine.saveParameters(path))
  }

  /**
   * What runs the network; makes it, if only the shape of the images was missing.
   * @internal
   */
  async engine(inputShape?: readonly number[]): Promise<Engine> {
    const settings = this.#requireSettings()
    if (this.#engine) return this.#engine
    if (!inputShape) {
      const message =
        'The network has no parameters yet, as it waits for the shape of its first images; pass inputShape to initialize, or train, evaluate or predict first.'
      throw new CandlewickError('NOT_INITIALIZED', message)
    }
    const engine = this.#create(settings, inputShape)
    this.#engine = engine
    this.#inputShape = [...inputShape]
    engine.catch(() => {
      // The next images may fit.
      if (this.#engine === engine) this.#engine = this.#inputShape = undefined
    })
    return engine
  }

  /**
   * The next random order, of `seed` or else of the network's own.
   * @internal
   */
  get shuffler(): Shuffler {
    this.#requireSettings()
    return this.#shuffler as Shuffler
  }

  /**
   * Whether this optimiser is another than the last, and so starts without velocity.
   * @internal
   */
  isFresh(optimizer: Optimizer): boolean {
    const fresh = this.#optimizer !== optimizer
    this.#optimizer = optimizer
    return fresh
  }

  /**
   * Keeps others from training or replacing the parameters until the returned function is called.
   * @internal
   */
  occupy(): () => void {
    this.requireIdle()
    this.#busy = true
    return () => {
      this.#busy = false
    }
  }

  /**
   * Throws while the network is occupied.
   * @internal
   */
  requireIdle(): void {
    if (!this.#busy) return
    const message = 'The network is busy with a fit or an initialize that has not ended; wait for it, or abort it.'
    throw new CandlewickError('BUSY', message)
  }

  #create(settings: Settings, inputShape: readonly number[]): Promise<Engine> {
    const { init, seed, device, threads } = settings
    return nativeAsync(() => createEngine([...this.#layers], [...inputShape], { ...init }, seed, device, threads))
  }

  #requireSettings(): Settings {
    if (this.#settings) return this.#settings
    const message = 'The network is not initialized; call await net.initialize({ inputShape: [1, 28, 28] }) first.'
    throw new CandlewickError('NOT_INITIALIZED', message)
  }
}

/** The predictions of one part after the other, as one. */
function joined(n: number, parts: NativePrediction[]): Prediction {
  const classes = parts[0]?.classes ?? 0
  const whole: Prediction = {
    shape: [n, classes],
    logits: new Float32Array(n * classes),
    probabilities: new Float32Array(n * classes),
    labels: new Uint32Array(n),
  }
  let start = 0
  for (const { logits, probabilities, labels } of parts) {
    whole.logits.set(logits, start * classes)
    whole.probabilities.set(probabilities, start * classes)
    whole.labels.set(labels, start)
    start += labels.length
  }
  return whole
}

function checkInputShape(shape: readonly number[]): readonly number[] {
  return expectIntegers('inputShape', '[channels, height, width]', shape, 3, 1)
}
