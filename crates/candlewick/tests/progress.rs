//! Long work as others see it: how far it is, and that it can be stopped.

mod made_up;
mod places;

use candlewick::dataset::Dataset;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::layers::{Dense, Layer};
use candlewick::losses::Loss;
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::{Code, Result};
use places::places;

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 1, 1], |_| 1)
}

fn engine(units: usize) -> LanesEngine {
    let network = Network::new(&[Layer::Dense(Dense::new(units))], [1, 1, 1]).unwrap();
    LanesEngine::new(network, Some(2)).unwrap()
}

/// Cancels as soon as the work has begun.
fn cancelled_underway<T>(work: impl FnOnce(&Progress) -> Result<T>) -> (Option<Code>, u64) {
    let progress = Progress::default();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.images() == 0 {
                std::thread::yield_now();
            }
            progress.cancel();
        });
        work(&progress)
    });
    (outcome.err().map(|error| error.code), progress.images())
}

#[test]
fn images_are_counted() {
    let (dataset, mut engine, progress) = (dataset(2500), engine(3), Progress::default());
    let order: Vec<u32> = (0..2500).collect();
    let sgd = Sgd::new(0.1).unwrap().into();
    engine.train(&dataset, &order, 64, &Loss::default(), &sgd, &progress).unwrap();
    assert_eq!(progress.images(), 2500);
    engine.evaluate(&dataset, &places(100..2300), &Loss::default(), &progress).unwrap();
    assert_eq!(progress.images(), 2200);
}

#[test]
fn what_is_cancelled_before_it_begins_does_nothing() {
    let (dataset, mut engine, progress) = (dataset(100), engine(3), Progress::default());
    progress.cancel();
    let before = engine.parameters().unwrap()[0].1.to_vec2::<f32>().unwrap();
    let trained = engine.train(&dataset, &[0, 1, 2], 2, &Loss::default(), &Sgd::new(0.1).unwrap().into(), &progress);
    assert_eq!(trained.unwrap_err().code, Code::Cancelled);
    assert_eq!(
        engine.evaluate(&dataset, &places(0..100), &Loss::default(), &progress).unwrap_err().code,
        Code::Cancelled
    );
    assert_eq!(engine.parameters().unwrap()[0].1.to_vec2::<f32>().unwrap(), before);
    assert_eq!(progress.images(), 0);
}

#[test]
fn training_and_evaluation_stop_on_their_way() {
    const COUNT: usize = 2_000_000; // seconds of work
    let (dataset, mut engine) = (dataset(COUNT), engine(1000));
    let (code, done) =
        cancelled_underway(|progress| engine.evaluate(&dataset, &places(0..COUNT), &Loss::default(), progress));
    assert_eq!(code, Some(Code::Cancelled));
    assert!(done < COUNT as u64);
    let order: Vec<u32> = (0..COUNT as u32).collect();
    let sgd = Sgd::new(0.1).unwrap().into();
    let (code, done) =
        cancelled_underway(|progress| engine.train(&dataset, &order, 16, &Loss::default(), &sgd, progress));
    assert_eq!(code, Some(Code::Cancelled));
    assert!(done < COUNT as u64);
}
