//! Each kernel on one thread, on tiles of sixteen images: useful multiply-adds a second, and what share that is of the peak
//! that was measured just before.
//!
//! ```sh
//! cargo bench -p candlewick --bench kernels             # all
//! cargo bench -p candlewick --bench kernels -- dense    # those with "dense" in their names
//! ```

mod fma_peak;

use candlewick::activations::Activation;
use candlewick::layers::windows::Windows;
use candlewick::layers::{Accumulators, LaneOperation, Left, Seen, activation, conv2d, dense, max_pool2d};
use candlewick::losses::{self, Objective, Targets};
use candlewick::optimizers::{Optimizer, Planes, Sgd};
use candlewick::simd::{InstructionSet, Kernel, LANES, Lane, Lanes};
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput};
use std::time::Duration;

fn main() -> candlewick::Result<()> {
    let set = InstructionSet::chosen()?;
    let peak = fma_peak::fma_peak(set, 1);
    println!("{}: at most {:.1} GMAC/s on one thread\n", set.name(), peak / 1e9);
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .with_measurement(ShareOfPeak { time: WallTime, format: Format { peak } })
        .without_plots()
        .configure_from_args();
    for shape in CONVOLUTIONS {
        convolution(set, &mut criterion, shape);
    }
    for shape in DENSE {
        dense_layer(set, &mut criterion, shape);
    }
    elementwise(set, &mut criterion);
    activations(set, &mut criterion);
    criterion.final_summary();
    Ok(())
}

/// Channels in and out, size of the input, size of the kernel, stride, padding: LeNet's; those of a network for 3x32x32
/// images; modernLeNet's; kernels of 1x1; and others.
const CONVOLUTIONS: [([usize; 2], usize, usize, usize, usize); 15] = [
    ([1, 6], 28, 5, 1, 0),
    ([6, 16], 12, 5, 1, 0),
    ([3, 32], 32, 3, 1, 1),
    ([32, 64], 16, 3, 1, 1),
    ([64, 128], 8, 3, 1, 1),
    ([16, 16], 28, 3, 1, 1),
    ([32, 32], 14, 3, 1, 1),
    ([64, 64], 7, 3, 1, 1),
    ([64, 64], 14, 1, 1, 0),
    ([32, 64], 16, 1, 1, 0),
    ([64, 128], 8, 1, 1, 0),
    ([128, 128], 4, 1, 1, 0),
    ([3, 32], 32, 7, 2, 3),
    ([32, 32], 14, 5, 1, 2),
    ([128, 128], 4, 3, 1, 1),
];

/// Inputs and units.
const DENSE: [[usize; 2]; 5] = [[256, 120], [120, 84], [84, 10], [2048, 256], [256, 10]];

fn convolution(
    set: InstructionSet,
    criterion: &mut Criterion<ShareOfPeak>,
    ([in_channels, out_channels], size, kernel, stride, padding): ([usize; 2], usize, usize, usize, usize),
) {
    let out = (size + 2 * padding - kernel) / stride + 1;
    let conv = conv2d::Placed {
        in_channels,
        out_channels,
        groups: 1,
        use_bias: true,
        input: [size; 2],
        output: [out; 2],
        kernel_size: [kernel; 2],
        strides: [stride; 2],
        padding: [padding; 2],
        padding_after: [padding; 2],
    };
    let name = format!("conv {kernel}x{kernel} /{stride} +{padding} {in_channels}-{out_channels} of {size}x{size}");
    let own = out_channels * (in_channels * kernel * kernel + 1);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((LANES * useful(&conv) * in_channels * out_channels) as u64));
    let mut tile = Tile::new(conv, [in_channels * size * size, own, out_channels * out * out]);
    for (name, pass) in [
        ("forward", Pass::Forward),
        ("gradient of the parameters", Pass::Leave),
        ("gradient of the input", Pass::InputGradient),
    ] {
        group.bench_function(name, |b| b.iter(|| set.run(LayerKernel { pass, tile: &mut tile })));
    }
    group.finish();
}

/// Pairs of a pixel of one channel and a tap that meet in an output: those with the padding are not counted.
fn useful(conv: &conv2d::Placed) -> usize {
    let along = |i: usize| {
        let at = |out: usize, tap: usize| (out * conv.strides[i] + tap).wrapping_sub(conv.padding[i]);
        let pairs = (0..conv.output[i]).flat_map(|out| (0..conv.kernel_size[i]).map(move |tap| at(out, tap)));
        pairs.filter(|pixel| *pixel < conv.input[i]).count()
    };
    along(0) * along(1)
}

