//! The CUDA engine's kernels, compiled for the host, against the lanes engine.
#![cfg(feature = "emulation")]

mod made_up;
mod places;

use candle_core::{Device, Tensor};
use candlewick::Code;
use candlewick::activations::Activation;
use candlewick::dataset::Dataset;
use candlewick::engine::cuda::CudaEngine;
use candlewick::engine::cuda::emulated::Emulated;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{AvgPool2d, BatchNorm, Conv2d, Dense, Layer, MaxPool2d, Residual};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use places::places;

#[path = "cuda_emulation/threads.rs"]
mod threads;

/// An H100's shared memory, with few enough multiprocessors that blocks take several images each.
fn gpu() -> Emulated {
    Emulated::new(227 << 10, 3)
}

/// So little shared memory that values go to global memory.
fn small_gpu() -> Emulated {
    Emulated::new(4 << 10, 2)
}

fn conv(
    channels: usize,
    kernel_size: [usize; 2],
    strides: [usize; 2],
    padding: [usize; 2],
    activation: impl Into<Option<Activation>>,
) -> Layer {
    Layer::Conv2d(Conv2d {
        strides,
        padding: padding.into(),
        activation: activation.into(),
        ..Conv2d::new(channels, kernel_size)
    })
}

fn dense(units: usize, activation: impl Into<Option<Activation>>) -> Layer {
    Layer::Dense(Dense { activation: activation.into(), ..Dense::new(units) })
}

/// The edges of the layers' own tables: one channel, kernels as large as the input, 1x1, strides within, at and beyond the
/// kernel, padding below, at and beyond it, sides that differ, remainders of four channels, windows apart, touching and
/// overlapping; and an activation before and after both pools. Normalisations first, last, next to each other, between the two ways of a
/// sum and where both begin, of more values than threads share. Then every kind of layer and every function, by their examples.
fn networks() -> Vec<Network> {
    use Activation::{Relu, Sigmoid, Tanh};
    let max = |pool_size, strides| Layer::MaxPool2d(MaxPool2d { strides, ..MaxPool2d::new(pool_size) });
    let mean = |pool_size, strides| Layer::AvgPool2d(AvgPool2d { strides, ..AvgPool2d::new(pool_size) });
    let norm = || Layer::BatchNorm(BatchNorm::default());
    let frozen = Layer::BatchNorm(BatchNorm { trainable: false, ..BatchNorm::default() });
    let same = |activation| conv(3, [3, 3], [1, 1], [1, 1], activation);
    let residual = |body, shortcut| Layer::Residual(Residual { body, shortcut });
    let crossing = residual(vec![same(Some(Tanh)), norm(), same(Some(Relu))], vec![norm()]);
    let nested = residual(vec![residual(vec![norm(), same(Some(Tanh))], Vec::new())], Vec::new());
    let table: Vec<([usize; 3], Vec<Layer>)> = vec![
        ([1, 1, 1], vec![conv(1, [1, 1], [1, 1], [0, 0], None), dense(2, None)]),
        ([1, 9, 9], vec![conv(6, [5, 5], [1, 1], [0, 0], Sigmoid), max([2, 2], [2, 2]), dense(3, None)]),
        ([6, 7, 7], vec![conv(5, [5, 5], [1, 1], [0, 0], Tanh), max([2, 2], [1, 1]), dense(4, None)]),
        ([2, 5, 5], vec![conv(3, [5, 5], [1, 1], [0, 0], Relu), dense(5, Relu), dense(3, None)]),
        ([3, 6, 5], vec![conv(4, [1, 1], [1, 1], [0, 0], Sigmoid), mean([2, 2], [1, 1]), dense(2, None)]),
        ([2, 8, 9], vec![conv(4, [3, 3], [2, 2], [1, 1], Relu), conv(9, [3, 2], [1, 2], [1, 0], Tanh), dense(3, None)]),
        (
            [2, 10, 11],
            vec![conv(3, [3, 3], [3, 3], [0, 0], None), conv(2, [2, 2], [1, 1], [3, 2], None), dense(2, None)],
        ),
        ([1, 9, 8], vec![max([3, 3], [2, 2]), conv(2, [2, 3], [5, 4], [1, 0], Sigmoid), dense(2, None)]),
        (
            [3, 6, 6],
            vec![mean([1, 3], [2, 1]), conv(8, [3, 3], [1, 1], [2, 2], Tanh), max([3, 2], [3, 2]), dense(7, None)],
        ),
        (
            [2, 7, 7],
            vec![max([2, 2], [3, 3]), conv(3, [7, 7], [1, 1], [3, 3], Relu), mean([2, 1], [1, 1]), dense(3, None)],
        ),
        ([1, 4, 4], vec![dense(40, Sigmoid), dense(21, Tanh), dense(10, None)]),
        (
            [2, 6, 6],
            vec![conv(3, [3, 3], [1, 1], [1, 1], Sigmoid), mean([3, 3], [2, 2]), conv(4, [2, 2], [1, 1], [0, 0], None)],
        ),
        (
            [2, 7, 7],
            vec![
                conv(3, [3, 3], [1, 1], [1, 1], None),
                norm(),
                crossing,
                max([2, 2], [2, 2]),
                frozen.clone(),
                dense(3, None),
            ],
        ),
        ([3, 4, 4], vec![norm(), norm()]),
        ([3, 4, 4], vec![norm(), nested, frozen, conv(2, [1, 1], [1, 1], [0, 0], Relu), norm()]),
    ];
    let examples = Layer::examples().into_iter().map(|layer| vec![layer, dense(3, None)]);
    let functions = Activation::EXAMPLES.iter().map(|f| vec![conv(3, [3, 3], [1, 1], [0, 0], *f), dense(3, None)]);
    let examples = examples.chain(functions).map(|layers| ([2, 6, 6], layers));
    table.into_iter().chain(examples).map(|(shape, layers)| Network::new(&layers, shape).unwrap()).collect()
}

