//! A network as data: its layers, and what follows from the shape of its input.
//!
//! ```
//! use candlewick::activations::Activation;
//! use candlewick::layers::{Conv2d, Dense, Layer, MaxPool2d};
//! use candlewick::network::Network;
//!
//! let activation = Some(Activation::Sigmoid);
//! let layers = [
//!     Layer::Conv2d(Conv2d { activation, ..Conv2d::new(6, [5, 5]) }),
//!     Layer::MaxPool2d(MaxPool2d::new([2, 2])),
//!     Layer::Dense(Dense::new(10)),
//! ];
//! let network = Network::new(&layers, [1, 28, 28])?;
//! assert_eq!(network.layers[1].name, "pool0");
//! assert_eq!(network.layers[1].output_shape, [6, 12, 12]);
//! assert_eq!(network.parameters[2].shape, [10, 864]); // dense0.weight
//! # Ok::<(), candlewick::Error>(())
//! ```

use crate::activations::Activation;
use crate::error::{Code, Error, Result};
use crate::layers::{Arithmetic, Draw, LaneOperation, Layer, Operation, ParameterKind, ParameterPlan, Plan};
use crate::shape::{MOST_VALUES, invalid_shape, require_room, show};
use std::collections::HashMap;
use std::ops::Range;

/// A layer in its place: named, with shapes without the batch axis, (C, H, W) or (units).
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedLayer {
    /// `conv0`, `pool0`, `dense0`: the kind and a count per kind.
    pub name: String,
    /// Shape of one image's input.
    pub input_shape: Vec<usize>,
    /// Shape of one image's output.
    pub output_shape: Vec<usize>,
    /// Where the layer's own are in [`Network::parameters`]; empty for pools.
    pub parameters: Range<usize>,
    /// Its arithmetic, without the activation.
    pub work: Work,
    /// Applied to the output.
    pub activation: Option<Activation>,
}

/// What a layer does in its place.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// One operation.
    Operation(Operation),
    /// Nothing: the values stay, whatever their shape is called.
    Nothing,
    /// The sum of what comes out of two ways for the same input.
    Sum {
        /// One way.
        body: Vec<PlacedLayer>,
        /// The other; the input itself, if it has no layers.
        shortcut: Vec<PlacedLayer>,
    },
}

impl PlacedLayer {
    /// How many numbers its parameters are: those that steps move, and the others.
    pub fn parameter_counts(&self, network: &Network) -> [usize; 2] {
        let count = |trainable: bool| {
            let own = network.parameters[self.parameters.clone()].iter();
            own.filter(|p| p.trainable == trainable).map(|p| p.range.len()).sum()
        };
        [count(true), count(false)]
    }
}

/// A weight, a bias, or what else a layer learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// `conv0.weight`, `dense2.bias`.
    pub name: String,
    /// Weights are (out, in, kernel height, kernel width) or (out, in); biases are (out).
    pub shape: Vec<usize>,
    /// Its place among all the network's parameters laid end to end.
    pub range: Range<usize>,
    /// How it begins.
    pub draw: Draw,
    /// What it is to its layer.
    pub kind: ParameterKind,
    /// Whether steps move it.
    pub trainable: bool,
}

impl Parameter {
    /// Whether it is a weight, and neither a bias nor what a normalisation learns.
    pub fn is_weight(&self) -> bool {
        self.kind == ParameterKind::Weight
    }
}

/// Layers in their places, for one input shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Shape of one image, (C, H, W).
    pub input_shape: [usize; 3],
    /// In the order an image passes them.
    pub layers: Vec<PlacedLayer>,
    /// In the order of the layers, and each layer's in its own: weight before bias.
    pub parameters: Vec<Parameter>,
}

