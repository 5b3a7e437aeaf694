import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { picturesBelow } from '../addon.js'
import { CandlewickError } from '../errors.js'
import { jsonLine } from '../json.js'
import { type Answer, answersOf, preparationFor } from '../network/classify.js'
import { Sequential } from '../network/sequential.js'
import { prepareReadable } from '../pictures/prepare.js'
import { picturesWork } from '../pictures/work.js'
import { command } from './command.js'
import { integer, optionWithDefault, UsageError } from './options.js'
import { checkReadable } from './parameters-file.js'
import { json, placement, runOptions } from './shared-options.js'

const atOnce = 64 // pictures
const { engine, device, threads } = runOptions

export const predictCommand = command({
  argument: 'FILE PICTURES...',
  most: Number.POSITIVE_INFINITY,
  help: 'what pictures show, by a network that was trained on pictures',
  options: {
    top: optionWithDefault(3, integer(1), 'classes to tell, the likeliest first'),
    engine,
    device,
    threads,
    json,
  },
  async run(options, [file, ...named], signal) {
    if (file === undefined || named.length === 0) {
      throw new UsageError(
        'Expected a file of a network and pictures, as in: candlewick predict pets.safetensors new/*.jpg.',
      )
    }
    await checkReadable(file)
    const net = await Sequential.load(file, placement(options))
    let failed = 0
    for (const pictures of batches(await picturesOf(named, signal))) {
      signal.throwIfAborted()
      for (const { name, ...answer } of await answersTo(net, pictures, options.top, signal)) {
        failed += 'error' in answer ? 1 : 0
        tell(name, answer, options.json)
      }
    }
    if (failed > 0) throw new Error(`${failed} ${failed === 1 ? 'picture' : 'pictures'} could not be read.`)
  },
})

/** A picture, by the name that it is told by. */
interface Named {
  name: string
  source: string | Uint8Array
}

/** What files, folders, patterns and `-` stand for. */
async function picturesOf(named: readonly string[], signal: AbortSignal): Promise<Named[]> {
  const pictures: Named[] = []
  for (const name of named) {
    if (name === '-') pictures.push({ name: '-', source: new Uint8Array(await buffer(process.stdin)) })
    else for (const path of await pathsOf(name, signal)) pictures.push({ name: path, source: path })
  }
  return pictures
}

async function pathsOf(name: string, signal: AbortSignal): Promise<string[]> {
  const found = await stat(name).catch(() => undefined)
  if (found?.isDirectory()) {
    const below = await picturesWork((progress) => picturesBelow(name, progress), { signal })
    if (below.length > 0) return below
    throw new CandlewickError('DATA_NOT_FOUND', `There are no pictures in ${name}; name a folder of some.`)
  }
  // A shell that finds nothing, and Windows's, leave patterns as they are.
  if (found || !/[*?]/.test(name)) return [name]
  const paths = await fitting(name)
  if (paths.length > 0) return paths
  throw new CandlewickError('DATA_NOT_FOUND', `No file fits ${name}; name pictures that are there.`)
}

/** The files of a folder whose names fit a pattern of `*` and `?`. */
async function fitting(pattern: string): Promise<string[]> {
  const [dir, last] = [dirname(pattern), basename(pattern)]
  const escaped = last
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const names = await readdir(dir).catch(() => [])
  const isFitting = (name: string) => !name.startsWith('.') && new RegExp(`^${escaped}$`).test(name)
  return names
    .filter(isFitting)
    .sort()
    .map((name) => join(dir, name))
}

function* batches(pictures: readonly Named[]) {
  for (let start = 0; start < pictures.length; start += atOnce) yield pictures.slice(start, start + atOnce)
}

type Told = { name: string } & ({ answers: Answer[] } | { error: string })

/** Of each picture the answers, or why there are none. */
async function answersTo(
  net: Sequential,
  pictures: readonly Named[],
  top: number,
  signal: AbortSignal,
): Promise<Told[]> {
  const preparation = preparationFor(net.shapeOfImages(), net)
  const sources = pictures.map(({ source }) => source)
  const { images, broken } = await prepareReadable(sources, preparation, signal)
  const answers = images.data.length > 0 ? answersOf(await net.predict(images), net, top) : []
  let next = 0
  return pictures.map(({ name }, place) => {
    const error = broken.get(place)
    return error ? { name, error: error.message } : { name, answers: answers[next++] as Answer[] }
  })
}

function tell(name: string, told: { answers: Answer[] } | { error: string }, asJson: boolean): void {
  if (asJson) console.log(jsonLine({ picture: name, ...told }))
  else if ('error' in told) console.error(told.error)
  else
    console.log(
      `${name}: ${told.answers.map(({ label, probability }) => `${label} ${probability.toFixed(2)}`).join(', ')}`,
    )
}
