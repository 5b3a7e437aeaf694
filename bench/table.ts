/** Prints a Markdown table; columns after the first are numbers, to the right. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, i) => Math.max(name.length, 3, ...rows.map((row) => (row[i] ?? '').length)))
  const pad = (text: string, i: number) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))
  const line = (cells: readonly string[]) => `| ${head.map((_, i) => pad(cells[i] ?? '', i)).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  console.log(['', title, '', line(head), line(rule), ...rows.map(line)].join('\n'))
}

/** Three digits and a unit that suits: `257 ms`, `1.47 s`, `27.1 s`. */
export function seconds(value: number): string {
  const units = [
    ['s', 1],
    ['ms', 1e-3],
    ['µs', 1e-6],
  ] as const
  const [unit, size] = units.find(([, size]) => value >= size) ?? units[2]
  const scaled = value / size
  return `${scaled >= 1000 ? Math.round(scaled) : scaled.toPrecision(3)} ${unit}`
}

export function percent(share: number): string {
  return `${Math.round(100 * share)}%`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
