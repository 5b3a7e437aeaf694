/** An epoch's figures by name, whichever there are. */

import { CandlewickError } from '../../errors.js'
import type { Epoch } from '../fit.js'

/** The names of an epoch's figures. */
export type Figure = { [K in keyof Epoch]-?: Epoch[K] extends number | undefined ? K : never }[keyof Epoch]

export function figuresOf(epoch: Epoch): [name: string, value: number][] {
  return Object.entries(epoch).filter((figure): figure is [string, number] => typeof figure[1] === 'number')
}

export function figureOf(epoch: Epoch, name: string): number {
  const figures = new Map(figuresOf(epoch))
  const value = figures.get(name)
  if (value !== undefined) return value
  const message = `Expected a figure that epochs have for monitor, but received "${name}"; they have ${[...figures.keys()].join(', ')}.`
  const images = name.startsWith('val') ? 'validation' : name.startsWith('test') ? 'test' : undefined
  const advice = images === undefined ? '' : ` Those of ${images} images come with the option ${images} of fit.`
  throw new CandlewickError('INVALID_ARGUMENT', message + advice)
}
