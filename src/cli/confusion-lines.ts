/** Which classes are taken for which, as a table for a terminal. */

import type { ClassMetrics } from '../training/metrics.js'

const mostShown = 20 // classes

/** Class by class, and which is taken for which; of many classes the worst alone. */
export function confusionLines(
  classes: readonly string[],
  { perClass, confusion }: { perClass: readonly ClassMetrics[]; confusion: readonly (readonly number[])[] },
): string[] {
  const width = Math.max(5, ...classes.map(({ length }) => length))
  const order = perClass.map((_, label) => label).filter((label) => (perClass[label] as ClassMetrics).support > 0)
  order.sort((a, b) => (perClass[a] as ClassMetrics).f1 - (perClass[b] as ClassMetrics).f1)
  const isWhole = classes.length <= mostShown
  const shown = isWhole ? perClass.map((_, label) => label) : order.slice(0, mostShown)
  const name = (label: number) => (classes[label] ?? String(label)).padEnd(width)
  const figures = shown.map((label) => {
    const { precision, recall, f1, support } = perClass[label] as ClassMetrics
    const parts = [precision, recall, f1].map((figure) => figure.toFixed(3).padStart(9))
    return `${name(label)}${parts.join('')}${String(support).padStart(9)}`
  })
  const head = `${''.padEnd(width)}${['precision', 'recall', 'f1', 'pictures'].map((word) => word.padStart(9)).join('')}`
  return [
    ...(isWhole ? [] : [`the ${mostShown} worst of ${classes.length} classes:`]),
    head,
    ...figures,
    ...(isWhole ? matrix() : []),
  ]

  function matrix(): string[] {
    const cell = Math.max(...confusion.flat().map((count) => String(count).length), 1) + 1
    const rows = confusion.map(
      (row, label) => `${name(label)} ${row.map((count) => String(count).padStart(cell)).join('')}`,
    )
    return ['', 'a row for each class, a column for what its pictures are taken for:', ...rows]
  }
}
