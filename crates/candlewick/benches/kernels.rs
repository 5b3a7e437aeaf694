//! Each kernel on one thread, on tiles of sixteen images: useful multiply-adds a second, and what share that is of the peak
//! that was measured just before.
//!
//! ```sh
//! cargo bench -p candlewick --bench kernels             # all
//! cargo bench -p candlewick --bench kernels -- dense    # those with "dense" in their names
//! ```

mod fma_peak;

use candlewick::layers::conv2d::{Conv2d, Gradients};
use candlewick::layers::dense::Record;
use candlewick::layers::windows::Windows;
use candlewick::layers::{activation, dense, max_pool2d};
use candlewick::losses::softmax_cross_entropy;
use candlewick::network::Activation;
use candlewick::optimizers::{Optimizer, Sgd};
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
    criterion.final_summary();
    Ok(())
}

/// Channels in and out, size of the input, size of the kernel, stride, padding: LeNet's; those of a network for 3x32x32
/// images; and others.
const CONVOLUTIONS: [([usize; 2], usize, usize, usize, usize); 9] = [
    ([1, 6], 28, 5, 1, 0),
    ([6, 16], 12, 5, 1, 0),
    ([3, 32], 32, 3, 1, 1),
    ([32, 64], 16, 3, 1, 1),
    ([64, 128], 8, 3, 1, 1),
    ([64, 64], 14, 1, 1, 0),
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
    let conv = Conv2d {
        in_channels,
        out_channels,
        input: [size; 2],
        output: [out; 2],
        kernel_size: [kernel; 2],
        strides: [stride; 2],
        padding: [padding; 2],
    };
    let name = format!("conv {kernel}x{kernel} /{stride} +{padding} {in_channels}-{out_channels} of {size}x{size}");
    let taps = in_channels * kernel * kernel;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((LANES * useful(&conv) * in_channels * out_channels) as u64));
    let mut data = ConvolutionData {
        x: lanes(in_channels * size * size),
        z: lanes(out_channels * out * out),
        w: numbers(out_channels * taps),
        b: numbers(out_channels),
        scratch: lanes(conv.scratch_len()),
    };
    for (pass, work) in [
        ("forward", Pass::Forward),
        ("gradient of the parameters", Pass::ParameterGradient),
        ("gradient of the input", Pass::InputGradient),
    ] {
        group.bench_function(pass, |b| b.iter(|| set.run(Convolution { conv: &conv, work, data: &mut data })));
    }
    group.finish();
}

/// Pairs of a pixel of one channel and a tap that meet in an output: those with the padding are not counted.
fn useful(conv: &Conv2d) -> usize {
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
    ParameterGradient,
    InputGradient,
}

struct ConvolutionData {
    x: Vec<Lane<f32>>,
    z: Vec<Lane<f32>>,
    w: Vec<f32>,
    b: Vec<f32>,
    scratch: Vec<Lane<f32>>,
}

struct Convolution<'a> {
    conv: &'a Conv2d,
    work: Pass,
    data: &'a mut ConvolutionData,
}

impl Kernel for Convolution<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let ConvolutionData { x, z, w, b, scratch } = self.data;
        match self.work {
            Pass::Forward => self.conv.forward(l, x, w, b, z, scratch),
            Pass::ParameterGradient => {
                self.conv.parameter_gradient(l, x, z, Gradients { weight: w, bias: b }, scratch);
            }
            Pass::InputGradient => self.conv.input_gradient(l, w, z, x),
        }
    }
}

/// Tiles of a batch of 256.
const RECORDS: usize = 16;

fn dense_layer(set: InstructionSet, criterion: &mut Criterion<ShareOfPeak>, [inputs, units]: [usize; 2]) {
    let layout = Record { inputs, units };
    let mut data = DenseData {
        layout,
        x: lanes(inputs),
        z: lanes(units),
        w: numbers(inputs * units),
        b: numbers(units),
        records: lanes(RECORDS * layout.lanes()),
    };
    let mut group = criterion.benchmark_group(format!("dense {inputs}-{units}"));
    for (pass, work, tiles) in [
        ("forward", Pass::Forward, 1),
        ("gradient of the parameters, 16 tiles", Pass::ParameterGradient, RECORDS),
        ("gradient of the input", Pass::InputGradient, 1),
    ] {
        group.throughput(Throughput::Elements((LANES * tiles * inputs * units) as u64));
        group.bench_function(pass, |b| b.iter(|| set.run(DenseLayer { work, data: &mut data })));
    }
    group.finish();
}

