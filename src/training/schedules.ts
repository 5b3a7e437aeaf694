/**
 * Schedules: learning rates that change from step to step, as values for an optimiser's `learningRate`. Steps are counted from 0.
 *
 * They are not called `step` and `cosine` alone, as {@link step} makes a step, and a decay is what the two are.
 */

import { CandlewickError, messageOf } from '../errors.js'
import {
  type Checks,
  expectBoolean,
  expectFloat32,
  expectInteger,
  expectSettings,
  expectShare,
  readOnce,
  unexpected,
} from '../expect.js'
import type { Rates } from './rates.js'

/** What a step's learning rate is: always the same, a schedule's, or what a function makes of the step, counted from 0. */
export type LearningRate = number | Schedule | ((step: number) => number)

/** A schedule, from its function or made by hand. */
export type Schedule = StepDecay | CosineDecay | LinearWarmup | OneCycle

export interface StepDecayOptions {
  /** That of the first steps; at least 0. */
  learningRate: number
  /** Steps from one change to the next, at least 1. */
  every: number
  /** What the rate is then multiplied by; 0.1 by default, as in PyTorch. */
  factor?: number
}

export interface StepDecay extends Readonly<Required<StepDecayOptions>> {
  readonly kind: 'stepDecay'
}

/** PyTorch's StepLR: learningRate · factor ^ ⌊step / every⌋. */
export function stepDecay(options: StepDecayOptions): StepDecay {
  return { kind: 'stepDecay', ...expectSettings('stepDecay', options, stepDecaySettings) }
}

const stepDecaySettings: Checks<StepDecayOptions> = {
  learningRate: (value) => expectFloat32('learningRate', value, 0),
  every: (value) => expectInteger('every', value, 1),
  factor: (value = 0.1) => expectFloat32('factor', value, 0),
}

export interface CosineDecayOptions {
  /** That of the first step; at least 0. */
  learningRate: number
  /** That after the last; 0 by default. */
  finalLearningRate?: number
  /** In how many steps, at least 1; by default, up to the end of the `fit`. */
  steps?: number | undefined
}

export interface CosineDecay extends Readonly<Required<CosineDecayOptions>> {
  readonly kind: 'cosineDecay'
}

/**
 * PyTorch's CosineAnnealingLR, half a wave down:
 * finalLearningRate + (learningRate - finalLearningRate) · (1 + cos(π · step / steps)) / 2, which stays where it ends.
 */
export function cosineDecay(options: CosineDecayOptions): CosineDecay {
  return { kind: 'cosineDecay', ...expectSettings('cosineDecay', options, cosineDecaySettings) }
}

const cosineDecaySettings: Checks<CosineDecayOptions> = {
  learningRate: (value) => expectFloat32('learningRate', value, 0),
  finalLearningRate: (value = 0) => expectFloat32('finalLearningRate', value, 0),
  steps: expectTotal,
}

export interface LinearWarmupOptions {
  /** Those of the warm-up, at least 1. */
  steps: number
  /** What it leads to: a rate, or a schedule whose steps are counted from the end of the warm-up. */
  learningRate: LearningRate
  /** What share of the rate the first step has, 0 to 1; a third by default, as in PyTorch. */
  startFactor?: number
}

export interface LinearWarmup extends Readonly<Required<LinearWarmupOptions>> {
  readonly kind: 'linearWarmup'
}

/**
 * PyTorch's LinearLR, and after it what `learningRate` says: a share of its first rate that grows with each of `steps`,
 * startFactor + (1 - startFactor) · step / steps.
 */
export function linearWarmup(options: LinearWarmupOptions): LinearWarmup {
  return { kind: 'linearWarmup', ...expectSettings('linearWarmup', options, linearWarmupSettings) }
}

const linearWarmupSettings: Checks<LinearWarmupOptions> = {
  steps: (value) => expectInteger('steps', value, 1),
  learningRate: checkLearningRate,
  startFactor: (value = 1 / 3) => expectShare('startFactor', value),
}

