//! Where the values of images are in a launch, and how many blocks run at once with that.

use super::gpu::Gpu;

/// Bytes of shared memory that the driver takes of each block's for itself.
const RESERVED: usize = 1024;

/// Blocks of a multiprocessor at once, at most: registers allow no more.
const MOST_AT_ONCE: usize = 4;

/// Which memory it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Home {
    /// A block's shared memory.
    Shared,
    /// Global memory of a block.
    Scratch,
    /// Global memory of each image of a batch.
    Batch,
}

/// The memory of a kind of launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    pub home: Home,
    /// Numbers of an image.
    pub len: usize,
    /// Blocks of a launch, at most.
    pub most_blocks: usize,
    /// Bytes of a block's shared memory.
    pub shared: usize,
}

impl Room {
    /// For images of `len` numbers, one after the other in a block's memory.
    pub fn of_blocks(gpu: &impl Gpu, len: usize) -> Self {
        let memory = len * size_of::<f32>();
        let fits = memory <= gpu.most_shared();
        let (home, shared) = if fits { (Home::Shared, memory) } else { (Home::Scratch, 0) };
        // As many blocks as run at once, so that there are no more partial gradients than need be.
        let at_once = match home {
            Home::Shared => (gpu.shared_of_multiprocessor() / (memory + RESERVED)).clamp(1, MOST_AT_ONCE),
            Home::Scratch | Home::Batch => 2,
        };
        Self { home, len, most_blocks: gpu.multiprocessors() * at_once, shared }
    }

    /// For a training step; `by_image`: that needs the values of all images at once.
    pub fn of_training(gpu: &impl Gpu, len: usize, by_image: bool) -> Self {
        match by_image {
            false => Self::of_blocks(gpu, len),
            true => Self { home: Home::Batch, len, most_blocks: gpu.multiprocessors() * MOST_AT_ONCE, shared: 0 },
        }
    }

    /// Numbers of the memory of all blocks, where that is not shared.
    pub fn scratch_len(&self) -> usize {
        match self.home {
            Home::Scratch => self.most_blocks.saturating_mul(self.len),
            Home::Shared | Home::Batch => 0,
        }
    }
}
