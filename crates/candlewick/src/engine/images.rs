//! The images that an engine is given, wherever they are in memory.

use crate::error::{Code, Error, Result};
use candle_core::{CpuStorage, Storage, Tensor};

/// The images of a batch, in memory one after the other.
pub enum Images<'a> {
    /// Bytes from 0 to 255, which count as 0 to 1.
    Bytes(&'a [u8]),
    /// Numbers as they are.
    Floats(&'a [f32]),
    /// Those of a dataset's bytes that the indices name.
    Indexed(&'a [u8], &'a [u32]),
    /// Those of a dataset's numbers that the indices name.
    IndexedFloats(&'a [f32], &'a [u32]),
}

/// Lends the memory of a tensor of images to `f`.
///
/// # Errors
/// `InvalidArgument` for numbers other than float32 and bytes.
pub fn with_images<R>(images: &Tensor, f: impl FnOnce(Images<'_>) -> R) -> Result<R> {
    let images = images.contiguous()?;
    let (storage, layout) = images.storage_and_layout();
    let range = layout.start_offset()..layout.start_offset() + layout.shape().elem_count();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(f(Images::Floats(&values[range]))),
        Storage::Cpu(CpuStorage::U8(values)) => Ok(f(Images::Bytes(&values[range]))),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!(
                "images hold {} on {:?}; give float32 or bytes on the CPU",
                images.dtype().as_str(),
                images.device()
            ),
        )),
    }
}
