//! The order in which every engine takes an image through a network.
//!
//! Max pooling and an activation that never decreases change places: the largest value before is the largest after, and a
//! quarter of the values is left to activate. tests/activations.rs holds that they don't decrease, and that both orders give the
//! same answers. Two reservations, both smaller than what float32 is off from the true values anyway:
//!
//! - The CPU's tanh falls between two numbers beside each other at ±0.1, where its pieces meet, by 11 units in the last place at
//!   most; softplus here and there by two; sigmoid and elu nowhere. Of a GPU's `expf` and `tanhf` nobody says that they never do.
//! - Of values that are equal only after the activation, as sigmoid makes some of different ones, the gradient goes to the largest
//!   before it, and in the other order to the first.

use crate::activations::{Activation, LeakyRelu};
use crate::layers::activation::Placed;
use crate::layers::{LaneOperation, Operation, add};
use crate::network::{Network, PlacedLayer, Work};
use std::ops::Range;

/// A part of a layer's work that an engine does at once: the layer without its activation, or the activation of an earlier one.
///
/// Values are counted through: 0 is the image, and i + 1 what comes out of stage i.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// What is done.
    pub operation: Operation,
    /// To which value.
    pub x: usize,
    /// And to which other, for [`Operation::Add`].
    pub plus: Option<usize>,
    /// Its parameters among the network's.
    pub own: Range<usize>,
    /// Whether steps move any of them.
    pub learns: bool,
    /// Values of one image that come out.
    pub output_len: usize,
}

impl Stage {
    /// The values that it reads.
    pub fn inputs(&self) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.x).chain(self.plus)
    }

    /// The same, of values that are called otherwise: each by its number.
    pub fn of(self, renamed: &[usize]) -> Self {
        Self { x: renamed[self.x], plus: self.plus.map(|plus| renamed[plus]), ..self }
    }
}

/// The length of each value, the image's first.
pub fn lengths(stages: &[Stage], image_len: usize) -> Vec<usize> {
    std::iter::once(image_len).chain(stages.iter().map(|stage| stage.output_len)).collect()
}

/// How many stages read each value.
pub fn readers(stages: &[Stage]) -> Vec<usize> {
    let mut readers = vec![0; stages.len() + 1];
    for value in stages.iter().flat_map(Stage::inputs) {
        readers[value] += 1;
    }
    readers
}

/// The stages from the image to the logits, of a network in training, or of one that only answers.
pub fn schedule(network: &Network, is_training: bool) -> Vec<Stage> {
    let mut schedule = Schedule { network, is_training, stages: Vec::new() };
    let last = schedule.push_all(&network.layers, 0);
    schedule.end_at(last);
    schedule.stages
}

struct Schedule<'a> {
    network: &'a Network,
    is_training: bool,
    stages: Vec<Stage>,
}

impl Schedule<'_> {
    /// Takes the value `x` through layers one after the other; the value that comes out.
    fn push_all(&mut self, layers: &[PlacedLayer], mut x: usize) -> usize {
        let mut waiting: Option<Activation> = None;
        for placed in layers {
            let may_come_first = |f: &mut Activation| passes(placed) && f.never_decreases();
            if let Some(function) = waiting.take_if(|f| !may_come_first(f)) {
                x = self.activate(function, x);
            }
            x = self.push(placed, x);
            waiting = placed.activation.or(waiting);
        }
        waiting.map_or(x, |function| self.activate(function, x))
    }

    fn push(&mut self, placed: &PlacedLayer, x: usize) -> usize {
        let output_len = placed.output_shape.iter().product();
        match &placed.work {
            Work::Nothing => x,
            Work::Operation(operation) if !self.is_training && operation.needs().only_in_training => x,
            Work::Operation(operation) => {
                let own = &self.network.parameters[placed.parameters.clone()];
                let range = own.first().map_or(0, |p| p.range.start)..own.last().map_or(0, |p| p.range.end);
                let learns = own.iter().any(|p| p.trainable);
                self.add(Stage { operation: operation.clone(), x, plus: None, own: range, learns, output_len })
            }
            Work::Sum { body, shortcut } => {
                let body = self.push_all(body, x);
                let shortcut = self.push_all(shortcut, x);
                let operation = Operation::Add(add::Placed {});
                self.add(Stage { operation, x: body, plus: Some(shortcut), own: 0..0, learns: false, output_len })
            }
        }
    }

    /// Adds a stage; the value that comes out.
    fn add(&mut self, stage: Stage) -> usize {
        self.stages.push(stage);
        self.stages.len()
    }

    fn activate(&mut self, function: Activation, x: usize) -> usize {
        let output_len = match x {
            0 => self.network.image_len(),
            _ => self.stages[x - 1].output_len,
        };
        let operation = Operation::Activation(Placed { function });
        self.add(Stage { operation, x, plus: None, own: 0..0, learns: false, output_len })
    }

    /// Engines read the logits where the last stage left them. Of a network that does nothing at the end, or at all, that would be
    /// the image, or a value that another stage made.
    fn end_at(&mut self, last: usize) {
        if last != self.stages.len() || last == 0 {
            self.activate(IDENTITY, last);
        }
    }
}

/// The function that leaves everything as it is.
const IDENTITY: Activation = Activation::LeakyRelu(LeakyRelu { negative_slope: 1.0 });

/// Whether a layer picks values by their size, and leaves them as they are.
fn passes(placed: &PlacedLayer) -> bool {
    match &placed.work {
        Work::Operation(operation) => placed.activation.is_none() && operation.needs().picks_by_size,
        Work::Nothing => placed.activation.is_none(),
        Work::Sum { .. } => false,
    }
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
        let (conv, max) = (|| conv.clone(), || max.clone());
        let layers =
            [conv(), max(), max(), conv(), mean, max(), conv(), conv(), dense(Some(Activation::Tanh)), dense(None)];
        let network = Network::new(&layers, [1, 16, 16]).unwrap();
        let mut layers = network.layers.iter();
        let mut name = |stage: Stage| match stage.operation {
            Operation::Activation(Placed { function }) => format!("{function:?}"),
            operation => layers.next().filter(|layer| layer.work == Work::Operation(operation)).unwrap().name.clone(),
        };
        let stages: Vec<_> = schedule(&network, true).into_iter().map(&mut name).collect();
        assert_eq!(
            stages.join(" "),
            "conv0 pool0 pool1 Relu conv1 Relu pool2 pool3 conv2 Relu conv3 Relu dense0 Tanh dense1"
        );
        assert_eq!(
            schedule(&network, true).iter().map(|stage| stage.own.len()).sum::<usize>(),
            network.parameter_count()
        );
    }

    /// A convolution with this activation, and a max pool.
    fn pooled(function: Activation) -> Network {
        let conv = Layer::Conv2d(Conv2d { activation: Some(function), ..Conv2d::new(1, [1, 1]) });
        let max = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        Network::new(&[conv, max], [1, 2, 2]).unwrap()
    }

    fn operations(network: &Network) -> Vec<Operation> {
        schedule(network, true).into_iter().map(|stage| stage.operation).collect()
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
        let [conv, max] = [0, 1].map(|layer| match &network.layers[layer].work {
            Work::Operation(operation) => operation.clone(),
            Work::Nothing | Work::Sum { .. } => unreachable!("a convolution and a pool"),
        });
        assert_eq!(operations(&network), [conv, relu, max, tanh]);
    }
}
