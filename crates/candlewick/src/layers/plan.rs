//! What a layer says of itself when a network is made.

use super::{Layer, Operation};
use crate::activations::Activation;
use crate::error::{Code, Error, Result};
use crate::initializers::Initializer;

/// What follows from a layer's options.
pub trait Describe {
    /// `conv` of `conv0`.
    fn prefix(&self) -> &'static str;

    /// What follows from the options and the shape that reaches the layer, (C, H, W) or (units), when it is called `name`.
    ///
    /// # Errors
    /// `InvalidArgument` for options that make no sense, `InvalidShape` where they do not fit the shape.
    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan>;
}

/// A layer in its place, before its parameters have theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Shape of one image's output.
    pub output: Vec<usize>,
    /// In the order in which they lie in memory.
    pub parameters: Vec<ParameterPlan>,
    /// Its arithmetic, without the activation.
    pub arithmetic: Arithmetic,
    /// Applied to the output.
    pub activation: Option<Activation>,
}

/// What a layer does to its input.
#[derive(Clone, Debug, PartialEq)]
pub enum Arithmetic {
    /// One operation.
    Operation(Operation),
    /// Nothing: the values stay, whatever their shape is called.
    Nothing,
    /// Two ways for the same input, and the sum of what comes out of them. [`Plan::output`] is then the input's, and the network
    /// finds the true one.
    Sum {
        /// One way.
        body: Vec<Layer>,
        /// The other; the input itself, if it has no layers.
        shortcut: Vec<Layer>,
    },
}

/// A parameter to be.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterPlan {
    /// `weight` of `conv0.weight`.
    pub role: &'static str,
    /// Weights are (out, in, kernel height, kernel width) or (out, in); biases are (out).
    pub shape: Vec<usize>,
    /// How it begins.
    pub draw: Draw,
    /// What it is to its layer.
    pub kind: ParameterKind,
    /// Whether steps move it.
    pub trainable: bool,
}

impl ParameterPlan {
    /// What the layer multiplies with.
    pub fn weight(shape: Vec<usize>, draw: Draw) -> Self {
        Self { role: "weight", shape, draw, kind: ParameterKind::Weight, trainable: true }
    }

    /// What the layer adds; zeros at first, unless the layer has an initialiser for it.
    pub fn bias(shape: Vec<usize>, init: Option<Initializer>) -> Self {
        Self { role: "bias", shape, draw: Draw::bias(init), kind: ParameterKind::Bias, trainable: true }
    }

    /// The bias of the layer of this name, if it uses one.
    ///
    /// # Errors
    /// `InvalidArgument` for an initialiser of a bias that is not there.
    pub(super) fn bias_if(use_bias: bool, name: &str, len: usize, init: Option<Initializer>) -> Result<Option<Self>> {
        if init.is_some() && !use_bias {
            let message = format!("{name} has a biasInit, but no bias, as its useBias is false; leave out one of them");
            return Err(Error::new(Code::InvalidArgument, message));
        }
        Ok(use_bias.then(|| Self::bias(vec![len], init)))
    }
}

/// What a parameter is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Of a convolution or a dense layer.
    Weight,
    /// Added to the outputs.
    Bias,
    /// Of a normalisation.
    Scale,
    /// What the layer has seen of its inputs: steps never move it.
    Statistic,
}

/// The default of an option that is on unless its user turns it off.
pub(super) fn yes() -> bool {
    true
}

/// Whether it is on, as by default, and need not be written.
pub(super) fn is_yes(option: &bool) -> bool {
    *option
}

/// How a parameter begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// As an initialiser draws weights.
    Weight {
        /// Inputs of one output value.
        fan_in: usize,
        /// Outputs that one input value goes into, as if all kernels reached it.
        fan_out: usize,
        /// The layer's own initialiser, its `kernel_init`; without one, the network's.
        init: Option<Initializer>,
    },
    /// As the layer's own initialiser of biases draws them, whatever the network's.
    Bias(Initializer),
    /// All values are this, whatever the initialiser.
    Constant(f32),
}

impl Draw {
    /// A bias: zero, unless the layer has an initialiser for it.
    pub(crate) fn bias(init: Option<Initializer>) -> Self {
        init.map_or(Self::Constant(0.0), Self::Bias)
    }

    /// Whether the settings of the layer's own initialiser make sense, for the parameter of this name.
    ///
    /// # Errors
    /// `InvalidArgument` names the parameter and the setting; or a bias's initialiser that goes by a weight's shape.
    pub(crate) fn check(self, name: &str) -> Result<()> {
        let checked = match self {
            Self::Weight { init: Some(init), .. } => init.check(),
            Self::Bias(init) => init.check_bias(),
            Self::Weight { init: None, .. } | Self::Constant(_) => Ok(()),
        };
        checked.map_err(|Error { code, message }| Error::new(code, format!("{name}: {message}")))
    }
}
