//! What the reference engine promises besides right numbers (tests/engines_agree.rs): the rules of every engine.

mod made_up;
mod places;

use candle_core::{DType, Device, Tensor};
use candlewick::activations::Activation;
use candlewick::dataset::Dataset;
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use candlewick::{Code, Result};
use places::places;

fn network() -> Network {
    let conv = Conv2d { padding: [1, 1].into(), activation: Some(Activation::Tanh), ..Conv2d::new(3, [3, 3]) };
    let layers = [Layer::Conv2d(conv), Layer::MaxPool2d(MaxPool2d::new([2, 2])), Layer::Dense(Dense::new(4))];
    Network::new(&layers, [1, 6, 6]).unwrap()
}

fn engine() -> CandleEngine {
    let mut engine = CandleEngine::new(network(), Device::Cpu, DType::F32, Some(1)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(&network(), 1).unwrap()).unwrap();
    engine
}

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 6, 6], |i| i % 4)
}

fn images(dataset: &Dataset) -> Tensor {
    Tensor::from_slice(dataset.pixels(), (dataset.len(), 1, 6, 6), &Device::Cpu).unwrap()
}

const SGD: Sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.01, ..Sgd::PLAIN };

fn sgd() -> Optimizer {
    SGD.into()
}

fn flat(tensors: Vec<(String, Tensor)>) -> Vec<f32> {
    tensors.iter().flat_map(|(_, t)| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("an error").code
}

#[test]
fn evaluation_counts_what_prediction_says_batch_after_batch() {
    let (mut engine, dataset) = (engine(), dataset(600)); // three batches
    let logits = engine.predict(&images(&dataset)).unwrap().to_vec2::<f32>().unwrap();
    let (mut loss, mut correct) = (0.0, 0);
    for (z, &label) in logits.iter().zip(dataset.labels()) {
        let z: Vec<f64> = z.iter().map(|z| f64::from(*z)).collect();
        loss += z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[label as usize];
        correct += u64::from(z.iter().all(|other| *other <= z[label as usize]));
    }
    let progress = Progress::default();
    let metrics = engine.evaluate(&dataset, &places(0..600), &Loss::default(), &progress).unwrap();
    assert_eq!((metrics.count, metrics.correct, progress.images()), (600, correct, 600));
    assert!((metrics.loss - loss).abs() < 1e-5 * loss);
    assert_eq!(engine.evaluate(&dataset, &places(550..600), &Loss::default(), &progress).unwrap().count, 50);
    assert_eq!(engine.evaluate(&dataset, &places(9..9), &Loss::default(), &progress).unwrap().count, 0);
}

#[test]
fn bytes_and_numbers_are_the_same_images_and_a_part_of_a_tensor_is_that_part() {
    let (mut engine, bytes) = (engine(), images(&dataset(20)));
    let numbers = (bytes.to_dtype(DType::F32).unwrap() / 255.0).unwrap();
    let all = engine.predict(&bytes).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(engine.predict(&numbers).unwrap().to_vec2::<f32>().unwrap(), all);
    assert_eq!(engine.predict(&numbers.narrow(0, 3, 2).unwrap()).unwrap().to_vec2::<f32>().unwrap(), all[3..5]);
    assert_eq!(engine.predict(&bytes.narrow(0, 0, 0).unwrap()).unwrap().dims(), [0, 4]);
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let (mut engine, dataset) = (engine(), dataset(20));
    let before = flat(engine.parameters().unwrap());
    let (progress, one) = (Progress::default(), images(&dataset).narrow(0, 0, 1).unwrap());
    let nan = Sgd { learning_rate: f32::NAN, ..SGD }.into();
    let doubles = one.to_dtype(DType::F64).unwrap();
    assert_eq!(code(engine.step(&one, Targets::Labels(&[4]), &Loss::default(), &sgd())), Code::LabelOutOfRange);
    assert_eq!(code(engine.step(&one, Targets::Labels(&[0, 1]), &Loss::default(), &sgd())), Code::DataMismatch);
    assert_eq!(code(engine.step(&one, Targets::Labels(&[0]), &Loss::default(), &nan)), Code::InvalidArgument);
    assert_eq!(code(engine.step(&doubles, Targets::Labels(&[0]), &Loss::default(), &sgd())), Code::InvalidArgument);
    assert_eq!(code(engine.predict(&one.flatten_all().unwrap())), Code::InvalidShape);
    assert_eq!(code(engine.train(&dataset, &[0, 20], 2, &Loss::default(), &sgd(), &progress)), Code::InvalidArgument);
    assert_eq!(code(engine.train(&dataset, &[0], 0, &Loss::default(), &sgd(), &progress)), Code::InvalidArgument);
    assert_eq!(code(engine.evaluate(&dataset, &places(0..21), &Loss::default(), &progress)), Code::InvalidArgument);
    assert_eq!(code(engine.set_flat_parameters(vec![0.0; 3])), Code::InvalidArgument);
    assert_eq!(code(engine.set_parameters(&Default::default())), Code::CheckpointInvalid);
    assert_eq!(code(CandleEngine::new(network(), Device::Cpu, DType::F32, Some(0))), Code::InvalidArgument);
    assert_eq!(code(CandleEngine::new(network(), Device::Cpu, DType::U8, None)), Code::InvalidArgument);
    assert_eq!(flat(engine.parameters().unwrap()), before);
}

#[test]
fn a_batch_larger_than_memory_is_refused() {
    // 10,000 images that take 120 GB each are more than any system has addresses for.
    let pool = Layer::MaxPool2d(MaxPool2d::new([1, 1]));
    let network = Network::new(&vec![pool; 100], [1, 5000, 5000]).unwrap();
    let mut engine = CandleEngine::new(network, Device::Cpu, DType::F32, Some(1)).unwrap();
    let (dataset, order) = (made_up::dataset(1, [1, 5000, 5000], |_| 0), vec![0; 10_000]);
    assert_eq!(
        code(engine.train(&dataset, &order, 10_000, &Loss::default(), &sgd(), &Progress::default())),
        Code::OutOfMemory
    );
}

/// What candle makes of an image on the way may be more than all memory, where neither what goes in nor what comes out is much.
#[test]
fn a_layer_larger_than_memory_is_refused() {
    let conv = Conv2d { strides: [60_000, 60_000], padding: [30_000, 30_000].into(), ..Conv2d::new(1 << 20, [1, 1]) };
    let (pool_size, strides) = ([10_000, 10_000], [1, 1]);
    for (layer, side) in [
        (Layer::Conv2d(conv), 1),
        (Layer::MaxPool2d(MaxPool2d { strides, ..MaxPool2d::new(pool_size) }), 20_000),
        (Layer::AvgPool2d(AvgPool2d { strides, ..AvgPool2d::new(pool_size) }), 20_000),
    ] {
        let network = Network::new(std::slice::from_ref(&layer), [1, side, side]).unwrap();
        assert_eq!(code(CandleEngine::new(network, Device::Cpu, DType::F32, Some(1))), Code::OutOfMemory, "{layer:?}");
    }
}

/// candle goes back by recursion, which must not take a network's depth, or a window's size, of stack.
#[test]
fn deep_networks_and_large_windows_need_no_deep_stack() {
    let deep = vec![Layer::Dense(Dense { activation: Some(Activation::Tanh), ..Dense::new(2) }); 5000];
    let window = [Layer::MaxPool2d(MaxPool2d { strides: [1, 1], ..MaxPool2d::new([1, 9999]) })];
    for (layers, shape) in [(&deep[..], [1, 1, 2]), (&window[..], [1, 1, 10_000])] {
        let network = Network::new(layers, shape).unwrap();
        let mut engine = CandleEngine::new(network, Device::Cpu, DType::F32, Some(1)).unwrap();
        let images = Tensor::zeros((1, 1, 1, shape[2]), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(engine.step(&images, Targets::Labels(&[0]), &Loss::default(), &sgd()).unwrap().count, 1);
        assert_eq!(engine.predict(&images).unwrap().dims(), [1, 2]);
    }
}

#[test]
fn cancelling_stops_between_two_batches() {
    let (mut engine, dataset, progress) = (engine(), dataset(64), Progress::default());
    progress.cancel();
    let order: Vec<u32> = (0..64).collect();
    assert_eq!(code(engine.train(&dataset, &order, 16, &Loss::default(), &sgd(), &progress)), Code::Cancelled);
    assert_eq!(code(engine.evaluate(&dataset, &places(0..64), &Loss::default(), &progress)), Code::Cancelled);
}

#[test]
fn a_step_is_a_training_of_one_batch() {
    let (mut one, mut other, dataset) = (engine(), engine(), dataset(20));
    let labels: Vec<u32> = dataset.labels().iter().map(|label| u32::from(*label)).collect();
    let order: Vec<u32> = (0..20).collect();
    let metrics = one.step(&images(&dataset), Targets::Labels(&labels), &Loss::default(), &sgd()).unwrap();
    assert_eq!(other.train(&dataset, &order, 20, &Loss::default(), &sgd(), &Progress::default()).unwrap(), metrics);
    assert_eq!(flat(one.parameters().unwrap()), flat(other.parameters().unwrap()));
    assert_eq!(flat(one.gradients().unwrap()), flat(other.gradients().unwrap()));
}

#[test]
fn parameters_and_gradients_are_copies_and_go_by_name() {
    let (mut engine, dataset) = (engine(), dataset(8));
    assert!(flat(engine.gradients().unwrap()).iter().all(|g| *g == 0.0), "before the first step");
    let parameters = engine.parameters().unwrap();
    let before = flat(parameters.clone());
    engine.train(&dataset, &[0, 1, 2], 3, &Loss::default(), &sgd(), &Progress::default()).unwrap();
    assert_eq!(flat(parameters.clone()), before, "what was given out is not written to");
    assert_ne!(flat(engine.parameters().unwrap()), before);
    let names = |tensors: &[(String, Tensor)]| tensors.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&parameters), ["conv0.weight", "conv0.bias", "dense0.weight", "dense0.bias"]);
    assert_eq!(names(&engine.gradients().unwrap()), names(&parameters));
    engine.set_parameters(&parameters.into_iter().collect()).unwrap();
    assert_eq!(flat(engine.parameters().unwrap()), before);
}

