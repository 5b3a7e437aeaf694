/** What is evaluated after each epoch, and what it is called among the epoch's figures. */

import { performance } from 'node:perf_hooks'
import type { Dataset } from '../data/dataset.js'
import type { Evaluation } from './evaluate.js'
import type { Epoch } from './fit.js'

type Figures = Pick<Epoch, 'valLoss' | 'valAcc' | 'valMetrics' | 'testLoss' | 'testAcc' | 'testMetrics' | 'evalSeconds'>

/** Evaluates those of the two that there are, one after the other. */
export async function evaluateAfterEpoch(
  validation: Dataset | undefined,
  test: Dataset | undefined,
  evaluate: (images: Dataset) => Promise<Evaluation>,
): Promise<Figures> {
  if (!validation && !test) return {}
  const start = performance.now()
  const validated = validation && ofValidation(await evaluate(validation))
  const tested = test && ofTest(await evaluate(test))
  return { ...validated, ...tested, evalSeconds: (performance.now() - start) / 1000 }
}

function ofValidation({ loss, accuracy, metrics }: Evaluation): Figures {
  return { valLoss: loss, ...(accuracy !== undefined && { valAcc: accuracy }), ...(metrics && { valMetrics: metrics }) }
}

function ofTest({ loss, accuracy, metrics }: Evaluation): Figures {
  return {
    testLoss: loss,
    ...(accuracy !== undefined && { testAcc: accuracy }),
    ...(metrics && { testMetrics: metrics }),
  }
}
