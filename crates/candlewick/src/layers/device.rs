//! What the CUDA engine asks of a layer: the number of its struct in `kernels/`, and the words which that is made of.

use crate::error::Result;
use crate::kernels::padded;
use bytemuck::Pod;

/// Words that there is room for: `words` of `struct Operation` in kernels/layers.cuh.
pub const WORDS: usize = 16;

/// A layer to the kernels.
pub trait DeviceOperation {
    /// Its number in `enum class Kind` of kernels/layers.cuh, counted from 0.
    const KIND: i32;

    /// The fields of its struct, 32 bits each.
    type Words: Pod;

    /// What the fields are, where `outputs` values come out.
    ///
    /// # Errors
    /// `OutOfMemory` for sizes beyond what the kernels count to.
    fn words(&self, outputs: usize) -> Result<Self::Words>;

    /// Numbers that it adds to a partial gradient.
    fn partial_len(&self) -> usize {
        0
    }

    /// Numbers that it writes to an image's record.
    fn record_len(&self) -> usize {
        0
    }

    /// All of this, without types.
    ///
    /// # Errors
    /// As [`DeviceOperation::words`].
    fn encode(&self, outputs: usize) -> Result<Encoded> {
        let words = padded(self.words(outputs)?);
        Ok(Encoded { kind: Self::KIND, words, partial_len: self.partial_len(), record_len: self.record_len() })
    }
}

/// A layer without its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded {
    /// [`DeviceOperation::KIND`]
    pub kind: i32,
    /// [`DeviceOperation::words`], with zeros behind them.
    pub words: [i32; WORDS],
    /// [`DeviceOperation::partial_len`]
    pub partial_len: usize,
    /// [`DeviceOperation::record_len`]
    pub record_len: usize,
}