export interface OneCycleOptions {
  /** The greatest rate; at least 0. */
  maxLearningRate: number
  /** Those of the whole cycle, at least 1; by default, up to the end of the `fit`. */
  steps?: number | undefined
  /** The share of them in which the rate grows, 0 to 1; 0.3 by default. */
  pctStart?: number
  /** Along half a wave, `'cos'`, the default, or a line. */
  anneal?: 'cos' | 'linear'
  /** The first rate is maxLearningRate / divFactor; 25 by default. */
  divFactor?: number
  /** The last rate is the first / finalDivFactor; 10,000 by default. */
  finalDivFactor?: number
  /** Whether momentum, or Adam's beta1, goes the other way, from maxMomentum to baseMomentum and back; true by default. */
  cycleMomentum?: boolean
  /** 0.85 by default. */
  baseMomentum?: number
  /** 0.95 by default. */
  maxMomentum?: number
}

export interface OneCycle extends Readonly<Required<OneCycleOptions>> {
  readonly kind: 'oneCycle'
}

/** PyTorch's OneCycleLR (Smith and Topin, 2018): the rate grows to its greatest and then falls to next to nothing. */
export function oneCycle(options: OneCycleOptions): OneCycle {
  return { kind: 'oneCycle', ...expectSettings('oneCycle', options, oneCycleSettings) }
}

const oneCycleSettings: Checks<OneCycleOptions> = {
  maxLearningRate: (value) => expectFloat32('maxLearningRate', value, 0),
  steps: expectTotal,
  pctStart: (value = 0.3) => expectShare('pctStart', value),
  anneal: (value = 'cos') => expectAnneal(value),
  divFactor: (value = 25) => expectDivisor('divFactor', value),
  finalDivFactor: (value = 1e4) => expectDivisor('finalDivFactor', value),
  cycleMomentum: (value = true) => expectBoolean('cycleMomentum', value),
  baseMomentum: (value = 0.85) => expectFloat32('baseMomentum', value, 0, 1),
  maxMomentum: (value = 0.95) => expectFloat32('maxMomentum', value, 0, 1),
}

function expectTotal(value: unknown): number | undefined {
  return value === undefined ? undefined : expectInteger('steps', value, 1)
}

function expectDivisor(name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY) return value
  throw unexpected(name, 'a finite number above 0', value)
}

function expectAnneal(value: unknown): 'cos' | 'linear' {
  if (value === 'cos' || value === 'linear') return value
  throw unexpected('anneal', "'cos' or 'linear'", value)
}

/** The numbers of one step. */
interface Rate {
  readonly learningRate: number
  /** SGD's momentum, or Adam's beta1, in place of the optimiser's own. */
  readonly momentum?: number
}

type At = (step: number) => Rate

/** What checks a schedule of each kind, and what makes its rates, given the steps up to the end of a fit. */
const schedules: {
  readonly [K in Schedule['kind']]: {
    readonly settings: Readonly<Record<string, (value: unknown) => unknown>>
    readonly start: (schedule: Extract<Schedule, { kind: K }>, total: number | undefined) => At
  }
} = {
  stepDecay: { settings: stepDecaySettings, start: startStepDecay },
  cosineDecay: { settings: cosineDecaySettings, start: startCosineDecay },
  linearWarmup: { settings: linearWarmupSettings, start: startLinearWarmup },
  oneCycle: { settings: oneCycleSettings, start: startOneCycle },
}

function startStepDecay({ learningRate, every, factor }: StepDecay): At {
  return (step) => ({ learningRate: learningRate * factor ** Math.floor(step / every) })
}

function startCosineDecay({ learningRate, finalLearningRate, steps }: CosineDecay, total: number | undefined): At {
  const end = requireTotal('cosineDecay', steps ?? total)
  return (step) => ({ learningRate: alongWave(learningRate, finalLearningRate, Math.min(step, end) / end) })
}

function startLinearWarmup({ steps, learningRate, startFactor }: LinearWarmup, total: number | undefined): At {
  const after = start(learningRate, total === undefined ? undefined : Math.max(total - steps, 1))
  return (step) => {
    if (step >= steps) return after(step - steps)
    const first = after(0)
    return { ...first, learningRate: first.learningRate * (startFactor + ((1 - startFactor) * step) / steps) }
  }
}