fn lenet() -> Network {
    use Activation::Sigmoid;
    let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let [c1, c2] = [6, 16].map(|channels| conv(channels, [5, 5], [1, 1], [0, 0], Sigmoid));
    let layers = [c1, pool.clone(), c2, pool, dense(120, Sigmoid), dense(84, Sigmoid), dense(10, None)];
    Network::new(&layers, [1, 28, 28]).unwrap()
}

fn dataset(count: usize, shape: [usize; 3], classes: usize) -> Dataset {
    made_up::dataset(count, shape, |i| i * 7 % classes)
}

fn engines(network: &Network, gpu: Emulated) -> (LanesEngine, CudaEngine<Emulated>) {
    let parameters = Initializer::uniform(0.5).parameters(network, 7).unwrap();
    let mut lanes = LanesEngine::new(network.clone(), Some(2)).unwrap();
    let mut cuda = CudaEngine::new(gpu, network.clone()).unwrap();
    lanes.set_flat_parameters(parameters.clone()).unwrap();
    cuda.set_flat_parameters(parameters).unwrap();
    (lanes, cuda)
}

fn assert_near(what: &str, expected: &[(String, Tensor)], found: &[(String, Tensor)]) {
    for ((name, expected), (_, found)) in expected.iter().zip(found) {
        assert_eq!(expected.dims(), found.dims());
        let [expected, found] = [expected, found].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        // Of sums that cancel, as by a bias before a normalisation, the rounding is left.
        let scale = expected.iter().fold(1e-1f32, |most, x| most.max(x.abs()));
        for (a, b) in expected.iter().zip(&found) {
            // Of a bias before a normalisation the gradient cancels, and rounding is left.
            assert!((a - b).abs() <= 1e-4 * scale + 1e-5, "{what}, {name}: {b} is not {a}");
        }
    }
}

fn each(mut check: impl FnMut(&str, &Network, LanesEngine, CudaEngine<Emulated>)) {
    for (gpu, name) in [(gpu as fn() -> Emulated, "shared memory"), (small_gpu, "global memory")] {
        for (i, network) in networks().iter().enumerate() {
            let (lanes, cuda) = engines(network, gpu());
            check(&format!("network {i} in {name}"), network, lanes, cuda);
        }
    }
}

