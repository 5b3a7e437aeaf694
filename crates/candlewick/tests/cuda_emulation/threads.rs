//! The threads of a block meet at barriers. Here blocks have several, which take turns from barrier to barrier, in one order and
//! in the other: where a barrier is missing, something is read too early or too late in one of the two.

use super::{dataset, engines, flat, gpu, lenet, networks, places, small_gpu};
use candle_core::{DType, Device, Tensor};
use candlewick::engine::cuda::CudaEngine;
use candlewick::engine::cuda::emulated::{Emulated, Fault, Turns};
use candlewick::engine::{Engine, Progress};
use candlewick::losses::{Loss, Targets};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use candlewick::{Code, Error};
use std::ffi::CString;
use std::path::Path;

const TURNS: [Turns; 2] = [Turns::Ascending, Turns::Descending];

type NewGpu = fn() -> Emulated;

const MEMORIES: [(&str, NewGpu); 2] = [("shared memory", gpu), ("global memory", small_gpu)];

/// Everything that an engine gives after a step, a training, an evaluation and a prediction, as bits.
fn everything(network: &Network, gpu: Emulated) -> Vec<u32> {
    let momentum: Optimizer = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN }.into();
    let clipped = Optimizer { clip_norm: Some(0.1), ..momentum.clone() };
    let (_, mut cuda) = engines(network, gpu);
    let [c, h, w] = network.input_shape;
    let dataset = dataset(23, network.input_shape, network.classes());
    let order: Vec<u32> = (0..23).map(|i| i * 5 % 23).collect();
    let images = Tensor::from_slice(&dataset.pixels()[..7 * c * h * w], (7, c, h, w), &Device::Cpu).unwrap();
    let labels: Vec<u32> = (0..7).map(|i| i % network.classes() as u32).collect();
    let mut metrics = vec![cuda.step(&images, Targets::Labels(&labels), &Loss::default(), &momentum).unwrap()];
    let mut values = flat(&cuda.gradients().unwrap());
    for optimizer in [&momentum, &clipped] {
        // Where a barrier is missing, even the loss may not be finite, which ends a training.
        let trained = cuda.train(&dataset, &order, 15, &Loss::default(), optimizer, &Progress::default());
        metrics.push(trained.unwrap_or(Metrics { loss: f64::NAN, ..Metrics::default() }));
    }
    metrics.push(cuda.evaluate(&dataset, &places(1..20), &Loss::default(), &Progress::default()).unwrap());
    values.extend(flat(&cuda.parameters().unwrap()));
    values.extend(flat(&[("logits".to_owned(), cuda.predict(&images).unwrap())]));
    values.extend(metrics.iter().flat_map(|m| [m.loss as f32, m.correct as f32]));
    values.into_iter().map(f32::to_bits).collect()
}

/// Whatever the number of threads, results are those of one thread, to the last bit.
fn hold(threads: usize, blocks_at_once: usize) {
    for (i, network) in networks().iter().chain([&lenet()]).enumerate() {
        for (memory, gpu) in MEMORIES {
            let expected = everything(network, gpu());
            assert!(expected.iter().all(|bits| f32::from_bits(*bits).is_finite()), "network {i} in {memory}");
            for turns in TURNS {
                let found = everything(network, gpu().with_threads(threads, blocks_at_once, turns));
                assert!(found == expected, "network {i} in {memory}, {turns:?}");
            }
        }
    }
}

#[test]
fn two_blocks_at_once_compute_what_one_after_the_other_does() {
    hold(1, 2);
}

/// `scripts/sanitize.sh` has ThreadSanitizer watch this one.
#[test]
fn seven_threads_compute_what_one_does() {
    hold(7, 3);
}

#[test]
fn thirty_two_threads_compute_what_one_does() {
    hold(32, 2);
}

/// A `BARRIER;` of the kernels' source.
#[derive(Debug)]
struct Barrier {
    file: String,
    line: usize,
    function: String,
    /// Among those of its function, from 1.
    ordinal: usize,
}

impl Barrier {
    fn name(&self) -> String {
        format!("barrier {} of {}", self.ordinal, self.function)
    }

