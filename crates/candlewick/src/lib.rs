//! candlewick trains small convolutional networks at native speed.
//!
//! A [`network::Network`] is data: layers with shapes. An [`engine::Engine`] holds its parameters and runs it; the fast one for
//! the CPU is [`engine::lanes::LanesEngine`]. candle's `Tensor` is what goes in and out.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use candlewick::activations::Activation;
//! use candlewick::engine::{Engine, lanes::LanesEngine};
//! use candlewick::layers::{Conv2d, Dense, Layer};
//! use candlewick::losses::{Loss, Targets};
//! use candlewick::{initializers::Initializer, network::Network, optimizers::Sgd};
//!
//! let activation = Some(Activation::Relu);
//! let layers = [
//!     Layer::Conv2d(Conv2d { activation, ..Conv2d::new(4, [3, 3]) }),
//!     Layer::Dense(Dense::new(2)),
//! ];
//! let network = Network::new(&layers, [1, 6, 6])?;
//! let mut engine = LanesEngine::new(network, None)?;
//! engine.set_flat_parameters(Initializer::xavier().parameters(engine.network(), 1)?)?;
//! let images = Tensor::rand(0f32, 1.0, (2, 1, 6, 6), &Device::Cpu)?;
//! let sgd = Sgd::new(0.1)?.into();
//! let first = engine.step(&images, Targets::Labels(&[0, 1]), &Loss::default(), &sgd)?;
//! for _ in 0..20 {
//!     engine.step(&images, Targets::Labels(&[0, 1]), &Loss::default(), &sgd)?;
//! }
//! assert!(engine.step(&images, Targets::Labels(&[0, 1]), &Loss::default(), &sgd)?.mean_loss() < first.mean_loss());
//! # Ok::<(), candlewick::Error>(())
//! ```

// What candle's crates would link to, cudarc then opens where it is, and what is built serves machines without.
#[cfg(all(feature = "candle-cuda", not(feature = "dynamic-loading")))]
compile_error!(
    "the feature candle-cuda is built by `npm run build:cuda -- --candle`, or with its settings (docs/engines.md)"
);

pub mod activations;
pub mod augmentations;
pub mod checkpoint;
pub mod dataset;
pub mod device;
pub mod engine;
pub mod error;
pub mod initializers;
pub mod json;
mod kernels;
pub mod layers;
pub mod losses;
pub mod memory;
pub mod metrics;
pub mod network;
pub mod normalization;
pub mod optimizers;
pub mod random;
pub mod shape;
pub mod simd;

pub use error::{Code, Error, Result};

#[cfg(test)]
extern crate self as candlewick;

/// Beside the tests of the parts, so that another processor's tests are one program, which takes minutes to build.
#[cfg(test)]
#[path = "../tests/same_bits/mod.rs"]
mod same_bits;
