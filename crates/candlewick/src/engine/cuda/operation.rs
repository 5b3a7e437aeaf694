//! What a layer is to the kernels: a number and a few words, which its struct in `kernels/` is made of.

use super::words::{number, padded};
use crate::error::Result;
use bytemuck::{Pod, Zeroable};

/// Words that an operation has room for: `words` of `struct Operation`.
const WORDS: usize = 12;

/// Words of a function's settings: `settings` of `struct Activation`.
const SETTINGS: usize = 4;

/// A layer in its place: `struct Operation` of kernels/layers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct DeviceOperation {
    pub(super) kind: i32,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) own: i32,
    pub(super) own_end: i32,
    pub(super) partial: i32,
    pub(super) record: i32,
    pub(super) words: [i32; WORDS],
}

/// The layers of kernels/layers.cuh, by the name of their structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "their structs say what they are")]
pub enum Kind {
    Conv2d,
    MaxPool2d,
    AvgPool2d,
    Dense,
    Activation,
}

impl Kind {
    /// Each of them. The match makes the compiler ask for one that is added to the enum and not here.
    pub const ALL: [Self; 5] = {
        use Kind::{Activation, AvgPool2d, Conv2d, Dense, MaxPool2d};
        match Conv2d {
            Conv2d | MaxPool2d | AvgPool2d | Dense | Activation => [Conv2d, MaxPool2d, AvgPool2d, Dense, Activation],
        }
    };
}

/// The functions of kernels/activations.cuh, by the name of their structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "their structs say what they are")]
pub enum Function {
    Identity,
    Sigmoid,
    Relu,
    Tanh,
}

impl Function {
    /// Each of them.
    pub const ALL: [Self; 4] = {
        use Function::{Identity, Relu, Sigmoid, Tanh};
        match Identity {
            Identity | Sigmoid | Relu | Tanh => [Identity, Sigmoid, Relu, Tanh],
        }
    };
}

/// A layer that the kernels have.
pub trait DeviceLayer {
    /// Its number.
    const KIND: Kind;

    /// The fields of its struct, 32 bits each.
    type Words: Pod;

    /// # Errors
    /// `OutOfMemory` for a size beyond what the kernels count to, as [`number`] says it.
    fn words(&self) -> Result<Self::Words>;

    /// Numbers that it adds to a partial gradient.
    fn partial_len(&self) -> usize {
        0
    }

    /// Numbers that it writes to an image's record.
    fn record_len(&self) -> usize {
        0
    }

    /// Itself without its place.
    ///
    /// # Errors
    /// As [`DeviceLayer::words`].
    fn encode(&self) -> Result<DeviceOperation> {
        Ok(DeviceOperation { kind: Self::KIND as i32, words: padded(self.words()?), ..DeviceOperation::default() })
    }
}

/// A function that the kernels have.
pub trait DeviceFunction {
    /// Its number.
    const FUNCTION: Function;

    /// The fields of its struct, 32 bits each.
    type Settings: Pod;

    /// Its settings.
    fn settings(&self) -> Self::Settings;

    /// The fields of `struct Activation`, for so many values.
    ///
    /// # Errors
    /// As [`number`].
    fn of(&self, count: usize) -> Result<[i32; 2 + SETTINGS]> {
        let [a, b, c, d] = padded(self.settings());
        Ok([Self::FUNCTION as i32, number(count)?, a, b, c, d])
    }
}
