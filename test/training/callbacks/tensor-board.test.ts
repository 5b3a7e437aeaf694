import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import test from 'ava'
import { type Callback, conv2d, dense, type Epoch, Sequential, tensorBoard } from 'candlewick'
import { png } from '#dist/png.js'
import { crc32c } from '#dist/training/callbacks/tensorboard/crc32c.js'
import { filterSheet } from '#dist/training/callbacks/tensorboard/filters.js'
import * as protobuf from '#dist/training/callbacks/tensorboard/protobuf.js'
import { temporaryFolder } from '../../idx-folder.js'
import { linear, stripes, train } from '../stripes.js'
import { told } from './run.js'

async function convolving(): Promise<Sequential> {
  const net = new Sequential([conv2d({ channels: 4, kernelSize: 3 }), dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', seed: 1 })
  return net
}

/** A checksum as its definition has it: bit by bit, a remainder of polynomials. */
function remainder(bytes: Uint8Array): number {
  let rest = 0xffffffffn
  for (const byte of bytes) {
    rest ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) rest = rest & 1n ? (rest >> 1n) ^ 0x82f63b78n : rest >> 1n
  }
  return Number(rest ^ 0xffffffffn)
}

/** The records of a file, whose checksums must be right. */
function recordsOf(file: Buffer): Buffer[] {
  const records: Buffer[] = []
  const unmasked = (at: number) => {
    const turned = (file.readUInt32LE(at) - 0xa282ead8) >>> 0
    return ((turned << 15) | (turned >>> 17)) >>> 0
  }
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at))
    const data = file.subarray(at + 12, at + 12 + length)
    if (unmasked(at + 8) !== remainder(file.subarray(at, at + 8))) throw new Error(`length at ${at}`)
    if (unmasked(at + 12 + length) !== remainder(data)) throw new Error(`data at ${at}`)
    records.push(data)
    at += 16 + length
  }
  return records
}

/** A message's fields by their numbers. */
function fieldsOf(message: Buffer): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>()
  let at = 0
  const varint = () => {
    let [value, shift] = [0n, 0n]
    for (;;) {
      const byte = message[at++] as number
      value |= BigInt(byte & 127) << shift
      shift += 7n
      if (byte < 128) return Number(value)
    }
  }
  while (at < message.length) {
    const key = varint()
    const past = (length: number) => {
      at += length
      return at - length
    }
    const read = {
      0: varint,
      1: () => message.readDoubleLE(past(8)),
      2: () => {
        const length = varint()
        return message.subarray(past(length)).subarray(0, length)
      },
      5: () => message.readFloatLE(past(4)),
    }[key % 8]
    if (!read) throw new Error(`wire type ${key % 8}`)
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), read()])
  }
  return fields
}

const field = (message: unknown, ...path: number[]): unknown => {
  return path.reduce((inner, number) => fieldsOf(inner as Buffer).get(number)?.[0], message)
}

const textOf = (value: unknown) => (value as Buffer).toString()

async function onlyFile(folder: string): Promise<string> {
  const [name = '', ...others] = await readdir(folder)
  if (others.length > 0) throw new Error(others.join())
  return join(folder, name)
}

test('checksums are those that are known, and those of the definition', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.is(crc32c(new Uint8Array(0)), 0)
  // RFC 3720, B.4
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  t.is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
  const bytes = Uint8Array.from({ length: 999 }, (_, i) => (i * i) % 251)
  t.is(crc32c(bytes), remainder(bytes))
})

test('fields are encoded as protobuf has it', (t) => {
  // From protobuf's own guide to its encoding.
  t.deepEqual([...protobuf.varint(1, 150)], [0x08, 0x96, 0x01])
  t.deepEqual([...protobuf.text(2, 'testing')], [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67])
  t.deepEqual([...protobuf.message(3, protobuf.varint(1, 150))], [0x1a, 0x03, 0x08, 0x96, 0x01])
  t.deepEqual([...protobuf.varint(1, 0)], [0x08, 0])
  t.deepEqual([...protobuf.varint(1, 127)], [0x08, 127])
  t.deepEqual([...protobuf.varint(1, 128)], [0x08, 128, 1])
  t.is(field(protobuf.varint(16, 2 ** 40), 16), 2 ** 40)
  t.is(field(protobuf.double(1, Math.PI), 1), Math.PI)
  t.is(field(protobuf.float(2, 0.5), 2), 0.5)
})

