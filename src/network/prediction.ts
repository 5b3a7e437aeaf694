import type { Answers, Engine } from '../addon.js'
import type { CheckedImages } from '../data/images.js'
import { fed, fill } from '../feed.js'
import { allocate } from '../memory.js'

/** Answers to images. */
export interface Prediction {
  /** (n, classes), of `logits` and `probabilities`. */
  shape: [number, number]
  /** What the last layer gives, image after image. */
  logits: Float32Array
  /** Softmax of the logits. */
  probabilities: Float32Array
  /** The class with the largest logit of each image, the first of equals; NaN counts as the largest, as in PyTorch. */
  labels: Uint32Array
}

/** One job in the engine's line: no other call gets in between, however many images there are. */
export async function predict(engine: Engine, images: CheckedImages): Promise<Prediction> {
  const answers = await fed(images, (feed) => engine.predict(feed))
  try {
    return await read(images.shape[0], answers)
  } finally {
    answers.free()
  }
}

async function read(n: number, answers: Answers): Promise<Prediction> {
  const { classes } = answers
  const what = `the answers to ${n} images in ${classes} classes`
  const floats = () => allocate(what, Float32Array, n * classes)
  return {
    shape: [n, classes],
    logits: await fill(floats(), (start, into) => answers.logits(start, into)),
    probabilities: await fill(floats(), (start, into) => answers.probabilities(start, into)),
    labels: await fill(allocate(what, Uint32Array, n), (start, into) => answers.labels(start, into)),
  }
}
