//! Images that JavaScript made itself.

use candle_core::{Device, Tensor};
use candlewick::{Code, Error, Result};
use napi::bindgen_prelude::{Either, Float32Array, Uint8Array};

/// The memory of a typed array, read on the engine's thread; its owner leaves it alone until the promise settles.
pub type Pixels = Either<Uint8Array, Float32Array>;

/// (n, channels, height, width) of bytes or float32.
///
/// # Errors
/// `DataMismatch`, if the array is not as long as the shape says.
pub fn tensor(pixels: &Pixels, shape: &[u32]) -> Result<Tensor> {
    let shape: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
    let length = match pixels {
        Either::A(bytes) => bytes.len(),
        Either::B(floats) => floats.len(),
    };
    if shape.iter().product::<usize>() != length {
        let shape = candlewick::network::show(&shape);
        let message = format!("images of shape {shape} do not have {length} values");
        return Err(Error::new(Code::DataMismatch, message));
    }
    Ok(match pixels {
        Either::A(bytes) => Tensor::from_slice(bytes, shape, &Device::Cpu)?,
        Either::B(floats) => Tensor::from_slice(floats, shape, &Device::Cpu)?,
    })
}
