//! Every loss on every engine, from datasets that have what it takes, and the refusals of those that don't.

mod places;

use candle_core::{DType, Device, Tensor};
use candlewick::Code;
use candlewick::activations::Activation;
use candlewick::augmentations::{Augment, Augmentation, Mixup};
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress, Training};
use candlewick::initializers::Initializer;
use candlewick::layers::{Dense, Layer};
use candlewick::losses::{Loss, MeanSquaredError, SoftmaxCrossEntropy, Takes, Targets};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use candlewick::simd::InstructionSet;
use places::places;

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
        builder.push_labels(&(0..IMAGES).map(|i| (i * i % 23 % OUTPUTS) as u16).collect::<Vec<_>>()).unwrap();
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

/// Figures and parameters after two epochs in two orders, the second perhaps of mixed images, an evaluation and a step of the last
/// images.
fn course(
    mut engine: impl Engine,
    loss: &Loss,
    batch_size: usize,
    augment: Option<&Augment>,
) -> (Vec<Metrics>, Vec<f32>) {
    let (data, progress) = (dataset(true, Some(OUTPUTS)), Progress::default());
    let parameters = Initializer::uniform(0.7).parameters(&network(), 3).unwrap();
    engine.set_flat_parameters(parameters).unwrap();
    let used = if batch_size == 1 { 50 } else { IMAGES };
    let mut order: Vec<u32> = (0..used as u32).collect();
    let mut figures = vec![engine.train(&data, &order, batch_size, loss, &optimizer(), &progress).unwrap()];
    order.reverse();
    let (optimizer, mut second) = (optimizer(), Metrics::default());
    let training =
        Training { dataset: &data, order: &order, batch_size, loss, optimizer: &optimizer, augment, partners: &order };
    engine.train_on(&training, &progress, &mut second).unwrap();
    figures.push(second);
    figures.push(engine.evaluate(&data, &places(3..IMAGES), loss, &progress).unwrap());
    let images = Tensor::from_slice(&data.pixels()[..6 * 20], (20, 1, 2, 3), &Device::Cpu).unwrap();
    let labels: Vec<u32> = data.labels()[..20].iter().map(|label| u32::from(*label)).collect();
    let targets = match loss.takes() {
        Takes::Labels => Targets::Labels(&labels),
        Takes::Values => Targets::Values(&data.targets()[..20 * OUTPUTS]),
    };
    figures.push(engine.step(&images, targets, loss, &optimizer).unwrap());
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
        let mixing = Augment { augmentations: vec![Augmentation::Mixup(Mixup { alpha: 1.0 })], seed: 1, epoch: 1 };
        for (batch_size, augment) in [(1, None), (15, None), (17, None), (1100, None), (17, Some(&mixing))] {
            let reference = CandleEngine::new(network(), Device::Cpu, DType::F64, Some(1)).unwrap();
            let expected = course(reference, &loss, batch_size, augment);
            let what = format!("{loss:?}, batches of {batch_size}, {augment:?}");
            let one = course(LanesEngine::new(network(), Some(1)).unwrap(), &loss, batch_size, augment);
            assert_near(&format!("lanes, {what}"), &expected, &one);
            let three = course(LanesEngine::new(network(), Some(3)).unwrap(), &loss, batch_size, augment);
            assert_eq!(one, three, "{what}: threads change no bit");
            #[cfg(feature = "emulation")]
            {
                use candlewick::engine::cuda::{CudaEngine, emulated::Emulated, emulated::Turns};
                let gpu = || Emulated::new(227 << 10, 3);
                let cuda = |gpu| course(CudaEngine::new(gpu, network()).unwrap(), &loss, batch_size, augment);
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

/// Two outputs, which are the biases whatever the image is.
fn two_outputs() -> Network {
    Network::new(&[Layer::Dense(Dense::new(2))], [1, 1, 1]).unwrap()
}

/// The loss of these outputs and its gradient by them, of each engine.
fn of_outputs(outputs: [f32; 2], loss: &Loss) -> Vec<(String, f64, Vec<f32>)> {
    let mut engines: Vec<(String, Box<dyn Engine>)> = Vec::new();
    for set in InstructionSet::available() {
        let engine = LanesEngine::on(set, two_outputs(), Some(1)).unwrap();
        engines.push((set.name().to_owned(), Box::new(engine)));
    }
    for dtype in [DType::F32, DType::F64] {
        let engine = CandleEngine::new(two_outputs(), Device::Cpu, dtype, Some(1)).unwrap();
        engines.push((format!("candle in {}", dtype.as_str()), Box::new(engine)));
    }
    #[cfg(feature = "emulation")]
    {
        use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
        let engine = CudaEngine::new(Emulated::new(227 << 10, 3), two_outputs()).unwrap();
        engines.push(("CUDA".to_owned(), Box::new(engine)));
    }
    let image = Tensor::zeros((1, 1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let of = |(name, mut engine): (String, Box<dyn Engine>)| {
        engine.set_flat_parameters([&[0.0; 2][..], &outputs[..]].concat()).unwrap();
        let targets = match loss.takes() {
            Takes::Labels => Targets::Labels(&[1]),
            Takes::Values => Targets::Values(&[0.25, 1.0]),
        };
        let metrics = engine.step(&image, targets, loss, &Sgd::new(0.0).unwrap().into()).unwrap();
        (name, metrics.mean_loss(), engine.flat_gradient().unwrap()[2..].to_vec())
    };
    engines.into_iter().map(of).collect()
}

#[test]
fn huge_outputs_have_finite_losses_and_right_gradients() {
    let smoothed = SoftmaxCrossEntropy { label_smoothing: 0.125, class_weights: Some(vec![1.0, 2.0]) };
    let [mean, sigmoid] = [4, 5].map(|i| Loss::examples(2)[i].clone());
    for (loss, size, expected, gradient) in [
        (Loss::default(), 1e4, 2e4, [1.0, -1.0]),
        (Loss::default(), 1e30, 2e30, [1.0, -1.0]),
        // t = (1/16, 2 (7/8 + 1/16)), of a class that weighs 2
        (Loss::SoftmaxCrossEntropy(smoothed), 1e4, 18750.0, [0.9375, -0.9375]),
        (sigmoid.clone(), 1e4, 8750.0, [0.375, -0.5]),
        (sigmoid, 1e30, 8.75e29, [0.375, -0.5]),
        (mean, 1e4, (9999.75f64 * 9999.75 + 10001.0 * 10001.0) / 2.0, [9999.75, -10001.0]),
    ] {
        for (engine, found, found_gradient) in of_outputs([size, -size], &loss) {
            assert!((found - expected).abs() <= 1e-6 * expected, "{loss:?} on {engine}: {found}, not {expected}");
            for (found, expected) in found_gradient.iter().zip(gradient) {
                let error = (found - expected).abs();
                assert!(error <= 1e-6 * expected.abs(), "{loss:?} on {engine}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn not_a_number_is_found_in_the_loss_and_the_gradient() {
    for loss in Loss::examples(2) {
        for (engine, found, gradient) in of_outputs([f32::NAN, 0.5], &loss) {
            assert!(found.is_nan() && gradient[0].is_nan(), "{loss:?} on {engine}: {found}, {gradient:?}");
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
            engine.evaluate(data, &places(0..2), loss, &progress).unwrap_err(),
            engine.check(data, &places(0..2), loss).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.code, code);
            assert!(error.message.starts_with(sentence), "{error}");
        }
    }
    for loss in Loss::examples(OUTPUTS) {
        assert_eq!(engine.check(&both, &places(2..4), &loss), Ok(()), "{loss:?}");
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
