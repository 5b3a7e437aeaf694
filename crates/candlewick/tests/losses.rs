//! Every loss on every engine, from datasets that have what it takes, and the refusals of those that don't.

use candle_core::{DType, Device, Tensor};
use candlewick::Code;
use candlewick::activations::Activation;
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{Dense, Layer};
use candlewick::losses::{Loss, MeanSquaredError, SoftmaxCrossEntropy, Takes, Targets};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};

const OUTPUTS: usize = 5;
const IMAGES: usize = 1100; // more than the CPU engine takes at once

fn network() -> Network {
    let layers = [
        Layer::Dense(Dense { activation: Some(Activation::Tanh), ..Dense::new(7) }),
        Layer::Dense(Dense::new(OUTPUTS)),
    ];
    Network::new(&layers, [1, 2, 3]).unwrap()
}

/// Of images of six pixels, with labels, targets from 0 to 1, or both.
fn dataset(has_labels: bool, target_len: Option<usize>) -> Dataset {
    let mut builder = DatasetBuilder::new(IMAGES, [1, 2, 3]).unwrap();
    builder.push_pixels(&(0..IMAGES * 6).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()).unwrap();
    if has_labels {
        builder.push_labels(&(0..IMAGES).map(|i| (i * i % 23 % OUTPUTS) as u8).collect::<Vec<_>>()).unwrap();
    }
    if let Some(len) = target_len {
        builder = builder.with_targets(len).unwrap();
        let targets: Vec<f32> = (0..IMAGES * len).map(|i| (i * 31 % 101) as f32 / 100.0).collect();
        builder.push_targets(&targets).unwrap();
    }
    builder.finish().unwrap()
}

fn optimizer() -> Optimizer {
    Sgd { momentum: 0.5, ..Sgd::new(0.2).unwrap() }.into()
}

/// Figures and parameters after two epochs in two orders, an evaluation and a step of the last images.
fn course(mut engine: impl Engine, loss: &Loss, batch_size: usize) -> (Vec<Metrics>, Vec<f32>) {
    let (data, progress) = (dataset(true, Some(OUTPUTS)), Progress::default());
    let parameters = Initializer::uniform(0.7).parameters(&network(), 3).unwrap();
    engine.set_flat_parameters(parameters).unwrap();
    let used = if batch_size == 1 { 50 } else { IMAGES };
    let mut order: Vec<u32> = (0..used as u32).collect();
    let mut figures = vec![engine.train(&data, &order, batch_size, loss, &optimizer(), &progress).unwrap()];
    order.reverse();
    figures.push(engine.train(&data, &order, batch_size, loss, &optimizer(), &progress).unwrap());
    figures.push(engine.evaluate(&data, 3..IMAGES, loss, &progress).unwrap());
    let images = Tensor::from_slice(&data.pixels()[..6 * 20], (20, 1, 2, 3), &Device::Cpu).unwrap();
    let labels: Vec<u32> = data.labels()[..20].iter().map(|label| u32::from(*label)).collect();
    let targets = match loss.takes() {
        Takes::Labels => Targets::Labels(&labels),
        Takes::Values => Targets::Values(&data.targets()[..20 * OUTPUTS]),
    };
    figures.push(engine.step(&images, targets, loss, &optimizer()).unwrap());
    (figures, engine.flat_parameters().unwrap().into_owned())
}

fn assert_near(what: &str, expected: &(Vec<Metrics>, Vec<f32>), found: &(Vec<Metrics>, Vec<f32>)) {
    for (expected, found) in expected.0.iter().zip(&found.0) {
        assert!((expected.loss - found.loss).abs() <= 1e-4 * expected.loss, "{what}: {found:?}, not {expected:?}");
        assert!(
            (expected.weight - found.weight).abs() <= 1e-9 * expected.weight,
            "{what}: {found:?}, not {expected:?}"
        );
        assert_eq!((expected.answers, expected.count), (found.answers, found.count), "{what}");
        // An answer that is next to none falls to either side.
        assert!(
            expected.correct.abs_diff(found.correct) <= 1 + expected.answers / 500,
            "{what}: {found:?}, not {expected:?}"
        );
    }
    let largest = expected.1.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (expected, found) in expected.1.iter().zip(&found.1) {
        assert!((expected - found).abs() <= 2e-4 * largest, "{what}: {found}, not {expected}");
    }
}

#[test]
fn all_engines_train_alike() {
    for loss in Loss::examples(OUTPUTS) {
        for batch_size in [1, 15, 17, 1100] {
            let reference = CandleEngine::new(network(), Device::Cpu, DType::F64, Some(1)).unwrap();
            let expected = course(reference, &loss, batch_size);
            let what = format!("{loss:?}, batches of {batch_size}");
            let one = course(LanesEngine::new(network(), Some(1)).unwrap(), &loss, batch_size);
            assert_near(&format!("lanes, {what}"), &expected, &one);
            let three = course(LanesEngine::new(network(), Some(3)).unwrap(), &loss, batch_size);
            assert_eq!(one, three, "{what}: threads change no bit");
            #[cfg(feature = "emulation")]
            {
                use candlewick::engine::cuda::{CudaEngine, emulated::Emulated, emulated::Turns};
                let gpu = || Emulated::new(227 << 10, 3);
                let cuda = |gpu| course(CudaEngine::new(gpu, network()).unwrap(), &loss, batch_size);
                let one = cuda(gpu());
                assert_near(&format!("CUDA, {what}"), &expected, &one);
                if batch_size == 17 {
                    for turns in [Turns::Ascending, Turns::Descending] {
                        assert_eq!(one, cuda(gpu().with_threads(7, 2, turns)), "{what}: threads change no bit");
                    }
                }
            }
        }
    }
}

