/** What an evaluation counts on request, beside loss and accuracy. */

import { callAddon, Tally } from '../addon.js'
import { type Checks, expectBoolean, expectInteger, expectSettings, reading, unexpected } from '../expect.js'
import type { LossForEngine } from './losses.js'

/** What is to be counted; nothing that is left out. */
export interface MetricsOptions {
  /** For each of these, the share of images whose class is among so many that the network takes them for first. */
  topK?: readonly number[]
  /** How well each class is found, and the means over the classes. */
  perClass?: boolean
  /** Which class is taken for which. */
  confusion?: boolean
}

/** How well a class is found. */
export interface ClassMetrics {
  /** Of the images that are taken for it, the share that are of it; 0 where none is. */
  precision: number
  /** Of its images, the share that are taken for it; 0 where there is none. */
  recall: number
  /** The harmonic mean of both. */
  f1: number
  /** Its images. */
  support: number
}

/** What was counted, of what was asked for. Plain JSON. */
export interface Metrics {
  /** By k: `topK[5]` is the share of images whose class is among the first five. */
  topK?: Record<number, number>
  /** By class. */
  perClass?: ClassMetrics[]
  /** With `perClass`: the mean over the classes, each of the same weight, but for those that have neither an image nor an answer. */
  macro?: Omit<ClassMetrics, 'support'>
  /** `confusion[2][6]` is how many images of class 2 are taken for class 6. */
  confusion?: number[][]
}

type If<Asked, Found> = Asked extends true | readonly number[] ? Found : unknown

/** What is there for certain after these options. */
export type MetricsOf<O extends MetricsOptions> = Metrics &
  If<O['topK'], Required<Pick<Metrics, 'topK'>>> &
  If<O['perClass'], Required<Pick<Metrics, 'perClass' | 'macro'>>> &
  If<O['confusion'], Required<Pick<Metrics, 'confusion'>>>

const mostClasses = 2 ** 24

const checks: Checks<Required<MetricsOptions>> = {
  topK: (value = []) => checkTopK(value),
  perClass: (value = false) => expectBoolean('metrics.perClass', value),
  confusion: (value = false) => expectBoolean('metrics.confusion', value),
}

/** That there are as many classes, Rust knows. */
function checkTopK(value: unknown): readonly number[] {
  const ks = reading('metrics.topK', () => (Array.isArray(value) ? Array.from(value as unknown[]) : undefined))
  if (!ks) throw unexpected('metrics.topK', 'an array of integers, such as [3, 5],', value)
  return ks.map((k, i) => expectInteger(`metrics.topK[${i}]`, k, 1, mostClasses))
}

/** What the addon is told to count, as JSON; undefined for nothing. */
export function checkMetrics(given: unknown, loss: LossForEngine): string | undefined {
  if (given === undefined) return undefined
  const settings = expectSettings<MetricsOptions>('metrics', given, checks)
  if (loss.takes === 'labels') return JSON.stringify(settings)
  throw unexpected('loss', 'softmaxCrossEntropy(), as metrics count images by their class,', JSON.parse(loss.settings))
}

/** Counts of an evaluation that is to begin. */
export function tallyOf(asked: string): Tally {
  return callAddon(() => new Tally(asked))
}

export function metricsOf(tally: Tally): Metrics {
  return JSON.parse(callAddon(() => tally.report()))
}
