//! A network as data: its layers, and what follows from the shape of its input.
//!
//! ```
//! use candlewick::network::{Activation, Layer, Network};
//!
//! let layers = [
//!     Layer::Conv2d { channels: 6, kernel_size: [5, 5], strides: [1, 1], padding: [0, 0], activation: Activation::Sigmoid },
//!     Layer::MaxPool2d { pool_size: [2, 2], strides: [2, 2] },
//!     Layer::Dense { units: 10, activation: Activation::None },
//! ];
//! let network = Network::new(&layers, [1, 28, 28])?;
//! assert_eq!(network.layers[1].name, "pool0");
//! assert_eq!(network.layers[1].output_shape, [6, 12, 12]);
//! assert_eq!(network.parameters[2].shape, [10, 864]); // dense0.weight
//! # Ok::<(), candlewick::Error>(())
//! ```

use crate::error::{Code, Error, Result};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// The function at the end of a layer, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The identity.
    None,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// max(x, 0)
    Relu,
    /// (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)
    Tanh,
}

impl Activation {
    /// Each of them. The match makes the compiler ask for one that is added to the enum and not here.
    pub const ALL: [Self; 4] = match Self::None {
        Self::None | Self::Sigmoid | Self::Relu | Self::Tanh => [Self::None, Self::Sigmoid, Self::Relu, Self::Tanh],
    };

    /// Whether f(a) ≤ f(b) for all a ≤ b. Then the largest of some values has the largest f, and max pooling may come first.
    pub fn never_decreases(self) -> bool {
        match self {
            Self::None | Self::Sigmoid | Self::Relu | Self::Tanh => true,
        }
    }
}

/// One layer as its user writes it. Pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Cross-correlation of (C, H, W) with `channels` kernels of (C, kernel_size), plus a bias a channel.
    Conv2d {
        /// Channels of the output.
        channels: usize,
        /// Height and width of the kernel.
        kernel_size: [usize; 2],
        /// Steps between windows.
        strides: [usize; 2],
        /// Rows and columns of zeros on each side.
        padding: [usize; 2],
        /// Applied to the output.
        activation: Activation,
    },
    /// The largest value of each window.
    MaxPool2d {
        /// Height and width of a window.
        pool_size: [usize; 2],
        /// Steps between windows.
        strides: [usize; 2],
    },
    /// The mean of each window.
    AvgPool2d {
        /// Height and width of a window.
        pool_size: [usize; 2],
        /// Steps between windows.
        strides: [usize; 2],
    },
    /// x Wᵀ + b, after flattening the input.
    Dense {
        /// Length of the output.
        units: usize,
        /// Applied to the output.
        activation: Activation,
    },
}

/// A layer in its place: named, with shapes without the batch axis, (C, H, W) or (units).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedLayer {
    /// `conv0`, `pool0`, `dense0`: the kind and a count per kind.
    pub name: String,
    /// As the user wrote it.
    pub layer: Layer,
    /// Shape of one image's input.
    pub input_shape: Vec<usize>,
    /// Shape of one image's output.
    pub output_shape: Vec<usize>,
    /// Where the layer's weight and bias are in [`Network::parameters`]; empty for pools.
    pub parameters: Range<usize>,
}

impl PlacedLayer {
    /// Weights and biases together.
    pub fn parameter_count(&self, network: &Network) -> usize {
        network.parameters[self.parameters.clone()].iter().map(|p| p.range.len()).sum()
    }
}

/// A weight or bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// `conv0.weight`, `dense2.bias`.
    pub name: String,
    /// Weights are (out, in, kernel height, kernel width) or (out, in); biases are (out).
    pub shape: Vec<usize>,
    /// Its place among all the network's parameters laid end to end.
    pub range: Range<usize>,
}

/// Layers in their places, for one input shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Shape of one image, (C, H, W).
    pub input_shape: [usize; 3],
    /// In the order an image passes them.
    pub layers: Vec<PlacedLayer>,
    /// In the order of the layers, weight before bias.
    pub parameters: Vec<Parameter>,
}

impl Network {
    /// Infers every shape.
    ///
    /// # Errors
    /// `InvalidArgument` for no layers or a size of zero, `InvalidShape` where a layer does not fit what reaches it.
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
        let mut network = Self { input_shape, layers: Vec::with_capacity(layers.len()), parameters };
        for (layer, name) in layers.iter().zip(names(layers)) {
            network.place(*layer, name)?;
        }
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

