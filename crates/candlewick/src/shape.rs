//! Shapes: how they read, and what every one must satisfy.

use crate::error::{Code, Error, Result};
use std::fmt;

/// A shape as d2l prints it: `(1, 28, 28)`.
pub fn show(shape: &[usize]) -> String {
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}

pub(crate) fn invalid_shape(message: String) -> Error {
    Error::new(Code::InvalidShape, message)
}

/// (C, H, W), of what reaches the layer of this name.
pub(crate) fn image(name: &str, shape: &[usize]) -> Result<[usize; 3]> {
    shape.try_into().map_err(|_| {
        let shape = show(shape);
        invalid_shape(format!(
            "{name} needs images of shape (C, H, W), but {shape} reaches it; put it before the dense layers"
        ))
    })
}

/// Most values of anything: below 2³², as 16 GiB of float32 are more than any small network's. Beyond that a shape is a mistake.
pub(crate) const MOST_VALUES: usize = u32::MAX as usize;

/// The number of values of this shape.
pub(crate) fn require_room(what: fmt::Arguments<'_>, shape: &[usize]) -> Result<usize> {
    let values = shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    values.filter(|n| *n <= MOST_VALUES).ok_or_else(|| {
        let shape = show(shape);
        invalid_shape(format!(
            "{what} of shape {shape} would hold 2^32 values or more; make the layer or the images smaller"
        ))
    })
}

pub(crate) fn require_positive(name: &str, sizes: &[usize], what: &str) -> Result<()> {
    if sizes.contains(&0) {
        return Err(Error::new(Code::InvalidArgument, format!("{name} has {what} of 0; they must be at least 1")));
    }
    Ok(())
}
