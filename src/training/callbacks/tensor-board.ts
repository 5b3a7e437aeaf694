import { Buffer } from 'node:buffer'
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import process from 'node:process'
import { codeOf } from '../../errors.js'
import { expectPath } from '../../expect.js'
import { markdownTable } from '../../network/summary.js'
import { png } from '../../png.js'
import type { Callback, Run } from '../callbacks.js'
import { figuresOf } from './figures.js'
import { failing } from './log-file.js'
import { readState } from './state.js'
import { imageValue, restartEvent, scalarValue, summaryEvent, textValue, versionEvent } from './tensorboard/event.js'
import { filterSheet } from './tensorboard/filters.js'
import { record } from './tensorboard/record.js'

/**
 * Writes what TensorBoard shows to a new file in the folder `dir`, which is made if need be: each epoch's figures; at the beginning the
 * network's layers; at the beginning and at the end the filters of its first convolution. A training that is resumed writes another
 * file, which has TensorBoard forget the epochs after the checkpoint.
 */
export function tensorBoard(dir: string): Callback {
  const folder = expectPath('dir', dir)
  let path: string | undefined
  const add = async (...events: readonly Buffer[]) => {
    if (path !== undefined) await addTo(path, events)
  }
  return {
    async onBegin(run) {
      path = undefined
      path = await newFile(folder)
      await add(versionEvent(now()))
      const step = run.history.length
      if (run.isResumed) await add(restartEvent(now(), step + 1))
      else await add(summaryEvent(now(), step, [textValue('network', layersOf(run)), ...(await filtersOf(run))]))
    },
    async onEpoch(epoch) {
      const scalars = figuresOf(epoch).filter(([name]) => name !== 'epoch')
      const values = scalars.map(([name, value]) => scalarValue(tagOf(name), value))
      await add(summaryEvent(now(), epoch.epoch, values))
    },
    async onEnd(run) {
      if (path !== undefined) await add(summaryEvent(now(), run.history.length, await filtersOf(run)))
    },
    state: () => ({}),
    restore(state) {
      readState('tensorBoard', state, {})
    },
  }
}

/** Figures of a kind go together: `loss/train`, `loss/test`, `accuracy/train`, `seconds/train`, `epoch/learningRate`. */
function tagOf(figure: string): string {
  const [, part = '', kind = ''] = /^(.*?)(loss|acc|seconds)$/i.exec(figure) ?? []
  const group = { loss: 'loss', acc: 'accuracy', seconds: 'seconds' }[kind.toLowerCase()] ?? 'epoch'
  return group === 'epoch' ? `epoch/${figure}` : `${group}/${part || 'train'}`
}

function layersOf({ net }: Run): string {
  return markdownTable(net.toJSON(), net.shapeOfImages())
}

/** The first convolution's, if there is one. */
async function filtersOf({ net }: Run): Promise<Buffer[]> {
  const weights = Object.entries(await net.parameters()).find(([, { shape }]) => shape.length === 4)
  if (!weights) return []
  const sheet = filterSheet(weights[1])
  return [imageValue(weights[0], { ...sheet, png: png(sheet) })]
}

function now(): number {
  return Date.now() / 1000
}

let files = 0

/** A file that no one else writes to, called as TensorFlow's are. TensorBoard reads files in the order of their names. */
async function newFile(folder: string): Promise<string> {
  await failing(folder, () => mkdir(folder, { recursive: true }))
  for (;;) {
    const seconds = Math.floor(now()).toString().padStart(10, '0')
    const count = (files++).toString().padStart(6, '0')
    const path = `${folder}/events.out.tfevents.${seconds}.${hostname()}.candlewick.${process.pid}.${count}`
    try {
      await writeFile(path, '', { flag: 'wx' })
      return path
    } catch (error) {
      // A worker thread counts by itself.
      if (codeOf(error) !== 'EEXIST') await failing(path, () => Promise.reject(error))
    }
  }
}

/** In one write, so that who ends meanwhile leaves whole records. */
async function addTo(path: string, events: readonly Buffer[]): Promise<void> {
  await failing(path, () => appendFile(path, Buffer.concat(events.map(record))))
}
