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

use crate::activations::Activation;
use crate::layers::activation::Placed;
use crate::layers::{LaneOperation, Operation};
use crate::network::Network;
use std::ops::Range;

/// A part of a layer's work that an engine does at once: the layer without its activation, or the activation of an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What is done.
    pub operation: Operation,
    /// Its parameters among the network's.
    pub own: Range<usize>,
    /// Values of one image that come out.
    pub output_len: usize,
}

/// The stages from the image to the logits.
pub fn schedule(network: &Network) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut waiting = None;
    for placed in &network.layers {
        let passes = placed.activation.is_none() && placed.operation.needs().picks_by_size;
        let may_come_first = |f: &mut Activation| passes && f.never_decreases();
        if let Some(function) = waiting.take_if(|f| !may_come_first(f)) {
            activate(&mut stages, function);
        }
        let start = stages.last().map_or(0, |stage: &Stage| stage.own.end);
        stages.push(Stage {
            operation: placed.operation.clone(),
            own: start..start + placed.parameter_count(network),
            output_len: placed.output_shape.iter().product(),
        });
        waiting = placed.activation.or(waiting);
    }
    if let Some(function) = waiting {
        activate(&mut stages, function);
    }
    stages
}

fn activate(stages: &mut Vec<Stage>, function: Activation) {
    let (end, output_len) = stages.last().map_or((0, 0), |stage| (stage.own.end, stage.output_len));
    stages.push(Stage { operation: Operation::Activation(Placed { function }), own: end..end, output_len });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};

    #[test]
    fn max_pools_come_before_the_activation_and_mean_pools_after() {
        let conv = Layer::Conv2d(Conv2d {
            padding: [1, 1].into(),
            activation: Some(Activation::Relu),
            ..Conv2d::new(2, [3, 3])
        });
        let max = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        let mean = Layer::AvgPool2d(AvgPool2d::new([2, 2]));
        let dense = |activation| Layer::Dense(Dense { activation, ..Dense::new(2) });
        let layers = [conv, max, max, conv, mean, max, conv, conv, dense(Some(Activation::Tanh)), dense(None)];
        let network = Network::new(&layers, [1, 16, 16]).unwrap();
        let mut layers = network.layers.iter();
        let mut name = |stage: Stage| match stage.operation {
            Operation::Activation(Placed { function }) => format!("{function:?}"),
            operation => layers.next().filter(|layer| layer.operation == operation).unwrap().name.clone(),
        };
        let stages: Vec<_> = schedule(&network).into_iter().map(&mut name).collect();
        assert_eq!(
            stages.join(" "),
            "conv0 pool0 pool1 Relu conv1 Relu pool2 pool3 conv2 Relu conv3 Relu dense0 Tanh dense1"
        );
        assert_eq!(schedule(&network).iter().map(|stage| stage.own.len()).sum::<usize>(), network.parameter_count());
    }

    /// A convolution with this activation, and a max pool.
    fn pooled(function: Activation) -> Network {
        let conv = Layer::Conv2d(Conv2d { activation: Some(function), ..Conv2d::new(1, [1, 1]) });
        let max = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        Network::new(&[conv, max], [1, 2, 2]).unwrap()
    }

    fn operations(network: &Network) -> Vec<Operation> {
        schedule(network).into_iter().map(|stage| stage.operation).collect()
    }

    #[test]
    fn max_pools_stay_behind_what_falls_and_rises() {
        let function = Activation::EXAMPLES.iter().copied().find(|f| !f.never_decreases()).unwrap();
        assert_eq!(operations(&pooled(function))[1], Operation::Activation(Placed { function }));
    }

    #[test]
    fn no_activation_is_lost_where_a_pool_has_its_own() {
        let mut network = pooled(Activation::Relu);
        network.layers[1].activation = Some(Activation::Tanh);
        let [relu, tanh] =
            [Activation::Relu, Activation::Tanh].map(|function| Operation::Activation(Placed { function }));
        let [conv, max] = [0, 1].map(|layer| network.layers[layer].operation.clone());
        assert_eq!(operations(&network), [conv, relu, max, tanh]);
    }
}
