//! The layers' arithmetic, sixteen images at a time: forward and backward of each, side by side with its tests.
//!
//! Letters: C channels, H height, W width, K kernel; O stands for the output (OC, OH, OW). Every buffer is one tile, so
//! `x: [C][H][W]` means lanes of sixteen images each. `d` before a name is the gradient of the loss by it: `dz`, `dw`.
//! Backward passes add to the gradients of parameters and overwrite those of inputs.

pub mod activation;
pub mod avg_pool2d;
pub mod conv2d;
pub mod dense;
pub mod max_pool2d;
pub mod windows;

#[cfg(test)]
pub(crate) mod finite_differences;