#[derive(Clone, Copy)]
enum Pass {
    Forward,
    /// What is left of one tile.
    Leave,
    /// The gradient by the parameters, from what is left of all.
    Gradient,
    InputGradient,
    InPlace,
}

/// Tiles of a batch of 256.
const TILES: usize = 16;

/// A layer, and a tile on either side of it.
struct Tile<O> {
    operation: O,
    own: Vec<f32>,
    x: Vec<Lane<f32>>,
    y: Vec<Lane<f32>>,
    dx: Vec<Lane<f32>>,
    chunk: Vec<f32>,
    /// Of all tiles of a batch.
    records: Vec<Lane<f32>>,
    scratch: Vec<Lane<f32>>,
}

impl<O: LaneOperation> Tile<O> {
    fn new(operation: O, [input, own, output]: [usize; 3]) -> Self {
        let needs = operation.needs();
        let own = numbers(if needs.arranged > 0 { needs.arranged } else { own });
        let (x, y, chunk) = (lanes(input), lanes(output), numbers(needs.chunk));
        Self {
            x,
            dx: lanes(input),
            y,
            own,
            chunk,
            records: lanes(TILES * needs.record),
            scratch: lanes(needs.scratch),
            operation,
        }
    }
}

struct LayerKernel<'a, O> {
    pass: Pass,
    tile: &'a mut Tile<O>,
}

impl<O: LaneOperation> Kernel for LayerKernel<'_, O> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Tile { operation, own, x, y, dx, chunk, records, scratch } = self.tile;
        let record = operation.needs().record;
        match self.pass {
            Pass::Forward => operation.forward(l, own, x, y, scratch),
            Pass::Leave => {
                let into = Accumulators { chunk, record: &mut records[..record] };
                operation.leave(l, Seen { x, y, dy: y }, into, scratch);
            }
            Pass::Gradient => {
                for record in records.chunks_exact_mut(record) {
                    operation.leave(l, Seen { x, y, dy: y }, Accumulators { chunk, record }, scratch);
                }
                for piece in operation.pieces() {
                    let left = Left { chunks: std::iter::empty(), records: records.chunks_exact(record) };
                    operation.gradient(l, piece.clone(), left, &mut own[piece]);
                }
            }
            Pass::InputGradient => operation.input_gradient(l, own, Seen { x, y, dy: y }, dx, scratch),
            Pass::InPlace => operation.input_gradient_in_place(l, x, y, y),
        }
    }
}

fn dense_layer(set: InstructionSet, criterion: &mut Criterion<ShareOfPeak>, [inputs, units]: [usize; 2]) {
    let mut tile = Tile::new(dense::Placed { inputs, units, use_bias: true }, [inputs, (inputs + 1) * units, units]);
    let mut group = criterion.benchmark_group(format!("dense {inputs}-{units}"));
    for (name, pass, tiles) in [
        ("forward", Pass::Forward, 1),
        ("gradient of the parameters, 16 tiles", Pass::Gradient, TILES),
        ("gradient of the input", Pass::InputGradient, 1),
    ] {
        group.throughput(Throughput::Elements((LANES * tiles * inputs * units) as u64));
        group.bench_function(name, |b| b.iter(|| set.run(LayerKernel { pass, tile: &mut tile })));
    }
    group.finish();
}

/// Kernels that do little with each number: numbers a second.
fn elementwise(set: InstructionSet, criterion: &mut Criterion<ShareOfPeak>) {
    let windows =
        Windows { channels: 6, input: [24; 2], output: [12; 2], pool_size: [2; 2], strides: [2; 2], padding: [0; 2] };
    let (inputs, outputs) = (6 * 24 * 24, 6 * 12 * 12);
    let mut max_pool = Tile::new(max_pool2d::Placed { windows }, [inputs, 0, outputs]);
    let mut sigmoid = Tile::new(activation::Placed { function: Activation::Sigmoid }, [outputs, 0, outputs]);
    let mut group = criterion.benchmark_group("of LeNet");
    group.throughput(Throughput::Bytes((LANES * inputs) as u64));
    for (name, pass) in [("max pooling", Pass::Forward), ("gradient of max pooling", Pass::InPlace)] {
        group.bench_function(name, |b| b.iter(|| set.run(LayerKernel { pass, tile: &mut max_pool })));
    }
    group.throughput(Throughput::Bytes((LANES * outputs) as u64));
    for (name, pass) in [("sigmoid", Pass::Forward), ("gradient of sigmoid", Pass::InputGradient)] {
        group.bench_function(name, |b| b.iter(|| set.run(LayerKernel { pass, tile: &mut sigmoid })));
    }
    group.throughput(Throughput::Bytes((LANES * 10) as u64));
    let (z, mut dz) = (lanes(10), lanes(10));
    group.bench_function("softmax cross-entropy of 10 classes", |b| b.iter(|| set.run(Loss { z: &z, dz: &mut dz })));
    group.throughput(Throughput::Bytes(PARAMETERS as u64));
    let (mut w, g, mut v) = (numbers(PARAMETERS), numbers(PARAMETERS), numbers(PARAMETERS));
    group.bench_function("SGD with momentum", |b| b.iter(|| set.run(Momentum { w: &mut w, g: &g, v: &mut v })));
    group.finish();
}