struct DenseData {
    layout: Record,
    x: Vec<Lane<f32>>,
    z: Vec<Lane<f32>>,
    w: Vec<f32>,
    b: Vec<f32>,
    records: Vec<Lane<f32>>,
}

struct DenseLayer<'a> {
    work: Pass,
    data: &'a mut DenseData,
}

impl Kernel for DenseLayer<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let DenseData { layout, x, z, w, b, records } = self.data;
        match self.work {
            Pass::Forward => dense::forward(l, x, w, b, z),
            Pass::ParameterGradient => {
                let len = layout.lanes();
                records.chunks_exact_mut(len).for_each(|record| layout.write(x, z, record));
                layout.weight_gradient(l, records.chunks_exact(len), 0..layout.units, w);
                layout.bias_gradient(l, records.chunks_exact(len), b);
            }
            Pass::InputGradient => dense::input_gradient(l, w, z, x),
        }
    }
}

/// Kernels that do little with each number: numbers a second.
fn elementwise(set: InstructionSet, criterion: &mut Criterion<ShareOfPeak>) {
    let windows = Windows { channels: 6, input: [24; 2], output: [12; 2], pool_size: [2; 2], strides: [2; 2] };
    let (inputs, outputs) = (6 * 24 * 24, 6 * 12 * 12);
    let mut group = criterion.benchmark_group("of LeNet");
    for (name, work, values) in [
        ("max pooling", Elementwise::MaxPool, LANES * inputs),
        ("gradient of max pooling", Elementwise::MaxPoolGradient, LANES * inputs),
        ("sigmoid", Elementwise::Sigmoid, LANES * outputs),
        ("gradient of sigmoid", Elementwise::SigmoidGradient, LANES * outputs),
        ("softmax cross-entropy of 10 classes", Elementwise::Loss, LANES * 10),
        ("SGD with momentum", Elementwise::Sgd, PARAMETERS),
    ] {
        let mut data = ElementwiseData {
            windows,
            large: [lanes(inputs), lanes(inputs)],
            small: [lanes(outputs), lanes(outputs)],
            numbers: std::array::from_fn(|_| numbers(PARAMETERS)),
        };
        group.throughput(Throughput::Bytes(values as u64));
        group.bench_function(name, |b| b.iter(|| set.run(ElementwiseKernel { work, data: &mut data })));
    }
    group.finish();
}

/// LeNet's.
const PARAMETERS: usize = 44_426;

#[derive(Clone, Copy)]
enum Elementwise {
    MaxPool,
    MaxPoolGradient,
    Sigmoid,
    SigmoidGradient,
    Loss,
    Sgd,
}

struct ElementwiseData {
    windows: Windows,
    large: [Vec<Lane<f32>>; 2],
    small: [Vec<Lane<f32>>; 2],
    numbers: [Vec<f32>; 3],
}

struct ElementwiseKernel<'a> {
    work: Elementwise,
    data: &'a mut ElementwiseData,
}

impl Kernel for ElementwiseKernel<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        let ElementwiseData { windows, large: [x, dx], small: [y, dy], numbers: [w, g, v] } = self.data;
        match self.work {
            Elementwise::MaxPool => max_pool2d::forward(l, windows, x, y),
            Elementwise::MaxPoolGradient => max_pool2d::backward_in_place(l, windows, x, y, dy),
            Elementwise::Sigmoid => activation::forward(l, Activation::Sigmoid, y, dy),
            Elementwise::SigmoidGradient => {
                let (y, dx) = (&y[..], &mut dx[..y.len()]);
                activation::backward(l, Activation::Sigmoid, y, dy, dx);
            }
            Elementwise::Loss => {
                softmax_cross_entropy(l, &x[..10], &[3; LANES], 1.0, &mut dx[..10]);
            }
            Elementwise::Sgd => l.run(
                #[inline(always)]
                || {
                    Optimizer::from(Sgd { learning_rate: 1e-9, momentum: 0.9, weight_decay: 0.0 }).at(1).apply(
                        w,
                        g,
                        [v],
                    )
                },
            ),
        }
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
