//! Which parameters a seed draws, to the last bit: a training can be repeated on another machine and in the next version.

use candlewick::initializers::Initializer;
use candlewick::layers::{Conv2d, Dense, Layer};
use candlewick::network::Network;

/// Weights 0..9 and 12..18, biases 9..12 and 18..20.
fn network() -> Network {
    let conv = Layer::Conv2d(Conv2d::new(3, [3, 1]));
    Network::new(&[conv, Layer::Dense(Dense::new(2))], [1, 3, 1]).unwrap()
}

#[test]
fn a_seed_draws_what_it_drew() {
    for (init, seed, expected) in [
        (Initializer::xavier(), 1, [-0.1379061, 0.5300205, 0.8246382, -0.121751614]),
        (Initializer::uniform(0.5), 1, [-0.09751434, 0.37478107, 0.37639412, -0.055571754]),
        (Initializer::normal(2.0), 1, [-0.34946415, -4.264834, 1.5187628, -1.1662881]),
        (Initializer::he_normal(), 1, [-0.14266814, -1.7411112, 0.6200323, -0.47613513]),
        (Initializer::he_uniform(), 1, [-0.2758122, 1.060041, 1.0646033, -0.15718065]),
        (Initializer::orthogonal(1.0), 1, [-0.15400957, 0.13270028, 0.32975566, -0.4040254]),
        (Initializer::normal(2.0), u64::from(u32::MAX), [2.6401627, -2.8718195, 1.9446867, 4.5788527]),
    ] {
        let parameters = init.parameters(&network(), seed).unwrap();
        assert_eq!(parameters.len(), 20);
        assert_eq!([0, 8, 12, 17].map(|i| parameters[i]), expected, "{init:?}, seed {seed}");
    }
}