test('a file has a version, the layers, the filters, and the figures of each epoch', async (t) => {
  const folder = join(await temporaryFolder(t), 'runs', 'first')
  const seconds = Date.now() / 1000
  const net = await convolving()
  const all = await train(net, { epochs: 2, callbacks: [tensorBoard(folder)], test: await stripes(20) })
  const [version, begin, ...others] = recordsOf(await readFile(await onlyFile(folder)))
  const [first, second, end] = others
  t.is(others.length, 3)
  t.is(textOf(field(version, 3)), 'brain.Event:2')
  t.true(Math.abs((field(version, 1) as number) - seconds) < 60)
  t.is(field(begin, 2), 0)
  const [text, filters] = fieldsOf(field(begin, 5) as Buffer).get(1) ?? []
  t.is(textOf(field(text, 1)), 'network')
  t.is(textOf(field(text, 9, 1, 1)), 'text')
  t.regex(
    textOf(field(text, 8, 8)),
    /^\| layer \(type\) .*\n(.*\n)\| conv0 \(conv2d\) \| \(1, 4, 4, 4\) \| 40 \| 0 \| 576 \|\n/,
  )
  t.is(textOf(field(filters, 1)), 'conv0.weight')
  // Two tiles by two, each with a border: 2 · (3 + 1) + 1 squares of 8.
  t.deepEqual([field(filters, 4, 1), field(filters, 4, 2), field(filters, 4, 3)], [72, 72, 3])
  for (const [event, epoch] of [
    [first, all[0]],
    [second, all[1]],
  ] as const) {
    t.is(field(event, 2), epoch?.epoch)
    const values = fieldsOf(field(event, 5) as Buffer).get(1) ?? []
    const scalars = Object.fromEntries(values.map((value) => [textOf(field(value, 1)), field(value, 2)]))
    t.deepEqual(scalars, scalarsOf(epoch as Epoch))
  }
  t.is(field(end, 2), 2)
  const sheets = [filters, field(end, 5, 1)].map((value) => field(value, 4, 4) as Buffer)
  t.notDeepEqual(sheets[0], sheets[1], 'the filters have changed')
  const { 'conv0.weight': weights } = await net.parameters()
  t.deepEqual(sheets[1], png(filterSheet(weights as never)))
})

/** As float32 has them. */
function scalarsOf(epoch: Epoch): Record<string, number> {
  const { loss, trainAcc = 0, testLoss = 0, testAcc = 0, learningRate, trainSeconds, evalSeconds = 0 } = epoch
  const figures = {
    'loss/train': loss,
    'accuracy/train': trainAcc,
    'loss/test': testLoss,
    'accuracy/test': testAcc,
    'epoch/learningRate': learningRate,
    'seconds/train': trainSeconds,
    'seconds/eval': evalSeconds,
  }
  return Object.fromEntries(Object.entries(figures).map(([tag, value]) => [tag, Math.fround(value)]))
}

test('files are called as TensorFlow calls them, and nobody writes to another', async (t) => {
  const folder = await temporaryFolder(t)
  const writers = [tensorBoard(folder), tensorBoard(folder), tensorBoard(folder)]
  const net = await linear()
  await Promise.all(writers.map((writer) => told(writer, [{}, {}], { net })))
  await told(writers[0] as Callback, [{}], { net })
  const names = await readdir(folder)
  t.is(names.length, 4)
  for (const name of names) {
    t.regex(name, /^events\.out\.tfevents\.\d{10}\..+\.candlewick\.\d+\.\d{6,}$/)
    t.true(name.includes(`.${hostname()}.`))
    t.true([4, 5].includes(recordsOf(await readFile(join(folder, name))).length))
  }
})

test('the names of files, by which TensorBoard orders them, are in the order in which they were begun', async (t) => {
  const folder = await temporaryFolder(t)
  const net = await linear()
  for (let loss = 0; loss < 12; loss++) await told(tensorBoard(folder), [{ loss }], { net })
  const names = (await readdir(folder)).sort()
  const events = await Promise.all(names.map(async (name) => recordsOf(await readFile(join(folder, name)))))
  const losses = events.map(([_version, _begin, epoch]) => field(epoch, 5, 1, 2))
  t.deepEqual(
    losses,
    Array.from({ length: 12 }, (_, i) => i),
  )
})

