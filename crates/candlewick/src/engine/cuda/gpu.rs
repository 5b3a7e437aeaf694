//! What the CUDA engine asks of a GPU: memory, copies and launches. A real one (`device.rs`) or, in tests, the host
//! (`emulated.rs`).

use super::layout::Arguments;
use crate::error::Result;

/// Threads of a block: `THREADS` of kernels/block.cuh.
pub const THREADS: u32 = 256;

/// The kernels of `kernels/step.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Forward, loss and backward of a batch.
    Train,
    /// The gradient and the optimiser's step.
    Update,
    /// The gradient.
    Gather,
    /// The gradient's scale by its norm.
    Clip,
    /// The optimiser's step by the clipped gradient.
    MoveAll,
    /// Forward and loss.
    Score,
    /// Forward.
    Predict,
    /// Parameters as the forward pass reads them.
    TurnAll,
    /// Loss and correct answers of a run.
    SumMetrics,
}

impl Kernel {
    /// Each of them, in order. The match makes the compiler ask for one that is added to the enum and not here.
    pub const ALL: [Self; 9] = {
        use Kernel::{Clip, Gather, MoveAll, Predict, Score, SumMetrics, Train, TurnAll, Update};
        match Train {
            Train | Update | Gather | Clip | MoveAll | Score | Predict | TurnAll | SumMetrics => {
                [Train, Update, Gather, Clip, MoveAll, Score, Predict, TurnAll, SumMetrics]
            }
        }
    };

    /// Its function in `kernels/step.cu`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Update => "update",
            Self::Gather => "gather",
            Self::Clip => "clip",
            Self::MoveAll => "move_all",
            Self::Score => "score",
            Self::Predict => "predict",
            Self::TurnAll => "turn_all",
            Self::SumMetrics => "sum_metrics",
        }
    }
}

/// A GPU and its one queue of work: what is asked for first is done first.
pub trait Gpu: Send {
    /// Memory of the GPU.
    type Memory: Send;
    /// Kernels to be queued at once, again and again.
    type Graph: Send;

    /// `bytes` of memory, zeroed.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn allocate(&self, bytes: usize) -> Result<Self::Memory>;

    /// Where it is.
    fn address(&self, memory: &Self::Memory) -> u64;

    /// Copies `bytes` to the front of `memory`, which is at least as long.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn write(&self, memory: &mut Self::Memory, bytes: &[u8]) -> Result<()>;

    /// Fills `memory` with zeros.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn clear(&self, memory: &mut Self::Memory) -> Result<()>;

    /// Waits for all work and copies the front of `memory`, which is at least as long, to `bytes`.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn read(&self, memory: &Self::Memory, bytes: &mut [u8]) -> Result<()>;

    /// Queues a kernel, in `blocks` blocks with `shared` bytes of shared memory each.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn launch(&self, kernel: Kernel, blocks: usize, shared: usize, arguments: &Arguments) -> Result<()>;

    /// What `queue` launches, kept instead of queued.
    ///
    /// # Errors
    /// Those of `queue`; `DeviceLost`.
    fn capture(&self, queue: &mut dyn FnMut() -> Result<()>) -> Result<Self::Graph>;

    /// Queues what a graph holds.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn replay(&self, graph: &Self::Graph) -> Result<()>;

    /// Waits for all work.
    ///
    /// # Errors
    /// `DeviceLost`.
    fn synchronize(&self) -> Result<()>;

    /// Bytes of shared memory that a block may have.
    fn most_shared(&self) -> usize;

    /// Bytes of shared memory that a multiprocessor shares out among its blocks.
    fn shared_of_multiprocessor(&self) -> usize;

    /// Multiprocessors.
    fn multiprocessors(&self) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_at_its_place_among_all() {
        for (place, kernel) in Kernel::ALL.into_iter().enumerate() {
            assert_eq!(kernel as usize, place);
        }
    }
}
