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

/** What each name on the command line stands for, with the number behind its colon, if there is one. */
const makers: Readonly<Record<string, (setting?: number) => Augmentation>> = {
  flip: () => randomFlip(),
  shift: (pixels = 2) => randomShift(pixels),
  crop: (padding = 2) => randomCrop({ padding }),
  erasing: (probability = 0.5) => randomErasing({ probability }),
  rotation: (degrees = 15) => randomRotation(degrees),
  zoom: (amount = 0.2) => randomZoom(amount),
  brightness: (amount = 0.2) => brightness(amount),
  contrast: (amount = 0.5) => contrast(amount),
}

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
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined
  if (!make) {
    const known = Object.keys(makers).join(', ')
    throw new UsageError(`Expected ${known}, or one of them with a number, for --augment, but received "${written}".`)
  }
  try {
    return make(setting === undefined ? undefined : Number(setting))
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
