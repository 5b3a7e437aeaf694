//! Memory whose size a user decides: too much of it is an error, not the end of the process; and what is only asked for costs
//! nothing until it is used.

use crate::error::{Code, Error, Result};
use crate::simd::{LANES, Lane, Real};
use bytemuck::Zeroable;
use std::ops::{Deref, DerefMut};

/// What stays for the rest of the process when much is taken: parts of it, such as a JavaScript engine's heap, end the process where
/// they get none.
const RESERVE: usize = 64 << 20;

/// From how many bytes on a piece is much.
const MUCH: usize = 1 << 20;

/// `n` zeros. The system gives them page by page, as they are first used.
///
/// # Errors
/// `OutOfMemory`.
pub fn zeros<T: Zeroable>(n: usize) -> Result<Vec<T>> {
    // Rust asks the system for zeros up to this alignment only, and writes them itself beyond.
    const { assert!(align_of::<T>() <= 16) };
    let bytes = n.saturating_mul(size_of::<T>());
    check_room(bytes)?;
    bytemuck::try_zeroed_vec(n).map_err(|()| out_of_memory(bytes))
}

/// A copy of `values`.
///
/// # Errors
/// `OutOfMemory`.
pub fn copy<T: Copy>(values: &[T]) -> Result<Vec<T>> {
    collect(values.iter().copied())
}

/// All that comes out of `values`.
///
/// # Errors
/// `OutOfMemory`.
pub fn collect<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut all = room(values.len())?;
    all.extend(values);
    Ok(all)
}

/// An empty vector with room for `n`.
///
/// # Errors
/// `OutOfMemory`.
pub fn room<T>(n: usize) -> Result<Vec<T>> {
    let bytes = n.saturating_mul(size_of::<T>());
    check_room(bytes)?;
    let mut all = Vec::new();
    all.try_reserve_exact(n).map_err(|_| out_of_memory(bytes))?;
    Ok(all)
}

/// Asks for `bytes`, if they are much, and the reserve at once and gives them back. Systems promise memory piece by piece beyond what they have; a whole
/// that is more than all of it, most refuse. What others use is not counted, so this finds mistakes, and shortages of a process that
/// has a limit.
///
/// # Errors
/// `OutOfMemory`.
pub fn check_room(bytes: usize) -> Result<()> {
    if bytes < MUCH {
        return Ok(());
    }
    let mut all = Vec::<u8>::new();
    all.try_reserve_exact(bytes.saturating_add(RESERVE)).map_err(|_| out_of_memory(bytes))?;
    // A compiler may leave out memory that nobody looks at, and take it for granted.
    std::hint::black_box(&all);
    Ok(())
}

/// The error for so many bytes.
pub fn out_of_memory(bytes: usize) -> Error {
    let message = format!(
        "{} of memory are needed at once, more than can be taken; make the network, the batch or the number of threads smaller",
        show_bytes(bytes)
    );
    Error::new(Code::OutOfMemory, message)
}

/// The error where the system gives no more threads.
pub fn no_thread(reason: &dyn std::error::Error) -> Error {
    let message = format!(
        "the system gives no more threads to run networks on ({reason}); use fewer threads or fewer networks at once, or end \
         other programs"
    );
    Error::new(Code::OutOfMemory, message)
}

/// A number of bytes as a person reads it: `512 bytes`, `1.5 KiB`, `3.2 MiB`, `2.0 GiB`.
pub fn show_bytes(bytes: usize) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 {
        // No further than the last: 2^64 bytes are 16 EiB.
        (size, unit) = (size / 1024.0, unit + 1);
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Lanes that are zero until they are written to. A vector of them would be written to at once: they are aligned to more than
/// [`zeros`] can have from the system, so this takes plain numbers and begins at the first that is aligned.
pub struct Buffer<R> {
    numbers: Vec<R>,
    len: usize,
}

impl<R: Real> Buffer<R> {
    /// None, without memory.
    pub fn empty() -> Self {
        Self { numbers: Vec::new(), len: 0 }
    }

    /// `len` lanes of zeros.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn zeros(len: usize) -> Result<Self> {
        if len == 0 {
            return Ok(Self::empty());
        }
        let numbers = len.saturating_add(1).saturating_mul(LANES);
        Ok(Self { numbers: zeros(numbers)?, len })
    }

    /// Becomes `len` lanes, of zeros, where it has fewer; what it has is given back first. Else it stays as it is.
    ///
    /// # Errors
    /// `OutOfMemory`; it is then empty.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        if self.len < len {
            *self = Self::empty();
            *self = Self::zeros(len)?;
        }
        Ok(())
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        size_of_val(&self.numbers[..])
    }
}

impl<R: Real> Deref for Buffer<R> {
    type Target = [Lane<R>];

    fn deref(&self) -> &[Lane<R>] {
        &bytemuck::pod_align_to(&self.numbers).1[..self.len]
    }
}

impl<R: Real> DerefMut for Buffer<R> {
    fn deref_mut(&mut self) -> &mut [Lane<R>] {
        &mut bytemuck::pod_align_to_mut(&mut self.numbers).1[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(zeros::<u8>(3).unwrap(), [0; 3]);
        assert_eq!(copy(&[1, 2]).unwrap(), [1, 2]);
        assert_eq!(zeros::<u64>(usize::MAX).unwrap_err().code, Code::OutOfMemory);
        assert_eq!(room::<u64>(usize::MAX).unwrap_err().code, Code::OutOfMemory);
        assert_eq!(Buffer::<f32>::zeros(usize::MAX).err().unwrap().code, Code::OutOfMemory);
        assert!([0, 1, MUCH - 1, MUCH].into_iter().all(|bytes| check_room(bytes).is_ok()));
        assert!(check_room(1 << 50).unwrap_err().message.starts_with("1.0 PiB of memory are needed"));
    }

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 3_355_443, 1 << 31, 5 << 50, usize::MAX];
        let shown =
            ["0 bytes", "1023 bytes", "1.0 KiB", "1.5 KiB", "1.0 MiB", "3.2 MiB", "2.0 GiB", "5.0 PiB", "16.0 EiB"];
        assert_eq!(sizes.map(show_bytes), shown);
    }

    #[test]
    fn a_buffer_is_aligned_and_zero() {
        for len in [0, 1, 2, 7, 1000] {
            let mut buffer = Buffer::<f32>::zeros(len).unwrap();
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|lane| *lane == Lane::zero()));
            buffer.fill(Lane::splat(1.0));
            buffer.grow(len).unwrap();
            assert!(buffer.iter().all(|lane| *lane == Lane::splat(1.0)), "nothing is taken anew that is there");
            buffer.grow(len + 1).unwrap();
            assert_eq!(buffer.len(), len + 1);
        }
        let doubles = Buffer::<f64>::zeros(5).unwrap();
        assert_eq!((doubles.len(), doubles.size()), (5, 6 * 16 * 8), "one lane more for its alignment");
        assert_eq!(Buffer::<f64>::empty().size(), 0);
    }

    /// Pages of this process that are in memory, in bytes.
    #[cfg(target_os = "linux")]
    fn resident() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_not_used_costs_nothing() {
        let before = resident();
        let mut buffer = Buffer::<f32>::zeros(1 << 23).unwrap(); // half a gibibyte
        assert!(resident() < before + (128 << 20));
        buffer.fill(Lane::splat(1.0));
        assert!(resident() > before + (384 << 20), "the figure means something");
    }
}
