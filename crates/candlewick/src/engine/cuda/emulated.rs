//! A GPU that is the host: its memory is plain memory, and its kernels are the same source as host C++, a block of one thread
//! at a time or, for what only threads show, of several. It says whether the kernels and the engine are right, and nothing about
//! their speed.

use super::gpu::{Gpu, Kernel};
use super::layout::Arguments;
use crate::error::Result;
use crate::memory;
use std::cell::{Cell, RefCell};
use std::ffi::{CString, c_char};

/// A GPU of some size.
#[derive(Debug)]
pub struct Emulated {
    most_shared: usize,
    multiprocessors: usize,
    /// Threads of a block, and blocks at once.
    threads: usize,
    at_once: usize,
    /// A bit for each kernel that was launched.
    loaded: Cell<u32>,
    /// The launches of the graph that is being captured.
    captured: RefCell<Option<Vec<Launch>>>,
}

/// A launch, to be done later.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    kernel: Kernel,
    blocks: usize,
    shared: usize,
    arguments: Arguments,
}

impl Emulated {
    /// With so many bytes of shared memory for a block, and so many multiprocessors.
    pub fn new(most_shared: usize, multiprocessors: usize) -> Self {
        Self {
            most_shared,
            multiprocessors,
            threads: 1,
            at_once: 1,
            loaded: Cell::new(0),
            captured: RefCell::new(None),
        }
    }

    /// With blocks of so many threads of the system, and so many blocks at once.
    pub fn with_threads(self, threads: usize, at_once: usize) -> Self {
        Self { threads, at_once, ..self }
    }
}

unsafe extern "C" {
    fn candlewick_emulate(
        kernel: *const c_char,
        grid: i32,
        shared: usize,
        block_threads: i32,
        at_once: i32,
        arguments: *const Arguments,
    );
}

impl Gpu for Emulated {
    /// Of 64-bit words, so that every type of the kernels' is aligned.
    type Memory = Vec<u64>;
    type Graph = Vec<Launch>;

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
        let bit = 1 << kernel as u32;
        if let Some(captured) = &mut *self.captured.borrow_mut() {
            assert!(self.loaded.get() & bit != 0, "{kernel:?} is first launched within a capture");
            captured.push(Launch { kernel, blocks, shared, arguments: *arguments });
            return Ok(());
        }
        self.loaded.set(self.loaded.get() | bit);
        let name = CString::new(kernel.name()).expect("a function's name holds no zero");
        // SAFETY: the arguments hold addresses of `Memory` that the engine keeps and sized for this network and batch.
        unsafe {
            let (threads, at_once) = (self.threads as i32, self.at_once as i32);
            candlewick_emulate(name.as_ptr(), blocks as i32, shared, threads, at_once, arguments);
        }
        Ok(())
    }

    fn capture(&self, queue: &mut dyn FnMut() -> Result<()>) -> Result<Vec<Launch>> {
        self.captured.replace(Some(Vec::new()));
        let queued = queue();
        let captured = self.captured.take().unwrap_or_default();
        queued.map(|()| captured)
    }

    fn replay(&self, graph: &Vec<Launch>) -> Result<()> {
        graph.iter().try_for_each(|launch| self.launch(launch.kernel, launch.blocks, launch.shared, &launch.arguments))
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
