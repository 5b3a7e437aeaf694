import type { Parameter } from '../../../network/parameters.js'
import type { Picture } from '../../../png.js'

const mostTiles = 256
const scale = 8 // pixels of the sheet for one of a filter, and between filters

/**
 * A sheet of a convolution's filters, weights (out, in, height, width), from black, the least weight, to white, the greatest: in colour
 * where they look at three channels; else a tile for each channel, a filter's side by side.
 */
export function filterSheet({ shape, data }: Parameter): Picture {
  const [out, channels, rows, columns] = shape as [number, number, number, number]
  const isColoured = channels === 3
  const across = isColoured || channels === 1 ? Math.ceil(Math.sqrt(out)) : Math.min(channels, mostTiles)
  const tilesOf = isColoured ? 1 : channels
  const count = Math.min(out * tilesOf, mostTiles)
  const size = (tiles: number, side: number) => (tiles * (side + 1) + 1) * scale
  const [width, height] = [size(Math.min(across, count), columns), size(Math.ceil(count / across), rows)]
  const sheet: Picture = { width, height, channels: 3, pixels: new Uint8Array(3 * width * height).fill(128) }
  const shade = shades(data)
  for (let tile = 0; tile < count; tile++) {
    const [down, right] = [Math.floor(tile / across) * (rows + 1) + 1, (tile % across) * (columns + 1) + 1]
    for (let at = 0; at < rows * columns; at++) {
      const colour = [0, 1, 2].map((channel) => {
        const plane = isColoured ? tile * 3 + channel : tile
        return shade(data[plane * rows * columns + at] as number)
      })
      paint(sheet, down + Math.floor(at / columns), right + (at % columns), colour)
    }
  }
  return sheet
}

/** From 0 to 255; what is no number is black. */
function shades(weights: Float32Array): (weight: number) => number {
  const finite = weights.filter(Number.isFinite)
  const least = finite.reduce((least, weight) => Math.min(least, weight), Number.POSITIVE_INFINITY)
  const most = finite.reduce((most, weight) => Math.max(most, weight), Number.NEGATIVE_INFINITY)
  return (weight) => {
    const share = most > least ? (weight - least) / (most - least) : 0.5
    return Number.isNaN(share) ? 0 : Math.round(255 * Math.min(Math.max(share, 0), 1))
  }
}

/** A square. */
function paint({ width, pixels }: Picture, row: number, column: number, colour: readonly number[]): void {
  for (let y = row * scale; y < (row + 1) * scale; y++) {
    for (let x = column * scale; x < (column + 1) * scale; x++) pixels.set(colour, 3 * (y * width + x))
  }
}
