//! Images that JavaScript made itself.

use candle_core::{Device, Tensor};
use candlewick::{Code, Error, Result};
use napi::bindgen_prelude::{Either, Float32Array, Uint8Array};

/// A typed array of images.
pub type Pixels = Either<Uint8Array, Float32Array>;

/// A copy of one, which outlives whatever JavaScript does to it.
pub enum Copied {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// Copies on JavaScript's thread: elsewhere, the array could be changed, detached or freed while it is read. The caller
/// sees to it that it is short.
pub fn copy(pixels: &Pixels) -> Copied {
    match pixels {
        Either::A(bytes) => Copied::Bytes(bytes.to_vec()),
        Either::B(floats) => Copied::Floats(floats.to_vec()),
    }
}

/// (n, channels, height, width) of bytes or float32.
///
/// # Errors
/// `DataMismatch`, if there are not as many values as the shape says.
pub fn tensor(pixels: Copied, shape: &[u32]) -> Result<Tensor> {
    let shape: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
    let length = match &pixels {
        Copied::Bytes(bytes) => bytes.len(),
        Copied::Floats(floats) => floats.len(),
    };
    if shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)) != Some(length) {
        let shape = candlewick::network::show(&shape);
        let message = format!("images of shape {shape} do not have {length} values");
        return Err(Error::new(Code::DataMismatch, message));
    }
    Ok(match pixels {
        Copied::Bytes(bytes) => Tensor::from_vec(bytes, shape, &Device::Cpu)?,
        Copied::Floats(floats) => Tensor::from_vec(floats, shape, &Device::Cpu)?,
    })
}
