import { setImmediate } from 'node:timers/promises'
import { callAddonAsync, createEngine, type Engine, readNetwork } from '../addon.js'
import { markClass } from '../copies.js'
import { checkImages, type Images } from '../data/images.js'
import { CandlewickError, messageOf } from '../errors.js'
import { expectInstance, expectOptions, readOnce, unexpected } from '../expect.js'
import type { Preparation } from '../pictures/preparation.js'
import { isPictureSource, type PictureSource } from '../pictures/prepare.js'
import { type Draws, draws } from '../random.js'
import { forgetLearned, forgetSteps, hasLearned } from '../training/steps.js'
import { suspectImages } from '../training/suspicions.js'
import {
  type Answer,
  answersOf,
  type Classifiable,
  type ClassifyOptions,
  checkClassify,
  imagesOf,
  single,
} from './classify.js'
import { type DescribedLayer, describe, type LayerDescription, namesOf } from './description.js'
import type { Device } from './devices.js'
import { contentOf, type FileSource, pathOf, withFile } from './files.js'
import { zeros } from './initializers.js'
import { type Knowledge, readKnowledge, type TrainedBy } from './knowledge.js'
import { checkLayers } from './layers/check.js'
import type { Layer } from './layers.js'
import { checkSelection, type LoadedParameters, type LoadOptions, load } from './loading.js'
import { type Normalization, readNormalization, writeNormalization } from './normalization.js'
import { checkParameters, copyParameters, type Parameter, setParameters } from './parameters.js'
import { type Prediction, predict } from './prediction.js'
import { checkInputShape, checkSettings, type InitializeOptions, type Settings } from './settings.js'
import { type SummaryOptions, summary } from './summary.js'

/** Where a network that is loaded runs. */
export type LoadNetworkOptions = Pick<InitializeOptions, 'device' | 'engine' | 'threads' | 'seed'>

/** Layers one after the other, with their parameters. */
export class Sequential {
  static {
    markClass(Sequential, 'Sequential')
  }

  readonly #layers: readonly Layer[]
  #settings: Settings | undefined
  #inputShape: readonly number[] | undefined
  #normalization: Normalization | undefined
  #engine: Promise<Engine> | undefined
  #draws: Draws | undefined
  #knowledge: Knowledge = {}
  #busy = false
  #disposed = false

  /** Layers made by hand are checked, some microseconds each, while the event loop waits. */
  constructor(layers: readonly Layer[]) {
    this.#layers = checkLayers('layers', layers, 1)
  }

  /**
   * Whether a network was made by the constructor.
   * @internal
   */
  static isWhole(net: Sequential): boolean {
    return #layers in net
  }

  /** The network of these layers, which {@link Sequential.toJSON} gave, as they are or as text; it has no parameters yet. */
  static fromJSON(json: string | readonly Layer[]): Sequential {
    return new Sequential(typeof json === 'string' ? parseLayers(json) : json)
  }

  /**
   * A network with its parameters from a file that {@link Sequential.saveParameters} or a checkpoint of `fit` wrote, by its path or
   * URL, or from what is in the file: layers, the shape of its images, how pictures become such images and the classes' names are in
   * there. The options are those of {@link Sequential.initialize} that say where it runs.
   */
  static load(source: FileSource, options: LoadNetworkOptions = {}): Promise<Sequential> {
    return withFile('path', source, (path) => Sequential.#read(path, options))
  }

  static async #read(file: string, options: LoadNetworkOptions): Promise<Sequential> {
    const where = expectOptions<LoadNetworkOptions>('load', options, {
      device: true,
      engine: true,
      threads: true,
      seed: true,
    })
    const text = JSON.parse(await callAddonAsync(() => readNetwork(file)))
    const { layers, inputShape } = readOnce<{ layers: readonly Layer[]; inputShape: [number, number, number] }>(
      'the network of the file',
      text,
      { layers: true, inputShape: true },
    )
    const net = new Sequential(layers as readonly Layer[])
    const given = Object.fromEntries(Object.entries(where).filter(([, value]) => value !== undefined))
    await net.initialize({ ...given, inputShape: inputShape as [number, number, number], init: zeros() })
    await net.loadParameters(file)
    net.#knowledge = readKnowledge(text)
    return net
  }

