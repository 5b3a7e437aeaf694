//! Networks that must know the whole batch, and so visit it in passes: the same bits however they are run, the right answers after
//! training, and errors where a batch has nothing to tell.

mod made_up;
mod places;

use candle_core::{DType, Device, Tensor};
use candlewick::activations::Activation;
use candlewick::dataset::Dataset;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{ActivationLayer, BatchNorm, Conv2d, Dense, Layer, MaxPool2d, Residual};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use candlewick::simd::InstructionSet;
use candlewick::{Code, Result};
use places::places;

fn norm() -> Layer {
    Layer::BatchNorm(BatchNorm::default())
}

/// Normalisation behind convolutions and a dense layer, on both ways of a block.
fn network() -> Network {
    let conv = |channels, kernel: usize| {
        Layer::Conv2d(Conv2d { padding: [kernel / 2; 2].into(), ..Conv2d::new(channels, [kernel; 2]) })
    };
    let relu = || Layer::Activation(ActivationLayer { activation: Activation::Relu });
    let block = Layer::Residual(Residual {
        body: vec![conv(6, 3), norm(), relu(), conv(6, 3), norm()],
        shortcut: vec![conv(6, 1), norm()],
    });
    let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let dense = |units| Layer::Dense(Dense::new(units));
    let layers = [conv(5, 3), norm(), relu(), pool, block, relu(), dense(7), norm(), relu(), dense(4)];
    Network::new(&layers, [1, 8, 8]).unwrap()
}

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 8, 8], |i| i % 4)
}

fn engine(set: InstructionSet, threads: usize) -> LanesEngine {
    let mut engine = LanesEngine::on(set, network(), Some(threads)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(&network(), 1).unwrap()).unwrap();
    engine
}

fn sgd() -> Optimizer {
    Sgd { learning_rate: 0.1, momentum: 0.5, ..Sgd::PLAIN }.into()
}

fn train(engine: &mut LanesEngine, dataset: &Dataset, order: &[u32], batch_size: usize) -> Result<f64> {
    let metrics = engine.train(dataset, order, batch_size, &Loss::default(), &sgd(), &Progress::default())?;
    Ok(metrics.mean_loss())
}

fn bits(engine: &mut LanesEngine, dataset: &Dataset) -> Vec<u32> {
    let metrics = engine.evaluate(dataset, &places(0..20), &Loss::default(), &Progress::default()).unwrap();
    let parameters = engine.flat_parameters().unwrap();
    parameters.iter().map(|p| p.to_bits()).chain([metrics.loss as f32].map(f32::to_bits)).collect()
}

/// 17 leaves a tile of one image, 700 is more tiles than chunks, and 1,100 more than a round of other networks.
#[test]
fn the_bits_do_not_depend_on_threads_or_instruction_set() {
    let dataset = dataset(1100);
    let order: Vec<u32> = (0..1100).rev().collect();
    for batch_size in [2, 16, 17, 700, 1100] {
        let run = |set, threads| {
            let mut engine = engine(set, threads);
            let order = if batch_size < 16 { &order[..20] } else { &order[..] };
            let loss = train(&mut engine, &dataset, order, batch_size).unwrap();
            (bits(&mut engine, &dataset), loss.to_bits())
        };
        let expected = run(InstructionSet::chosen().unwrap(), 1);
        for set in InstructionSet::available() {
            for threads in [1, 2, 3, 8] {
                assert!(run(set, threads) == expected, "batch {batch_size}, {} on {threads} threads", set.name());
            }
        }
    }
}

#[test]
fn small_batches_after_large_ones_are_as_if_alone() {
    let dataset = dataset(300);
    let order: Vec<u32> = (0..300).collect();
    let mut fresh = engine(InstructionSet::best(), 2);
    let mut used = engine(InstructionSet::best(), 2);
    train(&mut used, &dataset, &order, 300).unwrap();
    used.set_flat_parameters(Initializer::xavier().parameters(&network(), 1).unwrap()).unwrap();
    for engine in [&mut fresh, &mut used] {
        train(engine, &dataset, &order[..50], 25).unwrap();
    }
    assert!(bits(&mut fresh, &dataset) == bits(&mut used, &dataset));
}

#[test]
fn a_batch_that_has_no_variance_is_refused_before_anything_changes() {
    let (mut engine, dataset) = (engine(InstructionSet::best(), 2), dataset(33));
    let before = bits(&mut engine, &dataset);
    let order: Vec<u32> = (0..33).collect();
    for (order, batch_size) in [(&order[..], 16), (&order[..1], 16), (&order[..], 1)] {
        let error = train(&mut engine, &dataset, order, batch_size).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains("of which norm1 sees one value a channel"), "{error}");
    }
    let image = Tensor::zeros((1, 1, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let error = engine.step(&image, Targets::Labels(&[1]), &Loss::default(), &sgd()).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(bits(&mut engine, &dataset) == before);
    train(&mut engine, &dataset, &order, 11).unwrap();
}

/// Of planes, one image is enough.
#[test]
fn one_image_of_many_pixels_is_a_batch() {
    let conv = Layer::Conv2d(Conv2d::new(3, [3, 3]));
    let network = Network::new(&[conv, norm(), Layer::Dense(Dense::new(4))], [1, 8, 8]).unwrap();
    let mut engine = LanesEngine::new(network.clone(), Some(1)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(&network, 1).unwrap()).unwrap();
    let order: Vec<u32> = (0..20).chain(0..20).collect();
    let losses: Vec<f64> = (0..5).map(|_| train(&mut engine, &dataset(20), &order, 1).unwrap()).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()) && losses[4] < losses[0], "{losses:?}");
}

#[test]
fn what_is_not_a_number_is_found_in_loss_and_statistics() {
    let mut engine = engine(InstructionSet::best(), 2);
    let mut pixels = vec![0.5f32; 20 * 64];
    pixels[19 * 64 + 7] = f32::NAN;
    let images = Tensor::from_vec(pixels, (20, 1, 8, 8), &Device::Cpu).unwrap();
    let labels: Vec<u32> = (0..20).map(|i| i % 4).collect();
    let metrics = engine.step(&images, Targets::Labels(&labels), &Loss::default(), &sgd()).unwrap();
    assert!(metrics.loss.is_nan());
    let parameters = engine.parameters().unwrap();
    let (_, mean) = parameters.iter().find(|(name, _)| name == "norm0.running_mean").unwrap();
    assert!(mean.to_vec1::<f32>().unwrap().iter().all(|mean| mean.is_nan()));
}

/// Its values would be kept from pass to pass: 64 TiB.
#[test]
fn a_batch_that_does_not_fit_is_refused() {
    let conv = Layer::Conv2d(Conv2d { padding: [1, 1].into(), ..Conv2d::new(256, [3, 3]) });
    let network = Network::new(&[conv, norm(), Layer::Dense(Dense::new(4))], [1, 256, 256]).unwrap();
    let mut engine = LanesEngine::new(network, Some(1)).unwrap();
    let one = made_up::dataset(1, [1, 256, 256], |_| 0);
    let error = train(&mut engine, &one, &vec![0; 1 << 20], 1 << 20).unwrap_err();
    assert_eq!(error.code, Code::OutOfMemory, "{error}");
}