#[test]
fn a_step_has_the_gradients_of_the_lanes_engine() {
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN }.into();
    each(|what, network, mut lanes, mut cuda| {
        for (seed, batch) in [1usize, 15, 33].into_iter().enumerate() {
            let [c, h, w] = network.input_shape;
            let values: Vec<f32> =
                (0..batch * c * h * w).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0).collect();
            let images = Tensor::from_vec(values, (batch, c, h, w), &Device::Cpu).unwrap();
            let labels: Vec<u32> = (0..batch).map(|i| (i % network.classes()) as u32).collect();
            let expected = lanes.step(&images, Targets::Labels(&labels), &Loss::default(), &sgd).unwrap();
            let found = cuda.step(&images, Targets::Labels(&labels), &Loss::default(), &sgd).unwrap();
            assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{what}: {found:?}, not {expected:?}");
            assert_eq!(found.count, expected.count);
            assert_near(what, &lanes.gradients().unwrap(), &cuda.gradients().unwrap());
            assert_near(what, &lanes.parameters().unwrap(), &cuda.parameters().unwrap());
        }
    });
}

#[test]
fn training_evaluation_and_prediction_agree_with_the_lanes_engine() {
    let sgd = Sgd { learning_rate: 0.05, ..Sgd::PLAIN }.into();
    each(|what, network, mut lanes, mut cuda| {
        let dataset = dataset(70, network.input_shape, network.classes());
        let order: Vec<u32> = (0..70).map(|i| i * 29 % 70).collect();
        let progress = Progress::default();
        let expected = lanes.train(&dataset, &order, 16, &Loss::default(), &sgd, &Progress::default()).unwrap();
        let found = cuda.train(&dataset, &order, 16, &Loss::default(), &sgd, &progress).unwrap();
        assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{what}: {found:?}, not {expected:?}");
        assert_eq!((found.count, progress.images()), (70, 70));
        let expected = lanes.evaluate(&dataset, &places(3..65), &Loss::default(), &Progress::default()).unwrap();
        let found = cuda.evaluate(&dataset, &places(3..65), &Loss::default(), &Progress::default()).unwrap();
        assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{what}: {found:?}, not {expected:?}");
        assert_eq!(found.count, 62);
        let [c, h, w] = network.input_shape;
        let images = Tensor::from_slice(&dataset.pixels()[..5 * c * h * w], (5, c, h, w), &Device::Cpu).unwrap();
        let logits = [("logits".to_owned(), lanes.predict(&images).unwrap())];
        assert_near(what, &logits, &[("logits".to_owned(), cuda.predict(&images).unwrap())]);
        // What was uploaded for the prediction is not taken for the dataset.
        let again = cuda.evaluate(&dataset, &places(3..65), &Loss::default(), &Progress::default()).unwrap();
        assert_eq!(again, found, "{what}");
    });
}

#[test]
fn a_run_repeats_to_the_last_bit() {
    let network = &networks()[1];
    let dataset = dataset(40, network.input_shape, network.classes());
    let order: Vec<u32> = (0..40).collect();
    let run = || {
        let (_, mut cuda) = engines(network, gpu());
        let metrics = cuda
            .train(&dataset, &order, 16, &Loss::default(), &Sgd::new(0.5).unwrap().into(), &Progress::default())
            .unwrap();
        let parameters = cuda.parameters().unwrap();
        let bits =
            |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|x| x.to_bits()).collect();
        (metrics.loss.to_bits(), parameters.iter().map(|(_, t)| bits(t)).collect::<Vec<Vec<u32>>>())
    };
    assert_eq!(run(), run());
}

