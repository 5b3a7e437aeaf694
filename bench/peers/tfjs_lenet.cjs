// tfjs in plain Node, on its pure JavaScript backend (that for WebAssembly cannot train convolutions). An epoch would take half
// an hour: it trains on 512 images and reports what 60,000 would take.
const tf = require('@tensorflow/tfjs')
const zlib = require('node:zlib'),
  fs = require('node:fs')
const [backend, limit] = ['cpu', 512]
const dir = process.env.FASHION_MNIST_DIR ?? '/usr/share/datasets/fashion-mnist'
const gz = (f) => zlib.gunzipSync(fs.readFileSync(`${dir}/${f}`))
;(async () => {
  await tf.setBackend(backend)
  await tf.ready()
  const n = limit,
    img = gz('train-images-idx3-ubyte.gz').subarray(16, 16 + n * 784),
    lab = gz('train-labels-idx1-ubyte.gz').subarray(8, 8 + n)
  const x = tf.tensor4d(
      Float32Array.from(img, (v) => v / 255),
      [n, 28, 28, 1],
    ),
    y = tf.oneHot(tf.tensor1d(Int32Array.from(lab), 'int32'), 10)
  const L = tf.layers,
    s = { activation: 'sigmoid', kernelInitializer: 'glorotUniform' }
  const net = tf.sequential({
    layers: [
      L.conv2d({ filters: 6, kernelSize: 5, inputShape: [28, 28, 1], ...s }),
      L.maxPooling2d({ poolSize: 2, strides: 2 }),
      L.conv2d({ filters: 16, kernelSize: 5, ...s }),
      L.maxPooling2d({ poolSize: 2, strides: 2 }),
      L.flatten(),
      L.dense({ units: 120, ...s }),
      L.dense({ units: 84, ...s }),
      L.dense({ units: 10, activation: 'softmax' }),
    ],
  })
  net.compile({ optimizer: tf.train.sgd(0.9), loss: 'categoricalCrossentropy', metrics: ['accuracy'] })
  await net.fit(x.slice([0, 0, 0, 0], [256, 28, 28, 1]), y.slice([0, 0], [256, 10]), {
    epochs: 1,
    batchSize: 256,
    verbose: 0,
  })
  const t = performance.now()
  await net.fit(x, y, { epochs: 1, batchSize: 256, verbose: 0 })
  const s1 = (performance.now() - t) / 1000
  console.log(
    JSON.stringify({
      peer: `tfjs-${backend}`,
      version: tf.version.tfjs,
      train_seconds: (60000 / n) * s1,
    }),
  )
})().catch((e) => {
  console.error(e)
  process.exitCode = 1
})
