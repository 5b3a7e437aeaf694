//! Networks of any shape give the same bits on every instruction set that this processor has. The wide register tiles of
//! AVX-512 are so held against the small ones of portable code, and those against finite differences where the layers are.

mod drawn;
mod made_up;

use candlewick::dataset::Dataset;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::initializers::Initializer;
use candlewick::layers::Layer;
use candlewick::losses::Loss;
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::simd::InstructionSet;
use proptest::prelude::*;

/// Two steps' gradient and loss, in bits.
fn train(set: InstructionSet, network: &Network, dataset: &Dataset, batch_size: usize) -> Vec<u64> {
    let mut engine = LanesEngine::on(set, network.clone(), Some(2)).unwrap();
    engine.set_flat_parameters(Initializer::xavier().parameters(network, 7).unwrap()).unwrap();
    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN }.into();
    let metrics = engine.train(dataset, &order, batch_size, &Loss::default(), &sgd, &Progress::default()).unwrap();
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
        layers in drawn::layers(
            prop_oneof![
                3 => drawn::conv(prop_oneof![4 => 1usize..=13, 1 => 14usize..=128], 7),
                1 => drawn::pool(),
                1 => prop::sample::select(Layer::examples()),
            ],
            3,
        ),
        shape in (1usize..=7, 3usize..=11, 3usize..=11),
        batch_size in 1usize..=35,
    ) {
        let shape = [shape.0, shape.1, shape.2];
        let network = Network::new(&layers, shape);
        prop_assume!(network.is_ok());
        let network = network.unwrap();
        prop_assume!(batch_size > 1 || network.needs_two_images().is_none());
        let dataset = made_up::dataset(2 * batch_size, shape, |i| i % network.classes());
        let expected = train(InstructionSet::best(), &network, &dataset, batch_size);
        for set in InstructionSet::available() {
            prop_assert!(train(set, &network, &dataset, batch_size) == expected, "{} differs", set.name());
        }
    }
}
