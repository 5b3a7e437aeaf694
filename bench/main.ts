/**
 * `npm run bench`: how fast training and prediction are on this machine, as Markdown tables.
 *
 *   npm run bench                         all sections
 *   npm run bench -- training prediction  those
 *   npm run bench -- --peers              the same training in other frameworks, in turn (bench/peers/setup.sh first)
 */

import { parseArgs } from 'node:util'
import { benchKernels } from './kernels.js'
import { measurePeak, type Peak } from './peak.js'
import { benchPeers } from './peers.js'
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
])

function parse(): { chosen: string[]; peers: boolean } {
  const { values, positionals } = parseArgs({ options: { peers: { type: 'boolean' } }, allowPositionals: true })
  const unknown = positionals.find((name) => !sections.has(name))
  if (unknown !== undefined) {
    throw new Error(
      `There is no section "${unknown}"; expected some of ${[...sections.keys()].join(', ')}, or --peers.`,
    )
  }
  return { chosen: positionals.length > 0 ? positionals : [...sections.keys()], peers: values.peers ?? false }
}

try {
  const { chosen, peers } = parse()
  if (peers) {
    await benchPeers()
  } else {
    const peak = measurePeak()
    for (const name of chosen) await sections.get(name)?.(peak)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
