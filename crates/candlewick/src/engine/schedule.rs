//! The order in which every engine takes an image through a network.
//!
//! Max pooling and an activation that never decreases change places: the largest value before is the largest after, and a
//! quarter of the values is left to activate. tests/activations.rs holds that they don't decrease, and that both orders give the
//! same answers. Two reservations, both smaller than what float32 is off from the true values anyway:
//!
//! - The CPU's tanh falls between two numbers beside each other at ±0.1, where its pieces meet, by 11 units in the last place at
//!   most; sigmoid nowhere. Of a GPU's `expf` and `tanhf` nobody says that they never do.
//! - Of values that are equal only after the activation, as sigmoid makes some of different ones, the gradient goes to the largest
//!   before it, and in the other order to the first.

use crate::network::{Activation, Layer, Network, PlacedLayer};

/// A part of a layer's work that an engine does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage<'a> {
    /// A layer without its activation.
    Layer(&'a PlacedLayer),
    /// The activation of an earlier layer; never the identity.
    Activation(Activation),
}

/// The stages from the image to the logits.
pub fn schedule(network: &Network) -> Vec<Stage<'_>> {
    let mut stages = Vec::new();
    let mut waiting = Activation::None;
    for placed in &network.layers {
        if !(matches!(placed.layer, Layer::MaxPool2d { .. }) && waiting.never_decreases()) {
            activate(&mut stages, &mut waiting);
        }
        stages.push(Stage::Layer(placed));
        if let Layer::Conv2d { activation, .. } | Layer::Dense { activation, .. } = placed.layer {
            waiting = activation;
        }
    }
    activate(&mut stages, &mut waiting);
    stages
}

fn activate(stages: &mut Vec<Stage<'_>>, waiting: &mut Activation) {
    match std::mem::replace(waiting, Activation::None) {
        Activation::None => {}
        activation => stages.push(Stage::Activation(activation)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_pools_come_before_the_activation_and_mean_pools_after() {
        let conv = Layer::Conv2d {
            channels: 2,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: [1, 1],
            activation: Activation::Relu,
        };
        let max = Layer::MaxPool2d { pool_size: [2, 2], strides: [2, 2] };
        let mean = Layer::AvgPool2d { pool_size: [2, 2], strides: [2, 2] };
        let dense = |activation| Layer::Dense { units: 2, activation };
        let layers = [conv, max, max, conv, mean, max, conv, conv, dense(Activation::Tanh), dense(Activation::None)];
        let network = Network::new(&layers, [1, 16, 16]).unwrap();
        let stages: Vec<_> = schedule(&network)
            .into_iter()
            .map(|stage| match stage {
                Stage::Layer(placed) => placed.name.clone(),
                Stage::Activation(activation) => format!("{activation:?}"),
            })
            .collect();
        assert_eq!(
            stages.join(" "),
            "conv0 pool0 pool1 Relu conv1 Relu pool2 pool3 conv2 Relu conv3 Relu dense0 Tanh dense1"
        );
    }
}
