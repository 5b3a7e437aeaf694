//! Images that every engine normalizes are those that somebody normalized by hand.

mod all_engines;
mod made_up;

use candle_core::{DType, Device, Tensor};
use candlewick::Code;
use candlewick::activations::Activation;
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::{Engine, Progress, Training};
use candlewick::layers::{BatchNorm, Conv2d, Dense, Layer};
use candlewick::losses::{Loss, Targets};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::normalization::Normalization;
use candlewick::optimizers::Sgd;

const IMAGES: usize = 37;
const SHAPE: [usize; 3] = [3, 5, 7];

/// Padded, so that it shows whether zeros are put around normalized images or normalized themselves; and gone through twice.
fn network() -> Network {
    let padded = Conv2d { padding: [1, 1].into(), activation: Some(Activation::Tanh), ..Conv2d::new(5, [3, 3]) };
    let layers = [Layer::Conv2d(padded), Layer::BatchNorm(BatchNorm::default()), Layer::Dense(Dense::new(4))];
    Network::new(&layers, SHAPE).unwrap()
}

fn normalization() -> Normalization {
    Normalization { mean: vec![0.4914, 0.1, -0.3], deviation: vec![0.247, 0.3, 1.7] }
}

fn labels() -> Vec<u16> {
    (0..IMAGES).map(|i| (i % 4) as u16).collect()
}

fn of_bytes() -> Dataset {
    made_up::dataset(IMAGES, SHAPE, |i| i % 4)
}

/// What the bytes count as.
fn values() -> Vec<f32> {
    of_bytes().pixels().iter().map(|byte| f32::from(*byte) / 255.0).collect()
}

fn of_floats(values: &[f32]) -> Dataset {
    let mut builder = DatasetBuilder::of_floats(IMAGES, SHAPE).unwrap();
    builder.push_floats(values).unwrap();
    builder.push_labels(&labels()).unwrap();
    builder.finish().unwrap()
}

/// Number by number, in float32.
fn by_hand() -> Vec<f32> {
    let (plane, Normalization { mean, deviation }) = (SHAPE[1] * SHAPE[2], normalization());
    let of_channel = |(i, value): (usize, f32)| {
        let channel = i / plane % SHAPE[0];
        (value - mean[channel] as f32) * (1.0 / deviation[channel] as f32)
    };
    values().into_iter().enumerate().map(of_channel).collect()
}

fn tensor(dataset: &Dataset) -> Tensor {
    let shape = (IMAGES, SHAPE[0], SHAPE[1], SHAPE[2]);
    if dataset.is_of_floats() {
        return Tensor::from_slice(dataset.floats(), shape, &Device::Cpu).unwrap();
    }
    Tensor::from_slice(dataset.pixels(), shape, &Device::Cpu).unwrap()
}

/// Everything that an engine does with images: an answer, a training that pauses after each batch, a step, an evaluation.
fn course(engine: &mut dyn Engine, dataset: &Dataset) -> Vec<f32> {
    let (images, order, loss, sgd) =
        (tensor(dataset), Vec::from_iter(0..IMAGES as u32), Loss::default(), Sgd::new(0.1).unwrap().into());
    let logits =
        |engine: &mut dyn Engine| engine.predict(&images).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let mut all = logits(engine);
    let training = Training {
        dataset,
        order: &order,
        partners: &order,
        batch_size: 18,
        loss: &loss,
        optimizer: &sgd,
        augment: None,
    };
    let (mut metrics, order_of_18) = (Metrics::default(), &order[..36]); // a batch of one image has no variance
    while metrics.count < 36 {
        let progress = Progress::default();
        progress.pause(true);
        let training = Training { order: order_of_18, ..training };
        engine.train_on(&training, &progress, &mut metrics).unwrap();
    }
    all.push(metrics.loss as f32);
    let labels: Vec<u32> = labels().into_iter().map(u32::from).collect();
    all.push(engine.step(&images, Targets::Labels(&labels), &loss, &sgd).unwrap().loss as f32);
    all.push(engine.evaluate(dataset, &order, &loss, &Progress::default()).unwrap().loss as f32);
    all.extend(engine.flat_parameters().unwrap().iter());
    all.extend(logits(engine));
    all
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The engines' own arithmetic is that by hand, to the bit; candle's divides by the deviation, which rounds once less.
#[test]
fn images_normalized_by_the_engine_are_those_normalized_by_hand() {
    for made in [of_bytes(), of_floats(&values())] {
        for ((name, mut engine), (_, mut other)) in
            all_engines::engines(&network()).into_iter().zip(all_engines::engines(&network()))
        {
            engine.set_normalization(Some(normalization())).unwrap();
            let (found, expected) = (course(&mut *engine, &made), course(&mut *other, &of_floats(&by_hand())));
            if name == "candle" {
                assert_near(name, &found, &expected);
            } else {
                assert_eq!(bits(&found), bits(&expected), "{name}, of floats: {}", made.is_of_floats());
            }
        }
    }
}

fn assert_near(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: number {i} is {a}, and is to be {b}");
    }
}

