import { CandlewickError } from '../../errors.js'
import {
  expectOptions,
  type Keys,
  reading,
  readOnce,
  refuseUnknownKeys,
  type Unchecked,
  unexpected,
} from '../../expect.js'
import type { Activation } from '../activations.js'
import { activation } from './activation.js'
import { batchNorm } from './batch-norm.js'
import { conv2d } from './conv2d.js'
import { dense } from './dense.js'
import { dropout } from './dropout.js'
import { depthOf, type Layer, made } from './layer.js'
import { avgPool2d, maxPool2d } from './pools.js'
import { flatten, globalAvgPool2d } from './shapes.js'

/** Residual blocks in residual blocks; as JSON, the engine reads about twice as many. */
const deepest = 32

/** What makes a layer of each kind but residual ones, which hold layers themselves. */
const makers = new Map<unknown, (options: never) => Layer>([
  ['conv2d', conv2d],
  ['maxPool2d', maxPool2d],
  ['avgPool2d', avgPool2d],
  ['globalAvgPool2d', globalAvgPool2d],
  ['flatten', flatten],
  ['dense', dense],
  ['batchNorm', batchNorm],
  ['dropout', dropout],
  ['activation', activationOf],
])

function activationOf(options: unknown): Layer {
  const given = expectOptions<Pick<Layer, 'activation'>>('activation', options, { activation: true })
  return activation(given.activation as Activation)
}

const layerKeys: Keys<Layer> = {
  kind: true,
  channels: true,
  kernelSize: true,
  poolSize: true,
  strides: true,
  padding: true,
  groups: true,
  units: true,
  useBias: true,
  kernelInit: true,
  biasInit: true,
  momentum: true,
  epsilon: true,
  rate: true,
  trainable: true,
  body: true,
  shortcut: true,
  activation: true,
}

/** Copies of at least so many layers, which may not come from this folder's functions, checked as those check them. */
export function checkLayers(name: string, layers: unknown, least: 0 | 1, level = 0): readonly Layer[] {
  return reading(name, () => {
    if (Array.isArray(layers) && layers.length >= least) {
      return Array.from(layers, (layer, i) => check(`${name}[${i}]`, layer, level))
    }
    throw unexpected(name, least > 0 ? 'an array of at least one layer' : 'an array of layers', layers)
  })
}

function check(name: string, layer: unknown, level: number): Layer {
  if (depthOf(layer) !== undefined) return layer as Layer
  const { kind, ...options } = readOnce<Layer>(name, layer, layerKeys)
  const make = makers.get(kind)
  if (!make && kind !== 'residual') throw unexpected(name, 'a layer, such as dense({ units: 10 }),', layer)
  refuseUnknownKeys(name, layer, layerKeys)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  if (make) return naming(name, () => make(given as never))
  const ways = naming(name, () => expectOptions<Ways>('residual', given, { body: true, shortcut: true }))
  return block(name, ways, level + 1)
}

/** Puts a layer's name before what an error says. */
function naming<T>(name: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw error instanceof CandlewickError ? new CandlewickError(error.code, `${name}: ${error.message}`) : error
  }
}

type Ways = Pick<Layer, 'body' | 'shortcut'>

/** A residual block, `level` deep in others; its name is empty where it is made by itself. */
export function block(name: string, { body, shortcut = [] }: Unchecked<Ways>, level: number): Layer {
  requireDepth(name, level)
  const of = name === '' ? '' : `${name}.`
  const ways = [checkLayers(`${of}body`, body, 1, level), checkLayers(`${of}shortcut`, shortcut, 0, level)] as const
  const depth = ways.flat().reduce((most, layer) => Math.max(most, depthOf(layer) ?? 0), 0) + 1
  requireDepth(name, depth)
  return made({ kind: 'residual', body: ways[0], ...(ways[1].length > 0 ? { shortcut: ways[1] } : {}) }, depth)
}

function requireDepth(name: string, depth: number): void {
  if (depth <= deepest) return
  const where = name === '' ? 'The layers of residual' : name
  const message = `${where} make residual blocks more than ${deepest} deep in each other; nest them less deep.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}
