//! Memory whose size a user decides: too much of it is an error, not the end of the process.

use crate::error::{Code, Error, Result};
use bytemuck::Zeroable;

/// `n` zeros. Pages come from the system as they are first used.
///
/// # Errors
/// `OutOfMemory`.
pub fn zeros<T: Zeroable>(n: usize) -> Result<Vec<T>> {
    bytemuck::try_zeroed_vec(n).map_err(|()| out_of_memory(n.saturating_mul(size_of::<T>())))
}

/// Asks for `bytes` at once and gives them back. Systems promise memory piece by piece beyond what they have; a whole that is
/// more than all of it, most refuse. What others use is not counted, so this finds mistakes, not shortages.
///
/// # Errors
/// `OutOfMemory`.
pub fn check_room(bytes: usize) -> Result<()> {
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| out_of_memory(bytes))
}

fn out_of_memory(bytes: usize) -> Error {
    let gib = bytes as f64 / f64::from(1 << 30);
    let message =
        format!("the network needs {gib:.1} GiB of memory, more than there is; make its layers or threads fewer");
    Error::new(Code::OutOfMemory, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(zeros::<u8>(3).unwrap(), [0; 3]);
        assert_eq!(zeros::<u64>(usize::MAX).unwrap_err().code, Code::OutOfMemory);
        assert!(check_room(1 << 20).is_ok());
        assert!(check_room(1 << 50).unwrap_err().message.contains("1048576.0 GiB"));
    }
}
