import { writeFile } from 'node:fs/promises'
import { fashionMnist } from '../data/fashion-mnist.js'
import { expectPath } from '../expect.js'
import { jsonLine } from '../json.js'
import { png } from '../png.js'
import { mostSeed, randomSeed } from '../random.js'
import { augmentImages } from '../training/augment-images.js'
import { augmentationsOf } from './augmentations.js'
import { command } from './command.js'
import { integer, option, optionWithDefault, text, UsageError } from './options.js'
import { dataFolder, runOptions } from './shared-options.js'
import { sheet } from './sheet.js'

const [versions, scale] = [9, 3] // of each image, and pixels for one of its pixels
const usual = 'flip,crop,erasing'

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
    const augment = augmentationsOf(names)
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

async function write(path: string, content: Buffer): Promise<void> {
  try {
    await writeFile(path, content)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`Cannot write the picture: ${reason}; name a file in a folder that is there.`, { cause })
  }
}
