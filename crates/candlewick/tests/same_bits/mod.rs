//! LeNet on the real images: one seed, the same parameters to the last bit, whatever runs it.

#[path = "../fashion_mnist/mod.rs"]
mod fashion_mnist;

use candlewick::activations::Activation;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{Conv2d, Dense, Layer, MaxPool2d};
use candlewick::losses::Loss;
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::simd::InstructionSet;

fn lenet() -> Network {
    let conv =
        |channels| Layer::Conv2d(Conv2d { activation: Some(Activation::Sigmoid), ..Conv2d::new(channels, [5, 5]) });
    let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let dense = |units, activation| Layer::Dense(Dense { activation, ..Dense::new(units) });
    let hidden = |units| dense(units, Some(Activation::Sigmoid));
    let layers = [conv(6), pool.clone(), conv(16), pool, hidden(120), hidden(84), dense(10, None)];
    Network::new(&layers, [1, 28, 28]).unwrap()
}

/// A digest (FNV-1a) of the parameters after one pass over the first `images` images, in batches of 256.
fn train(set: InstructionSet, threads: usize, images: usize) -> u64 {
    let mut engine = LanesEngine::on(set, lenet(), Some(threads)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(&lenet(), 1).unwrap()).unwrap();
    let order: Vec<u32> = (0..images as u32).collect();
    let dataset = fashion_mnist::train(images);
    engine
        .train(&dataset, &order, 256, &Loss::default(), &Sgd::new(0.9).unwrap().into(), &Progress::default())
        .unwrap();
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for (_, tensor) in engine.parameters().unwrap() {
        for value in tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
            for byte in value.to_le_bytes() {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    digest
}

#[test]
fn an_epoch_gives_the_same_bits_on_any_threads_and_instruction_set() {
    let [epoch, part] = [60_000, 10_000].map(|images| (images, train(InstructionSet::chosen().unwrap(), 1, images)));
    for set in InstructionSet::available() {
        // Portable code takes a minute for an epoch.
        let ((images, expected), threads): (_, &[usize]) =
            if set.name() == "portable" { (part, &[2]) } else { (epoch, &[1, 2, 3, 8]) };
        for &threads in threads {
            assert_eq!(train(set, threads, images), expected, "{} on {threads} threads", set.name());
        }
    }
}

/// Measured once with AVX-512. It changes with the order of a sum or of the images, and must change for no other reason:
/// then measure it again, and run scripts/test-aarch64.sh, which holds NEON against it.
const RECORDED: u64 = 0xe794_4a71_d5e9_db68;

#[test]
fn another_kind_of_processor_gives_the_same_bits() {
    let set = InstructionSet::chosen().unwrap();
    let digest = train(set, 2, 2048);
    assert_eq!(digest, RECORDED, "{} gives {digest:#x}", set.name());
}
