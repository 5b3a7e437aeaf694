//! Trainings that are paused, saved and gone on with: they come to the very bits of one that never was.

mod all_engines;
mod made_up;
mod places;

use candlewick::Code;
use candlewick::activations::Activation;
use candlewick::augmentations::{Augment, Augmentation, Mixup, RandomFlip, RandomShift};
use candlewick::dataset::Dataset;
use candlewick::engine::{Engine, Progress, Training};
use candlewick::layers::{BatchNorm, Conv2d, Dense, Dropout, Layer};
use candlewick::losses::Loss;
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::{Adam, Averaging, Ema, Method, Optimizer, Rate, Sgd};
use places::places;

const IMAGES: usize = 83;

/// What a training must not lose: statistics, masks, moments, an average.
fn network() -> Network {
    let relu = Some(Activation::Relu);
    let layers = [
        Layer::Conv2d(Conv2d::new(8, [3, 3])),
        Layer::BatchNorm(BatchNorm::default()),
        Layer::Dropout(Dropout { rate: 0.3 }),
        Layer::Dense(Dense { activation: relu, ..Dense::new(6) }),
        Layer::Dense(Dense::new(3)),
    ];
    Network::new(&layers, [1, 6, 6]).unwrap()
}

fn engines() -> Vec<(&'static str, Box<dyn Engine>)> {
    let mut engines = all_engines::engines(&network());
    engines.iter_mut().for_each(|(_, engine)| engine.set_seed(7));
    engines
}

/// Each with rates of its own for the 42 steps of an epoch, so that a step at the wrong place shows.
fn optimizers() -> [Optimizer; 2] {
    let averaging = Some(Averaging::Ema(Ema { decay: 0.9 }));
    let adam = Method::Adam(Adam { learning_rate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 1e-4, weight_decay: 0.01 });
    let sgd = Method::Sgd(Sgd { momentum: 0.9, nesterov: true, ..Sgd::PLAIN });
    let rate =
        |place: usize| Rate { learning_rate: 0.001 * (place % 7) as f32, momentum: Some(0.8 + 0.004 * place as f64) };
    let rates: Vec<_> = (0..IMAGES.div_ceil(2)).map(rate).collect();
    [
        Optimizer { averaging, rates: rates.clone(), ..Optimizer::new(adam) },
        Optimizer { clip_norm: Some(0.5), rates, ..Optimizer::new(sgd) },
    ]
}

fn dataset() -> Dataset {
    made_up::dataset(IMAGES, [1, 6, 6], |i| i % 3)
}

/// All that a training came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    metrics: Metrics,
    shown: Vec<u32>,
    parameters: Vec<u32>,
}

fn outcome(engine: &dyn Engine, metrics: Metrics) -> Outcome {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    let snapshot = engine.snapshot().unwrap();
    Outcome { metrics, shown: bits(&engine.flat_parameters().unwrap()), parameters: bits(&snapshot.parameters) }
}

const FLIP: Augmentation = Augmentation::RandomFlip(RandomFlip {});
const SHIFT: Augmentation = Augmentation::RandomShift(RandomShift { pixels: 1 });
const MIXUP: Augmentation = Augmentation::Mixup(Mixup { alpha: 0.4 });

fn augment(augmentations: &[Augmentation]) -> Augment {
    Augment { augmentations: augmentations.to_vec(), seed: 3, epoch: 2 }
}

