import { callAddon, type PictureFolder, scanPictures } from '../addon.js'
import { jsonLine } from '../json.js'
import { picturesWork } from '../pictures/work.js'
import { progressBar } from '../progress-bar.js'
import { command } from './command.js'
import { UsageError } from './options.js'
import { json } from './shared-options.js'

/** As the addon tells it: pictures are named by their split and their number there. */
interface Survey {
  widths: [number, number, number] | null
  heights: [number, number, number] | null
  grey: number
  broken: [split: number, number: number, reason: string][]
  same: [split: number, number: number][][]
}

const few = 20 // pictures of a class
const shownGroups = 10

export const dataCommand = command({
  argument: 'DIR',
  help: 'look at a folder of pictures: counts, sizes, broken files, the same picture twice',
  options: { json },
  async run(options, [dir], signal) {
    if (dir === undefined) throw new UsageError('Expected a folder of pictures, as in: candlewick data photos.')
    const folder = await picturesWork((progress) => scanPictures(dir, undefined, progress), { signal })
    const { splits, classes } = folder
    const counts = splits.map((_, split) => callAddon(() => folder.counts(split)))
    const total = counts.flat().reduce((sum, count) => sum + count, 0)
    const bar = progressBar(`looking at ${dir}`, process.stderr)
    const survey: Survey = JSON.parse(
      await picturesWork((progress) => folder.survey(progress), {
        signal,
        total,
        onProgress: ({ pictures }) => bar.update(pictures, total),
      }).finally(() => bar.stop()),
    )
    const found = { dir, classes, ...described(folder, counts, survey) }
    if (options.json) console.log(jsonLine(found))
    else for (const line of linesOf(found, total)) console.log(line)
  },
})

function described(folder: PictureFolder, counts: number[][], survey: Survey) {
  const pathOf = (split: number, number: number) => callAddon(() => folder.path(split, number))
  const { widths, heights, grey } = survey
  return {
    counts: Object.fromEntries(folder.splits.map((split, i) => [split, counts[i] as number[]])),
    widths,
    heights,
    grey,
    broken: survey.broken.map(([split, number, reason]) => ({ path: pathOf(split, number), reason })),
    same: survey.same.map((group) => group.map(([split, number]) => pathOf(split, number))),
    loose: folder.loose,
    unread: folder.unread,
  }
}

type Found = ReturnType<typeof described> & { dir: string; classes: string[] }

function linesOf(found: Found, total: number): string[] {
  const { dir, classes, counts, widths, heights, grey, broken, same, loose, unread } = found
  const range = (sizes: readonly number[]) => `${sizes[0]} to ${sizes[2]}, ${sizes[1]} in the middle`
  const sizes = widths && heights ? [`widths ${range(widths)}; heights ${range(heights)}; ${grey} grey`] : []
  return [
    `${dir}: ${total} pictures of ${classes.length} classes`,
    ...Object.entries(counts).map(([split, own]) => `${split}: ${own.map((n, i) => `${classes[i]} ${n}`).join(', ')}`),
    ...sizes,
    ...fewLines(counts.train ?? [], classes),
    ...(loose > 0 ? [`${loose} pictures stand beside the folders, and belong to no class`] : []),
    ...(unread.length > 0 ? [`${unread.join(', ')} are of formats that are not read`] : []),
    ...broken.map(({ path, reason }) => `broken: ${path}: ${reason}`),
    ...same.slice(0, shownGroups).map((group) => `the same picture: ${group.join(', ')}`),
    ...(same.length > shownGroups ? [`and ${same.length - shownGroups} more that are the same`] : []),
  ]
}

function fewLines(counts: readonly number[], classes: readonly string[]): string[] {
  const lacking = classes.filter((_, label) => (counts[label] as number) < few)
  return lacking.length > 0 ? [`fewer than ${few} pictures to train on: ${lacking.join(', ')}`] : []
}
