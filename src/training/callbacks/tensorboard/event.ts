/** TensorFlow's events, which TensorBoard reads: messages of event.proto and summary.proto. */

import { Buffer } from 'node:buffer'
import { bytes, double, float, message, text, varint } from './protobuf.js'

/** The first of a file. */
export function versionEvent(seconds: number): Buffer {
  return Buffer.concat([double(1, seconds), text(3, 'brain.Event:2'), message(10, text(1, 'candlewick'))])
}

/** Says that a training begins again at `step`, so that what is there of later ones is forgotten. */
export function restartEvent(seconds: number, step: number): Buffer {
  const start = 1
  return Buffer.concat([double(1, seconds), varint(2, step), message(7, varint(1, start))])
}

/** What is to be seen of one step. */
export function summaryEvent(seconds: number, step: number, values: readonly Buffer[]): Buffer {
  return Buffer.concat([double(1, seconds), varint(2, step), message(5, ...values)])
}

/** A value of a summary: a number, with others of its tag a line. */
export function scalarValue(tag: string, value: number): Buffer {
  return message(1, text(1, tag), float(2, value))
}

/** A value of a summary: a PNG. */
export function imageValue(tag: string, image: { png: Uint8Array; width: number; height: number }): Buffer {
  const rgb = 3
  const encoded = message(4, varint(1, image.height), varint(2, image.width), varint(3, rgb), bytes(4, image.png))
  return message(1, text(1, tag), encoded)
}

/** A value of a summary: Markdown. */
export function textValue(tag: string, markdown: string): Buffer {
  const [ofStrings, length] = [7, 1]
  const tensor = message(8, varint(1, ofStrings), message(2, message(2, varint(1, length))), text(8, markdown))
  const metadata = message(9, message(1, text(1, 'text')))
  return message(1, text(1, tag), tensor, metadata)
}
