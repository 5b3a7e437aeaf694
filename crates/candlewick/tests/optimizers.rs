//! What an engine makes of an optimiser's rates, of clipping and of averages, on every engine.

mod places;

use candle_core::{DType, Device, Tensor};
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::candle::CandleEngine;
#[cfg(feature = "emulation")]
use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{Conv2d, Dense, Layer, MaxPool2d};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::{Adam, AdamW, Averaging, Decay, Ema, Optimizer, Rate, Sgd};
use candlewick::simd::InstructionSet;
use places::places;

const COUNT: usize = 90;

fn network() -> Network {
    let layers = [
        Layer::Conv2d(Conv2d::new(3, [3, 3])),
        Layer::MaxPool2d(MaxPool2d::new([2, 2])),
        Layer::Dense(Dense::new(20)),
        Layer::Dense(Dense::new(5)),
    ];
    Network::new(&layers, [1, 8, 8]).unwrap()
}

fn dataset() -> Dataset {
    let mut builder = DatasetBuilder::new(COUNT, [1, 8, 8]).unwrap();
    builder.push_pixels(&(0..COUNT * 64).map(|i| (i * i * 31 % 251) as u8).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&(0..COUNT).map(|i| (i * 7 % 5) as u16).collect::<Vec<_>>()).unwrap();
    builder.finish().unwrap()
}

fn begun<E: Engine>(mut engine: E) -> E {
    engine.set_flat_parameters(Initializer::xavier().parameters(engine.network(), 1).unwrap()).unwrap();
    engine
}

/// Each of them anew, from the same parameters.
fn engines() -> Vec<(&'static str, Box<dyn Engine>)> {
    let candle = CandleEngine::new(network(), Device::Cpu, DType::F32, Some(1)).unwrap();
    let mut engines: Vec<(_, Box<dyn Engine>)> =
        vec![("lanes", Box::new(LanesEngine::new(network(), Some(2)).unwrap())), ("candle", Box::new(candle))];
    #[cfg(feature = "emulation")]
    engines.push(("CUDA", Box::new(CudaEngine::new(Emulated::new(227 << 10, 3), network()).unwrap())));
    for (_, engine) in &mut engines {
        engine.set_flat_parameters(Initializer::xavier().parameters(&network(), 1).unwrap()).unwrap();
    }
    engines
}

/// Three steps, of 40, 40 and 10 images.
fn train(engine: &mut dyn Engine, optimizer: &Optimizer) {
    let order: Vec<u32> = (0..COUNT as u32).collect();
    engine.train(&dataset(), &order, 40, &Loss::default(), optimizer, &Progress::default()).unwrap();
}

/// The same steps, one at a time.
fn train_by_steps(engine: &mut dyn Engine, optimizers: [Optimizer; 3]) {
    let order: Vec<u32> = (0..COUNT as u32).collect();
    for (batch, optimizer) in order.chunks(40).zip(optimizers) {
        engine.train(&dataset(), batch, 40, &Loss::default(), &optimizer, &Progress::default()).unwrap();
    }
}

fn parameters(engine: &dyn Engine) -> Vec<f32> {
    engine.flat_parameters().unwrap().into_owned()
}

fn averaged(optimizer: Optimizer) -> Optimizer {
    Optimizer { averaging: Some(Averaging::Ema(Ema { decay: 0.3 })), ..optimizer }
}

fn momentum() -> Sgd {
    Sgd { learning_rate: 0.5, momentum: 0.9, nesterov: true, weight_decay: 0.1 }
}

