import type { EpochProgress } from '../training/fit.js'

const [secondsPerMinute, secondsPerHour] = [60, 3600]

/** What stands behind the bar of a training: `epoch 2, loss 0.4312, acc 0.851, 84,310/s, 1:05 left`. */
export function progressNote(progress: EpochProgress, epochs: number): string {
  const { epoch, images, total, loss, trainAcc, imagesPerSecond } = progress
  const left = ((epochs - epoch + 1) * total - images) / imagesPerSecond
  return [
    `epoch ${epoch}`,
    `loss ${loss.toFixed(4)}`,
    trainAcc !== undefined && `acc ${trainAcc.toFixed(3)}`,
    `${Math.round(imagesPerSecond).toLocaleString('en-US')}/s`,
    Number.isFinite(left) && `${clock(left)} left`,
  ]
    .filter(Boolean)
    .join(', ')
}

/** `0:07`, `12:34`, `1:02:03`. */
function clock(seconds: number): string {
  const rounded = Math.round(seconds)
  const two = (number: number) => String(number).padStart(2, '0')
  const [hours, rest] = [Math.floor(rounded / secondsPerHour), rounded % secondsPerHour]
  const [minutes, left] = [Math.floor(rest / secondsPerMinute), rest % secondsPerMinute]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(left)}` : `${minutes}:${two(left)}`
}