/// The batches of an epoch are captured once; what was captured must not be replayed for another order, batch size, rate or
/// dataset.
#[test]
fn what_was_captured_serves_the_same_run_only() {
    let network = &networks()[1];
    let (mut lanes, mut cuda) = engines(network, gpu());
    let [one, other] = [60, 90].map(|count| dataset(count, network.input_shape, network.classes()));
    let forward: Vec<u32> = (0..60).collect();
    let backward: Vec<u32> = (0..60).rev().collect();
    let momentum = Sgd { learning_rate: 0.1, momentum: 0.9, ..Sgd::PLAIN };
    let plain = Sgd::new(0.2).unwrap();
    for (dataset, order, batch_size, sgd) in [
        (&one, &forward[..], 16, plain),
        (&one, &backward[..], 16, plain),
        (&one, &backward[..], 7, plain),
        (&one, &backward[..40], 7, momentum),
        (&other, &backward[..40], 7, momentum),
        (&other, &forward[..], 1, momentum),
    ] {
        let sgd = sgd.into();
        for epoch in 0..2 {
            let expected =
                lanes.train(dataset, order, batch_size, &Loss::default(), &sgd, &Progress::default()).unwrap();
            let found = cuda.train(dataset, order, batch_size, &Loss::default(), &sgd, &Progress::default()).unwrap();
            let difference = (expected.loss - found.loss).abs();
            assert!(
                difference <= 1e-4 * expected.loss,
                "epoch {epoch}, batch {batch_size}: {found:?}, not {expected:?}"
            );
        }
    }
    assert_near("after all", &lanes.parameters().unwrap(), &cuda.parameters().unwrap());
}

