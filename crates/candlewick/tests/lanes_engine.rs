//! What the CPU engine promises besides right numbers: the same bits however it is run, and errors that name what is wrong.

mod made_up;
mod places;

use candle_core::{Device, Tensor};
use candlewick::activations::Activation;
use candlewick::dataset::Dataset;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress, create};
use candlewick::initializers::Initializer;
use candlewick::layers::{Conv2d, Dense, Layer, MaxPool2d};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use candlewick::simd::InstructionSet;
use candlewick::{Code, Result};
use places::places;

fn network() -> Network {
    let layers = [
        Layer::Conv2d(Conv2d {
            padding: [1, 1].into(),
            activation: Some(Activation::Sigmoid),
            ..Conv2d::new(5, [3, 3])
        }),
        Layer::MaxPool2d(MaxPool2d::new([2, 2])),
        Layer::Dense(Dense { activation: Some(Activation::Tanh), ..Dense::new(13) }),
        Layer::Dense(Dense::new(4)),
    ];
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

const SGD: Sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.01, ..Sgd::PLAIN };

fn sgd() -> Optimizer {
    SGD.into()
}

fn bits(engine: &LanesEngine) -> Vec<u32> {
    let tensors = engine.parameters().unwrap();
    tensors.iter().flat_map(|(_, t)| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).map(f32::to_bits).collect()
}

