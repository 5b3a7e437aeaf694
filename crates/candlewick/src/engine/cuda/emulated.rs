//! A GPU that is the host: its memory is plain memory, and its kernels are the same source as host C++, whose threads take
//! turns. It says whether the kernels and the engine are right, and nothing about their speed.

use super::gpu::{Gpu, Kernel};
use super::layout::Arguments;
use crate::error::{Code, Error, Result};
use crate::memory;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A GPU of some size.
#[derive(Debug)]
pub struct Emulated {
    most_shared: usize,
    multiprocessors: usize,
    threads: usize,
    blocks_at_once: usize,
    turns: Turns,
    fault: Option<Fault>,
    /// A bit for each kernel that was launched.
    loaded: Cell<u32>,
    /// The launches of the graph that is being captured.
    captured: RefCell<Option<Vec<Launch>>>,
}

/// Who goes first, each time to the next barrier: of two threads that meet in memory without a barrier between, each does so in
/// one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// The first thread of the first block.
    Ascending,
    /// The last thread of the last block.
    Descending,
}

/// A fault to be found: a barrier that is not there.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Of the kernels' files, the one that has the barrier.
    pub file: CString,
    /// Its line there, from 1.
    pub line: usize,
    /// The one thread of each block that passes it by; all of them with `None`.
    pub thread: Option<usize>,
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
    /// With so many bytes of shared memory for a block, and so many multiprocessors; one block of one thread runs at a time.
    pub fn new(most_shared: usize, multiprocessors: usize) -> Self {
        Self {
            most_shared,
            multiprocessors,
            threads: 1,
            blocks_at_once: 1,
            turns: Turns::Ascending,
            fault: None,
            loaded: Cell::new(0),
            captured: RefCell::new(None),
        }
    }

    /// With blocks of so many threads, and so many blocks at once.
    pub fn with_threads(self, threads: usize, blocks_at_once: usize, turns: Turns) -> Self {
        Self { threads, blocks_at_once, turns, ..self }
    }

    /// With a fault in its kernels.
    pub fn with_fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// `struct Threads` of kernels/emulation.cpp.
    fn how(&self) -> Threads {
        let fault = self.fault.as_ref();
        Threads {
            in_block: self.threads as i32,
            blocks_at_once: self.blocks_at_once as i32,
            descending: i32::from(self.turns == Turns::Descending),
            passed_by: fault.and_then(|fault| fault.thread).map_or(-1, |thread| thread as i32),
            line: fault.map_or(0, |fault| fault.line as i32),
            file: fault.map_or(ptr::null(), |fault| fault.file.as_ptr()),
        }
    }
}

#[repr(C)]
struct Threads {
    in_block: i32,
    blocks_at_once: i32,
    descending: i32,
    passed_by: i32,
    line: i32,
    file: *const c_char,
}

unsafe extern "C" {
    fn candlewick_emulate(
        kernel: *const c_char,
        grid: i32,
        shared: usize,
        threads: *const Threads,
        arguments: *const Arguments,
        complaint: *mut c_char,
        room: usize,
    ) -> i32;
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

    fn clear(&self, memory: &mut Vec<u64>) -> Result<()> {
        memory.fill(0);
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
        let mut complaint = [0; 256];
        let name = CString::new(kernel.name()).expect("a function's name holds no zero");
        // SAFETY: the arguments hold addresses of `Memory` that the engine keeps and sized for this network and batch, and what
        // the threads are told lives until the end of the launch.
        let status = unsafe {
            let (name, blocks, room) = (name.as_ptr(), blocks as i32, complaint.len());
            candlewick_emulate(name, blocks, shared, &self.how(), arguments, complaint.as_mut_ptr().cast(), room)
        };
        if status == 0 {
            return Ok(());
        }
        let complaint = CStr::from_bytes_until_nul(&complaint).unwrap_or_default().to_string_lossy();
        Err(Error::new(Code::DeviceLost, format!("{kernel:?} hangs: {complaint}")))
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