#[test]
fn velocity_belongs_to_the_optimizer_that_made_it() {
    let dataset = dataset(8);
    let train = |engine: &mut CandleEngine, size| {
        engine.train(&dataset, &[0, 1, 2, 3], size, &Loss::default(), &sgd(), &Progress::default()).map(drop)
    };
    let course = |change: &dyn Fn(&mut CandleEngine)| {
        let mut engine = engine();
        train(&mut engine, 4).unwrap();
        change(&mut engine);
        train(&mut engine, 4).unwrap();
        flat(engine.parameters().unwrap())
    };
    let kept = course(&|_| ());
    let reset = course(&|engine| engine.reset_optimizer().unwrap());
    assert_ne!(kept, reset);
    assert_eq!(course(&|engine| engine.announce_optimizer(1)), reset);
    let refused = |engine: &mut CandleEngine| {
        engine.announce_optimizer(1);
        train(engine, 0).unwrap_err();
        engine.announce_optimizer(0);
    };
    assert_eq!(course(&refused), kept);
    let same = |engine: &mut CandleEngine| {
        let parameters = flat(engine.parameters().unwrap());
        engine.set_flat_parameters(parameters).unwrap();
    };
    assert_eq!(course(&same), reset);
}

#[test]
fn memory_is_what_was_asked_for() {
    let bytes = 4 * network().parameter_count();
    let after = |momentum| {
        let mut engine = engine();
        assert_eq!(engine.size(), bytes, "the parameters");
        engine
            .train(&dataset(8), &[0, 1], 2, &Loss::default(), &Sgd { momentum, ..SGD }.into(), &Progress::default())
            .unwrap();
        engine.size()
    };
    assert_eq!((after(0.0), after(0.5)), (2 * bytes, 3 * bytes), "and gradients, and velocity");
}