#[test]
fn rates_are_those_of_the_steps() {
    let given = [(0.5, 0.9), (0.25, 0.5), (0.125, 0.25)];
    let rates = given.map(|(learning_rate, momentum)| Rate { learning_rate, momentum: Some(momentum) });
    let sgd = |learning_rate, momentum: f64| Sgd { learning_rate, momentum: momentum as f32, ..self::momentum() };
    let adam = |learning_rate, beta1| Adam { learning_rate, beta1, epsilon: 0.01, ..Adam::default() };
    let adam_w = |learning_rate, beta1| AdamW { learning_rate, beta1, epsilon: 0.01, ..AdamW::default() };
    let cases: [(Optimizer, [Optimizer; 3]); 3] = [
        (sgd(7.0, 0.0).into(), given.map(|(rate, momentum)| sgd(rate, momentum).into())),
        (adam(7.0, 0.99).into(), given.map(|(rate, momentum)| adam(rate, momentum).into())),
        (adam_w(7.0, 0.99).into(), given.map(|(rate, momentum)| adam_w(rate, momentum).into())),
    ];
    for (scheduled, each) in cases {
        let scheduled = Optimizer { rates: rates.to_vec(), ..scheduled };
        for ((name, mut one), (_, mut other)) in engines().into_iter().zip(engines()) {
            train(&mut *one, &scheduled);
            train_by_steps(&mut *other, each.clone());
            let kind = scheduled.kind();
            assert!(parameters(&*one) == parameters(&*other), "{kind} on {name}");
            train(&mut *one, &scheduled);
            train_by_steps(&mut *other, each.clone());
            assert!(parameters(&*one) == parameters(&*other), "{kind} on {name}, in a second epoch");
        }
    }
}

