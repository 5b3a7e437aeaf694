//! A step takes no memory from the system once the first is done: training for long is as safe as training for a moment.

mod made_up;

use candlewick::activations::Activation;
use candlewick::dataset::Dataset;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{BatchNorm, Conv2d, Dense, Layer, MaxPool2d, Residual};
use candlewick::losses::Loss;
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, with a count of the calls of all threads.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Whose batches are visited in passes.
fn normalised() -> Network {
    let conv = || Layer::Conv2d(Conv2d { padding: [1, 1].into(), ..Conv2d::new(5, [3, 3]) });
    let norm = || Layer::BatchNorm(BatchNorm::default());
    let block = Layer::Residual(Residual { body: vec![conv(), norm()], shortcut: Vec::new() });
    Network::new(&[conv(), norm(), block, Layer::Dense(Dense::new(4))], [1, 8, 8]).unwrap()
}

fn network() -> Network {
    let conv = Layer::Conv2d(Conv2d {
        padding: [1, 1].into(),
        activation: Some(Activation::Sigmoid),
        ..Conv2d::new(5, [3, 3])
    });
    let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let dense = |units, activation| Layer::Dense(Dense { activation, ..Dense::new(units) });
    Network::new(&[conv, pool, dense(30, Some(Activation::Relu)), dense(4, None)], [1, 8, 8]).unwrap()
}

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 8, 8], |i| i % 4)
}

#[test]
fn a_step_allocates_nothing() {
    let dataset = dataset(64 * 100);
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN }.into();
    for network in [network(), normalised()] {
        let mut engine = LanesEngine::new(network.clone(), Some(2)).unwrap();
        engine.set_flat_parameters(Initializer::xavier().parameters(&network, 1).unwrap()).unwrap();
        let mut calls = |steps: u32| {
            let order: Vec<u32> = (0..64 * steps).collect();
            let before = CALLS.load(Ordering::Relaxed);
            engine.train(&dataset, &order, 64, &Loss::default(), &sgd, &Progress::default()).unwrap();
            CALLS.load(Ordering::Relaxed) - before
        };
        calls(1);
        // What a call takes at its start does not grow with its steps; a few are for the queues in which work waits for threads.
        let (one, hundred) = (calls(1), calls(100));
        let few = 20 * network.layers.len();
        assert!(hundred < one + few, "a call of one step allocates {one} times, one of a hundred {hundred} times");
    }
}