    /// Number of weights and biases.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |p| p.range.end)
    }

    fn output_shape(&self) -> &[usize] {
        self.layers.last().map_or(&self.input_shape, |l| &l.output_shape)
    }

    fn place(&mut self, layer: Layer, name: String) -> Result<()> {
        let input_shape = self.output_shape().to_vec();
        let first = self.parameters.len();
        let output_shape = match layer {
            Layer::Conv2d { channels, kernel_size, strides, padding, .. } => {
                let [c, h, w] = image(&name, &input_shape)?;
                require_positive(&name, &[channels, strides[0], strides[1]], "channels and strides")?;
                let height = windows(&name, "height", h, kernel_size[0], strides[0], padding[0])?;
                let width = windows(&name, "width", w, kernel_size[1], strides[1], padding[1])?;
                let padded = [c, h + 2 * padding[0], w + 2 * padding[1]];
                require_room(format_args!("{name}'s padded input"), &padded)?;
                self.add_parameter(&name, "weight", vec![channels, c, kernel_size[0], kernel_size[1]])?;
                self.add_parameter(&name, "bias", vec![channels])?;
                vec![channels, height, width]
            }
            Layer::MaxPool2d { pool_size, strides } | Layer::AvgPool2d { pool_size, strides } => {
                let [c, h, w] = image(&name, &input_shape)?;
                require_positive(&name, &strides, "strides")?;
                let height = windows(&name, "height", h, pool_size[0], strides[0], 0)?;
                let width = windows(&name, "width", w, pool_size[1], strides[1], 0)?;
                vec![c, height, width]
            }
            Layer::Dense { units, .. } => {
                require_positive(&name, &[units], "units")?;
                self.add_parameter(&name, "weight", vec![units, input_shape.iter().product()])?;
                self.add_parameter(&name, "bias", vec![units])?;
                vec![units]
            }
        };
        require_room(format_args!("{name}'s output"), &output_shape)?;
        let parameters = first..self.parameters.len();
        self.layers.push(PlacedLayer { name, layer, input_shape, output_shape, parameters });
        Ok(())
    }

    fn add_parameter(&mut self, layer: &str, kind: &str, shape: Vec<usize>) -> Result<()> {
        let name = format!("{layer}.{kind}");
        let start = self.parameter_count();
        let end = start + require_room(format_args!("{name}"), &shape)?;
        if end > MOST_VALUES {
            return Err(invalid_shape(format!(
                "{end} parameters with {name} are 2^32 or more; make the layers or the images smaller"
            )));
        }
        self.parameters.push(Parameter { name, shape, range: start..end });
        Ok(())
    }
}

/// The names that layers have in a network: the kind, and a count per kind.
pub fn names(layers: &[Layer]) -> Vec<String> {
    let mut counts = HashMap::new();
    let name = |layer: &Layer| {
        let count = counts.entry(kind(*layer)).or_insert(0usize);
        *count += 1;
        format!("{}{}", kind(*layer), *count - 1)
    };
    layers.iter().map(name).collect()
}

fn kind(layer: Layer) -> &'static str {
    match layer {
        Layer::Conv2d { .. } => "conv",
        Layer::MaxPool2d { .. } | Layer::AvgPool2d { .. } => "pool",
        Layer::Dense { .. } => "dense",
    }
}

fn invalid_shape(message: String) -> Error {
    Error::new(Code::InvalidShape, message)
}

/// A shape as d2l prints it: `(1, 28, 28)`.
pub fn show(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}

fn image(name: &str, shape: &[usize]) -> Result<[usize; 3]> {
    shape.try_into().map_err(|_| {
        let shape = show(shape);
        invalid_shape(format!(
            "{name} needs images of shape (C, H, W), but {shape} reaches it; put it before the dense layers"
        ))
    })
}

/// Most values of anything: below 2³², as 16 GiB of float32 are more than any small network's. Beyond that a shape is a mistake.
const MOST_VALUES: usize = u32::MAX as usize;

/// The number of values of this shape.
fn require_room(what: fmt::Arguments<'_>, shape: &[usize]) -> Result<usize> {
    let values = shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    values.filter(|n| *n <= MOST_VALUES).ok_or_else(|| {
        let shape = show(shape);
        invalid_shape(format!(
            "{what} of shape {shape} would hold 2^32 values or more; make the layer or the images smaller"
        ))
    })
}

fn require_positive(name: &str, sizes: &[usize], what: &str) -> Result<()> {
    if sizes.contains(&0) {
        return Err(Error::new(Code::InvalidArgument, format!("{name} has {what} of 0; they must be at least 1")));
    }
    Ok(())
}

/// Number of windows along one side: ⌊(n + 2 padding - window) / stride⌋ + 1.
fn windows(name: &str, side: &str, n: usize, window: usize, stride: usize, padding: usize) -> Result<usize> {
    if window == 0 {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{name} has a window of {side} 0; it must be at least 1"),
        ));
    }
    let Some(padded) = padding.checked_mul(2).and_then(|both| both.checked_add(n)) else {
        return Err(invalid_shape(format!(
            "{name} has {padding} of padding on each side of its {side} {n}, more than can be counted; make it smaller"
        )));
    };
    match padded.checked_sub(window) {
        Some(room) => Ok(room / stride + 1),
        None => Err(invalid_shape(format!(
            "{name} has a window of {side} {window}, larger than its input of {side} {n} with {padding} of padding on each \
             side; make the window smaller or the padding larger"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(channels: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
        Layer::Conv2d {
            channels,
            kernel_size: [kernel; 2],
            strides: [stride; 2],
            padding: [padding; 2],
            activation: Activation::Sigmoid,
        }
    }

    fn pool(size: usize, stride: usize) -> Layer {
        Layer::MaxPool2d { pool_size: [size; 2], strides: [stride; 2] }
    }

    fn dense(units: usize) -> Layer {
        Layer::Dense { units, activation: Activation::None }
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
        let pairs = |kernel_size, strides, padding| Layer::Conv2d {
            channels: 2,
            kernel_size,
            strides,
            padding,
            activation: Activation::None,
        };
        let shape = |layer, input| Network::new(&[layer], input).unwrap().layers[0].output_shape.clone();
        assert_eq!(shape(pairs([3, 5], [1, 2], [0, 1]), [1, 9, 12]), [2, 7, 5]);
        for strides in [[0, 1], [1, 0]] {
            let without = Network::new(&[pairs([1, 1], strides, [0, 0])], [1, 9, 12]).unwrap_err();
            assert!(without.message.contains("conv0 has channels and strides of 0"), "{without}");
        }
        let pool = Layer::AvgPool2d { pool_size: [2, 3], strides: [1, 4] };
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
        let mean = Layer::AvgPool2d { pool_size: [2; 2], strides: [2; 2] };
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
        assert_eq!(network.layers[1].parameter_count(&network), 27);
    }
}
