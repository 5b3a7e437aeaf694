/**
 * `npm run bench`: how fast training and prediction are on this machine, and how well modernLeNet learns, as Markdown tables.
 *
 *   npm run bench                         all sections but accuracy
 *   npm run bench -- training prediction  those
 *   npm run bench -- accuracy             modernLeNet trained by its recipe, five times
 *   npm run bench -- --peers              the same training in other frameworks, in turn (bench/peers/setup.sh first)
 *   npm run bench -- --pictures           pictures from files, beside PyTorch's DataLoader and sharp (bench/peers/setup.sh pytorch sharp)
 */

import { parseArgs } from 'node:util'
import { benchAccuracy } from './accuracy.js'
import { benchKernels } from './kernels.js'
import { measurePeak, type Peak } from './peak.js'
import { benchPeers } from './peers.js'
import { benchPictures } from './pictures.js'
import { benchPrediction } from './prediction.js'
import { benchStart } from './start.js'
import { benchBatchSizes, benchThreads, benchTraining } from './training.js'

const sections = new Map<string, (peak: Peak) => Promise<void>>([
  ['training', benchTraining],
  ['threads', benchThreads],
  ['batch-sizes', benchBatchSizes],
  ['prediction', benchPrediction],
  ['start', benchStart],
  ['kernels', benchKernels],
  ['accuracy', benchAccuracy],
])

/** The sections of a run that names none. */
const timed = [...sections.keys()].filter((name) => name !== 'accuracy')

class UsageError extends Error {}

function parseOptions() {
  try {
    const options = { peers: { type: 'boolean' }, pictures: { type: 'boolean' }, count: { type: 'string' } } as const
    return parseArgs({ options, allowPositionals: true })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function parse(): { chosen: string[]; peers: boolean; pictures: number | undefined } {
  const { values, positionals } = parseOptions()
  const unknown = positionals.find((name) => !sections.has(name))
  if (unknown !== undefined) {
    throw new Error(
      `There is no section "${unknown}"; expected some of ${[...sections.keys()].join(', ')}, or --peers.`,
    )
  }
  if (values.peers && positionals.length > 0) throw new UsageError('--peers compares training; leave the sections out.')
  const pictures = values.pictures ? Number(values.count ?? 10_000) : undefined
  return { chosen: positionals.length > 0 ? positionals : timed, peers: values.peers ?? false, pictures }
}

try {
  const { chosen, peers, pictures } = parse()
  if (pictures !== undefined) {
    await benchPictures(pictures)
  } else if (peers) {
    await benchPeers()
  } else {
    const peak = measurePeak()
    for (const name of chosen) await sections.get(name)?.(peak)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