    /// That it is not there, for one thread or for all.
    fn missing(&self, thread: Option<usize>) -> Fault {
        Fault { file: CString::new(self.file.as_str()).unwrap(), line: self.line, thread }
    }
}

fn barriers() -> Vec<Barrier> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(env!("CANDLEWICK_KERNELS"));
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let barriers: Vec<_> = files.iter().flat_map(|file| barriers_in(file)).collect();
    assert!(!barriers.is_empty());
    barriers
}

fn barriers_in(path: &Path) -> Vec<Barrier> {
    let file = path.file_name().unwrap().to_string_lossy();
    let (mut function, mut ordinal, mut barriers) = ("", 0, Vec::new());
    let source = std::fs::read_to_string(path).unwrap();
    for (i, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default().trim_start();
        if code.starts_with("KERNEL") || code.starts_with("DEVICE") {
            let head = code.split('(').next().unwrap_or_default();
            (function, ordinal) = (head.rsplit([' ', '*', '&']).next().unwrap_or_default(), 0);
        }
        if code.contains("BARRIER;") {
            ordinal += 1;
            barriers.push(Barrier { file: file.to_string(), line: i + 1, function: function.to_owned(), ordinal });
        }
    }
    barriers
}

/// Each is left out in turn. A new one that is not needed, or that no network of these comes to, is found here as well.
#[test]
fn a_missing_barrier_changes_a_result() {
    let networks = networks();
    let cases: Vec<_> = MEMORIES
        .iter()
        .flat_map(|(_, gpu)| networks.iter().map(move |network| (network, gpu, everything(network, gpu()))))
        .collect();
    let is_needless = |barrier: &Barrier| {
        cases.iter().all(|(network, gpu, expected)| {
            let without = |turns| gpu().with_threads(7, 2, turns).with_fault(barrier.missing(None));
            TURNS.into_iter().all(|turns| everything(network, without(turns)) == *expected)
        })
    };
    let needless: Vec<String> = barriers().iter().filter(|barrier| is_needless(barrier)).map(Barrier::name).collect();
    assert!(needless.is_empty(), "no result hangs on {needless:?}");
}

/// `scripts/sanitize.sh` has ThreadSanitizer watch this too, and expects it to find what is wrong.
#[test]
#[ignore = "passes, unless ThreadSanitizer watches it"]
fn a_missing_barrier_is_a_race() {
    let barrier = barriers().into_iter().find(|barrier| barrier.name() == "barrier 1 of forward").unwrap();
    everything(&networks()[1], gpu().with_threads(7, 2, Turns::Ascending).with_fault(barrier.missing(None)));
}

fn use_all_kernels(gpu: Emulated, network: &Network) -> Result<(), Error> {
    let mut cuda = CudaEngine::new(gpu, network.clone())?;
    let dataset = dataset(9, network.input_shape, network.classes());
    let (sgd, progress) = (Sgd::new(0.1)?.into(), Progress::default());
    cuda.train(&dataset, &[0, 1, 2], 3, &Loss::default(), &sgd, &progress)?;
    cuda.evaluate(&dataset, &places(0..9), &Loss::default(), &progress)?;
    let [c, h, w] = network.input_shape;
    cuda.predict(&Tensor::ones((1, c, h, w), DType::F32, &Device::Cpu)?).map(drop)
}

/// On a GPU, a block hangs of which one thread waits at another barrier than the rest.
#[test]
fn threads_that_part_are_noticed() {
    for barrier in barriers() {
        let error = networks().iter().find_map(|network| {
            let gpu = gpu().with_threads(3, 2, Turns::Ascending).with_fault(barrier.missing(Some(1)));
            use_all_kernels(gpu, network).err()
        });
        let Error { code, message, .. } = error.unwrap_or_else(|| panic!("{barrier:?}"));
        assert_eq!(code, Code::DeviceLost);
        let place = format!("{}:{}", barrier.file, barrier.line);
        assert!(message.contains(&format!("thread 0 waits at {place} and thread 1 at ")), "{barrier:?}: {message}");
    }
}
