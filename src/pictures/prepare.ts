/** Pictures from anywhere as images of one shape. */

import { types } from 'node:util'
import { preparePictures } from '../addon.js'
import type { ByteImages } from '../data/images.js'
import { CandlewickError } from '../errors.js'
import { unexpected } from '../expect.js'
import { isUrl, pathOf } from '../network/files.js'
import { type CheckedPreparation, forAddon } from './preparation.js'
import { picturesWork } from './work.js'

/** A picture: the path of its file, or that as a URL, or what is in the file. */
export type PictureSource = string | URL | Uint8Array

/** Whether something is a picture's source rather than an image's values. */
export function isPictureSource(given: unknown): given is PictureSource {
  return typeof given === 'string' || isUrl(given) || types.isUint8Array(given)
}

/** What of a source the addon is told. */
export function checkSource(name: string, source: unknown): string | Uint8Array {
  if (types.isUint8Array(source)) return source
  if (typeof source === 'string' || isUrl(source)) return pathOf(name, source)
  throw unexpected(name, 'a path, a URL or a Uint8Array of what is in a picture file', source)
}

/** Decodes pictures, off the event loop and on all processors; one that cannot be read is an error that names it. */
export async function prepareAll(
  sources: readonly (string | Uint8Array)[],
  preparation: CheckedPreparation,
  signal?: AbortSignal | undefined,
): Promise<ByteImages> {
  const { images, broken } = await prepareReadable(sources, preparation, signal)
  for (const error of broken.values()) throw error
  return images
}

/** As {@link prepareAll}, of those that can be read; with the errors of the others, by their places. */
export async function prepareReadable(
  sources: readonly (string | Uint8Array)[],
  preparation: CheckedPreparation,
  signal?: AbortSignal | undefined,
): Promise<{ images: ByteImages; broken: Map<number, CandlewickError> }> {
  const { data, broken } = await picturesWork(
    (progress) => preparePictures([...sources], forAddon(preparation), progress),
    { signal },
  )
  const errorOf = (number: number, reason: string) => unreadable(sources[number] as string | Uint8Array, reason)
  const errors = new Map(broken.map(({ number, reason }) => [number, errorOf(number, reason)]))
  return { images: without({ data, shape: [sources.length, ...preparation.shape] }, errors), broken: errors }
}

/** The images but for some, by their places. */
function without({ data, shape: [count = 0, ...shape] }: ByteImages, left: ReadonlyMap<number, unknown>): ByteImages {
  if (left.size === 0) return { data, shape: [count, ...shape] }
  const length = data.length / count
  let kept = 0
  for (let i = 0; i < count; i++) {
    if (!left.has(i)) data.copyWithin(length * kept++, length * i, length * (i + 1))
  }
  return { data: data.subarray(0, length * kept), shape: [kept, ...shape] }
}

/** The error for a picture that cannot be read. */
function unreadable(source: string | Uint8Array, reason: string): CandlewickError {
  const name = typeof source === 'string' ? source : `A picture of ${source.length} bytes`
  const code = reason === 'there is no such file' ? 'DATA_NOT_FOUND' : 'DATA_CORRUPT'
  return new CandlewickError(code, `${name} cannot be read: ${reason}; give a whole JPEG, PNG, WebP, BMP or GIF file.`)
}