  /** The layers as plain data, the very JSON that the engine is told them in: `JSON.stringify(net)` is its text. */
  toJSON(): Layer[] {
    return [...expectNetwork(this).#layers]
  }

  /** Draws the parameters, or, without `inputShape`, settles how they will be drawn when the first images come. */
  async initialize(options: InitializeOptions = {}): Promise<void> {
    expectNetwork(this)
    const { settings, inputShape, normalization, forceReinit } = checkSettings(options)
    this.#requireLife()
    if (this.#settings && !forceReinit) {
      const message = 'The network is initialized already; pass forceReinit: true to replace its parameters.'
      throw new CandlewickError('ALREADY_INITIALIZED', message)
    }
    const release = this.occupy()
    try {
      const engine = inputShape && this.#create(settings, inputShape, normalization)
      await engine // a failure leaves the network as it was
      if (this.#disposed) await letGo(engine, (made) => made.dispose())
      this.#requireLife()
      void letGo(this.#engine, (replaced) => replaced.retire())
      this.#engine = engine
      this.#inputShape = inputShape
      this.#normalization = normalization
      this.#settings = settings
      this.#draws = draws(settings.seed)
    } finally {
      release()
    }
  }

  /**
   * What images go through before the layers; undefined where they go through nothing. It is the network's own from `initialize`
   * with `normalize`, from a `fit` with it, or from the file that its parameters came from.
   */
  get normalization(): Normalization | undefined {
    return expectNetwork(this).#normalization
  }

  /** The layers in their order; takes microseconds a layer, while the event loop waits. */
  get layers(): LayerDescription[] {
    expectNetwork(this)
    if (this.#inputShape) return this.describe(this.#inputShape)
    return namesOf(this.#layers)
  }

  /**
   * What the layers would be for images of (channels, height, width); needs no parameters. Takes microseconds a layer, while
   * the event loop waits.
   */
  describe(inputShape: readonly number[]): DescribedLayer[] {
    expectNetwork(this)
    return describe(this.#layers, checkInputShape(inputShape))
  }

  /**
   * The layers as a table, as Keras prints it: output shapes, parameters, multiply-adds (of convolutions and dense layers, for one
   * image), the layers of residual blocks below them, and the totals. The memory of a step is that of float32s: parameters and their
   * gradients, and for each image itself, all layers' outputs and their gradients. What an optimiser keeps comes to it; the CPU engine
   * takes sixteen images at a time, and holds less. Without `inputShape`, the network has to know the shape of its images.
   */
  summary(inputShape?: readonly number[], options: SummaryOptions = {}): string {
    expectNetwork(this)
    return summary(this.#layers, this.shapeOfImages(inputShape), options)
  }

  /** Where the network runs. */
  get device(): Device {
    return expectNetwork(this).#requireSettings().device
  }

  /** The seed that it was initialized with. */
  get seed(): number {
    return expectNetwork(this).#requireSettings().seed
  }

  /** The names of the classes, by their labels: those of the dataset that the network was trained on, where it has any. */
  get classes(): readonly string[] | undefined {
    return expectNetwork(this).#knowledge.classes
  }

  /** How pictures become its images, where it was trained on pictures: beside {@link imageFolder}'s other options. */
  get pictures(): Preparation | undefined {
    return expectNetwork(this).#knowledge.pictures
  }

  /** How the network was trained, in a `fit` of this process or before its file was saved. */
  get trained(): TrainedBy | undefined {
    return expectNetwork(this).#knowledge.trained
  }

  /**
   * The classes that a picture may be of, the likeliest first. It is prepared exactly as those that the network was trained on.
   * Several pictures at once are answered in one batch.
   */
  classify(picture: Classifiable, options?: ClassifyOptions): Promise<Answer[]>
  classify(pictures: readonly PictureSource[], options?: ClassifyOptions): Promise<Answer[][]>
  async classify(given: unknown, options: ClassifyOptions = {}): Promise<Answer[] | Answer[][]> {
    expectNetwork(this)
    const { top, signal } = checkClassify(options)
    const isOne = !Array.isArray(given)
    const pictures = isOne ? [given] : Array.from(given as unknown[])
    if (pictures.length === 0) return []
    const isImage = isOne && !isPictureSource(given)
    const images = isImage ? single(given) : await imagesOf(pictures, this.shapeOfImages(), this.#knowledge, signal)
    const answers = answersOf(await this.predict(images), this.#knowledge, top)
    return isOne ? (answers[0] as Answer[]) : answers
  }

  /** Answers to images (n, channels, height, width). All come from the same parameters, those of the call's place in line. */
  async predict(images: Images): Promise<Prediction> {
    expectNetwork(this)
    const checked = checkImages(images)
    const engine = await this.engine(checked.shape.slice(1))
    suspectImages(engine, checked, this.#normalization)
    return predict(engine, checked)
  }

  /** Copies of all parameters by name, `conv0.weight`, `conv0.bias`, ..., in the order of the layers. */
  async parameters(): Promise<Record<string, Parameter>> {
    return copyParameters(await expectNetwork(this).engine())
  }

  /**
   * Replaces all parameters by those of a safetensors file, by its path or URL, or by what is in one, or `only` some. Nothing is
   * replaced if one of them is missing or misshapen, unless `ignoreMismatch`, or if the file holds tensors of other names, unless
   * `ignoreExtra`. Resolves to the names of those that were loaded, and of those that stayed as they were. With the parameters that images meet first comes the file's
   * normalization, if it has one; a network keeps its own with a file that has none, and warns of it if that is of a network.
   */
  async loadParameters(source: FileSource, options: LoadOptions = {}): Promise<LoadedParameters> {
    expectNetwork(this)
    const selection = checkSelection(options)
    return withFile('path', source, async (file) => {
      this.requireIdle()
      const engine = await this.engine()
      const takeBack = forgetSteps(engine)
      const { normalization, ...loaded } = await load(engine, file, selection).catch((error) => {
        takeBack()
        throw error
      })
      this.knowNormalization(readNormalization(normalization))
      return loaded
    })
  }

  /**
   * Replaces all parameters by those that {@link Sequential.parameters} gave, of this network or of one with the same layers. What
   * an optimiser keeps is forgotten, as with {@link Sequential.loadParameters}.
   */
  async setParameters(parameters: Readonly<Record<string, Parameter>>): Promise<void> {
    expectNetwork(this)
    this.requireIdle()
    const engine = await this.engine()
    const list = checkParameters(parameters, this.#layers, this.#inputShape ?? [])
    const takeBack = forgetSteps(engine)
    await setParameters(engine, list).catch((error) => {
      takeBack()
      throw error
    })
  }

  /**
   * A network of its own with the same layers and parameters, to serve while this one trains on: those of the call's place in line,
   * which in a training is between two steps. It runs on the same device, and goes on as one that was just initialized.
   */
  async clone(): Promise<Sequential> {
    expectNetwork(this)
    const { engine, device, seed, threads } = this.#requireSettings()
    const original = await this.engine()
    const copy = new Sequential(this.#layers)
    const inputShape = this.#inputShape as [number, number, number]
    const placed = { engine, device, seed, ...(threads !== undefined && { threads }), inputShape, init: zeros() }
    // One right after the other in line, so that they belong together.
    const own = [copyParameters(original), callAddonAsync(() => original.normalization())] as const
    const [parameters, json] = await Promise.all([...own, copy.initialize(placed)])
    await copy.setParameters(parameters)
    copy.learn(this.#knowledge)
    const normalization = readNormalization(json)
    if (normalization) await copy.normalize(normalization)
    if (!hasLearned(original)) forgetLearned(await copy.engine())
    return copy
  }

  /**
   * Writes all parameters to a safetensors file, all or nothing: a file that is there is replaced by a whole one, and keeps its
   * rights. Only where that can't be (a mounted file, a folder that may not be written) is it written in place.
   */
  async saveParameters(path: string | URL): Promise<void> {
    expectNetwork(this)
    const file = pathOf('path', path)
    const engine = await this.engine()
    await callAddonAsync(() => engine.saveParameters(file, this.describeForFile()))
  }

  /** What {@link Sequential.saveParameters} would write, for {@link Sequential.load}. */
  serialize(): Promise<Uint8Array> {
    expectNetwork(this)
    return contentOf((path) => this.saveParameters(path))
  }

  /**
   * Gives memory back at once, instead of when the garbage collector finds that nobody needs the network. Calls that wait in
   * line are answered first; a fit or an evaluation ends within a batch. They, and all later calls, fail with DISPOSED.
   */
  async dispose(): Promise<void> {
    expectNetwork(this)
    this.#disposed = true
    await letGo(this.#engine, (engine) => engine.dispose())
  }

  /** As {@link Sequential.dispose}, without waiting for it. */
  [Symbol.dispose](): void {
    void expectNetwork(this).dispose()
  }

  /** {@link Sequential.dispose} */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /**
   * The shape of an image: as given, or as the network knows it.
   * @internal
   */
  shapeOfImages(inputShape?: unknown): readonly number[] {
    if (inputShape !== undefined) return checkInputShape(inputShape)
    if (this.#inputShape) return this.#inputShape
    const message = 'The network does not know the shape of its images yet; pass one, as in net.summary([1, 28, 28]).'
    throw new CandlewickError('NOT_INITIALIZED', message)
  }

  /**
   * What runs the network; makes it, if only the shape of the images was missing.
   * @internal
   */
  async engine(inputShape?: readonly number[]): Promise<Engine> {
    for (;;) {
      // Nothing is waited for between the look and the making, or two calls at once would make an engine each.
      const settings = this.#requireSettings()
      const isMine = !this.#engine
      this.#engine ??= this.#make(settings, inputShape)
      try {
        return await this.#engine
      } catch (error) {
        if (isMine) throw error // what another call with other images failed to make is not this one's failure
      }
    }
  }

  /**
   * Has images go through this first from here on.
   * @internal
   */
  async normalize(normalization: Normalization): Promise<void> {
    const engine = await this.engine()
    await callAddonAsync(() => engine.setNormalization(writeNormalization(normalization)))
    this.knowNormalization(normalization)
  }

  /**
   * What the engine has images go through.
   * @internal
   */
  knowNormalization(normalization: Normalization | undefined): void {
    this.#normalization = normalization
  }

  /**
   * The layer that images leave by.
   * @internal
   */
  get lastLayer(): Layer | undefined {
    return this.#layers.at(-1)
  }

  /**
   * What is drawn for the network's epochs, one after the other.
   * @internal
   */
  get draws(): Draws {
    this.#requireSettings()
    return this.#draws as Draws
  }

  /**
   * The epochs to come are drawn as after a checkpoint of a network with this seed.
   * @internal
   */
  goOnFrom(seed: number, drawn: Draws): void {
    this.#settings = { ...this.#requireSettings(), seed }
    this.#draws = drawn
  }

  /**
   * The network and the shape of its images, as files have them, as JSON; of one that has an engine.
   * @internal
   */
  describeForFile(): string {
    return JSON.stringify({ layers: this.#layers, inputShape: this.#inputShape, ...this.#knowledge })
  }

  /**
   * Takes what is known, of the data that the network trains on or of the training.
   * @internal
   */
  learn(knowledge: Knowledge): void {
    const known = Object.entries(knowledge).filter(([, value]) => value !== undefined)
    this.#knowledge = { ...this.#knowledge, ...Object.fromEntries(known) }
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

  /** An engine for the first images' shape; where they do not fit, the next may. */
  #make(settings: Settings, inputShape: readonly number[] | undefined): Promise<Engine> {
    if (!inputShape) {
      const message =
        'The network has no parameters yet, as it waits for the shape of its first images; pass inputShape to initialize, or train, evaluate or predict first.'
      throw new CandlewickError('NOT_INITIALIZED', message)
    }
    const engine = this.#create(settings, inputShape, this.#normalization)
    this.#inputShape = [...inputShape]
    engine.catch(() => {
      if (this.#engine === engine) this.#engine = this.#inputShape = undefined
    })
    return engine
  }

  #create(
    settings: Settings,
    inputShape: readonly number[],
    normalization: Normalization | undefined,
  ): Promise<Engine> {
    const { init, seed, engine, device, threads } = settings
    const placement = { engine, device, ...(threads === undefined ? {} : { threads }) }
    const layers = JSON.stringify(this.#layers)
    const first = normalization && writeNormalization(normalization)
    return callAddonAsync(() => createEngine(layers, [...inputShape], JSON.stringify(init), seed, placement, first))
  }

  #requireLife(): void {
    if (!this.#disposed) return
    const message = 'The network was disposed of; make a new one, or dispose of it later.'
    throw new CandlewickError('DISPOSED', message)
  }

  #requireSettings(): Settings {
    this.#requireLife()
    if (this.#settings) return this.#settings
    const message = 'The network is not initialized; call await net.initialize({ inputShape: [1, 28, 28] }) first.'
    throw new CandlewickError('NOT_INITIALIZED', message)
  }
}

/** Lets go of an engine, after the calls that were made before this one. */
async function letGo(making: Promise<Engine> | undefined, how: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await making?.catch(() => undefined)
  await setImmediate() // those calls have reached its line by then
  if (engine) await callAddonAsync(() => how(engine))
}

function parseLayers(json: string): readonly Layer[] {
  try {
    return JSON.parse(json)
  } catch (cause) {
    const message = `The text of a network is no JSON (${messageOf(cause)}); pass what JSON.stringify(net) made.`
    throw new CandlewickError('INVALID_ARGUMENT', message, { cause })
  }
}

/**
 * A network of this copy of candlewick's, and no proxy of one.
 * @internal
 */
export function expectNetwork(net: unknown): Sequential {
  const found = expectInstance('net', 'a Sequential', net, Sequential)
  if (!Sequential.isWhole(found)) throw unexpected('net', 'a Sequential, not what inherits from one,', net)
  return found
}
