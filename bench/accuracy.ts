import { evaluate, fashionMnist, fit, formatEpoch, type Images, modernLeNet, modernLeNetRecipe } from '#dist/index.js'
import type { Peak } from './peak.js'
import { median, printTable, seconds } from './table.js'

const seeds = [1, 2, 3, 4, 5]

interface Run {
  accuracy: number
  /** Of the class of the highest mean probability, of an image as it is and mirrored. */
  mirrored: number
  /** Seconds of training. */
  time: number
}

/** Trains modernLeNet by its recipe once for each seed, and then looks at the test images, alone and with their mirror images. */
export async function benchAccuracy({ multiplyAddsPerSecond }: Peak): Promise<void> {
  const { train, test } = await fashionMnist()
  const threads = multiplyAddsPerSecond.length
  const [images, labels] = [test.images(), test.labels()]
  const both = [images, mirrored(images)]
  const runs: Run[] = []
  for (const seed of seeds) {
    const net = modernLeNet()
    await net.initialize({ inputShape: train.imageShape, seed, threads })
    let time = 0
    for await (const epoch of fit(net, train, modernLeNetRecipe())) {
      time += epoch.trainSeconds
      console.log(`seed ${seed}, ${formatEpoch(epoch)}`)
    }
    const { accuracy } = await evaluate(net, test)
    const answers = await Promise.all(both.map((way) => net.predict(way)))
    const found = meanLabels(
      answers.map(({ probabilities }) => probabilities),
      labels.length,
    )
    runs.push({ accuracy, mirrored: found.filter((label, i) => label === labels[i]).length / labels.length, time })
    await net.dispose()
  }
  const row = (name: string, { accuracy, mirrored, time }: Run) => [
    name,
    accuracy.toFixed(4),
    mirrored.toFixed(4),
    seconds(time),
  ]
  const middle = (of: (run: Run) => number) => median(runs.map(of))
  const medians = {
    accuracy: middle((run) => run.accuracy),
    mirrored: middle((run) => run.mirrored),
    time: middle((run) => run.time),
  }
  printTable(
    `modernLeNet on Fashion-MNIST, by its recipe, ${threads} threads`,
    ['seed', 'test accuracy', 'with mirror images', 'training'],
    [...runs.map((run, i) => row(`${seeds[i]}`, run)), row('median', medians)],
  )
}

/** The images, left for right. */
function mirrored({ data, shape }: Images): Images {
  const [, , , width = data.length] = shape
  const turned = data.slice()
  for (let row = 0; row < data.length; row += width) turned.subarray(row, row + width).reverse()
  return { data: turned, shape }
}

/** The class of the highest mean, image by image. */
function meanLabels(answers: readonly Float32Array[], images: number): number[] {
  return Array.from({ length: images }, (_, image) => {
    const of = answers.map((all) => all.subarray((image * all.length) / images, ((image + 1) * all.length) / images))
    const sums = Array.from(of[0] ?? [], (_, k) => of.reduce((sum, one) => sum + (one[k] ?? 0), 0))
    return sums.indexOf(Math.max(...sums))
  })
}