/** The arithmetic is that of torch.optim.lr_scheduler.OneCycleLR, which ends its first phase between two steps. */
function startOneCycle(schedule: OneCycle, total: number | undefined): At {
  const { maxLearningRate, pctStart, anneal, divFactor, finalDivFactor, baseMomentum, maxMomentum } = schedule
  const steps = requireTotal('oneCycle', schedule.steps ?? total)
  const [peak, end] = [pctStart * steps - 1, steps - 1]
  const first = maxLearningRate / divFactor
  const between = anneal === 'cos' ? alongWave : alongLine
  const within = (step: number, from: number, to: number) => (to === from ? 1 : (step - from) / (to - from))
  return (step) => {
    if (step > end) throw isOver(steps, step)
    const grows = step <= peak
    const share = grows ? within(step, 0, peak) : within(step, peak, end)
    const learningRate = grows
      ? between(first, maxLearningRate, share)
      : between(maxLearningRate, first / finalDivFactor, share)
    if (!schedule.cycleMomentum) return { learningRate }
    const momentum = grows ? between(maxMomentum, baseMomentum, share) : between(baseMomentum, maxMomentum, share)
    return { learningRate, momentum }
  }
}

function alongWave(from: number, to: number, share: number): number {
  return to + ((from - to) / 2) * (Math.cos(Math.PI * share) + 1)
}

function alongLine(from: number, to: number, share: number): number {
  return (to - from) * share + from
}

function requireTotal(kind: string, steps: number | undefined): number {
  if (steps !== undefined) return steps
  const message = `Only fit knows how many steps there will be; give ${kind}({ steps }) here.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

function isOver(steps: number, step: number): CandlewickError {
  const message = `The schedule oneCycle ends after ${steps} steps, but the optimizer has made ${step}; make a new optimizer.`
  return new CandlewickError('INVALID_ARGUMENT', message)
}

/** A schedule's rates, given the steps up to the end of a fit. */
function start(learningRate: LearningRate, total: number | undefined): At {
  if (typeof learningRate === 'number') return () => ({ learningRate })
  if (typeof learningRate === 'function') return (step) => ({ learningRate: call(learningRate, step) })
  const { start } = schedules[learningRate.kind] as { start: (schedule: Schedule, total: number | undefined) => At }
  return start(learningRate, total)
}

/** A function's rate of a step. */
function call(learningRate: (step: number) => number, step: number): number {
  let rate: unknown
  try {
    rate = learningRate(step)
  } catch (cause) {
    const message = `The learning rate of step ${step} cannot be had: ${messageOf(cause)}.`
    throw new CandlewickError('INVALID_ARGUMENT', message, { cause })
  }
  if (typeof rate === 'number' && rate >= 0 && Number.isFinite(Math.fround(rate))) return rate
  throw unexpected(`the learning rate of step ${step}`, 'a finite number of at least 0', rate)
}

/** A learning rate that may be made by hand, checked and completed. */
function checkLearningRate(value: unknown): LearningRate {
  if (typeof value === 'function') return value as (step: number) => number
  if (typeof value !== 'object' || value === null) return expectFloat32('learningRate', value, 0)
  const { kind } = readOnce<{ kind: string }>('learningRate', value, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(schedules, kind)) {
    const expected = 'a number, a schedule, such as oneCycle({ maxLearningRate: 0.3 }), or a function of the step'
    throw unexpected('learningRate', expected, value)
  }
  const { settings } = schedules[kind as Schedule['kind']]
  return expectSettings('learningRate', value, { kind: () => kind, ...settings }) as unknown as Schedule
}

/** Whether steps have a momentum of the schedule's. */
function cyclesMomentum(learningRate: LearningRate): boolean {
  if (typeof learningRate !== 'object') return false
  if (learningRate.kind === 'linearWarmup') return cyclesMomentum(learningRate.learningRate)
  return learningRate.kind === 'oneCycle' && learningRate.cycleMomentum
}

/**
 * The rates of `count` steps after the first `made`, and the last of them. Functions of the user's are called for each.
 * @param total steps up to the end of the fit, where there is one
 */
function ratesOf(
  learningRate: LearningRate,
  { made, count, total }: { made: number; count: number; total?: number },
): { rates: Rates; last: number } {
  if (typeof learningRate === 'number') return { rates: {}, last: learningRate }
  const at = start(learningRate, total)
  const all = Array.from({ length: count }, (_, i) => at(made + i))
  const learningRates = Float64Array.from(all, (rate) => Math.max(rate.learningRate, 0)) // -1e-20 by rounding
  const rates: Rates = { learningRates }
  if (cyclesMomentum(learningRate)) rates.momenta = Float64Array.from(all, (rate) => rate.momentum as number)
  return { rates, last: learningRates.at(-1) ?? 0 }
}

/** For the optimisers and the loops; the default export, as src/index.ts passes on all names of this file. */
export default { check: checkLearningRate, cyclesMomentum, ratesOf }