#[test]
fn images_of_classes_that_weigh_nothing_teach_nothing() {
    let class_weights = Some(vec![0.0, 1.0, 1.0, 1.0, 1.0]);
    let loss = Loss::SoftmaxCrossEntropy(SoftmaxCrossEntropy { label_smoothing: 0.1, class_weights });
    let mut engine = LanesEngine::new(network(), Some(1)).unwrap();
    engine.set_flat_parameters(Initializer::uniform(0.7).parameters(&network(), 3).unwrap()).unwrap();
    let before = engine.flat_parameters().unwrap().into_owned();
    let image = Tensor::zeros((2, 1, 2, 3), DType::F32, &Device::Cpu).unwrap();
    let metrics = engine.step(&image, Targets::Labels(&[0, 0]), &loss, &Sgd::new(0.1).unwrap().into()).unwrap();
    assert_eq!((metrics.weight, metrics.answers, metrics.count), (0.0, 2, 2));
    assert_eq!(engine.flat_parameters().unwrap(), before);
}

#[test]
fn a_dataset_has_what_the_loss_takes_or_is_refused() {
    let mut engine = LanesEngine::new(network(), Some(1)).unwrap();
    let (mean, softmax, progress) = (Loss::MeanSquaredError(MeanSquaredError {}), Loss::default(), Progress::default());
    let (labelled, targeted, both) = (dataset(true, None), dataset(false, Some(OUTPUTS)), dataset(true, Some(OUTPUTS)));
    assert_eq!((targeted.len(), targeted.labels().len(), targeted.target_len()), (IMAGES, 0, OUTPUTS));
    for (data, loss, code, sentence) in [
        (
            &labelled,
            &mean,
            Code::DataMismatch,
            "the loss meanSquaredError takes targets, but the dataset has labels alone",
        ),
        (
            &targeted,
            &softmax,
            Code::DataMismatch,
            "the loss softmaxCrossEntropy takes labels, but the dataset has targets",
        ),
        (
            &dataset(true, Some(3)),
            &mean,
            Code::InvalidShape,
            "each image has 3 targets, but the network gives 5 outputs",
        ),
    ] {
        let errors = [
            engine.train(data, &[0, 1], 2, loss, &optimizer(), &progress).unwrap_err(),
            engine.evaluate(data, 0..2, loss, &progress).unwrap_err(),
            engine.check(data, 0..2, loss).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code, code);
            assert!(error.message.starts_with(sentence), "{error}");
        }
    }
    for loss in Loss::examples(OUTPUTS) {
        assert_eq!(engine.check(&both, 2..4, &loss), Ok(vec![2, 3]), "{loss:?}");
    }
}

#[test]
fn a_step_has_the_targets_that_the_loss_takes_or_is_refused() {
    let mut engine = LanesEngine::new(network(), Some(1)).unwrap();
    let [mean, sigmoid] = [4, 5].map(|i| Loss::examples(OUTPUTS)[i].clone());
    let images = |n| Tensor::zeros((n, 1, 2, 3), DType::F32, &Device::Cpu).unwrap();
    let nan = [0.0, 0.0, f32::NAN, 0.0, 0.0];
    for (n, targets, loss, code, sentence) in [
        (
            1,
            Targets::Labels(&[0]),
            &mean,
            Code::DataMismatch,
            "meanSquaredError takes a number for each output, but was g",
        ),
        (
            1,
            Targets::Values(&[0.0; 5]),
            &Loss::default(),
            Code::DataMismatch,
            "softmaxCrossEntropy takes a label for each",
        ),
        (
            1,
            Targets::Values(&[0.0; 4]),
            &mean,
            Code::InvalidShape,
            "each image has 4 targets, but the network gives 5 outp",
        ),
        (
            2,
            Targets::Values(&[0.0; 5]),
            &mean,
            Code::DataMismatch,
            "there are 5 targets for 2 images; each image needs 5",
        ),
        (0, Targets::Values(&[0.0; 5]), &mean, Code::DataMismatch, "there are 5 targets for 0 images"),
        (0, Targets::Values(&[]), &mean, Code::InvalidArgument, "a step needs at least one image"),
        (
            1,
            Targets::Values(&nan),
            &mean,
            Code::InvalidArgument,
            "target 2 of image 0 is NaN; meanSquaredError takes fin",
        ),
        (
            1,
            Targets::Values(&[1.5; 5]),
            &sigmoid,
            Code::InvalidArgument,
            "target 0 of image 0 is 1.5; sigmoidCrossEntropy",
        ),
    ] {
        let error = engine.step(&images(n), targets, loss, &optimizer()).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.starts_with(sentence), "{error}");
    }
}
