//! Networks of any shape have the same answers, gradients and steps on every engine. The reference engine shares no arithmetic
//! with the others, and in float64 it says what is right.

mod drawn;

use candle_core::{DType, Device, Tensor};
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::candle::CandleEngine;
#[cfg(feature = "emulation")]
use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::Layer;
use candlewick::losses::Loss;
use candlewick::network::Network;
use candlewick::optimizers::Optimizer;
use proptest::prelude::*;

const STEPS: usize = 5;

/// Of every kind that there is, those that a test has not heard of among them.
fn of_images() -> impl Strategy<Value = Layer> {
    prop_oneof![
        drawn::conv(prop_oneof![4 => 1usize..=9, 1 => 10usize..=40], 5),
        drawn::pool(),
        prop::sample::select(Layer::examples())
    ]
}

/// Pixels, labels and targets without a pattern: of images or labels that are alike, gradients cancel, and rounding is all that is left.
fn dataset(count: usize, shape: [usize; 3], classes: usize) -> Dataset {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); // Knuth's; its low bits have a pattern
        (state >> 16) as usize
    };
    let mut builder = DatasetBuilder::new(count, shape).unwrap();
    let values = count * shape.iter().product::<usize>();
    builder.push_pixels(&(0..values).map(|_| (next() % 256) as u8).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&(0..count).map(|_| (next() % classes.min(256)) as u16).collect::<Vec<_>>()).unwrap();
    let targets: Vec<f32> = (0..count * classes).map(|_| (next() % 101) as f32 / 100.0).collect();
    builder = builder.with_targets(classes).unwrap();
    builder.push_targets(&targets).unwrap();
    builder.finish().unwrap()
}

/// Weights as an initialiser draws them, and biases drawn too: at 0, ReLU has its edge, and where a pixel sees padding alone, or a
/// gradient cancels, all that comes of it stays there.
fn drawn_parameters(network: &Network, seed: u64) -> Vec<f32> {
    let mut parameters = Initializer::xavier().parameters(network, seed).unwrap();
    for (i, parameter) in (seed as usize..).zip(&mut parameters).filter(|(_, parameter)| **parameter == 0.0) {
        *parameter = (i * 7919 % 1009) as f32 / 5000.0 - 0.1;
    }
    parameters
}

/// What a network did: each tensor under what it is.
type Course = Vec<(String, Vec<f64>)>;

/// Logits before training, loss and gradients of the first step, and parameters and logits after all.
fn course(engine: &mut dyn Engine, seed: u64, dataset: &Dataset, loss: &Loss, optimizer: &Optimizer) -> Course {
    let network = engine.network().clone();
    engine.set_flat_parameters(drawn_parameters(&network, seed)).unwrap();
    let [c, h, w] = network.input_shape;
    let images = Tensor::from_slice(dataset.pixels(), (dataset.len(), c, h, w), &Device::Cpu).unwrap();
    let mut course = vec![("logits".to_owned(), values(&engine.predict(&images).unwrap()))];
    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let train = |engine: &mut dyn Engine, batch: &[u32]| {
        engine.train(dataset, batch, batch.len(), loss, optimizer, &Progress::default()).unwrap()
    };
    let (first, others) = order.split_at(order.len() / STEPS);
    course.push(("loss".to_owned(), vec![train(engine, first).mean_loss()]));
    course.extend(named("gradient", engine.gradients().unwrap()));
    for batch in others.chunks(first.len()) {
        train(engine, batch);
    }
    course.extend(named("parameter", engine.parameters().unwrap()));
    course.push(("logits after it".to_owned(), values(&engine.predict(&images).unwrap())));
    course
}

fn named(what: &str, tensors: Vec<(String, Tensor)>) -> Course {
    tensors.iter().map(|(name, tensor)| (format!("{what} {name}"), values(tensor))).collect()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// What differs by more than 1e-5 of a tensor's largest value and the room for sums of gradients that cancel: of up to 1 for each
/// image and logit, the rounding is left.
fn difference(expected: &Course, found: &Course, room: f64) -> Option<String> {
    for ((what, expected), (also, found)) in expected.iter().zip(found) {
        assert_eq!((what, expected.len()), (also, found.len()));
        let largest = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * largest + room; // which NaN is not
        if !expected.iter().zip(found).all(near) {
            let difference = expected.iter().zip(found).fold(0f64, |most, (a, b)| most.max((a - b).abs()));
            return Some(format!("{what} is off by {difference:e}, where its largest is {largest:e}"));
        }
    }
    None
}

/// Why an engine differs from the reference engine in float64, if it does so from several draws of parameters. A value within
/// rounding of 0, where ReLU has its edge, or of another in a window of max pooling, leads two engines apart, but not each time.
fn always_differs(
    network: &Network,
    dataset: &Dataset,
    loss: &Loss,
    optimizer: &Optimizer,
    engine: &mut dyn Engine,
    room: f64,
) -> Option<String> {
    let mut reference = CandleEngine::new(network.clone(), Device::Cpu, DType::F64, Some(1)).unwrap();
    let mut why = None;
    for seed in 0..3 {
        let expected = course(&mut reference, seed, dataset, loss, optimizer);
        why = Some(difference(&expected, &course(engine, seed, dataset, loss, optimizer), room)?);
    }
    why
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_engines_agree(
        layers in drawn::layers(of_images(), 4),
        shape in (1usize..=4, 3usize..=11, 3usize..=11),
        batch_size in 1usize..=19,
        optimizer in prop::sample::select(Optimizer::EXAMPLES),
        loss in any::<prop::sample::Index>(),
    ) {
        let shape = [shape.0, shape.1, shape.2];
        let network = Network::new(&layers, shape);
        prop_assume!(network.is_ok());
        let network = network.unwrap();
        prop_assume!(network.classes() > 1);
        prop_assume!(batch_size > 1 || network.needs_two_images().is_none());
        let dataset = dataset(STEPS * batch_size, shape, network.classes());
        let loss = loss.get(&Loss::examples(network.classes())).clone();
        let candle = CandleEngine::new(network.clone(), Device::Cpu, DType::F32, Some(1)).unwrap();
        let lanes = LanesEngine::new(network.clone(), Some(1)).unwrap();
        // candle adds up a bias's gradient one by one, the others in parts.
        let mut engines: Vec<(&str, Box<dyn Engine>, f64)> =
            vec![("candle", Box::new(candle), 2e-5), ("lanes", Box::new(lanes), 1e-5)];
        #[cfg(feature = "emulation")]
        engines.push(("CUDA", Box::new(CudaEngine::new(Emulated::new(227 << 10, 3), network.clone()).unwrap()), 1e-5));
        for (name, engine, room) in &mut engines {
            let why = always_differs(&network, &dataset, &loss, &optimizer, &mut **engine, *room);
            prop_assert!(why.is_none(), "{name}: {}", why.unwrap_or_default());
        }
    }
}
