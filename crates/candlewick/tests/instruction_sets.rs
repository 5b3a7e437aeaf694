//! Networks of any shape give the same bits on every instruction set that this processor has. The wide register tiles of
//! AVX-512 are so held against the small ones of portable code, and those against finite differences where the layers are.

use candlewick::activations::Activation;
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::simd::InstructionSet;
use proptest::prelude::*;

fn activation() -> impl Strategy<Value = Option<Activation>> {
    prop::option::of(prop::sample::select(Activation::EXAMPLES.to_vec()))
}

fn conv() -> impl Strategy<Value = Layer> {
    let pair = |least: usize, most: usize| [least..=most, least..=most];
    let channels = prop_oneof![4 => 1usize..=13, 1 => 14usize..=128];
    (channels, pair(1, 7), pair(1, 3), pair(0, 3), activation()).prop_map(
        |(channels, kernel_size, strides, padding, activation)| {
            Layer::Conv2d(Conv2d { channels, kernel_size, strides, padding, activation })
        },
    )
}

fn pool() -> impl Strategy<Value = Layer> {
    ([1usize..=3, 1..=3], [1usize..=3, 1..=3], any::<bool>()).prop_map(|(pool_size, strides, max)| {
        if max {
            Layer::MaxPool2d(MaxPool2d { pool_size, strides })
        } else {
            Layer::AvgPool2d(AvgPool2d { pool_size, strides })
        }
    })
}

fn dense() -> impl Strategy<Value = Layer> {
    (1usize..=21, activation()).prop_map(|(units, activation)| Layer::Dense(Dense { units, activation }))
}

/// One to three layers of images, up to two dense ones; not all of them fit together.
fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let of_images = prop::collection::vec(prop_oneof![3 => conv(), 1 => pool()], 1..=3);
    (of_images, prop::collection::vec(dense(), 0..=2)).prop_map(|(mut layers, dense)| {
        layers.extend(dense);
        layers
    })
}

fn dataset(count: usize, shape: [usize; 3], classes: usize) -> Dataset {
    let mut builder = DatasetBuilder::new(count, shape).unwrap();
    let values = count * shape.iter().product::<usize>();
    builder.push_pixels(&(0..values).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&(0..count).map(|i| (i % classes) as u8).collect::<Vec<_>>()).unwrap();
    builder.finish().unwrap()
}

/// Two steps' gradient and loss, in bits.
fn train(set: InstructionSet, network: &Network, dataset: &Dataset, batch_size: usize) -> Vec<u64> {
    let mut engine = LanesEngine::on(set, network.clone(), Some(2)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(network, 7).unwrap()).unwrap();
    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01 }.into();
    let metrics = engine.train(dataset, &order, batch_size, &sgd, &Progress::default()).unwrap();
    let mut bits = vec![metrics.loss.to_bits(), metrics.correct];
    for (_, tensor) in engine.gradients().unwrap().iter().chain(&engine.parameters().unwrap()) {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        bits.extend(values.iter().map(|v| u64::from(v.to_bits())));
    }
    bits
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn give_the_same_bits(
        layers in layers(),
        shape in (1usize..=7, 3usize..=11, 3usize..=11),
        batch_size in 1usize..=35,
    ) {
        let shape = [shape.0, shape.1, shape.2];
        let network = Network::new(&layers, shape);
        prop_assume!(network.is_ok());
        let network = network.unwrap();
        let dataset = dataset(2 * batch_size, shape, network.classes());
        let expected = train(InstructionSet::best(), &network, &dataset, batch_size);
        for set in InstructionSet::available() {
            prop_assert!(train(set, &network, &dataset, batch_size) == expected, "{} differs", set.name());
        }
    }
}
