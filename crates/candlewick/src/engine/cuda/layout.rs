//! A network as the kernels see it: a list of operations with the places of all that they read and write.

use super::operation::{DeviceLayer, DeviceOperation, Function, Kind};
use super::words::{number, numbers};
use crate::engine::schedule::{Stage, schedule};
use crate::error::Result;
use crate::network::{Activation, Layer, Network, PlacedLayer};

/// `SPLITS` of kernels/arguments.cuh.
pub const SPLITS: usize = 4;

/// All that a kernel is told: `struct Arguments` of kernels/arguments.cuh, with addresses of the device's.
#[expect(missing_docs, reason = "arguments.cuh says what they are")]
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arguments {
    pub operations: u64,
    pub bytes: u64,
    pub floats: u64,
    pub order: u64,
    pub labels: u64,
    pub parameters: u64,
    pub turned: u64,
    pub gradient: u64,
    pub optimizer: u64,
    pub partials: u64,
    pub records: u64,
    pub losses: u64,
    pub correct: u64,
    pub logits: u64,
    pub scratch: u64,
    pub sums: u64,
    pub operation_count: i32,
    pub image_len: i32,
    pub classes: i32,
    pub first: i32,
    pub images: i32,
    pub memory_len: i32,
    pub gradient_places: i32,
    pub longest: i32,
    pub partial_len: i32,
    pub record_len: i32,
    pub partial_count: i32,
    pub parameter_count: i32,
    pub scale: f32,
}

/// The operations, and numbers of what they need.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub operations: Vec<DeviceOperation>,
    /// Numbers of a block's memory: every value, then two gradients as long as the longest.
    pub memory_len: usize,
    /// Where the two gradients begin.
    pub gradient_places: usize,
    /// Numbers of each.
    pub longest: usize,
    /// Numbers of a partial gradient, of which a block has [`SPLITS`].
    pub partial_len: usize,
    /// Numbers of an image's record.
    pub record_len: usize,
}

impl Layout {
    /// # Errors
    /// `OutOfMemory` for a network whose numbers the kernels, which count in 32 bits, can't count.
    pub fn new(network: &Network) -> Result<Self> {
        let mut layout = Self { longest: network.image_len(), ..Self::default() };
        let mut last = Last { x: 0, y: network.image_len(), parameter: 0 };
        for stage in schedule(network) {
            match stage {
                Stage::Layer(placed) => layout.place(network, placed, &mut last)?,
                Stage::Activation(activation) => {
                    let len = last.y - last.x;
                    layout.push(&Activated { activation, len }, len, 0, &mut last)?;
                }
            }
        }
        layout.gradient_places = last.y;
        layout.memory_len = last.y.saturating_add(layout.longest.saturating_mul(2));
        numbers([layout.memory_len, layout.partial_len, layout.record_len, network.parameter_count()])?;
        Ok(layout)
    }

    fn place(&mut self, network: &Network, placed: &PlacedLayer, last: &mut Last) -> Result<()> {
        let (len, own) = (placed.output_shape.iter().product(), placed.parameter_count(network));
        match placed.layer {
            Layer::Conv2d { .. } => self.push(&Conv2d(placed, own), len, own, last),
            Layer::MaxPool2d { pool_size, strides } => {
                self.push(&MaxPool2d(windows(placed, pool_size, strides)), len, own, last)
            }
            Layer::AvgPool2d { pool_size, strides } => {
                self.push(&AvgPool2d(windows(placed, pool_size, strides)), len, own, last)
            }
            Layer::Dense { .. } => self.push(&Dense(placed), len, own, last),
        }
    }

    /// A layer of `own` parameters, whose output is of `len` values.
    fn push(&mut self, layer: &impl DeviceLayer, len: usize, own: usize, last: &mut Last) -> Result<()> {
        let (operation, partial_len, record_len) = (layer.encode()?, layer.partial_len(), layer.record_len());
        number(partial_len.saturating_mul(SPLITS))?; // items of its sums
        self.operations.push(DeviceOperation {
            x: number(last.x)?,
            y: number(last.y)?,
            own: number(last.parameter)?,
            own_end: number(last.parameter.saturating_add(own))?,
            partial: number(self.partial_len)?,
            record: number(self.record_len)?,
            ..operation
        });
        self.partial_len = self.partial_len.saturating_add(partial_len);
        self.record_len = self.record_len.saturating_add(record_len);
        self.longest = self.longest.max(len);
        *last = Last { x: last.y, y: last.y.saturating_add(len), parameter: last.parameter.saturating_add(own) };
        Ok(())
    }
}

/// Where the next operation's input and output are, and its parameters.
struct Last {
    x: usize,
    y: usize,
    parameter: usize,
}

struct Conv2d<'a>(&'a PlacedLayer, usize);

impl DeviceLayer for Conv2d<'_> {
    const KIND: Kind = Kind::Conv2d;
    type Words = [i32; 12];

    fn words(&self) -> Result<[i32; 12]> {
        let Layer::Conv2d { kernel_size, strides, padding, .. } = self.0.layer else { unreachable!() };
        let ([c, h, w], [oc, oh, ow]) = (three(&self.0.input_shape), three(&self.0.output_shape));
        numbers([h + 2 * padding[0], w + 2 * padding[1]])?; // a window's place among them
        let ([kh, kw], [sy, sx], [py, px]) = (kernel_size, strides, padding);
        numbers([c, h, w, oc, oh, ow, kh, kw, sy, sx, py, px])
    }

    fn partial_len(&self) -> usize {
        self.1
    }
}