#[test]
fn a_network_without_parameters_has_a_loss_and_nothing_to_learn() {
    let pool = Layer::MaxPool2d(MaxPool2d::new([3, 3]));
    let network = Network::new(&[pool], [1, 6, 6]).unwrap();
    let mut engine = CandleEngine::new(network, Device::Cpu, DType::F32, Some(1)).unwrap();
    let metrics = engine.train(&dataset(20), &[0, 1, 2, 3], 3, &Loss::default(), &sgd(), &Progress::default()).unwrap();
    assert!(metrics.count == 4 && metrics.loss > 0.0, "{metrics:?}");
    assert!(engine.parameters().unwrap().is_empty() && engine.gradients().unwrap().is_empty());
}

/// Logits of 1e8 must leave a loss with its digits, and a gradient.
#[test]
fn huge_logits_have_a_loss() {
    let network = Network::new(&[Layer::Dense(Dense::new(2))], [1, 1, 1]).unwrap();
    let mut engine = CandleEngine::new(network, Device::Cpu, DType::F32, Some(1)).unwrap();
    engine.set_flat_parameters(vec![1e8, 0.0, 0.0, 0.0]).unwrap();
    let one = Tensor::ones((1, 1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(
        engine.step(&one, Targets::Labels(&[1]), &Loss::default(), &Sgd::new(0.0).unwrap().into()).unwrap().loss,
        1e8
    );
    assert_eq!(flat(engine.gradients().unwrap()), [1.0, -1.0, 1.0, -1.0]);
    assert_eq!(
        engine.step(&one, Targets::Labels(&[0]), &Loss::default(), &Sgd::new(0.0).unwrap().into()).unwrap().loss,
        0.0
    );
}
