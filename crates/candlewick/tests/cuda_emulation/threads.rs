//! The threads of a block meet at barriers. Here blocks have several, which take turns from barrier to barrier, in one order and
//! in the other: where a barrier is missing, something is read too early or too late in one of the two.

use super::{dataset, engines, flat, gpu, lenet, networks, small_gpu};
use candle_core::{DType, Device, Tensor};
use candlewick::Code;
use candlewick::engine::cuda::emulated::{Emulated, Fault, Turns};
use candlewick::engine::{Engine, Progress};
use candlewick::network::Network;
use candlewick::optimizer::Sgd;
use std::ffi::CString;
use std::fmt;
use std::path::Path;

const TURNS: [Turns; 2] = [Turns::Ascending, Turns::Descending];

type NewGpu = fn() -> Emulated;

const MEMORIES: [(&str, NewGpu); 2] = [("shared memory", gpu), ("global memory", small_gpu)];

/// Barriers that no result hangs on, as the first in its function each.
///
/// `score` and `predict` load the next image over the last one's, which only the first operation reads, and after that one all
/// threads meet again. `update` has as many blocks as groups of parameters, so that no block comes to a second one.
const NEEDLESS: [&str; 3] = ["score", "predict", "update"];

/// Everything that an engine gives after a step, a training, an evaluation and a prediction, as bits.
fn everything(network: &Network, gpu: Emulated) -> Vec<u32> {
    let momentum = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01 };
    let (_, mut cuda) = engines(network, gpu);
    let [c, h, w] = network.input_shape;
    let dataset = dataset(23, network.input_shape, network.classes());
    let order: Vec<u32> = (0..23).map(|i| i * 5 % 23).collect();
    let images = Tensor::from_slice(&dataset.pixels()[..7 * c * h * w], (7, c, h, w), &Device::Cpu).unwrap();
    let labels: Vec<u32> = (0..7).map(|i| i % network.classes() as u32).collect();
    let mut metrics = vec![cuda.step(&images, &labels, &momentum).unwrap()];
    let mut values = flat(&cuda.gradients().unwrap());
    metrics.push(cuda.train(&dataset, &order, 9, &momentum, &Progress::default()).unwrap());
    metrics.push(cuda.evaluate(&dataset, 1..20, &Progress::default()).unwrap());
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
struct Barrier {
    file: String,
    line: usize,
    function: String,
    is_first: bool,
}

impl Barrier {
    /// That it is not there, for one thread or for all.
    fn missing(&self, thread: Option<usize>) -> Fault {
        Fault { file: CString::new(self.file.as_str()).unwrap(), line: self.line, thread }
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} in {}", self.file, self.line, self.function)
    }
}

fn barriers() -> Vec<Barrier> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(env!("CANDLEWICK_KERNELS"));
    let mut barriers: Vec<Barrier> = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let (file, source) =
            (entry.as_ref().unwrap().file_name(), std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let (file, mut function) = (file.into_string().unwrap(), String::new());
        for (i, line) in source.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if let Some((head, _)) =
                code.split_once('(').filter(|_| code.starts_with("KERNEL") || code.starts_with("DEVICE"))
            {
                function = head.rsplit([' ', '*', '&']).next().unwrap_or_default().to_owned();
            }
            if code.contains("BARRIER;") {
                let is_first = !barriers.iter().any(|other| other.file == file && other.function == function);
                barriers.push(Barrier { file: file.clone(), line: i + 1, function: function.clone(), is_first });
            }
        }
    }
    assert!(!barriers.is_empty());
    barriers
}

/// Each barrier is left out in turn, and something differs.
#[test]
fn a_missing_barrier_changes_a_result() {
    let networks = networks();
    let cases: Vec<_> = MEMORIES
        .iter()
        .flat_map(|(_, gpu)| networks.iter().map(move |network| (network, gpu, everything(network, gpu()))))
        .collect();
    for barrier in barriers() {
        let differs = cases.iter().any(|(network, gpu, expected)| {
            let found = |turns| everything(network, gpu().with_threads(7, 2, turns).with_fault(barrier.missing(None)));
            TURNS.into_iter().any(|turns| found(turns) != *expected)
        });
        let is_needless = barrier.is_first && NEEDLESS.contains(&barrier.function.as_str());
        assert_eq!(differs, !is_needless, "{barrier}");
    }
}

/// `scripts/sanitize.sh` has ThreadSanitizer watch this too, and expects it to find what is wrong.
#[test]
#[ignore = "passes, unless ThreadSanitizer watches it"]
fn a_missing_barrier_is_a_race() {
    let is_needed = |barrier: &Barrier| barrier.function == "forward" && barrier.is_first;
    let barrier = barriers().into_iter().find(is_needed).unwrap();
    everything(&networks()[1], gpu().with_threads(7, 2, Turns::Ascending).with_fault(barrier.missing(None)));
}

/// On a GPU, a block of which one thread waits at another barrier than the rest hangs.
#[test]
fn threads_that_part_are_noticed() {
    let network = &networks()[1];
    let dataset = dataset(9, network.input_shape, network.classes());
    let images = Tensor::ones((9, 1, 9, 9), DType::F32, &Device::Cpu).unwrap();
    for barrier in barriers() {
        let gpu = gpu().with_threads(3, 2, Turns::Ascending).with_fault(barrier.missing(Some(1)));
        let (_, mut cuda) = engines(network, gpu);
        let error = cuda
            .step(&images, &[0; 9], &Sgd::new(0.1).unwrap())
            .and_then(|_| cuda.evaluate(&dataset, 0..9, &Progress::default()))
            .and_then(|_| cuda.predict(&images))
            .unwrap_err();
        assert_eq!(error.code, Code::DeviceLost);
        let place = format!("{}:{}", barrier.file, barrier.line);
        assert!(error.message.contains("threads 0 and 1") && error.message.contains(&place), "{barrier}: {error}");
    }
}