test('a network without a convolution has no filters, and each epoch is there when it is yielded', async (t) => {
  const folder = await temporaryFolder(t)
  const counts: number[] = []
  const count = async () => void counts.push(recordsOf(await readFile(await onlyFile(folder))).length)
  await train(await linear(), {
    epochs: 2,
    callbacks: [tensorBoard(folder), { onBegin: count, onEpoch: count }],
    onEnd: count,
  })
  t.deepEqual(counts, [2, 3, 4, 5])
  const events = recordsOf(await readFile(await onlyFile(folder)))
  t.deepEqual(
    [...fieldsOf(field(events[1], 5) as Buffer).values()].map((values) => values.length),
    [1],
  )
})

test('a training that is resumed writes another file, which says where it begins again', async (t) => {
  const folder = await temporaryFolder(t)
  const net = await convolving()
  const { state } = await told(tensorBoard(folder), [{ loss: 3 }, { loss: 2 }], { net })
  const before = await readdir(folder)
  const writer = tensorBoard(folder)
  await told(writer, [{ loss: 1 }], { net, state })
  const [name = ''] = (await readdir(folder)).filter((name) => !before.includes(name))
  const [, restart, epoch] = recordsOf(await readFile(join(folder, name)))
  t.deepEqual([field(restart, 2), field(restart, 7, 1)], [3, 1])
  t.is(field(epoch, 2), 3)
  t.throws(() => writer.restore?.({ x: 1 }), { code: 'CHECKPOINT_INVALID', message: /tensorBoard/ })
})

test('a folder that cannot be made ends the training before its first epoch', async (t) => {
  const path = join(await temporaryFolder(t), 'file')
  await writeFile(path, '')
  const options = { callbacks: [tensorBoard(path)], onEpoch: () => t.fail() }
  await t.throwsAsync(train(await linear(), options), {
    code: 'SAVE_FAILED',
    message: /^Cannot write the log .*EEXIST/,
  })
  t.throws(() => tensorBoard(''), { code: 'INVALID_ARGUMENT', message: /dir/ })
})

/** The pixels of a PNG as ours are: eight bits, red, green and blue, rows that are not filtered. */
function pixelsOf(file: Buffer): { width: number; height: number; at: (x: number, y: number) => number[] } {
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)]
  const length = file.readUInt32BE(33)
  const rows = inflateSync(file.subarray(41, 41 + length))
  return {
    width,
    height,
    at: (x, y) => [...rows.subarray(y * (1 + 3 * width) + 1 + 3 * x, y * (1 + 3 * width) + 4 + 3 * x)],
  }
}

test('the sheet of filters goes from black to white, a tile for each', (t) => {
  const gray = pixelsOf(png(filterSheet({ shape: [3, 1, 1, 2], data: Float32Array.of(-1, 3, 1, 0, Number.NaN, 3) })))
  // Two tiles by two of 1x2, one of them empty.
  t.deepEqual([gray.width, gray.height], [(2 * 3 + 1) * 8, (2 * 2 + 1) * 8])
  const square = (x: number, y: number) => gray.at(x * 8 + 7, y * 8)
  const even = (value: number) => [value, value, value]
  t.deepEqual([square(1, 1), square(2, 1), square(4, 1), square(5, 1)], [0, 255, 128, 64].map(even))
  t.deepEqual([square(1, 3), square(2, 3)], [0, 255].map(even))
  t.deepEqual([square(0, 0), square(3, 1), square(4, 3)], [128, 128, 128].map(even), 'between them it is gray')
})

test('a PNG is one by its first and last bytes', (t) => {
  const file = png({ width: 1, height: 1, channels: 3, pixels: Uint8Array.of(1, 2, 3) }).toString('hex')
  // The signature and a header of eight bits of red, green and blue; the end, with the checksum that it has in every file.
  t.true(file.startsWith('89504e470d0a1a0a' + '0000000d49484452' + '0000000100000001' + '0802000000' + '907753de'))
  t.true(file.endsWith('0000000049454e44ae426082'))
})

