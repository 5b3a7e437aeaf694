import { writeFile } from 'node:fs/promises'
import { fashionMnist } from '../data/fashion-mnist.js'
import { CandlewickError } from '../errors.js'
import { expectPath } from '../expect.js'
import { mostSeed, randomSeed } from '../random.js'
import { augmentImages } from '../training/augment-images.js'
import {
  type Augmentation,
  brightness,
  contrast,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  randomShift,
  randomZoom,
} from '../training/augmentations.js'
import { command } from './command.js'
import { jsonLine } from './json.js'
import { integer, option, optionWithDefault, text, UsageError } from './options.js'
import { png } from './png.js'
import { dataFolder, runOptions } from './shared-options.js'
import { sheet } from './sheet.js'

const [versions, scale] = [9, 3] // of each image, and pixels for one of its pixels
const usual = 'flip,crop,erasing'

/** What makes an augmentation of the number that its setting is; a usual one, where it takes any. */
interface Maker {
  usual?: number
  make(setting: number): Augmentation
}

/** Of each kind; the compiler sees that none is missing. */
const makers: Readonly<Record<Augmentation['kind'], Maker>> = {
  randomFlip: { make: randomFlip },
  randomShift: { usual: 2, make: randomShift },
  randomCrop: { usual: 2, make: (padding) => randomCrop({ padding }) },
  randomErasing: { usual: 0.5, make: (probability) => randomErasing({ probability }) },
  randomRotation: { usual: 15, make: randomRotation },
  randomZoom: { usual: 0.2, make: randomZoom },
  brightness: { usual: 0.2, make: brightness },
  contrast: { usual: 0.5, make: contrast },
}

/** By their names on the command line: flip, shift, ... */
const named = new Map(
  Object.entries(makers).map(([kind, maker]) => [kind.replace('random', '').toLowerCase(), maker] as const),
)

export const augmentCommand = command({
  help: 'a picture of training images, as they are and augmented, to look at',
  options: {
    sheet: option('FILE.png', text, 'where it goes: a row for each image, nine versions of it beside it'),
    augment: option('NAMES', text, `in this order; ${usual} by default, and with numbers as in crop:4,zoom:0.1`),
    count: optionWithDefault(8, integer(1, 1000), 'images, from the first on'),
    seed: option('N', integer(0, mostSeed), 'decides what is made of them; drawn, and printed, by default'),
    data: runOptions.data,
    json: runOptions.json,
  },
  finishedUnread: 'sheet',
  async run({ sheet: file, augment: names = usual, count, seed = randomSeed(), data, json }, _, signal) {
    if (file === undefined) {
      throw new UsageError('Expected --sheet and a file for the picture, as in: candlewick augment --sheet sheet.png.')
    }
    const path = expectPath('sheet', file)
    const augment = names.split(',').map(augmentation)
    const { train } = await fashionMnist({ ...dataFolder({ data }), signal })
    const end = Math.min(count, train.length)
    const epochs = Array.from({ length: versions }, (_, i) =>
      augmentImages(train, augment, { seed, epoch: i + 1, end }),
    )
    await write(path, png(sheet([train.images(0, end), ...epochs], scale)))
    if (json) console.log(jsonLine({ sheet: file, images: end, versions, augment, seed }))
    else console.log(`${file}: ${end} images, ${versions} versions of each by ${names}, seed ${seed}`)
  },
})

/** What `NAME` or `NAME:NUMBER` stands for. */
function augmentation(written: string): Augmentation {
  const [, name = '', setting] = /^([a-z]+)(?::(\d+\.?\d*|\.\d+))?$/.exec(written) ?? []
  const maker = named.get(name)
  if (!maker) {
    const known = [...named.keys()].join(', ')
    throw new UsageError(`Expected ${known}, or one of them with a number, for --augment, but received "${written}".`)
  }
  const { usual, make } = maker
  if (setting !== undefined && usual === undefined) throw new UsageError(`Expected ${name} alone for --augment.`)
  try {
    return make(Number(setting ?? usual))
  } catch (error) {
    if (!(error instanceof CandlewickError)) throw error
    throw new UsageError(`${written}: ${error.message}`)
  }
}

async function write(path: string, content: Buffer): Promise<void> {
  try {
    await writeFile(path, content)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`Cannot write the picture: ${reason}; name a file in a folder that is there.`, { cause })
  }
}