fn with_training<R>(optimizer: &Optimizer, augment: Option<&Augment>, work: impl FnOnce(&Training<'_>) -> R) -> R {
    let (dataset, loss) = (dataset(), Loss::default());
    let order: Vec<u32> = (0..IMAGES as u32).map(|i| i * 5 % IMAGES as u32).collect();
    work(&Training {
        dataset: &dataset,
        order: &order,
        batch_size: 2,
        loss: &loss,
        optimizer,
        augment,
        partners: &order,
    })
}

#[test]
fn a_training_that_pauses_or_moves_to_another_engine_comes_to_the_same_bits() {
    let mixing = augment(&[FLIP, MIXUP]);
    for (optimizer, augment) in optimizers().into_iter().zip([None, Some(&mixing)]) {
        let trained = |(name, engine)| (name, train(engine, &optimizer, augment));
        let whole: Vec<_> = engines().into_iter().map(trained).collect();
        for ((name, expected), (_, mut engine)) in whole.into_iter().zip(engines()) {
            let (progress, mut metrics, mut turns) = (Progress::default(), Metrics::default(), 0);
            progress.pause(true);
            with_training(&optimizer, augment, |training| {
                while metrics.count < IMAGES as u64 {
                    engine.announce_optimizer(9);
                    engine.train_on(training, &progress, &mut metrics).unwrap();
                    turns += 1;
                    // Answers in between are those of whole parameters, and change nothing.
                    engine.evaluate(training.dataset, &places(0..5), training.loss, &Progress::default()).unwrap();
                    let (snapshot, mut others) = (engine.snapshot().unwrap(), engines());
                    let at = others.iter().position(|(other, _)| *other == name).unwrap();
                    engine = others.swap_remove(at).1;
                    engine.set_seed(1);
                    engine.restore(&snapshot, 9).unwrap();
                    assert_eq!(engine.snapshot().unwrap(), snapshot, "{name}");
                }
            });
            assert!(turns > 1, "{name} never paused");
            assert_eq!(outcome(&*engine, metrics), expected, "{name}, {}", optimizer.kind());
        }
    }
}

fn train(mut engine: Box<dyn Engine>, optimizer: &Optimizer, augment: Option<&Augment>) -> Outcome {
    let mut metrics = Metrics::default();
    engine.announce_optimizer(9);
    with_training(optimizer, augment, |training| {
        engine.train_on(training, &Progress::default(), &mut metrics).unwrap();
    });
    outcome(&*engine, metrics)
}

#[test]
fn evaluation_pauses_too() {
    let dataset = made_up::dataset(9000, [1, 6, 6], |i| i % 3);
    for (name, mut engine) in engines() {
        let whole = engine.evaluate(&dataset, &places(3..8990), &Loss::default(), &Progress::default()).unwrap();
        let (progress, mut metrics, mut turns) = (Progress::default(), Metrics::default(), 0);
        progress.pause(true);
        while metrics.count < whole.count {
            engine.evaluate_on(&dataset, &places(3..8990), &Loss::default(), &progress, &mut metrics, None).unwrap();
            assert_eq!((progress.images(), progress.loss()), (metrics.count, metrics.mean_loss()));
            turns += 1;
        }
        assert_eq!(metrics, whole, "{name}");
        assert!(turns > 1, "{name}");
    }
}

#[test]
fn images_are_augmented_batch_by_batch_as_all_at_once() {
    let sgd = Sgd::new(0.1).unwrap().into();
    let with = |augment: Augment| engines().into_iter().map(move |engine| (engine, augment.clone()));
    for ((name, mut engine), augment) in with(augment(&[FLIP, SHIFT])).chain(with(augment(&[FLIP, SHIFT, MIXUP]))) {
        let mut metrics = Metrics::default();
        let expected = with_training(&sgd, None, |training| {
            let before = training.dataset.augmented(training.order, &augment, training.order, None).unwrap();
            let order: Vec<u32> = (0..IMAGES as u32).collect();
            let training = Training { dataset: &before, order: &order, partners: &[], ..*training };
            let [(_, mut other)] = [engines().into_iter().find(|(other, _)| *other == name).unwrap()];
            let mut metrics = Metrics::default();
            other.train_on(&training, &Progress::default(), &mut metrics).unwrap();
            outcome(&*other, metrics)
        });
        with_training(&sgd, Some(&augment), |training| {
            engine.train_on(training, &Progress::default(), &mut metrics).unwrap();
        });
        assert_eq!(outcome(&*engine, metrics), expected, "{name}");
        let plain = with_training(&sgd, None, |training| {
            engine.train_on(training, &Progress::default(), &mut Metrics::default())
        });
        plain.unwrap();
    }
}

#[test]
fn what_is_done_is_not_done_again() {
    for (name, mut engine) in engines() {
        with_training(&Sgd::new(0.1).unwrap().into(), None, |training| {
            let mut metrics = Metrics::default();
            engine.train_on(training, &Progress::default(), &mut metrics).unwrap();
            let (before, snapshot) = (metrics, engine.snapshot().unwrap());
            engine.train_on(training, &Progress::default(), &mut metrics).unwrap();
            assert_eq!((metrics, engine.snapshot().unwrap()), (before, snapshot), "{name}");
            let indices: Vec<u32> = (0..IMAGES as u32).collect();
            let whole = engine.evaluate(training.dataset, &indices, training.loss, &Progress::default()).unwrap();
            let mut again = whole;
            engine
                .evaluate_on(training.dataset, &indices, training.loss, &Progress::default(), &mut again, None)
                .unwrap();
            assert_eq!(again, whole, "{name}");
        });
    }
}

#[test]
fn only_whole_batches_are_gone_on_with() {
    for (name, mut engine) in engines() {
        with_training(&Sgd::new(0.1).unwrap().into(), None, |training| {
            for count in [1, IMAGES as u64 + 1] {
                let mut metrics = Metrics { count, ..Metrics::default() };
                let error = engine.train_on(training, &Progress::default(), &mut metrics).unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument, "{name}");
                assert!(error.message.contains("no whole batches of 2 out of 83"), "{error}");
            }
        });
    }
}

