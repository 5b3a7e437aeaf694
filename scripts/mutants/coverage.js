/** Which test files reach a piece of code, as V8 counts it, and how long each takes. */

import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { passes } from './copy.js'

/**
 * Runs each test file of a copy by itself; all must pass.
 * Returns { file, seconds, reaches(path, offset) } for each.
 */
export async function coverage(folder, files) {
  const tests = []
  for (const file of files) {
    const reports = join(folder, 'tmp', file)
    await mkdir(reports, { recursive: true })
    const seconds = (await secondsOf(folder, file, reports)) ?? (await secondsOf(folder, file, reports))
    if (!seconds) throw new Error(`${file} fails twice without any fault; mend it, or choose others with --tests.`)
    const ranges = await rangesIn(reports, join(folder, 'dist'))
    const reaches = (path, offset) => (ranges.get(path) ?? []).some((process) => countAt(process, offset) > 0)
    tests.push({ file, seconds, reaches })
  }
  return tests
}

/** How long the tests of a file take, if they pass. */
async function secondsOf(folder, file, reports) {
  const start = performance.now()
  const passed = await passes(folder, [file], 600, { NODE_V8_COVERAGE: reports })
  return passed ? (performance.now() - start) / 1000 : undefined
}

/** For each file in `dist`, the ranges that each process counted. */
async function rangesIn(reports, dist) {
  const ranges = new Map()
  for (const name of await readdir(reports)) {
    const { result } = JSON.parse(await readFile(join(reports, name), 'utf8'))
    for (const { url, functions } of result) {
      const path = url.startsWith('file:') ? fileURLToPath(url) : ''
      if (!path.startsWith(dist)) continue
      const counted = functions.flatMap((one) => one.ranges)
      ranges.set(path, [...(ranges.get(path) ?? []), counted])
    }
  }
  return ranges
}

/** How often what stands at `offset` ran: the innermost range knows. */
function countAt(ranges, offset) {
  let [innermost, count] = [Number.POSITIVE_INFINITY, 0]
  for (const { startOffset, endOffset, count: times } of ranges) {
    if (startOffset > offset || offset >= endOffset || endOffset - startOffset > innermost) continue
    innermost = endOffset - startOffset
    count = times
  }
  return count
}
