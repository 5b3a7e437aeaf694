//! Max pooling changes places with the activation before it (engine/schedule.rs), which must then never decrease.

use candle_core::{Device, Tensor};
use candlewick::activations::Activation;
use candlewick::engine::Engine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::initializers::Initializer;
use candlewick::layers::activation;
use candlewick::layers::{AvgPool2d, Conv2d, Dense, LaneOperation, Layer, MaxPool2d};
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::simd::{InstructionSet, Kernel, LANES, Lane, Lanes};

struct Forward<'a>(Activation, &'a [Lane<f32>], &'a mut [Lane<f32>]);

impl Kernel for Forward<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        activation::Placed { function: self.0 }.forward(l, &[], self.1, self.2, &mut []);
    }
}

/// f of `x`, which is rising, in the same order.
fn apply(set: InstructionSet, activation: Activation, x: &[f32]) -> Vec<f32> {
    let lanes: Vec<Lane<f32>> = x
        .chunks(LANES)
        .map(|x| {
            let mut lane = Lane::splat(f32::INFINITY);
            lane.0[..x.len()].copy_from_slice(x);
            lane
        })
        .collect();
    let mut y = lanes.clone();
    set.run(Forward(activation, &lanes, &mut y));
    y.iter().flat_map(|y| y.0).take(x.len()).collect()
}

/// A grid over all that activations tell apart; and every float32 around the places where the pieces that sigmoid and tanh are
/// made of meet: where the exponential takes another power of two or its least and largest value, and where tanh goes over to
/// its series.
fn inputs() -> Vec<f32> {
    let mut inputs: Vec<f32> = (-100_000..=100_000).map(|i| i as f32 / 1000.0).collect();
    let powers = (-127..=127).flat_map(|n| [0.5, 1.0].map(|half| half * (n as f32 + 0.5) * std::f32::consts::LN_2));
    let others = [0.0, 0.1, 43.5, 87.0, 1e-20, 1e-40, 3e38].into_iter().flat_map(|x| [x, -x]);
    for near in powers.chain(others) {
        let (mut down, mut up) = (near, near);
        for _ in 0..40 {
            inputs.extend([down, up]);
            (down, up) = (down.next_down(), up.next_up());
        }
    }
    inputs.extend([f32::NEG_INFINITY, f32::INFINITY]);
    inputs.sort_by(f32::total_cmp);
    inputs
}

/// All 2³² numbers were looked at once, with AVX-512, whose bits are those of the others: sigmoid never decreases, and tanh at
/// ±0.1 alone, by 11 units in the last place at most. That is within what it is off from the true value there, and so
/// are then the answers of a network in which max pooling came first.
#[test]
fn no_activation_decreases() {
    let x = inputs();
    for activation in Activation::EXAMPLES.iter().copied().filter(|activation| activation.never_decreases()) {
        for set in InstructionSet::available() {
            let y = apply(set, activation, &x);
            assert!(apply(set, activation, &[f32::NAN])[0].is_nan(), "{activation:?} with {}", set.name());
            for (x, y) in x.windows(2).zip(y.windows(2)) {
                let is_seam = activation == Activation::Tanh && x.iter().any(|x| x.abs() == 0.1);
                let fall = if is_seam { 11.0 * f32::EPSILON * 0.0625 } else { 0.0 };
                assert!(y[0] - y[1] <= fall, "{activation:?} of {x:?} is {y:?} with {}", set.name());
            }
        }
    }
}

/// The same network twice: as it is, and with a mean over windows of one between activation and max pooling, which is nothing
/// but keeps them in their places.
fn networks(activation: Activation) -> [Network; 2] {
    let conv = Layer::Conv2d(Conv2d { activation: Some(activation), ..Conv2d::new(3, [3, 3]) });
    let max = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let nothing = Layer::AvgPool2d(AvgPool2d::new([1, 1]));
    let dense = Layer::Dense(Dense::new(2));
    [vec![conv.clone(), max.clone(), dense.clone()], vec![conv, nothing, max, dense]]
        .map(|layers| Network::new(&layers, [1, 8, 8]).unwrap())
}

/// What a network answers, and the gradients of a step.
fn answers(mut engine: impl Engine) -> Vec<f32> {
    engine.set_flat_parameters(Initializer::uniform(0.5).parameters(engine.network(), 1).unwrap()).unwrap();
    let pixels: Vec<f32> = (0..3 * 64).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    let images = Tensor::from_vec(pixels, (3, 1, 8, 8), &Device::Cpu).unwrap();
    let mut answers = vec![engine.predict(&images).unwrap()];
    engine.step(&images, Targets::Labels(&[0, 1, 0]), &Loss::default(), &Sgd::new(0.1).unwrap().into()).unwrap();
    answers.extend(engine.gradients().unwrap().into_iter().map(|(_, gradient)| gradient));
    answers.iter().flat_map(|tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()).collect()
}

#[test]
fn max_pooling_may_come_before_any_activation() {
    for activation in Activation::EXAMPLES.iter().copied() {
        for set in InstructionSet::available() {
            let [found, expected] =
                networks(activation).map(|network| answers(LanesEngine::on(set, network, Some(1)).unwrap()));
            assert_eq!(found, expected, "{activation:?} with {}", set.name());
        }
    }
}

/// The host's functions, which are not ours, may round otherwise.
#[cfg(feature = "emulation")]
#[test]
fn max_pooling_may_come_before_any_activation_of_the_cuda_engine() {
    use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
    for activation in Activation::EXAMPLES.iter().copied() {
        let [found, expected] =
            networks(activation).map(|network| answers(CudaEngine::new(Emulated::new(227 << 10, 3), network).unwrap()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-6, "{activation:?}: {found}, not {expected}");
        }
    }
}
