//! The zeros around a convolution's input, as its user writes them and in numbers.

use super::super::windows;
use crate::error::{Code, Error, Result};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor, value::SeqAccessDeserializer};
use serde::{Serialize, Serializer};
use std::fmt;

/// As JSON, `[1, 2]` or `"same"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Padding {
    /// Rows above and below, columns left and right.
    Each([usize; 2]),
    /// As many as it takes for the output to be of the input's size: kernel - 1 of them, with strides of 1. Where that is odd, the
    /// last side has one more, as in PyTorch.
    Same,
}

impl From<[usize; 2]> for Padding {
    fn from(sides: [usize; 2]) -> Self {
        Self::Each(sides)
    }
}

impl Default for Padding {
    fn default() -> Self {
        Self::Each([0, 0])
    }
}

/// One direction of a convolution: rows, or columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direction {
    /// `height`
    pub side: &'static str,
    /// Pixels of the input.
    pub input: usize,
    /// Pixels of the kernel.
    pub kernel: usize,
    /// Pixels between windows.
    pub stride: usize,
}

impl Padding {
    /// Of the direction that is this of the pairs, for the layer of this name: the zeros before and after the input, and the number
    /// of windows.
    ///
    /// # Errors
    /// `InvalidArgument` for a kernel of 0, and for strides with which the size cannot stay; `InvalidShape` for a kernel larger than
    /// the padded input.
    pub(super) fn place(self, name: &str, pair: usize, direction: Direction) -> Result<([usize; 2], usize)> {
        let Direction { side, input, kernel, stride } = direction;
        match self {
            Self::Each(sides) => {
                let count = windows::count(name, side, input, kernel, stride, sides[pair])?;
                Ok(([sides[pair]; 2], count))
            }
            Self::Same => {
                windows::require_window(name, side, kernel)?;
                if stride != 1 {
                    let message = format!(
                        "{name} has strides of {stride} with padding \"same\", which keeps the size of what reaches it; make the \
                         strides 1, or give the padding in numbers"
                    );
                    return Err(Error::new(Code::InvalidArgument, message));
                }
                let before = (kernel - 1) / 2;
                Ok(([before, kernel - 1 - before], input))
            }
        }
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Each(sides) => sides.serialize(serializer),
            Self::Same => "same".serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Sides;
        impl<'de> Visitor<'de> for Sides {
            type Value = Padding;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"same\" or a pair of integers for the padding")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> std::result::Result<Padding, E> {
                match word {
                    "same" => Ok(Padding::Same),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sides: A) -> std::result::Result<Padding, A::Error> {
                <[usize; 2]>::deserialize(SeqAccessDeserializer::new(sides)).map(Padding::Each)
            }
        }
        deserializer.deserialize_any(Sides)
    }
}
