//! What the settings of several optimisers must be.

use crate::error::{Code, Error, Result};
use std::fmt::Display;

/// A learning rate, or another number that scales.
pub fn require_scale(name: &str, value: f32) -> Result<()> {
    require(value.is_finite() && value >= 0.0, name, value, "a finite number of at least 0")
}

/// A number that divides or bounds.
pub fn require_positive(name: &str, value: f32) -> Result<()> {
    require(value.is_finite() && value > 0.0, name, value, "a finite number above 0")
}

/// What stays of a mean that forgets.
pub fn require_share<T: Into<f64> + Copy + Display>(name: &str, value: T) -> Result<()> {
    require((0.0..1.0).contains(&value.into()), name, value, "at least 0 and below 1")
}

fn require(is_right: bool, name: &str, value: impl Display, expected: &str) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::new(Code::InvalidArgument, format!("{name} is {value}; it must be {expected}")))
}
