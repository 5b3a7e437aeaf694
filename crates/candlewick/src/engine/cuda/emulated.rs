//! A GPU that is the host: its memory is plain memory, and its kernels are the same source as host C++, a block of one thread
//! at a time. It says whether the kernels and the engine are right, and nothing about their speed.

use super::gpu::{Gpu, Kernel};
use super::layout::Arguments;
use crate::error::Result;
use crate::memory;

/// Blocks' shared memory and multiprocessors of the GPU that is emulated.
#[derive(Clone, Copy, Debug)]
pub struct Emulated {
    /// Bytes of shared memory that a block may have; the rest is global.
    pub most_shared: usize,
    /// Multiprocessors.
    pub multiprocessors: usize,
}

unsafe extern "C" {
    fn candlewick_emulate(kernel: i32, grid: i32, shared: usize, arguments: *const Arguments);
}

impl Gpu for Emulated {
    /// Of 64-bit words, so that every type of the kernels' is aligned.
    type Memory = Vec<u64>;

    fn allocate(&self, bytes: usize) -> Result<Vec<u64>> {
        memory::zeros(bytes.div_ceil(8))
    }

    fn address(&self, memory: &Vec<u64>) -> u64 {
        memory.as_ptr() as u64
    }

    fn write(&self, memory: &mut Vec<u64>, bytes: &[u8]) -> Result<()> {
        bytemuck::cast_slice_mut(memory)[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&self, memory: &Vec<u64>, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(&bytemuck::cast_slice(memory)[..bytes.len()]);
        Ok(())
    }

    fn launch(&self, kernel: Kernel, blocks: usize, shared: usize, arguments: &Arguments) -> Result<()> {
        assert!(shared <= self.most_shared, "{kernel:?} asks for {shared} bytes of shared memory");
        // SAFETY: the arguments hold addresses of `Memory` that the engine keeps and sized for this network and batch.
        unsafe { candlewick_emulate(kernel as i32, blocks as i32, shared, arguments) };
        Ok(())
    }

    fn synchronize(&self) -> Result<()> {
        Ok(())
    }

    fn most_shared(&self) -> usize {
        self.most_shared
    }

    fn shared_of_multiprocessor(&self) -> usize {
        2 * self.most_shared
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }
}