/// Each function of a value, of numbers that lie where functions bend.
fn activations(set: InstructionSet, criterion: &mut Criterion<ShareOfPeak>) {
    let values = 6 * 12 * 12;
    let mut group = criterion.benchmark_group("activation");
    group.throughput(Throughput::Bytes((LANES * values) as u64));
    for &function in Activation::EXAMPLES {
        let mut tile = Tile::new(activation::Placed { function }, [values, 0, values]);
        for (i, x) in tile.x.iter_mut().enumerate() {
            *x = Lane::splat((i * 7 % 31) as f32 / 5.0 - 3.0);
        }
        for (what, pass) in [("", Pass::Forward), ("gradient of ", Pass::InputGradient)] {
            let name = format!("{what}{function:?}");
            group.bench_function(name, |b| b.iter(|| set.run(LayerKernel { pass, tile: &mut tile })));
        }
    }
    group.finish();
}

struct Loss<'a> {
    z: &'a [Lane<f32>],
    dz: &'a mut [Lane<f32>],
}

impl Kernel for Loss<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let loss = losses::Loss::default();
        let objective = Objective::new(&loss, Targets::Labels(&[3; LANES]), self.z.len());
        objective.unwrap().tile(l, self.z, 1.0, self.dz);
    }
}

/// LeNet's.
const PARAMETERS: usize = 44_426;

struct Momentum<'a> {
    w: &'a mut [f32],
    g: &'a [f32],
    v: &'a mut [f32],
}

impl Kernel for Momentum<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let Self { w, g, v } = self;
        let step = Optimizer::from(Sgd { learning_rate: 1e-9, momentum: 0.9, ..Sgd::PLAIN }).at(1, 0);
        let mut planes = Planes::default();
        planes[0] = v;
        l.run(
            #[inline(always)]
            || step.apply(true, 1.0, w, g, planes),
        );
    }
}

/// Small numbers of either sign, never denormal.
fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7 % 31) as f32 / 310.0 - 0.047).collect()
}

fn lanes(n: usize) -> Vec<Lane<f32>> {
    numbers(n).into_iter().map(Lane::splat).collect()
}

/// Time, and throughput against the peak.
struct ShareOfPeak {
    time: WallTime,
    format: Format,
}

impl Measurement for ShareOfPeak {
    type Intermediate = <WallTime as Measurement>::Intermediate;
    type Value = Duration;
    fn start(&self) -> Self::Intermediate {
        self.time.start()
    }
    fn end(&self, start: Self::Intermediate) -> Duration {
        self.time.end(start)
    }
    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        self.time.add(a, b)
    }
    fn zero(&self) -> Duration {
        self.time.zero()
    }
    fn to_f64(&self, value: &Duration) -> f64 {
        self.time.to_f64(value)
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        &self.format
    }
}

/// Elements are multiply-adds, bytes are plain numbers.
struct Format {
    peak: f64,
}

impl ValueFormatter for Format {
    fn scale_values(&self, typical: f64, values: &mut [f64]) -> &'static str {
        WallTime.formatter().scale_values(typical, values)
    }

    fn scale_throughputs(&self, _: f64, throughput: &Throughput, nanoseconds: &mut [f64]) -> &'static str {
        let (count, unit) = match *throughput {
            Throughput::Elements(macs) => (macs as f64, "GMAC/s"),
            Throughput::Bytes(numbers) => (numbers as f64, "G numbers/s"),
            _ => unreachable!("no other throughput is set above"),
        };
        nanoseconds.iter_mut().for_each(|ns| *ns = count / *ns);
        unit
    }

    fn format_throughput(&self, throughput: &Throughput, nanoseconds: f64) -> String {
        let mut value = [nanoseconds];
        let unit = self.scale_throughputs(nanoseconds, throughput, &mut value);
        match throughput {
            Throughput::Elements(_) => format!("{:.1} {unit} {:.0}%", value[0], 100e9 * value[0] / self.peak),
            _ => format!("{:.2} {unit}", value[0]),
        }
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "ns"
    }
}
