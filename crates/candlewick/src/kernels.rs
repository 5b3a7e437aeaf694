//! Sizes and structs as `kernels/` has them: in words of 32 bits.

use crate::error::{Code, Error, Result};
use bytemuck::Pod;

/// A struct of 32-bit fields as words, with zeros behind it. More words than there is room for are a compiler's error.
pub fn padded<T: Pod, const COUNT: usize>(fields: T) -> [i32; COUNT] {
    const { assert!(size_of::<T>().is_multiple_of(size_of::<i32>()) && size_of::<T>() <= size_of::<[i32; COUNT]>()) };
    let mut words = [0; COUNT];
    bytemuck::cast_slice_mut(&mut words)[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&fields));
    words
}

/// Most that a kernel counts to. Its threads go on by as many as there are in the launch, which must not take them past what
/// an `int` holds; no GPU comes near to 2²⁰.
pub const MOST: usize = i32::MAX as usize - (1 << 20);

/// A size, as the kernels have it.
///
/// # Errors
/// `OutOfMemory` beyond [`MOST`].
pub fn number(n: usize) -> Result<i32> {
    if n <= MOST {
        return Ok(n as i32);
    }
    let message = format!(
        "the network has {n} numbers in one place, but the CUDA engine counts to {MOST}; make its layers or its images \
         smaller, or use \"cpu\""
    );
    Err(Error::new(Code::OutOfMemory, message))
}

/// Some sizes.
///
/// # Errors
/// As [`number`].
pub fn numbers<const COUNT: usize>(sizes: [usize; COUNT]) -> Result<[i32; COUNT]> {
    let mut words = [0; COUNT];
    for (word, size) in words.iter_mut().zip(sizes) {
        *word = number(size)?;
    }
    Ok(words)
}