fn flat(tensors: &[(String, Tensor)]) -> Vec<f32> {
    tensors.iter().flat_map(|(_, tensor)| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

/// More batches than are worth a capture, each of one image.
#[test]
fn a_long_epoch_is_queued_piece_by_piece() {
    let network = Network::new(&[dense(2, None)], [1, 1, 2]).unwrap();
    let (mut lanes, mut cuda) = engines(&network, gpu());
    let dataset = dataset(5000, network.input_shape, 2);
    let order: Vec<u32> = (0..5000).map(|i| i * 7 % 5000).collect();
    let sgd = Sgd { learning_rate: 0.01, momentum: 0.5, ..Sgd::PLAIN }.into();
    let progress = Progress::default();
    let expected = lanes.train(&dataset, &order, 1, &Loss::default(), &sgd, &Progress::default()).unwrap();
    let found = cuda.train(&dataset, &order, 1, &Loss::default(), &sgd, &progress).unwrap();
    assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{found:?}, not {expected:?}");
    assert_eq!((found.count, progress.images()), (5000, 5000));
    assert_near("parameters", &lanes.parameters().unwrap(), &cuda.parameters().unwrap());
}

#[test]
fn velocity_belongs_to_its_optimizer() {
    let network = &networks()[1];
    let dataset = dataset(32, network.input_shape, network.classes());
    let order: Vec<u32> = (0..32).collect();
    let momentum = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN }.into();
    let step = |engine: &mut dyn Engine| {
        engine.train(&dataset, &order, 32, &Loss::default(), &momentum, &Progress::default()).unwrap()
    };
    let results = ["nothing", "a new start", "another optimiser"].map(|between| {
        let (mut lanes, mut cuda) = engines(network, gpu());
        for engine in [&mut lanes as &mut dyn Engine, &mut cuda] {
            step(engine);
            match between {
                "a new start" => engine.reset_optimizer().unwrap(),
                "another optimiser" => engine.announce_optimizer(7),
                _ => {}
            }
            step(engine);
        }
        assert_near(between, &lanes.parameters().unwrap(), &cuda.parameters().unwrap());
        flat(&cuda.parameters().unwrap())
    });
    assert_ne!(results[0], results[1]);
    assert_eq!(results[1], results[2]);
}

/// Two datasets stay on the GPU; a third takes the place of the one that was used longest ago.
#[test]
fn datasets_are_not_taken_for_each_other() {
    let network = &networks()[1];
    let (mut lanes, mut cuda) = engines(network, gpu());
    let datasets = [20, 21, 22].map(|count| dataset(count, network.input_shape, network.classes()));
    for which in [0, 1, 0, 2, 1, 2, 0, 0] {
        let dataset = &datasets[which];
        let progress = Progress::default();
        let expected =
            lanes.evaluate(dataset, &places(0..dataset.len()), &Loss::default(), &Progress::default()).unwrap();
        let found = cuda.evaluate(dataset, &places(0..dataset.len()), &Loss::default(), &progress).unwrap();
        assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{found:?}, not {expected:?}");
        assert_eq!((found.count, found.correct), (expected.count, expected.correct));
        assert_eq!(progress.images(), dataset.len() as u64);
    }
}

#[test]
fn what_was_cancelled_or_refused_changes_nothing() {
    let network = &networks()[1];
    let (_, mut cuda) = engines(network, gpu());
    let before = flat(&cuda.parameters().unwrap());
    let dataset = dataset(20, network.input_shape, network.classes());
    let (sgd, progress, cancelled) = (Sgd::new(0.1).unwrap().into(), Progress::default(), Progress::default());
    cancelled.cancel();
    let images = Tensor::zeros((1, 1, 9, 9), candle_core::DType::F32, &Device::Cpu).unwrap();
    for (found, expected) in [
        (cuda.train(&dataset, &[0], 1, &Loss::default(), &sgd, &cancelled), Code::Cancelled),
        (cuda.evaluate(&dataset, &places(0..1), &Loss::default(), &cancelled), Code::Cancelled),
        (cuda.train(&dataset, &[20], 1, &Loss::default(), &sgd, &progress), Code::InvalidArgument),
        (cuda.train(&dataset, &[0], 0, &Loss::default(), &sgd, &progress), Code::InvalidArgument),
        (cuda.evaluate(&dataset, &places(0..21), &Loss::default(), &progress), Code::InvalidArgument),
        (cuda.step(&images, Targets::Labels(&[3]), &Loss::default(), &sgd), Code::LabelOutOfRange),
        (cuda.step(&images, Targets::Labels(&[0, 1]), &Loss::default(), &sgd), Code::DataMismatch),
    ] {
        assert_eq!(found.unwrap_err().code, expected);
    }
    assert_eq!(cuda.set_flat_parameters(vec![0.0; 3]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!((flat(&cuda.parameters().unwrap()), cancelled.images()), (before, 0));
    assert_eq!(cuda.train(&dataset, &[], 1, &Loss::default(), &sgd, &progress).unwrap().count, 0);
    assert_eq!(cuda.evaluate(&dataset, &places(4..4), &Loss::default(), &progress).unwrap().count, 0);
    let none = Tensor::zeros((0, 1, 9, 9), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(cuda.predict(&none).unwrap().dims(), [0, 3]);
}

/// Where a value is NaN, so is what is made of it, and of equal values in a window the first gets the gradient.
#[test]
fn values_that_are_equal_or_none_are_treated_as_by_the_lanes_engine() {
    let max = |pool_size, strides| Layer::MaxPool2d(MaxPool2d { strides, ..MaxPool2d::new(pool_size) });
    for pool in [max([2, 2], [2, 2]), max([3, 3], [1, 2])] {
        for activation in Activation::EXAMPLES {
            let layers = [conv(2, [1, 1], [1, 1], [0, 0], *activation), pool.clone(), dense(2, None)];
            let (mut lanes, mut cuda) = engines(&Network::new(&layers, [1, 5, 5]).unwrap(), gpu());
            let images = |values: Vec<f32>| Tensor::from_vec(values, (25, 1, 5, 5), &Device::Cpu).unwrap();
            // In each image another pixel; those of the last row and column may be in no window.
            let one_none = images((0..625).map(|i| if i / 25 == i % 25 { f32::NAN } else { 0.5 }).collect());
            let none = [&mut lanes as &mut dyn Engine, &mut cuda].map(|engine| {
                let logits = engine.predict(&one_none).unwrap().to_vec2::<f32>().unwrap();
                logits.iter().map(|logits| logits.iter().all(|z| z.is_nan())).collect::<Vec<_>>()
            });
            assert_eq!(none[0], none[1], "{pool:?}, {activation:?}");
            assert!(none[0][0] && none[0].iter().filter(|none| **none).count() >= 16, "{none:?}");
            let labels: Vec<u32> = (0..25).map(|i| i % 2).collect();
            lanes
                .step(
                    &images(vec![0.5; 625]),
                    Targets::Labels(&labels),
                    &Loss::default(),
                    &Sgd::new(0.1).unwrap().into(),
                )
                .unwrap();
            cuda.step(
                &images(vec![0.5; 625]),
                Targets::Labels(&labels),
                &Loss::default(),
                &Sgd::new(0.1).unwrap().into(),
            )
            .unwrap();
            let what = format!("{pool:?}, {activation:?}");
            assert_near(&what, &lanes.gradients().unwrap(), &cuda.gradients().unwrap());
        }
    }
}