impl Network {
    /// Infers every shape.
    ///
    /// # Errors
    /// `InvalidArgument` for no layers or an option that makes no sense, `InvalidShape` for an input that holds nothing, where a
    /// layer does not fit what reaches it, and for 2³² values or more.
    pub fn new(layers: &[Layer], input_shape: [usize; 3]) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "a network needs at least one layer, but there are none"));
        }
        if input_shape.contains(&0) {
            let shape = show(&input_shape);
            return Err(invalid_shape(format!(
                "an input of shape {shape} holds nothing; every size must be at least 1"
            )));
        }
        require_room(format_args!("the input"), &input_shape)?;
        let parameters = Vec::with_capacity(2 * layers.len()); // a weight and a bias
        let mut network = Self { input_shape, layers: Vec::new(), parameters };
        network.layers = network.place_all("", layers, &input_shape)?;
        Ok(network)
    }

    /// Number of values that an image holds.
    pub fn image_len(&self) -> usize {
        self.input_shape.iter().product()
    }

    /// Length of the last layer's output: one logit a class.
    pub fn classes(&self) -> usize {
        self.output_shape().iter().product()
    }

    /// How many numbers all parameters are.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |p| p.range.end)
    }

    /// The name of a layer that cannot be trained on a batch of one image, if there is one: of a normalisation that sees one value of
    /// each channel of an image, whose variance would be none.
    pub fn needs_two_images(&self) -> Option<&str> {
        needs_two_images(&self.layers)
    }

    fn output_shape(&self) -> &[usize] {
        self.layers.last().map_or(&self.input_shape, |l| &l.output_shape)
    }

    /// Layers one after the other, whose names begin with `prefix`.
    fn place_all(&mut self, prefix: &str, layers: &[Layer], input_shape: &[usize]) -> Result<Vec<PlacedLayer>> {
        let mut placed: Vec<PlacedLayer> = Vec::with_capacity(layers.len());
        for (layer, name) in layers.iter().zip(names_after(prefix, layers)) {
            let input_shape = placed.last().map_or(input_shape, |l| &l.output_shape).to_vec();
            placed.push(self.place(layer, name, input_shape)?);
        }
        Ok(placed)
    }

    fn place(&mut self, layer: &Layer, name: String, input_shape: Vec<usize>) -> Result<PlacedLayer> {
        let Plan { output, parameters, arithmetic, activation } = layer.describe().plan(&name, &input_shape)?;
        if let Some(activation) = activation {
            activation.check(&name)?;
        }
        let first = self.parameters.len();
        for parameter in parameters {
            self.add_parameter(&name, parameter)?;
        }
        let (work, output_shape) = match arithmetic {
            Arithmetic::Operation(operation) => (Work::Operation(operation), output),
            Arithmetic::Nothing => (Work::Nothing, output),
            Arithmetic::Sum { body, shortcut } => self.place_sum(&name, &body, &shortcut, &input_shape)?,
        };
        require_room(format_args!("{name}'s output"), &output_shape)?;
        let parameters = first..self.parameters.len();
        Ok(PlacedLayer { name, input_shape, output_shape, parameters, work, activation })
    }

    /// Both ways of a sum, and the shape that both lead to.
    fn place_sum(
        &mut self,
        name: &str,
        body: &[Layer],
        shortcut: &[Layer],
        input_shape: &[usize],
    ) -> Result<(Work, Vec<usize>)> {
        let body = self.place_all(&format!("{name}.body."), body, input_shape)?;
        let shortcut = self.place_all(&format!("{name}.shortcut."), shortcut, input_shape)?;
        let end = |way: &[PlacedLayer]| way.last().map_or(input_shape, |l| &l.output_shape).to_vec();
        let [sum, other] = [end(&body), end(&shortcut)];
        if sum != other {
            let (sum, other) = (show(&sum), show(&other));
            let way = if shortcut.is_empty() { "its input, the other way," } else { "its shortcut" };
            return Err(invalid_shape(format!(
                "{name} is the sum of two ways, but its body ends in the shape {sum} and {way} in {other}; give both the same \
                 shape, as with a shortcut of conv2d({{ kernelSize: 1 }})"
            )));
        }
        Ok((Work::Sum { body, shortcut }, sum))
    }

    fn add_parameter(&mut self, layer: &str, plan: ParameterPlan) -> Result<()> {
        let ParameterPlan { role, shape, draw, kind, trainable } = plan;
        let name = format!("{layer}.{role}");
        draw.check(&name)?;
        let start = self.parameter_count();
        let end = start + require_room(format_args!("{name}"), &shape)?;
        if end > MOST_VALUES {
            return Err(invalid_shape(format!(
                "{end} parameters with {name} are 2^32 or more; make the layers or the images smaller"
            )));
        }
        self.parameters.push(Parameter { name, shape, range: start..end, draw, kind, trainable });
        Ok(())
    }
}

