/** Images side by side, in a picture to look at. */

import type { ByteImages } from '../data/images.js'
import { CandlewickError } from '../errors.js'
import type { Picture } from '../png.js'

const [background, gap] = [255, 4]

/** A picture with a column for each of these, which are as many images of one shape; each image's pixels `scale` wide and high. */
export function sheet(columns: readonly ByteImages[], scale: number): Picture {
  const [count = 0, channels = 0, imageHeight = 0, imageWidth = 0] = columns[0]?.shape ?? []
  if (channels !== 1 && channels !== 3) {
    const message = `A sheet shows images of 1 channel (grey) or 3 (red, green, blue), but these have ${channels}.`
    throw new CandlewickError('INVALID_SHAPE', message)
  }
  const [rowHeight, columnWidth] = [imageHeight * scale + gap, imageWidth * scale + gap]
  const [height, width] = [count * rowHeight + gap, columns.length * columnWidth + gap]
  const pixels = new Uint8Array(height * width * channels).fill(background)
  const size = imageHeight * imageWidth
  columns.forEach(({ data }, column) => {
    for (let image = 0; image < count; image++) {
      const [top, left] = [image * rowHeight + gap, column * columnWidth + gap]
      for (let y = 0; y < imageHeight * scale; y++) {
        for (let x = 0; x < imageWidth * scale; x++) {
          const from = image * channels * size + Math.floor(y / scale) * imageWidth + Math.floor(x / scale)
          const to = ((top + y) * width + left + x) * channels
          for (let channel = 0; channel < channels; channel++) pixels[to + channel] = data[from + channel * size] ?? 0
        }
      }
    }
  })
  return { width, height, channels, pixels }
}
