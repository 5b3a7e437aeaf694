import { unexpected } from '../../expect.js'
import type { Callback } from '../callbacks.js'
import type { Epoch } from '../fit.js'
import { type Figure, figuresOf } from './figures.js'
import { readNumber, readState, writeNumber } from './state.js'

/** The figures of all epochs, an array for each figure. */
export type History = Callback & { readonly [F in keyof Pick<Epoch, Figure>]: number[] }

type Figures = Record<string, number[]>

/**
 * Gathers figures: `h.epoch`, `h.loss`, `h.testAcc`, ... are arrays with a number for each epoch, NaN for an epoch that does not have
 * the figure. It begins anew with each `fit`.
 */
export function history(): History {
  const gathered: Record<string, unknown> = {}
  let figures: Figures = {}
  const begin = (kept: Figures = {}) => {
    for (const name of Object.keys(figures)) delete gathered[name]
    figures = { epoch: [], loss: [], learningRate: [], trainSeconds: [], ...kept }
    Object.assign(gathered, figures)
  }
  const callback: Callback = {
    onBegin({ isResumed }) {
      if (!isResumed) begin()
    },
    onEpoch(epoch) {
      const count = figures.epoch?.length ?? 0
      for (const [name, value] of figuresOf(epoch)) {
        figures[name] ??= new Array<number>(count).fill(Number.NaN)
        figures[name].push(value)
      }
      for (const values of Object.values(figures)) if (values.length === count) values.push(Number.NaN)
      Object.assign(gathered, figures)
    },
    state() {
      const written = Object.entries(figures).map(([name, values]) => [name, values.map(writeNumber)])
      return { figures: Object.fromEntries(written) }
    },
    restore(state) {
      begin(readState<{ figures: Figures }>('history', state, { figures: readFigures }).figures)
    },
  }
  begin()
  return Object.assign(gathered, callback) as unknown as History
}

function readFigures(value: unknown): Figures {
  if (typeof value !== 'object' || value === null) throw unexpected('figures', 'an object of figures', value)
  return Object.fromEntries(Object.entries(value).map(([name, values]) => [name, readValues(name, values)]))
}

function readValues(name: string, values: unknown): number[] {
  if (Array.isArray(values)) return values.map((one) => readNumber(name, one))
  throw unexpected(name, 'an array of numbers', values)
}