#[test]
fn rates_of_other_steps_are_refused() {
    let rates = vec![Rate { learning_rate: 0.5, momentum: None }; 2];
    for (name, mut engine) in engines() {
        let (order, before) = ((0..COUNT as u32).collect::<Vec<_>>(), parameters(&*engine));
        let optimizer = Optimizer { rates: rates.clone(), ..momentum().into() };
        let refused =
            engine.train(&dataset(), &order, 40, &Loss::default(), &optimizer, &Progress::default()).unwrap_err();
        assert_eq!(refused.message, "2 rates were given for 3 steps; each step needs one", "{name}");
        let images = Tensor::zeros((1, 1, 8, 8), DType::F32, &Device::Cpu).unwrap();
        assert!(engine.step(&images, Targets::Labels(&[0]), &Loss::default(), &optimizer).is_err(), "{name}");
        assert_eq!(parameters(&*engine), before);
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// By plain descent, a parameter moves by its clipped gradient.
#[test]
fn a_step_is_no_longer_than_the_clip_norm() {
    let plain = Optimizer::from(Sgd { learning_rate: 1.0, ..Sgd::PLAIN });
    for (name, mut engine) in engines() {
        let (before, clipped) = (parameters(&*engine), Optimizer { clip_norm: Some(0.125), ..plain.clone() });
        let images = Tensor::from_slice(dataset().pixels(), (COUNT, 1, 8, 8), &Device::Cpu).unwrap();
        let labels: Vec<u32> = dataset().labels().iter().map(|label| u32::from(*label)).collect();
        engine.step(&images, Targets::Labels(&labels), &Loss::default(), &clipped).unwrap();
        let gradient = engine.flat_gradient().unwrap().into_owned();
        let scale = 0.125 / (norm(&gradient) + 1e-6);
        assert!(scale < 0.5, "{scale} is to be told from 1");
        for ((after, before), g) in parameters(&*engine).iter().zip(&before).zip(&gradient) {
            assert!((f64::from(before - after) - scale * f64::from(*g)).abs() < 1e-7, "{name}");
        }
    }
    let wide = Optimizer { clip_norm: Some(1e6), ..plain.clone() };
    for ((name, mut one), (_, mut other)) in engines().into_iter().zip(engines()) {
        train(&mut *one, &wide);
        train(&mut *other, &plain);
        assert!(parameters(&*one) == parameters(&*other), "{name}: a norm that is within it changes nothing");
    }
}

/// What is lost is lost as PyTorch loses it, and soon seen.
#[test]
fn a_norm_that_is_no_number_leaves_none() {
    let clipped = Optimizer { clip_norm: Some(1.0), ..Sgd { learning_rate: 1.0, ..Sgd::PLAIN }.into() };
    for (name, mut engine) in engines() {
        let images = Tensor::full(f32::NAN, (1, 1, 8, 8), &Device::Cpu).unwrap();
        engine.step(&images, Targets::Labels(&[0]), &Loss::default(), &clipped).unwrap();
        assert!(parameters(&*engine).iter().all(|w| w.is_nan()), "{name}");
    }
}

/// Training goes on as without an average, which is that of the parameters on their way.
#[test]
fn an_average_follows_the_parameters() {
    let plain = Optimizer::from(momentum());
    for ((name, mut engine), (_, mut raw)) in engines().into_iter().zip(engines()) {
        let mut expected: Vec<f64> = parameters(&*raw).iter().map(|w| f64::from(*w)).collect();
        let order: Vec<u32> = (0..COUNT as u32).collect();
        for (number, batch) in (1u32..).zip(order.chunks(18)) {
            engine
                .train(&dataset(), batch, 18, &Loss::default(), &averaged(plain.clone()), &Progress::default())
                .unwrap();
            raw.train(&dataset(), batch, 18, &Loss::default(), &plain, &Progress::default()).unwrap();
            let share = 1.0 - (f64::from(1 + number) / f64::from(10 + number)).min(0.3);
            for (average, w) in expected.iter_mut().zip(parameters(&*raw)) {
                *average += share * (f64::from(w) - *average);
            }
            for (found, expected) in parameters(&*engine).iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{name}, step {number}: {found}, not {expected}");
            }
        }
        check_answers(name, &mut *engine);
        engine.train(&dataset(), &order, 90, &Loss::default(), &plain, &Progress::default()).unwrap();
        raw.train(&dataset(), &order, 90, &Loss::default(), &plain, &Progress::default()).unwrap();
        assert!(parameters(&*engine) == parameters(&*raw), "{name}: the parameters were never the average");
    }
}

/// Holds answers to be those of another engine that has the averaged parameters for its own.
fn check_answers(name: &str, engine: &mut dyn Engine) {
    let mut all = engines();
    let (_, other) = all.iter_mut().find(|(other, _)| *other == name).unwrap();
    other.set_flat_parameters(parameters(engine)).unwrap();
    let images = Tensor::from_slice(dataset().pixels(), (COUNT, 1, 8, 8), &Device::Cpu).unwrap();
    let [found, expected] =
        [engine.predict(&images), other.predict(&images)].map(|logits| logits.unwrap().to_vec2::<f32>().unwrap());
    assert!(found == expected, "{name}: predictions");
    let [found, expected] = [engine, &mut **other]
        .map(|engine| engine.evaluate(&dataset(), &places(0..COUNT), &Loss::default(), &Progress::default()).unwrap());
    assert_eq!((found.loss, found.correct), (expected.loss, expected.correct), "{name}: evaluation");
}

#[test]
fn other_parameters_and_other_optimizers_begin_an_average_anew() {
    for (name, mut engine) in engines() {
        train(&mut *engine, &averaged(momentum().into()));
        let other = Initializer::xavier().parameters(&network(), 2).unwrap();
        engine.set_flat_parameters(other.clone()).unwrap();
        assert_eq!(parameters(&*engine), other, "{name}");
        let rest = averaged(Sgd { learning_rate: 0.0, ..Sgd::PLAIN }.into());
        engine.announce_optimizer(5);
        train(&mut *engine, &rest);
        assert_eq!(parameters(&*engine), other, "{name}: an average of parameters at rest");
        engine.announce_optimizer(6);
        train(&mut *engine, &Sgd { learning_rate: 0.5, ..Sgd::PLAIN }.into());
        let moved = parameters(&*engine);
        assert_ne!(moved, other, "{name}: without an average, they are the parameters themselves");
        engine.announce_optimizer(7);
        train(&mut *engine, &rest);
        assert_eq!(parameters(&*engine), moved, "{name}: it begins where they are");
    }
}

#[test]
fn the_bits_do_not_depend_on_threads_or_instruction_set() {
    let adam_w = Optimizer { decay: Decay::Weights, ..AdamW { learning_rate: 0.01, ..AdamW::default() }.into() };
    for optimizer in [momentum().into(), adam_w] {
        let optimizer = Optimizer { clip_norm: Some(0.01), ..averaged(optimizer) };
        let run = |set, threads| {
            let mut engine = begun(LanesEngine::on(set, network(), Some(threads)).unwrap());
            train(&mut engine, &optimizer);
            parameters(&engine).into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let expected = run(InstructionSet::chosen().unwrap(), 1);
        for set in InstructionSet::available() {
            for threads in [1, 2, 5] {
                assert!(run(set, threads) == expected, "{} on {threads} threads", set.name());
            }
        }
    }
}