#[test]
fn the_bits_do_not_depend_on_threads_or_instruction_set() {
    let dataset = dataset(700);
    let order: Vec<u32> = (0..700).rev().collect();
    // 17 leaves a tile of one image, 700 is more tiles than chunks.
    for batch_size in [1, 15, 16, 17, 256, 700] {
        let run = |set, threads| {
            let mut engine = engine(set, threads);
            let order = if batch_size < 15 { &order[..20] } else { &order[..] };
            let metrics =
                engine.train(&dataset, order, batch_size, &Loss::default(), &sgd(), &Progress::default()).unwrap();
            (bits(&engine), metrics.loss.to_bits(), metrics.correct)
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
fn evaluation_counts_what_prediction_says() {
    let dataset = dataset(1100);
    let mut engine = engine(InstructionSet::chosen().unwrap(), 2);
    let images = Tensor::from_slice(dataset.pixels(), (1100, 1, 8, 8), &Device::Cpu).unwrap();
    let logits = engine.predict(&images).unwrap().to_vec2::<f32>().unwrap();
    let (mut loss, mut correct) = (0.0, 0);
    for (z, &label) in logits.iter().zip(dataset.labels()) {
        let z: Vec<f64> = z.iter().map(|z| f64::from(*z)).collect();
        loss += z.iter().map(|z| z.exp()).sum::<f64>().ln() - z[label as usize];
        correct += u64::from(z.iter().all(|other| *other <= z[label as usize]));
    }
    let metrics = engine.evaluate(&dataset, &places(0..1100), &Loss::default(), &Progress::default()).unwrap();
    assert_eq!((metrics.count, metrics.correct), (1100, correct));
    assert!((metrics.loss - loss).abs() < 1e-5 * loss);
    let half = engine.evaluate(&dataset, &places(550..1100), &Loss::default(), &Progress::default()).unwrap();
    assert_eq!(half.count, 550);
    let (one, indices) = (logits.iter().zip(dataset.labels()), [7, 1099, 7, 0, 3]);
    let right: Vec<_> = one.map(|(z, label)| z.iter().all(|other| *other <= z[*label as usize])).collect();
    let few = engine.evaluate(&dataset, &indices, &Loss::default(), &Progress::default()).unwrap();
    assert_eq!(few.correct, indices.iter().filter(|index| right[**index as usize]).count() as u64);
}

#[test]
fn cancelling_stops_between_two_batches() {
    let dataset = dataset(64);
    let progress = Progress::default();
    progress.cancel();
    let mut engine = engine(InstructionSet::chosen().unwrap(), 1);
    let before = bits(&engine);
    let order: Vec<u32> = (0..64).collect();
    assert_eq!(
        engine.train(&dataset, &order, 16, &Loss::default(), &sgd(), &progress).unwrap_err().code,
        Code::Cancelled
    );
    assert_eq!(
        engine.evaluate(&dataset, &places(0..64), &Loss::default(), &progress).unwrap_err().code,
        Code::Cancelled
    );
    assert_eq!((bits(&engine), progress.images()), (before, 0));
}

fn code<T>(result: Result<T>) -> Code {
    result.err().expect("an error").code
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let dataset = dataset(20);
    let mut engine = engine(InstructionSet::chosen().unwrap(), 2);
    let before = bits(&engine);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let one = zeros(&[1, 1, 8, 8]);
    assert_eq!(code(engine.step(&one, Targets::Labels(&[4]), &Loss::default(), &sgd())), Code::LabelOutOfRange);
    assert_eq!(code(engine.step(&one, Targets::Labels(&[0, 1]), &Loss::default(), &sgd())), Code::DataMismatch);
    assert_eq!(
        code(engine.step(&zeros(&[0, 1, 8, 8]), Targets::Labels(&[]), &Loss::default(), &sgd())),
        Code::InvalidArgument
    );
    assert_eq!(
        code(engine.step(&zeros(&[1, 1, 8, 7]), Targets::Labels(&[0]), &Loss::default(), &sgd())),
        Code::InvalidShape
    );
    assert_eq!(code(engine.predict(&zeros(&[1, 64]))), Code::InvalidShape);
    let doubles = one.to_dtype(candle_core::DType::F64).unwrap();
    assert_eq!(code(engine.predict(&doubles)), Code::InvalidArgument);
    let nan = Sgd { learning_rate: f32::NAN, ..SGD }.into();
    let progress = Progress::default();
    assert_eq!(code(engine.step(&one, Targets::Labels(&[0]), &Loss::default(), &nan)), Code::InvalidArgument);
    assert_eq!(code(engine.train(&dataset, &[0], 16, &Loss::default(), &nan, &progress)), Code::InvalidArgument);
    assert_eq!(code(engine.train(&dataset, &[0, 20], 16, &Loss::default(), &sgd(), &progress)), Code::InvalidArgument);
    let five_classes = made_up::dataset(2, [1, 8, 8], |i| 3 + i);
    assert_eq!(
        code(engine.train(&five_classes, &[0, 1], 1, &Loss::default(), &sgd(), &progress)),
        Code::LabelOutOfRange
    );
    assert_eq!(code(engine.evaluate(&five_classes, &places(0..2), &Loss::default(), &progress)), Code::LabelOutOfRange);
    assert_eq!(code(engine.check(&five_classes, &places(1..2), &Loss::default())), Code::LabelOutOfRange);
    assert!(engine.check(&five_classes, &places(0..1), &Loss::default()).is_ok());
    assert_eq!(code(engine.train(&dataset, &[0], 0, &Loss::default(), &sgd(), &progress)), Code::InvalidArgument);
    assert_eq!(code(engine.set_flat_parameters(vec![0.0; 3])), Code::InvalidArgument);
    assert_eq!(code(LanesEngine::new(network(), Some(0))), Code::InvalidArgument);
    assert_eq!(bits(&engine), before);
    assert_eq!(engine.predict(&zeros(&[0, 1, 8, 8])).unwrap().dims(), [0, 4]);
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("an error").message
}

#[test]
fn what_is_refused_is_named() {
    let mut engine = engine(InstructionSet::chosen().unwrap(), 1);
    let progress = Progress::default();
    let (dataset, none) = (dataset(20), Vec::new());
    let other = made_up::dataset(2, [1, 8, 7], |i| i);
    for (found, expected) in [
        (
            message(engine.evaluate(&dataset, &places(15..21), &Loss::default(), &progress)),
            "image 20 was asked for, but there are 20; use 0 to 19",
        ),
        (message(engine.check(&dataset, &[3, u32::MAX], &Loss::default())), "image 4294967295 was asked for"),
        (
            message(engine.evaluate(&other, &places(0..2), &Loss::default(), &progress)),
            "images have shape (1, 8, 7), but this network takes (1, 8, 8)",
        ),
        (
            message(engine.train(&other, &[0], 1, &Loss::default(), &sgd(), &progress)),
            "the dataset's images have shape (1, 8, 7)",
        ),
        (
            message(engine.train(&dataset, &[0], 0, &Loss::default(), &sgd(), &progress)),
            "the batch size is 0; it must be at least 1",
        ),
        (
            message(engine.train(&dataset, &[3, 20], 1, &Loss::default(), &sgd(), &progress)),
            "image 20 was asked for, but there are 20",
        ),
        (message(engine.set_flat_parameters(none)), "0 parameters were given, but the network has 1159"),
        (message(create("fused", "cuda:0", network(), None, InstructionSet::chosen())), "cuda:0 was asked for, but"),
        (message(create("fused", "gpu", network(), None, InstructionSet::chosen())), "device is \"gpu\""),
    ] {
        assert!(found.contains(expected), "{found}");
    }
    assert_eq!(engine.check(&dataset, &[5, 3, 3], &Loss::default()), Ok(()));
    assert_eq!(engine.evaluate(&dataset, &places(20..20), &Loss::default(), &progress).unwrap().count, 0);
    for name in ["fused", "candle"] {
        let engine = create(name, "cpu", network(), Some(1), InstructionSet::chosen());
        assert!(engine.is_ok_and(|engine| engine.network() == &network()), "{name}");
    }
}

#[test]
fn a_network_larger_than_memory_is_refused() {
    // 2³² lanes of 64 bytes a thread are more than any system has addresses for.
    let pool = Layer::MaxPool2d(MaxPool2d::new([1, 1]));
    let network = Network::new(&[pool], [1, 65_535, 65_535]).unwrap();
    assert_eq!(code(LanesEngine::new(network, Some(1024))), Code::OutOfMemory);
}

/// However often the same sixteen images come in a batch, in how many tiles, chunks and rounds, their mean gradient is one.
#[test]
fn repeated_images_have_the_gradient_of_one_tile() {
    let conv = |kernel_size, padding: [usize; 2]| {
        Layer::Conv2d(Conv2d { padding: padding.into(), ..Conv2d::new(4, kernel_size) })
    };
    let dense = Layer::Dense(Dense::new(4));
    for layers in [vec![conv([8, 8], [0, 0])], vec![conv([3, 3], [1, 1]), dense.clone()], vec![dense]] {
        let gradient = |times: usize| {
            let mut engine = LanesEngine::new(Network::new(&layers, [1, 8, 8]).unwrap(), Some(2)).unwrap();
            engine.set_flat_parameters(Initializer::xavier().parameters(engine.network(), 1).unwrap()).unwrap();
            let images = Tensor::from_slice(dataset(16).pixels(), (16, 1, 8, 8), &Device::Cpu).unwrap();
            let images = images.repeat((times, 1, 1, 1)).unwrap();
            engine
                .step(
                    &images,
                    Targets::Labels(&dataset(16).labels().repeat(times).into_iter().map(u32::from).collect::<Vec<_>>()),
                    &Loss::default(),
                    &sgd(),
                )
                .unwrap();
            let gradients = engine.gradients().unwrap();
            gradients.iter().flat_map(|(_, t)| t.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect::<Vec<_>>()
        };
        let expected = gradient(1);
        for times in [16, 17, 32, 64, 65, 128] {
            for (a, b) in expected.iter().zip(gradient(times)) {
                assert!((a - b).abs() < 1e-5, "{layers:?}: {b} for {times} times the images of {a}");
            }
        }
    }
}

#[test]
fn a_new_optimizer_starts_without_velocity() {
    let dataset = dataset(32);
    let order: Vec<u32> = (0..32).collect();
    let step = |engine: &mut LanesEngine| {
        engine.train(&dataset, &order, 32, &Loss::default(), &sgd(), &Progress::default()).unwrap()
    };
    let (mut kept, mut reset) =
        (engine(InstructionSet::chosen().unwrap(), 1), engine(InstructionSet::chosen().unwrap(), 1));
    for engine in [&mut kept, &mut reset] {
        step(engine);
    }
    reset.reset_optimizer().unwrap();
    let mut fresh = engine(InstructionSet::chosen().unwrap(), 1);
    fresh.set_flat_parameters(flat_parameters(&reset)).unwrap();
    for engine in [&mut kept, &mut reset, &mut fresh] {
        step(engine);
    }
    assert_eq!(bits(&reset), bits(&fresh));
    assert_ne!(bits(&kept), bits(&reset));
}

fn flat_parameters(engine: &LanesEngine) -> Vec<f32> {
    bits(engine).into_iter().map(f32::from_bits).collect()
}

#[test]
fn a_step_of_another_optimizer_starts_without_velocity_and_a_refused_one_keeps_it() {
    let dataset = dataset(32);
    let order: Vec<u32> = (0..32).collect();
    let set = InstructionSet::chosen().unwrap();
    let [mut kept, mut back, mut other, mut reset] = [0; 4].map(|_| engine(set, 1));
    let train = |engine: &mut LanesEngine, size| {
        engine.train(&dataset, &order, size, &Loss::default(), &sgd(), &Progress::default())
    };
    for engine in [&mut kept, &mut back, &mut other, &mut reset] {
        train(engine, 32).unwrap();
    }
    back.announce_optimizer(1);
    assert_eq!(code(train(&mut back, 0)), Code::InvalidArgument);
    back.announce_optimizer(0);
    other.announce_optimizer(1);
    reset.reset_optimizer().unwrap();
    for engine in [&mut kept, &mut back, &mut other, &mut reset] {
        train(engine, 32).unwrap();
    }
    assert_eq!(bits(&back), bits(&kept));
    assert_eq!(bits(&other), bits(&reset));
    assert_ne!(bits(&other), bits(&kept));
}

#[test]
fn velocity_takes_memory_with_momentum_only() {
    let bytes = 4 * network().parameter_count();
    let fresh = engine(InstructionSet::chosen().unwrap(), 1);
    assert_eq!(fresh.size(), bytes, "parameters, and no more before there is work");
    let after = |momentum| {
        let mut engine = engine(InstructionSet::chosen().unwrap(), 1);
        engine
            .train(&dataset(16), &[0, 1], 2, &Loss::default(), &Sgd { momentum, ..SGD }.into(), &Progress::default())
            .unwrap();
        engine.size()
    };
    assert!(after(0.0) > 2 * bytes, "the gradient, and the values of a tile");
    assert_eq!(after(0.5) - after(0.0), bytes);
}

#[test]
fn a_network_without_parameters_has_a_loss_and_nothing_to_learn() {
    let pool = Layer::MaxPool2d(MaxPool2d::new([4, 8]));
    let mut engine = LanesEngine::new(Network::new(&[pool], [1, 8, 8]).unwrap(), Some(2)).unwrap();
    let metrics = engine.train(&dataset(20), &[0, 1, 4, 5], 3, &Loss::default(), &sgd(), &Progress::default()).unwrap();
    assert!(metrics.count == 4 && metrics.loss > 0.0, "{metrics:?}");
    assert_eq!(
        metrics.loss,
        engine.train(&dataset(20), &[0, 1, 4, 5], 3, &Loss::default(), &sgd(), &Progress::default()).unwrap().loss
    );
    assert!(engine.parameters().unwrap().is_empty() && engine.gradients().unwrap().is_empty());
}

#[test]
fn parameters_and_gradients_go_by_name_and_come_back() {
    let (mut from, mut to) =
        (engine(InstructionSet::chosen().unwrap(), 1), engine(InstructionSet::chosen().unwrap(), 1));
    let zeros = from.gradients().unwrap();
    assert_eq!(zeros.len(), 6);
    assert!(zeros.iter().all(|(_, t)| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().all(|g| *g == 0.0)));
    from.train(&dataset(32), &[0, 1, 2], 3, &Loss::default(), &sgd(), &Progress::default()).unwrap();
    assert_ne!(bits(&from), bits(&to));
    to.set_parameters(&from.parameters().unwrap().into_iter().collect()).unwrap();
    assert_eq!(bits(&from), bits(&to));
    let names = |tensors: Vec<(String, Tensor)>| tensors.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(from.gradients().unwrap()), names(from.parameters().unwrap()));
}

/// A part of a tensor shares its memory, and begins in the midst of it.
#[test]
fn a_part_of_a_tensor_is_that_part() {
    let mut engine = engine(InstructionSet::chosen().unwrap(), 1);
    let bytes = Tensor::from_slice(dataset(20).pixels(), (20, 1, 8, 8), &Device::Cpu).unwrap();
    for images in [bytes.clone(), (bytes.to_dtype(candle_core::DType::F32).unwrap() / 255.0).unwrap()] {
        let all = engine.predict(&images).unwrap().to_vec2::<f32>().unwrap();
        let part = engine.predict(&images.narrow(0, 3, 2).unwrap()).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(part, all[3..5]);
    }
}