/// The reference engine in float64 says what is right.
#[test]
fn all_engines_agree_on_normalized_images() {
    for dataset in [of_bytes(), of_floats(&values())] {
        let mut engines = all_engines::engines(&network());
        let mut reference = CandleEngine::new(network(), Device::Cpu, DType::F64, Some(1)).unwrap();
        reference.set_flat_parameters(engines[0].1.flat_parameters().unwrap().into_owned()).unwrap();
        reference.set_normalization(Some(normalization())).unwrap();
        let expected = course(&mut reference, &dataset);
        for (name, engine) in &mut engines {
            engine.set_normalization(Some(normalization())).unwrap();
            assert_near(name, &course(&mut **engine, &dataset), &expected);
        }
    }
}

#[test]
fn a_normalization_is_replaced_taken_away_and_carried_in_snapshots() {
    let images = tensor(&of_bytes());
    let answers =
        |engine: &mut dyn Engine| bits(&engine.predict(&images).unwrap().flatten_all().unwrap().to_vec1().unwrap());
    let other = Normalization { mean: vec![0.5; 3], deviation: vec![0.1; 3] };
    for ((name, mut engine), (_, mut second)) in
        all_engines::engines(&network()).into_iter().zip(all_engines::engines(&network()))
    {
        let plain = answers(&mut *engine);
        let mut normalized = Vec::new();
        for normalization in [normalization(), other.clone()] {
            engine.set_normalization(Some(normalization.clone())).unwrap();
            assert_eq!(engine.normalization(), Some(&normalization));
            normalized.push(answers(&mut *engine));
        }
        assert!(normalized[0] != plain && normalized[1] != plain && normalized[0] != normalized[1], "{name}");
        second.restore(&engine.snapshot().unwrap(), 1).unwrap();
        assert_eq!((answers(&mut *second), second.normalization()), (normalized[1].clone(), Some(&other)), "{name}");
        let refused = engine.set_normalization(Some(Normalization { mean: vec![0.5], deviation: vec![0.1] }));
        assert_eq!(refused.unwrap_err().code, Code::InvalidArgument);
        assert_eq!((answers(&mut *engine), engine.normalization()), (normalized[1].clone(), Some(&other)), "{name}");
        engine.set_normalization(None).unwrap();
        assert_eq!((answers(&mut *engine), engine.normalization()), (plain, None), "{name}");
        second.restore(&engine.snapshot().unwrap(), 1).unwrap();
        assert_eq!(second.normalization(), None, "{name}");
    }
}

/// A training whose batches were captured is captured anew, or reads the new numbers where the old ones were.
#[test]
fn an_epoch_after_another_normalization_trains_on_that() {
    let (dataset, order, sgd) = (of_bytes(), Vec::from_iter(0..36), Sgd::new(0.1).unwrap().into());
    let train = |engine: &mut dyn Engine| {
        engine.train(&dataset, &order, 12, &Loss::default(), &sgd, &Progress::default()).unwrap();
        bits(&engine.flat_parameters().unwrap())
    };
    let other = Normalization { mean: vec![0.5; 3], deviation: vec![0.1; 3] };
    let start = all_engines::engines(&network())[0].1.flat_parameters().unwrap().into_owned();
    for ((name, mut engine), (_, mut fresh)) in
        all_engines::engines(&network()).into_iter().zip(all_engines::engines(&network()))
    {
        for normalization in [None, Some(normalization()), Some(other.clone())] {
            for engine in [&mut engine, &mut fresh] {
                engine.set_flat_parameters(start.clone()).unwrap();
                engine.set_normalization(normalization.clone()).unwrap();
            }
            let (found, first) = (train(&mut *engine), engine.snapshot().unwrap());
            assert_eq!(found, train(&mut *fresh), "{name}");
            let mut unlike = all_engines::engines(&network()).swap_remove(0).1;
            unlike.set_normalization(normalization).unwrap();
            assert_near(name, &first.parameters, &{
                train(&mut *unlike);
                unlike.flat_parameters().unwrap().into_owned()
            });
        }
    }
}

/// Numbers that overflow are looked for in the images as the network sees them.
#[test]
fn what_a_normalization_makes_infinite_is_found() {
    let (dataset, order, sgd) = (of_bytes(), Vec::from_iter(0..36), Sgd::new(0.1).unwrap().into());
    let network = Network::new(&[Layer::Dense(Dense::new(4))], SHAPE).unwrap();
    for (name, mut engine) in all_engines::engines(&network) {
        let tiny = Normalization { mean: vec![0.0; 3], deviation: vec![3e-39; 3] };
        engine.set_normalization(Some(tiny)).unwrap();
        engine.set_flat_parameters(vec![1.0; network.parameter_count()]).unwrap();
        let error = engine.train(&dataset, &order, 36, &Loss::default(), &sgd, &Progress::default()).unwrap_err();
        assert_eq!(error.code, Code::Diverged, "{name}");
        // A GPU has made the step by then.
        let found = if name == "cuda" { "dense0.weight holds" } else { "not finite come out of dense0" };
        assert!(error.message.contains(found), "{name}: {error}");
    }
}