fn windows(placed: &PlacedLayer, [kh, kw]: [usize; 2], [sy, sx]: [usize; 2]) -> [usize; 9] {
    let ([c, h, w], [_, oh, ow]) = (three(&placed.input_shape), three(&placed.output_shape));
    [c, h, w, oh, ow, kh, kw, sy, sx]
}

struct MaxPool2d([usize; 9]);

impl DeviceLayer for MaxPool2d {
    const KIND: Kind = Kind::MaxPool2d;
    type Words = [i32; 9];

    fn words(&self) -> Result<[i32; 9]> {
        numbers(self.0)
    }
}

struct AvgPool2d([usize; 9]);

impl DeviceLayer for AvgPool2d {
    const KIND: Kind = Kind::AvgPool2d;
    type Words = [i32; 9];

    fn words(&self) -> Result<[i32; 9]> {
        numbers(self.0)
    }
}

struct Dense<'a>(&'a PlacedLayer);

impl DeviceLayer for Dense<'_> {
    const KIND: Kind = Kind::Dense;
    type Words = [i32; 2];

    fn words(&self) -> Result<[i32; 2]> {
        numbers([self.0.input_shape.iter().product(), self.0.output_shape[0]])
    }

    fn record_len(&self) -> usize {
        self.0.input_shape.iter().product::<usize>().saturating_add(self.0.output_shape[0])
    }
}

struct Activated {
    activation: Activation,
    len: usize,
}

impl DeviceLayer for Activated {
    const KIND: Kind = Kind::Activation;
    type Words = [i32; 2];

    fn words(&self) -> Result<[i32; 2]> {
        let function = match self.activation {
            Activation::None => Function::Identity,
            Activation::Sigmoid => Function::Sigmoid,
            Activation::Relu => Function::Relu,
            Activation::Tanh => Function::Tanh,
        };
        Ok([function as i32, number(self.len)?])
    }
}

/// (C, H, W), or (units, 1, 1).
fn three(shape: &[usize]) -> [usize; 3] {
    std::array::from_fn(|i| shape.get(i).copied().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn refused(layers: &[Layer], input_shape: [usize; 3]) -> String {
        let error = Layout::new(&Network::new(layers, input_shape).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        error.message
    }

    /// Each is within what a network may have, and beyond what the kernels count to.
    #[test]
    fn what_the_kernels_cannot_count_is_refused() {
        let conv = |channels, kernel_size, strides, padding| Layer::Conv2d {
            channels,
            kernel_size,
            strides,
            padding,
            activation: Activation::None,
        };
        let dense = |units| Layer::Dense { units, activation: Activation::None };
        let thin = conv(1, [1, 1], [1 << 30, 1], [1 << 30, 0]);
        for (layers, input_shape, number) in [
            (&[dense((1 << 31) - 8)][..], [1, 1, 1], "2147483640 numbers"), // parameters; also those past 2³¹ - 2²⁰
            (&[dense((1 << 30) - 64), dense(1)], [1, 1, 1], "2147483520 numbers"), // parameters of two layers
            (&[conv(1 << 29, [1, 1], [1, 1], [0, 0])], [1, 1, 1], "4294967296 numbers"), // weights and biases, in four splits
            (&[thin, dense(1)], [1, 1, 1], "2147483649 numbers"),                        // rows of the padded image
            (&[Layer::MaxPool2d { pool_size: [1, 1], strides: [1, 1] }], [1, 1 << 15, 1 << 15], "4294967296 numbers"), // memory
            (&[Layer::MaxPool2d { pool_size: [1, 1], strides: [1 << 31, 1] }], [1, 1, 1], "2147483648 numbers"), // a stride
        ] {
            let message = refused(layers, input_shape);
            assert!(
                message.contains(number) && message.contains("2146435071") && message.contains("\"cpu\""),
                "{message}"
            );
        }
    }

    #[test]
    fn records_of_dense_layers_and_gradients_of_convolutions_lie_end_to_end() {
        let conv = |channels| Layer::Conv2d {
            channels,
            kernel_size: [3, 3],
            strides: [1, 1],
            padding: [1, 1],
            activation: Activation::Relu,
        };
        let dense = |units| Layer::Dense { units, activation: Activation::None };
        let network = Network::new(&[conv(2), conv(3), dense(5), dense(4)], [1, 4, 4]).unwrap();
        let layout = Layout::new(&network).unwrap();
        let of = |kind: Kind| layout.operations.iter().filter(move |operation| operation.kind == kind as i32);
        assert_eq!(of(Kind::Conv2d).map(|o| o.partial).collect::<Vec<_>>(), [0, 20]);
        assert_eq!(layout.partial_len, 20 + 57);
        assert_eq!(of(Kind::Dense).map(|o| o.record).collect::<Vec<_>>(), [0, 48 + 5]);
        assert_eq!(layout.record_len, 53 + 9);
        assert_eq!((layout.gradient_places, layout.longest), (16 + 2 * 32 + 2 * 48 + 9, 48));
        assert_eq!(layout.memory_len, layout.gradient_places + 96);
    }
}