fn needs_two_images(layers: &[PlacedLayer]) -> Option<&str> {
    layers.iter().find_map(|placed| match &placed.work {
        Work::Operation(operation) => operation.needs().two_images.then_some(&placed.name[..]),
        Work::Nothing => None,
        Work::Sum { body, shortcut } => needs_two_images(body).or_else(|| needs_two_images(shortcut)),
    })
}

/// The names that layers have in a network: the kind, and a count per kind.
pub fn names(layers: &[Layer]) -> Vec<String> {
    names_after("", layers)
}

/// As [`names`], each behind what the names of these layers begin with.
fn names_after(before: &str, layers: &[Layer]) -> Vec<String> {
    let mut counts = HashMap::new();
    let name = |layer: &Layer| {
        let prefix = layer.describe().prefix();
        let count = counts.entry(prefix).or_insert(0usize);
        *count += 1;
        format!("{before}{prefix}{}", *count - 1)
    };
    layers.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{AvgPool2d, Conv2d, Dense, MaxPool2d};

    fn conv(channels: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
        Layer::Conv2d(Conv2d {
            strides: [stride; 2],
            padding: [padding; 2].into(),
            activation: Some(Activation::Sigmoid),
            ..Conv2d::new(channels, [kernel; 2])
        })
    }

    fn pool(size: usize, stride: usize) -> Layer {
        Layer::MaxPool2d(MaxPool2d { strides: [stride; 2], ..MaxPool2d::new([size; 2]) })
    }

    fn dense(units: usize) -> Layer {
        Layer::Dense(Dense::new(units))
    }

    #[test]
    fn lenet_has_the_shapes_of_the_d2l_text() {
        let layers = [conv(6, 5, 1, 0), pool(2, 2), conv(16, 5, 1, 0), pool(2, 2), dense(120), dense(84), dense(10)];
        let network = Network::new(&layers, [1, 28, 28]).unwrap();
        let shapes: Vec<_> = network.layers.iter().map(|l| format!("{} {}", l.name, show(&l.output_shape))).collect();
        assert_eq!(
            shapes,
            [
                "conv0 (6, 24, 24)",
                "pool0 (6, 12, 12)",
                "conv1 (16, 8, 8)",
                "pool1 (16, 4, 4)",
                "dense0 (120)",
                "dense1 (84)",
                "dense2 (10)"
            ]
        );
        assert_eq!((network.image_len(), network.parameter_count()), (784, 44_426));
        assert_eq!(network.classes(), 10);
    }

    #[test]
    fn strides_and_padding_round_down() {
        let network = Network::new(&[conv(3, 5, 2, 2), pool(3, 2)], [1, 28, 28]).unwrap();
        assert_eq!(network.layers[0].output_shape, [3, 14, 14]);
        assert_eq!(network.layers[1].output_shape, [3, 6, 6]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |layers: &[Layer], input| Network::new(layers, input).unwrap_err().message;
        assert!(message(&[conv(6, 29, 1, 0)], [1, 28, 28]).contains("conv0 has a window of height 29"));
        assert!(
            message(&[dense(10), conv(6, 5, 1, 0)], [1, 28, 28])
                .contains("conv0 needs images of shape (C, H, W), but (10)")
        );
        assert!(message(&[conv(6, 5, 0, 0)], [1, 28, 28]).contains("at least 1"));
        assert!(message(&[], [1, 28, 28]).contains("at least one layer"));
        assert!(message(&[dense(usize::MAX)], [1, 28, 28]).contains("2^32"));
        assert!(message(&[dense(1 << 31), dense(1)], [1, 1, 2]).contains("dense0.weight of shape (2147483648, 2)"));
        assert!(message(&[dense(1)], [1 << 31; 3]).contains("the input of shape (2147483648, "));
        assert!(
            message(&[conv(1, 1, 1 << 31, 1 << 30)], [1, 1, 2])
                .contains("conv0's padded input of shape (1, 2147483649, 2147483650)")
        );
        assert!(message(&[conv(1 << 30, 1, 1, 0)], [1, 2, 2]).contains("conv0's output"));
        assert!(message(&[dense(1)], [1, 0, 28]).contains("(1, 0, 28)"));
        let most = u32::MAX as usize;
        assert!(Network::new(&[dense(1)], [1, 1, most - 1]).is_ok_and(|network| network.parameter_count() == most));
        assert!(message(&[dense(1)], [1, 1, most]).contains("4294967296 parameters with dense0.bias"));
        assert!(message(&[dense(1), dense(1)], [1, 1, most - 1]).contains("4294967296 parameters with dense1.weight"));
        let padding = usize::MAX / 2;
        assert!(
            message(&[conv(1, 1, 1, padding)], [1, 2, 2]).contains(&format!("conv0 has {padding} of padding on each"))
        );
        assert!(message(&[pool(0, 1)], [1, 2, 2]).contains("pool0 has a window of height 0"));
        assert!(message(&[pool(1, 0)], [1, 2, 2]).contains("pool0 has strides of 0"));
        assert!(message(&[dense(0)], [1, 2, 2]).contains("dense0 has units of 0"));
        assert!(message(&[conv(0, 1, 1, 0)], [1, 2, 2]).contains("conv0 has channels and strides of 0"));
    }

    #[test]
    fn sides_are_not_exchanged() {
        let pairs = |kernel_size, strides, padding: [usize; 2]| {
            Layer::Conv2d(Conv2d { strides, padding: padding.into(), ..Conv2d::new(2, kernel_size) })
        };
        let shape = |layer, input| Network::new(&[layer], input).unwrap().layers[0].output_shape.clone();
        assert_eq!(shape(pairs([3, 5], [1, 2], [0, 1]), [1, 9, 12]), [2, 7, 5]);
        for strides in [[0, 1], [1, 0]] {
            let without = Network::new(&[pairs([1, 1], strides, [0, 0])], [1, 9, 12]).unwrap_err();
            assert!(without.message.contains("conv0 has channels and strides of 0"), "{without}");
        }
        let pool = Layer::AvgPool2d(AvgPool2d { strides: [1, 4], ..AvgPool2d::new([2, 3]) });
        assert_eq!(shape(pool, [3, 9, 12]), [3, 8, 3]);
        let named = |layer| Network::new(&[layer], [1, 9, 12]).unwrap_err().message;
        assert!(
            named(pairs([1, 13], [1, 1], [0, 0])).contains("a window of width 13, larger than its input of width 12")
        );
        assert!(
            named(pairs([14, 1], [1, 1], [2, 0])).contains("height 14, larger than its input of height 9 with 2 of")
        );
    }

    #[test]
    fn names_count_each_kind_by_itself() {
        let mean = Layer::AvgPool2d(AvgPool2d::new([2; 2]));
        let layers = [conv(6, 5, 1, 0), pool(2, 2), mean, conv(16, 5, 1, 0), dense(120), dense(84)];
        assert_eq!(names(&layers), ["conv0", "pool0", "pool1", "conv1", "dense0", "dense1"]);
        let network = Network::new(&[conv(2, 1, 1, 0), dense(3)], [1, 2, 2]).unwrap();
        let names: Vec<_> = network.parameters.iter().map(|p| (&p.name[..], show(&p.shape), p.range.clone())).collect();
        assert_eq!(
            names,
            [
                ("conv0.weight", "(2, 1, 1, 1)".to_owned(), 0..2),
                ("conv0.bias", "(2)".to_owned(), 2..4),
                ("dense0.weight", "(3, 8)".to_owned(), 4..28),
                ("dense0.bias", "(3)".to_owned(), 28..31)
            ]
        );
        assert_eq!(network.layers[1].parameter_counts(&network), [27, 0]);
    }
}