test('filters of three channels are in colour, of others a tile each', (t) => {
  const colour = pixelsOf(png(filterSheet({ shape: [1, 3, 1, 1], data: Float32Array.of(1, 0, 2) })))
  t.deepEqual(colour.at(8, 8), [128, 0, 255])
  t.deepEqual([colour.width, colour.height], [24, 24])
  const many = filterSheet({ shape: [3, 2, 1, 1], data: Float32Array.of(0, 1, 2, 3, 4, 5) })
  t.deepEqual([many.width, many.height], [(2 * 2 + 1) * 8, (3 * 2 + 1) * 8])
  const most = filterSheet({ shape: [512, 512, 1, 1], data: new Float32Array(512 * 512) })
  t.deepEqual([most.width, most.height], [(256 * 2 + 1) * 8, 24])
  t.deepEqual(pixelsOf(png(most)).at(8, 8), [128, 128, 128], 'all alike')
})

/** The Python that has TensorBoard, where it can be had. */
function tensorBoardPython(): string | undefined {
  try {
    return execFileSync('scripts/tensorboard.sh', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

test('TensorBoard itself reads all of it', async (t) => {
  t.timeout(300_000)
  const python = tensorBoardPython()
  if (python === undefined || !existsSync(python)) {
    t.log('skipped: TensorBoard could not be had by scripts/tensorboard.sh')
    t.not(process.env.REQUIRE, '1', 'REQUIRE=1 asks for it')
    t.pass()
    return
  }
  const folder = await temporaryFolder(t)
  const net = await convolving()
  const { state } = await told(tensorBoard(folder), [{ loss: 3 }, { loss: 2 }], { net })
  await told(tensorBoard(folder), [{ loss: 9 }, { loss: 1, trainAcc: 0.5 }, { loss: Number.NaN }], { net, state })
  const reader = join('test', 'training', 'callbacks', 'read_events.py')
  const found = JSON.parse(
    execFileSync(python, [reader, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  )
  t.is(found.version, 2)
  t.deepEqual(found.scalars['loss/train'], [
    [1, 3],
    [2, 2],
    [3, 9],
    [4, 1],
    [5, 'NaN'],
  ])
  t.deepEqual(found.scalars['accuracy/train'], [[4, 0.5]])
  t.deepEqual(found.scalars['epoch/learningRate'].at(-1), [5, Math.fround(0.1)])
  t.deepEqual(found.plugins, { network: 'text' })
  t.regex(found.texts.network[0][1], /conv0 \(conv2d\)/)
  const { 'conv0.weight': weights } = await net.parameters()
  const sheet = png(filterSheet(weights as never)).toString('base64')
  t.deepEqual(found.images, {
    'conv0.weight': [
      [0, 72, 72, sheet],
      [2, 72, 72, sheet],
      [5, 72, 72, sheet],
    ],
  })
  const files = Object.values(found.files) as [number, number, string, number[]][]
  t.deepEqual(
    files.map(([count, , writer, restarts]) => [count, writer, restarts]),
    [
      [5, 'candlewick', []],
      [6, 'candlewick', [1]],
    ],
  )
})

test('TensorBoard forgets the epochs after a checkpoint', async (t) => {
  t.timeout(300_000)
  const python = tensorBoardPython()
  if (python === undefined) return t.pass()
  const folder = await temporaryFolder(t)
  const net = await linear()
  const checkpoint = await told(tensorBoard(folder), [{ loss: 3 }], { net })
  await new Promise((resolve) => setTimeout(resolve, 1100)) // files are read in the order of their names
  const lost = await told(tensorBoard(folder), [{ loss: 2 }, { loss: 1.5 }], { net, state: checkpoint.state })
  t.is(lost.epochs, 2)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await told(tensorBoard(folder), [{ loss: 4 }], { net, state: checkpoint.state })
  const reader = join('test', 'training', 'callbacks', 'read_events.py')
  const found = JSON.parse(
    execFileSync(python, [reader, folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  )
  t.deepEqual(found.scalars['loss/train'], [
    [1, 3],
    [2, 4],
  ])
})
