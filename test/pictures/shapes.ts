/** Folders of pictures that a test makes itself: coloured shapes on coloured ground. */

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { png } from '#dist/png.js'
import { temporaryFolder } from '../idx-folder.js'

export type Colours = (y: number, x: number) => readonly [number, number, number]

/** The file of a picture of three channels. */
export function picture(height: number, width: number, colours: Colours): Buffer {
  const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3)
    return colours(Math.floor(pixel / width), pixel % width)[i % 3] as number
  })
  return png({ width, height, channels: 3, pixels })
}

/** The file of a picture of one colour. */
export function plain(red: number, green = red, blue = red): Buffer {
  return picture(4, 4, () => [red, green, blue])
}

/** A folder with these files. */
export async function folderOf(t: ExecutionContext, files: Readonly<Record<string, Buffer | string>>): Promise<string> {
  const dir = await temporaryFolder(t)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), content)
  }
  return dir
}

/** Two classes that every network can tell apart, `across` and `down`: stripes of any colour, so many of each. */
export function stripes(count: number, prefix = ''): Record<string, Buffer> {
  const files: Record<string, Buffer> = {}
  for (let i = 0; i < count; i++) {
    const [light, size] = [160 + ((i * 37) % 90), 20 + (i % 7)]
    const colour = (line: number): [number, number, number] =>
      Math.floor(line / 3) % 2 ? [light, 90, light] : [10, 30, 20]
    files[`${prefix}across/${i}.png`] = picture(size, size, (y) => colour(y))
    files[`${prefix}down/${i}.png`] = picture(size, size, (_, x) => colour(x))
  }
  return files
}