/// As JavaScript has it trained where somebody waits for the network.
#[test]
fn an_order_in_parts_comes_to_the_same_bits() {
    let sgd = Sgd::new(0.1).unwrap().into();
    let mixing = augment(&[FLIP, MIXUP]);
    for ((name, mut engine), (_, whole)) in engines().into_iter().zip(engines()) {
        let (mut metrics, expected) = (Metrics::default(), train(whole, &sgd, Some(&mixing)));
        with_training(&sgd, Some(&mixing), |training| {
            engine.announce_optimizer(9);
            for end in [16, 40, IMAGES] {
                let part = Training { order: &training.order[..end], ..*training };
                engine.train_on(&part, &Progress::default(), &mut metrics).unwrap();
            }
        });
        let found = outcome(&*engine, metrics);
        assert_eq!((found.shown, found.parameters), (expected.shown, expected.parameters), "{name}");
    }
}

#[test]
fn what_is_done_may_be_mixed_into_the_rest_and_is_checked_with_it() {
    let (odd, mixing) = (made_up::dataset(IMAGES, [1, 6, 6], |i| if i == 0 { 3 } else { i % 3 }), augment(&[MIXUP]));
    let sgd = Sgd::new(0.1).unwrap().into();
    for (name, mut engine) in engines() {
        with_training(&sgd, Some(&mixing), |training| {
            let training = Training { dataset: &odd, ..*training };
            let mut metrics = Metrics { count: 2, ..Metrics::default() };
            let error = engine.train_on(&training, &Progress::default(), &mut metrics).unwrap_err();
            assert_eq!(error.code, Code::LabelOutOfRange, "{name}");
        });
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_a_training_before_its_step_and_says_where_it_began() {
    // Of parameters this large, the third layer's products leave float32.
    let large = |network: &Network| -> Vec<f32> {
        let mut values = vec![0.0; network.parameter_count()];
        for p in &network.parameters {
            let value = if p.name.starts_with("dense") { 1e30 } else { 1.0 };
            values[p.range.clone()].fill(value);
        }
        values
    };
    for (name, mut engine) in engines() {
        engine.set_flat_parameters(large(&network())).unwrap();
        let before = engine.snapshot().unwrap();
        let mut metrics = Metrics::default();
        let error = with_training(&Sgd::new(0.25).unwrap().into(), None, |training| {
            engine.train_on(training, &Progress::default(), &mut metrics).unwrap_err()
        });
        assert_eq!(error.code, Code::Diverged, "{name}: {error}");
        assert!(error.message.starts_with("the loss of step 1 is "), "{name}: {error}");
        assert!(error.message.contains(", at a learning rate of 0.25: "), "{name}: {error}");
        if name == "cuda" {
            continue; // some steps later
        }
        assert!(error.message.contains("the first numbers that are not finite come out of dense1"), "{name}: {error}");
        assert_eq!(metrics.count, 0, "{name}");
        let after = engine.snapshot().unwrap();
        assert_eq!((after.parameters, after.steps, after.batches), (before.parameters, 0, 0), "{name}");
    }
}

#[test]
fn parameters_that_are_not_finite_are_named() {
    for (name, mut engine) in engines() {
        let mut values = vec![0.5; network().parameter_count()];
        let place = network().parameters.iter().find(|p| p.name == "dense0.bias").unwrap().range.start;
        values[place] = f32::NAN;
        engine.set_flat_parameters(values).unwrap();
        let error = with_training(&Sgd::new(0.25).unwrap().into(), None, |training| {
            engine.train_on(training, &Progress::default(), &mut Metrics::default()).unwrap_err()
        });
        let parameter = if name == "cuda" { "holds numbers that are not finite" } else { "dense0.bias holds numbers" };
        assert!(error.message.contains(parameter), "{name}: {error}");
    }
}
